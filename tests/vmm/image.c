/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The Multiboot header, and the addresses that it gives itself; Multiboot 0.6.96, section 3.1. */
#include "tests/vmm/image.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/endian.h"

#define MAGIC 0x1badb002u
#define SEARCHED 8192u
#define ALIGNMENT 4u
#define SHORT_HEADER 12u
#define LONG_HEADER 32u /* with the addresses */
#define LIMIT (UINT64_C(1) << 32)

/* Modules on pages and memory sizes come anyway; a video mode may be asked for, and the information says there is none. */
#define FLAGS_UNDERSTOOD 0x0007u
#define FLAGS_REQUIRED 0xffffu
#define FLAG_ADDRESSES 0x10000u

enum { FLAGS = 4,
       CHECKSUM = 8,
       HEADER_ADDRESS = 12,
       LOAD_ADDRESS = 16,
       LOAD_END = 20,
       BSS_END = 24,
       ENTRY = 28 };

static uint32_t word(const uint8_t *at, unsigned int field)
{
	return (uint32_t)get_le(at + field, 4);
}

static int malformed(struct irqs_error *reterr, size_t offset, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)offset, NULL, "%s", what);
}

/* Return: whether there is a header, and where. */
static bool find_header(const uint8_t *file, size_t size, size_t *ret)
{
	for (size_t at = 0; at < SEARCHED && at + SHORT_HEADER <= size; at += ALIGNMENT) {
		if (word(file + at, 0) == MAGIC && word(file + at, FLAGS) + word(file + at, CHECKSUM) + MAGIC == 0) {
			*ret = at;
			return true;
		}
	}
	return false;
}

int image_add(struct image *i, size_t size, uint64_t address, uint64_t memory_size, uint64_t offset, uint64_t file_size,
	      struct irqs_error *reterr)
{
	if (!memory_size && !file_size)
		return 0;
	if (offset > size || file_size > size - offset)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)size, NULL,
				 "segment at 0x%" PRIx64 ": its bytes are beyond the end of the file", address);
	if (file_size > memory_size)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)offset, NULL,
				 "segment at 0x%" PRIx64 ": more bytes in the file than in memory", address);
	if (address >= LIMIT || memory_size > LIMIT - address)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)offset, NULL,
				 "segment at 0x%" PRIx64 ": it reaches beyond 4 GiB", address);
	if (i->nsegments == IMAGE_MAX_SEGMENTS)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)offset, NULL, "more than %d segments",
				 IMAGE_MAX_SEGMENTS);
	/* A whole address space of one segment does not fit its 32-bit size, and no memory either. */
	if (memory_size == LIMIT)
		return malformed(reterr, (size_t)offset, "segment of 4 GiB");
	i->segments[i->nsegments++] = (struct image_segment){
		.address = (uint32_t)address,
		.memory_size = (uint32_t)memory_size,
		.offset = (size_t)offset,
		.file_size = (uint32_t)file_size,
	};
	return 0;
}

/* The fields say where the header is in memory, and so where the file begins. */
static int parse_addresses(const uint8_t *file, size_t size, size_t at, struct image *ret, struct irqs_error *reterr)
{
	const uint8_t *h = file + at;
	uint64_t load, load_end, bss_end, before, offset;

	if (size - at < LONG_HEADER)
		return malformed(reterr, at, "Multiboot header: its addresses are beyond the end of the file");
	load = word(h, LOAD_ADDRESS);
	if (word(h, HEADER_ADDRESS) < load)
		return malformed(reterr, at, "Multiboot header: header_addr is below load_addr");
	before = word(h, HEADER_ADDRESS) - load;
	if (before > at)
		return malformed(reterr, at, "Multiboot header: load_addr is before the begin of the file");
	offset = at - before;
	load_end = word(h, LOAD_END) ? word(h, LOAD_END) : load + (size - offset);
	if (load_end < load)
		return malformed(reterr, at, "Multiboot header: load_end_addr is below load_addr");
	bss_end = word(h, BSS_END) ? word(h, BSS_END) : load_end;
	if (bss_end < load_end)
		return malformed(reterr, at, "Multiboot header: bss_end_addr is below load_end_addr");
	ret->entry = word(h, ENTRY);
	return image_add(ret, size, load, bss_end - load, offset, load_end - load, reterr);
}

static bool has_entry(const struct image *i)
{
	for (unsigned int n = 0; n < i->nsegments; n++)
		if (i->entry >= i->segments[n].address &&
		    i->entry - i->segments[n].address < i->segments[n].memory_size)
			return true;
	return false;
}

int image_parse(const uint8_t *file, size_t size, struct image *ret, struct irqs_error *reterr)
{
	struct image i = { 0 };
	uint32_t flags;
	size_t at;
	int rc;

	if (!find_header(file, size, &at))
		return malformed(reterr, 0, "no Multiboot header in the first 8192 bytes");
	flags = word(file + at, FLAGS);
	if (flags & FLAGS_REQUIRED & ~FLAGS_UNDERSTOOD)
		return irqs_fail(reterr, IRQS_REFUSED, (int64_t)at + FLAGS, NULL,
				 "Multiboot header: flags 0x%" PRIx32 " ask for something unknown", flags);
	if (flags & FLAG_ADDRESSES)
		rc = parse_addresses(file, size, at, &i, reterr);
	else
		rc = elf_parse(file, size, &i, reterr);
	if (rc)
		return rc;
	if (!has_entry(&i))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "entry 0x%" PRIx32 " is in no segment", i.entry);
	*ret = i;
	return 0;
}

uint64_t image_end(const struct image *i)
{
	uint64_t end = 0;

	for (unsigned int n = 0; n < i->nsegments; n++) {
		uint64_t e = (uint64_t)i->segments[n].address + i->segments[n].memory_size;

		if (e > end)
			end = e;
	}
	return end;
}

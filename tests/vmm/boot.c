/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/boot.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"

#define PAGE UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)
#define KIB UINT64_C(1024)

/* Of a PC: what the BIOS would keep for itself is told as reserved, though it is memory here. */
#define LOW_BEGIN UINT64_C(0x9000)
#define LOW_END UINT64_C(0x9fc00)
#define BIOS_BEGIN UINT64_C(0xf0000)

#define LOADER_NAME "irqshift vmm"
#define BOOT_DEVICE 0x8000ffffu /* first hard disk, no partition */

/* struct multiboot_info, a module and an entry of the memory map: offsets of the fields. */
enum { INFO_FLAGS = 0,
       INFO_MEM_LOWER = 4,
       INFO_MEM_UPPER = 8,
       INFO_BOOT_DEVICE = 12,
       INFO_CMDLINE = 16,
       INFO_MODS_COUNT = 20,
       INFO_MODS_ADDR = 24,
       INFO_MMAP_LENGTH = 44,
       INFO_MMAP_ADDR = 48,
       INFO_LOADER = 64,
       INFO_SIZE = 116,
       MODULE_START = 0,
       MODULE_END = 4,
       MODULE_TEXT = 8,
       MODULE_SIZE = 16,
       MAP_SIZE = 0,
       MAP_BASE = 4,
       MAP_LENGTH = 12,
       MAP_TYPE = 20,
       MAP_ENTRY = 24 };

enum { MAP_AVAILABLE = 1,
       MAP_RESERVED = 2 };

#define MAP_ENTRIES 4u

enum { HAS_MEMORY = 1 << 0,
       HAS_BOOT_DEVICE = 1 << 1,
       HAS_CMDLINE = 1 << 2,
       HAS_MODULES = 1 << 3,
       HAS_MMAP = 1 << 6,
       HAS_LOADER = 1 << 9 };

/* The information in one piece: the struct, the memory map, the modules, then the texts. */
struct info {
	uint8_t *bytes;
	size_t size, texts; /* @texts: where the next one goes */
	uint32_t address;
};

static uint64_t page_up(uint64_t address)
{
	return (address + PAGE - 1) & ~(PAGE - 1);
}

static int too_small(struct irqs_error *reterr, uint64_t size, const char *what, uint64_t end)
{
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			 "%s: its end is at 0x%" PRIx64 ", the memory has 0x%" PRIx64 " bytes", what, end, size);
}

static void load_segments(const struct boot *b, uint8_t *memory)
{
	for (unsigned int i = 0; i < b->image->nsegments; i++) {
		const struct image_segment *s = &b->image->segments[i];

		memcpy(memory + s->address, b->file + s->offset, s->file_size);
		memset(memory + s->address + s->file_size, 0, s->memory_size - s->file_size);
	}
}

static size_t info_size(const struct boot *b)
{
	size_t size = INFO_SIZE + MAP_ENTRIES * MAP_ENTRY + b->nmodules * (size_t)MODULE_SIZE;

	size += strlen(b->command_line) + 1 + sizeof(LOADER_NAME);
	for (unsigned int i = 0; i < b->nmodules; i++)
		size += strlen(b->modules[i].text) + 1;
	return size;
}

static bool overlaps(const struct image_segment *s, uint64_t begin, uint64_t end)
{
	return s->address < end && begin < (uint64_t)s->address + s->memory_size;
}

/* The first free pages below the BIOS data, else @above. */
static uint64_t place_info(const struct image *i, uint64_t size, uint64_t above)
{
	uint64_t at = LOW_BEGIN;

	for (unsigned int n = 0; n < i->nsegments && at + size <= LOW_END; n++) {
		if (overlaps(&i->segments[n], at, at + size)) {
			at = page_up((uint64_t)i->segments[n].address + i->segments[n].memory_size);
			n = -1U; /* the segments before may be in the way now */
		}
	}
	return at + size <= LOW_END ? at : above;
}

static void put(const struct info *f, size_t at, uint64_t value)
{
	put_le(f->bytes + at, 4, value);
}

/* Return: its address in the guest. */
static uint32_t add_text(struct info *f, const char *text)
{
	size_t at = f->texts, len = strlen(text) + 1;

	memcpy(f->bytes + at, text, len);
	f->texts += len;
	return f->address + (uint32_t)at;
}

static void put_map(const struct info *f, size_t at, uint64_t begin, uint64_t end, unsigned int type)
{
	put(f, at + MAP_SIZE, MAP_ENTRY - 4); /* without this field */
	put_le(f->bytes + at + MAP_BASE, 8, begin);
	put_le(f->bytes + at + MAP_LENGTH, 8, end - begin);
	put(f, at + MAP_TYPE, type);
}

static void put_memory(const struct info *f, uint64_t memory)
{
	size_t at = INFO_SIZE;

	put(f, INFO_MEM_LOWER, LOW_END / KIB);
	put(f, INFO_MEM_UPPER, (memory - MIB) / KIB);
	put(f, INFO_MMAP_ADDR, f->address + at);
	put(f, INFO_MMAP_LENGTH, MAP_ENTRIES * MAP_ENTRY);
	put_map(f, at, 0, LOW_END, MAP_AVAILABLE);
	put_map(f, at + MAP_ENTRY, LOW_END, 640 * KIB, MAP_RESERVED);
	put_map(f, at + 2 * (size_t)MAP_ENTRY, BIOS_BEGIN, MIB, MAP_RESERVED);
	put_map(f, at + 3 * (size_t)MAP_ENTRY, MIB, memory, MAP_AVAILABLE);
}

static void put_modules(struct info *f, const struct boot *b, uint64_t address)
{
	size_t at = INFO_SIZE + MAP_ENTRIES * MAP_ENTRY;

	put(f, INFO_MODS_COUNT, b->nmodules);
	put(f, INFO_MODS_ADDR, f->address + at);
	for (unsigned int i = 0; i < b->nmodules; i++, at += MODULE_SIZE) {
		put(f, at + MODULE_START, address);
		put(f, at + MODULE_END, address + b->modules[i].size);
		put(f, at + MODULE_TEXT, add_text(f, b->modules[i].text));
		address = page_up(address + b->modules[i].size);
	}
}

static void put_info(struct info *f, const struct boot *b, uint64_t memory, uint64_t modules)
{
	f->texts = INFO_SIZE + MAP_ENTRIES * MAP_ENTRY + b->nmodules * (size_t)MODULE_SIZE;
	put(f, INFO_FLAGS, HAS_MEMORY | HAS_BOOT_DEVICE | HAS_CMDLINE | HAS_MODULES | HAS_MMAP | HAS_LOADER);
	put(f, INFO_BOOT_DEVICE, BOOT_DEVICE);
	put_memory(f, memory);
	put_modules(f, b, modules);
	put(f, INFO_CMDLINE, add_text(f, b->command_line));
	put(f, INFO_LOADER, add_text(f, LOADER_NAME));
}

static uint64_t modules_end(const struct boot *b, uint64_t begin)
{
	uint64_t end = begin;

	for (unsigned int i = 0; i < b->nmodules; i++)
		end = page_up(end + b->modules[i].size);
	return end;
}

static void load_modules(const struct boot *b, uint8_t *memory, uint64_t at)
{
	for (unsigned int i = 0; i < b->nmodules; i++) {
		if (b->modules[i].size)
			memcpy(memory + at, b->modules[i].data, b->modules[i].size);
		at = page_up(at + b->modules[i].size);
	}
}

int boot_load(const struct boot *b, uint8_t *memory, uint64_t size, uint32_t *ret_info, struct irqs_error *reterr)
{
	uint64_t end = image_end(b->image), modules = page_up(end > MIB ? end : MIB);
	uint64_t above = modules_end(b, modules), at;
	struct info f = { .size = info_size(b) };

	if (end > size)
		return too_small(reterr, size, "kernel", end);
	if (b->nmodules && above > size)
		return too_small(reterr, size, "modules", above);
	at = place_info(b->image, f.size, above);
	if (size < MIB || at + f.size > size)
		return too_small(reterr, size, "boot information", at + f.size);
	f.bytes = memory + at;
	f.address = (uint32_t)at;
	load_segments(b, memory);
	load_modules(b, memory, modules);
	memset(f.bytes, 0, f.size);
	put_info(&f, b, size, modules);
	*ret_info = f.address;
	return 0;
}

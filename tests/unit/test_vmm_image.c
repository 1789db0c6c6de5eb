/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Kernels of the example VMM: what is loaded where, and what is refused, why and at which byte. */
#include <criterion/criterion.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vmm_kernel.h"
#include "tests/vmm/image.h"

static uint8_t file[KERNEL_SIZE];

/* From memory that ends where the file does. */
static int parse_some(size_t size, struct image *ret, struct irqs_error *err)
{
	uint8_t *copy = malloc(size ? size : 1);
	int rc;

	cr_assert(copy);
	memcpy(copy, file, size);
	rc = image_parse(copy, size, ret, err);
	free(copy);
	return rc;
}

static void expect_good(struct image *i)
{
	struct irqs_error err;

	cr_assert(!parse_some(sizeof(file), i, &err), "%s", err.text);
}

static void expect_bad(const char *text)
{
	struct image i = { .entry = 0x5a5a };
	struct irqs_error err = { .text = "none" };
	int rc = parse_some(sizeof(file), &i, &err);

	cr_expect(rc == -EBADMSG && err.status == IRQS_MALFORMED && strstr(err.text, text), "\"%s\", not \"%s\"",
		  err.text, text);
	cr_expect(i.entry == 0x5a5a, "nothing is filled in");
}

Test(vmm_image, an_elf_file_of_both_widths_gives_its_segments_and_its_entry)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		struct image i;

		kernel_elf(file, wide);
		expect_good(&i);
		cr_assert(i.nsegments == 2 && i.entry == KERNEL_ADDRESS + 0x10);
		cr_expect(i.segments[0].address == KERNEL_ADDRESS && i.segments[0].offset == KERNEL_TEXT);
		cr_expect(i.segments[0].file_size == 0x100 && i.segments[0].memory_size == 0x100);
		cr_expect(i.segments[1].address == KERNEL_BSS && i.segments[1].memory_size == 0x2000);
		cr_expect(!i.segments[1].file_size && image_end(&i) == KERNEL_BSS + 0x2000);
	}
}

Test(vmm_image, segments_go_to_physical_addresses_and_so_does_the_entry)
{
	struct image i;

	kernel_elf(file, false);
	kernel_put(file, KERNEL_TABLE + offsetof(Elf32_Phdr, p_vaddr), 4, 0xc0100000);
	kernel_put(file, offsetof(Elf32_Ehdr, e_entry), 4, 0xc0100020);
	expect_good(&i);
	cr_expect(i.segments[0].address == KERNEL_ADDRESS && i.entry == KERNEL_ADDRESS + 0x20);
}

Test(vmm_image, what_is_not_to_be_loaded_and_what_is_empty_is_left_out)
{
	struct image i;

	kernel_elf(file, true);
	kernel_put(file, KERNEL_TABLE + sizeof(Elf64_Phdr), 4, PT_NOTE);
	expect_good(&i);
	cr_expect(i.nsegments == 1);
	kernel_elf(file, true);
	kernel_put(file, KERNEL_TABLE + sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, p_memsz), 8, 0);
	expect_good(&i);
	cr_expect(i.nsegments == 1);
}

Test(vmm_image, addresses_in_the_header_need_no_elf)
{
	struct image i;

	kernel_addresses(file);
	expect_good(&i);
	cr_assert(i.nsegments == 1 && i.entry == KERNEL_ADDRESS + KERNEL_TEXT / 4);
	cr_expect(i.segments[0].address == KERNEL_ADDRESS && i.segments[0].offset == KERNEL_HEADER);
	cr_expect(i.segments[0].file_size == 0x800 && i.segments[0].memory_size == 0x1800);
}

Test(vmm_image, without_ends_all_of_the_file_is_loaded)
{
	struct image i;

	kernel_addresses(file);
	kernel_field(file, 16, KERNEL_ADDRESS - 0x40);
	kernel_field(file, 20, 0);
	kernel_field(file, 24, 0);
	expect_good(&i);
	cr_expect(i.segments[0].offset == KERNEL_HEADER - 0x40);
	cr_expect(i.segments[0].file_size == KERNEL_SIZE - KERNEL_HEADER + 0x40);
	cr_expect(i.segments[0].memory_size == i.segments[0].file_size);
}

Test(vmm_image, the_header_is_sought_in_8192_bytes_at_multiples_of_four)
{
	struct image i;
	struct irqs_error err;
	uint8_t *big = calloc(1, 0x4000);

	cr_assert(big);
	kernel_addresses(file);
	kernel_field(file, 20, KERNEL_ADDRESS + 0x20);
	kernel_field(file, 24, 0);
	kernel_field(file, 28, KERNEL_ADDRESS);
	memcpy(big + 8188, file + KERNEL_HEADER, 32);
	cr_expect(!image_parse(big, 0x4000, &i, &err), "%s", err.text);
	memmove(big + 8192, big + 8188, 32);
	memset(big + 8188, 0, 4);
	cr_expect(image_parse(big, 0x4000, &i, &err) == -EBADMSG && strstr(err.text, "no Multiboot header"));
	memcpy(big + 2, file + KERNEL_HEADER, 32);
	cr_expect(image_parse(big, 0x4000, &i, &err) == -EBADMSG);
	free(big);
}

Test(vmm_image, a_wrong_checksum_is_no_header)
{
	kernel_elf(file, false);
	kernel_field(file, 8, 1);
	expect_bad("no Multiboot header");
}

Test(vmm_image, what_the_header_needs_and_nobody_knows_is_refused)
{
	struct image i;
	struct irqs_error err;

	for (unsigned int bit = 0; bit < 16; bit++) {
		kernel_elf(file, false);
		kernel_field(file, 4, 1U << bit);
		kernel_field(file, 8, 0U - 0x1badb002U - (1U << bit));
		cr_expect(parse_some(sizeof(file), &i, &err) == (bit < 3 ? 0 : -EOPNOTSUPP), "bit %u", bit);
	}
	cr_expect(err.status == IRQS_REFUSED && err.offset == KERNEL_HEADER + 4);
}

/* One number of a good file is wrong. */
struct spoilt {
	unsigned int at, width;
	uint64_t value;
	const char *text;
};

#define EHDR(kind, member) offsetof(Elf##kind##_Ehdr, member), sizeof(((Elf##kind##_Ehdr *)0)->member)
#define PHDR(kind, n, member)                                                               \
	KERNEL_TABLE + (n) * sizeof(Elf##kind##_Phdr) + offsetof(Elf##kind##_Phdr, member), \
		sizeof(((Elf##kind##_Phdr *)0)->member)

static const struct spoilt both[] = {
	{ 0, 4, 0x464c4500, "no such file" },
	{ EI_CLASS, 1, 0, "neither of 32 nor of 64 bits" },
	{ EI_CLASS, 1, 3, "neither of 32 nor of 64 bits" },
	{ EI_DATA, 1, ELFDATA2MSB, "not little-endian" },
	{ EI_VERSION, 1, 0, "unknown version" },
};

static const struct spoilt narrow[] = {
	{ EHDR(32, e_version), 2, "unknown version" },
	{ EHDR(32, e_type), ET_DYN, "fixed addresses" },
	{ EHDR(32, e_type), ET_REL, "fixed addresses" },
	{ EHDR(32, e_machine), EM_ARM, "not for x86" },
	{ EHDR(32, e_phnum), 0, "no program headers" },
	{ EHDR(32, e_phnum), PN_XNUM, "no program headers" },
	{ EHDR(32, e_phnum), 0xfffe, "within its program headers" },
	{ EHDR(32, e_phoff), KERNEL_SIZE, "within its program headers" },
	{ EHDR(32, e_phoff), UINT32_MAX, "within its program headers" },
	{ EHDR(32, e_phentsize), sizeof(Elf32_Phdr) - 1, "too short" },
	{ EHDR(32, e_phentsize), 0xffff, "within its program headers" },
	{ EHDR(32, e_entry), KERNEL_ADDRESS + 0x100, "is in no segment" },
	{ EHDR(32, e_entry), 0, "is in no segment" },
	{ PHDR(32, 0, p_offset), KERNEL_SIZE - 0xff, "beyond the end of the file" },
	{ PHDR(32, 0, p_offset), UINT32_MAX, "beyond the end of the file" },
	{ PHDR(32, 0, p_filesz), 0x101, "beyond the end of the file" },
	{ PHDR(32, 0, p_memsz), 0xff, "more bytes in the file than in memory" },
	{ PHDR(32, 0, p_memsz), 0, "more bytes in the file than in memory" },
	{ PHDR(32, 1, p_memsz), UINT32_MAX, "beyond 4 GiB" },
	{ PHDR(32, 1, p_paddr), 0xffffe001, "beyond 4 GiB" },
};

static const struct spoilt wide[] = {
	{ EHDR(64, e_machine), EM_386, "not for x86" },
	{ EHDR(64, e_machine), EM_AARCH64, "not for x86" },
	{ EHDR(64, e_phoff), UINT64_MAX, "within its program headers" },
	{ EHDR(64, e_phentsize), sizeof(Elf32_Phdr), "too short" },
	{ EHDR(64, e_entry), UINT64_C(0x100000010) + KERNEL_ADDRESS, "the entry is beyond 4 GiB" },
	{ PHDR(64, 0, p_offset), UINT64_MAX - 0xff, "beyond the end of the file" },
	{ PHDR(64, 0, p_filesz), UINT64_MAX, "beyond the end of the file" },
	{ PHDR(64, 1, p_memsz), UINT64_MAX, "beyond 4 GiB" },
	{ PHDR(64, 1, p_paddr), UINT64_C(1) << 32, "beyond 4 GiB" },
	{ PHDR(64, 1, p_paddr), UINT64_MAX - 0xfff, "beyond 4 GiB" },
};

static void spoil_each(const struct spoilt *s, size_t n, bool is_wide)
{
	for (size_t i = 0; i < n; i++) {
		kernel_elf(file, is_wide);
		kernel_put(file, s[i].at, s[i].width, s[i].value);
		expect_bad(s[i].text);
	}
}

Test(vmm_image, each_wrong_number_of_an_elf_file_has_its_own_message)
{
	spoil_each(both, sizeof(both) / sizeof(both[0]), false);
	spoil_each(both, sizeof(both) / sizeof(both[0]), true);
	spoil_each(narrow, sizeof(narrow) / sizeof(narrow[0]), false);
	spoil_each(wide, sizeof(wide) / sizeof(wide[0]), true);
}

Test(vmm_image, each_wrong_address_of_the_header_has_its_own_message)
{
	static const struct {
		unsigned int offset;
		uint32_t value;
		const char *text;
	} cases[] = {
		{ 12, KERNEL_ADDRESS - 4, "header_addr is below load_addr" },
		{ 16, KERNEL_ADDRESS - KERNEL_HEADER - 4, "before the begin of the file" },
		{ 20, KERNEL_ADDRESS - 4, "load_end_addr is below load_addr" },
		{ 20, KERNEL_ADDRESS + KERNEL_SIZE - KERNEL_HEADER + 1, "beyond the end of the file" },
		{ 24, KERNEL_ADDRESS + 0x7ff, "bss_end_addr is below load_end_addr" },
		{ 28, KERNEL_ADDRESS + 0x1800, "is in no segment" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel_addresses(file);
		if (cases[i].offset == 20)
			kernel_field(file, 24, 0);
		kernel_field(file, cases[i].offset, cases[i].value);
		expect_bad(cases[i].text);
	}
}

Test(vmm_image, more_segments_than_it_can_keep_are_refused)
{
	kernel_elf(file, false);
	kernel_put(file, offsetof(Elf32_Ehdr, e_phoff), 4, 0x200);
	kernel_put(file, offsetof(Elf32_Ehdr, e_phnum), 2, IMAGE_MAX_SEGMENTS + 1);
	for (unsigned int i = 0; i <= IMAGE_MAX_SEGMENTS; i++)
		memcpy(file + 0x200 + i * sizeof(Elf32_Phdr), file + KERNEL_TABLE, sizeof(Elf32_Phdr));
	expect_bad("more than 64 segments");
}

Test(vmm_image, a_file_may_end_anywhere)
{
	struct image i;
	struct irqs_error err;

	for (unsigned int kind = 0; kind < 3; kind++) {
		if (kind < 2)
			kernel_elf(file, kind);
		else
			kernel_addresses(file);
		for (size_t size = 0; size < KERNEL_SIZE; size++) {
			int rc = parse_some(size, &i, &err);

			cr_assert(rc == -EBADMSG || (!rc && kind == 2 && size >= KERNEL_HEADER + 0x800), "%zu bytes", size);
		}
	}
}

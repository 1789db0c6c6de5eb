/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a kernel finds in memory: Multiboot 0.6.96, section 3.3; and how the argument of --initrd is read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "tests/unit/vmm_kernel.h"
#include "tests/vmm/boot.h"
#include "tests/vmm/initrd.h"

#define MIB (UINT64_C(1) << 20)

static uint8_t file[KERNEL_SIZE];
static struct image image;
static uint8_t *memory;

static void begin(void)
{
	struct irqs_error err;

	kernel_elf(file, false);
	cr_assert(!image_parse(file, sizeof(file), &image, &err), "%s", err.text);
	memory = calloc(8, MIB);
	cr_assert(memory);
}

static void end(void)
{
	free(memory);
}

static uint32_t word(uint32_t at)
{
	return (uint32_t)get_le(memory + at, 4);
}

static const char *text(uint32_t at)
{
	return (const char *)memory + at;
}

static uint32_t load(struct boot *b, uint64_t size)
{
	struct irqs_error err;
	uint32_t info = 0;

	b->file = file;
	b->image = &image;
	cr_assert(!boot_load(b, memory, size, &info, &err), "%s", err.text);
	return info;
}

TestSuite(vmm_boot, .init = begin, .fini = end);

Test(vmm_boot, segments_are_where_they_should_be_and_zeros_behind)
{
	struct boot b = { .command_line = "kernel" };

	image.segments[0].memory_size = 0x180;
	memset(memory + KERNEL_ADDRESS, 0xee, 0x200);
	load(&b, 8 * MIB);
	cr_expect(!memcmp(memory + KERNEL_ADDRESS, file + KERNEL_TEXT, 0x100));
	cr_expect(memory[KERNEL_ADDRESS + 0x100] == 0 && memory[KERNEL_ADDRESS + 0x17f] == 0);
	cr_expect(memory[KERNEL_ADDRESS + 0x180] == 0xee);
}

Test(vmm_boot, the_information_says_what_the_machine_has)
{
	struct boot b = { .command_line = "kernel with words" };
	uint32_t info = load(&b, 8 * MIB);

	cr_expect(info == 0x9000 && word(info) == 0x24f);
	cr_expect(word(info + 4) == 639 && word(info + 8) == 7 * 1024);
	cr_expect(word(info + 12) == 0x8000ffff);
	cr_expect_str_eq(text(word(info + 16)), "kernel with words");
	cr_expect(word(info + 20) == 0);
	cr_expect_str_eq(text(word(info + 64)), "irqshift vmm");
}

Test(vmm_boot, the_memory_map_walks_by_its_own_sizes_and_covers_the_memory)
{
	static const struct {
		uint64_t begin, end;
		uint32_t type;
	} expected[] = { { 0, 0x9fc00, 1 }, { 0x9fc00, 0xa0000, 2 }, { 0xf0000, 0x100000, 2 }, { 0x100000, 0x800000, 1 } };
	struct boot b = { .command_line = "" };
	uint32_t info = load(&b, 8 * MIB), at = word(info + 48), end_at = at + word(info + 44);
	unsigned int n = 0;

	for (; at < end_at; at += word(at) + 4, n++) {
		cr_assert(n < 4);
		cr_expect(get_le(memory + at + 4, 8) == expected[n].begin);
		cr_expect(get_le(memory + at + 12, 8) == expected[n].end - expected[n].begin);
		cr_expect(word(at + 20) == expected[n].type);
	}
	cr_expect(n == 4 && at == end_at);
}

Test(vmm_boot, modules_are_on_pages_above_the_kernel_with_their_texts)
{
	static const uint8_t one[5000] = { 1, 2, 3, [4999] = 9 }, two[1] = { 7 };
	const struct boot_module modules[] = {
		{ .text = "one.bin with arguments", .data = one, .size = sizeof(one) },
		{ .text = "empty", .data = two, .size = 0 },
		{ .text = "two.bin", .data = two, .size = sizeof(two) },
	};
	struct boot b = { .command_line = "k", .modules = modules, .nmodules = 3 };
	uint32_t info = load(&b, 8 * MIB), at = word(info + 24), start = KERNEL_BSS + 0x2000;

	cr_expect(word(info + 20) == 3);
	cr_expect(word(at) == start && word(at + 4) == start + 5000 && word(at + 12) == 0);
	cr_expect(!memcmp(memory + start, one, sizeof(one)));
	cr_expect_str_eq(text(word(at + 8)), "one.bin with arguments");
	cr_expect(word(at + 16) == start + 0x2000 && word(at + 20) == start + 0x2000);
	cr_expect(word(at + 32) == start + 0x2000 && word(at + 36) == start + 0x2001 && memory[start + 0x2000] == 7);
	cr_expect_str_eq(text(word(at + 40)), "two.bin");
}

Test(vmm_boot, the_information_gives_way_to_the_kernel)
{
	struct boot b = { .command_line = "k" };

	image.nsegments = 3;
	image.segments[1] = (struct image_segment){ .address = 0xb000, .memory_size = 0x1001 };
	image.segments[2] = (struct image_segment){ .address = 0x8800, .memory_size = 0x2801 };
	cr_expect(load(&b, 8 * MIB) == 0xd000, "the first page above both");
	image.segments[2] = (struct image_segment){ .address = 0x8800, .memory_size = 0x97000 };
	cr_expect(load(&b, 8 * MIB) == KERNEL_ADDRESS + 0x1000, "no room below 640 KiB");
}

Test(vmm_boot, a_long_command_line_goes_above_the_kernel)
{
	char *line = malloc(MIB);
	struct boot b = { .command_line = line };
	uint32_t info;

	cr_assert(line);
	memset(line, 'x', MIB - 1);
	line[MIB - 1] = '\0';
	info = load(&b, 8 * MIB);
	cr_expect(info == KERNEL_BSS + 0x2000);
	cr_expect_str_eq(text(word(info + 16)), line);
	free(line);
}

Test(vmm_boot, what_does_not_fit_is_refused_and_named)
{
	static const uint8_t data[8192];
	const struct boot_module module = { .text = "m", .data = data, .size = sizeof(data) };
	struct boot b = { .file = file, .image = &image, .command_line = "k", .modules = &module, .nmodules = 1 };
	static const struct {
		uint64_t size;
		const char *text;
	} cases[] = { { MIB / 2, "kernel" }, { KERNEL_BSS + 0x1000, "kernel" }, { KERNEL_BSS + 0x2000, "modules" }, { KERNEL_BSS + 0x3000, "modules" } };
	struct irqs_error err;
	uint32_t info;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect(boot_load(&b, memory, cases[i].size, &info, &err) == -EOPNOTSUPP);
		cr_expect(err.status == IRQS_REFUSED && strstr(err.text, cases[i].text) == err.text, "%s", err.text);
	}
	cr_expect(!boot_load(&b, memory, KERNEL_BSS + 0x4000, &info, &err));
	image.segments[1] = (struct image_segment){ .address = 0x1000, .memory_size = 0x9ec00 };
	b.nmodules = 0;
	cr_expect(boot_load(&b, memory, KERNEL_ADDRESS + 0x1000, &info, &err) == -EOPNOTSUPP);
	cr_expect(strstr(err.text, "boot information") == err.text, "%s", err.text);
}

static void expect_initrd(const char *arg, unsigned int n, const char *const *texts, const char *const *files)
{
	struct irqs_error err;
	struct initrd i;

	cr_assert(!initrd_parse(arg, &i, &err), "%s: %s", arg, err.text);
	cr_assert(i.n == n, "%s: %u", arg, i.n);
	for (unsigned int k = 0; k < n; k++) {
		cr_expect_str_eq(i.entries[k].text, texts[k]);
		cr_expect_str_eq(i.entries[k].file, files[k]);
	}
	initrd_free(&i);
}

Test(vmm_initrd, is_a_list_of_files_with_arguments)
{
	expect_initrd("a", 1, (const char *[]){ "a" }, (const char *[]){ "a" });
	expect_initrd("a x=1 y,b", 2, (const char *[]){ "a x=1 y", "b" }, (const char *[]){ "a", "b" });
	expect_initrd("a,,b c,,d,e", 2, (const char *[]){ "a,b c,d", "e" }, (const char *[]){ "a,b", "e" });
	expect_initrd("  a ,  b", 2, (const char *[]){ "a ", "b" }, (const char *[]){ "a", "b" });
	expect_initrd("a,,", 1, (const char *[]){ "a," }, (const char *[]){ "a," });
}

Test(vmm_initrd, an_entry_without_a_name_is_refused)
{
	static const char *const args[] = { "", "a,", ",a", "a, ,b", " " };
	struct irqs_error err;
	struct initrd i;

	for (size_t k = 0; k < sizeof(args) / sizeof(args[0]); k++) {
		cr_expect(initrd_parse(args[k], &i, &err) == -EINVAL, "\"%s\"", args[k]);
		cr_expect(err.status == IRQS_USAGE && !i.n && !i.entries);
	}
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a Multiboot kernel. What is taken is loaded into a memory of 1 to 8 MiB, with the input as its module
 * and its command line too: nothing beyond the memory is touched, and what the kernel finds holds together.
 */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "base/endian.h"
#include "tests/unit/vmm_kernel.h"
#include "tests/vmm/boot.h"
#include "tests/vmm/initrd.h"

#define MIB (1U << 20)

/* The first byte is the size of the memory. */
static void write_seed(const char *folder, const char *name, uint8_t *kernel)
{
	uint8_t input[1 + KERNEL_SIZE] = { 3 };

	memcpy(input + 1, kernel, KERNEL_SIZE);
	seed_write(folder, name, input, sizeof(input));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	uint8_t kernel[KERNEL_SIZE];

	if (!folder)
		return 0;
	kernel_elf(kernel, false);
	write_seed(folder, "elf32", kernel);
	kernel_elf(kernel, true);
	write_seed(folder, "elf64", kernel);
	kernel_addresses(kernel);
	write_seed(folder, "addresses", kernel);
	return 0;
}

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(const uint8_t *memory, uint32_t size, uint32_t at, const char *text)
{
	check(at < size && strlen(text) < size - at && !strcmp((const char *)memory + at, text));
}

/* Neither the information nor a module is in the way of the kernel. */
static void check_free(const struct image *i, uint32_t begin, uint32_t end)
{
	for (unsigned int n = 0; n < i->nsegments; n++)
		check(end <= i->segments[n].address || begin >= i->segments[n].address + i->segments[n].memory_size);
}

static void check_info(const struct boot *b, const uint8_t *memory, uint32_t size, uint32_t info)
{
	const uint8_t *p = memory + info;
	uint32_t modules = (uint32_t)get_le(p + 24, 4), begin, end;

	check(info % 4096 == 0 && info < size && size - info > 116);
	check_free(b->image, info, info + 116);
	check_text(memory, size, (uint32_t)get_le(p + 16, 4), b->command_line);
	check(get_le(p + 20, 4) == 1 && modules > info && modules < size - 16);
	begin = (uint32_t)get_le(memory + modules, 4);
	end = (uint32_t)get_le(memory + modules + 4, 4);
	check(begin % 4096 == 0 && begin >= MIB && end <= size && end - begin == b->modules[0].size);
	check(end <= info || begin > info);
	check_free(b->image, begin, end);
	check(!memcmp(memory + begin, b->modules[0].data, b->modules[0].size));
	check_text(memory, size, (uint32_t)get_le(memory + modules + 8, 4), b->modules[0].text);
}

static void load(const uint8_t *file, size_t file_size, uint32_t size, const char *text, const struct image *image)
{
	const struct boot_module module = { .text = text, .data = file, .size = file_size };
	const struct boot b = { .file = file, .image = image, .command_line = text, .modules = &module, .nmodules = 1 };
	struct irqs_error err = { .status = IRQS_DONE };
	uint8_t *memory = malloc(size);
	uint32_t info;
	int rc;

	check(memory);
	rc = boot_load(&b, memory, size, &info, &err);
	check(!rc || err.status == IRQS_REFUSED);
	if (!rc)
		check_info(&b, memory, size, info);
	free(memory);
}

static void split(const char *text)
{
	struct irqs_error err;
	struct initrd i;

	if (initrd_parse(text, &i, &err))
		return;
	for (unsigned int n = 0; n < i.n; n++)
		check(i.entries[n].file[0] && !strncmp(i.entries[n].file, i.entries[n].text, strlen(i.entries[n].file)));
	initrd_free(&i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct image image;
	uint8_t *file;
	char *text;
	int rc;

	if (!size)
		return 0;
	file = malloc(size - 1 ? size - 1 : 1); /* of its own, so that a read behind its end is seen */
	text = strndup((const char *)data + 1, size - 1);
	check(file && text);
	memcpy(file, data + 1, size - 1);
	rc = image_parse(file, size - 1, &image, &err);
	check(!rc || err.status == IRQS_MALFORMED || err.status == IRQS_REFUSED);
	if (!rc)
		load(file, size - 1, (1U + data[0] % 8) * MIB, text, &image);
	split(text);
	free(text);
	free(file);
	return 0;
}

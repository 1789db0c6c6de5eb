/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/vmm_kernel.h"

#include <elf.h>
#include <string.h>

#include "base/endian.h"

#define MAGIC 0x1badb002U

static void put_header(uint8_t *file, uint32_t flags)
{
	kernel_field(file, 0, MAGIC);
	kernel_field(file, 4, flags);
	kernel_field(file, 8, 0U - MAGIC - flags);
}

static void put_ident(uint8_t *ident, unsigned int class)
{
	memcpy(ident, ELFMAG, SELFMAG);
	ident[EI_CLASS] = (uint8_t) class;
	ident[EI_DATA] = ELFDATA2LSB;
	ident[EI_VERSION] = EV_CURRENT;
}

static void put_narrow(uint8_t *file)
{
	Elf32_Ehdr e = {
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = KERNEL_ADDRESS + 0x10,
		.e_phoff = KERNEL_TABLE,
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 2,
	};
	const Elf32_Phdr ph[2] = {
		{ .p_type = PT_LOAD, .p_offset = KERNEL_TEXT, .p_vaddr = KERNEL_ADDRESS, .p_paddr = KERNEL_ADDRESS, .p_filesz = 0x100, .p_memsz = 0x100 },
		{ .p_type = PT_LOAD, .p_offset = KERNEL_SIZE, .p_vaddr = KERNEL_BSS, .p_paddr = KERNEL_BSS, .p_memsz = 0x2000 },
	};

	put_ident(e.e_ident, ELFCLASS32);
	memcpy(file, &e, sizeof(e));
	memcpy(file + KERNEL_TABLE, ph, sizeof(ph));
}

static void put_wide(uint8_t *file)
{
	Elf64_Ehdr e = {
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = KERNEL_ADDRESS + 0x10,
		.e_phoff = KERNEL_TABLE,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	const Elf64_Phdr ph[2] = {
		{ .p_type = PT_LOAD, .p_offset = KERNEL_TEXT, .p_vaddr = KERNEL_ADDRESS, .p_paddr = KERNEL_ADDRESS, .p_filesz = 0x100, .p_memsz = 0x100 },
		{ .p_type = PT_LOAD, .p_offset = KERNEL_SIZE, .p_vaddr = KERNEL_BSS, .p_paddr = KERNEL_BSS, .p_memsz = 0x2000 },
	};

	put_ident(e.e_ident, ELFCLASS64);
	memcpy(file, &e, sizeof(e));
	memcpy(file + KERNEL_TABLE, ph, sizeof(ph));
}

void kernel_elf(uint8_t file[KERNEL_SIZE], bool wide)
{
	memset(file, 0, KERNEL_SIZE);
	put_header(file, 0);
	if (wide)
		put_wide(file);
	else
		put_narrow(file);
	for (unsigned int i = 0; i < 0x100; i++)
		file[KERNEL_TEXT + i] = (uint8_t)i;
}

void kernel_addresses(uint8_t file[KERNEL_SIZE])
{
	memset(file, 0, KERNEL_SIZE);
	put_header(file, 0x10000);
	kernel_field(file, 12, KERNEL_ADDRESS);                   /* header */
	kernel_field(file, 16, KERNEL_ADDRESS);                   /* load */
	kernel_field(file, 20, KERNEL_ADDRESS + 0x800);           /* end of data */
	kernel_field(file, 24, KERNEL_ADDRESS + 0x1800);          /* end of bss */
	kernel_field(file, 28, KERNEL_ADDRESS + KERNEL_TEXT / 4); /* entry */
}

void kernel_put(uint8_t *file, size_t at, unsigned int width, uint64_t value)
{
	put_le(file + at, width, value);
}

void kernel_field(uint8_t *file, unsigned int offset, uint32_t value)
{
	kernel_put(file, KERNEL_HEADER + offset, 4, value);
}

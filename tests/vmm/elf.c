/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Program headers of an ELF executable, of 32 and of 64 bits: Tool Interface Standard ELF 1.2 and the x86-64 psABI. */
#include <elf.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/endian.h"
#include "tests/vmm/image.h"

/* One name, two layouts: get_le() with the place and the width of a member. */
#define FIELD(p, wide, kind, member) \
	((wide) ? get_le((p) + offsetof(Elf64_##kind, member), sizeof(((Elf64_##kind *)0)->member)) : get_le((p) + offsetof(Elf32_##kind, member), sizeof(((Elf32_##kind *)0)->member)))

struct elf {
	const uint8_t *file;
	size_t size;
	bool wide;
	uint64_t entry;
	uint64_t table; /* of the program headers */
	uint64_t entry_size, count;
};

static int malformed(struct irqs_error *reterr, uint64_t offset, const char *what)
{
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)offset, NULL, "ELF: %s", what);
}

static int check_kind(const uint8_t *file, bool wide, struct irqs_error *reterr)
{
	uint64_t machine = FIELD(file, wide, Ehdr, e_machine);

	if (file[EI_DATA] != ELFDATA2LSB)
		return malformed(reterr, EI_DATA, "not little-endian");
	if (file[EI_VERSION] != EV_CURRENT || FIELD(file, wide, Ehdr, e_version) != EV_CURRENT)
		return malformed(reterr, EI_VERSION, "unknown version");
	if (FIELD(file, wide, Ehdr, e_type) != ET_EXEC)
		return malformed(reterr, offsetof(Elf32_Ehdr, e_type), "not an executable of fixed addresses");
	if (machine != EM_X86_64 && (wide || (machine != EM_386 && machine != EM_IAMCU)))
		return malformed(reterr, offsetof(Elf32_Ehdr, e_machine), "not for x86");
	return 0;
}

static int read_head(struct elf *e, struct irqs_error *reterr)
{
	int rc;

	if (e->size < SELFMAG || memcmp(e->file, ELFMAG, SELFMAG) != 0)
		return malformed(reterr, 0, "no such file, and the Multiboot header gives no addresses");
	if (e->size < EI_NIDENT || (e->file[EI_CLASS] != ELFCLASS32 && e->file[EI_CLASS] != ELFCLASS64))
		return malformed(reterr, EI_CLASS, "neither of 32 nor of 64 bits");
	e->wide = e->file[EI_CLASS] == ELFCLASS64;
	if (e->size < (e->wide ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return malformed(reterr, e->size, "the file ends within its header");
	rc = check_kind(e->file, e->wide, reterr);
	if (rc)
		return rc;
	e->entry = FIELD(e->file, e->wide, Ehdr, e_entry);
	e->table = FIELD(e->file, e->wide, Ehdr, e_phoff);
	e->entry_size = FIELD(e->file, e->wide, Ehdr, e_phentsize);
	e->count = FIELD(e->file, e->wide, Ehdr, e_phnum);
	if (!e->count || e->count == PN_XNUM)
		return malformed(reterr, 0, "no program headers, or more than it can say");
	if (e->entry_size < (e->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return malformed(reterr, 0, "program headers are too short");
	if (e->table > e->size || e->count > (e->size - e->table) / e->entry_size)
		return malformed(reterr, e->size, "the file ends within its program headers");
	return 0;
}

/* The entry is a virtual address: where a segment goes elsewhere, so does it. */
static void place_entry(const struct elf *e, const uint8_t *ph, uint64_t *entry)
{
	uint64_t virtual = FIELD(ph, e->wide, Phdr, p_vaddr);

	if (e->entry >= virtual && e->entry - virtual < FIELD(ph, e->wide, Phdr, p_filesz))
		*entry = e->entry - virtual + FIELD(ph, e->wide, Phdr, p_paddr);
}

int elf_parse(const uint8_t *file, size_t size, struct image *ret, struct irqs_error *reterr)
{
	struct elf e = { .file = file, .size = size };
	uint64_t entry;
	int rc;

	rc = read_head(&e, reterr);
	if (rc)
		return rc;
	entry = e.entry;
	for (uint64_t i = 0; i < e.count; i++) {
		const uint8_t *ph = file + e.table + i * e.entry_size;

		if (FIELD(ph, e.wide, Phdr, p_type) != PT_LOAD)
			continue;
		rc = image_add(ret, size, FIELD(ph, e.wide, Phdr, p_paddr), FIELD(ph, e.wide, Phdr, p_memsz),
			       FIELD(ph, e.wide, Phdr, p_offset), FIELD(ph, e.wide, Phdr, p_filesz), reterr);
		if (rc)
			return rc;
		place_entry(&e, ph, &entry);
	}
	if (!ret->nsegments)
		return malformed(reterr, e.table, "no segment to load");
	if (entry > UINT32_MAX)
		return malformed(reterr, offsetof(Elf64_Ehdr, e_entry), "the entry is beyond 4 GiB");
	ret->entry = (uint32_t)entry;
	return 0;
}

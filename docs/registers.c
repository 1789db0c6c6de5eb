/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registers CHIP|lint: prints what follows from a table, as it stands in docs/CHIP.md or docs/lint.md. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "apic/ioapic.h"
#include "apic/lapic.h"
#include "apic/lint.h"
#include "apic/pic.h"
#include "apic/pit.h"

#define CELLS 64

static const struct {
	const char *name;
	const struct reg_chip *chip;
} chips[] = {
	{ "lapic", &lapic_chip },
	{ "ioapic", &ioapic_chip },
	{ "pic", &pic_chip },
	{ "pit", &pit_chip },
};

/* One column of a bit table. */
struct cell {
	char bits[16], what[64];
};

static void set_cell(struct cell *c, unsigned int high, unsigned int low, const char *what)
{
	if (high == low)
		snprintf(c->bits, sizeof(c->bits), "%u", low);
	else
		snprintf(c->bits, sizeof(c->bits), "%u..%u", high, low);
	snprintf(c->what, sizeof(c->what), "%s", what);
}

/* The columns of a register, highest bits first. Return: how many. */
static unsigned int make_cells(const struct reg_row *row, struct cell *cells)
{
	unsigned int n = 0, next = row->width * 8;

	for (unsigned int i = row->nfields; i-- > 0;) {
		const struct reg_field *f = &row->fields[i];

		if (next > (unsigned int)f->lsb + f->width)
			set_cell(&cells[n++], next - 1, f->lsb + f->width, "-");
		set_cell(&cells[n++], f->lsb + f->width - 1u, f->lsb, f->name);
		next = f->lsb;
	}
	if (next)
		set_cell(&cells[n++], next - 1, 0, "-");
	return n;
}

static void print_bits(const struct reg_row *row)
{
	struct cell cells[CELLS];
	unsigned int n;

	if (!row->nfields)
		return;
	n = make_cells(row, cells);
	puts("\n```");
	for (int line = 0; line < 2; line++) {
		fputs(line ? "  field: |" : "  bits:  |", stdout);
		for (unsigned int i = 0; i < n; i++) {
			size_t a = strlen(cells[i].bits), b = strlen(cells[i].what);

			printf(" %-*s |", (int)(a > b ? a : b), line ? cells[i].what : cells[i].bits);
		}
		putchar('\n');
	}
	puts("```");
}

static void print_values(const struct reg_row *row)
{
	for (unsigned int i = 0; i < row->nfields; i++) {
		const struct reg_field *f = &row->fields[i];

		if (!f->nvalues)
			continue;
		printf("- `%s`:", f->name);
		for (unsigned int v = 0, first = 1; v < f->nvalues; v++) {
			if (!f->values[v])
				continue;
			printf("%s %u %s", first ? "" : ",", v, f->values[v]);
			first = 0;
		}
		putchar('\n');
	}
}

static void print_attributes(const struct reg_row *row)
{
	uint64_t meant = reg_mask(row) & ~row->rsvd;

	fputs("\n(", stdout);
	if (row->offset != REG_NO_OFFSET)
		printf("0x%03x, ", row->offset);
	if (row->count > 1)
		printf("%u x ", row->count);
	printf("%u-bit, %s", row->width * 8, row->storage == REG_ACTION ? "wo" : (row->ro & meant) == meant && row->ro ? "ro"
														       : "rw");
	if (row->storage != REG_ACTION)
		printf(", reset 0x%0*" PRIx64, row->width * 2, row->reset & reg_mask(row));
	puts(")");
}

static void print_state(const struct reg_row *row)
{
	static const char *const storage[] = { "stored", "derived", "in flight", "none: a write acts" };

	printf("- state: %s%s%s\n", storage[row->storage], row->from ? ", from " : "", row->from ? row->from : "");
	if (row->guest_read)
		printf("- the guest reads: %s\n", row->guest_read);
	if (row->ro && row->storage != REG_ACTION)
		printf("- read-only bits: 0x%" PRIx64 "\n", row->ro);
	if (row->w1c)
		printf("- cleared by writing 1: 0x%" PRIx64 "\n", row->w1c);
}

static void print_names(const struct reg_row *row)
{
	char path[128];

	if (row->kvm)
		printf("- KVM: `%s`\n", row->kvm);
	if (row->vms) {
		printf("- QEMU: section `%s`, `%s`", row->desc->name, reg_path(row, 0, path, sizeof(path)));
		if (row->vms_shift)
			printf(", shifted right by %u", row->vms_shift);
		putchar('\n');
	}
	if (!row->kvm && !row->vms)
		puts("- neither KVM nor QEMU saves it");
	printf("- source: %s\n", row->manual);
}

static void print_row(const struct reg_row *row)
{
	printf("\n### %s: %s\n", row->name, row->text);
	print_attributes(row);
	print_bits(row);
	putchar('\n');
	print_values(row);
	print_state(row);
	print_names(row);
}

static void print_checks(void)
{
	const struct lint_check *c = NULL;

	puts("\n| check | severity | once per | finds | the guest feels | needs |\n| --- | --- | --- | --- | --- | --- |");
	while ((c = lint_next_check(c)))
		printf("| `%s` | %s | %s | %s | %s | %s |\n", c->name, lint_severity_name(c->severity),
		       lint_scope_name(c->scope), c->text, c->guest, c->needs);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "lint")) {
		print_checks();
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < REG_ARRAY_SIZE(chips); i++) {
		if (strcmp(argv[1], chips[i].name) != 0)
			continue;
		for (unsigned int r = 0; r < chips[i].chip->nrows; r++)
			print_row(&chips[i].chip->rows[r]);
		return 0;
	}
	fprintf(stderr, "usage: registers lapic|ioapic|pic|pit|lint\n");
	return 2;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "came_back.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <string.h>

/* A register that is lost is lost each time. */
#define TRIES 4

void came_back_note(void *arg, const struct kvm_difference *d)
{
	struct differences *all = arg;

	cr_assert_lt(all->n, DIFFERENCES_MAX);
	cr_assert(d->why);
	all->all[all->n++] = *d;
	all->wrong += d->kind == KVM_DIFFERENCE_WRONG;
}

const struct kvm_difference *came_back_find(const struct differences *d, const char *chip, unsigned int index,
					    const struct reg_row *row, unsigned int element)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (!strcmp(d->all[i].chip, chip) && d->all[i].index == index && d->all[i].row == row &&
		    d->all[i].element == element)
			return &d->all[i];
	return NULL;
}

/* Restored by the plan: eflags is a general register, the VMM's. */
static bool in_plan(const struct reg_row *row)
{
	return row->abi != REG_ABI_NONE && row->abi != REG_ABI_REGS && row->storage != REG_ACTION;
}

static void expect(const char *what, const char *chip, unsigned int index, const struct reg_chip *table, const void *want,
		   const void *got, const struct differences *d)
{
	for (uint16_t r = 0; r < table->nrows; r++) {
		const struct reg_row *row = &table->rows[r];

		for (unsigned int i = 0; in_plan(row) && i < row->count; i++) {
			uint64_t w = reg_get(row, want, i), g = reg_get(row, got, i);

			if (!reg_known(row, want, i) || !reg_known(row, got, i) || w == g)
				continue;
			cr_expect(came_back_find(d, chip, index, row, i),
				  "%s: %s[%u].%s[%u] was 0x%" PRIx64 ", is 0x%" PRIx64 ", not reported", what, chip, index,
				  row->name, i, w, g);
		}
	}
}

void came_back(struct vm *vm, const struct irqchip_state *s, struct differences *d, const char *what)
{
	struct kvm_restore_options options = { .differs = came_back_note, .arg = d };
	struct irqchip_state now;
	struct irqs_error err = { 0 };

	int rc = -1;

	/* The chips run on between the write and the read: on a busy machine the PIT ticks in between. Once in a while. */
	for (unsigned int try = 0; try < TRIES && rc; try++) {
		d->n = d->wrong = 0;
		rc = kvm_restore(vm->port, &vm->probe, &options, s, &err);
	}
	cr_expect_eq(rc, 0, "%s: %s: %s", what, err.path, err.text);
	cr_expect_eq(d->wrong, 0, "%s", what);
	now = vm_gather(vm);
	for (unsigned int i = 0; i < s->nlapics; i++)
		expect(what, "lapic", i, &lapic_chip, &s->lapics[i], &now.lapics[i], d);
	if (s->mode == IRQCHIP_FULL) {
		expect(what, "ioapic", 0, &ioapic_chip, &s->ioapic, &now.ioapic, d);
		expect(what, "pic", 0, &pic_chip, &s->pics[0], &now.pics[0], d);
		expect(what, "pic", 1, &pic_chip, &s->pics[1], &now.pics[1], d);
		expect(what, "pit", 0, &pit_chip, &s->pit, &now.pit, d);
	}
	vm_state_free(&now);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both sides of a differential test do the same. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/kvm/diff_random.h"
#include "tests/kvm/diff_vm.h"

static void plain_lapic(struct lapic_state *s, unsigned int cpu, bool x2apic)
{
	reg_state_reset(&lapic_chip, s, true);
	s->initial_id = cpu;
	s->apic_base = LAPIC_PAGE | LAPIC_BASE_ENABLE | (x2apic ? LAPIC_BASE_X2APIC : 0) | (cpu ? 0 : LAPIC_BASE_BSP);
	s->mp_state = LAPIC_MP_RUNNABLE;
	s->latched_init = 0;
	lapic_set_reg(s, LAPIC_ID, cpu << 24);
	lapic_set_reg(s, LAPIC_SVR, 0x1ff);
	lapic_set_reg(s, LAPIC_LDR, UINT32_C(0x01000000) << cpu);
	reg_forget(lapic_member("timer_remaining"), s, 0);
	reg_forget(lapic_member("tsc_deadline"), s, 0);
}

void diff_plain_state(struct diff_state *ret, bool x2apic)
{
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		plain_lapic(&ret->lapics[i], i, x2apic);
	reg_state_reset(&ioapic_chip, &ret->ioapic, true);
	reg_forget(reg_find_name(&ioapic_chip, "VER"), &ret->ioapic, 0);
}

void diff_add(struct diff_list *l, enum diff_kind kind, uint32_t address, uint64_t value)
{
	if (l->n < DIFF_OPS - 1)
		l->ops[l->n++] = (struct diff_op){ .kind = (uint8_t)kind, .address = address, .value = value };
}

void diff_both(struct diff_vm *d, const struct diff_state *start, const struct diff_list *l, struct diff_outcome *ret_kernel,
	       struct diff_outcome *ret_models)
{
	ret_kernel->list = ret_models->list = *l;
	diff_vm_set(d, start);
	diff_vm_run(d, &ret_kernel->list);
	diff_vm_get(d, &ret_kernel->state);
	diff_models_set(d, start);
	diff_models_run(d, &ret_models->list);
	diff_models_get(d, &ret_models->state);
	for (unsigned int i = 0; i < l->n; i++) {
		d->accesses += l->ops[i].kind < DIFF_TAKE;
		d->taken += l->ops[i].kind == DIFF_TAKE && (uint32_t)ret_kernel->list.ops[i].value != DIFF_NO_VECTOR;
	}
}

void diff_log(const struct diff_list *l, const struct diff_outcome *kernel, const struct diff_outcome *models)
{
	for (unsigned int i = 0; i < l->n; i++) {
		const struct diff_op *op = &l->ops[i], *k = &kernel->list.ops[i], *m = &models->list.ops[i];

		cr_log_error("%2u: kind %u at 0x%x, 0x%llx: kernel 0x%llx%s, model 0x%llx%s", i, op->kind, op->address,
			     (unsigned long long)op->value, (unsigned long long)k->value, k->fault ? " #GP" : "",
			     (unsigned long long)m->value, m->fault ? " #GP" : "");
	}
}

void diff_sequences_run(struct diff_vm *d, unsigned int few, bool (*same)(struct diff_vm *d))
{
	unsigned int n = diff_sequences(few);
	uint64_t seed = diff_seed();

	printf("%u sequences, DIFF_SEED=%llu\n", n, (unsigned long long)seed);
	for (unsigned int i = 0; i < n; i++) {
		rnd_start(seed + i);
		cr_assert(same(d), "DIFF_SEED=%llu DIFF_SEQUENCES=1 repeats it", (unsigned long long)(seed + i));
	}
	printf("%lu accesses, %lu interrupts taken, no difference\n", d->accesses, d->taken);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan, and how it is run. */
#include "kvm/restore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "apic/lapic_rows.h"
#include "kvm/restore_priv.h"

const struct kvm_step kvm_restore_plan[] = {
	{ "CPUID", KVM_PART_CPUID, KVM_TARGET_VCPU, restore_check_cpuid, restore_cpuid, NULL },
	{ "sregs", KVM_PART_SREGS, KVM_TARGET_VCPU, restore_check_sregs, restore_sregs, restore_verify_sregs },
	{ "TSC frequency", KVM_PART_TSC, KVM_TARGET_VCPU, restore_check_tsc_khz, restore_tsc_khz, restore_verify_tsc_khz },
	{ "TSC", KVM_PART_TSC, KVM_TARGET_VCPU, restore_check_tsc, restore_tsc, restore_verify_tsc },
	{ "LAPIC", KVM_PART_LAPIC, KVM_TARGET_VCPU, restore_check_lapic, restore_lapic, restore_verify_lapic },
	{ "TSC deadline", KVM_PART_TSC_DEADLINE, KVM_TARGET_VCPU, restore_check_deadline, restore_deadline,
	  restore_verify_deadline },
	{ "MSRs", KVM_PART_MSRS, KVM_TARGET_VCPU, restore_check_msrs, restore_msrs, restore_verify_msrs },
	{ "mp_state", KVM_PART_MP_STATE, KVM_TARGET_VCPU, restore_check_mp_state, restore_mp_state,
	  restore_verify_mp_state },
	{ "events", KVM_PART_EVENTS, KVM_TARGET_VCPU, restore_check_events, restore_events, restore_verify_events },
	{ "PICs", KVM_PART_PICS, KVM_TARGET_VM, restore_check_pics, restore_pics, restore_verify_pics },
	{ "IOAPIC", KVM_PART_IOAPIC, KVM_TARGET_VM, restore_check_ioapic, restore_ioapic, restore_verify_ioapic },
	{ "PIT", KVM_PART_PIT, KVM_TARGET_VM, restore_check_pit, restore_pit, restore_verify_pit },
	{ "routes", KVM_PART_ROUTES, KVM_TARGET_VM, restore_check_routes, restore_routes, NULL },
	{ "lines", KVM_PART_LINES, KVM_TARGET_VM, restore_check_lines, restore_lines, NULL },
	{ "clock", KVM_PART_CLOCK, KVM_TARGET_VM, NULL, restore_clock, restore_verify_clock },
	{ "kvmclock ctrl", KVM_PART_CLOCK, KVM_TARGET_VCPU, NULL, restore_kvmclock_ctrl, NULL },
};

const unsigned int kvm_restore_nsteps = REG_ARRAY_SIZE(kvm_restore_plan);

int restore_refuse(struct irqs_error *reterr, const char *chip, int index, const char *row, int element, const char *fmt,
		   ...)
{
	char path[RESTORE_PATH], text[sizeof(reterr->text)];
	int n = snprintf(path, sizeof(path), index < 0 ? "%s" : "%s[%d]", chip, index);
	va_list ap;

	if (row)
		n += snprintf(path + n, sizeof(path) - (size_t)n, ".%s", row);
	if (row && element >= 0)
		snprintf(path + n, sizeof(path) - (size_t)n, "[%d]", element);
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, path, "%s", text);
}

bool restore_knows(const struct reg_chip *chip, enum reg_abi abi, const void *state)
{
	for (uint16_t r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; chip->rows[r].abi == abi && i < chip->rows[r].count; i++)
			if (reg_known(&chip->rows[r], state, i))
				return true;
	return false;
}

static int check_machine(const struct kvm_restore *r, struct irqs_error *reterr)
{
	const struct irqchip_state *s = r->state;

	if (s->mode != r->probe->mode)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "mode",
				 "the state is of irqchip mode %s, the VM is in mode %s: convert it first",
				 irqchip_mode_name(s->mode), irqchip_mode_name(r->probe->mode));
	if (s->nlapics > r->port->nvcpus)
		return restore_refuse(reterr, "lapic", (int)r->port->nvcpus, NULL, -1,
				      "the state has %u vCPUs, the VM has %u", s->nlapics, r->port->nvcpus);
	return 0;
}

static unsigned int times(const struct kvm_restore *r, const struct kvm_step *step)
{
	return step->target == KVM_TARGET_VCPU ? r->state->nlapics : 1;
}

static int check_all(const struct kvm_restore *r, const struct kvm_step *steps, unsigned int n, struct irqs_error *reterr)
{
	int rc = check_machine(r, reterr);

	for (unsigned int s = 0; s < n && !rc; s++)
		for (unsigned int i = 0; i < times(r, &steps[s]) && steps[s].check && !rc; i++)
			if (restore_wants(r, steps[s].part))
				rc = steps[s].check(r, i, reterr);
	return rc;
}

static int apply_all(const struct kvm_restore *r, const struct kvm_step *steps, unsigned int n, struct irqs_error *reterr)
{
	int rc = 0;

	for (unsigned int s = 0; s < n && !rc; s++)
		if (restore_wants(r, steps[s].part))
			rc = steps[s].apply(r, reterr);
	return rc;
}

/* KVM_GET_MP_STATE would take a pending INIT or start-up IPI in, and reset the vCPU by it. */
static bool mp_state_is_fragile(const struct irqchip_state *s)
{
	for (unsigned int i = 0; i < s->nlapics; i++) {
		const struct lapic_state *l = &s->lapics[i];

		if (lapic_knows(l, LAPIC_KNOWN_LATCHED_INIT) && l->latched_init)
			return true;
		if (lapic_knows(l, LAPIC_KNOWN_MP_STATE) &&
		    (l->mp_state == LAPIC_MP_INIT_RECEIVED || l->mp_state == LAPIC_MP_SIPI_RECEIVED))
			return true;
	}
	return false;
}

static int verify_all(const struct kvm_restore *r, const struct kvm_step *steps, unsigned int n, struct irqs_error *reterr)
{
	struct irqchip_state now = { .lapics = calloc(r->port->nvcpus, sizeof(now.lapics[0])) };
	struct kvm_gather_options options = { .bus_cycle_ns = r->options.bus_cycle_ns,
					      .no_mp_state = mp_state_is_fragile(r->state) };
	int rc, first = 0;

	if (!now.lapics)
		return irqs_fail_nomem(reterr);
	rc = kvm_gather(r->port, r->probe, &options, &now, reterr);
	for (unsigned int s = 0; s < n && !rc; s++)
		for (unsigned int i = 0; i < times(r, &steps[s]) && steps[s].verify; i++) {
			int wrong = restore_wants(r, steps[s].part) ? steps[s].verify(r, &now, i, first ? NULL : reterr) : 0;

			if (!first)
				first = wrong;
		}
	free(now.lapics);
	return rc ? rc : first;
}

int kvm_restore_run(const struct kvm_restore *r, const struct kvm_step *steps, unsigned int nsteps,
		    struct irqs_error *reterr)
{
	int rc = check_all(r, steps, nsteps, reterr);

	if (!rc)
		rc = apply_all(r, steps, nsteps, reterr);
	return rc ? rc : verify_all(r, steps, nsteps, reterr);
}

/* A plan made ready: with a probe of its own where the caller has none. */
static int prepare(struct kvm_restore *r, struct kvm_probe *asked, struct kvm_port *port, const struct kvm_probe *probe,
		   const struct kvm_restore_options *options, const struct irqchip_state *state,
		   struct irqs_error *reterr)
{
	*r = (struct kvm_restore){ .port = port, .probe = probe ? probe : asked, .state = state };
	if (options)
		r->options = *options;
	return probe ? 0 : kvm_probe_vm(port, asked, reterr);
}

int kvm_restore(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_restore_options *options,
		const struct irqchip_state *state, struct irqs_error *reterr)
{
	struct kvm_probe asked;
	struct kvm_restore r;
	int rc = prepare(&r, &asked, port, probe, options, state, reterr);

	return rc ? rc : kvm_restore_run(&r, kvm_restore_plan, kvm_restore_nsteps, reterr);
}

int kvm_restore_check(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_restore_options *options,
		      const struct irqchip_state *state, struct irqs_error *reterr)
{
	struct kvm_probe asked;
	struct kvm_restore r;
	int rc = prepare(&r, &asked, port, probe, options, state, reterr);

	return rc ? rc : check_all(&r, kvm_restore_plan, kvm_restore_nsteps, reterr);
}

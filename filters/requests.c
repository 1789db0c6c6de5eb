/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cpu_common.interrupt_request: what QEMU itself knows to be waiting for a CPU. With the LAPIC in user space
 * nobody computes it when a machine is loaded, and a CPU without it sleeps on; in the kernel KVM knows.
 */
#include "apic/cpu.h"
#include "apic/pic.h"
#include "filters/builtin.h"
#include "filters/change.h"

/* Bits that both sides take as they are. */
#define COMMON_BITS (CPU_INTERRUPT_SMI | CPU_INTERRUPT_INIT | CPU_INTERRUPT_MCE)

/* Bits that a CPU outside the kernel takes too. */
#define USER_BITS (COMMON_BITS | CPU_INTERRUPT_NMI | CPU_INTERRUPT_SIPI)

static bool wants_requests(const struct profile *from, const struct profile *to)
{
	return from->kind != to->kind;
}

static bool pic_asks(const struct vms_node *machine)
{
	struct pic_state pics[2];

	return !machine_pics(machine, NULL, pics, NULL) && pic_pair_intr(pics);
}

/* NMIs of KVM. One that KVM was injecting also made it mask NMIs: it has not begun for the guest. */
static int take_nmi(struct filter_run *run, const struct vcpu *v, const struct lapic_state *s, uint64_t *bits,
		    struct irqs_error *reterr)
{
	bool tcg = run->to->kind == PROFILE_TCG;
	int rc = 0;

	/* Under KVM the CPU keeps them, unless it is halted: QEMU wakes it only for what it has itself. */
	if (!tcg && !(s->halted && s->nmi_pending))
		return 0;
	if (s->nmi_injected || s->nmi_pending)
		*bits |= CPU_INTERRUPT_NMI;
	if (tcg && s->nmi_injected) {
		rc = change_field(run, v->cpu, "env.nmi_injected", 0, COST_LOSSLESS, reterr,
				  "an NMI on its way: cpu_common.interrupt_request has it");
		if (!rc)
			rc = change_field(run, v->cpu, "env.hflags2",
					  vms_get_or(v->cpu, "env.hflags2", 0) & ~(uint64_t)CPU_HF2_NMI,
					  COST_LOSSLESS, reterr,
					  "the NMI on its way is not being served yet");
	}
	if (!rc)
		rc = change_field(run, v->cpu, "env.nmi_pending", 0,
				  s->nmi_pending + (tcg ? s->nmi_injected : 0) > 1 ? COST_APPROXIMATE
										   : COST_LOSSLESS,
				  reterr, "cpu_common.interrupt_request has it, as one");
	return rc;
}

static int to_user(struct filter_run *run, const struct vcpu *v, bool pic, struct irqs_error *reterr)
{
	struct lapic_state s;
	uint64_t bits;
	int vector, rc = vcpu_lapic(v, &s, reterr);

	if (rc)
		return rc;
	bits = s.interrupt_request & USER_BITS;
	/* QEMU 7.2 leaves the bit on a CPU under kvm-off that started long ago; there it spins once that CPU halts. */
	if (!s.wait_for_sipi)
		bits &= ~(uint64_t)CPU_INTERRUPT_SIPI;
	rc = take_nmi(run, v, &s, &bits, reterr);
	vector = lapic_deliverable(&s);
	if (vector >= 0 || (pic && lapic_accepts_pic(&s)))
		bits |= CPU_INTERRUPT_HARD;
	if (rc)
		return rc;
	if (vector >= 0)
		return change_field(run, v->common, "interrupt_request", bits, COST_LOSSLESS, reterr,
				    "the LAPIC has vector 0x%02x for this CPU", (unsigned int)vector);
	return change_field(run, v->common, "interrupt_request", bits, COST_LOSSLESS, reterr, "%s",
			    bits & CPU_INTERRUPT_HARD ? "the PIC asks, and LINT0 of this CPU takes it"
						      : "what waits for this CPU, as its chips have it");
}

/*
 * A CPU that halts in the kernel does not see what a PIC in user space has for it until something else wakes
 * it: it starts running, and takes the interrupt before its first instruction.
 */
static int wake_for_pic(struct filter_run *run, const struct vcpu *v, const struct lapic_state *s,
			struct irqs_error *reterr)
{
	int rc;

	if (s->mp_state != LAPIC_MP_HALTED || !(s->eflags & CPU_EFLAGS_IF) || !lapic_accepts_pic(s))
		return 0;
	rc = change_field(run, v->cpu, "env.mp_state", LAPIC_MP_RUNNABLE, COST_LOSSLESS, reterr,
			  "an interrupt of the PIC in user space waits for this halted CPU: it wakes");
	return rc ? rc : change_field(run, v->common, "halted", 0, COST_LOSSLESS, reterr, "env.mp_state says it");
}

static int to_kernel(struct filter_run *run, const struct vcpu *v, bool pic, struct irqs_error *reterr)
{
	struct lapic_state s;
	uint64_t bits;
	int rc = vcpu_lapic(v, &s, reterr);

	if (rc)
		return rc;
	bits = s.interrupt_request & COMMON_BITS;
	/* The PIC of a split irqchip is in user space, and its output is wired to the first CPU. */
	if (run->to->kind == PROFILE_KVM_SPLIT && v->cpu->instance == 0 && pic) {
		bits |= CPU_INTERRUPT_HARD;
		rc = wake_for_pic(run, v, &s, reterr);
	}
	if (!rc && s.interrupt_request & CPU_INTERRUPT_NMI && !s.nmi_pending)
		rc = change_field(run, v->cpu, "env.nmi_pending", 1, COST_LOSSLESS, reterr,
				  "an NMI that waited in cpu_common.interrupt_request");
	if (rc)
		return rc;
	return change_field(run, v->common, "interrupt_request", bits, COST_LOSSLESS, reterr, "%s",
			    bits & CPU_INTERRUPT_HARD ? "the PIC in user space asks" : "the kernel knows what waits for this CPU");
}

static int run_requests(struct filter_run *run, struct irqs_error *reterr)
{
	bool pic = pic_asks(run->tree->machine);
	struct vcpu v = { 0 };
	int rc = 0;

	while (!rc && vcpu_next(run->tree->machine, &v)) {
		if (!v.common)
			return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, "cpu_common",
					 "CPU %u has no such section", v.cpu->instance);
		rc = profile_kernel_lapic(run->to) ? to_kernel(run, &v, pic, reterr)
						   : to_user(run, &v, pic, reterr);
	}
	return rc;
}

const struct filter filter_requests = {
	.name = "requests",
	.summary = "compute what waits for each CPU",
	.after = (const char *const[]){ "unack", "ioapic", "pic", "lapic-timer", "mp-state", NULL },
	.wants = wants_requests,
	.run = run_requests,
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of kvm/restore.h: checks, applies and read-backs of the plan's steps. */
#ifndef IRQSHIFT_KVM_RESTORE_PRIV_H
#define IRQSHIFT_KVM_RESTORE_PRIV_H

#include "kvm/restore.h"

#define RESTORE_PATH 64

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b
#define MSR_TSC_DEADLINE 0x6e0

typedef int restore_check_fn(const struct kvm_restore *r, unsigned int vcpu, struct irqs_error *reterr);
typedef int restore_apply_fn(const struct kvm_restore *r, struct irqs_error *reterr);
typedef int restore_verify_fn(const struct kvm_restore *r, const struct irqchip_state *now, unsigned int vcpu,
			      struct irqs_error *reterr);

restore_check_fn restore_check_cpuid, restore_check_sregs, restore_check_tsc_khz, restore_check_tsc,
	restore_check_lapic, restore_check_deadline, restore_check_msrs, restore_check_mp_state, restore_check_events,
	restore_check_pics, restore_check_ioapic, restore_check_pit, restore_check_routes, restore_check_lines;

restore_apply_fn restore_cpuid, restore_sregs, restore_tsc_khz, restore_tsc, restore_lapic, restore_deadline,
	restore_msrs, restore_mp_state, restore_events, restore_pics, restore_ioapic, restore_pit, restore_routes,
	restore_lines, restore_clock, restore_kvmclock_ctrl;

restore_verify_fn restore_verify_sregs, restore_verify_tsc_khz, restore_verify_tsc, restore_verify_lapic,
	restore_verify_deadline, restore_verify_msrs, restore_verify_mp_state, restore_verify_events,
	restore_verify_pics, restore_verify_ioapic, restore_verify_pit, restore_verify_clock;

/* vCPUs in one list. */
#define RESTORE_VCPUS 64
/* Rows of MSRs at most. */
#define RESTORE_MSRS 64

/* restore_some - how many vCPUs are in the list that begins with @first. */
unsigned int restore_some(const struct kvm_restore *r, unsigned int first);

/* restore_list - make a list of vCPUs' ioctls. Return: 0, or the first failure, with its vCPU and @what. */
int restore_list(const struct kvm_restore *r, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode, const char *what,
		 struct irqs_error *reterr);

/* A structure of each vCPU that is read, changed and written back. */
struct restore_change {
	unsigned long get, set; /* ioctls; @get 0: it begins as zeroes */
	size_t size;
	const char *get_name, *set_name;
	bool (*wanted)(const struct kvm_restore *r, unsigned int vcpu);
	void (*change)(const struct kvm_restore *r, unsigned int vcpu, void *data);
};

/* restore_change - of all vCPUs. */
int restore_change(const struct kvm_restore *r, const struct restore_change *change, struct irqs_error *reterr);

/* restore_put_msrs - those of @rows that are known and that the VM has, in this order, vCPU by vCPU. */
int restore_put_msrs(const struct kvm_restore *r, const struct reg_row *const *rows, unsigned int nrows,
		     struct irqs_error *reterr);

/* restore_wants - whether the caller asked for a part. */
static inline bool restore_wants(const struct kvm_restore *r, enum kvm_part part)
{
	return !r->options.parts || r->options.parts & (uint32_t)part;
}

/* restore_knows - whether a state knows any register that a structure of the KVM ABI carries. */
bool restore_knows(const struct reg_chip *chip, enum reg_abi abi, const void *state);

/* restore_refuse - IRQS_REFUSED at CHIP[INDEX].ROW; @element below 0: the whole row, @row NULL: the whole chip. */
int restore_refuse(struct irqs_error *reterr, const char *chip, int index, const char *row, int element, const char *fmt,
		   ...) __attribute__((format(printf, 6, 7)));

/* What of a vCPU's CPUID the plan depends on. */
struct restore_cpuid {
	bool x2apic, tsc_deadline, tsc_adjust;
};

/* restore_read_cpuid - from the options, or of the vCPU as it is. */
int restore_read_cpuid(const struct kvm_restore *r, unsigned int vcpu, struct restore_cpuid *ret, struct irqs_error *reterr);

/* restore_is_other_msr - a row of a MSR that has no step of its own. */
static inline bool restore_is_other_msr(const struct reg_row *row)
{
	return row->abi == REG_ABI_MSR && row->abi_at != MSR_TSC && row->abi_at != MSR_TSC_ADJUST &&
	       row->abi_at != MSR_TSC_DEADLINE;
}

/* restore_fired - a one-shot that has interrupted: KVM must not start it again. */
bool restore_fired(const struct lapic_state *s);

/* restore_line_rises - whether raising the line of a GSI again is right: a level that nobody serves, and no new edge. */
bool restore_line_rises(const struct irqchip_state *s, unsigned int gsi);

/* restore_raised - pins of a chip that the lines of a state raise again. */
uint32_t restore_raised(const struct irqchip_state *s, enum irq_route_chip chip);

#endif

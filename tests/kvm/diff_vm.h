/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM for differential tests: its first vCPU performs a list of register accesses that stands in its memory, and takes
 * interrupts only where the list says. The other vCPUs never run: what arrives there stays in IRR. The chips are the
 * kernel's; the same list is then played to the models, and reads and states are compared.
 */
#ifndef TESTS_KVM_DIFF_VM_H
#define TESTS_KVM_DIFF_VM_H

#include <linux/kvm.h>

#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"

#define DIFF_CPUS 4
#define DIFF_OPS 64

#define LAPIC_PAGE 0xfee00000U
#define IOAPIC_WINDOW 0xfec00000U

enum diff_kind {
	DIFF_END,
	DIFF_READ32,
	DIFF_WRITE32,
	DIFF_READ8,
	DIFF_WRITE8,
	DIFF_READ16,
	DIFF_WRITE16,
	DIFF_RDMSR,
	DIFF_WRMSR,
	DIFF_TAKE,  /* let one interrupt in; its vector is read, or DIFF_NO_VECTOR */
	DIFF_LINE,  /* address: pin, value: level */
	DIFF_MSI,   /* address: of the message, value: data */
	DIFF_SLEEP, /* 1 ms */
	DIFF_PAUSE, /* leave the guest and enter it again */
};

#define DIFF_NO_VECTOR UINT32_MAX

/* The guest knows this layout. */
struct diff_op {
	uint8_t kind;
	uint8_t fault; /* out: #GP */
	uint16_t unused;
	uint32_t address;
	uint64_t value; /* in, out: what was read */
};

struct diff_list {
	struct diff_op ops[DIFF_OPS];
	unsigned int n; /* below DIFF_OPS */
};

struct diff_state {
	struct lapic_state lapics[DIFF_CPUS];
	struct ioapic_state ioapic;
};

struct diff_vm {
	int kvm, vm, vcpu[DIFF_CPUS];
	struct kvm_run *run;
	uint8_t *memory;
	size_t run_size;
	struct lapic_model_config config; /* of the models */
	bool auto_eoi;                    /* this KVM ends an interrupt when it gives it to the vCPU */

	struct apic_bus bus;
	struct lapic_model lapic[DIFF_CPUS];
	struct ioapic_model ioapic;
	int64_t now_ns; /* the models' time */
	uint64_t tsc;

	int64_t took_ns; /* the last run */
	unsigned long accesses, taken;
};

/* diff_vm_init - false where there is no KVM with an irqchip. */
bool diff_vm_init(struct diff_vm *d);
void diff_vm_deinit(struct diff_vm *d);

/* diff_vm_set/diff_models_set - every LAPIC, then the IOAPIC, to these states. Lines are low but those of irr. */
void diff_vm_set(struct diff_vm *d, const struct diff_state *s);
void diff_models_set(struct diff_vm *d, const struct diff_state *s);

/* diff_vm_run/diff_models_run - perform a list, results in place. */
void diff_vm_run(struct diff_vm *d, struct diff_list *l);
void diff_models_run(struct diff_vm *d, struct diff_list *l);

/* diff_vm_get/diff_models_get - the state now; events that a vCPU would take first are taken. */
void diff_vm_get(struct diff_vm *d, struct diff_state *ret);
void diff_models_get(struct diff_vm *d, struct diff_state *ret);

/* diff_models_init - for diff_vm_init(), which says what CPU the models are in. */
void diff_models_init(struct diff_vm *d);

/* diff_plain_state - enabled LAPICs with IDs and logical IDs of their own and nothing else, a masked IOAPIC. */
void diff_plain_state(struct diff_state *ret, bool x2apic);

/* diff_add - one more op, if there is room. */
void diff_add(struct diff_list *l, enum diff_kind kind, uint32_t address, uint64_t value);

/* diff_both - @l from @start on both sides; *ret_kernel and *ret_models are the lists with results. */
struct diff_outcome {
	struct diff_list list;
	struct diff_state state;
};

void diff_both(struct diff_vm *d, const struct diff_state *start, const struct diff_list *l, struct diff_outcome *ret_kernel,
	       struct diff_outcome *ret_models);

/* diff_sequences_run - @same as often as diff_sequences() of @few says, from one seed on; @same says what differs. */
void diff_sequences_run(struct diff_vm *d, unsigned int few, bool (*same)(struct diff_vm *d));

/* diff_log - a list and both results, for a test that fails. */
void diff_log(const struct diff_list *l, const struct diff_outcome *kernel, const struct diff_outcome *models);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual machines of this process for the tests: descriptors, a port, memory, one room for a state. */
#ifndef IRQSHIFT_TESTS_KVM_VM_H
#define IRQSHIFT_TESTS_KVM_VM_H

#include <linux/kvm.h>
#include <stdbool.h>

#include "apic/irqchip.h"
#include "kvm/gather.h"
#include "kvm/own.h"

#define VM_MAX_VCPUS 256
#define VM_MEMORY (1U << 20)

#define MSR_TSC 0x10
#define MSR_TSC_ADJUST 0x3b
#define MSR_TSC_DEADLINE 0x6e0

struct vm_config {
	enum irqchip_mode mode;
	unsigned int nvcpus;  /* 0: one */
	const uint32_t *ids;  /* NULL: 0, 1, 2 ... */
	bool no_pit;          /* in full mode */
	bool no_tsc_deadline; /* CPUID without it */
	bool no_x2apic;       /* CPUID without it */
	bool ids_32bit;       /* KVM_X2APIC_API_USE_32BIT_IDS */
	bool memory;          /* VM_MEMORY bytes at 0 */
};

struct vm {
	struct kvm_own own;
	struct kvm_port *port;
	int fd;
	int vcpus[VM_MAX_VCPUS];
	uint32_t ids[VM_MAX_VCPUS];
	struct kvm_run *runs[VM_MAX_VCPUS];
	unsigned int nvcpus;
	uint8_t *memory;
	struct kvm_probe probe;
};

/* vm_have_kvm - skips the test with a reason where there is no /dev/kvm; call it first. */
void vm_have_kvm(void);

/* vm_open/vm_close - a VM, or the test fails. */
void vm_open(struct vm *vm, struct vm_config config);
void vm_close(struct vm *vm);

/* vm_state/vm_state_free - room for @n LAPICs, nothing known; in mode @mode. */
struct irqchip_state vm_state(enum irqchip_mode mode, unsigned int n);
void vm_state_free(struct irqchip_state *s);

/* vm_gather - gather without options, or the test fails; release with vm_state_free(). */
struct irqchip_state vm_gather(struct vm *vm);

/* vm_page/vm_set_page - KVM_GET_LAPIC and KVM_SET_LAPIC; vm_reg is one register of a page. */
struct kvm_lapic_state vm_page(struct vm *vm, unsigned int vcpu);
int vm_set_page(struct vm *vm, unsigned int vcpu, const struct kvm_lapic_state *page);
uint32_t vm_reg(const struct kvm_lapic_state *page, unsigned int offset);
void vm_put_reg(struct kvm_lapic_state *page, unsigned int offset, uint32_t value);

/* vm_msr/vm_set_msr - one register of vCPU 0; setting returns what the ioctl returned. */
uint64_t vm_msr(struct vm *vm, uint32_t index);
int vm_set_msr(struct vm *vm, uint32_t index, uint64_t value);

/* vm_x2apic - put all vCPUs into x2APIC mode. */
void vm_x2apic(struct vm *vm);

/* vm_expect_same - the known rows of two states are the same; @ignore names rows that may differ, NULL last. */
void vm_expect_same(const struct irqchip_state *a, const struct irqchip_state *b, const char *const *ignore);

/* vm_seed - a random seed, printed; $IRQSHIFT_SEED if set. vm_random - the next of its numbers. */
uint64_t vm_seed(void);
uint64_t vm_random(uint64_t *seed);

#endif

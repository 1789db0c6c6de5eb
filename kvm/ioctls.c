/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/ioctls.h"

#include <linux/kvm.h>
#include <string.h>

#include "apic/irqchip.h"

#define VM(id) .name = #id, .request = (uint32_t)(id), .target = KVM_TARGET_VM
#define VCPU(id) .name = #id, .request = (uint32_t)(id), .target = KVM_TARGET_VCPU
#define VALUE .arg = KVM_ARG_VALUE, .size = sizeof(uint64_t)
#define IN(t) .arg = KVM_ARG_IN, .size = sizeof(struct t)
#define OUT(t) .arg = KVM_ARG_OUT, .size = sizeof(struct t)
#define INOUT(t) .arg = KVM_ARG_INOUT, .size = sizeof(struct t)
#define ROWS(of, as) .chip = &(of), .abi = (as)
#define EACH(t) .entry = sizeof(struct t)

const struct kvm_ioctl kvm_ioctls[] = {
	{ VM(KVM_CREATE_VCPU), VALUE },
	{ VM(KVM_CREATE_IRQCHIP) },
	{ VM(KVM_IRQ_LINE), IN(kvm_irq_level) },
	{ VM(KVM_GET_IRQCHIP), INOUT(kvm_irqchip) },
	{ VM(KVM_SET_IRQCHIP), IN(kvm_irqchip) },
	{ VM(KVM_CREATE_PIT) },
	{ VM(KVM_GET_PIT), OUT(kvm_pit_state), ROWS(pit_chip, REG_ABI_PIT) },
	{ VM(KVM_SET_PIT), IN(kvm_pit_state), ROWS(pit_chip, REG_ABI_PIT) },
	{ VM(KVM_IRQ_LINE_STATUS), INOUT(kvm_irq_level) },
	{ VM(KVM_SET_GSI_ROUTING), IN(kvm_irq_routing), EACH(kvm_irq_routing_entry) },
	{ VM(KVM_REINJECT_CONTROL), IN(kvm_reinject_control) },
	{ VM(KVM_IRQFD), IN(kvm_irqfd) },
	{ VM(KVM_CREATE_PIT2), IN(kvm_pit_config) },
	{ VM(KVM_SET_BOOT_CPU_ID), VALUE },
	{ VM(KVM_SET_CLOCK), IN(kvm_clock_data), ROWS(clock_chip, REG_ABI_CLOCK) },
	{ VM(KVM_GET_CLOCK), OUT(kvm_clock_data), ROWS(clock_chip, REG_ABI_CLOCK) },
	{ VCPU(KVM_GET_REGS), OUT(kvm_regs), ROWS(lapic_chip, REG_ABI_REGS) },
	{ VCPU(KVM_SET_REGS), IN(kvm_regs), ROWS(lapic_chip, REG_ABI_REGS) },
	{ VCPU(KVM_GET_SREGS), OUT(kvm_sregs), ROWS(lapic_chip, REG_ABI_SREGS) },
	{ VCPU(KVM_SET_SREGS), IN(kvm_sregs), ROWS(lapic_chip, REG_ABI_SREGS) },
	{ VCPU(KVM_INTERRUPT), IN(kvm_interrupt) },
	{ VCPU(KVM_GET_MSRS), INOUT(kvm_msrs), EACH(kvm_msr_entry), ROWS(lapic_chip, REG_ABI_MSR) },
	{ VCPU(KVM_SET_MSRS), IN(kvm_msrs), EACH(kvm_msr_entry), ROWS(lapic_chip, REG_ABI_MSR) },
	{ VCPU(KVM_GET_LAPIC), OUT(kvm_lapic_state), ROWS(lapic_chip, REG_ABI_LAPIC) },
	{ VCPU(KVM_SET_LAPIC), IN(kvm_lapic_state), ROWS(lapic_chip, REG_ABI_LAPIC) },
	{ VCPU(KVM_SET_VAPIC_ADDR), IN(kvm_vapic_addr) },
	{ VCPU(KVM_GET_MP_STATE), OUT(kvm_mp_state), ROWS(lapic_chip, REG_ABI_MP_STATE) },
	{ VCPU(KVM_SET_MP_STATE), IN(kvm_mp_state), ROWS(lapic_chip, REG_ABI_MP_STATE) },
	{ VCPU(KVM_NMI) },
	{ VCPU(KVM_GET_VCPU_EVENTS), OUT(kvm_vcpu_events), ROWS(lapic_chip, REG_ABI_EVENTS) },
	{ VM(KVM_GET_PIT2), OUT(kvm_pit_state2), ROWS(pit_chip, REG_ABI_PIT) },
	{ VCPU(KVM_SET_VCPU_EVENTS), IN(kvm_vcpu_events), ROWS(lapic_chip, REG_ABI_EVENTS) },
	{ VM(KVM_SET_PIT2), IN(kvm_pit_state2), ROWS(pit_chip, REG_ABI_PIT) },
	{ VCPU(KVM_SET_TSC_KHZ), VALUE },
	{ VCPU(KVM_GET_TSC_KHZ) },
	{ VM(KVM_ENABLE_CAP), IN(kvm_enable_cap) },
	{ VM(KVM_SIGNAL_MSI), IN(kvm_msi) },
	{ VCPU(KVM_KVMCLOCK_CTRL) },
	{ VCPU(KVM_SMI) },
	{ VCPU(KVM_GET_SREGS2), OUT(kvm_sregs2), ROWS(lapic_chip, REG_ABI_SREGS) },
	{ VCPU(KVM_SET_SREGS2), IN(kvm_sregs2), ROWS(lapic_chip, REG_ABI_SREGS) },
	{ .name = NULL },
};

/* What makes KVM_GET_SREGS2 a part of KVM_GET_SREGS, as far as the rows go. */
_Static_assert(offsetof(struct kvm_sregs2, apic_base) == offsetof(struct kvm_sregs, apic_base), "kvm_sregs2");
_Static_assert(offsetof(struct kvm_sregs2, cr8) == offsetof(struct kvm_sregs, cr8), "kvm_sregs2");
_Static_assert(offsetof(struct kvm_pit_state2, flags) == sizeof(struct kvm_pit_state), "kvm_pit_state2");

const struct kvm_ioctl *kvm_ioctl_find(uint32_t request)
{
	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++)
		if (io->request == request)
			return io;
	return NULL;
}

const struct kvm_ioctl *kvm_ioctl_find_name(const char *name)
{
	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++)
		if (!strcmp(io->name, name))
			return io;
	return NULL;
}

const char *kvm_arg_name(enum kvm_arg arg)
{
	static const char *const names[] = {
		[KVM_ARG_NONE] = "none",
		[KVM_ARG_VALUE] = "value",
		[KVM_ARG_IN] = "in",
		[KVM_ARG_OUT] = "out",
		[KVM_ARG_INOUT] = "inout",
	};

	return names[arg];
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a VM is: where its interrupt controllers are, and what its kernel can carry of them. Asked by the answers of
 * ioctls on the VM and its vCPUs, never by a version; nothing is changed. Source: Documentation/virt/kvm/api.rst.
 *
 * Three settings have no ioctl that reads them, and nobody but the VMM can know them: the length of an APIC bus
 * cycle (KVM_CAP_X86_APIC_BUS_CYCLES_NS; 1 ns unless set), KVM_REINJECT_CONTROL, and the GSI routes.
 */
#ifndef IRQSHIFT_KVM_PROBE_H
#define IRQSHIFT_KVM_PROBE_H

#include <stdbool.h>

#include "apic/irqchip.h"
#include "base/error.h"
#include "kvm/port.h"

struct kvm_probe {
	enum irqchip_mode mode;
	bool pit;              /* in the kernel */
	bool irqchip_compiled; /* an IOAPIC, PICs and a PIT in the kernel exist at all: CONFIG_KVM_IOAPIC */
	bool pit_state2;
	bool reinject_control;
	bool bus_cycles; /* another length than 1 ns can have been set */
	bool routing;
	bool tsc_deadline; /* the kernel has that timer; the guest sees it by CPUID */
	bool tsc_control;  /* a TSC of another frequency can be made */
	bool clock;        /* KVM_GET_CLOCK */
	bool kvmclock_ctrl;
	bool smm;
	bool exception_payload; /* enabled on this VM */
	bool triple_fault;      /* enabled on this VM */
	uint32_t x2apic_api;    /* flags of KVM_CAP_X2APIC_API that the VM takes; which are set: x2apic_32bit_ids */
	bool x2apic_32bit_ids;  /* seen in use: a vCPU in x2APIC mode shows its ID unshifted */
	unsigned int max_vcpus, max_vcpu_id;
	uint8_t max_lvt;      /* of vCPU 0: 5, or 6 with LVTCMCI; 0 without a LAPIC in the kernel */
	bool eoi_suppression; /* LVR bit 24 of vCPU 0 */
	uint64_t msrs;        /* bit i: the i-th row of abi_msr(&lapic_chip) is a register of vCPU 0 */
};

/**
 * kvm_probe_vm - ask a VM
 * @port: a VM with at least one vCPU, all of them out of KVM_RUN
 * @ret: receives the answers; changed on success only
 * @reterr: what could not be asked
 *
 * Needs KVM_CHECK_EXTENSION on the VM (KVM_CAP_CHECK_EXTENSION_VM, Linux 3.17): there is no way to /dev/kvm of
 * another process.
 *
 * Return: 0; -EINVAL without a vCPU; -errno of an ioctl that must work.
 */
int kvm_probe_vm(struct kvm_port *port, struct kvm_probe *ret, struct irqs_error *reterr);

/* kvm_probe_has_msr - whether the VM has the model-specific register of a row. */
bool kvm_probe_has_msr(const struct kvm_probe *probe, const struct reg_row *row);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/probe.h"

#include <errno.h>
#include <string.h>

#include "apic/abi.h"
#include "kvm/extensions_priv.h"

static int extension(struct kvm_port *port, unsigned long cap)
{
	int rc = kvm_vm(port, KVM_CHECK_EXTENSION, (void *)cap, 0);

	return rc > 0 ? rc : 0;
}

static const struct {
	unsigned long cap;
	size_t at; /* of a bool */
} extensions[] = {
	{ KVM_CAP_IRQCHIP, offsetof(struct kvm_probe, irqchip_compiled) },
	{ KVM_CAP_PIT_STATE2, offsetof(struct kvm_probe, pit_state2) },
	{ KVM_CAP_REINJECT_CONTROL, offsetof(struct kvm_probe, reinject_control) },
	{ KVM_CAP_X86_APIC_BUS_CYCLES_NS, offsetof(struct kvm_probe, bus_cycles) },
	{ KVM_CAP_IRQ_ROUTING, offsetof(struct kvm_probe, routing) },
	{ KVM_CAP_TSC_DEADLINE_TIMER, offsetof(struct kvm_probe, tsc_deadline) },
	{ KVM_CAP_TSC_CONTROL, offsetof(struct kvm_probe, tsc_control) },
	{ KVM_CAP_ADJUST_CLOCK, offsetof(struct kvm_probe, clock) },
	{ KVM_CAP_KVMCLOCK_CTRL, offsetof(struct kvm_probe, kvmclock_ctrl) },
	{ KVM_CAP_X86_SMM, offsetof(struct kvm_probe, smm) },
};

static void ask_extensions(struct kvm_port *port, struct kvm_probe *p)
{
	for (size_t i = 0; i < REG_ARRAY_SIZE(extensions); i++)
		*(bool *)((char *)p + extensions[i].at) = extension(port, extensions[i].cap) > 0;
	p->x2apic_api = (uint32_t)extension(port, KVM_CAP_X2APIC_API);
	p->max_vcpus = (unsigned int)extension(port, KVM_CAP_MAX_VCPUS);
	p->max_vcpu_id = (unsigned int)extension(port, KVM_CAP_MAX_VCPU_ID);
	if (!p->max_vcpu_id)
		p->max_vcpu_id = p->max_vcpus;
}

/* KVM_GET_IRQCHIP is -ENXIO without a PIC in the kernel, and no ioctl at all when those are not compiled in. */
static int ask_mode(struct kvm_port *port, struct kvm_probe *p, struct kvm_lapic_state *page, struct irqs_error *reterr)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_pit_state2 pit;
	int full = kvm_vm(port, KVM_GET_IRQCHIP, &chip, sizeof(chip));
	int lapic = kvm_vcpu(port, 0, KVM_GET_LAPIC, page, sizeof(*page));

	if (full && full != -ENXIO && full != -ENOTTY)
		return irqs_fail_errno(reterr, -full, "KVM_GET_IRQCHIP");
	if (lapic && lapic != -EINVAL)
		return irqs_fail_errno(reterr, -lapic, "vcpu[0]: KVM_GET_LAPIC");
	if (!full && lapic)
		return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL,
				 "an IOAPIC is in the kernel, but no LAPIC: no such VM");
	p->mode = !full ? IRQCHIP_FULL : lapic ? IRQCHIP_NONE
					       : IRQCHIP_SPLIT;
	p->pit = p->mode == IRQCHIP_FULL && !kvm_vm(port, KVM_GET_PIT2, &pit, sizeof(pit));
	return 0;
}

static void ask_page(struct kvm_probe *p, const struct kvm_lapic_state *page)
{
	uint32_t lvr;

	if (p->mode == IRQCHIP_NONE)
		return;
	memcpy(&lvr, page->regs + LAPIC_LVR, sizeof(lvr));
	p->max_lvt = (uint8_t)(lvr >> 16);
	p->eoi_suppression = lvr & LAPIC_LVR_NO_BROADCAST;
}

/* The format of IDs shows where a vCPU in x2APIC mode has another ID than 0, which is the same in both. */
static int ask_id_format(struct kvm_port *port, struct kvm_probe *p, struct irqs_error *reterr)
{
	struct kvm_lapic_state page;
	struct kvm_sregs sregs;
	uint32_t id;
	int rc;

	if (p->mode == IRQCHIP_NONE)
		return 0;
	for (unsigned int i = 0; i < port->nvcpus; i++) {
		if (!port->vcpu_ids[i])
			continue;
		rc = kvm_vcpu(port, i, KVM_GET_SREGS, &sregs, sizeof(sregs));
		if (rc < 0)
			return irqs_fail_errno(reterr, -rc, "vcpu[%u]: KVM_GET_SREGS", i);
		if (!(sregs.apic_base & LAPIC_BASE_ENABLE) || !(sregs.apic_base & LAPIC_BASE_X2APIC))
			continue;
		rc = kvm_vcpu(port, i, KVM_GET_LAPIC, &page, sizeof(page));
		if (rc < 0)
			return irqs_fail_errno(reterr, -rc, "vcpu[%u]: KVM_GET_LAPIC", i);
		memcpy(&id, page.regs + LAPIC_ID, sizeof(id));
		p->x2apic_32bit_ids = id == port->vcpu_ids[i];
		return 0;
	}
	return 0;
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

#define MSRS_MAX 64 /* bits of probe.msrs */

/* KVM_GET_MSRS stops at the first that it does not have: one by one, in one list. */
static int ask_msrs(struct kvm_port *port, struct kvm_probe *p, struct irqs_error *reterr)
{
	struct one_msr msrs[MSRS_MAX];
	struct kvm_port_call calls[MSRS_MAX];
	const struct reg_row *row = NULL, *rows[MSRS_MAX];
	unsigned int n = 0;

	memset(msrs, 0, sizeof(msrs));
	for (; n < MSRS_MAX && (row = abi_msr(&lapic_chip, row)); n++) {
		rows[n] = row;
		msrs[n].head.nmsrs = 1;
		msrs[n].entry.index = row->abi_at;
		calls[n] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_MSRS, &msrs[n], sizeof(msrs[n]), 0 };
	}
	kvm_list(port, calls, n, KVM_LIST_ALL);
	for (unsigned int i = 0; i < n; i++) {
		if (calls[i].result < 0)
			return irqs_fail_errno(reterr, -calls[i].result, "vcpu[0]: KVM_GET_MSRS 0x%x (%s)", rows[i]->abi_at,
					       rows[i]->name);
		p->msrs |= (uint64_t)(calls[i].result == 1) << i;
	}
	return 0;
}

/* What must be enabled VM by VM shows in the flags of an answer. */
static int ask_events(struct kvm_port *port, struct kvm_probe *p, struct irqs_error *reterr)
{
	struct kvm_vcpu_events events;
	int rc;

	memset(&events, 0, sizeof(events));
	rc = kvm_vcpu(port, 0, KVM_GET_VCPU_EVENTS, &events, sizeof(events));
	if (rc < 0)
		return irqs_fail_errno(reterr, -rc, "vcpu[0]: KVM_GET_VCPU_EVENTS");
	p->exception_payload = events.flags & KVM_VCPUEVENT_VALID_PAYLOAD;
	p->triple_fault = events.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
	return 0;
}

int kvm_probe_vm(struct kvm_port *port, struct kvm_probe *ret, struct irqs_error *reterr)
{
	struct kvm_probe p = { 0 };
	struct kvm_lapic_state page;
	int rc;

	if (!port->nvcpus)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
				 "a VM without a vCPU: what it will be cannot be asked");
	ask_extensions(port, &p);
	rc = ask_mode(port, &p, &page, reterr);
	if (rc)
		return rc;
	ask_page(&p, &page);
	rc = ask_id_format(port, &p, reterr);
	if (!rc)
		rc = ask_msrs(port, &p, reterr);
	if (!rc)
		rc = ask_events(port, &p, reterr);
	if (!rc)
		*ret = p;
	return rc;
}

bool kvm_probe_has_msr(const struct kvm_probe *probe, const struct reg_row *row)
{
	const struct reg_row *at = NULL;

	for (unsigned int i = 0; (at = abi_msr(&lapic_chip, at)); i++)
		if (at == row)
			return probe->msrs >> i & 1;
	return false;
}

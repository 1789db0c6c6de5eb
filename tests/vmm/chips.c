/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The models of a VM's controllers, and what they ask of the VMM. */
#include <string.h>
#include <sys/ioctl.h>
#include <x86intrin.h>

#include "tests/vmm/engine.h"

#define MSR_TSC 0x10
#define PHYS_BITS 40

uint64_t chips_read_tsc_offset(int vcpu)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry.index = MSR_TSC };
	uint64_t host = __rdtsc();

	return ioctl(vcpu, KVM_GET_MSRS, &m) == 1 ? m.entry.data - host : 0;
}

static int64_t now_ns(void *ctx)
{
	return vmm_now_ns(((struct kvm_side *)ctx)->vmm);
}

static uint64_t tsc(void *ctx, unsigned int cpu)
{
	return __rdtsc() + ((struct kvm_side *)ctx)->tsc_offset[cpu];
}

/* What a VM asks for that the guest does not run on yet, is asked for anew when it does. */
static void arm(void *ctx, unsigned int timer, int64_t at_ns)
{
	struct kvm_side *side = ctx;

	timer_arm(side->vmm, timer == IRQCHIP_MODEL_PIT ? VMM_MAX_CPUS : timer, at_ns);
}

static void kick(void *ctx, unsigned int cpu)
{
	struct kvm_side *side = ctx;

	if (side->vmm->side == side)
		vcpu_kick(side->vmm, cpu);
}

static int msi(void *ctx, uint64_t address, uint32_t data)
{
	return kvm_side_msi(ctx, address, data);
}

/* KVM tells the EOIs of the vectors that it finds level-triggered here. */
static void routes(void *ctx)
{
	struct kvm_side *side = ctx;
	const struct ioapic_model *ioapic = irqchip_model_ioapic(&side->model);
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[IOAPIC_PINS];
	} r;
	uint64_t rte;
	bool irr;

	memset(&r, 0, sizeof(r));
	for (unsigned int pin = 0; pin < IOAPIC_PINS && !ioapic_model_pin(ioapic, pin, &rte, &irr); pin++) {
		struct kvm_irq_routing_entry *e = &r.entries[r.head.nr];
		struct irq_route route = kvm_move_route(pin, rte);

		if (rte & IOAPIC_RTE_MASKED)
			continue;
		e->gsi = pin;
		e->type = KVM_IRQ_ROUTING_MSI;
		e->u.msi.address_lo = (uint32_t)route.msi_address;
		e->u.msi.data = route.msi_data;
		r.head.nr++;
	}
	ioctl(side->vm, KVM_SET_GSI_ROUTING, &r);
}

static const struct irqchip_model_ops ops = {
	.now_ns = now_ns, .tsc = tsc, .arm = arm, .kick = kick, .msi = msi, .routes = routes
};

int chips_init(struct kvm_side *side)
{
	struct irqchip_model_config config = {
		.ops = &ops,
		.ctx = side,
		.mode = kvm_side_irqchip_mode(side->mode),
		.ncpus = side->ncpus,
		.lapic = {
			.x2apic = side->vmm->config.x2apic,
			.tsc_deadline = true,
			.virtual_wire = true, /* as KVM's */
			.phys_bits = PHYS_BITS,
			.bus_cycle_ns = 1,
			.tsc_khz = ioctl(side->vcpus[0], KVM_GET_TSC_KHZ, 0),
		},
		.ioapic_version = IOAPIC_VERSION_11, /* as KVM's, so that the guest sees no other */
	};

	return irqchip_model_init(&side->model, side->mode == VMM_USERSPACE ? side->lapics : NULL, &config);
}

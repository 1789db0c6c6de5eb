/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM of KVM: its irqchip, memory and vCPUs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apic/lapic.h"
#include "tests/vmm/engine.h"

#define MAX_LEAVES 256
#define TSS_ADDRESS UINT64_C(0xfffbd000)
#define HYPERVISOR_LEAVES UINT32_C(0x40000000)

enum irqchip_mode kvm_side_irqchip_mode(enum vmm_mode mode)
{
	static const enum irqchip_mode modes[] = {
		[VMM_KERNEL] = IRQCHIP_FULL, [VMM_SPLIT] = IRQCHIP_SPLIT, [VMM_USERSPACE] = IRQCHIP_NONE
	};

	return modes[mode];
}

/* ---- CPUID ---- */

/* The same in all modes: what only some of them have is not shown. So there is none of KVM's own services. */
static void choose_features(const struct vmm *v, struct kvm_cpuid2 *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nent; i++) {
		struct kvm_cpuid_entry2 e = c->entries[i];

		if ((e.function & ~UINT32_C(0xff)) == HYPERVISOR_LEAVES)
			continue;
		if (e.function == 1) {
			e.ecx |= UINT32_C(1) << 24; /* TSC deadline */
			e.ecx = v->config.x2apic ? e.ecx | UINT32_C(1) << 21 : e.ecx & ~(UINT32_C(1) << 21);
			e.ebx = (e.ebx & 0xff00ffff) | v->config.ncpus << 16;
		}
		c->entries[n++] = e;
	}
	c->nent = n;
}

struct kvm_cpuid2 *kvm_side_cpuid(struct vmm *v, struct irqs_error *reterr)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_LEAVES * sizeof(c->entries[0]));

	if (!c) {
		irqs_fail_nomem(reterr);
		return NULL;
	}
	c->nent = MAX_LEAVES;
	if (ioctl(v->system, KVM_GET_SUPPORTED_CPUID, c)) {
		irqs_fail_errno(reterr, errno, "KVM_GET_SUPPORTED_CPUID");
		free(c);
		return NULL;
	}
	choose_features(v, c);
	return c;
}

static int set_cpuid(struct kvm_side *side, unsigned int i)
{
	struct kvm_cpuid2 *c = side->vmm->cpuid;

	for (uint32_t n = 0; n < c->nent; n++) {
		if (c->entries[n].function == 1)
			c->entries[n].ebx = (c->entries[n].ebx & 0xffffff) | i << 24;
		else if (c->entries[n].function == 0xb || c->entries[n].function == 0x1f)
			c->entries[n].edx = i;
	}
	return ioctl(side->vcpus[i], KVM_SET_CPUID2, c);
}

/* ---- the parts of a VM ---- */

static int failed(struct irqs_error *reterr, const char *what)
{
	return irqs_fail_errno(reterr, errno, "%s", what);
}

static int add_routes(struct kvm_side *side)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry entries[IRQCHIP_MODEL_ROUTES];
	} r = { .head.nr = IRQCHIP_MODEL_ROUTES };

	for (unsigned int i = 0; i < IRQCHIP_MODEL_ROUTES; i++) {
		r.entries[i].gsi = irqchip_model_routes[i].gsi;
		r.entries[i].type = KVM_IRQ_ROUTING_IRQCHIP;
		r.entries[i].u.irqchip.irqchip = irqchip_model_routes[i].chip;
		r.entries[i].u.irqchip.pin = irqchip_model_routes[i].pin;
	}
	return ioctl(side->vm, KVM_SET_GSI_ROUTING, &r);
}

static int add_kernel_chips(struct kvm_side *side, struct irqs_error *reterr)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(side->vm, KVM_CREATE_IRQCHIP, 0))
		return failed(reterr, "KVM_CREATE_IRQCHIP");
	if (ioctl(side->vm, KVM_CREATE_PIT2, &pit))
		return failed(reterr, "KVM_CREATE_PIT2");
	return add_routes(side) ? failed(reterr, "KVM_SET_GSI_ROUTING") : 0;
}

static int add_split_chip(struct kvm_side *side, struct irqs_error *reterr)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };

	return ioctl(side->vm, KVM_ENABLE_CAP, &cap) ? failed(reterr, "KVM_CAP_SPLIT_IRQCHIP") : 0;
}

/* Registers of the LAPIC leave the guest: APIC base and deadline by a filter, the x2APIC's as KVM does not know them. */
static int add_msr_exits(struct kvm_side *side, struct irqs_error *reterr)
{
	static uint8_t none;
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER },
	};
	struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };
	const uint32_t msrs[] = { LAPIC_MSR_APIC_BASE, LAPIC_MSR_TSC_DEADLINE };

	for (unsigned int i = 0; i < REG_ARRAY_SIZE(msrs); i++)
		filter.ranges[i] = (struct kvm_msr_filter_range){
			.flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, .nmsrs = 1, .base = msrs[i], .bitmap = &none
		};
	if (ioctl(side->vm, KVM_ENABLE_CAP, &cap) || ioctl(side->vm, KVM_X86_SET_MSR_FILTER, &filter))
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				 "this KVM lets no model-specific registers out to user space (Linux 5.10 does)");
	return 0;
}

static int add_irqchip(struct kvm_side *side, struct irqs_error *reterr)
{
	switch (side->mode) {
	case VMM_KERNEL:
		return add_kernel_chips(side, reterr);
	case VMM_SPLIT:
		return add_split_chip(side, reterr);
	case VMM_USERSPACE:
		return add_msr_exits(side, reterr);
	}
	return -EINVAL;
}

static int add_memory(struct kvm_side *side, struct irqs_error *reterr)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = side->vmm->config.memory,
		.userspace_addr = (uintptr_t)side->vmm->memory,
	};

	return ioctl(side->vm, KVM_SET_USER_MEMORY_REGION, &region) ? failed(reterr, "KVM_SET_USER_MEMORY_REGION") : 0;
}

static int add_vcpu(struct kvm_side *side, unsigned int i, struct irqs_error *reterr)
{
	int size = ioctl(side->vmm->system, KVM_GET_VCPU_MMAP_SIZE, 0);

	side->vcpus[i] = ioctl(side->vm, KVM_CREATE_VCPU, (unsigned long)i);
	if (side->vcpus[i] < 0)
		return failed(reterr, "KVM_CREATE_VCPU");
	side->ids[i] = i;
	side->external[i] = -1;
	side->ncpus = i + 1;
	side->runs[i] = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, side->vcpus[i], 0);
	if (side->runs[i] == MAP_FAILED) {
		side->runs[i] = NULL;
		return failed(reterr, "mapping of a vCPU");
	}
	if (set_cpuid(side, i))
		return failed(reterr, "KVM_SET_CPUID2");
	side->tsc_offset[i] = chips_read_tsc_offset(side->vcpus[i]);
	return 0;
}

/* The host's time of an ioctl is that of its middle: when KVM looks at its own clock is not known better. */
static int call_at(struct kvm_port *port, unsigned int vcpu, unsigned long request, void *arg, size_t size, int64_t *at)
{
	struct kvm_side *side = (struct kvm_side *)port;
	int64_t begin = timer_host_ns();
	int rc = side->call(port, KVM_TARGET_VCPU, vcpu, request, arg, size);

	*at = begin + (timer_host_ns() - begin) / 2;
	return rc;
}

/* The clock goes on with the first page. What the timers of the others would have counted since is taken off. */
static int set_lapic(struct kvm_port *port, unsigned int vcpu, const struct kvm_lapic_state *page)
{
	struct kvm_side *side = (struct kvm_side *)port;
	struct kvm_lapic_state now = *page;
	uint32_t tdcr, left;
	int64_t at;
	int rc;

	memcpy(&tdcr, now.regs + LAPIC_TDCR, sizeof(tdcr));
	memcpy(&left, now.regs + LAPIC_TMCCT, sizeof(left));
	if (left) {
		uint64_t since = clock_started(side->vmm) / lapic_divide(tdcr);

		left = since < left ? left - (uint32_t)since : 1;
	}
	memcpy(now.regs + LAPIC_TMCCT, &left, sizeof(left));
	rc = call_at(port, vcpu, KVM_SET_LAPIC, &now, sizeof(now), &at);
	clock_start(side->vmm, at);
	return rc;
}

static int timed_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		      size_t size)
{
	struct kvm_side *side = (struct kvm_side *)port;

	if (target == KVM_TARGET_VCPU && request == KVM_SET_LAPIC)
		return set_lapic(port, vcpu, arg);
	if (target == KVM_TARGET_VCPU && request == KVM_GET_LAPIC)
		return call_at(port, vcpu, request, arg, size, &side->lapic_read_at[vcpu]);
	return side->call(port, target, vcpu, request, arg, size);
}

static int fill(struct kvm_side *side, struct irqs_error *reterr)
{
	int rc;

	side->vm = ioctl(side->vmm->system, KVM_CREATE_VM, 0);
	if (side->vm < 0)
		return failed(reterr, "KVM_CREATE_VM");
	ioctl(side->vm, KVM_SET_TSS_ADDR, TSS_ADDRESS); /* where it is needed: Intel without unrestricted guests */
	rc = add_irqchip(side, reterr);
	if (!rc)
		rc = add_memory(side, reterr);
	for (unsigned int i = 0; i < side->vmm->config.ncpus && !rc; i++)
		rc = add_vcpu(side, i, reterr);
	if (rc)
		return rc;
	kvm_own_init(&side->own, side->vm, side->vcpus, side->ids, side->ncpus);
	side->call = side->own.port.call;
	side->own.port.call = timed_call;
	rc = kvm_probe_vm(&side->own.port, &side->probe, reterr);
	if (!rc && side->mode != VMM_KERNEL && chips_init(side))
		rc = irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "the models do not take this machine");
	return rc;
}

int kvm_side_open(struct vmm *v, enum vmm_mode mode, struct kvm_side **ret, struct irqs_error *reterr)
{
	struct kvm_side *side = calloc(1, sizeof(*side));
	int rc;

	if (!side)
		return irqs_fail_nomem(reterr);
	side->vmm = v;
	side->mode = mode;
	side->vm = -1;
	rc = fill(side, reterr);
	if (rc)
		kvm_side_close(side);
	else
		*ret = side;
	return rc;
}

void kvm_side_close(struct kvm_side *side)
{
	int size;

	if (!side)
		return;
	size = ioctl(side->vmm->system, KVM_GET_VCPU_MMAP_SIZE, 0);
	for (unsigned int i = 0; i < side->ncpus; i++) {
		if (side->runs[i])
			munmap(side->runs[i], (size_t)size);
		close(side->vcpus[i]);
	}
	if (side->vm >= 0)
		close(side->vm);
	free(side);
}

/* ---- devices ---- */

void kvm_side_line(struct kvm_side *side, unsigned int gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (side->mode == VMM_KERNEL)
		ioctl(side->vm, KVM_IRQ_LINE, &line);
	else
		irqchip_model_line(&side->model, gsi, level);
}

int kvm_side_msi(struct kvm_side *side, uint64_t address, uint32_t data)
{
	struct kvm_msi msi = { .address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data };

	if (side->mode == VMM_USERSPACE)
		return irqchip_model_msi(&side->model, address, data);
	return ioctl(side->vm, KVM_SIGNAL_MSI, &msi);
}

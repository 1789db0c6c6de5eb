/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest does that KVM leaves to user space: ports, memory, registers, HLT. */
#include <errno.h>
#include <string.h>

#include "tests/vmm/engine.h"

static void device_pio(struct vcpu *c, uint16_t port, bool write, void *data, unsigned int size)
{
	const struct vmm_io *io = &c->vmm->config.io;
	bool mine;

	pthread_mutex_unlock(&c->vmm->lock);
	mine = io->pio && io->pio(io->ctx, c->index, port, write, data, size);
	pthread_mutex_lock(&c->vmm->lock);
	if (!mine && !write)
		memset(data, 0xff, size);
}

static void handle_pio(struct vcpu *c)
{
	struct kvm_side *side = c->vmm->side;
	struct kvm_run *run = side->runs[c->index];
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;
	uint16_t port = run->io.port;
	uint8_t size = run->io.size;

	c->unfinished = true;
	for (uint32_t i = 0; i < run->io.count; i++, data += size)
		if (side->mode == VMM_KERNEL || !irqchip_model_pio(&side->model, port, write, data, size))
			device_pio(c, port, write, data, size);
}

static void device_mmio(struct vcpu *c, uint64_t address, bool write, void *data, unsigned int size)
{
	const struct vmm_io *io = &c->vmm->config.io;
	bool mine;

	pthread_mutex_unlock(&c->vmm->lock);
	mine = io->mmio && io->mmio(io->ctx, address, write, data, size);
	pthread_mutex_lock(&c->vmm->lock);
	if (!mine && !write)
		memset(data, 0xff, size);
}

static void handle_mmio(struct vcpu *c)
{
	struct kvm_side *side = c->vmm->side;
	struct kvm_run *run = side->runs[c->index];
	uint64_t address = run->mmio.phys_addr;
	bool write = run->mmio.is_write;

	c->unfinished = true;
	if (side->mode == VMM_KERNEL ||
	    !irqchip_model_mmio(&side->model, c->index, address, write, run->mmio.data, run->mmio.len))
		device_mmio(c, address, write, run->mmio.data, run->mmio.len);
}

/* A register that is none of the LAPIC's is one that KVM refused: #GP. */
static void handle_msr(struct vcpu *c, bool write)
{
	struct kvm_side *side = c->vmm->side;
	struct kvm_run *run = side->runs[c->index];
	struct lapic_model *l = irqchip_model_lapic(&side->model, c->index);
	uint64_t value = run->msr.data;
	int rc;

	c->unfinished = true;
	rc = write ? lapic_model_wrmsr(l, run->msr.index, value) : lapic_model_rdmsr(l, run->msr.index, &value);
	run->msr.error = !!rc;
	run->msr.data = value;
}

static int stuck(const struct vcpu *c, const char *what, uint64_t detail, struct irqs_error *reterr)
{
	irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "vcpu[%u]: %s (0x%llx)", c->index, what,
		  (unsigned long long)detail);
	return -EIO;
}

int vcpu_handle_exit(struct vcpu *c, struct irqs_error *reterr)
{
	struct kvm_side *side = c->vmm->side;
	const struct kvm_run *run = side->runs[c->index];

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		handle_pio(c);
		return 0;
	case KVM_EXIT_MMIO:
		handle_mmio(c);
		return 0;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		handle_msr(c, run->exit_reason == KVM_EXIT_X86_WRMSR);
		return 0;
	case KVM_EXIT_IOAPIC_EOI:
		irqchip_model_eoi(&side->model, run->eoi.vector);
		return 0;
	case KVM_EXIT_HLT:
		irqchip_model_halt(&side->model, c->index);
		return 0;
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR: /* note_cr8() did it */
	case KVM_EXIT_INTR:
		return 0;
	case KVM_EXIT_SHUTDOWN:
		return stuck(c, "the guest's third fault", 0, reterr);
	case KVM_EXIT_INTERNAL_ERROR:
		return stuck(c, "KVM cannot go on: suberror", run->internal.suberror, reterr);
	case KVM_EXIT_FAIL_ENTRY:
		return stuck(c, "KVM cannot enter the guest", run->fail_entry.hardware_entry_failure_reason, reterr);
	default:
		return stuck(c, "an exit that is unknown here", run->exit_reason, reterr);
	}
}

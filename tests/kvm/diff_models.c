/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The models' side of a differential test: a VMM without a guest. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/kvm/diff_vm.h"

static int64_t model_now(void *ctx)
{
	return ((struct diff_vm *)ctx)->now_ns;
}

static uint64_t model_tsc(void *ctx, unsigned int cpu)
{
	(void)cpu;
	return ((struct diff_vm *)ctx)->tsc;
}

static void model_arm(void *ctx, unsigned int cpu, int64_t at_ns)
{
	(void)ctx, (void)cpu, (void)at_ns;
}

static void model_kick(void *ctx, unsigned int cpu)
{
	(void)ctx, (void)cpu;
}

static const struct lapic_model_ops model_ops = { model_now, model_tsc, model_arm, model_kick, NULL };

static int to_bus(void *ctx, uint64_t address, uint32_t data)
{
	return apic_bus_msi(ctx, address, data);
}

void diff_models_init(struct diff_vm *d)
{
	struct ioapic_model_config io = {
		.msi = to_bus,
		.ctx = &d->bus,
		.base = IOAPIC_WINDOW,
		.version = IOAPIC_VERSION_11,
		.npins = IOAPIC_PINS,
	};

	d->config.ops = &model_ops;
	d->config.ctx = d;
	d->config.bus_cycle_ns = 1;
	d->config.virtual_wire = true;
	apic_bus_init(&d->bus, false);
	for (unsigned int i = 0; i < DIFF_CPUS; i++) {
		d->config.id = i;
		d->config.bsp = i == 0;
		cr_assert_eq(lapic_model_init(&d->lapic[i], &d->bus, &d->config), 0);
	}
	cr_assert_eq(ioapic_model_init(&d->ioapic, &io), 0);
	apic_bus_add_ioapic(&d->bus, &d->ioapic);
}

void diff_models_set(struct diff_vm *d, const struct diff_state *s)
{
	d->now_ns = 1;
	d->tsc = UINT64_C(1000000000000);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic_model_hold(&d->ioapic, pin, false);
	for (unsigned int i = 0; i < DIFF_CPUS; i++)
		cr_assert_eq(lapic_model_set(&d->lapic[i], &s->lapics[i], NULL), 0);
	cr_assert_eq(ioapic_model_set(&d->ioapic, &s->ioapic, NULL), 0);
	ioapic_model_resume(&d->ioapic);
}

static void memory(struct diff_vm *d, struct diff_op *op, unsigned int len, bool write)
{
	struct lapic_model *lapic = &d->lapic[0];
	uint64_t at = op->address;

	if (lapic_model_decodes(lapic, at)) {
		if (write)
			lapic_model_write(lapic, at & 0xfff, &op->value, len);
		else
			lapic_model_read(lapic, at & 0xfff, &op->value, len);
	} else if (ioapic_model_decodes(&d->ioapic, at)) {
		at -= IOAPIC_WINDOW;
		if (write)
			ioapic_model_write(&d->ioapic, (uint32_t)at, &op->value, len);
		else
			ioapic_model_read(&d->ioapic, (uint32_t)at, &op->value, len);
	} else if (!write) {
		memset(&op->value, 0xff, len);
	}
}

static void take(struct diff_vm *d, struct diff_op *op)
{
	struct lapic_model *m = &d->lapic[0];
	static const uint32_t eoi;
	int vector = lapic_model_injectable(m);

	op->value = (op->value & ~(uint64_t)UINT32_MAX) | (vector < 0 ? DIFF_NO_VECTOR : (uint32_t)vector);
	if (vector < 0)
		return;
	lapic_model_acknowledge(m);
	if (d->auto_eoi && lapic_model_wrmsr(m, LAPIC_MSR_X2APIC + LAPIC_EOI / 16, 0))
		lapic_model_write(m, LAPIC_EOI, &eoi, sizeof(eoi));
}

static void play(struct diff_vm *d, struct diff_op *op)
{
	switch (op->kind) {
	case DIFF_READ32:
	case DIFF_WRITE32:
		memory(d, op, 4, op->kind == DIFF_WRITE32);
		break;
	case DIFF_READ8:
	case DIFF_WRITE8:
		memory(d, op, 1, op->kind == DIFF_WRITE8);
		break;
	case DIFF_READ16:
	case DIFF_WRITE16:
		memory(d, op, 2, op->kind == DIFF_WRITE16);
		break;
	case DIFF_RDMSR: {
		uint64_t value;

		op->fault = lapic_model_rdmsr(&d->lapic[0], op->address, &value) != 0;
		if (!op->fault)
			op->value = value;
		break;
	}
	case DIFF_WRMSR:
		op->fault = lapic_model_wrmsr(&d->lapic[0], op->address, op->value) != 0;
		break;
	case DIFF_TAKE:
		take(d, op);
		break;
	case DIFF_LINE:
		ioapic_model_line(&d->ioapic, op->address, op->value);
		break;
	case DIFF_MSI:
		apic_bus_msi(&d->bus, op->address, (uint32_t)op->value);
		break;
	case DIFF_SLEEP:
		d->now_ns += 1000000;
		d->tsc += (uint64_t)d->config.tsc_khz;
		lapic_model_timer(&d->lapic[0]);
		break;
	}
}

void diff_models_run(struct diff_vm *d, struct diff_list *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		play(d, &l->ops[i]);
}

void diff_models_get(struct diff_vm *d, struct diff_state *ret)
{
	for (unsigned int i = 0; i < DIFF_CPUS; i++) {
		/* KVM forgets an NMI that came between an INIT and the vCPU. */
		if (lapic_model_take_init(&d->lapic[i]))
			lapic_model_take_nmi(&d->lapic[i]);
		lapic_model_take_sipi(&d->lapic[i]);
		lapic_model_get(&d->lapic[i], &ret->lapics[i]);
	}
	ioapic_model_get(&d->ioapic, &ret->ioapic);
}

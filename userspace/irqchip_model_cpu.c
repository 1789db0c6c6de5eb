/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a vCPU gets from the machine's controllers. */
#include "userspace/irqchip_model_priv.h"

bool irqchip_model_events(struct irqchip_model *m, unsigned int cpu, struct irqchip_events *ret)
{
	struct lapic_model *l = &m->lapics[cpu];

	ret->init = lapic_model_take_init(l);
	ret->sipi = lapic_model_take_sipi(l);
	ret->nmi = ret->smi = false;
	/* While it waits for a start-up IPI an NMI waits, too (SDM 3A 9.4.3). */
	if (lapic_model_runnable(l) || lapic_model_state(l)->mp_state == LAPIC_MP_HALTED) {
		ret->nmi = lapic_model_take_nmi(l);
		ret->smi = lapic_model_take_smi(l);
	}
	if (ret->nmi || ret->smi)
		lapic_model_set_halted(l, false);
	return ret->init || ret->sipi >= 0 || ret->nmi || ret->smi;
}

void irqchip_model_halt(struct irqchip_model *m, unsigned int cpu)
{
	lapic_model_set_halted(&m->lapics[cpu], true);
}

bool irqchip_model_waits(struct irqchip_model *m, unsigned int cpu, bool interruptible)
{
	struct lapic_model *l = &m->lapics[cpu];

	if (interruptible && irqchip_model_pending(m, cpu))
		lapic_model_set_halted(l, false);
	return !lapic_model_runnable(l);
}

bool irqchip_model_pending(const struct irqchip_model *m, unsigned int cpu)
{
	if (irqchip_is_split(m))
		return pic_model_intr(&m->pic);
	return lapic_model_extint(&m->lapics[cpu]) || lapic_model_injectable(&m->lapics[cpu]) >= 0;
}

int irqchip_model_vector(const struct irqchip_model *m)
{
	int irq = pic_model_intr(&m->pic) ? pic_pair_pending(m->pic.pics) : -1;

	return irq < 0 ? -1 : pic_pair_vector(m->pic.pics, (unsigned int)irq);
}

static int acknowledge_pic(struct irqchip_model *m)
{
	int vector = pic_model_ack(&m->pic);

	irqchip_settle(m);
	return vector;
}

int irqchip_model_acknowledge(struct irqchip_model *m, unsigned int cpu)
{
	if (!irqchip_model_pending(m, cpu))
		return -1;
	if (irqchip_is_split(m))
		return acknowledge_pic(m);
	if (lapic_model_extint(&m->lapics[cpu])) {
		lapic_model_extint_taken(&m->lapics[cpu]);
		return acknowledge_pic(m);
	}
	return lapic_model_acknowledge(&m->lapics[cpu]);
}

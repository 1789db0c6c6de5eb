/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tables hold, for whoever asks. */
#include "kvm/monitor_priv.h"

void monitor_hook_interrupts(struct monitor *m, monitor_hook *hook, void *ctx)
{
	m->hook = hook;
	m->hook_ctx = ctx;
}

void monitor_tell(const struct row *r, const struct instance *i, uint64_t eoi, monitor_hook *hook, void *ctx)
{
	const struct monitor_interrupt told = {
		.vcpu = r->pub.vcpu,
		.vector = r->pub.vector,
		.origin = i->origin,
		.gsi = i->gsi,
		.raiser = i->raiser,
		.source = i->source,
		.accept = i->accept,
		.inject = i->inject,
		.eoi = eoi,
	};

	hook(ctx, &told);
}

void monitor_each_pending(const struct monitor *m, monitor_hook *hook, void *ctx)
{
	for (const struct monitor_row *pub = NULL; (pub = monitor_next_row(m, pub));) {
		const struct row *r = (const struct row *)pub;

		if (r->service.accept)
			monitor_tell(r, &r->service, 0, hook, ctx);
		if (r->waiting.accept)
			monitor_tell(r, &r->waiting, 0, hook, ctx);
	}
}

const struct monitor_row *monitor_next_row(const struct monitor *m, const struct monitor_row *row)
{
	uint32_t id = row ? row->vcpu : 0;
	unsigned int vector = row ? row->vector + 1u : 0;

	for (; id < m->ids; id++, vector = 0)
		for (; m->vcpus[id] && vector < MONITOR_VECTORS; vector++)
			if (m->vcpus[id]->rows[vector])
				return &m->vcpus[id]->rows[vector]->pub;
	return NULL;
}

const struct monitor_vcpu *monitor_next_vcpu(const struct monitor *m, const struct monitor_vcpu *vcpu)
{
	for (uint32_t id = vcpu ? vcpu->id + 1 : 0; id < m->ids; id++)
		if (m->vcpus[id])
			return &m->vcpus[id]->pub;
	return NULL;
}

const struct monitor_pin *monitor_ioapic_pin(const struct monitor *m, unsigned int pin)
{
	return &m->ioapic[pin];
}

const struct monitor_pin *monitor_pic_irq(const struct monitor *m, unsigned int irq)
{
	return &m->pic[irq];
}

const struct monitor_totals *monitor_totals(const struct monitor *m)
{
	return &m->totals;
}

bool monitor_judged(const struct monitor_row *row)
{
	return row->injected && !row->posted && !row->unseen;
}

const char *monitor_origin_name(enum monitor_origin origin)
{
	static const char *const names[MONITOR_ORIGINS] = { "line", "message", "IPI", "own LAPIC", "unknown" };

	return origin < MONITOR_ORIGINS ? names[origin] : "unknown";
}

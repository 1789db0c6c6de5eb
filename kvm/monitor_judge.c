/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storms, and EOIs that do not come. */
#include "kvm/monitor_priv.h"

/* ---- storms ---- */

/* One goes on until nothing has spoken for it during a whole window. */
void judge_storm(struct monitor *m, struct row *r)
{
	uint64_t now = m->totals.last;

	r->pub.storms += !judge_storms(r, now);
	r->storm_until = now + 2 * MONITOR_LOOK_NS;
	r->pub.storming = true;
}

bool judge_storms(const struct row *r, uint64_t now)
{
	return r->storm_until && now < r->storm_until;
}

void judge_accept(struct monitor *m, struct row *r, bool again)
{
	uint64_t now = m->totals.last, window = now / MONITOR_LOOK_NS;

	if (window != r->window)
		r->in_window = 0;
	r->window = window;
	r->in_window++;
	r->successive = again ? r->successive + 1 : 0;
	r->pub.storming = judge_storms(r, now);
	/* Of ten windows a second. */
	if (r->in_window * 10 >= m->options.storm_rate || r->successive >= m->options.storm_successive)
		judge_storm(m, r);
}

/* ---- EOIs ---- */

/* Since when the vector in service @top has kept something waiting; 0: it has not. */
static uint64_t blocks_since(const struct vcpu *v, int top)
{
	uint64_t oldest = 0, inject = v->rows[top]->service.inject;

	for (int i = 0; i < ((top | 15) + 1); i++) {
		const struct row *r = v->rows[i];

		if (r && r->waiting.accept && (!oldest || r->waiting.accept < oldest))
			oldest = r->waiting.accept;
	}
	return oldest && oldest < inject ? inject : oldest;
}

static void look_at(const struct monitor *m, struct vcpu *v)
{
	int top = vector_highest(v->service);
	struct row *r = top >= 0 ? v->rows[top] : NULL;
	uint64_t since;

	if (!r || r->service.judged_lost || vector_highest(v->waiting) < 0)
		return;
	since = blocks_since(v, top);
	/* A VM that stands still ends nothing: its thread must have been heard of. */
	if (!since || m->totals.last - since < m->options.lost_ns || v->heard < since + m->options.lost_ns)
		return;
	r->service.judged_lost = true;
	r->pub.lost++;
}

void judge_look(struct monitor *m)
{
	for (uint32_t i = 0; i < m->ids; i++)
		if (m->vcpus[i])
			look_at(m, m->vcpus[i]);
}

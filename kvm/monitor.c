/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/monitor_priv.h"

#define STORM_RATE 20000u
#define STORM_SUCCESSIVE 1000u
#define LOST_NS UINT64_C(1000000000)

int monitor_create(const struct monitor_options *options, struct monitor **ret)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (m)
		m->vcpus = calloc(MONITOR_VCPUS_MAX, sizeof(struct vcpu *));
	if (!m || !m->vcpus) {
		free(m);
		return -ENOMEM;
	}
	if (options)
		m->options = *options;
	m->options.storm_rate = m->options.storm_rate ? m->options.storm_rate : STORM_RATE;
	m->options.storm_successive = m->options.storm_successive ? m->options.storm_successive : STORM_SUCCESSIVE;
	m->options.lost_ns = m->options.lost_ns ? m->options.lost_ns : LOST_NS;
	*ret = m;
	return 0;
}

void monitor_destroy(struct monitor *m)
{
	for (uint32_t i = 0; m && i < m->ids; i++) {
		for (unsigned int v = 0; m->vcpus[i] && v < MONITOR_VECTORS; v++)
			free(m->vcpus[i]->rows[v]);
		free(m->vcpus[i]);
	}
	if (m)
		free(m->vcpus);
	free(m);
}

/* ---- tables ---- */

struct vcpu *monitor_vcpu(struct monitor *m, uint64_t id)
{
	struct vcpu **at = id < MONITOR_VCPUS_MAX ? &m->vcpus[id] : NULL;

	if (at && !*at)
		*at = calloc(1, sizeof(struct vcpu));
	if (!at || !*at) {
		m->totals.untabled++;
		return NULL;
	}
	(*at)->pub.id = (uint32_t)id;
	if (id >= m->ids)
		m->ids = (uint32_t)id + 1;
	return *at;
}

struct row *monitor_row(struct monitor *m, struct vcpu *v, uint8_t vector)
{
	struct row *r = v->rows[vector];

	if (r)
		return r;
	r = m->nrows < MONITOR_ROWS_MAX ? calloc(1, sizeof(*r)) : NULL;
	if (!r) {
		m->totals.untabled++;
		return NULL;
	}
	m->nrows++;
	r->pub.vcpu = v->pub.id;
	r->pub.vector = vector;
	r->pub.pin = -1;
	v->rows[vector] = r;
	return r;
}

void monitor_lost(struct monitor *m, uint64_t n)
{
	m->totals.lost += n;
	if (!n)
		return;
	for (uint32_t i = 0; i < m->ids; i++)
		if (m->vcpus[i])
			step_forget(m->vcpus[i]);
	for (unsigned int i = 0; i < THREAD_SETS * THREAD_WAYS; i++)
		m->threads[i / THREAD_WAYS][i % THREAD_WAYS].cause = CAUSE_NONE;
	memset(m->pin_waits, 0, sizeof(m->pin_waits));
}

void monitor_interval(struct monitor *m, uint64_t now)
{
	double seconds = m->interval && now > m->interval ? (double)(now - m->interval) / 1e9 : 0;

	for (uint32_t i = 0; i < m->ids; i++) {
		for (unsigned int v = 0; m->vcpus[i] && v < MONITOR_VECTORS; v++) {
			struct row *r = m->vcpus[i]->rows[v];

			if (!r)
				continue;
			r->pub.rate = seconds > 0 ? (double)(r->pub.accepted - r->accepted_before) / seconds : 0;
			r->accepted_before = r->pub.accepted;
			r->pub.storming = judge_storms(r, now);
		}
	}
	m->interval = now;
}

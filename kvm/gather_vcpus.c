/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPUs, list by list. What is asked of one stands in the list in the order in which it must be made. */
#include <errno.h>
#include <string.h>

#include "apic/lapic_rows.h"
#include "base/monotonic.h"
#include "kvm/extensions_priv.h"
#include "kvm/gather_priv.h"
#include "kvm/timer_priv.h"

#define MSR_TSC_DEADLINE 0x6e0

/* ask: puts calls at v->calls; returns how many. take: their answers into the state. */
typedef unsigned int ask_fn(const struct gather *g, unsigned int vcpu, struct gather_vcpu *v);
typedef int take_fn(const struct gather *g, unsigned int vcpu, struct gather_vcpu *v);

static struct kvm_port_call call_of(unsigned int vcpu, unsigned long request, void *arg, size_t size)
{
	return (struct kvm_port_call){ .target = KVM_TARGET_VCPU, .vcpu = vcpu, .request = request, .arg = arg, .size = size };
}

/*
 * One list for @*n vCPUs from @first on. Return: 0, or what taking the answers of one returned: *@n is then how many came
 * before that one.
 */
static int one_list(const struct gather *g, unsigned int first, unsigned int *n, ask_fn *ask, take_fn *take)
{
	struct kvm_port_call *end = g->calls;
	int rc = 0;

	for (unsigned int i = 0; i < *n; i++) {
		g->vcpus[i].calls = end;
		end += ask(g, first + i, &g->vcpus[i]);
	}
	kvm_list(g->port, g->calls, (size_t)(end - g->calls), KVM_LIST_ALL);
	for (unsigned int i = 0; i < *n; i++) {
		rc = take(g, first + i, &g->vcpus[i]);
		if (rc)
			*n = i;
	}
	return rc;
}

static unsigned int some(const struct gather *g, unsigned int first)
{
	unsigned int left = g->port->nvcpus - first;

	return left < GATHER_VCPUS ? left : GATHER_VCPUS;
}

static int all_lists(const struct gather *g, ask_fn *ask, take_fn *take)
{
	int rc = 0;

	for (unsigned int first = 0; first < g->port->nvcpus && !rc; first += GATHER_VCPUS) {
		unsigned int n = some(g, first);

		rc = one_list(g, first, &n, ask, take);
	}
	return rc;
}

/* The answer of a call by its plan. */
static int take(const struct gather *g, unsigned int i, const struct kvm_port_call *c, const struct abi_plan *plan,
		const char *what)
{
	if (c->result < 0)
		return gather_failed(g, c->result, what, i);
	abi_plan_get(plan, c->arg, &g->state->lapics[i]);
	return 0;
}

int gather_page(const struct gather *g, unsigned int vcpu)
{
	struct kvm_lapic_state page;
	struct kvm_port_call c = call_of(vcpu, KVM_GET_LAPIC, &page, sizeof(page));

	c.result = kvm_vcpu(g->port, vcpu, c.request, c.arg, c.size);
	return take(g, vcpu, &c, &g->lapic, "KVM_GET_LAPIC");
}

/* ---- mp_state ---- */

static unsigned int ask_mp_state(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	(void)g;
	v->calls[0] = call_of(i, KVM_GET_MP_STATE, &v->mp_state, sizeof(v->mp_state));
	return 1;
}

static int take_mp_state(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	return take(g, i, &v->calls[0], &g->mp_state, "KVM_GET_MP_STATE");
}

int gather_mp_states(const struct gather *g)
{
	return all_lists(g, ask_mp_state, take_mp_state);
}

/* ---- registers, MSRs, LAPIC ---- */

static struct kvm_port_call msrs_call(const struct gather *g, unsigned int i, unsigned int first, struct msr_list *list)
{
	unsigned int n = g->nmsrs - first;
	size_t size = sizeof(list->head) + n * sizeof(list->entries[0]);

	memset(list, 0, size);
	list->head.nmsrs = n;
	for (unsigned int m = 0; m < n; m++)
		list->entries[m].index = g->msrs[first + m]->abi_at;
	return call_of(i, KVM_GET_MSRS, list, size);
}

/* In which state the timer's page was read before says at which time this one was: see kvm_timer_merge_count(). */
static bool is_timed(const struct gather *g, const struct lapic_state *s)
{
	return g->options.settle && lapic_timer_mode(s) == LAPIC_TIMER_PERIODIC;
}

enum { SREGS,
       REGS,
       TSC_KHZ,
       MSRS };

static unsigned int ask_vcpu(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	unsigned int n = 3;

	v->calls[SREGS] = call_of(i, KVM_GET_SREGS, &v->sregs, sizeof(v->sregs));
	v->calls[REGS] = call_of(i, KVM_GET_REGS, &v->regs, sizeof(v->regs));
	v->calls[TSC_KHZ] = call_of(i, KVM_GET_TSC_KHZ, NULL, 0);
	if (g->nmsrs)
		v->calls[n++] = msrs_call(g, i, 0, &v->msrs);
	v->page_asked = g->probe->mode != IRQCHIP_NONE && !is_timed(g, &g->state->lapics[i]);
	if (v->page_asked)
		v->calls[n++] = call_of(i, KVM_GET_LAPIC, &v->page, sizeof(v->page));
	return n;
}

/* As the events say it later: take_lapic() looks at it. */
static void take_injected(struct lapic_state *s, const struct kvm_sregs *sregs)
{
	s->interrupt_injected = -1;
	for (int i = 0; i < 4; i++)
		if (sregs->interrupt_bitmap[i])
			s->interrupt_injected = i * 64 + __builtin_ctzll(sregs->interrupt_bitmap[i]);
	lapic_set_known(s, LAPIC_KNOWN_INTERRUPT_INJECTED, true);
}

static int take_registers(const struct gather *g, unsigned int i, const struct gather_vcpu *v)
{
	struct lapic_state *s = &g->state->lapics[i];
	int khz = v->calls[TSC_KHZ].result, rc;

	rc = take(g, i, &v->calls[SREGS], &g->sregs, "KVM_GET_SREGS");
	if (!rc)
		rc = take(g, i, &v->calls[REGS], &g->regs, "KVM_GET_REGS");
	if (rc)
		return rc;
	if (lapic_knows(s, LAPIC_KNOWN_APIC_BASE))
		take_injected(s, &v->sregs);
	/* -EIO where the frequency of the host's TSC is not constant: not known then */
	if (khz > 0) {
		s->tsc_khz = khz;
		lapic_set_known(s, LAPIC_KNOWN_TSC_KHZ, true);
	}
	return 0;
}

/* KVM_GET_MSRS stops at the first register that it does not have: go on behind that one; the page must come later then. */
static int take_msrs(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	struct kvm_port_call again, *c = &v->calls[MSRS];

	for (unsigned int first = 0; first < g->nmsrs;) {
		unsigned int got;

		if (c->result < 0)
			return gather_failed(g, c->result, "KVM_GET_MSRS", i);
		got = (unsigned int)c->result;
		for (unsigned int m = 0; m < got; m++)
			reg_set(g->msrs[first + m], &g->state->lapics[i], 0, v->msrs.entries[m].data);
		first += got + 1;
		if (first >= g->nmsrs)
			break;
		v->page_asked = false;
		again = msrs_call(g, i, first, &v->msrs);
		again.result = kvm_vcpu(g->port, i, again.request, again.arg, again.size);
		c = &again;
	}
	return 0;
}

static int take_lapic(const struct gather *g, unsigned int i, const struct gather_vcpu *v)
{
	struct lapic_state *s = &g->state->lapics[i];
	const struct kvm_timer_before before = kvm_timer_before(s, s->initial_count_load_time);
	int rc;

	if (v->page_asked)
		rc = take(g, i, &v->calls[g->nmsrs ? MSRS + 1 : MSRS], &g->lapic, "KVM_GET_LAPIC");
	else
		rc = gather_page(g, i);
	if (!rc && g->options.settle)
		kvm_timer_merge_count(s, &before, monotonic_ns(), gather_bus_cycle(g));
	s->initial_count_load_time = 0;
	return rc;
}

static void name_id(struct lapic_state *s, uint32_t id)
{
	s->initial_id = id;
	lapic_set_known(s, LAPIC_KNOWN_INITIAL_ID, true);
	if (lapic_reg_known(s, LAPIC_ID) && lapic_x2apic(s))
		lapic_set_reg(s, LAPIC_ID, id << 24);
}

static int take_vcpu(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	int rc = take_registers(g, i, v);

	if (!rc)
		rc = take_msrs(g, i, v);
	if (!rc && g->probe->mode != IRQCHIP_NONE)
		rc = take_lapic(g, i, v);
	if (!rc)
		name_id(&g->state->lapics[i], g->port->vcpu_ids[i]);
	return rc;
}

/* The deadline again, behind the page: a timer can run out between the two. */
static unsigned int ask_deadline(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	const struct lapic_state *s = &g->state->lapics[i];

	if (lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE || !lapic_knows(s, LAPIC_KNOWN_TSC_DEADLINE)) {
		v->calls = NULL;
		return 0;
	}
	v->msrs.head = (struct kvm_msrs){ .nmsrs = 1 };
	v->msrs.entries[0] = (struct kvm_msr_entry){ .index = MSR_TSC_DEADLINE };
	v->calls[0] = call_of(i, KVM_GET_MSRS, &v->msrs, sizeof(v->msrs.head) + sizeof(v->msrs.entries[0]));
	return 1;
}

static int take_deadline(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	struct lapic_state *s = &g->state->lapics[i];
	int got;

	if (!v->calls)
		return 0;
	got = v->calls[0].result;
	if (got < 1)
		return gather_failed(g, got ? got : -EINVAL, "KVM_GET_MSRS 0x6e0", i);
	kvm_timer_merge_deadline(s, s->tsc_deadline, v->msrs.entries[0].data);
	return 0;
}

/* What failed first is what the vCPU with the lowest index failed in. */
int gather_vcpus(const struct gather *g)
{
	int rc = 0, before;

	for (unsigned int first = 0; first < g->port->nvcpus && !rc; first += GATHER_VCPUS) {
		unsigned int n = some(g, first);

		rc = one_list(g, first, &n, ask_vcpu, take_vcpu);
		before = g->probe->mode == IRQCHIP_NONE ? 0 : one_list(g, first, &n, ask_deadline, take_deadline);
		if (before)
			rc = before;
	}
	return rc;
}

/* ---- events ---- */

static unsigned int ask_events(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	(void)g;
	memset(&v->events, 0, sizeof(v->events));
	v->calls[0] = call_of(i, KVM_GET_VCPU_EVENTS, &v->events, sizeof(v->events));
	return 1;
}

static int take_events(const struct gather *g, unsigned int i, struct gather_vcpu *v)
{
	struct lapic_state *s = &g->state->lapics[i];
	uint32_t flags = v->events.flags;
	int rc = take(g, i, &v->calls[0], &g->events, "KVM_GET_VCPU_EVENTS");

	if (rc || !lapic_knows(s, LAPIC_KNOWN_EXCEPTION_NR)) /* a partial gather goes on without them */
		return rc;
	lapic_set_known(s, LAPIC_KNOWN_SIPI_VECTOR, flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR);
	lapic_set_known(s, LAPIC_KNOWN_INTERRUPT_SHADOW, flags & KVM_VCPUEVENT_VALID_SHADOW);
	lapic_set_known(s, LAPIC_KNOWN_TRIPLE_FAULT, flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	return 0;
}

int gather_events(const struct gather *g)
{
	return all_lists(g, ask_events, take_events);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/gather_priv.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "apic/lapic_rows.h"
#include "kvm/extensions_priv.h"
#include "kvm/timer_priv.h"

#define MSR_TSC_DEADLINE 0x6e0

/* How long an interrupt of the host's timer may be on its way. */
#define LATE_NS 200000

struct msr_list {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[MSRS_MAX];
};

/* Where the process has ended, nothing that follows will be known either. */
static bool forgiven(const struct gather *g, int rc)
{
	return g->options.partial && rc != -ESRCH;
}

static int failed(const struct gather *g, int rc, const char *what, unsigned int vcpu)
{
	return forgiven(g, rc) ? 0 : irqs_fail_errno(g->err, -rc, "vcpu[%u]: %s", vcpu, what);
}

int gather_failed_vm(const struct gather *g, int rc, const char *what)
{
	return forgiven(g, rc) ? 0 : irqs_fail_errno(g->err, -rc, "%s", what);
}

/* One structure of one vCPU, by its plan. */
static int take(const struct gather *g, unsigned int i, const struct abi_plan *plan, unsigned long request,
		void *data, size_t size, const char *what)
{
	int rc = kvm_vcpu(g->port, i, request, data, size);

	if (rc < 0)
		return failed(g, rc, what, i);
	abi_plan_get(plan, data, &g->state->lapics[i]);
	return 0;
}

static int take_page(const struct gather *g, unsigned int i)
{
	struct kvm_lapic_state page;

	return take(g, i, &g->lapic, KVM_GET_LAPIC, &page, sizeof(page), "KVM_GET_LAPIC");
}

static int check_run(const struct gather *g, unsigned int i)
{
	const struct kvm_run *run = g->options.runs ? g->options.runs[i] : NULL;

	if (!run || run->immediate_exit)
		return 0;
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
	case KVM_EXIT_MMIO:
	case KVM_EXIT_HYPERCALL:
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		irqs_fail(g->err, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
			  "vcpu[%u]: waits for user space, exit reason %u: complete it by a KVM_RUN first", i,
			  run->exit_reason);
		return -EBUSY;
	default:
		return 0;
	}
}

int64_t gather_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t bus_cycle(const struct gather *g)
{
	return g->options.bus_cycle_ns ? g->options.bus_cycle_ns : 1;
}

static int let_settle(const struct gather *g, unsigned int i)
{
	int rc = g->options.settle(g->port, i);

	return rc < 0 ? failed(g, rc, "letting timers settle", i) : 0;
}

/* What the page said before, and when, is left in the state for take_lapic(). */
static int settle(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	int rc;

	s->initial_count_load_time = gather_now_ns();
	rc = take_page(g, i);
	return rc ? rc : let_settle(g, i);
}

/* One sleep for all vCPUs: an interrupt that is on its way takes microseconds, or some ten times that in a VM. */
static int settle_late(const struct gather *g)
{
	const struct timespec nap = { .tv_nsec = LATE_NS };
	bool slept = false;
	int rc = 0;

	for (unsigned int i = 0; i < g->port->nvcpus && !rc; i++) {
		if (!kvm_timer_may_be_late(&g->state->lapics[i]))
			continue;
		if (!slept)
			nanosleep(&nap, NULL);
		slept = true;
		rc = let_settle(g, i);
	}
	return rc;
}

static int take_mp_state(const struct gather *g, unsigned int i)
{
	struct kvm_mp_state mp;

	return take(g, i, &g->mp_state, KVM_GET_MP_STATE, &mp, sizeof(mp), "KVM_GET_MP_STATE");
}

/* KVM_GET_MSRS stops at the first register that it does not have: go on behind that one. */
static int take_msrs(const struct gather *g, unsigned int i)
{
	struct msr_list list;

	for (unsigned int first = 0; first < g->nmsrs;) {
		unsigned int n = g->nmsrs - first;
		int got;

		memset(&list, 0, sizeof(list.head) + n * sizeof(list.entries[0]));
		list.head.nmsrs = n;
		for (unsigned int m = 0; m < n; m++)
			list.entries[m].index = g->msrs[first + m]->abi_at;
		got = kvm_vcpu(g->port, i, KVM_GET_MSRS, &list, sizeof(list.head) + n * sizeof(list.entries[0]));
		if (got < 0)
			return failed(g, got, "KVM_GET_MSRS", i);
		for (int m = 0; m < got; m++)
			reg_set(g->msrs[first + (unsigned int)m], &g->state->lapics[i], 0, list.entries[m].data);
		first += (unsigned int)got + 1;
	}
	return 0;
}

/* The deadline again, behind the page: a timer can run out between the two. */
static int take_deadline(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	struct msr_list list = { .head.nmsrs = 1, .entries[0].index = MSR_TSC_DEADLINE };
	int got;

	if (lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE || !lapic_knows(s, LAPIC_KNOWN_TSC_DEADLINE))
		return 0;
	got = kvm_vcpu(g->port, i, KVM_GET_MSRS, &list, sizeof(list.head) + sizeof(list.entries[0]));
	if (got < 1)
		return failed(g, got ? got : -EINVAL, "KVM_GET_MSRS 0x6e0", i);
	kvm_timer_merge_deadline(s, s->tsc_deadline, list.entries[0].data);
	return 0;
}

static void name_id(struct lapic_state *s, uint32_t id)
{
	s->initial_id = id;
	lapic_set_known(s, LAPIC_KNOWN_INITIAL_ID, true);
	if (lapic_reg_known(s, LAPIC_ID) && lapic_x2apic(s))
		lapic_set_reg(s, LAPIC_ID, id << 24);
}

static int take_lapic(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	const struct kvm_timer_before before = kvm_timer_before(s, s->initial_count_load_time);
	int rc = take_page(g, i);

	if (!rc)
		rc = take_deadline(g, i);
	if (!rc && g->options.settle)
		kvm_timer_merge_count(s, &before, gather_now_ns(), bus_cycle(g));
	s->initial_count_load_time = 0;
	return rc;
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

static int take_registers(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int khz, rc;

	rc = take(g, i, &g->sregs, KVM_GET_SREGS, &sregs, sizeof(sregs), "KVM_GET_SREGS");
	if (!rc)
		rc = take(g, i, &g->regs, KVM_GET_REGS, &regs, sizeof(regs), "KVM_GET_REGS");
	if (rc)
		return rc;
	if (lapic_knows(s, LAPIC_KNOWN_APIC_BASE))
		take_injected(s, &sregs);
	khz = kvm_vcpu(g->port, i, KVM_GET_TSC_KHZ, NULL, 0);
	/* -EIO where the frequency of the host's TSC is not constant: not known then */
	if (khz > 0) {
		s->tsc_khz = khz;
		lapic_set_known(s, LAPIC_KNOWN_TSC_KHZ, true);
	}
	return 0;
}

static int take_vcpu(const struct gather *g, unsigned int i)
{
	int rc = take_registers(g, i);

	if (!rc)
		rc = take_msrs(g, i);
	if (!rc && g->probe->mode != IRQCHIP_NONE)
		rc = take_lapic(g, i);
	if (!rc)
		name_id(&g->state->lapics[i], g->port->vcpu_ids[i]);
	return rc;
}

static int take_events(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	struct kvm_vcpu_events events;
	int rc;

	memset(&events, 0, sizeof(events));
	rc = take(g, i, &g->events, KVM_GET_VCPU_EVENTS, &events, sizeof(events), "KVM_GET_VCPU_EVENTS");
	if (rc || !lapic_knows(s, LAPIC_KNOWN_EXCEPTION_NR)) /* a partial gather goes on without them */
		return rc;
	lapic_set_known(s, LAPIC_KNOWN_SIPI_VECTOR, events.flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR);
	lapic_set_known(s, LAPIC_KNOWN_INTERRUPT_SHADOW, events.flags & KVM_VCPUEVENT_VALID_SHADOW);
	lapic_set_known(s, LAPIC_KNOWN_TRIPLE_FAULT, events.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT);
	return 0;
}

typedef int take_fn(const struct gather *g, unsigned int vcpu);

static int each(const struct gather *g, take_fn *fn)
{
	int rc = 0;

	for (unsigned int i = 0; i < g->port->nvcpus && !rc; i++)
		rc = fn(g, i);
	return rc;
}

static int settle_all(const struct gather *g)
{
	int rc = each(g, settle);

	return rc ? rc : settle_late(g);
}

static int take_all(const struct gather *g)
{
	int rc = each(g, check_run);

	if (!rc && g->options.settle && g->probe->mode != IRQCHIP_NONE)
		rc = settle_all(g);
	if (!rc && !g->options.no_mp_state)
		rc = each(g, take_mp_state);
	if (!rc)
		rc = gather_chips(g);
	if (!rc)
		rc = each(g, take_vcpu);
	if (!rc)
		rc = gather_clock(g);
	if (!rc)
		rc = each(g, take_events);
	for (unsigned int i = 0; i < g->port->nvcpus && !rc && g->probe->mode != IRQCHIP_NONE; i++)
		kvm_gather_timer(&g->state->lapics[i], bus_cycle(g), g->options.settle != NULL);
	return rc;
}

static void plan(struct gather *g)
{
	const struct reg_row *row = NULL;

	abi_plan_init(&g->lapic, &lapic_chip, REG_ABI_LAPIC);
	abi_plan_init(&g->regs, &lapic_chip, REG_ABI_REGS);
	abi_plan_init(&g->sregs, &lapic_chip, REG_ABI_SREGS);
	abi_plan_init(&g->events, &lapic_chip, REG_ABI_EVENTS);
	abi_plan_init(&g->mp_state, &lapic_chip, REG_ABI_MP_STATE);
	for (unsigned int i = 0; (row = abi_msr(&lapic_chip, row)); i++)
		if (g->probe->msrs >> i & 1 && g->nmsrs < MSRS_MAX)
			g->msrs[g->nmsrs++] = row;
}

/* Nothing of an earlier gather stays known; what the caller declares does. */
static void clear(struct irqchip_state *s, unsigned int nlapics, enum irqchip_mode mode)
{
	memset(s->lapics, 0, nlapics * sizeof(s->lapics[0]));
	memset(&s->ioapic, 0, sizeof(s->ioapic));
	memset(s->pics, 0, sizeof(s->pics));
	memset(&s->pit, 0, sizeof(s->pit));
	memset(&s->clock, 0, sizeof(s->clock));
	s->nlapics = nlapics;
	s->mode = mode;
}

int kvm_gather(struct kvm_port *port, const struct kvm_probe *probe, const struct kvm_gather_options *options,
	       struct irqchip_state *state, struct irqs_error *reterr)
{
	struct gather g = { .port = port, .probe = probe, .state = state, .err = reterr };
	struct kvm_probe asked;
	int rc;

	if (options)
		g.options = *options;
	if (!probe) {
		rc = kvm_probe_vm(port, &asked, reterr);
		if (rc)
			return rc;
		g.probe = &asked;
	}
	clear(state, port->nvcpus, g.probe->mode);
	plan(&g);
	return take_all(&g);
}

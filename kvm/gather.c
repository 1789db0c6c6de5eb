/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/gather_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apic/lapic_rows.h"
#include "base/monotonic.h"
#include "kvm/extensions_priv.h"
#include "kvm/timer_priv.h"

/* How long an interrupt of the host's timer may be on its way. */
#define LATE_NS 200000

/* Where the process has ended, nothing that follows will be known either. */
static bool forgiven(const struct gather *g, int rc)
{
	return g->options.partial && rc != -ESRCH;
}

int gather_failed(const struct gather *g, int rc, const char *what, unsigned int vcpu)
{
	return forgiven(g, rc) ? 0 : irqs_fail_errno(g->err, -rc, "vcpu[%u]: %s", vcpu, what);
}

int gather_failed_vm(const struct gather *g, int rc, const char *what)
{
	return forgiven(g, rc) ? 0 : irqs_fail_errno(g->err, -rc, "%s", what);
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

uint32_t gather_bus_cycle(const struct gather *g)
{
	return g->options.bus_cycle_ns ? g->options.bus_cycle_ns : 1;
}

static int let_settle(const struct gather *g, unsigned int i)
{
	int rc = g->options.settle(g->port, i);

	return rc < 0 ? gather_failed(g, rc, "letting timers settle", i) : 0;
}

/* What the page said before, and when, is left in the state for gather_vcpus(). */
static int settle(const struct gather *g, unsigned int i)
{
	struct lapic_state *s = &g->state->lapics[i];
	int rc;

	s->initial_count_load_time = monotonic_ns();
	rc = gather_page(g, i);
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

typedef int each_fn(const struct gather *g, unsigned int vcpu);

static int each(const struct gather *g, each_fn *fn)
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
		rc = gather_mp_states(g);
	if (!rc)
		rc = gather_chips(g);
	if (!rc)
		rc = gather_vcpus(g);
	if (!rc)
		rc = gather_clock(g);
	if (!rc)
		rc = gather_events(g);
	for (unsigned int i = 0; i < g->port->nvcpus && !rc && g->probe->mode != IRQCHIP_NONE; i++)
		kvm_gather_timer(&g->state->lapics[i], gather_bus_cycle(g), g->options.settle != NULL);
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

/* Room for the largest list. */
static int make_room(struct gather *g)
{
	size_t n = g->port->nvcpus < GATHER_VCPUS ? g->port->nvcpus : GATHER_VCPUS;

	g->vcpus = malloc(n * (sizeof(*g->vcpus) + GATHER_CALLS_MAX * sizeof(*g->calls)) + 1);
	if (!g->vcpus)
		return irqs_fail_nomem(g->err);
	g->calls = (struct kvm_port_call *)(g->vcpus + n);
	return 0;
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
	rc = make_room(&g);
	if (!rc)
		rc = take_all(&g);
	free(g.vcpus);
	return rc;
}

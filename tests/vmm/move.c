/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The point of it all: the controllers of a running machine leave KVM, or enter it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "apic/snapshot.h"
#include "kvm/restore.h"
#include "tests/vmm/engine.h"

/* A vCPU that is never done with the exits it makes while it is to stand still. */
#define MAX_SETTLES 16

#define EFLAGS_IF 0x200

struct migration {
	struct vmm *v;
	struct kvm_side *old, *new;
	struct irqchip_state from, to;
	struct move_target target;
	struct move_report report;
	struct pit_model_extra pit;
	struct cpu_state cpus[VMM_MAX_CPUS];
	bool spoilt; /* the old VM cannot go on */
};

/* ---- out of the old VM ---- */

/* Exits that are due before the guest executes again: an EOI for the IOAPIC among them. */
static int settle(struct kvm_port *port, unsigned int cpu)
{
	struct kvm_side *side = (struct kvm_side *)port;
	struct vcpu *c = &side->vmm->cpus[cpu];
	int rc = -EALREADY;

	side->runs[cpu]->request_interrupt_window = 0;
	side->runs[cpu]->immediate_exit = 0;
	for (unsigned int i = 0; i < MAX_SETTLES && rc == -EALREADY; i++) {
		rc = kvm_own_settle(port, cpu);
		if (rc == -EALREADY && vcpu_handle_exit(c, NULL))
			return -EIO;
	}
	return rc;
}

/* The timers of LAPICs that were read one after the other, as they all are now. */
static void agree_on_now(struct migration *m)
{
	clock_stop(m->v);
	for (unsigned int i = 0; i < m->old->ncpus; i++) {
		struct lapic_state *s = &m->from.lapics[i];
		uint64_t since = (uint64_t)(timer_host_ns() - m->old->lapic_read_at[i]), left = s->timer_remaining_ns;

		if (reg_known(lapic_member("timer_remaining"), s, 0) && lapic_timer_mode(s) != LAPIC_TIMER_TSC_DEADLINE)
			s->timer_remaining_ns = left > since ? left - since : 0;
	}
}

static int read_old(struct migration *m, struct irqs_error *reterr)
{
	struct kvm_gather_options options = { .settle = settle };
	struct kvm_side *old = m->old;
	int rc = 0;

	for (unsigned int i = 0; i < old->ncpus && old->mode == VMM_USERSPACE && !rc; i++)
		rc = vcpu_take_events(old, i);
	if (rc)
		return irqs_fail_errno(reterr, -rc, "events of the vCPUs");
	if (old->mode == VMM_KERNEL)
		kernel_pit_flush(old);
	rc = kvm_gather(&old->own.port, &old->probe, &options, &m->from, reterr);
	if (!rc && old->mode != VMM_USERSPACE)
		agree_on_now(m);
	if (!rc && old->mode != VMM_KERNEL)
		rc = irqchip_model_get(&old->model, &m->from, &m->pit);
	m->from.lines = m->v->lines;
	for (unsigned int i = 0; i < old->ncpus && !rc; i++)
		rc = cpu_state_get(old, i, &m->cpus[i], reterr);
	return rc;
}

/*
 * Split: whether KVM still holds the vector of a PIC that it was given, no ioctl says; but it takes no second one. From
 * here on the old VM may hold one that nobody sent.
 */
static void find_external(struct migration *m)
{
	struct kvm_interrupt probe = { .irq = 0xff };

	for (unsigned int i = 0; i < m->old->ncpus && m->old->mode == VMM_SPLIT; i++) {
		if (m->old->external[i] < 0)
			continue;
		m->spoilt = true;
		if (ioctl(m->old->vcpus[i], KVM_INTERRUPT, &probe) && errno == EEXIST)
			m->target.external_vector = (uint8_t)m->old->external[i];
	}
}

/* As a file or a socket would carry it to the new machine: as a snapshot (docs/snapshot.md). */
static int carry(struct migration *m, struct irqs_error *reterr)
{
	struct irqchip_state carried;
	struct vms_tree t;
	int rc = vms_tree_init(&t, reterr);

	if (rc)
		return rc;
	rc = snapshot_to_tree(&m->from, &t, reterr);
	if (!rc)
		rc = snapshot_from_tree(t.machine, &carried, reterr);
	vms_tree_deinit(&t);
	if (rc)
		return rc;
	irqchip_deinit(&m->from);
	m->from = carried;
	return 0;
}

/* ---- into the new one ---- */

static int transform(struct migration *m, struct irqs_error *reterr)
{
	int rc = kvm_move(&m->from, &m->target, &m->to, &m->report, reterr);

	if (m->old->mode == VMM_KERNEL)
		kernel_pit_end(m->old, &m->from, &m->to);
	/* The machine's routes are known to both sides, and in the new VM already. */
	m->to.nroutes = 0;
	return rc;
}

/* The PIT last: a tick of it would look like a difference. */
static int write_kvm(struct migration *m, struct irqs_error *reterr)
{
	struct kvm_restore_options options = { .parts = ~(uint32_t)(KVM_PART_PIT | KVM_PART_ROUTES) };
	struct kvm_port *port = &m->new->own.port;
	struct irqchip_state to = m->to;
	int rc;

	/* The VM was made with them; here they say which pins a line leads to. */
	to.routes = (struct irq_route *)irqchip_model_routes;
	to.nroutes = m->new->mode == VMM_KERNEL ? IRQCHIP_MODEL_ROUTES : 0;
	rc = kvm_restore(port, &m->new->probe, &options, &to, reterr);
	options.parts = KVM_PART_PIT;
	return rc ? rc : kvm_restore(port, &m->new->probe, &options, &to, reterr);
}

static int write_new(struct migration *m, struct irqs_error *reterr)
{
	struct kvm_side *new = m->new;
	int rc = 0;

	for (unsigned int i = 0; i < new->ncpus && !rc; i++)
		rc = cpu_state_set(new, i, &m->cpus[i], reterr);
	if (!rc)
		rc = write_kvm(m, reterr);
	for (unsigned int i = 0; i < new->ncpus; i++) {
		new->tsc_offset[i] = chips_read_tsc_offset(new->vcpus[i]);
		m->v->cpus[i].interruptible = m->cpus[i].regs.rflags & EFLAGS_IF;
	}
	timer_clear(m->v);
	if (!rc && new->mode == VMM_KERNEL)
		kernel_pit_begin(new, &m->to);
	if (rc || new->mode == VMM_KERNEL)
		return rc;
	m->to.lines = m->v->lines;
	return irqchip_model_set(&new->model, &m->to, m->old->mode == VMM_KERNEL ? NULL : &m->pit, reterr);
}

/* The models of the old VM run out as before. */
static void rearm_old(struct migration *m)
{
	struct irqs_error ignored;

	timer_clear(m->v);
	if (m->old->mode != VMM_KERNEL)
		irqchip_model_set(&m->old->model, &m->from, &m->pit, &ignored);
}

/* ---- the whole ---- */

static int make_room(struct migration *m, struct irqs_error *reterr)
{
	m->from.lapics = calloc(m->old->ncpus, sizeof(m->from.lapics[0]));
	m->to.lapics = calloc(m->old->ncpus, sizeof(m->to.lapics[0]));
	m->to.routes = calloc(MOVE_ROUTES, sizeof(m->to.routes[0]));
	return m->from.lapics && m->to.lapics && m->to.routes ? 0 : irqs_fail_nomem(reterr);
}

static void set_target(struct migration *m)
{
	m->target = (struct move_target){
		.mode = kvm_side_irqchip_mode(m->new->mode),
		.pit = true,
		.eoi_suppression = m->new->mode == VMM_SPLIT && m->new->probe.eoi_suppression,
		.x2apic = true,
		.tsc_deadline = true,
		.ioapic_version = IOAPIC_VERSION_11,
	};
}

static int migrate(struct migration *m, struct irqs_error *reterr)
{
	int rc = make_room(m, reterr);

	if (!rc)
		rc = read_old(m, reterr);
	if (!rc)
		rc = carry(m, reterr);
	if (rc)
		return rc;
	set_target(m);
	rc = transform(m, reterr); /* what is refused, is so before anything is spoilt */
	if (rc)
		return rc;
	find_external(m);
	if (m->target.external_vector)
		rc = transform(m, reterr);
	if (rc)
		return rc;
	if (m->v->on_move)
		m->v->on_move(m->v->hook_ctx, &m->from, &m->to, &m->report);
	rc = write_new(m, reterr);
	if (rc)
		rearm_old(m);
	return rc;
}

static void finish(struct migration *m)
{
	for (unsigned int i = 0; i < VMM_MAX_CPUS; i++)
		cpu_state_deinit(&m->cpus[i]);
	free(m->from.lapics);
	free(m->to.lapics);
	free(m->to.routes);
	free(m);
}

/* While all vCPUs stand still. */
static int change_sides(struct migration *m, struct irqs_error *reterr)
{
	struct vmm *v = m->v;
	int rc;

	m->old = v->side;
	if (v->on_stop)
		v->on_stop(v->hook_ctx, v->side);
	rc = migrate(m, reterr);
	if (!rc)
		v->side = m->new;
	if (rc && (rc != -EOPNOTSUPP || m->spoilt))
		vmm_fail(v, rc, reterr);
	return rc;
}

/* VMs are made and unmade while the guest runs: that takes longer than all the rest. */
int vmm_move(struct vmm *v, enum vmm_mode to, struct irqs_error *reterr)
{
	struct migration *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return irqs_fail_nomem(reterr);
	m->v = v;
	pthread_mutex_lock(&v->move_lock);
	rc = kvm_side_open(v, to, &m->new, reterr);
	if (!rc) {
		vmm_stop(v);
		rc = change_sides(m, reterr);
		vmm_go(v);
		kvm_side_close(rc ? m->new : m->old);
	}
	pthread_mutex_unlock(&v->move_lock);
	finish(m);
	return rc;
}

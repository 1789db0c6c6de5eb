/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vCPU's thread: what comes into the guest, when it runs, sleeps and stands still. */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>

#include "tests/vmm/engine.h"

void vcpu_kick(struct vmm *v, unsigned int cpu)
{
	struct vcpu *c = &v->cpus[cpu];

	pthread_cond_signal(&c->wake);
	if (!c->running)
		return;
	/* One of the two: it is before KVM_RUN, or in it. */
	v->side->runs[cpu]->immediate_exit = 1;
	pthread_kill(c->thread, VMM_KICK);
}

int vcpu_take_events(struct kvm_side *side, unsigned int cpu)
{
	struct irqchip_events e;
	int rc = 0;

	if (!irqchip_model_events(&side->model, cpu, &e))
		return 0;
	if (e.init)
		rc = cpu_reset(side, cpu);
	if (!rc && e.sipi >= 0)
		rc = cpu_start(side, cpu, (uint8_t)e.sipi);
	if (!rc && e.nmi && ioctl(side->vcpus[cpu], KVM_NMI))
		rc = -errno;
	return rc;
}

/* Return: 0; -EEXIST: KVM has one still. */
static int give(struct kvm_side *side, unsigned int cpu, int vector)
{
	struct kvm_interrupt interrupt = { .irq = (uint32_t)vector };

	return ioctl(side->vcpus[cpu], KVM_INTERRUPT, &interrupt) ? -errno : 0;
}

/* Split: KVM may hold a vector that the guest has not taken, and says so only when it gets another one. */
static int inject_pic(struct kvm_side *side, unsigned int cpu)
{
	int vector = irqchip_model_vector(&side->model), rc;

	if (vector < 0)
		return 0;
	rc = give(side, cpu, vector);
	if (rc)
		return rc == -EEXIST ? 0 : rc;
	side->external[cpu] = irqchip_model_acknowledge(&side->model, cpu);
	return 0;
}

/* An interrupt now if the CPU takes one, or an exit as soon as it does. */
static int inject(struct kvm_side *side, unsigned int cpu)
{
	struct kvm_run *run = side->runs[cpu];
	int vector, rc = 0;

	if (run->ready_for_interrupt_injection && side->mode == VMM_SPLIT) {
		rc = inject_pic(side, cpu);
	} else if (run->ready_for_interrupt_injection) {
		vector = irqchip_model_acknowledge(&side->model, cpu);
		rc = vector < 0 ? 0 : give(side, cpu, vector);
	}
	run->ready_for_interrupt_injection = 0;
	run->request_interrupt_window = irqchip_model_pending(&side->model, cpu);
	return rc;
}

/* All that must be done before the guest runs. Return: 1: it may; 0: it sleeps; -errno. */
static int prepare(struct vcpu *c)
{
	struct kvm_side *side = c->vmm->side;
	int rc = 0;

	if (side->mode == VMM_USERSPACE) {
		rc = vcpu_take_events(side, c->index);
		if (rc)
			return rc;
		if (irqchip_model_waits(&side->model, c->index, c->interruptible))
			return 0;
		side->runs[c->index]->cr8 = lapic_model_cr8(irqchip_model_lapic(&side->model, c->index));
	}
	if (side->mode != VMM_KERNEL)
		rc = inject(side, c->index);
	return rc ? rc : 1;
}

static void note_cr8(struct kvm_side *side, unsigned int cpu)
{
	struct lapic_model *l = irqchip_model_lapic(&side->model, cpu);

	if (side->runs[cpu]->cr8 != lapic_model_cr8(l))
		lapic_model_set_cr8(l, side->runs[cpu]->cr8);
}

/* KVM_RUN with the lock dropped. Return: 0: there is an exit to handle; -EINTR; -errno. */
static int run(struct vcpu *c)
{
	struct vmm *v = c->vmm;
	struct kvm_side *side = v->side;
	struct kvm_run *page = side->runs[c->index];
	int rc;

	page->immediate_exit = 0;
	c->running = true;
	pthread_mutex_unlock(&v->lock);
	rc = ioctl(side->vcpus[c->index], KVM_RUN, 0) ? -errno : 0;
	pthread_mutex_lock(&v->lock);
	c->running = false;
	c->unfinished = false;
	c->interruptible = page->if_flag;
	if (side->mode == VMM_USERSPACE)
		note_cr8(side, c->index);
	return rc;
}

/* What the guest asked for reaches its registers; the guest executes nothing. A string may ask for more. */
static int finish(struct vcpu *c, struct irqs_error *err)
{
	struct kvm_side *side = c->vmm->side;
	struct kvm_run *page = side->runs[c->index];
	int rc = 0;

	while (c->unfinished && !rc) {
		page->immediate_exit = 1;
		rc = ioctl(side->vcpus[c->index], KVM_RUN, 0) ? -errno : 0;
		c->unfinished = false;
		c->interruptible = page->if_flag;
		if (!rc)
			rc = vcpu_handle_exit(c, err);
	}
	return rc == -EINTR ? 0 : rc;
}

static int park(struct vcpu *c, struct irqs_error *err)
{
	struct vmm *v = c->vmm;
	int rc = finish(c, err);

	if (rc)
		return rc;
	v->parked++;
	pthread_cond_broadcast(&v->parked_cond);
	while (v->stopping)
		pthread_cond_wait(&v->go_cond, &v->lock);
	v->parked--;
	return 0;
}

/* One round. Return: 0, or -errno: the machine cannot go on. */
static int step(struct vcpu *c, struct irqs_error *err)
{
	struct vmm *v = c->vmm;
	int rc;

	if (v->stopping)
		return park(c, err);
	rc = prepare(c);
	if (rc < 0)
		return irqs_fail_errno(err, -rc, "vcpu[%u]: giving it what waits", c->index);
	if (!rc) {
		pthread_cond_wait(&c->wake, &v->lock);
		return 0;
	}
	rc = run(c);
	if (rc == -EINTR || rc == -EAGAIN)
		return 0;
	if (rc)
		return irqs_fail_errno(err, -rc, "vcpu[%u]: KVM_RUN", c->index);
	return vcpu_handle_exit(c, err);
}

void *vcpu_thread(void *arg)
{
	struct vcpu *c = arg;
	struct vmm *v = c->vmm;
	struct irqs_error err = { 0 };
	int rc = 0;

	pthread_mutex_lock(&v->lock);
	while (!v->quit && !rc)
		rc = step(c, &err);
	if (rc)
		vmm_fail(v, rc, &err);
	v->alive--;
	pthread_cond_broadcast(&v->parked_cond);
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

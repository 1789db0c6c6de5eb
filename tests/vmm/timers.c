/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The clock, and the timers of the models. */
#include <sys/prctl.h>
#include <time.h>

#include "tests/vmm/engine.h"

#define NS UINT64_C(1000000000)

int64_t timer_host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * (int64_t)NS + t.tv_nsec;
}

int64_t vmm_now_ns(const struct vmm *v)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&v->clock_lock;
	int64_t now;

	pthread_mutex_lock(lock);
	now = v->stopped_at >= 0 ? v->stopped_at : timer_host_ns() - v->clock_offset;
	pthread_mutex_unlock(lock);
	return now;
}

void timer_arm(struct vmm *v, unsigned int timer, int64_t at_ns)
{
	v->deadlines[timer] = at_ns;
	pthread_cond_signal(&v->timer_cond);
}

void timer_clear(struct vmm *v)
{
	for (unsigned int i = 0; i <= VMM_MAX_CPUS; i++)
		v->deadlines[i] = LAPIC_MODEL_NEVER;
}

static void expire(struct vmm *v, unsigned int timer)
{
	v->deadlines[timer] = LAPIC_MODEL_NEVER;
	if (v->side->mode == VMM_KERNEL)
		kernel_pit_tick(v->side);
	else
		irqchip_model_expired(&v->side->model, timer == VMM_MAX_CPUS ? IRQCHIP_MODEL_PIT : timer);
}

/* What is due; the time of what comes next. */
static int64_t expire_due(struct vmm *v)
{
	int64_t now = vmm_now_ns(v), next = LAPIC_MODEL_NEVER;

	for (unsigned int i = 0; i <= VMM_MAX_CPUS; i++)
		if (v->deadlines[i] <= now)
			expire(v, i);
	for (unsigned int i = 0; i <= VMM_MAX_CPUS; i++)
		if (v->deadlines[i] < next)
			next = v->deadlines[i];
	return next;
}

static void sleep_until(struct vmm *v, int64_t next)
{
	uint64_t at = (uint64_t)(next == LAPIC_MODEL_NEVER ? 0 : next + v->clock_offset);
	struct timespec until = { .tv_sec = (time_t)(at / NS), .tv_nsec = (long)(at % NS) };

	if (next == LAPIC_MODEL_NEVER)
		pthread_cond_wait(&v->timer_cond, &v->lock);
	else
		pthread_cond_timedwait(&v->timer_cond, &v->lock, &until);
}

void *timer_thread(void *arg)
{
	struct vmm *v = arg;

	prctl(PR_SET_TIMERSLACK, 1UL);
	pthread_mutex_lock(&v->lock);
	while (!v->quit)
		sleep_until(v, expire_due(v));
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/mover.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define MODES 3
#define NS_PER_S INT64_C(1000000000)

struct mover {
	struct mover_config c;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopping;
	bool stop;
	uint64_t random;
	unsigned int step;
};

/* Each way once: kernel, split, userspace, kernel, userspace, split, and kernel again. */
static const enum vmm_mode all_ways[] = { VMM_KERNEL, VMM_SPLIT, VMM_USERSPACE, VMM_KERNEL, VMM_USERSPACE, VMM_SPLIT };

#define ROUND (sizeof(all_ways) / sizeof(all_ways[0]))

enum vmm_mode mover_next(enum vmm_mode mode, unsigned int *step)
{
	while (all_ways[*step % ROUND] != mode)
		++*step;
	return all_ways[++*step % ROUND];
}

/* xorshift64*, Vigna 2016. */
static uint64_t draw(struct mover *m)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return m->random * UINT64_C(0x2545f4914f6cdd1d);
}

static enum vmm_mode choose(struct mover *m)
{
	if (!m->c.random)
		return mover_next(m->c.mode, &m->step);
	return (enum vmm_mode)(((unsigned int)m->c.mode + 1 + draw(m) % (MODES - 1)) % MODES);
}

/* Return: whether it goes on. */
static bool wait_for_next(struct mover *m)
{
	int64_t ns = m->c.random ? (int64_t)(draw(m) % ((uint64_t)m->c.every_ns * 2)) : m->c.every_ns;
	struct timespec until;
	bool go;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ns += until.tv_nsec;
	until.tv_sec += ns / NS_PER_S;
	until.tv_nsec = ns % NS_PER_S;
	pthread_mutex_lock(&m->lock);
	while (!m->stop && !pthread_cond_timedwait(&m->stopping, &m->lock, &until))
		;
	go = !m->stop;
	pthread_mutex_unlock(&m->lock);
	return go;
}

static void *move_thread(void *arg)
{
	struct mover *m = arg;

	while (wait_for_next(m)) {
		enum vmm_mode to = choose(m);

		if (!m->c.move(m->c.ctx, m->c.mode, to))
			m->c.mode = to;
	}
	return NULL;
}

int mover_start(const struct mover_config *c, struct mover **ret, struct irqs_error *reterr)
{
	struct mover *m = calloc(1, sizeof(*m));
	pthread_condattr_t monotonic;
	int rc;

	if (!m)
		return irqs_fail_nomem(reterr);
	m->c = *c;
	m->random = c->seed ? c->seed : 1; /* 0 would stay 0 */
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&m->stopping, &monotonic);
	pthread_condattr_destroy(&monotonic);
	rc = pthread_create(&m->thread, NULL, move_thread, m);
	if (rc) {
		free(m);
		return irqs_fail_errno(reterr, rc, "thread of the moves");
	}
	*ret = m;
	return 0;
}

void mover_stop(struct mover *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	m->stop = true;
	pthread_cond_signal(&m->stopping);
	pthread_mutex_unlock(&m->lock);
	pthread_join(m->thread, NULL);
	pthread_cond_destroy(&m->stopping);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

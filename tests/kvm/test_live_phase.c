/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a timer that was moved interrupts, against one whose machine was only stopped for a moment. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "live_vm.h"
#include "vm.h"

/* The two that are compared take turns, so that a host that others use is the same to both. */
#define BLOCK 15
#define BLOCKS_FULL 67     /* together over 1,000 */
#define PERIOD_NS 40000000 /* more than it takes to make a VM on a busy host */

/* Of medians. */
#define EARLY_NS 20000
#define LATER_NS 200000

#define ATTEMPTS 4

TestSuite(live_phase, .timeout = 3600);

static struct live_vm live;
static uint32_t shot; /* the one that is looked at */

static bool fired(const struct live_vm *l)
{
	return l->fired >= shot;
}

static bool armed(const struct live_vm *l)
{
	return l->armed >= shot;
}

/* Where to move in the middle of a period: enum vmm_mode, or nowhere: only stop. */
#define STAY (-1)

/* The clock goes on, as everything does that is not a vCPU. */
static void stop_for_a_moment(void)
{
	pthread_mutex_lock(&live.vmm->move_lock);
	vmm_stop(live.vmm);
	clock_start(live.vmm);
	vmm_go(live.vmm);
	pthread_mutex_unlock(&live.vmm->move_lock);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * How late an expiry is by the machine's clock, when in its middle @to is moved to. @first: nothing else interrupts
 * in between, so that it is also the first one in a VM that has not run a handler, nor has the handler's memory mapped.
 */
static int64_t late(enum vmm_mode from, int to, bool first)
{
	int64_t ns, behind = timer_host_ns() - vmm_now_ns(live.vmm);

	shot = live.armed + 1;
	cr_assert(live_vm_wait(&live, armed));
	if (to == STAY)
		stop_for_a_moment();
	else
		live_vm_move(&live, (enum vmm_mode)to);
	if (!first)
		live_vm_raise(&live);
	cr_assert(live_vm_wait(&live, fired));
	ns = live.shots[shot % LIVE_SHOTS].fired_at - live.shots[shot % LIVE_SHOTS].armed_at - PERIOD_NS;
	if (to != STAY)
		live_vm_move(&live, from);
	else if (from != VMM_USERSPACE) /* a timer in the kernel runs on while the machine's clock stands */
		ns += timer_host_ns() - vmm_now_ns(live.vmm) - behind;
	return ns;
}

/* One of what is compared: how late each was. */
struct lateness {
	enum vmm_mode from;
	int to;
	bool first;
	int64_t ns[BLOCK * BLOCKS_FULL];
	unsigned int n;
};

static void add_block(struct lateness *l)
{
	struct live_config config = {
		.mode = l->from, .ncpus = 1, .quiet = true, .tells = true, .first_timer = LIVE_ONE_SHOT, .period_ns = PERIOD_NS
	};

	live_vm_start(&live, &config);
	for (unsigned int i = 0; i < BLOCK; i++)
		l->ns[l->n++] = late(l->from, l->to, l->first);
	live_vm_end(&live);
}

static int64_t median(struct lateness *l)
{
	qsort(l->ns, l->n, sizeof(l->ns[0]), by_size);
	return l->ns[l->n / 2];
}

/* A host that others keep busy says nothing, and is asked again. */
static void compare(enum vmm_mode from, enum vmm_mode to, unsigned int blocks)
{
	static struct lateness moved, stopped, first;
	int64_t moved_ns = INT64_MAX, stopped_ns = 0;

	for (unsigned int i = 0; i < ATTEMPTS && moved_ns > stopped_ns + LATER_NS; i++) {
		moved = (struct lateness){ .from = from, .to = (int)to };
		stopped = (struct lateness){ .from = to, .to = STAY };
		first = (struct lateness){ .from = from, .to = (int)to, .first = true };
		for (unsigned int n = 0; n < blocks; n++) {
			add_block(&stopped);
			add_block(&moved);
			add_block(&first);
		}
		moved_ns = median(&moved);
		stopped_ns = median(&stopped);
		cr_expect_geq(moved_ns, -EARLY_NS);
	}
	printf("%s to %s: %.0f us late; stopped for a moment there: %.0f us; the first interrupt in the new VM: %.0f us\n",
	       live_mode_name(from), live_mode_name(to), (double)moved_ns / 1e3, (double)stopped_ns / 1e3,
	       (double)median(&first) / 1e3);
	fflush(stdout);
	cr_expect_leq(moved_ns, stopped_ns + LATER_NS);
}

Test(live_phase, a_moved_timer_interrupts_when_it_was_to, .init = vm_have_kvm)
{
	unsigned int blocks = getenv("IRQSHIFT_FULL") ? BLOCKS_FULL : 1;

	for (int from = VMM_KERNEL; from <= VMM_USERSPACE; from++)
		for (int to = VMM_KERNEL; to <= VMM_USERSPACE; to++)
			if (to != from)
				compare((enum vmm_mode)from, (enum vmm_mode)to, blocks);
}

/* ---- the PIT, whose phase the kernel keeps for itself ---- */

#define PIT_COUNT 47727 /* 40 ms */
#define PIT_MOVES 30
#define PIT_MOVES_FULL 1000
#define PIT_LOST 15 /* moves in which one may be missed */

static bool ticked(const struct live_vm *l)
{
	return l->shared->cpu[0].pit == shot;
}

/* By the machine's clock, from one tick on. */
static int64_t next_tick(void)
{
	shot = live.shared->cpu[0].pit + 1;
	cr_assert(live_vm_wait(&live, ticked));
	return vmm_now_ns(live.vmm);
}

/* Ticks that were missed; never are there too many. */
static int64_t missed(unsigned int moves, uint64_t *seed)
{
	struct live_config config = { .mode = VMM_USERSPACE, .ncpus = 1, .quiet = true, .pit_count = PIT_COUNT };
	struct pit_channel channel = { .mode = 2, .count = PIT_COUNT };
	int64_t period = (int64_t)pit_period_ns(&channel), begun, expected, ticks;
	uint32_t first;

	live_vm_start(&live, &config);
	begun = next_tick();
	first = shot;
	for (unsigned int i = 0; i < moves; i++) {
		live_sleep_us((unsigned int)(vm_random(seed) % 60000));
		live_vm_move(&live, (enum vmm_mode)((vmm_mode(live.vmm) + 1 + vm_random(seed) % 2) % 3));
	}
	expected = (next_tick() - begun + period / 2) / period;
	ticks = shot - first;
	live_vm_end(&live);
	printf("%lld ticks of %lld in %u moves\n", (long long)ticks, (long long)expected, moves);
	cr_expect_leq(ticks, expected);
	return expected - ticks;
}

Test(live_phase, the_pit_ticks_on_through_all_modes, .init = vm_have_kvm)
{
	unsigned int moves = getenv("IRQSHIFT_FULL") ? PIT_MOVES_FULL : PIT_MOVES;
	int64_t lost = INT64_MAX;
	uint64_t seed = vm_seed();

	/* A CPU that the host keeps from running for two periods misses one: no verdict. */
	for (unsigned int i = 0; i < ATTEMPTS && lost > moves / PIT_LOST; i++)
		lost = missed(moves, &seed);
	cr_expect_leq(lost, moves / PIT_LOST);
}

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
	clock_start(live.vmm, timer_host_ns());
	vmm_go(live.vmm);
	pthread_mutex_unlock(&live.vmm->move_lock);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void stop_or_move(int to)
{
	if (to == STAY)
		stop_for_a_moment();
	else
		live_vm_move(&live, (enum vmm_mode)to);
}

/* What is to be added to a time: a timer in the kernel ran on while the machine's clock stood. @behind: before the stop. */
static int64_t go_back(enum vmm_mode from, int to, int64_t behind)
{
	if (to != STAY)
		live_vm_move(&live, from);
	else if (from != VMM_USERSPACE)
		return timer_host_ns() - vmm_now_ns(live.vmm) - behind;
	return 0;
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
	stop_or_move(to);
	if (!first)
		live_vm_raise(&live);
	cr_assert(live_vm_wait(&live, fired));
	ns = live.shots[shot % LIVE_SHOTS].fired_at - live.shots[shot % LIVE_SHOTS].armed_at - PERIOD_NS;
	return ns + go_back(from, to, behind);
}

static int64_t late_one_shot(enum vmm_mode from, int to)
{
	return late(from, to, false);
}

static int64_t late_first(enum vmm_mode from, int to)
{
	return late(from, to, true);
}

/*
 * How far a tick is behind the periods that one before the move, and the move back, began. Both
 * are interrupts of the same mode, whose way to the guest is as long, and the second in their VM: the first finds the memory of
 * its handler not mapped yet.
 */
static int64_t late_tick(enum vmm_mode from, int to)
{
	int64_t ns, behind = timer_host_ns() - vmm_now_ns(live.vmm), added;
	uint32_t last;

	/* where another one was looked at before, that is the second in its VM */
	shot = 2;
	cr_assert(live_vm_wait(&live, fired));
	last = live.fired;
	stop_or_move(to);
	shot = live.fired + 1;
	cr_assert(live_vm_wait(&live, fired));
	added = go_back(from, to, behind);
	shot = live.fired + 2;
	cr_assert(live_vm_wait(&live, fired));
	ns = live.shots[shot % LIVE_SHOTS].fired_at - live.shots[last % LIVE_SHOTS].fired_at;
	return ns - (int64_t)(shot - last) * PERIOD_NS + added;
}

/* One of what is compared: how late each was. */
struct lateness {
	enum vmm_mode from;
	int to;
	enum live_timer timer;
	int64_t (*late)(enum vmm_mode from, int to);
	int64_t ns[BLOCK * BLOCKS_FULL];
	unsigned int n;
};

static void add_block(struct lateness *l)
{
	struct live_config config = {
		.mode = l->from, .ncpus = 1, .quiet = true, .tells = true, .first_timer = l->timer, .period_ns = PERIOD_NS
	};

	live_vm_start(&live, &config);
	for (unsigned int i = 0; i < BLOCK; i++)
		l->ns[l->n++] = l->late(l->from, l->to);
	live_vm_end(&live);
}

static int64_t median(struct lateness *l)
{
	qsort(l->ns, l->n, sizeof(l->ns[0]), by_size);
	return l->ns[l->n / 2];
}

/* @first: or NULL. A host that others keep busy says nothing, and is asked again. */
static void compare(struct lateness *moved, struct lateness *stopped, struct lateness *first)
{
	unsigned int blocks = getenv("IRQSHIFT_FULL") ? BLOCKS_FULL : 1;
	int64_t moved_ns = INT64_MAX, stopped_ns = 0;

	for (unsigned int i = 0; i < ATTEMPTS && moved_ns > stopped_ns + LATER_NS; i++) {
		moved->n = stopped->n = 0;
		for (unsigned int n = 0; n < blocks; n++) {
			add_block(stopped);
			add_block(moved);
			if (first && !i)
				add_block(first);
		}
		moved_ns = median(moved);
		stopped_ns = median(stopped);
		/* a tick is judged by one that was late itself */
		cr_expect_geq(moved_ns, moved->timer == LIVE_PERIODIC ? -LATER_NS : -EARLY_NS);
	}
	printf("%s to %s: %.0f us late; stopped for a moment there: %.0f us", live_mode_name(moved->from),
	       live_mode_name((enum vmm_mode)moved->to), (double)moved_ns / 1e3, (double)stopped_ns / 1e3);
	if (first)
		printf("; the first interrupt in the new VM: %.0f us", (double)median(first) / 1e3);
	printf("\n");
	fflush(stdout);
	cr_expect_leq(moved_ns, stopped_ns + LATER_NS);
}

static void compare_one_shots(enum vmm_mode from, enum vmm_mode to)
{
	static struct lateness moved, stopped, first;

	moved = (struct lateness){ .from = from, .to = (int)to, .timer = LIVE_ONE_SHOT, .late = late_one_shot };
	stopped = (struct lateness){ .from = to, .to = STAY, .timer = LIVE_ONE_SHOT, .late = late_one_shot };
	first = (struct lateness){ .from = from, .to = (int)to, .timer = LIVE_ONE_SHOT, .late = late_first };
	compare(&moved, &stopped, &first);
}

static void compare_ticks(enum vmm_mode from, enum vmm_mode to)
{
	static struct lateness moved, stopped;

	moved = (struct lateness){ .from = from, .to = (int)to, .timer = LIVE_PERIODIC, .late = late_tick };
	stopped = (struct lateness){ .from = from, .to = STAY, .timer = LIVE_PERIODIC, .late = late_tick };
	compare(&moved, &stopped, NULL);
}

static void each_move(void (*compare_move)(enum vmm_mode from, enum vmm_mode to))
{
	for (int from = VMM_KERNEL; from <= VMM_USERSPACE; from++)
		for (int to = VMM_KERNEL; to <= VMM_USERSPACE; to++)
			if (to != from)
				compare_move((enum vmm_mode)from, (enum vmm_mode)to);
}

Test(live_phase, a_moved_timer_interrupts_when_it_was_to, .init = vm_have_kvm)
{
	each_move(compare_one_shots);
}

Test(live_phase, a_periodic_timer_keeps_its_phase, .init = vm_have_kvm)
{
	each_move(compare_ticks);
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

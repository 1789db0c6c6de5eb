/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A running guest whose controllers move between kernel, split and user space: nothing lost, nothing doubled, nothing to
 * the wrong CPU. IRQSHIFT_FULL=1 is 1,000 of each move with each number of CPUs in each mode of the LAPICs.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "live_vm.h"
#include "vm.h"

#define MAX_CPUS 4
#define MOVES 12
#define MOVES_FULL 1000
#define MAX_PAUSE_US 2000

TestSuite(live_moves, .timeout = 7200);

static struct live_vm live;

static void begin(enum vmm_mode mode, unsigned int ncpus, bool x2apic)
{
	struct live_config config = {
		.mode = mode,
		.ncpus = ncpus,
		.x2apic = x2apic,
		.spins = 1 << 0 | 1 << 2, /* some run, some sleep */
		.first_timer = LIVE_ONE_SHOT + (ncpus + x2apic) % 3,
	};

	live_vm_start(&live, &config);
}

/* On a busy machine 50 ms are too few for all of them. */
#define RAISE_TRIES 20

static bool raised_all(void)
{
	return live.raised.edge && live.raised.level && live.raised.pic && live.raised.msi;
}

Test(live_moves, the_guest_counts_what_is_raised_in_each_mode, .init = vm_have_kvm)
{
	for (unsigned int n = 0; n < 3 * MAX_CPUS * 2; n++) {
		begin((enum vmm_mode)(n % 3), 1 + n / 3 % MAX_CPUS, n / 3 / MAX_CPUS);
		for (unsigned int i = 0; i < RAISE_TRIES && !raised_all(); i++) {
			live_vm_raise_begin(&live, n + i * 100);
			live_sleep_us(50000);
			live_vm_raise_end(&live);
		}
		live_vm_expect_exact(&live);
		cr_expect(raised_all());
		live_vm_end(&live);
	}
}

/* ---- random instants ---- */

struct tally {
	unsigned int moves[3][3];
	unsigned int total;
	int64_t ns; /* in vmm_move() */
};

/* One of the two that was taken less often, mostly. */
static enum vmm_mode choose(const struct tally *t, enum vmm_mode from, uint64_t *seed)
{
	enum vmm_mode a = (enum vmm_mode)((from + 1) % 3), b = (enum vmm_mode)((from + 2) % 3);
	bool first = t->moves[from][a] == t->moves[from][b] ? vm_random(seed) % 2
							    : t->moves[from][a] < t->moves[from][b];

	return first ? a : b;
}

static bool enough(const struct tally *t, unsigned int each)
{
	for (int from = 0; from < 3; from++)
		for (int to = 0; to < 3; to++)
			if (from != to && t->moves[from][to] < each)
				return false;
	return true;
}

static struct tally walk(enum vmm_mode from, unsigned int each, uint64_t *seed)
{
	struct tally t = { 0 };

	while (!enough(&t, each)) {
		enum vmm_mode to = choose(&t, from, seed);
		int64_t begun;

		live_sleep_us((unsigned int)(vm_random(seed) % MAX_PAUSE_US));
		begun = timer_host_ns();
		live_vm_move(&live, to);
		t.ns += timer_host_ns() - begun;
		t.moves[from][to]++;
		t.total++;
		from = to;
	}
	return t;
}

static unsigned int timer_interrupts(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < live.ncpus; i++)
		n += live.shared->cpu[i].fired;
	return n;
}

static unsigned int ipis(void)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < live.ncpus; i++)
		n += live.shared->cpu[i].ipi;
	return n;
}

Test(live_moves, nothing_is_lost_or_doubled_at_random_instants, .init = vm_have_kvm)
{
	unsigned int each = getenv("IRQSHIFT_FULL") ? MOVES_FULL : MOVES;
	uint64_t seed = vm_seed();

	for (unsigned int n = 0; n < 2 * MAX_CPUS; n++) {
		enum vmm_mode from = (enum vmm_mode)(vm_random(&seed) % 3);
		struct tally t;

		begin(from, 1 + n / 2, n % 2);
		live_vm_raise_begin(&live, vm_random(&seed));
		t = walk(from, each, &seed);
		live_vm_raise_end(&live);
		live_vm_expect_exact(&live);
		printf("%u CPUs %s: %u moves, %.1f ms each; %u edges %u levels %u by PIC %u messages %u IPIs %u by timers\n",
		       live.ncpus, n % 2 ? "x2APIC" : "xAPIC", t.total, (double)t.ns / 1e6 / t.total, live.raised.edge,
		       live.raised.level, live.raised.pic, live.raised.msi, ipis(), timer_interrupts());
		live_vm_end(&live);
	}
}

/* ---- what cannot be moved ---- */

static void make_levels(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	side->model.pic.pics[PIC_SLAVE].ltim = 1;
}

Test(live_moves, a_guest_goes_on_where_it_is_when_its_move_is_refused, .init = vm_have_kvm)
{
	struct irqs_error err = { 0 };

	begin(VMM_USERSPACE, 2, false);
	live_vm_raise_begin(&live, 1);
	live.vmm->on_stop = make_levels;
	for (int i = 0; i < 5; i++) {
		cr_expect_eq(vmm_move(live.vmm, VMM_KERNEL, &err), -EOPNOTSUPP);
		cr_expect_str_eq(err.path, "pic[1].ltim");
		cr_expect_eq(vmm_mode(live.vmm), VMM_USERSPACE);
		live_sleep_us(5000);
	}
	live_vm_move(&live, VMM_SPLIT); /* that has such a PIC */
	live_vm_raise_end(&live);
	live_vm_expect_exact(&live);
	live_vm_end(&live);
}

Test(live_moves, a_machine_moves_before_it_runs, .init = vm_have_kvm)
{
	struct vmm_config config = { .mode = VMM_KERNEL, .ncpus = 2, .memory = 1 << 20 };
	struct irqs_error err = { 0 };
	struct vmm *vmm;

	cr_assert_eq(vmm_create(&config, &vmm, &err), 0, "%s", err.text);
	for (unsigned int i = 0; i < 6; i++)
		cr_expect_eq(vmm_move(vmm, (enum vmm_mode)((i + 1) % 3), &err), 0, "%s: %s", err.path, err.text);
	cr_expect_eq(vmm_mode(vmm), VMM_KERNEL);
	vmm_destroy(vmm);
}

Test(live_moves, configs_out_of_range_are_refused, .init = vm_have_kvm)
{
	static const struct vmm_config bad[] = {
		{ .ncpus = 0, .memory = 1 << 20 },
		{ .ncpus = VMM_MAX_CPUS + 1, .memory = 1 << 20 },
		{ .ncpus = 1, .memory = 4096 },
		{ .ncpus = 1, .memory = (1 << 20) + 1 },
		{ .ncpus = 1, .memory = VMM_MAX_MEMORY + 4096 },
		{ .ncpus = 1, .memory = 1 << 20, .mode = (enum vmm_mode)3 },
	};
	struct irqs_error err;
	struct vmm *vmm;

	for (size_t i = 0; i < REG_ARRAY_SIZE(bad); i++)
		cr_expect_eq(vmm_create(&bad[i], &vmm, &err), -EINVAL, "%zu", i);
}

/* ---- that the harness would see it ---- */

static unsigned int spoilt;

static void forget_requests(void *ctx, const struct irqchip_state *from, struct irqchip_state *to,
			    const struct move_report *report)
{
	(void)ctx;
	(void)from;
	(void)report;
	for (unsigned int i = 0; i < to->nlapics; i++)
		for (unsigned int vector = 16; vector < 256; vector++)
			if (lapic_bank_test(&to->lapics[i], LAPIC_IRR, (uint8_t)vector)) {
				lapic_bank_clear(&to->lapics[i], LAPIC_IRR, (uint8_t)vector);
				spoilt++;
			}
}

static void message_to_last(void *ctx, struct kvm_side *side)
{
	(void)ctx;
	live.raised.msi++;
	kvm_side_msi(side, UINT64_C(0xfee00000) | (uint64_t)(live.ncpus - 1) << 12, LIVE_VEC_MSI);
}

Test(live_moves, a_vector_that_a_move_forgets_is_missed, .init = vm_have_kvm)
{
	begin(VMM_USERSPACE, 2, false);
	live.vmm->on_stop = message_to_last;
	live.vmm->on_move = forget_requests;
	live_vm_move(&live, VMM_KERNEL);
	cr_assert(spoilt);
	cr_expect_not(live_vm_wait(&live, live_vm_settled));
	live.vmm->on_stop = NULL;
	live_vm_end(&live);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of the 8254 against KVM's: random accesses by a guest, which notes the time before and after each. The
 * model does the same at the middle of that time. Bytes that depend on the time must be those of some tick that the two
 * times allow; all else must be the same. With all quirks the two must agree; without one of them they must differ.
 * DIFF_SEED=N repeats a run.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "apic/abi.h"
#include "tests/kvm/diff_quirks.h"
#include "tests/kvm/diff_random.h"
#include "tests/kvm/port_guest.h"
#include "userspace/pit_model.h"

enum { ACTIONS = 60,
       QUICK = 3000,
       PER_QUIRK = 1000,
       MOST_TICKS = 200,
       SMALLEST_PERIOD = 300 };

/* Where KVM's chip is not as the manual says. */
static const struct deviation deviations[] = {
	{ PIT_QUIRK_COUNTING, "gate, decimal counts, waiting counts and outputs", "8254, Mode Definitions; Gate" },
	{ PIT_QUIRK_STATUS, "no null count, modes 6 and 7 read as 2 and 3", "8254, Read-Back Command" },
	{ PIT_QUIRK_LATCHES, "latches survive a control word", "8254, Counter Latch Command" },
	{ PIT_QUIRK_WIDTH, "a word is one byte", "ISA: a 16-bit access of an 8-bit port is two accesses" },
	{ PIT_QUIRK_REFRESH, "the refresh bit changes every 16.384 us", "IBM PC/AT, system control port B" },
};

_Static_assert(REG_ARRAY_SIZE(deviations) == PIT_QUIRKS, "every quirk is explained");

/*
 * What no quirk imitates, because it is the timer of the host that shows: channel 0 of KVM keeps the timer of its last
 * count until the next count, has none in mode 5, and none that is quicker than min_timer_period_us.
 */
struct trust {
	bool count;     /* channel 0 counts as its channel state says */
	bool interrupt; /* and did so all the time */
};

struct action {
	enum { ACT_IN8,
	       ACT_IN16,
	       ACT_OUT8,
	       ACT_OUT16 } what;
	uint16_t port, value;
	uint32_t got;   /* by the guest */
	int64_t at;     /* middle of the time that it took */
	uint64_t slack; /* ticks that it may have been off */
};

/* The bytes that a channel can have latched. */
struct latched {
	uint16_t value[2 * 2 * MOST_TICKS + 1];
	unsigned int n;
};

struct twin {
	struct pit_model kvm;                                        /* with all quirks: says what is possible */
	struct pit_model m;                                          /* the one that is judged */
	struct latched counts[PIT_CHANNELS], statuses[PIT_CHANNELS]; /* by KVM */
	struct latched our_counts[PIT_CHANNELS];
	uint64_t load_slack[PIT_CHANNELS];
	struct trust trust;
	bool say;
};

static struct port_guest guest;
static int64_t now;
static unsigned int ticks;
static unsigned long compared; /* bytes that depend on the time */

static int64_t on_now(void *opaque)
{
	(void)opaque;
	return now;
}

static void on_arm(void *opaque, int64_t at_ns)
{
	(void)opaque;
	(void)at_ns;
}

static void on_tick(void *opaque)
{
	ticks += opaque != NULL;
}

static const struct pit_model_ops ops = { .now_ns = on_now, .arm = on_arm, .tick = on_tick };

static void add(struct action *actions, unsigned int *n, unsigned int what, unsigned int port, unsigned int value)
{
	if (*n < ACTIONS)
		actions[(*n)++] = (struct action){ .what = what, .port = (uint16_t)port, .value = (uint16_t)value };
}

static void add_program(struct action *actions, unsigned int *n, unsigned int channel)
{
	unsigned int access = 1 + rnd(3), bcd = rnd(4) == 0;

	add(actions, n, ACT_OUT8, 0x43, channel << 6 | access << 4 | rnd(8) << 1 | bcd);
	for (unsigned int i = rnd(8) ? (access + 1) / 2 : 0; i; i--)
		add(actions, n, ACT_OUT8, 0x40 + channel, rnd(256));
}

static void draw_actions(struct action *actions)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		add_program(actions, &n, i);
	while (n < ACTIONS) {
		unsigned int kind = rnd(32), channel = rnd(3);

		if (kind < 3)
			add_program(actions, &n, channel);
		else if (kind < 6)
			add(actions, &n, ACT_OUT8, 0x43, channel << 6);
		else if (kind < 10)
			add(actions, &n, ACT_OUT8, 0x43, 0xc0 | rnd(64));
		else if (kind < 12)
			add(actions, &n, ACT_OUT8, 0x40 + channel, rnd(256));
		else if (kind < 14)
			add(actions, &n, ACT_OUT8, 0x61, rnd(256));
		else if (kind < 17)
			add(actions, &n, ACT_IN8, 0x61, 0);
		else if (kind == 17)
			add(actions, &n, rnd(2) ? ACT_IN16 : ACT_OUT16, 0x40 + rnd(3), rnd(0x10000));
		else
			add(actions, &n, ACT_IN8, 0x40 + channel, 0);
	}
}

/* Nothing programmed, IRQ 0 not requested. */
static void reset_kvm(const struct pit_state *pit)
{
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_pit_state2 state = { 0 };

	abi_put(&pit_chip, REG_ABI_PIT, pit, &state);
	cr_assert(ioctl(guest.vm, KVM_SET_PIT2, &state) == 0);
	cr_assert(ioctl(guest.vm, KVM_SET_IRQCHIP, &pic) == 0);
}

static bool irq_requested(void)
{
	struct kvm_irqchip pic = { .chip_id = KVM_IRQCHIP_PIC_MASTER };

	cr_assert(ioctl(guest.vm, KVM_GET_IRQCHIP, &pic) == 0);
	return pic.chip.pic.irr & 1;
}

static void run_guest(struct action *actions)
{
	static const enum port_guest_op op[] = {
		[ACT_IN8] = PG_IN8,
		[ACT_IN16] = PG_IN16,
		[ACT_OUT8] = PG_OUT8,
		[ACT_OUT16] = PG_OUT16,
	};
	double ns = 1e6 / ioctl(guest.vcpu, KVM_GET_TSC_KHZ, 0);
	uint64_t first;

	port_guest_begin(&guest);
	for (unsigned int i = 0; i < ACTIONS; i++)
		port_guest_add(&guest, op[actions[i].what], actions[i].port, actions[i].value);
	port_guest_add(&guest, PG_STOP, 0, 0);
	port_guest_start(&guest);
	cr_assert(port_guest_run(&guest) == 0);
	first = guest.steps[0].tsc_before;
	for (unsigned int i = 0; i < ACTIONS; i++) {
		const struct port_guest_step *s = &guest.steps[i];

		actions[i].got = s->value & (actions[i].what == ACT_IN8 ? 0xff : 0xffff);
		actions[i].at = (int64_t)((double)(s->tsc_before - first + (s->tsc_after - s->tsc_before) / 2) * ns);
		actions[i].slack = (uint64_t)((double)(s->tsc_after - s->tsc_before) * ns / 838 / 2) + 2;
	}
}

/* Ticks that a look at a channel may be off; 0: too many to judge. */
static uint64_t slack_of(const struct twin *t, unsigned int channel, const struct action *a)
{
	uint64_t slack = t->load_slack[channel] + a->slack;

	return slack > MOST_TICKS ? 0 : slack;
}

static bool judged(const struct twin *t, unsigned int channel, const struct action *a)
{
	return (channel || t->trust.count) && slack_of(t, channel, a);
}

/* What a channel may show: 16 bits of count, or its output in bit 15, at all ticks around. */
static void possible(const struct twin *t, unsigned int channel, const struct action *a, bool status, struct latched *ret)
{
	const struct pit_channel *c = &t->kvm.pit.channels[channel];
	int64_t slack = (int64_t)slack_of(t, channel, a);

	ret->n = 0;
	for (int64_t k = -slack; k <= slack; k++) {
		int64_t at = a->at + k * 838;

		ret->value[ret->n++] = status ? (uint16_t)(pit_out(c, at) << 15) : pit_count(c, at);
	}
}

/* Keeps what agrees with @got in the bits of @mask; whether anything does. */
static bool narrow(struct latched *l, uint16_t mask, uint16_t got)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n; i++)
		if (!((l->value[i] ^ got) & mask))
			l->value[n++] = l->value[i];
	l->n = n;
	return n;
}

/* Before a read-back or latch command: what will be latched. */
static void note_latches(struct twin *t, const struct action *a)
{
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		const struct pit_channel *c = &t->kvm.pit.channels[i];
		bool count = a->value >> 6 == 3 ? !(a->value & 0x20) && a->value & 2U << i
						: !(a->value & 0x30) && a->value >> 6 == i;
		bool status = a->value >> 6 == 3 && !(a->value & 0x10) && a->value & 2U << i;

		if (count && !c->count_latched) {
			possible(t, i, a, false, &t->counts[i]);
			if (!judged(t, i, a))
				t->counts[i].n = 0;
			t->our_counts[i] = t->counts[i];
		}
		if (status && !c->status_latched) {
			possible(t, i, a, true, &t->statuses[i]);
			if (!judged(t, i, a))
				t->statuses[i].n = 0;
		}
	}
}

/* A byte of a count: whether both are possible. They need not be of the same tick. */
static bool same_count(struct latched *theirs, struct latched *ours, bool high, uint32_t kvm, uint32_t model)
{
	uint16_t mask = high ? 0xff00 : 0x00ff;

	if (!theirs->n)
		return true;
	compared++;
	return narrow(theirs, mask, (uint16_t)(high ? kvm << 8 : kvm)) &&
	       narrow(ours, mask, (uint16_t)(high ? model << 8 : model));
}

/* A byte from a counter: @before is the channel before it was read. */
static bool same_byte(struct twin *t, const struct pit_channel *before, unsigned int channel, const struct action *a,
		      uint32_t model)
{
	struct latched live, ours;

	if (before->status_latched) {
		struct latched *l = &t->statuses[channel];
		unsigned int all = l->n;

		if ((a->got ^ model) & 0x7f)
			return false;

		if (!all)
			return true;
		return narrow(l, 0x8000, (uint16_t)(a->got << 8)) && (l->n < all || model == a->got);
	}
	if (before->count_latched)
		return same_count(&t->counts[channel], &t->our_counts[channel], before->count_latched == 2, a->got, model);
	if (!judged(t, channel, a))
		return true;
	possible(t, channel, a, false, &live);
	ours = live;
	return same_count(&live, &ours, before->read_state == 2 || before->read_state == 4, a->got, model);
}

static bool same_port_b(struct twin *t, const struct action *a, uint32_t model)
{
	struct latched out;

	if ((a->got ^ model) & 0xcf)
		return false;
	if (!judged(t, 2, a))
		return true;
	possible(t, 2, a, true, &out);
	if (!narrow(&out, 0x8000, (uint16_t)(a->got << 10)))
		return false;
	/* The same all around: then there is one answer. */
	return out.n < 2 * slack_of(t, 2, a) + 1 || !((a->got ^ model) & 0x20);
}

static uint32_t do_action(struct pit_model *m, const struct action *a)
{
	unsigned int size = a->what == ACT_IN16 || a->what == ACT_OUT16 ? 2 : 1;

	if (a->what == ACT_IN8 || a->what == ACT_IN16)
		return pit_model_read(m, a->port, size);
	pit_model_write(m, a->port, size, a->value);
	return 0;
}

/* What the host's timer makes of channel 0 after a write. */
static void learn(struct twin *t, const struct action *a, const int64_t *loaded_before)
{
	const struct pit_channel *c = &t->kvm.pit.channels[0];

	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		if (t->kvm.pit.channels[i].count_load_time != loaded_before[i])
			t->load_slack[i] = a->slack;
	if (c->count_load_time != loaded_before[0])
		t->trust.count = c->mode < 5 && (c->count >= SMALLEST_PERIOD || (c->mode != 2 && c->mode != 3));
	else if (a->port == 0x43 && a->value >> 6 == 0 && a->value & 0x30)
		t->trust.count = false;
	t->trust.interrupt = t->trust.interrupt && t->trust.count;
}

static bool same_action(struct twin *t, const struct action *a)
{
	struct pit_channel before = t->kvm.pit.channels[a->port & 3];
	bool write = a->what == ACT_OUT8 || a->what == ACT_OUT16;
	int64_t loaded[PIT_CHANNELS];
	uint32_t model;

	now = a->at;
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		loaded[i] = t->kvm.pit.channels[i].count_load_time;
	if (write && a->port == 0x43)
		note_latches(t, a);
	model = do_action(&t->m, a);
	do_action(&t->kvm, a);
	if (t->say)
		printf("  %6lld ns +-%3llu ticks %-5s %#4x %#6x: model %#4x, KVM %#4x\n", (long long)a->at,
		       (unsigned long long)a->slack, write ? "out" : "in", a->port, a->value, model, a->got);
	if (write) {
		learn(t, a, loaded);
		return true;
	}
	if (a->what == ACT_IN16 && (a->got ^ model) >> 8)
		return false;
	if (a->port == 0x61)
		return same_port_b(t, a, model);
	if (a->port == 0x43)
		return a->got == model;
	return same_byte(t, &before, a->port & 3, a, model & 0xff);
}

/* Rows that do not hold a time, nor what was latched at one. */
static bool same_state(const struct pit_state *ours, const struct pit_state *kvm, bool say)
{
	static const char *const timed[] = { "latched_count", "status", "count_load_time" };
	bool same = true;

	for (unsigned int r = 0; r < pit_chip.nrows; r++) {
		const struct reg_row *row = &pit_chip.rows[r];
		bool skip = false;

		for (size_t i = 0; i < REG_ARRAY_SIZE(timed); i++)
			skip = skip || !strcmp(row->name, timed[i]);
		for (unsigned int i = 0; i < row->count && !skip; i++) {
			uint64_t a = reg_get(row, ours, i), b = reg_get(row, kvm, i);

			if (!reg_known(row, kvm, i) || a == b)
				continue;
			same = false;
			if (say)
				printf("  channel %u %s: model %#llx, KVM %#llx\n", i, row->name, (unsigned long long)a,
				       (unsigned long long)b);
		}
	}
	return same;
}

/* What a guest did, and what KVM had after it. */
struct observed {
	struct action actions[ACTIONS];
	struct pit_state state;
	bool irq; /* IRQ 0 was requested */
};

static void observe(uint64_t seed, const struct pit_state *reset, struct observed *o)
{
	struct kvm_pit_state2 raw;

	memset(o, 0, sizeof(*o));
	rnd_start(seed);
	draw_actions(o->actions);
	reset_kvm(reset);
	run_guest(o->actions);
	o->irq = irq_requested();
	cr_assert(ioctl(guest.vm, KVM_GET_PIT2, &raw) == 0);
	abi_get(&pit_chip, REG_ABI_PIT, &raw, &o->state);
}

/* KVM delivers by a worker, which may be slow. */
static bool irq_comes(void)
{
	for (unsigned int i = 0; i < 100; i++) {
		if (irq_requested())
			return true;
		usleep(i * 100);
	}
	return false;
}

/* An interrupt that the model has by the end must come, and none be there that it has not had some time later. */
static bool same_interrupt(struct twin *t, const struct observed *o)
{
	int64_t end = o->actions[ACTIONS - 1].at;
	unsigned int by_then;

	if (!t->trust.interrupt)
		return true;
	now = end;
	pit_model_expired(&t->kvm);
	by_then = ticks;
	now = end + 100000000;
	pit_model_expired(&t->kvm);
	if (t->say)
		printf("  IRQ 0: model %u, later %u; KVM %d\n", by_then, ticks, o->irq);
	return (!by_then || o->irq || irq_comes()) && (ticks || !o->irq);
}

/* Whether a model with these quirks agrees. @say: print it. */
static bool judge(const struct observed *o, uint32_t quirks, bool say)
{
	/* Nobody knows when KVM loaded the counts of the reset. */
	struct twin t = { .trust = { false, true }, .load_slack = { MOST_TICKS, MOST_TICKS, MOST_TICKS }, .say = say };
	struct pit_state ours;
	bool loaded = false;

	now = 0;
	ticks = 0;
	pit_model_init(&t.kvm, &ops, &t, PIT_COALESCE, PIT_QUIRKS_KVM);
	pit_model_init(&t.m, &ops, NULL, PIT_COALESCE, quirks);
	for (unsigned int i = 0; i < ACTIONS; i++) {
		if (!same_action(&t, &o->actions[i]))
			return false;
		loaded = loaded || t.kvm.pit.channels[0].count_load_time;
		if (!loaded)
			t.trust.interrupt = true;
	}
	pit_model_save(&t.m, &ours, NULL);
	return same_state(&ours, &o->state, say) && same_interrupt(&t, o);
}

/* One sequence on both sides; whether they agree. @say: print it when they do not. */
static bool sequence(uint64_t seed, uint32_t quirks, bool say)
{
	struct pit_model reset;
	struct observed o;

	now = 0;
	pit_model_init(&reset, &ops, NULL, PIT_COALESCE, 0);
	observe(seed, &reset.pit, &o);
	if (judge(&o, quirks, false))
		return true;
	if (say)
		judge(&o, quirks, true);
	return false;
}

enum {
	REFRESH_NS = 16384,
	REFRESH_GRAIN_NS = 100,
	REFRESH_LEAST_NS = 14000, /* what else it is held against, among it the 15,085 ns of a PC */
	REFRESH_FROM_NS = 16200,
	REFRESH_TO_NS = 16600,
	REFRESH_MOST_NS = 19000,
	REFRESH_SHARP = 10,
	REFRESH_RUNS = 500,
};

static double tsc_ns; /* one tick of the TSC */

/* Whether a bit that changes every @period ns, and did so @begun ns before the first read, can have been what was read. */
static bool refresh_can_be(double period, double begun)
{
	for (unsigned int i = 0; i < PORT_GUEST_STEPS - 1; i++) {
		const struct port_guest_step *s = &guest.steps[i];
		double from = (double)(s->tsc_before - guest.steps[0].tsc_before) * tsc_ns + begun - REFRESH_GRAIN_NS;
		double to = (double)(s->tsc_after - guest.steps[0].tsc_before) * tsc_ns + begun + REFRESH_GRAIN_NS;
		int64_t change = (int64_t)(from / period);

		/* the read was at some moment between: where a change may be, it says nothing */
		if (change == (int64_t)(to / period) && (change & 1) != (s->value >> 4 & 1))
			return false;
	}
	return true;
}

static bool refresh_fits(double period)
{
	for (double begun = REFRESH_GRAIN_NS; begun < 2 * period + REFRESH_GRAIN_NS; begun += REFRESH_GRAIN_NS)
		if (refresh_can_be(period, begun))
			return true;
	return false;
}

static bool refresh_fits_nothing(unsigned int from, unsigned int to)
{
	for (unsigned int period = from; period <= to; period += 25)
		if (refresh_fits(period))
			return false;
	return true;
}

static void read_refresh(void)
{
	port_guest_begin(&guest);
	for (unsigned int i = 0; i < PORT_GUEST_STEPS - 1; i++)
		port_guest_add(&guest, PG_IN8, 0x61, 0);
	port_guest_add(&guest, PG_STOP, 0, 0);
	port_guest_start(&guest);
	cr_assert(port_guest_run(&guest) == 0);
}

Test(diff_pit, with_all_quirks_the_model_and_kvm_agree_on_every_answer_and_on_the_state, .timeout = 7200)
{
	unsigned int runs = diff_sequences(QUICK);
	uint64_t seed = diff_seed();

	port_guest_open(&guest, true);
	printf("diff_pit: %u sequences of %u, DIFF_SEED=%llu\n", runs, ACTIONS, (unsigned long long)seed);
	for (unsigned int i = 0; i < runs; i++)
		cr_assert(sequence(seed + i, PIT_QUIRKS_KVM, true), "DIFF_SEED=%llu DIFF_SEQUENCES=1", (unsigned long long)(seed + i));
	printf("diff_pit: %lu bytes of running or latched counts\n", compared);
	cr_expect(compared > runs);
	port_guest_close(&guest);
}

Test(diff_pit, each_quirk_is_one_of_this_kvm, .timeout = 600)
{
	port_guest_open(&guest, true);
	/* The refresh bit has a test of its own. */
	diff_quirks(deviations, REG_ARRAY_SIZE(deviations), PIT_QUIRKS_KVM & ~(uint32_t)PIT_QUIRK_REFRESH, sequence, PER_QUIRK);
	port_guest_close(&guest);
}

/* A guest that is kept waiting says less, and never anything else. */
Test(diff_pit, the_refresh_bit_of_kvm_changes_every_16_384_us, .timeout = 300)
{
	unsigned int sharp = 0, runs = 0;

	port_guest_open(&guest, true);
	tsc_ns = 1e6 / ioctl(guest.vcpu, KVM_GET_TSC_KHZ, 0);
	for (; sharp < REFRESH_SHARP && runs < REFRESH_RUNS; runs++) {
		read_refresh();
		cr_assert(refresh_fits(REFRESH_NS), "not in run %u", runs);
		sharp += refresh_fits_nothing(REFRESH_LEAST_NS, REFRESH_FROM_NS) && refresh_fits_nothing(REFRESH_TO_NS, REFRESH_MOST_NS);
	}
	printf("diff_pit: %u of %u runs say so and nothing else\n", sharp, runs);
	cr_expect_geq(sharp, REFRESH_SHARP);
	port_guest_close(&guest);
}

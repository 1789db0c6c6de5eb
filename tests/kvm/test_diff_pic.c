/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of the 8259A pair against KVM's chips: random accesses by a guest, line changes, interrupts taken. With all
 * quirks the two must be the same; without one of them they must differ, or that quirk is none.
 * DIFF_SEED=N repeats a run.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "apic/abi.h"
#include "tests/kvm/diff_quirks.h"
#include "tests/kvm/diff_random.h"
#include "tests/kvm/port_guest.h"
#include "userspace/pic_model.h"

enum { ACTIONS = 48,
       QUICK = 3000,
       PER_QUIRK = 2000 };

/* Where KVM's chips are not as the manual says. */
static const struct deviation deviations[] = {
	{ PIC_QUIRK_SPECIAL_MASK, "special mask mode changes nothing", "8259A, Special Mask Mode" },
	{ PIC_QUIRK_POLL, "a poll leaves no in-service bit, and ends line 2 of the master", "8259A, Poll Command" },
	{ PIC_QUIRK_ICW1, "ICW1 forgets which lines are high", "8259A, Initialization Command Words, ICW1 (a)" },
	{ PIC_QUIRK_WIRING, "SNGL and LTIM are ignored", "8259A, Initialization Command Words, ICW1" },
	{ PIC_QUIRK_INIT, "interrupts are asked between ICWs", "8259A, Operation Command Words" },
	{ PIC_QUIRK_CASCADE, "line 2 is pulsed at every look", "8259A, Cascade Mode; Edge and Level Triggered Modes" },
	{ PIC_QUIRK_ELCR, "irr does not follow a new ELCR", "PIIX, ELCR; 8259A, Edge and Level Triggered Modes" },
	{ PIC_QUIRK_WIDTH, "words are ignored", "ISA: a 16-bit access of an 8-bit port is two accesses" },
};

_Static_assert(REG_ARRAY_SIZE(deviations) == PIC_QUIRKS, "every quirk is explained");

static struct port_guest guest;
static unsigned long taken; /* vectors by the guest */

struct action {
	enum { ACT_IN8,
	       ACT_IN16,
	       ACT_OUT8,
	       ACT_OUT16,
	       ACT_TAKE,
	       ACT_LINE } what;
	uint16_t port; /* or line */
	uint16_t value;
	uint32_t got; /* by the guest */
};

static void on_intr(void *opaque, bool level)
{
	(void)opaque;
	(void)level;
}

static const struct pic_model_ops ops = { .intr = on_intr };

/* Command bytes: mostly OCW2 and OCW3, sometimes the start of an initialisation. */
static uint8_t command(void)
{
	unsigned int kind = rnd(16);

	if (kind == 0)
		return (uint8_t)(0x10 | rnd(256));
	if (kind < 7)
		return (uint8_t)(0x08 | (rnd(256) & 0x6f));
	return (uint8_t)(rnd(8) << 5 | rnd(8));
}

static struct action draw_action(void)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1 };
	struct action a = { .port = ports[rnd(4)] };
	unsigned int kind = rnd(32);

	if (kind < 8) {
		a.what = ACT_LINE;
		a.port = (uint16_t)rnd(15);
		a.port += a.port >= PIC_CASCADE;
		a.value = (uint16_t)rnd(2);
		return a;
	}
	if (kind < 14)
		return (struct action){ .what = ACT_TAKE };
	if (kind < 16) {
		a.port = (uint16_t)(0x4d0 + rnd(2));
		a.what = kind & 1 ? ACT_IN8 : ACT_OUT8;
		a.value = (uint16_t)rnd(256);
		return a;
	}
	/* A word at an odd port is not KVM's: it comes to the VMM. */
	if (kind < 24) {
		a.what = kind == 16 && !(a.port & 1) ? ACT_IN16 : ACT_IN8;
		return a;
	}
	a.what = kind == 24 && !(a.port & 1) ? ACT_OUT16 : ACT_OUT8;
	a.value = a.port & 1 ? (uint16_t)(rnd(256) & rnd(256)) : command();
	a.value |= (uint16_t)(rnd(256) << 8);
	return a;
}

/* A state that a guest could have brought about, roughly. */
static void draw_state(struct pic_state pics[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		struct pic_state *s = &pics[i];

		reg_state_reset(&pic_chip, s, true);
		s->elcr_mask = i ? 0xde : 0xf8;
		s->irq_base = (uint8_t)(0x30 + 8 * i);
		if (rnd(4) == 0)
			continue;
		s->imr = (uint8_t)(rnd(256) & rnd(256));
		s->isr = (uint8_t)(rnd(256) & rnd(256) & rnd(256));
		s->irr = (uint8_t)(rnd(256) & rnd(256));
		s->elcr = (uint8_t)(rnd(256) & rnd(256) & s->elcr_mask);
		s->irr &= (uint8_t)~s->elcr;
		s->priority_add = (uint8_t)rnd(8);
		s->auto_eoi = rnd(4) == 0;
		s->rotate_on_auto_eoi = rnd(2) == 0;
		s->special_fully_nested_mode = rnd(3) == 0;
		s->special_mask = rnd(4) == 0;
		s->init4 = (uint8_t)rnd(2);
		s->poll = rnd(8) == 0;
		s->read_reg_select = (uint8_t)rnd(2);
		s->init_state = rnd(6) == 0 ? (uint8_t)rnd(4) : 0;
	}
}

static void set_line(unsigned int irq, unsigned int level)
{
	struct kvm_irq_level line = { .irq = irq, .level = level };

	cr_assert(ioctl(guest.vm, KVM_IRQ_LINE, &line) == 0);
}

static void put_state(const struct pic_state pics[2])
{
	for (unsigned int irq = 0; irq < 16; irq++)
		set_line(irq, 0);
	/* The slave first: a request of the old one would go into the new master. */
	for (unsigned int i = 2; i-- > 0;) {
		struct kvm_irqchip chip = { .chip_id = i };

		abi_put(&pic_chip, REG_ABI_PIC, &pics[i], &chip.chip.pic);
		cr_assert(ioctl(guest.vm, KVM_SET_IRQCHIP, &chip) == 0);
	}
}

static void get_state(struct pic_state pics[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		struct kvm_irqchip chip = { .chip_id = i };

		memset(&pics[i], 0, sizeof(pics[i]));
		cr_assert(ioctl(guest.vm, KVM_GET_IRQCHIP, &chip) == 0);
		abi_get(&pic_chip, REG_ABI_PIC, &chip.chip.pic, &pics[i]);
	}
}

static void run_guest(struct action *actions)
{
	static const enum port_guest_op op[] = {
		[ACT_IN8] = PG_IN8,
		[ACT_IN16] = PG_IN16,
		[ACT_OUT8] = PG_OUT8,
		[ACT_OUT16] = PG_OUT16,
		[ACT_TAKE] = PG_TAKE,
		[ACT_LINE] = PG_STOP,
	};
	unsigned int i;

	port_guest_begin(&guest);
	for (i = 0; i < ACTIONS; i++)
		port_guest_add(&guest, op[actions[i].what], actions[i].port, actions[i].value);
	port_guest_add(&guest, PG_STOP, 0, 0);
	port_guest_start(&guest);
	for (i = 0; i < ACTIONS; i++) {
		if (actions[i].what != ACT_LINE)
			continue;
		cr_assert(port_guest_run(&guest) == 0);
		set_line(actions[i].port, actions[i].value);
	}
	cr_assert(port_guest_run(&guest) == 0);
	for (i = 0; i < ACTIONS; i++)
		actions[i].got = guest.steps[i].value;
	for (i = 0; i < ACTIONS; i++)
		taken += actions[i].what == ACT_TAKE && actions[i].got != PORT_GUEST_NO_VECTOR;
}

/* What the model has the guest read; PORT_GUEST_NO_VECTOR where that is nothing. */
static uint32_t run_model(struct pic_model *m, const struct action *a)
{
	switch (a->what) {
	case ACT_IN8:
	case ACT_IN16:
		return pic_model_read(m, a->port, a->what == ACT_IN8 ? 1 : 2);
	case ACT_OUT8:
	case ACT_OUT16:
		pic_model_write(m, a->port, a->what == ACT_OUT8 ? 1 : 2, a->value);
		return a->got;
	case ACT_TAKE:
		return pic_model_intr(m) ? pic_model_ack(m) : PORT_GUEST_NO_VECTOR;
	default:
		pic_model_set_line(m, a->port, a->value);
		return a->got;
	}
}

static bool same_state(const struct pic_state ours[2], const struct pic_state kvm[2], bool say)
{
	bool same = true;

	for (unsigned int i = 0; i < 2; i++)
		for (unsigned int r = 0; r < pic_chip.nrows; r++) {
			const struct reg_row *row = &pic_chip.rows[r];
			uint64_t a = reg_get(row, &ours[i], 0), b = reg_get(row, &kvm[i], 0);

			if (!reg_known(row, &kvm[i], 0) || a == b)
				continue;
			same = false;
			if (say)
				printf("  %s %s: model %#llx, KVM %#llx\n", i ? "slave" : "master", row->name,
				       (unsigned long long)a, (unsigned long long)b);
		}
	return same;
}

static bool same_answers(struct pic_model *m, const struct action *actions, bool say)
{
	static const char *const names[] = { "in", "in16", "out", "out16", "take", "line" };

	for (unsigned int i = 0; i < ACTIONS; i++) {
		const struct action *a = &actions[i];
		uint32_t kvm = a->what == ACT_IN8 ? a->got & 0xff : a->got, model = run_model(m, a);

		if (say)
			printf("  %2u %-5s %#5x %#6x: model %#x, KVM %#x\n", i, names[a->what], a->port, a->value, model,
			       kvm);
		if (kvm != model)
			return false;
	}
	return true;
}

/* One sequence on both sides; whether they agree. @say: print it. */
static bool sequence(uint64_t seed, uint32_t quirks, bool say)
{
	struct action actions[ACTIONS];
	struct pic_state pics[2], kvm[2], ours[2];
	struct pic_model m;

	rnd_start(seed);
	draw_state(pics);
	for (unsigned int i = 0; i < ACTIONS; i++)
		actions[i] = draw_action();
	put_state(pics);
	run_guest(actions);
	get_state(kvm);
	pic_model_init(&m, &ops, NULL, quirks);
	cr_assert(pic_model_restore(&m, pics) == 0);
	if (!same_answers(&m, actions, say))
		return false;
	pic_model_save(&m, ours);
	return same_state(ours, kvm, say);
}

Test(diff_pic, with_all_quirks_the_model_and_kvm_agree_on_every_answer_and_on_the_state, .timeout = 7200)
{
	unsigned int runs = diff_sequences(QUICK);
	uint64_t seed = diff_seed();

	port_guest_open(&guest, false);
	printf("diff_pic: %u sequences of %u, DIFF_SEED=%llu\n", runs, ACTIONS, (unsigned long long)seed);
	for (unsigned int i = 0; i < runs; i++) {
		if (sequence(seed + i, PIC_QUIRKS_KVM, false))
			continue;
		sequence(seed + i, PIC_QUIRKS_KVM, true);
		cr_assert_fail("DIFF_SEED=%llu DIFF_SEQUENCES=1", (unsigned long long)(seed + i));
	}
	printf("diff_pic: %lu interrupts taken\n", taken);
	cr_expect(taken > runs);
	port_guest_close(&guest);
}

Test(diff_pic, each_quirk_is_one_of_this_kvm, .timeout = 600)
{
	port_guest_open(&guest, false);
	diff_quirks(deviations, REG_ARRAY_SIZE(deviations), PIC_QUIRKS_KVM, sequence, PER_QUIRK);
	port_guest_close(&guest);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8259A pair: command words, priorities through apic/pic.h, acknowledge. */
#include "userspace/pic_model.h"

#include <errno.h>
#include <string.h>

#include "userspace/known_priv.h"

enum { ICW1_IC4 = 1 << 0,
       ICW1_SNGL = 1 << 1,
       ICW1_LTIM = 1 << 3,
       ICW1 = 1 << 4 };
enum { ICW4_AEOI = 1 << 1,
       ICW4_SFNM = 1 << 4 };
enum { OCW3_RIS = 1 << 0,
       OCW3_RR = 1 << 1,
       OCW3_POLL = 1 << 2,
       OCW3 = 1 << 3,
       OCW3_SMM = 1 << 5,
       OCW3_ESMM = 1 << 6 };
enum { OCW2_EOI = 1 << 0,
       OCW2_SPECIFIC = 1 << 1,
       OCW2_ROTATE = 1 << 2 };
enum { READY,
       WANTS_ICW2,
       WANTS_ICW3,
       WANTS_ICW4 };

#define SPURIOUS 7
#define CASCADE (1U << PIC_CASCADE)
#define POLLED 0x80
#define NO_PORT 0xff
#define PORT_ELCR 0x4d0
#define PORT_SLAVE 0x80 /* bit that 0xa0 has and 0x20 has not */

static const uint8_t elcr_masks[2] = { 0xf8, 0xde };

static bool is_master(const struct pic_model *m, const struct pic_state *s)
{
	return s == &m->pics[PIC_MASTER];
}

static uint8_t level_lines(const struct pic_state *s)
{
	return s->ltim ? 0xff : s->elcr;
}

static int pending(const struct pic_model *m, const struct pic_state *s)
{
	struct pic_state plain;

	if (s->init_state != READY && !(m->quirks & PIC_QUIRK_INIT))
		return -1;
	if (!s->special_mask || !(m->quirks & PIC_QUIRK_SPECIAL_MASK))
		return pic_pending(s, is_master(m, s));
	plain = *s;
	plain.special_mask = 0;
	return pic_pending(&plain, is_master(m, s));
}

static void set_pin(struct pic_state *s, unsigned int line, bool level)
{
	uint8_t bit = (uint8_t)(1U << line);

	if (level) {
		if ((level_lines(s) | (uint8_t)~s->last_irr) & bit)
			s->irr |= bit;
		s->last_irr |= bit;
		return;
	}
	s->last_irr &= (uint8_t)~bit;
	if (level_lines(s) & bit)
		s->irr &= (uint8_t)~bit;
}

/* The slave's output to the master's input, the master's output to the CPU. */
static void settle(struct pic_model *m)
{
	bool asks = pending(m, &m->pics[PIC_SLAVE]) >= 0, intr;

	if (!(m->quirks & PIC_QUIRK_CASCADE)) {
		set_pin(&m->pics[PIC_MASTER], PIC_CASCADE, asks);
	} else if (asks) {
		set_pin(&m->pics[PIC_MASTER], PIC_CASCADE, true);
		set_pin(&m->pics[PIC_MASTER], PIC_CASCADE, false);
	}
	intr = pending(m, &m->pics[PIC_MASTER]) >= 0;
	if (intr == m->intr)
		return;
	m->intr = intr;
	m->ops->intr(m->opaque, intr);
}

/* After what KVM's chips do not look again. */
static void settle_by_manual(struct pic_model *m)
{
	if (!(m->quirks & PIC_QUIRK_CASCADE))
		settle(m);
}

static void end_service(struct pic_model *m, struct pic_state *s, unsigned int line)
{
	uint8_t bit = (uint8_t)(1U << line);
	bool served = s->isr & bit;

	s->isr &= (uint8_t)~bit;
	if (served && m->ops->eoi)
		m->ops->eoi(m->opaque, line + (is_master(m, s) ? 0 : 8));
}

static void serve(struct pic_model *m, struct pic_state *s, unsigned int line)
{
	uint8_t bit = (uint8_t)(1U << line);

	s->isr |= bit;
	if (!(level_lines(s) & bit))
		s->irr &= (uint8_t)~bit;
	if (!s->auto_eoi)
		return;
	if (s->rotate_on_auto_eoi)
		s->priority_add = (line + 1) & 7;
	end_service(m, s, line);
}

/* An acknowledge takes the slave's output down; it rises anew for what is left. */
static void drop_cascade(struct pic_state *master)
{
	master->last_irr &= (uint8_t)~CASCADE;
}

uint8_t pic_model_ack(struct pic_model *m)
{
	struct pic_state *master = &m->pics[PIC_MASTER], *slave = &m->pics[PIC_SLAVE];
	int line = pending(m, master);

	if (line < 0) {
		settle(m);
		return (uint8_t)(master->irq_base + SPURIOUS);
	}
	serve(m, master, (unsigned int)line);
	if (line != PIC_CASCADE || master->single_mode) {
		settle(m);
		return (uint8_t)(master->irq_base + line);
	}
	line = pending(m, slave);
	if (line >= 0)
		serve(m, slave, (unsigned int)line);
	else
		line = SPURIOUS;
	drop_cascade(master);
	settle(m);
	return (uint8_t)(slave->irq_base + line);
}

/* ---- what the guest reads ---- */

static void poll_as_kvm(struct pic_model *m, struct pic_state *s, unsigned int line)
{
	struct pic_state *master = &m->pics[PIC_MASTER];

	if (!is_master(m, s)) {
		master->isr &= (uint8_t)~CASCADE;
		master->irr &= (uint8_t)~CASCADE;
	}
	s->irr &= (uint8_t) ~(1U << line);
	end_service(m, s, line);
	if (!is_master(m, s) || line != PIC_CASCADE)
		settle(m);
}

static void poll_by_manual(struct pic_model *m, struct pic_state *s, unsigned int line)
{
	struct pic_state *master = &m->pics[PIC_MASTER];

	serve(m, s, line);
	if (!is_master(m, s)) {
		master->irr &= (uint8_t)~CASCADE;
		drop_cascade(master);
	}
	settle(m);
}

static uint8_t poll_read(struct pic_model *m, struct pic_state *s)
{
	int line = pending(m, s);

	if (line < 0) {
		settle(m);
		return SPURIOUS;
	}
	if (m->quirks & PIC_QUIRK_POLL)
		poll_as_kvm(m, s, (unsigned int)line);
	else
		poll_by_manual(m, s, (unsigned int)line);
	return (uint8_t)(POLLED | line);
}

static uint8_t read_chip(struct pic_model *m, struct pic_state *s, bool odd)
{
	if (s->poll) {
		s->poll = 0;
		return poll_read(m, s);
	}
	if (odd)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

/* ---- what the guest writes ---- */

/* Lines that become level-triggered request what they are now. */
static void set_level_lines(struct pic_state *s, uint8_t before)
{
	uint8_t fresh = level_lines(s) & (uint8_t)~before;

	s->irr = (uint8_t)((s->irr & ~fresh) | (s->last_irr & fresh));
}

static void reset_edges(struct pic_model *m, struct pic_state *s)
{
	if (!(m->quirks & PIC_QUIRK_ICW1)) {
		s->irr = s->last_irr & level_lines(s);
		return;
	}
	for (unsigned int line = 0; line < 8; line++)
		if ((s->irr & (uint8_t)~level_lines(s)) >> line & 1)
			end_service(m, s, line);
	s->irr &= level_lines(s);
	s->last_irr = 0;
}

static void write_icw1(struct pic_model *m, struct pic_state *s, uint8_t value)
{
	bool wired = m->quirks & PIC_QUIRK_WIRING;

	s->init4 = !!(value & ICW1_IC4);
	s->single_mode = !wired && (value & ICW1_SNGL);
	s->ltim = !wired && (value & ICW1_LTIM);
	s->imr = s->priority_add = s->special_mask = s->read_reg_select = 0;
	if (!s->init4)
		s->special_fully_nested_mode = s->auto_eoi = 0;
	s->init_state = WANTS_ICW2;
	reset_edges(m, s);
	settle_by_manual(m);
}

static void write_ocw2(struct pic_model *m, struct pic_state *s, uint8_t value)
{
	unsigned int command = value >> 5, line = value & 7;

	if (!(command & (OCW2_EOI | OCW2_SPECIFIC))) {
		s->rotate_on_auto_eoi = !!(command & OCW2_ROTATE);
		return;
	}
	if (!(command & (OCW2_EOI | OCW2_ROTATE)))
		return;
	if (!(command & OCW2_SPECIFIC)) {
		struct pic_state served = { .irr = s->isr, .priority_add = s->priority_add };
		int best;

		/* A masked line in service is out of the order of priorities then. */
		if (s->special_mask && !(m->quirks & PIC_QUIRK_SPECIAL_MASK))
			served.irr &= (uint8_t)~s->imr;
		best = pic_pending(&served, false);
		if (best < 0)
			return;
		line = (unsigned int)best;
	}
	if (command & OCW2_ROTATE)
		s->priority_add = (line + 1) & 7;
	if (command & OCW2_EOI)
		end_service(m, s, line);
	settle(m);
}

static void write_ocw3(struct pic_model *m, struct pic_state *s, uint8_t value)
{
	if (value & OCW3_POLL)
		s->poll = 1;
	if (value & OCW3_RR)
		s->read_reg_select = value & OCW3_RIS;
	if (value & OCW3_ESMM)
		s->special_mask = !!(value & OCW3_SMM);
	settle_by_manual(m);
}

static void write_odd(struct pic_model *m, struct pic_state *s, uint8_t value)
{
	switch (s->init_state) {
	case WANTS_ICW2:
		s->irq_base = value & 0xf8;
		s->init_state = s->single_mode ? (s->init4 ? WANTS_ICW4 : READY) : WANTS_ICW3;
		break;
	case WANTS_ICW3:
		s->init_state = s->init4 ? WANTS_ICW4 : READY;
		break;
	case WANTS_ICW4:
		s->special_fully_nested_mode = !!(value & ICW4_SFNM);
		s->auto_eoi = !!(value & ICW4_AEOI);
		s->init_state = READY;
		break;
	default:
		s->imr = value;
		settle(m);
		return;
	}
	settle_by_manual(m);
}

static void write_chip(struct pic_model *m, struct pic_state *s, bool odd, uint8_t value)
{
	if (odd)
		write_odd(m, s, value);
	else if (value & ICW1)
		write_icw1(m, s, value);
	else if (value & OCW3)
		write_ocw3(m, s, value);
	else
		write_ocw2(m, s, value);
}

static void write_elcr(struct pic_model *m, struct pic_state *s, uint8_t value)
{
	uint8_t before = level_lines(s);

	s->elcr = value & s->elcr_mask;
	if (m->quirks & PIC_QUIRK_ELCR)
		return;
	set_level_lines(s, before);
	settle_by_manual(m);
}

/* ---- entry points ---- */

static bool is_elcr(uint16_t port)
{
	return (port & ~1) == PORT_ELCR;
}

bool pic_model_owns(uint16_t port)
{
	return (port & ~(PORT_SLAVE | 1)) == 0x20 || is_elcr(port);
}

static struct pic_state *chip_at(struct pic_model *m, uint16_t port)
{
	if (is_elcr(port))
		return &m->pics[port & 1];
	return &m->pics[port & PORT_SLAVE ? PIC_SLAVE : PIC_MASTER];
}

uint32_t pic_model_read(struct pic_model *m, uint16_t port, unsigned int size)
{
	uint32_t value = 0;

	if (size != 1 && m->quirks & PIC_QUIRK_WIDTH)
		return 0;
	for (unsigned int i = 0; i < size && i < 4; i++) {
		uint16_t at = (uint16_t)(port + i);
		uint8_t byte = NO_PORT;

		if (is_elcr(at))
			byte = chip_at(m, at)->elcr;
		else if (pic_model_owns(at))
			byte = read_chip(m, chip_at(m, at), at & 1);
		value |= (uint32_t)byte << 8 * i;
	}
	return value;
}

void pic_model_write(struct pic_model *m, uint16_t port, unsigned int size, uint32_t value)
{
	if (size != 1 && m->quirks & PIC_QUIRK_WIDTH)
		return;
	for (unsigned int i = 0; i < size && i < 4; i++) {
		uint16_t at = (uint16_t)(port + i);
		uint8_t byte = (uint8_t)(value >> 8 * i);

		if (is_elcr(at))
			write_elcr(m, chip_at(m, at), byte);
		else if (pic_model_owns(at))
			write_chip(m, chip_at(m, at), at & 1, byte);
	}
}

void pic_model_set_line(struct pic_model *m, unsigned int irq, bool level)
{
	if (irq > 15 || irq == PIC_CASCADE)
		return;
	set_pin(&m->pics[irq / 8], irq % 8, level);
	settle(m);
}

bool pic_model_intr(const struct pic_model *m)
{
	return m->intr;
}

void pic_model_init(struct pic_model *m, const struct pic_model_ops *ops, void *opaque, uint32_t quirks)
{
	*m = (struct pic_model){ .ops = ops, .opaque = opaque, .quirks = quirks };
	for (unsigned int i = 0; i < 2; i++) {
		reg_state_reset(&pic_chip, &m->pics[i], true);
		m->pics[i].elcr_mask = elcr_masks[i];
	}
}

void pic_model_save(const struct pic_model *m, struct pic_state ret_pics[2])
{
	memcpy(ret_pics, m->pics, sizeof(m->pics));
}

/* Everything known, and what is a flag is 0 or 1. */
static void complete(struct pic_state *s, uint8_t elcr_mask)
{
	struct pic_state full;

	reg_state_reset(&pic_chip, &full, true);
	full.elcr_mask = elcr_mask;
	known_rows(&pic_chip, s, &full);
	*s = full;
	s->read_reg_select = !!s->read_reg_select;
	s->elcr &= s->elcr_mask;
}

int pic_model_check(const struct pic_state pics[2])
{
	for (unsigned int i = 0; i < 2; i++) {
		struct pic_state fresh = pics[i];

		complete(&fresh, elcr_masks[i]);
		if (fresh.init_state > WANTS_ICW4 || fresh.priority_add > 7)
			return -EINVAL;
	}
	return 0;
}

int pic_model_restore(struct pic_model *m, const struct pic_state pics[2])
{
	struct pic_state fresh[2];

	if (pic_model_check(pics))
		return -EINVAL;
	memcpy(fresh, pics, sizeof(fresh));
	for (unsigned int i = 0; i < 2; i++)
		complete(&fresh[i], elcr_masks[i]);
	memcpy(m->pics, fresh, sizeof(fresh));
	settle(m);
	return 0;
}

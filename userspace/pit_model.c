/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 8254: ports, latches, the interrupt of channel 0, port 0x61. The counting is in pit_counter.c. */
#include "userspace/pit_model.h"

#include <linux/kvm.h>

#include "userspace/pit_counter_priv.h"

enum { LOW_BYTE = 1,
       HIGH_BYTE,
       WORD_LOW,
       WORD_HIGH }; /* of rw_mode, read_state, write_state, count_latched */
enum { CONTROL_ACCESS = 3 << 4,
       NO_COUNT = 1 << 5,
       NO_STATUS = 1 << 4 };
enum { STATUS_NULL = 1 << 6,
       STATUS_OUT = 1 << 7 };
enum { GATE_2 = 1 << 0,
       SPEAKER = 1 << 1,
       REFRESH = 1 << 4,
       OUT_2 = 1 << 5 };

#define READ_BACK 3 /* instead of a channel in a control word */
#define PORT_COUNTERS 0x40
#define PORT_CONTROL 0x43
#define PORT_B 0x61
#define NO_PORT 0xff
#define REFRESH_NS 15085 /* 18 ticks: channel 1 of a PC/AT */
#define KVM_REFRESH 14   /* bit of the time */

/* When a call began, and what was the output of channel 0 then. */
struct moment {
	int64_t now;
	bool out;
};

static struct pit_pair pair_of(struct pit_model *m, unsigned int i)
{
	return (struct pit_pair){ &m->pit.channels[i], &m->extra.counters[i] };
}

/* ---- channel 0's interrupt ---- */

static void give_owed(struct pit_model *m)
{
	if (!m->extra.owed || m->extra.in_flight)
		return;
	m->extra.owed--;
	m->extra.in_flight = true;
	m->ops->tick(m->opaque);
}

static void deliver(struct pit_model *m, uint64_t edges)
{
	if (!edges || m->pit.irq_disabled)
		return;
	if (m->catch_up == PIT_COALESCE) {
		m->ops->tick(m->opaque);
		return;
	}
	m->extra.owed += edges;
	give_owed(m);
}

static void rearm(struct pit_model *m, int64_t now)
{
	int64_t at = m->pit.irq_disabled ? PIT_NEVER : pit_counter_deadline(pair_of(m, 0), now);

	if (at == m->deadline)
		return;
	m->deadline = at;
	m->ops->arm(m->opaque, at);
}

static struct moment begin(struct pit_model *m, unsigned int i)
{
	struct moment at = { .now = m->ops->now_ns(m->opaque) };

	if (i) {
		pit_counter_advance(pair_of(m, i), at.now);
		return at;
	}
	deliver(m, pit_counter_advance(pair_of(m, 0), at.now));
	at.out = pit_counter_out(pair_of(m, 0), at.now);
	return at;
}

/* An output that a command raises makes an interrupt as one that counting raises. */
static void finish(struct pit_model *m, unsigned int i, struct moment at)
{
	if (i)
		return;
	if (!m->extra.counters[0].simple)
		deliver(m, !at.out && pit_counter_out(pair_of(m, 0), at.now));
	rearm(m, at.now);
}

void pit_model_expired(struct pit_model *m)
{
	struct moment at = begin(m, 0);

	m->deadline = PIT_NEVER;
	rearm(m, at.now);
}

void pit_model_acked(struct pit_model *m)
{
	m->extra.in_flight = false;
	give_owed(m);
}

void pit_model_forgive(struct pit_model *m)
{
	m->extra.owed = 0;
	m->extra.in_flight = false;
}

/* ---- latches ---- */

static void latch_count(struct pit_pair p, int64_t now)
{
	if (p.c->count_latched)
		return;
	p.c->latched_count = pit_counter_value(p, now);
	p.c->count_latched = p.c->rw_mode;
}

static uint8_t status(const struct pit_model *m, struct pit_pair p, int64_t now)
{
	uint8_t out = pit_counter_out(p, now) ? STATUS_OUT : 0;

	if (m->quirks & PIT_QUIRK_STATUS)
		return (uint8_t)(out | p.c->rw_mode << 4 | p.c->mode << 1 | p.c->bcd);
	return (uint8_t)(out | (p.x->null_count ? STATUS_NULL : 0) | p.x->control);
}

static void latch_status(const struct pit_model *m, struct pit_pair p, int64_t now)
{
	if (p.c->status_latched)
		return;
	p.c->status = status(m, p, now);
	p.c->status_latched = 1;
}

static uint8_t byte_of(uint16_t value, bool high)
{
	return (uint8_t)(value >> (high ? 8 : 0));
}

static uint8_t read_latched(struct pit_channel *c)
{
	uint8_t how = c->count_latched;

	c->count_latched = how == WORD_LOW ? HIGH_BYTE : 0;
	return byte_of(c->latched_count, how == HIGH_BYTE || how == WORD_HIGH);
}

static uint8_t read_counter(struct pit_model *m, unsigned int i)
{
	struct pit_pair p = pair_of(m, i);
	struct moment at;
	uint8_t how = p.c->read_state;

	if (p.c->status_latched) {
		p.c->status_latched = 0;
		return p.c->status;
	}
	if (p.c->count_latched)
		return read_latched(p.c);
	at = begin(m, i);
	if (how == WORD_LOW)
		p.c->read_state = WORD_HIGH;
	else if (how == WORD_HIGH)
		p.c->read_state = WORD_LOW;
	finish(m, i, at);
	return byte_of(pit_counter_value(p, at.now), how == HIGH_BYTE || how == WORD_HIGH);
}

/* ---- what the guest writes ---- */

static void write_count(struct pit_model *m, unsigned int i, uint16_t count)
{
	struct moment at = begin(m, i);

	pit_counter_write(pair_of(m, i), count, at.now);
	if (i == 0)
		pit_model_forgive(m);
	finish(m, i, at);
}

static void write_first_byte(struct pit_model *m, unsigned int i, uint8_t value)
{
	struct moment at = begin(m, i);
	struct pit_pair p = pair_of(m, i);

	p.c->write_latch = value;
	p.c->write_state = WORD_HIGH;
	pit_counter_first_byte(p, at.now);
	finish(m, i, at);
}

static void write_counter(struct pit_model *m, unsigned int i, uint8_t value)
{
	struct pit_channel *c = &m->pit.channels[i];

	switch (c->write_state) {
	case HIGH_BYTE:
		write_count(m, i, (uint16_t)(value << 8));
		break;
	case WORD_LOW:
		write_first_byte(m, i, value);
		break;
	case WORD_HIGH:
		c->write_state = WORD_LOW;
		write_count(m, i, (uint16_t)(c->write_latch | value << 8));
		break;
	default:
		write_count(m, i, value);
		break;
	}
}

static void read_back(struct pit_model *m, uint8_t value)
{
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		struct moment at;

		if (!(value & 2 << i))
			continue;
		at = begin(m, i);
		if (!(value & NO_COUNT))
			latch_count(pair_of(m, i), at.now);
		if (!(value & NO_STATUS))
			latch_status(m, pair_of(m, i), at.now);
		finish(m, i, at);
	}
}

static void set_mode(const struct pit_model *m, struct pit_pair p, uint8_t value, int64_t now)
{
	uint8_t access = value >> 4 & 3;

	p.c->rw_mode = p.c->read_state = p.c->write_state = access;
	if (!(m->quirks & PIT_QUIRK_LATCHES))
		p.c->count_latched = p.c->status_latched = 0;
	pit_counter_control(p, value, now);
}

static void write_control(struct pit_model *m, uint8_t value)
{
	unsigned int i = value >> 6;
	struct moment at;

	if (i == READ_BACK) {
		read_back(m, value);
		return;
	}
	at = begin(m, i);
	if (value & CONTROL_ACCESS)
		set_mode(m, pair_of(m, i), value, at.now);
	else
		latch_count(pair_of(m, i), at.now);
	finish(m, i, at);
}

void pit_model_set_gate(struct pit_model *m, unsigned int channel, bool level)
{
	struct moment at;

	if (channel >= PIT_CHANNELS)
		return;
	at = begin(m, channel);
	pit_counter_gate(pair_of(m, channel), level, at.now);
	finish(m, channel, at);
}

/* ---- port 0x61 ---- */

static uint8_t read_port_b(struct pit_model *m)
{
	struct moment at = begin(m, 2);
	uint64_t now = (uint64_t)at.now, periods = now / REFRESH_NS;
	uint8_t value = m->pit.channels[2].gate ? GATE_2 : 0;

	if (m->quirks & PIT_QUIRK_REFRESH)
		periods = now >> KVM_REFRESH;
	value |= periods & 1 ? REFRESH : 0;
	value |= pit_model_speaker(m) ? SPEAKER : 0;
	return value | (pit_counter_out(pair_of(m, 2), at.now) ? OUT_2 : 0);
}

static void write_port_b(struct pit_model *m, uint8_t value)
{
	m->pit.flags &= ~(uint32_t)KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	if (value & SPEAKER)
		m->pit.flags |= KVM_PIT_FLAGS_SPEAKER_DATA_ON;
	pit_model_set_gate(m, 2, value & GATE_2);
}

bool pit_model_speaker(const struct pit_model *m)
{
	return m->pit.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
}

bool pit_model_out(struct pit_model *m, unsigned int channel)
{
	struct moment at;

	if (channel >= PIT_CHANNELS)
		return false;
	at = begin(m, channel);
	finish(m, channel, at);
	return pit_counter_out(pair_of(m, channel), at.now);
}

void pit_model_set_hpet_legacy(struct pit_model *m, bool on)
{
	struct moment at = begin(m, 0);

	m->pit.irq_disabled = on;
	m->pit.flags &= ~(uint32_t)KVM_PIT_FLAGS_HPET_LEGACY;
	m->pit.flags |= on ? KVM_PIT_FLAGS_HPET_LEGACY : 0;
	finish(m, 0, at);
}

/* ---- ports ---- */

bool pit_model_owns(uint16_t port)
{
	return (port & ~3) == PORT_COUNTERS || port == PORT_B;
}

static uint8_t read_byte(struct pit_model *m, uint16_t port)
{
	if (port == PORT_B)
		return read_port_b(m);
	if (port == PORT_CONTROL)
		return m->quirks & PIT_QUIRK_WIDTH ? 0 : NO_PORT;
	return pit_model_owns(port) ? read_counter(m, port & 3) : NO_PORT;
}

static void write_byte(struct pit_model *m, uint16_t port, uint8_t value)
{
	if (port == PORT_B)
		write_port_b(m, value);
	else if (port == PORT_CONTROL)
		write_control(m, value);
	else if (pit_model_owns(port))
		write_counter(m, port & 3, value);
}

uint32_t pit_model_read(struct pit_model *m, uint16_t port, unsigned int size)
{
	uint32_t value = 0;

	if (m->quirks & PIT_QUIRK_WIDTH)
		return read_byte(m, port);
	for (unsigned int i = 0; i < size && i < 4; i++)
		value |= (uint32_t)read_byte(m, (uint16_t)(port + i)) << 8 * i;
	return value;
}

void pit_model_write(struct pit_model *m, uint16_t port, unsigned int size, uint32_t value)
{
	if (m->quirks & PIT_QUIRK_WIDTH)
		size = 1;
	for (unsigned int i = 0; i < size && i < 4; i++)
		write_byte(m, (uint16_t)(port + i), (uint8_t)(value >> 8 * i));
}

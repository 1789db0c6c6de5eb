/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model's beginning, its state out and in. */
#include <errno.h>
#include <linux/kvm.h>

#include "userspace/known_priv.h"
#include "userspace/pit_counter_priv.h"

enum { MODES = 6,
       NO_MODE = 0xff,
       ACCESSES = 3,
       BYTE_STATES = 4,
       FULL_COUNT = 0x10000 };
enum { BETWEEN_BYTES = 4 };

static void power_on(struct pit_state *pit)
{
	reg_state_reset(&pit_chip, pit, true);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		pit->channels[i].mode = NO_MODE;
		pit->channels[i].gate = i != 2;
		pit->channels[i].next_transition_time = PIT_NEVER;
	}
	pit->irq_timer = PIT_NEVER;
}

void pit_model_init(struct pit_model *m, const struct pit_model_ops *ops, void *opaque, enum pit_catch_up catch_up,
		    uint32_t quirks)
{
	int64_t now = ops->now_ns(opaque);

	*m = (struct pit_model){
		.deadline = PIT_NEVER, .catch_up = catch_up, .quirks = quirks, .ops = ops, .opaque = opaque
	};
	power_on(&m->pit);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		m->pit.channels[i].count_load_time = now;
		m->extra.counters[i] = (struct pit_model_counter){
			.current = FULL_COUNT,
			.load_ns = now,
			.frozen_ns = PIT_COUNTS,
			.null_count = true,
			.simple = quirks & PIT_QUIRK_COUNTING,
			.loaded = quirks & PIT_QUIRK_COUNTING,
		};
	}
}

/* What KVM and QEMU, which know a count, a load time and nothing else, make the best of. */
static void show(struct pit_pair p, struct pit_channel *ret, int64_t now)
{
	int64_t switch_ns = pit_counter_switch_ns(p);

	*ret = *p.c;
	if (p.x->loaded && p.x->frozen_ns != PIT_COUNTS)
		ret->count_load_time = (int64_t)((uint64_t)now - (uint64_t)p.x->frozen_ns);
	else if (switch_ns != PIT_NEVER)
		ret->count_load_time = switch_ns;
	else
		ret->count_load_time = p.x->load_ns;
	ret->next_transition_time = PIT_NEVER;
}

void pit_model_save(const struct pit_model *m, struct pit_state *ret_pit, struct pit_model_extra *ret_extra)
{
	int64_t now = m->ops->now_ns(m->opaque);
	struct pit_model copy = *m;

	*ret_pit = m->pit;
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		show((struct pit_pair){ &copy.pit.channels[i], &copy.extra.counters[i] }, &ret_pit->channels[i], now);
	ret_pit->channels[0].next_transition_time = pit_next_edge(&ret_pit->channels[0], now);
	ret_pit->irq_timer = ret_pit->channels[0].next_transition_time;
	if (ret_extra)
		*ret_extra = m->extra;
}

static bool channel_is_sound(struct pit_channel *c)
{
	if (!c->count)
		c->count = FULL_COUNT;
	c->gate = !!c->gate;
	c->bcd = !!c->bcd;
	return (c->mode < MODES || c->mode == NO_MODE) && c->count > 0 && c->count <= FULL_COUNT && c->rw_mode <= ACCESSES &&
	       c->read_state <= BYTE_STATES && c->write_state <= BYTE_STATES && c->count_latched <= BYTE_STATES;
}

static bool counter_is_sound(const struct pit_model_counter *x)
{
	return x->current > 0 && x->current <= FULL_COUNT && x->frozen_ns >= PIT_COUNTS;
}

/* A state that says no more than KVM's and QEMU's do. @past: edges up to then were seen. */
static void derive(struct pit_pair p, int64_t now, int64_t past)
{
	bool simple = p.x->simple;

	*p.x = (struct pit_model_counter){
		.control = (uint8_t)((p.c->rw_mode << 4 | p.c->mode << 1 | p.c->bcd) & 0x3f),
		.written = p.c->mode < MODES,
		.loaded = p.c->mode < MODES || simple,
		.simple = simple,
		.current = p.c->count,
		.load_ns = p.c->count_load_time,
		.frozen_ns = PIT_COUNTS,
	};
	p.x->edges = pit_counter_edges(p, past);
	if (simple || !p.x->loaded)
		return;
	if (p.c->mode == 0 && p.c->write_state == BETWEEN_BYTES)
		pit_counter_first_byte(p, now);
	else if (!p.c->gate && pit_counter_stops(p.c->mode))
		p.x->frozen_ns = pit_counter_elapsed_ns(p, now);
}

/* Up to when the ticks of channel 0 were given. */
static int64_t ticks_given(const struct pit_state *from, int64_t now)
{
	const struct reg_row *row = reg_find_name(&pit_chip, "next_transition_time");
	int64_t next = from->channels[0].next_transition_time;

	if (!reg_known(row, from, 0) || next == PIT_NEVER || next > now)
		return now;
	return next == INT64_MIN ? next : next - 1;
}

/* What is known of @pit over a timer after power-on. Return: whether that can be. */
static bool complete(const struct pit_state *pit, const struct pit_model_extra *extra, struct pit_state *ret)
{
	power_on(ret);
	known_rows(&pit_chip, pit, ret);
	for (unsigned int i = 0; i < PIT_CHANNELS; i++)
		if (!channel_is_sound(&ret->channels[i]) || (extra && !counter_is_sound(&extra->counters[i])))
			return false;
	return true;
}

int pit_model_check(const struct pit_state *pit, const struct pit_model_extra *extra)
{
	struct pit_state fresh;

	return complete(pit, extra, &fresh) ? 0 : -EINVAL;
}

int pit_model_restore(struct pit_model *m, const struct pit_state *pit, const struct pit_model_extra *extra)
{
	int64_t now = m->ops->now_ns(m->opaque);
	struct pit_model fresh = *m;

	if (!complete(pit, extra, &fresh.pit))
		return -EINVAL;
	if (extra)
		fresh.extra = *extra;
	for (unsigned int i = 0; i < PIT_CHANNELS; i++) {
		fresh.extra.counters[i].simple = m->quirks & PIT_QUIRK_COUNTING;
		if (!extra)
			derive((struct pit_pair){ &fresh.pit.channels[i], &fresh.extra.counters[i] }, now,
			       i ? now : ticks_given(pit, now));
	}
	if (!extra)
		pit_model_forgive(&fresh);
	if (fresh.pit.flags & KVM_PIT_FLAGS_HPET_LEGACY)
		fresh.pit.irq_disabled = 1;
	*m = fresh;
	m->ops->arm(m->opaque, PIT_NEVER);
	pit_model_expired(m);
	return 0;
}

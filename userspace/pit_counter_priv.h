/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One channel of the 8254: its counting element, gate and output. Times are nanoseconds that never go back. */
#ifndef IRQSHIFT_USERSPACE_PIT_COUNTER_PRIV_H
#define IRQSHIFT_USERSPACE_PIT_COUNTER_PRIV_H

#include "userspace/pit_model.h"

#define PIT_COUNTS INT64_C(-1) /* frozen_ns of a channel that counts */

/* A channel is two structs that belong together. */
struct pit_pair {
	struct pit_channel *c;
	struct pit_model_counter *x;
};

/**
 * pit_counter_advance - load what was waiting for the end of a cycle
 *
 * Return: rising edges of the output up to @now that were not told before. All functions below want this first.
 */
uint64_t pit_counter_advance(struct pit_pair p, int64_t now);

/* pit_counter_edges - all rising edges since the count was loaded. */
uint64_t pit_counter_edges(struct pit_pair p, int64_t now);

/* pit_counter_out/pit_counter_value - the output; the count as the guest reads it. */
bool pit_counter_out(struct pit_pair p, int64_t now);
uint16_t pit_counter_value(struct pit_pair p, int64_t now);

/* pit_counter_deadline - when pit_counter_advance() has something to do; PIT_NEVER: never by itself. */
int64_t pit_counter_deadline(struct pit_pair p, int64_t now);

/* pit_counter_control - a control word that sets the mode. */
void pit_counter_control(struct pit_pair p, uint8_t control, int64_t now);

/* pit_counter_first_byte/pit_counter_write - the first of two bytes of a count; a whole count as it was written. */
void pit_counter_first_byte(struct pit_pair p, int64_t now);
void pit_counter_write(struct pit_pair p, uint16_t count, int64_t now);

/* pit_counter_gate - the gate is, or stays, at a level. */
void pit_counter_gate(struct pit_pair p, bool level, int64_t now);

/* pit_counter_elapsed_ns - how long the loaded count has been counted. */
int64_t pit_counter_elapsed_ns(struct pit_pair p, int64_t now);

/* pit_counter_stops - whether a low gate stops counting in a mode. */
bool pit_counter_stops(uint8_t mode);

/* pit_counter_switch_ns - when a waiting count will be loaded by itself; PIT_NEVER: there is none. */
int64_t pit_counter_switch_ns(struct pit_pair p);

#endif

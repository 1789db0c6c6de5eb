/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PIT as the tests of the model use it: a clock that they turn, and a timer that fires when it is due. */
#ifndef TESTS_UNIT_PITBOX_H
#define TESTS_UNIT_PITBOX_H

#include "userspace/pit_model.h"

struct pitbox {
	struct pit_model m;
	int64_t now, armed;
	unsigned int ticks; /* of IRQ 0 */
};

/* pitbox_init - a PIT after power-on, at @now. */
void pitbox_init(struct pitbox *p, int64_t now, enum pit_catch_up catch_up, uint32_t quirks);

/* pitbox_at - the clock is set; the timer is left alone. pitbox_run - and fires on the way, when it is due. */
void pitbox_at(struct pitbox *p, int64_t now);
void pitbox_run(struct pitbox *p, int64_t now);

/* pitbox_out/pitbox_in - one byte. */
void pitbox_out(struct pitbox *p, uint16_t port, uint8_t value);
uint8_t pitbox_in(struct pitbox *p, uint16_t port);

/* pitbox_program - control word for low and high byte, and a count. */
void pitbox_program(struct pitbox *p, unsigned int channel, unsigned int mode, bool bcd, uint16_t count);

/* pitbox_count - two bytes of a count. */
void pitbox_count(struct pitbox *p, unsigned int channel, uint16_t count);

/* pitbox_latched - the count, by the latch command and two reads. */
uint16_t pitbox_latched(struct pitbox *p, unsigned int channel);

/* pitbox_status - the status, by read-back. */
uint8_t pitbox_status(struct pitbox *p, unsigned int channel);

/* tick_ns - the first nanosecond of a tick after 0. */
int64_t tick_ns(uint64_t tick);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to the explain*.c: a comparison that is being told. */
#ifndef IRQSHIFT_APIC_EXPLAIN_PRIV_H
#define IRQSHIFT_APIC_EXPLAIN_PRIV_H

#include "apic/explain.h"

struct story {
	const struct reg_chip *chip;
	void *a;
	const void *b;
	const struct explain_context *context;
	const char *prefix;
	const struct reg_out *out;
	unsigned int lines;
};

void explain_lapic(struct story *s);
void explain_timer(struct story *s);
void explain_ioapic(struct story *s);
void explain_pic(struct story *s);
void explain_pit(struct story *s);
void explain_clock(struct story *s);

/* A line: the prefix, the text, a newline. */
void story_say(struct story *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A line that ends in a span of time, and @after ("", " left"). */
void story_say_ns(struct story *s, uint64_t ns, const char *after, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Whether both states know element @i of a row, and whether it differs then. */
bool story_knows(const struct story *s, const char *row, unsigned int i);
bool story_changed(const struct story *s, const char *row, unsigned int i);

/* A row that has changed, in both states. Return: whether it has. */
bool story_values(const struct story *s, const char *row, unsigned int i, uint64_t *ret_a, uint64_t *ret_b);

/* A row has been explained: all of it, or some bits of it. */
void story_done(struct story *s, const char *row, unsigned int i);
void story_done_bits(struct story *s, const char *row, unsigned int i, uint64_t bits);

#endif

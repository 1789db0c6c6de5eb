/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chips in words: register by register and bit by bit. Text goes to a callback in pieces, whole lines or not;
 * nothing is written anywhere else.
 */
#ifndef IRQSHIFT_APIC_PRINT_H
#define IRQSHIFT_APIC_PRINT_H

#include "apic/irqchip.h"

/* What a piece of text is, for an output that can show it. */
enum reg_style {
	REG_PLAIN,
	REG_HEADING,    /* a chip or a section */
	REG_NAME,       /* a register */
	REG_SET,        /* bits that are set */
	REG_CHANGED,    /* the new value in a comparison */
	REG_NOTED,      /* a finding: worth knowing */
	REG_SUSPICIOUS, /* a finding: not as it should be */
	REG_IMPOSSIBLE, /* a finding: it cannot be */
	REG_STYLES,
};

struct reg_out {
	void (*emit)(void *ctx, const char *text);
	void *ctx;
	/* Called where a style begins, and with REG_PLAIN where it ends; NULL: text alone. */
	void (*style)(void *ctx, enum reg_style style);
};

/* A growing string as the context of reg_buffer_emit(). */
struct reg_buffer {
	char *text; /* terminated; NULL when nothing came */
	size_t len, size;
	bool failed; /* out of memory: text is cut */
};

void reg_buffer_init(struct reg_buffer *b);
void reg_buffer_deinit(struct reg_buffer *b);
void reg_buffer_emit(void *buffer, const char *text);

/* reg_emit - printf to a callback; a piece longer than 1000 characters is cut. */
void reg_emit(const struct reg_out *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* reg_emit_styled - the same, with a style around it. */
void reg_emit_styled(const struct reg_out *out, enum reg_style style, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* reg_emit_ns - a span of time with a unit that suits it: "3.200 ms". */
void reg_emit_ns(const struct reg_out *out, int64_t ns);

/* reg_emit_value - one value of a row, its fields or set bits in words. */
void reg_emit_value(const struct reg_out *out, const struct reg_chip *chip, const struct reg_row *row,
		    uint64_t value);

/**
 * reg_print - every known row of a chip, a line each
 * @desc: only rows that this section carries; NULL for all
 */
void reg_print(const struct reg_chip *chip, const void *state, const struct vms_desc *desc,
	       const struct reg_out *out);

/**
 * reg_diff - what differs between two states of a chip, in words, a line each
 * @prefix: put before each line, such as "apic[1] "
 *
 * Return: the number of lines.
 */
unsigned int reg_diff(const struct reg_chip *chip, const void *a, const void *b, const char *prefix,
		      const struct reg_out *out);

/* The chips as a whole. @now_ns is virtual time, or REG_NO_TIME. */
void lapic_print(const struct lapic_state *s, int64_t now_ns, const struct reg_out *out);
void ioapic_print(const struct ioapic_state *s, const struct reg_out *out);
void pic_print(const struct pic_state *s, unsigned int which, const struct reg_out *out);
void pit_print(const struct pit_state *s, int64_t now_ns, const struct reg_out *out);

#endif

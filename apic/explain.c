/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/explain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "apic/any_state_priv.h"
#include "apic/explain_priv.h"

unsigned int reg_explain(const struct reg_chip *chip, void *a, const void *b, const struct explain_context *context,
			 const char *prefix, const struct reg_out *out)
{
	struct story s = { .chip = chip, .a = a, .b = b, .context = context, .prefix = prefix, .out = out };

	if (chip == &lapic_chip) {
		explain_lapic(&s);
		explain_timer(&s);
	} else if (chip == &ioapic_chip) {
		explain_ioapic(&s);
	} else if (chip == &pic_chip) {
		explain_pic(&s);
	} else if (chip == &pit_chip) {
		explain_pit(&s);
	} else if (chip == &clock_chip) {
		explain_clock(&s);
	}
	return s.lines;
}

unsigned int reg_diff_words(const struct reg_chip *chip, const void *a, const void *b,
			    const struct explain_context *context, const char *prefix, const struct reg_out *out)
{
	union any_state rest;
	unsigned int lines;

	memcpy(&rest, a, chip->state_size);
	lines = reg_explain(chip, &rest, b, context, prefix, out);
	return lines + reg_diff(chip, &rest, b, prefix, out);
}

static void __attribute__((format(printf, 2, 0))) start_line(struct story *s, const char *fmt, va_list ap)
{
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	reg_emit(s->out, "%s", s->prefix);
	reg_emit_styled(s->out, REG_CHANGED, "%s", text);
	s->lines++;
}

void story_say(struct story *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start_line(s, fmt, ap);
	va_end(ap);
	reg_emit(s->out, "\n");
}

void story_say_ns(struct story *s, uint64_t ns, const char *after, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	start_line(s, fmt, ap);
	va_end(ap);
	reg_emit_ns(s->out, ns > INT64_MAX ? INT64_MAX : (int64_t)ns);
	reg_emit(s->out, "%s\n", after);
}

bool story_knows(const struct story *s, const char *row, unsigned int i)
{
	const struct reg_row *r = reg_find_name(s->chip, row);

	return reg_known(r, s->a, i) && reg_known(r, s->b, i);
}

bool story_values(const struct story *s, const char *row, unsigned int i, uint64_t *ret_a, uint64_t *ret_b)
{
	const struct reg_row *r = reg_find_name(s->chip, row);

	*ret_a = reg_get(r, s->a, i);
	*ret_b = reg_get(r, s->b, i);
	return story_knows(s, row, i) && *ret_a != *ret_b;
}

bool story_changed(const struct story *s, const char *row, unsigned int i)
{
	uint64_t a, b;

	return story_values(s, row, i, &a, &b);
}

void story_done_bits(struct story *s, const char *row, unsigned int i, uint64_t bits)
{
	const struct reg_row *r = reg_find_name(s->chip, row);
	uint64_t a = reg_get(r, s->a, i), b = reg_get(r, s->b, i);

	if (story_knows(s, row, i))
		reg_set(r, s->a, i, (a & ~bits) | (b & bits));
}

void story_done(struct story *s, const char *row, unsigned int i)
{
	story_done_bits(s, row, i, UINT64_MAX);
}

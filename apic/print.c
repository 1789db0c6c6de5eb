/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values, rows and differences in words. The chips as a whole are in print_chips.c. */
#include "apic/print.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void reg_buffer_init(struct reg_buffer *b)
{
	memset(b, 0, sizeof(*b));
}

void reg_buffer_deinit(struct reg_buffer *b)
{
	free(b->text);
	reg_buffer_init(b);
}

void reg_buffer_emit(void *buffer, const char *text)
{
	struct reg_buffer *b = buffer;
	size_t len = strlen(text);

	if (b->failed)
		return;
	if (b->len + len + 1 > b->size) {
		size_t size = 2 * (b->len + len + 1);
		char *grown = realloc(b->text, size);

		if (!grown) {
			b->failed = true;
			return;
		}
		b->text = grown;
		b->size = size;
	}
	memcpy(b->text + b->len, text, len + 1);
	b->len += len;
}

static void __attribute__((format(printf, 2, 0))) emit_args(const struct reg_out *out, const char *fmt, va_list ap)
{
	char line[1001];

	vsnprintf(line, sizeof(line), fmt, ap);
	out->emit(out->ctx, line);
}

void reg_emit(const struct reg_out *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	emit_args(out, fmt, ap);
	va_end(ap);
}

static void set_style(const struct reg_out *out, enum reg_style style)
{
	if (out->style)
		out->style(out->ctx, style);
}

void reg_emit_styled(const struct reg_out *out, enum reg_style style, const char *fmt, ...)
{
	va_list ap;

	set_style(out, style);
	va_start(ap, fmt);
	emit_args(out, fmt, ap);
	va_end(ap);
	set_style(out, REG_PLAIN);
}

void reg_emit_ns(const struct reg_out *out, int64_t ns)
{
	uint64_t abs = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	const char *sign = ns < 0 ? "-" : "";

	if (abs < 1000)
		reg_emit(out, "%s%" PRIu64 " ns", sign, abs);
	else if (abs < 1000000)
		reg_emit(out, "%s%" PRIu64 ".%03" PRIu64 " us", sign, abs / 1000, abs % 1000);
	else if (abs < 1000000000)
		reg_emit(out, "%s%" PRIu64 ".%03" PRIu64 " ms", sign, abs / 1000000, abs / 1000 % 1000);
	else
		reg_emit(out, "%s%" PRIu64 ".%06" PRIu64 " s", sign, abs / 1000000000, abs / 1000 % 1000000);
}

static bool is_bits(const struct reg_row *row)
{
	return row->format >= REG_VECTORS;
}

static const char *value_name(const struct reg_field *f, uint64_t v)
{
	return v < f->nvalues ? f->values[v] : NULL;
}

static void emit_field(const struct reg_out *out, const struct reg_field *f, uint64_t v)
{
	const char *name = value_name(f, v);

	if (name)
		reg_emit(out, "%s=%s", f->name, name);
	else if (f->width == 1)
		reg_emit(out, "%s=%u", f->name, (unsigned int)v);
	else if (f->width <= 8)
		reg_emit(out, "%s=%" PRIu64, f->name, v);
	else
		reg_emit(out, "%s=0x%" PRIx64, f->name, v);
}

/* A flag without names is shown when it is set, everything else always. */
static void emit_fields(const struct reg_out *out, const struct reg_row *row, uint64_t value)
{
	for (unsigned int i = 0; i < row->nfields; i++) {
		const struct reg_field *f = &row->fields[i];
		uint64_t v = reg_field_get(f, value);

		if (f->width == 1 && !f->values) {
			if (v)
				reg_emit_styled(out, REG_SET, " %s", f->name);
			continue;
		}
		reg_emit(out, " ");
		emit_field(out, f, v);
	}
	if (row->nfields && value & row->rsvd & ~(uint64_t)row->vms_fill)
		reg_emit(out, " reserved=0x%" PRIx64, value & row->rsvd & ~(uint64_t)row->vms_fill);
}

/* Bits of one word, numbered from @base on; returns how many. */
static unsigned int emit_bits(const struct reg_out *out, uint64_t value, unsigned int base)
{
	unsigned int n = 0;

	for (unsigned int b = 0; b < 64; b++)
		if (value >> b & 1) {
			reg_emit_styled(out, REG_SET, " %u", base + b);
			n++;
		}
	return n;
}

static void emit_number(const struct reg_out *out, const struct reg_row *row, uint64_t value)
{
	if (row->format == REG_NS) {
		reg_emit(out, "%" PRId64 " (", (int64_t)value);
		reg_emit_ns(out, (int64_t)value);
		reg_emit(out, ")");
	} else if (row->format == REG_DEC && row->is_signed)
		reg_emit(out, "%" PRId64, (int64_t)value);
	else if (row->format == REG_DEC)
		reg_emit(out, "%" PRIu64, value);
	else
		reg_emit(out, "0x%0*" PRIx64, 2 * row->width, value);
}

void reg_emit_value(const struct reg_out *out, const struct reg_chip *chip, const struct reg_row *row,
		    uint64_t value)
{
	(void)chip;
	if (is_bits(row)) {
		reg_emit(out, "0x%0*" PRIx64, 2 * row->width, value);
		if (value) {
			reg_emit(out, " :");
			emit_bits(out, value, 0);
		}
		return;
	}
	emit_number(out, row, value);
	emit_fields(out, row, value);
}

static bool any_known(const struct reg_row *row, const void *state)
{
	for (unsigned int i = 0; i < row->count; i++)
		if (reg_known(row, state, i))
			return true;
	return false;
}

static void print_bank(const struct reg_row *row, const void *state, const struct reg_out *out)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < row->count; i++)
		if (reg_known(row, state, i))
			n += emit_bits(out, reg_get(row, state, i), i * 8 * row->width);
	reg_emit(out, "%s\n", n ? "" : " -");
}

static void print_row(const struct reg_chip *chip, const struct reg_row *row, const void *state,
		      const struct reg_out *out)
{
	char name[48];

	if (!any_known(row, state))
		return;
	if (is_bits(row)) {
		reg_emit_styled(out, REG_NAME, "  %-26s", row->name);
		print_bank(row, state, out);
		return;
	}
	for (unsigned int i = 0; i < row->count; i++) {
		if (!reg_known(row, state, i))
			continue;
		snprintf(name, sizeof(name), row->count > 1 ? "%s[%u]" : "%s", row->name, i);
		reg_emit_styled(out, REG_NAME, "  %-26s ", name);
		reg_emit_value(out, chip, row, reg_get(row, state, i));
		reg_emit(out, "\n");
	}
}

void reg_print(const struct reg_chip *chip, const void *state, const struct vms_desc *desc,
	       const struct reg_out *out)
{
	for (unsigned int r = 0; r < chip->nrows; r++)
		if (!desc || chip->rows[r].desc == desc)
			print_row(chip, &chip->rows[r], state, out);
}

/* What a comparison is about. */
struct diff {
	const struct reg_chip *chip;
	const void *a, *b;
	const char *prefix;
	const struct reg_out *out;
	unsigned int lines;
};

static void start_line(struct diff *d)
{
	d->lines++;
	reg_emit(d->out, "%s", d->prefix);
}

/* A bit of a bank, by its number; false where the state does not know it. */
static bool bit_of(const struct reg_row *row, const void *state, unsigned int n)
{
	unsigned int width = 8 * row->width, i = n / width;

	return i < row->count && reg_known(row, state, i) && reg_get(row, state, i) >> n % width & 1;
}

/* The one other place that bit @n has left (@from_a) or entered on its way, or NULL. */
static const struct reg_row *other_place(const struct diff *d, const struct reg_row *row, unsigned int n,
					 bool left)
{
	for (unsigned int r = 0; r < d->chip->nrows; r++) {
		const struct reg_row *o = &d->chip->rows[r];

		if (o == row || o->format != row->format)
			continue;
		if (bit_of(o, left ? d->a : d->b, n) && !bit_of(o, left ? d->b : d->a, n))
			return o;
	}
	return NULL;
}

static void diff_bit(struct diff *d, const struct reg_row *row, unsigned int n, bool now)
{
	bool vector = row->format == REG_VECTORS || row->format == REG_VECTOR_FLAGS;
	bool place = row->format == REG_VECTORS || row->format == REG_LINES;
	const char *noun = vector ? "vector" : d->chip->line;
	const struct reg_row *other = place ? other_place(d, row, n, now) : NULL;

	if (other && !now)
		return; /* said where it went to */
	start_line(d);
	if (other)
		reg_emit(d->out, "%s %u moved from %s to %s\n", noun, n, other->name, row->name);
	else if (place)
		reg_emit(d->out, "%s %u %s %s\n", noun, n, now ? "entered" : "left", row->name);
	else
		reg_emit(d->out, "%s %u: %s %s\n", noun, n, row->name, now ? "set" : "cleared");
}

static void diff_bank(struct diff *d, const struct reg_row *row)
{
	for (unsigned int i = 0; i < row->count; i++) {
		uint64_t x = reg_get(row, d->a, i) ^ reg_get(row, d->b, i);

		if (!reg_known(row, d->a, i) || !reg_known(row, d->b, i))
			continue;
		for (unsigned int b = 0; b < 8U * row->width; b++)
			if (x >> b & 1)
				diff_bit(d, row, i * 8 * row->width + b, reg_get(row, d->b, i) >> b & 1);
	}
}

static void diff_fields(struct diff *d, const struct reg_row *row, uint64_t va, uint64_t vb)
{
	const char *comma = "";

	for (unsigned int f = 0; f < row->nfields; f++) {
		const struct reg_field *field = &row->fields[f];
		uint64_t fa = reg_field_get(field, va), fb = reg_field_get(field, vb);
		const char *name = value_name(field, fb);

		if (fa == fb)
			continue;
		reg_emit(d->out, "%s ", comma);
		emit_field(d->out, field, fa);
		reg_emit(d->out, " -> ");
		if (name)
			reg_emit_styled(d->out, REG_CHANGED, "%s", name);
		else
			reg_emit_styled(d->out, REG_CHANGED, field->width <= 8 ? "%" PRIu64 : "0x%" PRIx64, fb);
		comma = ",";
	}
	if ((va ^ vb) & row->rsvd)
		reg_emit(d->out, "%s reserved 0x%" PRIx64 " -> 0x%" PRIx64, comma, va & row->rsvd,
			 vb & row->rsvd);
}

static void emit_known(struct diff *d, const struct reg_row *row, const void *state, unsigned int i)
{
	if (reg_known(row, state, i))
		emit_number(d->out, row, reg_get(row, state, i));
	else
		reg_emit(d->out, "unknown");
}

static void diff_element(struct diff *d, const struct reg_row *row, unsigned int i)
{
	uint64_t va = reg_get(row, d->a, i), vb = reg_get(row, d->b, i);
	bool ka = reg_known(row, d->a, i), kb = reg_known(row, d->b, i);

	if (ka == kb && (!ka || va == vb))
		return;
	start_line(d);
	reg_emit_styled(d->out, REG_NAME, row->count > 1 ? "%s[%u]" : "%s", row->name, i);
	reg_emit(d->out, ":");
	if (ka && kb && row->nfields) {
		diff_fields(d, row, va, vb);
	} else {
		reg_emit(d->out, " ");
		emit_known(d, row, d->a, i);
		reg_emit(d->out, " -> ");
		set_style(d->out, REG_CHANGED);
		emit_known(d, row, d->b, i);
		set_style(d->out, REG_PLAIN);
	}
	reg_emit(d->out, "\n");
}

unsigned int reg_diff(const struct reg_chip *chip, const void *a, const void *b, const char *prefix,
		      const struct reg_out *out)
{
	struct diff d = { .chip = chip, .a = a, .b = b, .prefix = prefix, .out = out };

	for (unsigned int r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];

		if (is_bits(row) && any_known(row, a) && any_known(row, b)) {
			diff_bank(&d, row);
			continue;
		}
		for (unsigned int i = 0; i < row->count; i++)
			diff_element(&d, row, i);
	}
	return d.lines;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes that report themselves. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "filters/change.h"

#define PATH_SIZE 192
#define WHY_SIZE 512

#define VALUE_SIZE 32

static void format_unsigned(char buf[VALUE_SIZE], uint64_t v)
{
	unsigned int digits = 1;

	if (v >= 10) {
		*buf++ = '0';
		*buf++ = 'x';
	}
	while (digits < 16 && v >> 4 * digits)
		digits++;
	buf[digits] = '\0';
	for (; digits; v >>= 4)
		buf[--digits] = "0123456789abcdef"[v & 15];
}

/* Small and signed numbers in decimal, bit patterns in hexadecimal. */
static void format_value(char buf[VALUE_SIZE], bool is_signed, uint64_t v)
{
	if (is_signed)
		snprintf(buf, VALUE_SIZE, "%" PRId64, (int64_t)v);
	else
		format_unsigned(buf, v);
}

/* As snprintf("%s"), which is most of the time that an entry takes. */
static void cut_text(char *buf, size_t size, const char *s)
{
	size_t len = strnlen(s, size - 1);

	memcpy(buf, s, len);
	buf[len] = '\0';
}

static char *full_path(const struct vms_node *n, const char *field, char *buf, size_t size)
{
	size_t used;

	vms_path(n, buf, size);
	used = strlen(buf);
	if (field && used && used + 1 < size)
		buf[used++] = '.';
	if (field)
		cut_text(buf + used, size - used, field);
	return buf;
}

static void add_entry(struct filter_run *run, enum report_action action, enum report_cost cost,
		      const char *path, const char *old_value, const char *new_value, const char *why,
		      va_list ap) __attribute__((format(printf, 7, 0)));

static void add_entry(struct filter_run *run, enum report_action action, enum report_cost cost,
		      const char *path, const char *old_value, const char *new_value, const char *why,
		      va_list ap)
{
	char text[WHY_SIZE];

	if (!strcmp(why, "%s")) {
		why = va_arg(ap, const char *);
	} else if (strchr(why, '%')) {
		vsnprintf(text, sizeof(text), why, ap);
		why = text;
	}
	report_add_text(run->report, run->self->name, action, cost, path, old_value, new_value, why);
}

int change_field(struct filter_run *run, struct vms_node *n, const char *path, uint64_t value,
		 enum report_cost cost, struct irqs_error *reterr, const char *why, ...)
{
	char full[PATH_SIZE], before[VALUE_SIZE], after[VALUE_SIZE];
	struct vms_ints field;
	uint64_t old;
	va_list ap;
	int rc = vms_find_int(n, path, &field, reterr);

	if (rc)
		return rc;
	old = vms_ints_get(&field, 0);
	if (old == value)
		return 0;
	rc = vms_set(n, path, value, reterr);
	if (rc)
		return rc;
	format_value(before, field.is_signed, old);
	format_value(after, field.is_signed, value);
	va_start(ap, why);
	add_entry(run, REPORT_DERIVED, cost, full_path(n, path, full, sizeof(full)), before, after, why, ap);
	va_end(ap);
	return 0;
}

static bool first_value(const struct vms_node *n, char buf[VALUE_SIZE])
{
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next) {
		if (c->kind == VMS_INT && c->count) {
			format_value(buf, c->is_signed, vms_element_get(c, 0));
			return true;
		}
	}
	return false;
}

void change_drop(struct filter_run *run, struct vms_node *n, enum report_cost cost, const char *why, ...)
{
	char full[PATH_SIZE], value[VALUE_SIZE];
	bool has_value = first_value(n, value);
	va_list ap;

	full_path(n, NULL, full, sizeof(full));
	vms_remove(n);
	va_start(ap, why);
	add_entry(run, REPORT_DROPPED, cost, full, has_value ? value : NULL, NULL, why, ap);
	va_end(ap);
}

void change_added(struct filter_run *run, const struct vms_node *n, enum report_cost cost, const char *why,
		  ...)
{
	char full[PATH_SIZE], value[VALUE_SIZE];
	bool has_value = first_value(n, value);
	va_list ap;

	va_start(ap, why);
	add_entry(run, REPORT_SYNTHESISED, cost, full_path(n, NULL, full, sizeof(full)), NULL,
		  has_value ? value : NULL, why, ap);
	va_end(ap);
}

void change_note(struct filter_run *run, enum report_action action, enum report_cost cost,
		 const struct vms_node *n, const char *field, const char *why, ...)
{
	char full[PATH_SIZE], value[VALUE_SIZE];
	struct vms_ints found;
	bool has_value = false;
	va_list ap;

	if (!field) {
		has_value = first_value(n, value);
	} else if (!vms_find_int(n, field, &found, NULL)) {
		format_value(value, found.is_signed, vms_ints_get(&found, 0));
		has_value = true;
	}
	va_start(ap, why);
	add_entry(run, action, cost, full_path(n, field, full, sizeof(full)), has_value ? value : NULL,
		  action == REPORT_KEPT && has_value ? value : NULL, why, ap);
	va_end(ap);
}

int change_bank(struct filter_run *run, struct vms_node *apic, const struct lapic_state *s, uint16_t bank,
		enum report_cost cost, struct irqs_error *reterr, const char *why, ...)
{
	const char *name = bank == LAPIC_ISR ? "isr" : bank == LAPIC_TMR ? "tmr"
									 : "irr";
	char text[WHY_SIZE], path[16];
	va_list ap;
	int rc = 0;

	va_start(ap, why);
	vsnprintf(text, sizeof(text), why, ap);
	va_end(ap);
	for (unsigned int i = 0; i < 8 && !rc; i++) {
		snprintf(path, sizeof(path), "%s[%u]", name, i);
		rc = change_field(run, apic, path, lapic_reg(s, (uint16_t)(bank + 16 * i)), cost, reterr,
				  "%s", text);
	}
	return rc;
}

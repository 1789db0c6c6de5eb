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

/* As vms_find_section(), looking behind the one of the CPU before first: QEMU writes the CPUs in one order. */
static struct vms_node *next_common(const struct vms_node *machine, const struct vms_node *before, uint32_t instance)
{
	struct vms_node *s = before ? vms_next_section(machine, before, "cpu_common") : NULL;

	return s && s->instance == instance ? s : vms_find_section(machine, "cpu_common", instance);
}

bool vcpu_next(const struct vms_node *machine, struct vcpu *v)
{
	bool first = !v->cpu, had_apic = first || v->apic;

	v->cpu = vms_next_section(machine, v->cpu, "cpu");
	if (!v->cpu)
		return false;
	v->apic = had_apic ? vms_next_section(machine, first ? NULL : v->apic, "apic") : NULL;
	v->common = next_common(machine, v->common, v->cpu->instance);
	return true;
}

int vcpu_lapic(const struct vcpu *v, struct lapic_state *ret, struct irqs_error *reterr)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = v->apic ? lapic_from_tree(v->apic, ret, reterr) : 0;
	if (!rc)
		rc = lapic_add_tree(v->cpu, ret, reterr);
	if (!rc && v->common)
		rc = lapic_add_tree(v->common, ret, reterr);
	return rc;
}

int machine_pics(const struct vms_node *machine, struct vms_node *ret_chips[2], struct pic_state ret[2],
		 struct irqs_error *reterr)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct vms_node *chip = vms_find_section(machine, "i8259", i);
		int rc = chip ? pic_from_tree(chip, &ret[i], reterr) : -ENOENT;

		if (rc)
			return rc;
		if (ret_chips)
			ret_chips[i] = chip;
	}
	return 0;
}

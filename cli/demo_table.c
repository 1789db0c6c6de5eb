/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From the lines of the demo's guest to its table. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/demo.h"

#define CLEAR_REST "\033[K"
#define LINES_UP "\033[%dA"

const struct demo_source demo_sources[DEMO_SOURCES] = {
	{ .word = "lapic", .title = "LAPIC timer of CPU 0, periodic", .period_us = 50000, .lapic = true },
	{ .word = "oneshot", .title = "LAPIC timer of CPU 1, one-shot", .period_us = 40000, .lapic = true },
	{ .word = "pit", .title = "PIT, by the PIC and LINT0", .period_us = 40000 },
	{ .word = "rtc", .title = "RTC, by the second PIC", .period_us = 62500 },
};

/* Behind " NAME" or "NAME" with @separator before it; NULL when it is not there. */
static const char *find(const char *line, char separator, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strchr(line, separator); p; p = strchr(p + 1, separator))
		if (!strncmp(p + 1, name, len))
			return p + 1 + len;
	return NULL;
}

static bool number(const char **p, char before, uint32_t *ret)
{
	char *end;

	if (!*p || **p != before || (*p)[1] < '0' || (*p)[1] > '9')
		return false;
	*ret = (uint32_t)strtoul(*p + 1, &end, 10);
	*p = end;
	return true;
}

/* " NAME=COUNT/EXPECTED", and in the list of gaps "=NAME:GAP" or ",NAME:GAP". */
static bool parse_source(const char *line, const char *name, struct demo_count *ret)
{
	const char *p = find(line, ' ', name), *late = find(line, ' ', "late"), *gap;

	if (!number(&p, '=', &ret->count) || !number(&p, '/', &ret->expected) || !late)
		return false;
	gap = find(late, '=', name);
	if (!gap)
		gap = find(late, ',', name);
	return number(&gap, ':', &ret->gap_us);
}

bool demo_parse(const char *line, struct demo_line *ret)
{
	const char *p = find(line, ' ', "err");

	*ret = (struct demo_line){ 0 };
	for (unsigned int i = 0; i < DEMO_SOURCES; i++)
		if (!parse_source(line, demo_sources[i].word, &ret->source[i]))
			return false;
	if (!number(&p, '=', &ret->errors) || *p != ' ')
		return false;
	snprintf(ret->last_error, sizeof(ret->last_error), "%.*s", (int)strcspn(p + 1, " \r\n"), p + 1);
	return true;
}

uint32_t demo_late_us(unsigned int source, uint32_t gap_us)
{
	uint32_t period = demo_sources[source].period_us;

	return gap_us > period ? gap_us - period : 0;
}

const char *demo_mode_name(enum vmm_mode mode)
{
	static const char *const names[] = {
		[VMM_KERNEL] = "kernel",
		[VMM_SPLIT] = "split",
		[VMM_USERSPACE] = "userspace",
	};

	return names[mode];
}

/* In split mode only the LAPICs are in the kernel. */
static const char *whose(const struct demo_source *s, enum vmm_mode mode)
{
	if (mode != VMM_SPLIT)
		return "";
	return s->lapic ? ": in the kernel" : ": emulated";
}

void demo_print(const struct demo_table *t, bool live, FILE *out)
{
	const char *end = live ? CLEAR_REST "\n" : "\n";

	if (live)
		fprintf(out, LINES_UP, DEMO_TABLE_LINES);
	fprintf(out, "%-32s %7s %9s %10s  %s%s", "source", "count", "expected", "late by", "mode", end);
	for (unsigned int i = 0; i < DEMO_SOURCES; i++) {
		const struct demo_count *c = &t->line.source[i];

		fprintf(out, "%-32s %7" PRIu32 " %9" PRIu32 " %7.1f ms  %s%s%s", demo_sources[i].title, c->count, c->expected,
			t->late_us[i] / 1000.0, demo_mode_name(t->mode), whose(&demo_sources[i], t->mode), end);
	}
	fflush(out);
}

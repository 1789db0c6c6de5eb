/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading and judging the test guest's lines; tests/guests/main.c prints them. */
#include "tests/qemu/guest_log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[GUEST_SOURCES] = {
	[GUEST_LAPIC] = "lapic",
	[GUEST_ONESHOT] = "oneshot",
	[GUEST_PIT] = "pit",
	[GUEST_RTC] = "rtc",
	[GUEST_LEVEL] = "level",
};

#define EARLY_ONESHOT "gap_oneshot"

/* A print every 150 ms, at the next tick after it (up to 62 ms), and a pause of a busy machine. */
const struct guest_limits guest_limits_default = { .ticks = 2, .step_us = 450000, .lines = 6 };

const char *guest_source_name(enum guest_source source)
{
	return names[source];
}

static void parse_late(struct guest_line *line, const char *value)
{
	for (size_t i = 0; i < GUEST_SOURCES; i++) {
		const char *at = strstr(value, names[i]);

		if (at && at[strlen(names[i])] == ':')
			line->late_us[i] = (uint32_t)strtoul(at + strlen(names[i]) + 1, NULL, 10);
	}
}

static bool parse_source(struct guest_line *line, const char *key, const char *value)
{
	for (size_t i = 0; i < GUEST_SOURCES; i++) {
		if (strcmp(key, names[i]))
			continue;
		line->source[i].present = true;
		return sscanf(value, "%" SCNu32 "/%" SCNu32, &line->source[i].count,
			      &line->source[i].expected) == 2;
	}
	return false;
}

static bool parse_word(struct guest_line *line, char *word)
{
	char *value = strchr(word, '=');
	const struct {
		const char *name;
		uint32_t *to;
	} numbers[] = {
		{ "seq", &line->seq },
		{ "kick", &line->kick },
		{ "again", &line->again },
		{ "ping", &line->ping },
		{ "pong", &line->pong },
		{ "ap", &line->ap },
		{ "err", &line->err },
	};

	if (!value) {
		snprintf(line->last_error, sizeof(line->last_error), "%s", word);
		return true;
	}
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (!strcmp(word, numbers[i].name)) {
			*numbers[i].to = (uint32_t)strtoul(value, NULL, 10);
			return true;
		}
	if (!strcmp(word, "t") || !strcmp(word, "tsc")) {
		*(word[1] ? &line->tsc_us : &line->t_us) = strtoull(value, NULL, 10);
		return true;
	}
	if (!strcmp(word, "late")) {
		parse_late(line, value);
		return true;
	}
	return parse_source(line, word, value);
}

static bool parse_line(struct guest_line *ret, char *text)
{
	char *rest = text, *word;

	memset(ret, 0, sizeof(*ret));
	if (strncmp(text, "t=", 2))
		return false;
	while ((word = strsep(&rest, " ")))
		if (*word && !parse_word(ret, word))
			return false;
	return ret->last_error[0] != '\0';
}

static void take_line(struct guest_log *log, const char *text, size_t length, bool moved)
{
	struct guest_line *more, line;
	char copy[512];

	snprintf(copy, sizeof(copy), "%.*s", (int)length, text);
	if (!strncmp(copy, "irqshift-guest", 14)) {
		snprintf(log->header, sizeof(log->header), "%.*s", (int)length, text);
		return;
	}
	if (!parse_line(&line, copy)) {
		if (!log->bad[0])
			snprintf(log->bad, sizeof(log->bad), "%.*s", (int)length, text);
		return;
	}
	more = realloc(log->lines, (log->n + 1) * sizeof(*more));
	if (!more)
		return;
	log->lines = more;
	log->lines[log->n++] = line;
	if (!moved)
		log->moved_at = log->n;
}

bool guest_log_tsc_follows_vm(const struct guest_log *log)
{
	return strstr(log->header, "tsc=vm") != NULL;
}

void guest_log_read(struct guest_log *ret_log, const char *before, const char *after)
{
	size_t split = before ? strlen(before) : 0, length = split + (after ? strlen(after) : 0);
	char *text = malloc(length + 1), *line, *end;

	memset(ret_log, 0, sizeof(*ret_log));
	if (!text)
		return;
	snprintf(text, length + 1, "%s%s", before ? before : "", after ? after : "");
	for (line = text; (end = strchr(line, '\n')); line = end + 1)
		take_line(ret_log, line, (size_t)(end - line), (size_t)(end - text) >= split);
	free(text);
}

void guest_log_free(struct guest_log *log)
{
	free(log->lines);
	memset(log, 0, sizeof(*log));
}

__attribute__((format(printf, 2, 3))) static void blame(struct guest_verdict *verdict, const char *format, ...)
{
	va_list args;

	if (verdict->why[0])
		return;
	va_start(args, format);
	vsnprintf(verdict->why, sizeof(verdict->why), format, args);
	va_end(args);
}

/* Lines in order, and no counter that goes back. */
static void judge_order(const struct guest_log *log, const struct guest_limits *limits, struct guest_verdict *verdict)
{
	for (size_t i = 1; i < log->n; i++) {
		const struct guest_line *a = &log->lines[i - 1], *b = &log->lines[i];

		if (b->seq != a->seq + 1)
			blame(verdict, "line %" PRIu32 " follows line %" PRIu32, b->seq, a->seq);
		if (b->t_us <= a->t_us || b->t_us - a->t_us > limits->step_us)
			blame(verdict, "the clock goes from %" PRIu64 " to %" PRIu64 " us at line %" PRIu32, a->t_us,
			      b->t_us, b->seq);
		for (size_t s = 0; s < GUEST_SOURCES; s++)
			if (b->source[s].count < a->source[s].count)
				blame(verdict, "%s goes back from %" PRIu32 " to %" PRIu32, names[s],
				      a->source[s].count, b->source[s].count);
		if (b->ping < a->ping || b->pong < a->pong || b->kick < a->kick || b->ap < a->ap)
			blame(verdict, "a counter goes back at line %" PRIu32, b->seq);
	}
}

static int32_t behind(const struct guest_line *line, size_t source)
{
	return (int32_t)(line->source[source].expected - line->source[source].count);
}

static void judge_source(const struct guest_log *log, const struct guest_limits *limits, size_t s,
			 struct guest_verdict *verdict)
{
	const struct guest_line *before = &log->lines[log->moved_at - 1], *last = &log->lines[log->n - 1];
	uint32_t wanted = last->source[s].expected - before->source[s].expected;

	if (!before->source[s].present)
		return;
	verdict->ticks[s] = last->source[s].count - before->source[s].count;
	verdict->slipped[s] = behind(last, s) - behind(before, s);
	for (size_t i = log->moved_at; i < log->n; i++)
		if (log->lines[i].late_us[s] > verdict->late_us[s])
			verdict->late_us[s] = log->lines[i].late_us[s];
	if (verdict->ticks[s] == 0)
		blame(verdict, "%s is dead: no run after the move", names[s]);
	else if (abs(verdict->slipped[s]) > (int32_t)limits->ticks)
		blame(verdict, "%s ran %" PRIu32 " times after the move, not %" PRIu32, names[s], verdict->ticks[s],
		      wanted);
}

static void judge_ends(const struct guest_log *log, const struct guest_limits *limits, struct guest_verdict *verdict)
{
	const struct guest_line *before = &log->lines[log->moved_at - 1], *last = &log->lines[log->n - 1];

	verdict->step_us = log->lines[log->moved_at].t_us - before->t_us;
	verdict->tsc_jump_us = (int64_t)(log->lines[log->moved_at].tsc_us - before->tsc_us - verdict->step_us);
	verdict->watched_us = last->t_us - before->t_us;
	for (size_t s = 0; s < GUEST_SOURCES; s++)
		judge_source(log, limits, s, verdict);
	if (last->ping - last->pong > 1)
		blame(verdict, "%" PRIu32 " pings, %" PRIu32 " pongs", last->ping, last->pong);
	if (last->ping && last->pong == before->pong)
		blame(verdict, "no inter-processor interrupt came back after the move");
	if (limits->tsc_us && llabs(verdict->tsc_jump_us) > limits->tsc_us)
		blame(verdict, "the TSC jumps by %" PRId64 " us", verdict->tsc_jump_us);
	if (last->err - before->err > (strcmp(last->last_error, EARLY_ONESHOT) ? 0 : limits->early_oneshots))
		blame(verdict, "%" PRIu32 " errors after the move, the last: %s", last->err - before->err,
		      last->last_error);
}

void guest_judge(const struct guest_log *log, const struct guest_limits *limits, struct guest_verdict *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (log->bad[0])
		blame(ret, "the guest says: %s", log->bad);
	if (!log->moved_at) {
		blame(ret, "no line before the move");
	} else if (log->n == log->moved_at) {
		blame(ret, "no line after the move");
	} else {
		judge_order(log, limits, ret);
		judge_ends(log, limits, ret);
		if (log->n - log->moved_at < limits->lines)
			blame(ret, "only %zu lines after the move", log->n - log->moved_at);
	}
	ret->ok = !ret->why[0];
}

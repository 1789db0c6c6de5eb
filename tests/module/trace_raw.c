/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages as Documentation/trace/ring-buffer-design.rst and events/header_page, events/header_event describe them. */
#include "trace_raw.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRACING "/sys/kernel/tracing"
#define INSTANCE TRACING "/instances/irqshift"
#define PAGE 4096
#define IN_INTERRUPT 0x18 /* of common_flags: hard or soft */

#define FIELD(name) #name,
#define FIELDS(name, tracepoint, fields) static const char *const fields_##tracepoint[] = { fields NULL };
IRQSHIFT_EVENTS(FIELDS, FIELD)

#define ROW(name, tracepoint, fields) { #tracepoint, fields_##tracepoint },
const struct trace_row trace_rows[IRQSHIFT_EVENT_TYPES] = { IRQSHIFT_EVENTS(ROW, FIELD) };

static int parse_field(const char *line, struct trace_format *format)
{
	struct trace_field field;
	const char *end = strchr(line, ';'), *name;
	unsigned int is_signed;

	if (!end || sscanf(end, "; offset:%u; size:%u; signed:%u;", &field.offset, &field.size, &is_signed) != 3)
		return -EINVAL;
	for (name = end; name > line && name[-1] != ' '; name--)
		;
	if (strncmp(name, "common_", 7) == 0)
		return 0;
	if (format->nfields == TRACE_FIELDS_MAX || field.size > 8 || (size_t)(end - name) >= sizeof(field.name))
		return -EINVAL;
	snprintf(field.name, sizeof(field.name), "%.*s", (int)(end - name), name);
	field.is_signed = is_signed;
	format->fields[format->nfields++] = field;
	return 0;
}

int trace_format_read(const char *name, struct trace_format *format)
{
	char path[128], line[256];
	int rc = 0;
	FILE *f;

	memset(format, 0, sizeof(*format));
	snprintf(path, sizeof(path), TRACING "/events/kvm/%s/format", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!rc && fgets(line, sizeof(line), f))
		if (sscanf(line, "ID: %u", &format->id) != 1 && strstr(line, "field:"))
			rc = parse_field(line, format);
	fclose(f);
	return rc;
}

bool trace_format_fits(const struct trace_format *format, const struct trace_row *row)
{
	unsigned int i;

	for (i = 0; i < format->nfields && row->fields[i]; i++)
		if (strcmp(format->fields[i].name, row->fields[i]) != 0)
			return false;
	return i == format->nfields && !row->fields[i];
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text), "%s: %s", path, strerror(errno));
	close(fd);
}

static void switch_rows(const char *state)
{
	char path[128];

	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++) {
		snprintf(path, sizeof(path), INSTANCE "/events/kvm/%s/enable", trace_rows[i].name);
		if (access(path, F_OK) == 0)
			put(path, state);
	}
}

void trace_start(void)
{
	rmdir(INSTANCE);
	cr_assert_eq(mkdir(INSTANCE, 0700), 0, "%s", strerror(errno));
	put(INSTANCE "/buffer_size_kb", "16384");
	switch_rows("1");
}

void trace_stop(void)
{
	switch_rows("0");
}

void trace_end(void)
{
	cr_expect_eq(rmdir(INSTANCE), 0, "%s", strerror(errno));
}

struct reading {
	struct trace_format formats[IRQSHIFT_EVENT_TYPES];
	struct irqshift_event *events;
	size_t n, room;
	uint16_t cpu;
};

static uint64_t value_of(const uint8_t *record, const struct trace_field *field)
{
	uint64_t value = 0;
	unsigned int spare = 64 - 8 * field->size;

	memcpy(&value, record + field->offset, field->size);
	return field->is_signed ? (uint64_t)((int64_t)(value << spare) >> spare) : value;
}

static void read_record(struct reading *r, const uint8_t *record)
{
	struct irqshift_event *event;
	uint16_t id;
	unsigned int type;

	memcpy(&id, record, sizeof(id));
	for (type = 0; type < IRQSHIFT_EVENT_TYPES && r->formats[type].id != id; type++)
		;
	cr_assert_lt(type, IRQSHIFT_EVENT_TYPES, "a record of event %u", id);
	if (r->n == r->room) {
		r->room = 2 * r->room + 1024;
		r->events = realloc(r->events, r->room * sizeof(*r->events));
		cr_assert_not_null(r->events);
	}
	event = &r->events[r->n++];
	memset(event, 0, sizeof(*event));
	event->type = (uint16_t)type;
	event->cpu = r->cpu;
	if (!(record[2] & IN_INTERRUPT))
		memcpy(&event->tid, record + 4, sizeof(event->tid));
	for (unsigned int i = 0; i < r->formats[type].nfields; i++)
		event->arg[i] = value_of(record, &r->formats[type].fields[i]);
}

/* An entry has a word with its kind in the low 5 bits: 1 to 28 its length in words, 0 length in a word of its own. */
static void read_page(struct reading *r, const uint8_t *page)
{
	uint32_t committed, word, length;
	const uint8_t *p = page + 16, *end;

	memcpy(&committed, page + 8, sizeof(committed));
	end = p + (committed & 0xfffff);
	while (p + 8 <= end) {
		memcpy(&word, p, sizeof(word));
		memcpy(&length, p + 4, sizeof(length));
		switch (word & 31) {
		case 0:
			read_record(r, p + 8);
			p += 4 + length;
			break;
		case 29: /* padding, to the end when it has no time */
			p = word >> 5 ? p + 4 + length : end;
			break;
		case 30: /* time */
		case 31:
			p += 8;
			break;
		default:
			read_record(r, p + 4);
			p += 4 + 4 * (word & 31);
		}
	}
}

static unsigned long lost_by(const char *folder)
{
	unsigned long lost = 0, n;
	char path[256], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/stats", folder);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "overrun: %lu", &n) == 1 || sscanf(line, "dropped events: %lu", &n) == 1)
			lost += n;
	fclose(f);
	return lost;
}

struct irqshift_event *trace_read(size_t *n, unsigned long *lost)
{
	static uint8_t page[PAGE] __attribute__((aligned(8)));
	struct reading r = { .n = 0 };
	char folder[128], path[160];
	int fd;

	*lost = 0;
	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		trace_format_read(trace_rows[i].name, &r.formats[i]);
	for (;; r.cpu++) {
		snprintf(folder, sizeof(folder), INSTANCE "/per_cpu/cpu%u", r.cpu);
		snprintf(path, sizeof(path), "%s/trace_pipe_raw", folder);
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			break;
		*lost += lost_by(folder);
		while (read(fd, page, sizeof(page)) > 0)
			read_page(&r, page);
		close(fd);
	}
	*n = r.n;
	return r.events;
}

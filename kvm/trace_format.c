/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/trace_priv.h"

#define NAME_MAX_LEN 64u

/* The number behind "KEY" in a line. Return: whether it is there. */
static bool number_after(const char *line, size_t len, const char *key, uint32_t *ret)
{
	const char *at = memmem(line, len, key, strlen(key));
	uint64_t n = 0;

	if (!at)
		return false;
	at += strlen(key);
	if (at >= line + len || *at < '0' || *at > '9')
		return false;
	for (; at < line + len && *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n > TRACE_PAGE_MAX)
			return false;
	}
	*ret = (uint32_t)n;
	return true;
}

struct declared {
	char name[NAME_MAX_LEN];
	struct trace_field field;
};

/* The last word of a declaration: "unsigned char common_flags", "u8 buf[16]". */
static bool name_of(const char *decl, size_t len, char name[NAME_MAX_LEN])
{
	const char *bracket = memchr(decl, '[', len);
	size_t end = bracket ? (size_t)(bracket - decl) : len, start;

	for (start = end; start && decl[start - 1] != ' ' && decl[start - 1] != '*'; start--)
		;
	if (start == end || end - start >= NAME_MAX_LEN)
		return false;
	memcpy(name, decl + start, end - start);
	name[end - start] = '\0';
	return true;
}

/* "	field:TYPE NAME;	offset:N;	size:N;	signed:N;" Return: whether it is that. */
static bool parse_field(const char *line, size_t len, struct declared *ret)
{
	const char *decl = memmem(line, len, "field:", 6), *end;
	uint32_t is_signed = 0;

	if (!decl)
		return false;
	decl += 6;
	end = memchr(decl, ';', (size_t)(line + len - decl));
	if (!end || !name_of(decl, (size_t)(end - decl), ret->name))
		return false;
	number_after(line, len, "signed:", &is_signed);
	ret->field.is_signed = is_signed != 0;
	return number_after(line, len, "offset:", &ret->field.offset) && number_after(line, len, "size:", &ret->field.size);
}

/* Calls @each for all fields. Return: 0 or what it returned. */
static int each_field(const char *text, void (*each)(void *ctx, const struct declared *d), void *ctx)
{
	size_t total = strnlen(text, TRACE_TEXT_MAX + 1);
	const char *end = text + total;
	struct declared d;

	if (total > TRACE_TEXT_MAX)
		return -EBADMSG;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = newline ? (size_t)(newline - text) : (size_t)(end - text);

		if (parse_field(text, len, &d))
			each(ctx, &d);
		text += len + 1;
	}
	return 0;
}

static bool is_integer(const struct trace_field *f)
{
	return f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8;
}

/* ---- pages ---- */

static void take_page_field(void *ctx, const struct declared *d)
{
	struct trace_layout *l = ctx;

	if (!strcmp(d->name, "timestamp"))
		l->timestamp = d->field;
	else if (!strcmp(d->name, "commit"))
		l->commit = d->field;
	else if (!strcmp(d->name, "data"))
		l->data = d->field;
}

int trace_parse_layout(const char *text, struct trace_layout *ret)
{
	struct trace_layout l = { .data = { 0 } };
	int rc = each_field(text, take_page_field, &l);

	if (rc)
		return rc;
	/* Flags are in the upper bits of a commit of 32 bits or more. */
	if (l.timestamp.size != 8 || (l.commit.size != 8 && l.commit.size != 4) || !l.data.size ||
	    l.timestamp.offset + 8 > l.data.offset || l.commit.offset + l.commit.size > l.data.offset ||
	    l.data.offset + l.data.size > TRACE_PAGE_MAX)
		return -EBADMSG;
	*ret = l;
	return 0;
}

/* ---- events ---- */

struct parsing {
	struct trace_table *table;
	struct trace_format *format;
	unsigned int type;
};

static void take_event_field(void *ctx, const struct declared *d)
{
	struct parsing *p = ctx;
	int arg = irq_event_arg(p->type, d->name, strlen(d->name));

	if (!is_integer(&d->field))
		return;
	if (arg >= 0)
		p->format->args[arg] = d->field;
	else if (!strcmp(d->name, "common_type") && d->field.size == 2)
		p->table->id = d->field;
	else if (!strcmp(d->name, "common_flags"))
		p->table->flags = d->field;
	else if (!strcmp(d->name, "common_pid"))
		p->table->pid = d->field;
}

int trace_parse_format(const char *text, unsigned int type, struct trace_table *table)
{
	struct trace_format f = { .there = true };
	struct parsing p = { table, &f, type };
	const char *id = strstr(text, "ID:");
	unsigned long number = id ? strtoul(id + 3, NULL, 10) : 0;
	int rc = type < IRQSHIFT_EVENT_TYPES ? each_field(text, take_event_field, &p) : -EBADMSG;

	if (rc)
		return rc;
	if (!number || number > UINT16_MAX || table->id.size != 2 || !table->pid.size)
		return -EBADMSG;
	/* An event that does not say what it is about is none. */
	for (unsigned int i = 0; i < irq_event_rows[type].nfields; i++)
		f.there &= i > 1 || f.args[i].size != 0;
	f.id = (uint16_t)number;
	table->formats[type] = f;
	return f.there ? 0 : -EBADMSG;
}

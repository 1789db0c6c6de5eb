/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/visit_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"
#include "vmstate/values_priv.h"

#define PATH_SIZE 512

static int end_nothing(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr)
{
	(void)v;
	(void)item;
	(void)reterr;
	return 0;
}

/* ---- print ---- */

/* The longest text of a value: 20 digits, sign or 0x, a blank. */
#define VALUE_SIZE 32u

static int print_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_print *p = (struct visit_print *)v;
	char path[PATH_SIZE], text[32];

	(void)reterr;
	if (item->kind != VMS_SECTION && item->kind != VMS_SUBSECTION)
		return 0;
	snprintf(text, sizeof(text), "version %" PRIu32, item->version);
	return p->line(p->ctx, visit_path(v, item, path, sizeof(path)), text);
}

static void print_ints(const struct visit_item *item, const uint8_t *be, char *text, size_t size)
{
	size_t used = 0;

	for (uint32_t i = 0; i < item->count; i++, be += item->width) {
		uint64_t value = get_be(be, item->width);
		int n;

		if (item->is_signed)
			n = snprintf(text + used, size - used, "%s%" PRId64, i ? " " : "",
				     sign_extend(value, item->width));
		else
			n = snprintf(text + used, size - used, "%s0x%" PRIx64, i ? " " : "", value);
		used += (size_t)n;
	}
}

static void print_floats(const struct visit_item *item, const uint8_t *be, char *text, size_t size)
{
	size_t used = 0;
	double value;

	for (uint32_t i = 0; i < item->count; i++, be += sizeof(value)) {
		values_swap(&value, be, sizeof(value), 1);
		used += (size_t)snprintf(text + used, size - used, "%s%.17g", i ? " " : "", value);
	}
}

static void print_bytes(const uint8_t *data, size_t len, char *text)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*text++ = digit[data[i] >> 4];
		*text++ = digit[data[i] & 15];
	}
	*text = '\0';
}

/* Quoted; what is no printable ASCII as \xNN. */
static void print_string(const uint8_t *data, size_t len, char *text, size_t size)
{
	size_t used = 1;

	text[0] = '"';
	for (size_t i = 0; i < len; i++) {
		bool plain = data[i] >= ' ' && data[i] < 0x7f && data[i] != '"' && data[i] != '\\';

		used += (size_t)snprintf(text + used, size - used, plain ? "%c" : "\\x%02x", data[i]);
	}
	snprintf(text + used, size - used, "\"");
}

static void print_leaf_text(const struct visit_item *item, const uint8_t *data, char *text, size_t size)
{
	size_t bytes = (size_t)item->width * item->count;

	text[0] = '\0';
	if (item->kind == VMS_INT)
		print_ints(item, data, text, size);
	else if (!strcmp(item->type, "float64") && item->width == sizeof(double))
		print_floats(item, data, text, size);
	else if (strcmp(item->type, "string") != 0 || bytes < VMS_STRING_HEADER)
		print_bytes(data, bytes, text);
	else if (get_be(data, VMS_STRING_HEADER) == VMS_STRING_NULL)
		snprintf(text, size, "NULL");
	else
		print_string(data + VMS_STRING_HEADER, bytes - VMS_STRING_HEADER, text, size);
}

static int print_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data,
		      struct irqs_error *reterr)
{
	struct visit_print *p = (struct visit_print *)v;
	size_t size = (item->kind == VMS_INT || item->width == 8 ? (size_t)item->count * VALUE_SIZE : 0) +
		      (size_t)item->width * item->count * 4 + 8;
	char path[PATH_SIZE], *text = malloc(size);
	int rc;

	if (!text)
		return irqs_fail_nomem(reterr);
	print_leaf_text(item, data, text, size);
	rc = p->line(p->ctx, visit_path(v, item, path, sizeof(path)), text);
	free(text);
	return rc;
}

void visit_print_init(struct visit_print *p, int (*line)(void *ctx, const char *path, const char *text),
		      void *ctx)
{
	static const struct visit_ops ops = { .begin = print_begin, .end = end_nothing, .leaf = print_leaf };

	visitor_init(&p->v, &ops, VISIT_SAVE);
	p->line = line;
	p->ctx = ctx;
}

/* ---- compare ---- */

int visit_compare_init(struct visit_compare *c, struct irqs_error *reterr)
{
	int rc = vms_tree_init(&c->tree, reterr);

	if (!rc)
		visit_tree_out_init(&c->out, &c->tree, c->tree.machine);
	return rc;
}

void visit_compare_deinit(struct visit_compare *c)
{
	vms_tree_deinit(&c->tree);
}

int visit_compare_finish(const struct visit_compare *c, const struct vms_node *with,
			 int (*found)(void *ctx, const struct vms_difference *d), void *ctx)
{
	return vms_first_child(c->tree.machine) ? vms_diff(with, vms_first_child(c->tree.machine), found, ctx) : -EINVAL;
}

/* ---- schema ---- */

static int schema_row(struct visitor *v, const struct visit_item *item)
{
	struct visit_schema *s = (struct visit_schema *)v;
	char path[PATH_SIZE];

	return s->row(s->ctx, visit_path(v, item, path, sizeof(path)), item);
}

static int schema_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	(void)reterr;
	return schema_row(v, item);
}

static int schema_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data,
		       struct irqs_error *reterr)
{
	(void)data;
	(void)reterr;
	return schema_row(v, item);
}

void visit_schema_init(struct visit_schema *s,
		       int (*row)(void *ctx, const char *path, const struct visit_item *item), void *ctx)
{
	static const struct visit_ops ops = {
		.begin = schema_begin,
		.end = end_nothing,
		.leaf = schema_leaf,
	};

	visitor_init(&s->v, &ops, VISIT_SCHEMA);
	s->row = row;
	s->ctx = ctx;
}

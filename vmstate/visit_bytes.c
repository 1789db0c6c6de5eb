/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/visit_bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"

#define SUBSECTION_MARK 5
#define SUBSECTION_HEADER 6u /* mark, length, version */

/* ---- saving ---- */

static int append(struct visit_bytes_out *o, const void *data, size_t len, struct irqs_error *reterr)
{
	if (len > o->capacity - o->size) {
		size_t n = o->capacity ? o->capacity : 256;
		uint8_t *more;

		while (n - o->size < len)
			n *= 2;
		more = realloc(o->data, n);
		if (!more)
			return irqs_fail_nomem(reterr);
		o->data = more;
		o->capacity = n;
	}
	if (len)
		memcpy(o->data + o->size, data, len);
	o->size += len;
	return 0;
}

static int out_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	uint8_t head[2 + UINT8_MAX + 4] = { SUBSECTION_MARK };
	size_t len = strlen(item->name);

	if (item->kind != VMS_SUBSECTION)
		return 0;
	if (len > UINT8_MAX)
		return visit_fail(v, item, reterr, IRQS_USAGE, "the name is longer than 255 bytes");
	head[1] = (uint8_t)len;
	memcpy(head + 2, item->name, len);
	put_be(head + 2 + len, 4, item->version);
	return append((struct visit_bytes_out *)v, head, SUBSECTION_HEADER + len, reterr);
}

static int out_end(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr)
{
	(void)v;
	(void)item;
	(void)reterr;
	return 0;
}

static int out_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data,
		    struct irqs_error *reterr)
{
	return append((struct visit_bytes_out *)v, data, (size_t)item->width * item->count, reterr);
}

void visit_bytes_out_init(struct visit_bytes_out *o)
{
	static const struct visit_ops ops = { .begin = out_begin, .end = out_end, .leaf = out_leaf };

	visitor_init(&o->v, &ops, VISIT_SAVE);
	o->data = NULL;
	o->size = o->capacity = 0;
}

void visit_bytes_out_deinit(struct visit_bytes_out *o)
{
	free(o->data);
	o->data = NULL;
	o->size = o->capacity = 0;
}

/* ---- loading ---- */

static int fail_at(const struct visit_bytes_in *in, const struct visit_item *item, struct irqs_error *reterr,
		   const char *what, uint64_t want)
{
	struct irqs_error scratch;
	char path[sizeof(scratch.path)];

	return irqs_fail(reterr ? reterr : &scratch, IRQS_MALFORMED, (int64_t)(in->offset + in->pos),
			 visit_path(&in->v, item, path, sizeof(path)),
			 "%s %" PRIu64 " more bytes, %zu are left", what, want, in->size - in->pos);
}

static bool peek_subsection(struct visit_bytes_in *in, const char *parent, uint32_t *version)
{
	const uint8_t *p = in->data + in->pos;
	size_t left = in->size - in->pos, prefix = strlen(parent), len;

	if (left < SUBSECTION_HEADER || p[0] != SUBSECTION_MARK)
		return false;
	len = p[1];
	if (len <= prefix || left < SUBSECTION_HEADER + len || memcmp(p + 2, parent, prefix) != 0 ||
	    memchr(p + 2, 0, len))
		return false;
	memcpy(in->name, p + 2, len);
	in->name[len] = '\0';
	*version = (uint32_t)get_be(p + 2 + len, 4);
	return true;
}

static int in_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_bytes_in *in = (struct visit_bytes_in *)v;

	if (item->kind == VMS_SECTION)
		item->version = in->version;
	if (item->kind != VMS_SUBSECTION)
		return 0;
	if (!peek_subsection(in, "", &item->version) || strcmp(in->name, item->name) != 0)
		return fail_at(in, item, reterr, "needs for its header",
			       SUBSECTION_HEADER + strlen(item->name));
	in->pos += SUBSECTION_HEADER + strlen(item->name);
	return 0;
}

static int in_end(struct visitor *v, const struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_bytes_in *in = (struct visit_bytes_in *)v;

	if (item->kind == VMS_SECTION && in->pos != in->size)
		return fail_at(in, NULL, reterr, "its description ends here: it wants", 0);
	return 0;
}

static int in_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data, struct irqs_error *reterr)
{
	struct visit_bytes_in *in = (struct visit_bytes_in *)v;
	size_t bytes = (size_t)item->width * item->count;

	if (bytes > in->size - in->pos)
		return fail_at(in, item, reterr, "needs", bytes);
	if (bytes)
		memcpy(data, in->data + in->pos, bytes);
	in->pos += bytes;
	return 0;
}

static int in_width(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	struct visit_bytes_in *in = (struct visit_bytes_in *)v;
	uint32_t len;

	if (in->size - in->pos < VMS_STRING_HEADER)
		return fail_at(in, item, reterr, "needs", VMS_STRING_HEADER);
	len = (uint32_t)get_be(in->data + in->pos, VMS_STRING_HEADER);
	if (len == VMS_STRING_NULL)
		len = 0;
	if (len > in->size - in->pos - VMS_STRING_HEADER)
		return fail_at(in, item, reterr, "needs", (uint64_t)len + VMS_STRING_HEADER);
	item->width = VMS_STRING_HEADER + len;
	return 0;
}

static int in_subsection(struct visitor *v, const char *parent, struct visit_item *ret,
			 struct irqs_error *reterr)
{
	struct visit_bytes_in *in = (struct visit_bytes_in *)v;

	(void)reterr;
	memset(ret, 0, sizeof(*ret));
	if (peek_subsection(in, parent, &ret->version))
		ret->name = in->name;
	return 0;
}

void visit_bytes_in_init(struct visit_bytes_in *in, const uint8_t *data, size_t size, uint32_t version,
			 uint64_t offset)
{
	static const struct visit_ops ops = {
		.begin = in_begin,
		.end = in_end,
		.leaf = in_leaf,
		.width = in_width,
		.subsection = in_subsection,
	};

	visitor_init(&in->v, &ops, VISIT_LOAD);
	in->data = data;
	in->size = size;
	in->pos = 0;
	in->offset = offset;
	in->version = version;
}

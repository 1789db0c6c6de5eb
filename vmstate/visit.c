/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all visitors share: the path, the order of begin and end. */
#include "vmstate/visit.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void visitor_init(struct visitor *v, const struct visit_ops *ops, enum visit_mode mode)
{
	v->ops = ops;
	v->mode = mode;
	v->depth = 0;
}

/* One more step of a path, as vms_path() spells it. */
static size_t add_step(char *buf, size_t size, size_t used, const struct visit_item *parent,
		       const struct visit_item *item)
{
	int n;

	if (used >= size)
		return used;
	if (parent && parent->kind == VMS_ARRAY)
		n = snprintf(buf + used, size - used, "[%" PRIu32 "]", item->index);
	else if (item->kind == VMS_SECTION)
		n = snprintf(buf + used, size - used, "%s[%" PRIu32 "]", item->name, item->instance);
	else if (item->index != VMS_NO_INDEX)
		n = snprintf(buf + used, size - used, "%s%s[%" PRIu32 "]", used ? "." : "", item->name,
			     item->index);
	else
		n = snprintf(buf + used, size - used, "%s%s", used ? "." : "", item->name);
	return used + (size_t)(n < 0 ? 0 : n);
}

char *visit_path(const struct visitor *v, const struct visit_item *item, char *buf, size_t size)
{
	const struct visit_item *parent = NULL;
	size_t used = 0;

	if (size)
		buf[0] = '\0';
	for (uint32_t i = 0; i < v->depth; i++) {
		used = add_step(buf, size, used, parent, &v->frame[i]);
		parent = &v->frame[i];
	}
	if (item)
		add_step(buf, size, used, parent, item);
	return buf;
}

int visit_fail(const struct visitor *v, const struct visit_item *item, struct irqs_error *reterr,
	       enum irqs_status status, const char *fmt, ...)
{
	struct irqs_error scratch;
	char path[sizeof(scratch.path)], text[sizeof(scratch.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return irqs_fail(reterr ? reterr : &scratch, status, IRQS_NO_OFFSET,
			 visit_path(v, item, path, sizeof(path)), "%s", text);
}

int visit_begin(struct visitor *v, struct visit_item *item, struct irqs_error *reterr)
{
	int rc;

	if (v->depth == VISIT_DEPTH_MAX)
		return visit_fail(v, item, reterr, IRQS_USAGE, "nests too deep");
	rc = v->ops->begin(v, item, reterr);
	if (!rc)
		v->frame[v->depth++] = *item;
	return rc;
}

int visit_end(struct visitor *v, struct irqs_error *reterr)
{
	int rc;

	if (!v->depth)
		return visit_fail(v, NULL, reterr, IRQS_USAGE, "nothing is open");
	rc = v->ops->end(v, &v->frame[v->depth - 1], reterr);
	if (!rc)
		v->depth--;
	return rc;
}

int visit_leaf(struct visitor *v, const struct visit_item *item, uint8_t *data, struct irqs_error *reterr)
{
	return v->ops->leaf(v, item, data, reterr);
}

static struct visit_item item_of(const struct vms_node *n)
{
	return (struct visit_item){
		.kind = n->kind,
		.name = n->name,
		.type = n->type,
		.vmsd = n->vmsd,
		.version = n->version,
		.instance = n->instance,
		.index = n->index,
		.width = n->width,
		.count = n->count,
		.array = n->array,
		.is_signed = n->is_signed,
	};
}

int visit_node(struct visitor *to, const struct vms_node *n, struct irqs_error *reterr)
{
	struct visit_item item = item_of(n);
	int rc;

	if (to->mode != VISIT_SAVE)
		return visit_fail(to, &item, reterr, IRQS_USAGE, "a node goes to a visitor that saves");
	if (n->kind == VMS_INT || n->kind == VMS_BYTES)
		return visit_leaf(to, &item, n->data, reterr);
	rc = visit_begin(to, &item, reterr);
	for (const struct vms_node *c = vms_first_child(n); c && !rc; c = c->next)
		rc = visit_node(to, c, reterr);
	if (!rc && vms_packed(n))
		rc = irqs_fail_nomem(reterr);
	return rc ? rc : visit_end(to, reterr);
}

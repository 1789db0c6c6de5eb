/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The leaves of a bound description: values, buffers, strings. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/bind_priv.h"
#include "vmstate/values_priv.h"

/* Bytes of one integer of a leaf; 1: bytes as they are. */
static uint32_t swap_width(const struct visit_item *item)
{
	if (item->kind == VMS_INT)
		return item->width;
	return !strcmp(item->type, "float64") || !strcmp(item->type, "bitmap") ? 8 : 1;
}

static void format_value(const struct visit_item *item, uint32_t width, const uint8_t *be, char *buf,
			 size_t size)
{
	uint64_t v = get_be(be, width);

	if (item->is_signed)
		snprintf(buf, size, "%" PRId64, sign_extend(v, width));
	else
		snprintf(buf, size, "0x%" PRIx64, v);
}

/* An immutable field: the first element that differs is named with both values. */
static int compare_values(const struct bind_row *r, const struct visit_item *item, const uint8_t *host,
			  const uint8_t *arrived)
{
	uint32_t width = swap_width(item), count = (uint32_t)((size_t)item->width * item->count / width);
	char here[24], there[24], where[24] = "";
	uint8_t be[8];

	for (uint32_t i = 0; i < count; i++) {
		values_swap(be, host + (size_t)i * width, width, 1);
		if (!memcmp(be, arrived + (size_t)i * width, width))
			continue;
		format_value(item, width, be, here, sizeof(here));
		format_value(item, width, arrived + (size_t)i * width, there, sizeof(there));
		if (count > 1)
			snprintf(where, sizeof(where), "[%" PRIu32 "] ", i);
		return visit_fail(r->v, item, r->reterr, IRQS_REFUSED, "immutable: %s%s arrived, %s is here",
				  where, there, here);
	}
	return 0;
}

static int store_values(const struct bind_row *r, const struct visit_item *item, uint8_t *host,
			const uint8_t *be)
{
	size_t bytes = (size_t)item->width * item->count;
	uint32_t width = swap_width(item);

	if (!strcmp(item->type, "bool"))
		for (uint32_t i = 0; i < item->count; i++)
			if (be[i] > 1)
				return visit_fail(r->v, item, r->reterr, IRQS_MALFORMED,
						  "[%" PRIu32 "] %u is no bool", i, be[i]);
	if (r->flags & BIND_IGNORED)
		return 0;
	if (r->flags & VMS_IMMUTABLE)
		return compare_values(r, item, host, be);
	values_swap(host, be, width, (uint32_t)(bytes / width));
	return 0;
}

int bind_values(const struct bind_row *r, const struct visit_item *item, uint8_t *host)
{
	size_t bytes = (size_t)item->width * item->count;
	uint32_t width = swap_width(item);
	uint8_t small[256], *be = small;
	int rc;

	if (r->v->mode == VISIT_SCHEMA)
		return visit_leaf(r->v, item, NULL, r->reterr);
	if (bytes > sizeof(small)) {
		be = malloc(bytes);
		if (!be)
			return irqs_fail_nomem(r->reterr);
	}
	if (r->v->mode == VISIT_SAVE && (!host || r->flags & BIND_DUMMY))
		memset(be, 0, bytes);
	else if (r->v->mode == VISIT_SAVE)
		values_swap(be, host, width, (uint32_t)(bytes / width));
	rc = visit_leaf(r->v, item, be, r->reterr);
	if (!rc && r->v->mode == VISIT_LOAD)
		rc = store_values(r, item, host, be);
	if (be != small)
		free(be);
	return rc;
}

int bind_marker(const struct bind_row *r, const char *name, const char *type, uint32_t index, uint64_t *value)
{
	struct visit_item item = {
		.kind = VMS_INT,
		.name = name,
		.type = type,
		.index = index,
		.count = 1,
		.field = r->f,
	};
	uint8_t be[8];
	int rc;

	vms_int_type(type, &item.width, &item.is_signed);
	if (r->v->mode == VISIT_SAVE)
		put_be(be, item.width, *value);
	rc = visit_leaf(r->v, &item, r->v->mode == VISIT_SCHEMA ? NULL : be, r->reterr);
	if (!rc && r->v->mode == VISIT_LOAD)
		*value = get_be(be, item.width);
	return rc;
}

/* ---- strings ---- */

static int save_text(const struct bind_row *r, struct visit_item *item, const char *text, size_t len)
{
	uint8_t *be = malloc(VMS_STRING_HEADER + len);
	int rc;

	if (!be)
		return irqs_fail_nomem(r->reterr);
	put_be(be, VMS_STRING_HEADER, text ? len : VMS_STRING_NULL);
	if (len)
		memcpy(be + VMS_STRING_HEADER, text, len);
	item->width = (uint32_t)(VMS_STRING_HEADER + len);
	rc = visit_leaf(r->v, item, be, r->reterr);
	free(be);
	return rc;
}

/* What arrived, checked and terminated; *ret is NULL for NULL. */
static int take_text(const struct bind_row *r, struct visit_item *item, char **ret)
{
	uint64_t len;
	uint8_t *be;
	int rc = r->v->ops->width(r->v, item, r->reterr);

	*ret = NULL;
	if (rc)
		return rc;
	if (item->width < VMS_STRING_HEADER)
		return visit_fail(r->v, item, r->reterr, IRQS_MALFORMED, "a string without its length");
	be = malloc((size_t)item->width + 1);
	if (!be)
		return irqs_fail_nomem(r->reterr);
	rc = visit_leaf(r->v, item, be, r->reterr);
	len = rc ? 0 : get_be(be, VMS_STRING_HEADER);
	if (!rc && len == VMS_STRING_NULL && item->width == VMS_STRING_HEADER) {
		free(be);
		return 0;
	}
	if (!rc && len != item->width - VMS_STRING_HEADER)
		rc = visit_fail(r->v, item, r->reterr, IRQS_MALFORMED,
				"a string whose length is not that of its bytes");
	if (!rc && memchr(be + VMS_STRING_HEADER, 0, len))
		rc = visit_fail(r->v, item, r->reterr, IRQS_MALFORMED, "a string with a NUL in it");
	if (rc) {
		free(be);
		return rc;
	}
	memmove(be, be + VMS_STRING_HEADER, len);
	be[len] = '\0';
	*ret = (char *)be;
	return 0;
}

static int compare_text(const struct bind_row *r, const struct visit_item *item, const char *here,
			const char *there)
{
	if (here && there ? !strcmp(here, there) : here == there)
		return 0;
	return visit_fail(r->v, item, r->reterr, IRQS_REFUSED, "immutable: '%.80s' arrived, '%.80s' is here",
			  there ? there : "(NULL)", here ? here : "(NULL)");
}

static int store_text(const struct bind_row *r, const struct visit_item *item, uint8_t *member, char **text)
{
	const struct vms_field *f = r->f;
	char *old;

	if (r->flags & BIND_IGNORED)
		return 0;
	if (f->bind == VMS_CHARS) {
		if (!*text || strlen(*text) >= f->step)
			return visit_fail(r->v, item, r->reterr, IRQS_MALFORMED,
					  "%zu bytes arrived, %zu is the bound", *text ? strlen(*text) : 0,
					  f->step - 1);
		if (r->flags & VMS_IMMUTABLE)
			return compare_text(r, item, (char *)member, *text);
		memset(member, 0, f->step);
		memcpy(member, *text, strlen(*text));
		return 0;
	}
	memcpy(&old, member, sizeof(old));
	if (r->flags & VMS_IMMUTABLE)
		return compare_text(r, item, old, *text);
	memcpy(member, text, sizeof(*text));
	*text = old; /* for the caller to free */
	return 0;
}

int bind_text(const struct bind_row *r, struct visit_item *item, uint8_t *member)
{
	const struct vms_field *f = r->f;
	char *text = NULL;
	size_t len;
	int rc;

	if (r->v->mode == VISIT_SCHEMA)
		return visit_leaf(r->v, item, NULL, r->reterr);
	if (r->v->mode == VISIT_LOAD) {
		rc = take_text(r, item, &text);
		if (!rc)
			rc = store_text(r, item, member, &text);
		free(text);
		return rc;
	}
	if (r->flags & BIND_DUMMY)
		return save_text(r, item, "", 0);
	if (f->bind == VMS_CHARP) {
		memcpy(&text, member, sizeof(text));
		return save_text(r, item, text, text ? strlen(text) : 0);
	}
	len = strnlen((char *)member, f->step);
	if (len == f->step)
		return visit_fail(r->v, item, r->reterr, IRQS_USAGE, "a string without an end");
	return save_text(r, item, (char *)member, len);
}

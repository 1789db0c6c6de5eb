/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visiting a state by hand, value by value. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "vmstate/describe.h"
#include "vmstate/values_priv.h"
#include "vmstate/visit.h"

static struct visit_item named(enum vms_kind kind, const char *name, const char *type)
{
	return (struct visit_item){
		.kind = kind,
		.name = name,
		.type = type,
		.index = VMS_NO_INDEX,
		.count = 1,
	};
}

int visit_begin_section(struct visitor *v, const char *name, uint32_t instance, uint32_t *version,
			struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_SECTION, name, NULL);
	int rc;

	item.vmsd = name;
	item.instance = instance;
	item.version = *version;
	rc = visit_begin(v, &item, reterr);
	if (!rc)
		*version = item.version;
	return rc;
}

int visit_begin_struct(struct visitor *v, const char *name, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_STRUCT, name, "struct");

	return visit_begin(v, &item, reterr);
}

int visit_begin_array(struct visitor *v, const char *name, uint32_t count, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_ARRAY, name, "struct");

	item.array = true;
	item.count = count;
	return visit_begin(v, &item, reterr);
}

int visit_begin_element(struct visitor *v, const char *name, uint32_t i, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_STRUCT, name, "struct");

	item.index = i;
	return visit_begin(v, &item, reterr);
}

/* The name that subsections of what is open must start with. */
static const char *open_name(const struct visitor *v)
{
	const struct visit_item *open = v->depth ? &v->frame[v->depth - 1] : NULL;

	if (!open)
		return "";
	return open->vmsd ? open->vmsd : open->name;
}

int visit_subsection(struct visitor *v, const char *name, bool *there, uint32_t *version,
		     struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_SUBSECTION, name, NULL);
	int rc;

	item.vmsd = name;
	item.version = *version;
	if (v->mode == VISIT_SAVE && !*there)
		return 0;
	if (v->mode == VISIT_LOAD) {
		struct visit_item next;

		rc = v->ops->subsection(v, open_name(v), &next, reterr);
		if (rc)
			return rc;
		if (!next.name || strcmp(next.name, name) != 0) {
			*there = false;
			return 0;
		}
	}
	rc = visit_begin(v, &item, reterr);
	if (rc)
		return rc;
	*there = true;
	*version = item.version;
	return 0;
}

static int visit_values(struct visitor *v, const char *name, const char *type, void *values, uint32_t count,
			struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_INT, name, type);
	uint8_t small[256], *be = small;
	size_t bytes;
	int rc;

	vms_int_type(type, &item.width, &item.is_signed);
	if (count) {
		item.array = true;
		item.count = count;
	}
	if (v->mode == VISIT_SCHEMA)
		return visit_leaf(v, &item, NULL, reterr);
	bytes = (size_t)item.width * item.count;
	if (bytes > sizeof(small)) {
		be = malloc(bytes);
		if (!be)
			return irqs_fail_nomem(reterr);
	}
	if (v->mode == VISIT_SAVE)
		values_swap(be, values, item.width, item.count);
	rc = visit_leaf(v, &item, be, reterr);
	if (!rc && v->mode == VISIT_LOAD)
		values_swap(values, be, item.width, item.count);
	if (be != small)
		free(be);
	return rc;
}

int visit_bool(struct visitor *v, const char *name, bool *value, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_INT, name, "bool");
	uint8_t byte = *value;
	int rc;

	rc = visit_values(v, name, "bool", &byte, 0, reterr);
	if (rc)
		return rc;
	if (byte > 1)
		return visit_fail(v, &item, reterr, IRQS_MALFORMED, "%u is no bool", byte);
	*value = byte;
	return 0;
}

#define VALUE(suffix, ctype, type)                                                                       \
	int visit_##suffix(struct visitor *v, const char *name, ctype *value, struct irqs_error *reterr) \
	{                                                                                                \
		return visit_values(v, name, type, value, 0, reterr);                                    \
	}

VALUE(u8, uint8_t, "uint8")
VALUE(u16, uint16_t, "uint16")
VALUE(u32, uint32_t, "uint32")
VALUE(u64, uint64_t, "uint64")
VALUE(s8, int8_t, "int8")
VALUE(s16, int16_t, "int16")
VALUE(s32, int32_t, "int32")
VALUE(s64, int64_t, "int64")

#define VALUES(suffix, ctype, type)                                                                   \
	int visit_##suffix(struct visitor *v, const char *name, ctype *values, uint32_t count,        \
			   struct irqs_error *reterr)                                                 \
	{                                                                                             \
		if (!count)                                                                           \
			return visit_fail(v, NULL, reterr, IRQS_USAGE, "'%s' has no elements", name); \
		return visit_values(v, name, type, values, count, reterr);                            \
	}

VALUES(u8s, uint8_t, "uint8")
VALUES(u16s, uint16_t, "uint16")
VALUES(u32s, uint32_t, "uint32")
VALUES(u64s, uint64_t, "uint64")

int visit_f64(struct visitor *v, const char *name, double *value, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_BYTES, name, "float64");
	uint8_t be[8] = { 0 };
	int rc;

	item.width = sizeof(be);
	if (v->mode == VISIT_SAVE)
		values_swap(be, value, sizeof(be), 1);
	rc = visit_leaf(v, &item, v->mode == VISIT_SCHEMA ? NULL : be, reterr);
	if (!rc && v->mode == VISIT_LOAD)
		values_swap(value, be, sizeof(be), 1);
	return rc;
}

int visit_buffer(struct visitor *v, const char *name, void *data, uint32_t size, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_BYTES, name, "buffer");

	item.width = size;
	return visit_leaf(v, &item, v->mode == VISIT_SCHEMA ? NULL : data, reterr);
}

static int load_string(struct visitor *v, struct visit_item *item, char *text, uint32_t size,
		       struct irqs_error *reterr)
{
	uint8_t *be;
	uint32_t len;
	int rc = v->ops->width(v, item, reterr);

	if (rc)
		return rc;
	if (item->width < VMS_STRING_HEADER || item->width - VMS_STRING_HEADER >= size)
		return visit_fail(v, item, reterr, IRQS_MALFORMED,
				  "a string of %" PRIu32 " bytes, %" PRIu32 " is the bound",
				  item->width - VMS_STRING_HEADER, size - 1);
	be = malloc(item->width);
	if (!be)
		return irqs_fail_nomem(reterr);
	rc = visit_leaf(v, item, be, reterr);
	len = item->width - VMS_STRING_HEADER;
	if (!rc && get_be(be, VMS_STRING_HEADER) != len)
		rc = visit_fail(v, item, reterr, IRQS_MALFORMED,
				"a string whose length is not that of its bytes");
	if (!rc && memchr(be + VMS_STRING_HEADER, 0, len))
		rc = visit_fail(v, item, reterr, IRQS_MALFORMED, "a string with a NUL in it");
	if (!rc) {
		memcpy(text, be + VMS_STRING_HEADER, len);
		text[len] = '\0';
	}
	free(be);
	return rc;
}

int visit_string(struct visitor *v, const char *name, char *text, uint32_t size, struct irqs_error *reterr)
{
	struct visit_item item = named(VMS_BYTES, name, "string");
	uint8_t *be;
	size_t len;
	int rc;

	if (v->mode == VISIT_SCHEMA)
		return visit_leaf(v, &item, NULL, reterr);
	if (v->mode == VISIT_LOAD)
		return load_string(v, &item, text, size, reterr);
	len = strnlen(text, size);
	if (len == size)
		return visit_fail(v, &item, reterr, IRQS_USAGE, "a string without an end");
	be = malloc(VMS_STRING_HEADER + len);
	if (!be)
		return irqs_fail_nomem(reterr);
	put_be(be, VMS_STRING_HEADER, len);
	memcpy(be + VMS_STRING_HEADER, text, len);
	item.width = (uint32_t)(VMS_STRING_HEADER + len);
	rc = visit_leaf(v, &item, be, reterr);
	free(be);
	return rc;
}

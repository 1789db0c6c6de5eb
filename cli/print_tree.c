/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/print_tree.h"

#include <inttypes.h>

/* Bytes of a buffer that a line shows; --json has them all. */
#define BYTES_SHOWN 32u

static void print_bytes(const uint8_t *p, uint32_t len, FILE *out)
{
	for (uint32_t i = 0; i < len && i < BYTES_SHOWN; i++)
		fprintf(out, "%02x", p[i]);
	if (len > BYTES_SHOWN)
		fprintf(out, "... (%" PRIu32 " bytes)", len);
}

void print_element(const struct vms_node *n, uint32_t element, FILE *out)
{
	uint64_t v;

	if (n->kind != VMS_INT) {
		print_bytes(n->data + (size_t)element * n->width, n->width, out);
		return;
	}
	v = vms_element_get(n, element);
	if (n->is_signed)
		fprintf(out, "%" PRId64, (int64_t)v);
	else
		fprintf(out, "%" PRIu64, v);
	if (v > 9 && !(n->is_signed && (int64_t)v < 0))
		fprintf(out, " (0x%" PRIx64 ")", v);
}

static void print_leaf(const struct vms_node *n, FILE *out)
{
	if (!n->array) {
		print_element(n, 0, out);
	} else if (n->kind == VMS_BYTES || n->width > 1) {
		for (uint32_t i = 0; i < n->count; i++) {
			fputs(i ? ", " : "[", out);
			print_element(n, i, out);
		}
		fputs(n->count ? "]" : "[]", out);
	} else {
		print_bytes(n->data, n->count, out);
	}
	fputc('\n', out);
}

static void print_node(const struct vms_node *n, int indent, FILE *out)
{
	fprintf(out, "%*s", indent, "");
	if (n->kind == VMS_SUBSECTION)
		fprintf(out, "subsection ");
	if (n->parent->kind == VMS_ARRAY)
		fprintf(out, "[%" PRIu32 "]", n->index);
	else if (n->index != VMS_NO_INDEX)
		fprintf(out, "%s[%" PRIu32 "]", n->name, n->index);
	else
		fprintf(out, "%s", n->name);
	if (n->kind == VMS_INT || n->kind == VMS_BYTES) {
		fprintf(out, ": %s = ", n->type);
		print_leaf(n, out);
		return;
	}
	fputs(n->kind == VMS_SUBSECTION ? "\n" : ":\n", out);
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next)
		print_node(c, indent + 2, out);
}

void print_fields(const struct vms_node *section, FILE *out)
{
	for (const struct vms_node *c = vms_first_child(section); c; c = c->next)
		print_node(c, 2, out);
}

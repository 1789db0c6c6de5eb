/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_scan.h"

#include <ctype.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"

#define FOOTER_SIZE 5u

/* Bounds of what a header can hold in any machine: without footers they are all there is to judge by. */
#define SECTION_ID_MAX 0x10000u
#define INSTANCE_MAX 0x100000u
#define VERSION_MAX 0x1000u

static bool is_name(const uint8_t *p, size_t len)
{
	if (!len || (!isalnum(p[0]) && p[0] != '/'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum(p[i]) && (!p[i] || !strchr("-_:./@,+ ()#", p[i])))
			return false;
	return true;
}

/* Whether a FULL section, or the end of the stream, starts at @pos. */
static bool starts_here(const struct qemu_scan *s, uint64_t pos)
{
	const uint8_t *p = s->data + pos;
	uint64_t left = s->size - pos;

	if (left >= 1 && p[0] == QEMU_VM_EOF && left == 1)
		return true;
	if (left < 6 || p[0] != QEMU_VM_SECTION_FULL || left < (uint64_t)6 + p[5] + 8)
		return false;
	return get_be(p + 1, 4) < SECTION_ID_MAX && is_name(p + 6, p[5]) && get_be(p + 6 + p[5], 4) < INSTANCE_MAX &&
	       get_be(p + 6 + p[5] + 4, 4) < VERSION_MAX;
}

static bool ends_here(const struct qemu_scan *s, uint64_t pos, uint32_t section_id)
{
	const uint8_t *p = s->data + pos;

	if (!s->has_footers)
		return starts_here(s, pos);
	return s->size - pos > FOOTER_SIZE && p[0] == QEMU_VM_SECTION_FOOTER && get_be(p + 1, 4) == section_id &&
	       (starts_here(s, pos + FOOTER_SIZE) || p[FOOTER_SIZE] == QEMU_VM_EOF);
}

static int add_raw(struct vms_tree *t, struct vms_node *section, const struct qemu_scan *s, uint64_t pos,
		   uint64_t end, struct irqs_error *reterr)
{
	struct vms_node *n = vms_node_create(t, VMS_BYTES, "data", "buffer");

	if (n)
		n->data = arena_alloc(&t->arena, end - pos);
	if (!n || !n->data)
		return irqs_fail_nomem(reterr);
	memcpy(n->data, s->data + pos, end - pos);
	n->width = (uint32_t)(end - pos);
	n->offset = s->base + pos;
	vms_append(section, n);
	return 0;
}

int qemu_scan_payload(const struct qemu_scan *s, struct vms_tree *t, uint64_t pos, uint32_t section_id,
		      struct vms_node *section, uint64_t *ret_end, struct irqs_error *reterr)
{
	const struct vms_desc *d = s->find_desc ? s->find_desc(section->name) : NULL;
	uint64_t end;
	char path[160];

	if (d) {
		uint64_t used;
		int rc = vms_desc_parse(t, d, section, s->data + pos, s->size - pos, s->base + pos, &used, reterr);

		if (rc)
			return rc;
		pos += used;
	}
	for (end = pos; end < s->size && !ends_here(s, end, section_id); end++)
		;
	if (end >= s->size || end - pos > UINT32_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)(s->base + pos), vms_path(section, path, sizeof(path)),
				 "its end is not found, and the stream has no vmdescription");
	*ret_end = end;
	return end > pos ? add_raw(t, section, s, pos, end, reterr) : 0;
}

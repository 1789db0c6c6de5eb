/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "stream/qemu_read_priv.h"

/* QEMU has some twenty-five. */
#define CAPABILITIES_MAX 256u

/* A VMS_INT or VMS_BYTES field at the position. */
static int take_field(struct qemu_reader *r, struct vms_node *parent, const char *name, const char *type,
		      uint32_t bytes, struct vms_node **ret)
{
	uint32_t width;
	bool is_int = vms_int_type(type, &width, NULL);
	struct vms_node *n = vms_node_create(&r->s->tree, is_int ? VMS_INT : VMS_BYTES, name, type);
	int rc;

	if (n)
		n->data = arena_alloc(&r->s->tree.arena, bytes);
	if (!n || !n->data)
		return irqs_fail_nomem(r->reterr);
	n->width = bytes;
	n->offset = r->pos;
	rc = source_read(&r->s->source, r->pos, n->data, bytes, r->reterr);
	if (rc)
		return rc;
	r->pos += bytes;
	vms_append(parent, n);
	*ret = n;
	return 0;
}

/* configuration/capabilities: a count, then names with a length byte each. */
static int read_capabilities(struct qemu_reader *r, struct vms_node *sub)
{
	struct vms_node *count, *cap;
	int rc = take_field(r, sub, "caps_count", "uint32", 4, &count);

	if (rc)
		return rc;
	if (vms_element_get(count, 0) > CAPABILITIES_MAX)
		return qemu_fail(r, count->offset, "an impossible number of capabilities");
	for (uint32_t i = 0; i < vms_element_get(count, 0); i++) {
		uint64_t len;

		if ((rc = qemu_peek(r, r->pos, 1, &len)) ||
		    (rc = take_field(r, sub, "capabilities", "capability", (uint32_t)len + 1, &cap)))
			return rc;
		cap->index = i;
		if (len == strlen("mapped-ram") && !memcmp(cap->data + 1, "mapped-ram", len))
			r->walk.mode.mapped_ram = r->s->mapped_ram = true;
		if (len == strlen("x-ignore-shared") && !memcmp(cap->data + 1, "x-ignore-shared", len))
			r->walk.mode.ignore_shared = r->s->ignore_shared = true;
	}
	return 0;
}

static int read_config_subsection(struct qemu_reader *r, struct vms_node *config)
{
	uint64_t len, version, at = r->pos;
	char name[256];
	struct vms_node *n, *field;
	int rc;

	r->pos++;
	if ((rc = qemu_take(r, 1, &len)) || (rc = source_read(&r->s->source, r->pos, name, len, r->reterr)))
		return rc;
	name[len] = '\0';
	if (strlen(name) != len)
		return qemu_fail(r, at, "a subsection without a proper name");
	r->pos += len;
	if ((rc = qemu_take(r, 4, &version)))
		return rc;
	n = vms_node_create(&r->s->tree, VMS_SUBSECTION, name, NULL);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->vmsd = n->name;
	n->version = (uint32_t)version;
	n->offset = at;
	vms_append(config, n);
	if (!strcmp(name, "configuration/target-page-bits"))
		return take_field(r, n, "target_page_bits", "uint32", 4, &field);
	if (!strcmp(name, "configuration/uuid"))
		return take_field(r, n, "uuid.data", "buffer", 16, &field);
	if (!strcmp(name, "configuration/capabilities"))
		return read_capabilities(r, n);
	return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)at, "configuration", "unknown subsection '%s'", name);
}

int qemu_read_configuration(struct qemu_reader *r)
{
	struct vms_node *config, *len, *name;
	uint64_t type, start = r->pos;
	int rc = qemu_peek(r, r->pos, 1, &type);

	if (rc || type != QEMU_VM_CONFIGURATION)
		return rc; /* machine types up to 2.3 have none */
	r->pos++;
	config = vms_node_create(&r->s->tree, VMS_SECTION, "configuration", "configuration");
	if (!config)
		return irqs_fail_nomem(r->reterr);
	config->vmsd = config->name;
	config->version = 1;
	config->offset = start;
	config->codec = &qemu_from_stream;
	vms_append(r->s->tree.machine, config);
	rc = take_field(r, config, "len", "uint32", 4, &len);
	if (rc)
		return rc;
	if (!vms_element_get(len, 0) || vms_element_get(len, 0) > 255)
		return qemu_fail(r, start + 1, "a machine type name of impossible length");
	rc = take_field(r, config, "name", "buffer", (uint32_t)vms_element_get(len, 0), &name);
	if (rc)
		return rc;
	r->s->tree.machine->name = arena_strndup(&r->s->tree.arena, (char *)name->data, name->width);
	if (!r->s->tree.machine->name)
		return irqs_fail_nomem(r->reterr);
	while (!(rc = qemu_peek(r, r->pos, 1, &type)) && type == QEMU_VM_SUBSECTION) {
		rc = read_config_subsection(r, config);
		if (rc)
			return rc;
	}
	return rc ? rc : qemu_add_node_item(r, start, QEMU_ITEM_CONFIG, config, 0);
}

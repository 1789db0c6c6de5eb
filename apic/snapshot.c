/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of all chips as the fields of a snapshot, in one walk. */
#include "apic/snapshot_priv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind.h"
#include "vmstate/rows.h"
#include "vmstate/visit_tree.h"

/* ---- what belongs to no chip ---- */

static const struct vms_field route_rows[] = {
	VMS_U32(struct irq_route, gsi),
	VMS_U32(struct irq_route, chip),
	VMS_U32(struct irq_route, pin),
	VMS_U32(struct irq_route, msi_data),
	VMS_U64(struct irq_route, msi_address),
};

static int check_route(void *state, uint32_t version, struct irqs_error *reterr)
{
	const struct irq_route *r = state;

	(void)version;
	if ((unsigned int)r->chip > IRQ_ROUTE_MSI)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, SNAPSHOT_NAME ".routes",
				 "GSI %" PRIu32 " leads to chip %u: there are 0 to 3", r->gsi,
				 (unsigned int)r->chip);
	return 0;
}

static int check_head(void *state, uint32_t version, struct irqs_error *reterr)
{
	const struct snapshot_head *h = state;

	(void)version;
	if (h->mode > IRQCHIP_FULL)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, SNAPSHOT_NAME ".mode",
				 "%" PRIu32 " is no irqchip mode: there are 0 to 2", h->mode);
	return 0;
}

static const struct vms_desc route_desc = {
	.name = "irq_route",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct irq_route),
	VMS_ROWS(route_rows),
	.post_load = check_route,
};

static const struct vms_field head_rows[] = {
	VMS_U32(struct snapshot_head, mode),
	VMS_U32(struct snapshot_head, cpus),
	VMS_U32(struct snapshot_head, chips),
	VMS_U32(struct snapshot_head, lines),
	VMS_U32(struct snapshot_head, nroutes),
	VMS_STRUCT_POINTED(struct snapshot_head, routes, SNAPSHOT_ROUTES_MAX, nroutes, struct irq_route, route_desc,
			   .flags = VMS_ALLOC),
};

const struct vms_desc snapshot_head_desc = {
	.name = SNAPSHOT_NAME,
	.version = SNAPSHOT_VERSION,
	.minimum_version = 1,
	.state_size = sizeof(struct snapshot_head),
	VMS_ROWS(head_rows),
	.post_load = check_head,
};

/* ---- rows and fields ---- */

const char *snapshot_field_name(const struct reg_row *row, char buf[SNAPSHOT_FIELD_SIZE])
{
	size_t i = 0;

	for (; i < SNAPSHOT_FIELD_SIZE - 1 && row->name[i]; i++)
		buf[i] = (char)tolower((unsigned char)row->name[i]);
	buf[i] = '\0';
	return buf;
}

const char *snapshot_field_type(const struct reg_row *row)
{
	static const char *const types[2][9] = {
		{ [1] = "uint8", [2] = "uint16", [4] = "uint32", [8] = "uint64" },
		{ [1] = "int8", [2] = "int16", [4] = "int32", [8] = "int64" },
	};

	return types[row->is_signed][row->size];
}

bool snapshot_has_field(const struct reg_row *row)
{
	return row->size && row->storage != REG_ACTION;
}

static unsigned int count_known(const struct reg_row *row, const void *state)
{
	unsigned int known = 0;

	for (unsigned int i = 0; i < row->count; i++)
		known += reg_known(row, state, i);
	return known;
}

/* A bank that is known in parts has a field for each element that is, with its index. */
static int add_row(struct vms_tree *t, struct vms_node *section, const struct reg_row *row, const void *state,
		   struct irqs_error *reterr)
{
	unsigned int known = count_known(row, state);
	bool whole = known == row->count;
	struct vms_node *n = NULL;
	char name[SNAPSHOT_FIELD_SIZE];

	for (unsigned int i = 0; known && i < row->count; i++) {
		if (!reg_known(row, state, i))
			continue;
		if (!n || !whole)
			n = vms_add_int(t, section, snapshot_field_name(row, name), snapshot_field_type(row),
					whole && row->count > 1 ? row->count : 0);
		if (!n)
			return irqs_fail_nomem(reterr);
		if (!whole)
			n->index = i;
		vms_element_set(n, whole ? i : 0, reg_get(row, state, i));
	}
	return 0;
}

static int add_part(struct vms_tree *t, const struct irqchip_part *p, struct irqs_error *reterr)
{
	struct vms_node *section = vms_node_create(t, VMS_SECTION, p->name, p->type);
	int rc = 0;

	if (!section)
		return irqs_fail_nomem(reterr);
	section->vmsd = SNAPSHOT_NAME;
	section->version = SNAPSHOT_VERSION;
	section->instance = p->instance;
	vms_append(t->machine, section);
	for (uint16_t r = 0; r < p->chip->nrows && !rc; r++)
		if (snapshot_has_field(&p->chip->rows[r]))
			rc = add_row(t, section, &p->chip->rows[r], p->state, reterr);
	return rc;
}

static int compare_ids(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int snapshot_check_ids(const struct irqchip_state *s, enum irqs_status status, struct irqs_error *reterr)
{
	uint32_t *ids = calloc(s->nlapics + 1, sizeof(*ids));
	struct irqchip_part p;
	char path[32];
	int rc = 0;

	if (!ids)
		return irqs_fail_nomem(reterr);
	for (unsigned int i = 0; i < s->nlapics; i++) {
		irqchip_part(s, i, &p);
		ids[i] = p.instance;
	}
	qsort(ids, s->nlapics, sizeof(*ids), compare_ids);
	for (unsigned int i = 1; i < s->nlapics && !rc; i++) {
		if (ids[i] != ids[i - 1])
			continue;
		snprintf(path, sizeof(path), "apic[%" PRIu32 "]", ids[i]);
		rc = irqs_fail(reterr, status, IRQS_NO_OFFSET, path, "two CPUs have this id");
	}
	free(ids);
	return rc;
}

static bool is_there(const struct irqchip_state *s, unsigned int i, const struct irqchip_part *p)
{
	return i < s->nlapics || irqchip_part_known(p);
}

int snapshot_to_tree(const struct irqchip_state *s, struct vms_tree *t, struct irqs_error *reterr)
{
	struct snapshot_head head = { .mode = s->mode, .cpus = s->nlapics, .lines = s->lines, .nroutes = s->nroutes,
			     .routes = s->routes };
	struct visit_tree_out out;
	struct irqchip_part p;
	int rc = snapshot_check_ids(s, IRQS_USAGE, reterr);

	if (rc)
		return rc;
	for (unsigned int i = s->nlapics; irqchip_part(s, i, &p); i++)
		head.chips += is_there(s, i, &p);
	visit_tree_out_init(&out, t, t->machine);
	rc = vms_save(&out.v, &snapshot_head_desc, 0, &head, reterr);
	for (unsigned int i = 0; !rc && irqchip_part(s, i, &p); i++)
		if (is_there(s, i, &p))
			rc = add_part(t, &p, reterr);
	return rc;
}

bool snapshot_is_tree(const struct vms_node *machine)
{
	return vms_first_child(machine) && !strcmp(vms_first_child(machine)->name, SNAPSHOT_NAME);
}

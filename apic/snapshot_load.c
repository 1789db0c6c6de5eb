/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of a snapshot back into the rows: nothing is skipped, nothing is assumed. */
#include "apic/snapshot_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmstate/bind.h"
#include "vmstate/visit_tree.h"

static int fail(const struct vms_node *n, struct irqs_error *reterr, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(const struct vms_node *n, struct irqs_error *reterr, const char *fmt, ...)
{
	char path[160], text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return irqs_fail(reterr, IRQS_MALFORMED, n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET,
			 vms_path(n, path, sizeof(path)), "%s", text);
}

/* The row of a field; rows stand in the order of the table, so the one behind @hint is looked at first. */
static const struct reg_row *find_row(const struct reg_chip *chip, const struct reg_row *hint, const char *field)
{
	char name[SNAPSHOT_FIELD_SIZE];

	for (uint16_t i = 0; i < chip->nrows; i++) {
		const struct reg_row *row = &chip->rows[(size_t)(hint - chip->rows + i) % chip->nrows];

		if (snapshot_has_field(row) && !strcmp(snapshot_field_name(row, name), field))
			return row;
	}
	return NULL;
}

static int check_field(const struct vms_node *n, const struct reg_chip *chip, const struct reg_row *row,
		       struct irqs_error *reterr)
{
	if (!row)
		return fail(n, reterr, "the %s has no such register", chip->name);
	if (n->kind != VMS_INT || n->width != row->size || !n->type || strcmp(n->type, snapshot_field_type(row)) != 0)
		return fail(n, reterr, "of type %s, which should be %s", n->type ? n->type : "none", snapshot_field_type(row));
	if (n->array && (row->count == 1 || n->index != VMS_NO_INDEX || n->count != row->count))
		return fail(n, reterr, "%" PRIu32 " elements, which should be %u", n->count, row->count);
	if (!n->array && row->count > 1 && n->index >= row->count)
		return fail(n, reterr, "not one of the %u elements", row->count);
	if (!n->array && row->count == 1 && n->index != VMS_NO_INDEX)
		return fail(n, reterr, "an element of what has none");
	return 0;
}

static int load_field(const struct vms_node *n, const struct irqchip_part *p, const struct reg_row *row,
		      struct irqs_error *reterr)
{
	unsigned int first = n->index == VMS_NO_INDEX ? 0 : n->index;

	for (uint32_t i = 0; i < n->count; i++) {
		if (reg_known(row, p->state, first + i))
			return fail(n, reterr, "comes twice");
		reg_set(row, p->state, first + i, vms_element_get(n, i));
	}
	return 0;
}

static int load_part(const struct vms_node *section, const struct irqchip_part *p, struct irqs_error *reterr)
{
	const struct reg_row *row = p->chip->rows;
	int rc = 0;

	if (!section->type || strcmp(section->type, p->type) != 0)
		return fail(section, reterr, "of type %s, which should be %s in this mode",
			    section->type ? section->type : "none", p->type);
	for (const struct vms_node *n = vms_first_child(section); n && !rc; n = n->next) {
		const struct reg_row *found = find_row(p->chip, row, n->name);

		rc = check_field(n, p->chip, found, reterr);
		if (!rc)
			rc = load_field(n, p, found, reterr);
		if (found)
			row = found;
	}
	return rc;
}

static int check_section(const struct vms_node *section, struct irqs_error *reterr)
{
	char path[160];

	if (section->kind != VMS_SECTION || !section->vmsd || strcmp(section->vmsd, SNAPSHOT_NAME) != 0)
		return fail(section, reterr, "not a section of a snapshot");
	if (section->version != SNAPSHOT_VERSION)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, vms_path(section, path, sizeof(path)),
				 "version %" PRIu32 " of a snapshot, %u is known here", section->version,
				 SNAPSHOT_VERSION);
	return 0;
}

static int load_lapic(const struct vms_node *section, struct irqchip_state *s, unsigned int i,
		      struct irqs_error *reterr)
{
	struct irqchip_part p;
	int rc;

	irqchip_part(s, i, &p);
	rc = load_part(section, &p, reterr);
	/* Now it knows its id. */
	irqchip_part(s, i, &p);
	if (!rc && p.instance != section->instance)
		return fail(section, reterr, "should be instance %" PRIu32 ", by its initial_id or place", p.instance);
	return rc;
}

static int load_single(const struct vms_node *section, struct irqchip_state *s, struct irqs_error *reterr)
{
	struct irqchip_part p;
	int rc;

	for (unsigned int i = s->nlapics; irqchip_part(s, i, &p); i++) {
		if (strcmp(p.name, section->name) != 0 || p.instance != section->instance)
			continue;
		if (irqchip_part_known(&p))
			return fail(section, reterr, "comes twice");
		rc = load_part(section, &p, reterr);
		if (!rc && !irqchip_part_known(&p))
			return fail(section, reterr, "is empty");
		return rc;
	}
	return fail(section, reterr, "no such chip");
}

/* All sections behind the head; @cpus: how many of them are LAPICs. */
static int load_sections(const struct vms_node *head, unsigned int cpus, struct irqchip_state *s,
			 struct irqs_error *reterr)
{
	unsigned int lapics = 0;
	int rc = 0;

	s->lapics = calloc(cpus + 1, sizeof(*s->lapics));
	if (!s->lapics)
		return irqs_fail_nomem(reterr);
	s->nlapics = cpus;
	for (const struct vms_node *n = head->next; n && !rc; n = n->next) {
		rc = check_section(n, reterr);
		if (rc)
			break;
		if (!strcmp(n->name, "apic"))
			rc = load_lapic(n, s, lapics++, reterr);
		else
			rc = load_single(n, s, reterr);
	}
	return rc;
}

/* Against what the head announces. */
static int count_sections(const struct vms_node *top, const struct snapshot_head *head, struct irqs_error *reterr)
{
	uint32_t cpus = 0, chips = 0;

	for (const struct vms_node *n = top->next; n; n = n->next)
		(*(!strcmp(n->name, "apic") ? &cpus : &chips))++;
	if (cpus != head->cpus)
		return fail(top, reterr, "%" PRIu32 " CPUs are announced, %" PRIu32 " are there", head->cpus, cpus);
	if (chips != head->chips)
		return fail(top, reterr, "%" PRIu32 " chips are announced, %" PRIu32 " are there", head->chips, chips);
	return 0;
}

int snapshot_from_tree(const struct vms_node *machine, struct irqchip_state *ret, struct irqs_error *reterr)
{
	const struct vms_node *top = vms_first_child(machine);
	struct snapshot_head head = { 0 };
	struct visit_tree_in in;
	int rc;

	memset(ret, 0, sizeof(*ret));
	if (!snapshot_is_tree(machine))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "no snapshot: it does not start with "
									       "a section " SNAPSHOT_NAME);
	visit_tree_in_init(&in, top);
	rc = vms_load(&in.v, &snapshot_head_desc, 0, &head, reterr);
	ret->mode = head.mode;
	ret->lines = head.lines;
	ret->routes = head.routes;
	ret->nroutes = head.nroutes;
	if (!rc)
		rc = count_sections(top, &head, reterr);
	if (!rc)
		rc = load_sections(top, head.cpus, ret, reterr);
	if (!rc)
		rc = snapshot_check_ids(ret, IRQS_MALFORMED, reterr);
	if (rc)
		irqchip_deinit(ret);
	return rc;
}

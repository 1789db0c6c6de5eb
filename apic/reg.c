/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/reg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"

/* An element of a row in a section. */
struct place {
	const struct vms_node *parent;
	const struct vms_node *node; /* NULL: packed in @parent */
	struct vms_ints ints;
	uint32_t element;
};

static uint64_t low_bytes(size_t bytes)
{
	return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << 8 * bytes) - 1;
}

uint64_t reg_mask(const struct reg_row *row)
{
	return low_bytes(row->width);
}

uint64_t reg_get(const struct reg_row *row, const void *state, unsigned int i)
{
	const uint8_t *p = (const uint8_t *)state + row->at + (size_t)i * row->step;
	uint64_t v = 0;

	switch (row->size) {
	case 1:
		v = row->is_signed ? (uint64_t)(int8_t)*p : *p;
		break;
	case 2: {
		uint16_t m;

		memcpy(&m, p, sizeof(m));
		v = row->is_signed ? (uint64_t)(int16_t)m : m;
		break;
	}
	case 4: {
		uint32_t m;

		memcpy(&m, p, sizeof(m));
		v = row->is_signed ? (uint64_t)(int32_t)m : m;
		break;
	}
	case 8:
		memcpy(&v, p, sizeof(v));
		break;
	}
	return v;
}

void reg_set(const struct reg_row *row, void *state, unsigned int i, uint64_t value)
{
	uint8_t *p = (uint8_t *)state + row->at + (size_t)i * row->step;
	uint64_t *known = state;
	unsigned int bit = row->bit + i;

	switch (row->size) {
	case 1:
		*p = (uint8_t)value;
		break;
	case 2: {
		uint16_t m = (uint16_t)value;

		memcpy(p, &m, sizeof(m));
		break;
	}
	case 4: {
		uint32_t m = (uint32_t)value;

		memcpy(p, &m, sizeof(m));
		break;
	}
	case 8:
		memcpy(p, &value, sizeof(value));
		break;
	}
	if (row->size)
		known[bit / 64] |= UINT64_C(1) << bit % 64;
}

bool reg_known(const struct reg_row *row, const void *state, unsigned int i)
{
	const uint64_t *known = state;
	unsigned int bit = row->bit + i;

	return row->size && known[bit / 64] >> bit % 64 & 1;
}

void reg_forget(const struct reg_row *row, void *state, unsigned int i)
{
	uint64_t *known = state;
	unsigned int bit = row->bit + i;

	if (row->size)
		known[bit / 64] &= ~(UINT64_C(1) << bit % 64);
}

static uint64_t field_mask(const struct reg_field *f)
{
	return (f->width >= 64 ? UINT64_MAX : (UINT64_C(1) << f->width) - 1) << f->lsb;
}

uint64_t reg_field_get(const struct reg_field *f, uint64_t value)
{
	return (value & field_mask(f)) >> f->lsb;
}

uint64_t reg_field_set(const struct reg_field *f, uint64_t value, uint64_t field)
{
	return (value & ~field_mask(f)) | (field << f->lsb & field_mask(f));
}

const struct reg_row *reg_find(const struct reg_chip *chip, uint16_t offset, unsigned int *ret_i)
{
	for (unsigned int r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];
		unsigned int d = offset - row->offset;

		if (row->offset == REG_NO_OFFSET || offset < row->offset)
			continue;
		if (d && (row->count < 2 || d % row->stride || d / row->stride >= row->count))
			continue;
		if (ret_i)
			*ret_i = d ? d / row->stride : 0;
		return row;
	}
	return NULL;
}

const struct reg_row *reg_find_name(const struct reg_chip *chip, const char *name)
{
	for (unsigned int r = 0; r < chip->nrows; r++)
		if (!strcmp(chip->rows[r].name, name))
			return &chip->rows[r];
	return NULL;
}

char *reg_path(const struct reg_row *row, unsigned int i, char *buf, size_t size)
{
	const char *sub = row->sub ? row->sub->name : "", *dot = row->sub ? "." : "";

	if (size)
		buf[0] = '\0';
	if (!row->vms)
		return buf;
	if (row->in)
		snprintf(buf, size, "%s%s%s[%u].%s", sub, dot, row->in->name, i, row->vms->name);
	else if (row->vms->count)
		snprintf(buf, size, "%s%s%s[%u]", sub, dot, row->vms->name, row->vms_base + i);
	else
		snprintf(buf, size, "%s%s%s", sub, dot, row->vms->name);
	return buf;
}

void reg_state_reset(const struct reg_chip *chip, void *state, bool known)
{
	memset(state, 0, chip->state_size);
	for (unsigned int r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; i < chip->rows[r].count; i++) {
			reg_set(&chip->rows[r], state, i, chip->rows[r].reset);
			if (!known)
				reg_forget(&chip->rows[r], state, i);
		}
}

static const char *desc_name(const struct vms_node *section)
{
	return section->kind == VMS_SECTION || !section->vmsd ? section->name : section->vmsd;
}

/* Whether a section carries @row; rows of one description stand together, so that @row - 1 often has the answer. */
static bool carries(const struct reg_chip *chip, const struct reg_row *row, const struct vms_node *section, bool before)
{
	if (!row->vms || !row->desc)
		return false;
	if (row > chip->rows && row[-1].vms && row[-1].desc == row->desc)
		return before;
	return !strcmp(row->desc->name, desc_name(section));
}

/* Not by path: two names of one section can read alike ("channels[0].next_transition_time"). */
static bool find_place(const struct reg_row *row, const struct vms_node *section, unsigned int i,
		       struct place *ret)
{
	const struct vms_node *n = section;
	uint32_t first = row->vms->count ? row->vms_base + i : 0;
	char element[64];

	if (row->sub)
		n = vms_subsection(n, row->sub->name);
	if (n && row->in) {
		snprintf(element, sizeof(element), "%s[%u]", row->in->name, i);
		n = vms_lookup(n, element);
	}
	if (!n)
		return false;
	for (struct vms_node *c = vms_child(n, row->vms->name); c; c = vms_next_namesake(c)) {
		uint32_t want = first;

		if (c->kind != VMS_INT)
			continue;
		if (c->index != VMS_NO_INDEX) {
			if (c->index != want)
				continue;
			want = 0;
		}
		if (want >= c->count)
			return false;
		*ret = (struct place){ n, c, { c->data, c->type, c->width, c->count, c->is_signed }, want };
		return true;
	}
	return false;
}

/* As find_place(); @p is the place of the element before, whose array goes on unless it is written in index form. */
static bool next_place(const struct reg_row *row, const struct vms_node *section, unsigned int i, bool has_before,
		       struct place *p)
{
	if (!has_before || row->in || !row->vms->count || p->node->index != VMS_NO_INDEX)
		return find_place(row, section, i, p);
	p->element = row->vms_base + i;
	return p->element < p->ints.count;
}

/* For a message. */
static const struct vms_node *node_of(const struct reg_row *row, const struct place *p)
{
	return p->node ? p->node : vms_child(p->parent, row->vms->name);
}

static int fail_absent(const struct reg_chip *chip, const struct vms_node *section, struct irqs_error *reterr)
{
	char path[160];

	return irqs_fail(reterr, IRQS_MALFORMED, section->offset ? (int64_t)section->offset : IRQS_NO_OFFSET,
			 vms_path(section, path, sizeof(path)), "no field of the %s is in this section",
			 chip->name);
}

/* What a walk does with one element that the section has. */
struct visitor {
	int (*visit)(const struct reg_row *row, const struct place *p, unsigned int i, const struct visitor *v);
	void *state;       /* to be filled; NULL: see values */
	const void *values; /* to be stored */
	bool commit;       /* store for real, not only see whether it fits */
	struct irqs_error *reterr;
};

/* Where the rows of a chip are in all packed sections of one layout, so that a walk need not ask for each again. */
struct layout {
	bool made;
	bool all; /* no other row is in a section of which no field has a node */
	unsigned int nrows;
	struct layout_row {
		const struct reg_row *row;
		uint32_t at; /* in the section's bytes */
		uint32_t first, count;
		struct vms_ints ints;
	} rows[];
};

static void make_layout(struct layout *l, const struct reg_chip *chip, const struct vms_node *section)
{
	bool here = false;

	l->all = true;
	for (unsigned int r = 0; r < chip->nrows; r++) {
		const struct reg_row *row = &chip->rows[r];
		struct layout_row *to = &l->rows[l->nrows];
		uint32_t first;

		here = carries(chip, row, section, here);
		if (!here || row->sub)
			continue;
		if (row->in || (row->count > 1 && !row->vms->count) || !vms_packed_by(section, row->desc)) {
			l->all = false;
			continue;
		}
		if (!vms_row_ints(section, row->desc, row->vms, &to->ints))
			continue;
		first = row->vms->count ? row->vms_base : 0;
		if (first >= to->ints.count)
			continue;
		to->row = row;
		to->at = (uint32_t)(to->ints.data - section->data);
		to->first = first;
		to->count = to->ints.count - first < row->count ? to->ints.count - first : row->count;
		l->nrows++;
	}
	l->made = true;
}

static const struct layout *find_layout(const struct reg_chip *chip, const struct vms_node *section)
{
	struct layout *l =
		vms_layout_note(section, chip, sizeof(*l) + chip->nrows * sizeof(l->rows[0]));

	if (l && !l->made)
		make_layout(l, chip, section);
	return l;
}

static int walk_layout(const struct layout *l, const struct vms_node *section, const struct visitor *v)
{
	int rc = 0;

	for (unsigned int r = 0; r < l->nrows && !rc; r++) {
		const struct layout_row *from = &l->rows[r];
		struct place p = { .parent = section, .ints = from->ints, .element = from->first };

		p.ints.data = section->data + from->at;
		for (unsigned int i = 0; i < from->count && !rc; i++, p.element++)
			rc = v->visit(from->row, &p, i, v);
	}
	return rc;
}

static int walk_nodes(const struct reg_row *row, const struct vms_node *section, const struct visitor *v, unsigned int *found)
{
	struct place p;
	bool has = false;
	int rc = 0;

	for (unsigned int i = 0; i < row->count && !rc; i++) {
		has = next_place(row, section, i, has, &p);
		if (!has)
			continue;
		(*found)++;
		rc = v->visit(row, &p, i, v);
	}
	return rc;
}

/* The one walk over the rows of a chip and the places of their elements in a section. */
static int walk(const struct reg_chip *chip, const struct vms_node *section, const struct visitor *v)
{
	const struct layout *l = find_layout(chip, section);
	unsigned int found = l ? l->nrows : 0, known = 0;
	bool here = false, more = !l || !l->all || vms_first_node(section);
	int rc = l ? walk_layout(l, section, v) : 0;

	for (unsigned int r = 0; more && r < chip->nrows && !rc; r++) {
		const struct reg_row *row = &chip->rows[r];

		here = carries(chip, row, section, here);
		if (l && known < l->nrows && l->rows[known].row == row)
			known++;
		else if (here)
			rc = walk_nodes(row, section, v, &found);
	}
	return rc || found ? rc : fail_absent(chip, section, v->reterr);
}

static uint64_t value_at(const struct place *p)
{
	uint64_t v = get_be(p->ints.data + (size_t)p->element * p->ints.width, p->ints.width);

	return p->ints.is_signed ? (uint64_t)sign_extend(v, p->ints.width) : v;
}

/* The member must give back every bit that the field has. */
static int load_element(const struct reg_row *row, const struct place *p, unsigned int i,
			const struct visitor *visitor)
{
	uint64_t v = value_at(p);
	const struct vms_node *n;
	void *state = visitor->state;
	char path[160];

	if (row->vms_shift) {
		reg_set(row, state, i, (v << row->vms_shift | row->vms_fill) & reg_mask(row));
		return 0;
	}
	reg_set(row, state, i, v);
	if (row->size >= p->ints.width || !((reg_get(row, state, i) ^ v) & low_bytes(p->ints.width)))
		return 0;
	n = node_of(row, p);
	return irqs_fail(visitor->reterr, IRQS_MALFORMED, n && n->offset ? (int64_t)n->offset : IRQS_NO_OFFSET,
			 vms_path(n, path, sizeof(path)), "0x%" PRIx64 " does not fit the register %s", v,
			 row->name);
}

/* The largest state is the LAPIC's; a test ties every chip to this bound. */
#define STATE_MAX 1024

int reg_from_tree(const struct reg_chip *chip, const struct vms_node *section, void *state,
		  struct irqs_error *reterr)
{
	uint64_t copy[STATE_MAX / 8];
	const struct visitor v = { .visit = load_element, .state = copy, .reterr = reterr };
	int rc;

	if (chip->state_size > sizeof(copy))
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "the state of the %s is too large",
				 chip->name);
	memcpy(copy, state, chip->state_size);
	rc = walk(chip, section, &v);
	if (!rc)
		memcpy(state, copy, chip->state_size);
	return rc;
}

static bool fits(uint64_t v, uint32_t width)
{
	uint64_t sign = UINT64_C(1) << (8 * width - 1);

	return width == 8 || v <= low_bytes(width) || v >= -sign;
}

/* The value that the field gets; false when it has no room for it. */
static bool field_value(const struct reg_row *row, const void *state, unsigned int i, const struct place *p,
			uint64_t *ret)
{
	uint64_t v = reg_get(row, state, i), old = value_at(p);
	uint64_t room = reg_mask(row) >> row->vms_shift;

	if (!row->vms_shift) {
		*ret = v;
		return fits(v, p->ints.width);
	}
	*ret = (old & ~room) | (v >> row->vms_shift & room);
	return fits(v >> row->vms_shift & room, p->ints.width);
}

static int store_element(const struct reg_row *row, const struct place *p, unsigned int i,
			 const struct visitor *visitor)
{
	char path[160];
	uint64_t v;

	if (!reg_known(row, visitor->values, i))
		return 0;
	if (!field_value(row, visitor->values, i, p, &v))
		return irqs_fail(visitor->reterr, IRQS_REFUSED, IRQS_NO_OFFSET, vms_path(node_of(row, p), path, sizeof(path)),
				 "%s is 0x%" PRIx64 ": it does not fit into %s", row->name, v, p->ints.type);
	if (visitor->commit)
		vms_ints_set(&p->ints, p->element, v);
	return 0;
}

int reg_to_tree(const struct reg_chip *chip, const void *state, struct vms_node *section,
		struct irqs_error *reterr)
{
	struct visitor v = { .visit = store_element, .values = state, .reterr = reterr };
	int rc = walk(chip, section, &v);

	v.commit = true;
	return rc ? rc : walk(chip, section, &v);
}

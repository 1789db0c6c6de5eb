/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/shape_priv.h"

#include <string.h>

#include "vmstate/children_priv.h"

struct maker {
	struct vms_shapes *shapes;
	struct arena *arena;
};

/* Elements whose number the section says, or that only the device can size, make sections differ. */
static bool has_own_size(const struct vms_field *f)
{
	return f->count_name || f->bind == VMS_POINTERS || f->bind == VMS_TAILQ || f->bind == VMS_LIST ||
	       f->bind == VMS_MAP || (!f->desc && !strcmp(f->type, "string"));
}

static bool make_struct(const struct maker *m, const struct vms_field *f, struct vms_shape_field *ret)
{
	uint32_t version = f->struct_version ? f->struct_version : f->desc->version;

	ret->shape = f->desc->subsections ? NULL : shape_find(m->shapes, m->arena, f->desc, version);
	ret->kind = f->count ? VMS_ARRAY : VMS_STRUCT;
	ret->element_type = shape_struct_type(f);
	ret->type = f->count ? f->type : ret->element_type;
	ret->width = ret->shape ? ret->shape->size : 0;
	return ret->shape != NULL;
}

static bool make_field(const struct maker *m, const struct vms_field *f, struct vms_shape_field *ret)
{
	if (has_own_size(f))
		return false;
	*ret = (struct vms_shape_field){ .name = f->name, .type = f->type, .kind = VMS_INT, .width = f->size, .index = VMS_NO_INDEX };
	ret->hash = children_hash(f->name, strlen(f->name));
	ret->array = f->count != 0;
	ret->count = f->count ? f->count : 1;
	if (f->desc)
		return make_struct(m, f, ret);
	if (!vms_int_type(f->type, &ret->width, &ret->is_signed))
		ret->kind = VMS_BYTES;
	return true;
}

bool shape_add(struct vms_shape *s, struct vms_shape_field *f)
{
	uint64_t size = (uint64_t)f->width * f->count;
	size_t below = f->shape ? (f->shape->nodes + (f->kind == VMS_ARRAY)) * f->count : 0;

	if (size > UINT32_MAX - s->size || below > VMS_MAX_NODES)
		return false;
	f->offset = s->size;
	s->size += (uint32_t)size;
	s->nodes += 1 + below;
	s->nfields++;
	return s->nodes <= VMS_MAX_NODES;
}

static bool make_fields(const struct maker *m, struct vms_shape *s)
{
	const struct vms_desc *d = s->desc;

	s->fields = arena_alloc(m->arena, (d->nfields + 1) * sizeof(s->fields[0]));
	s->rows = arena_alloc(m->arena, (d->nfields + 1) * sizeof(s->rows[0]));
	s->notes = arena_alloc(m->arena, sizeof(struct vms_shape_note *));
	if (!s->fields || !s->rows || !s->notes)
		return false;
	for (uint32_t i = 0; i < d->nfields; i++) {
		struct vms_shape_field *f = &s->fields[s->nfields];

		if (!vms_field_sent(&d->fields[i], NULL, s->version))
			continue;
		if (!make_field(m, &d->fields[i], f) || !shape_add(s, f))
			return false;
		s->rows[i] = s->nfields;
	}
	return s->nfields != 0;
}

/* From the last field to the first, so that each bucket has them in order. */
bool shape_index(struct arena *arena, struct vms_shape *s)
{
	uint32_t size = 4;

	while (size < 2 * s->nfields)
		size *= 2;
	s->buckets = arena_alloc(arena, size * sizeof(s->buckets[0]));
	s->mask = size - 1;
	for (uint32_t i = s->nfields; s->buckets && i--;) {
		uint32_t *bucket = &s->buckets[s->fields[i].hash & s->mask];

		s->fields[i].next = *bucket;
		*bucket = i + 1;
	}
	return s->buckets != NULL;
}

const struct vms_shape *shape_find(struct vms_shapes *shapes, struct arena *arena, const struct vms_desc *d,
				   uint32_t version)
{
	struct maker m = { .shapes = shapes, .arena = arena };
	struct vms_shape **list = &shapes->lists[(uintptr_t)d / sizeof(*d) % SHAPE_LISTS], *s = *list;

	while (s && (s->desc != d || s->version != version))
		s = s->next;
	if (!s) {
		s = arena_alloc(arena, sizeof(*s));
		if (!s)
			return NULL;
		s->desc = d;
		s->vmsd = d->name;
		s->version = version;
		s->fixed = make_fields(&m, s) && shape_index(arena, s);
		s->next = *list;
		*list = s;
	}
	return s->fixed ? s : NULL;
}

const struct vms_shape_field *shape_field(const struct vms_shape *s, const struct vms_shape_field *before, const char *name,
					  size_t len, uint32_t hash)
{
	uint32_t i = before ? before->next : s->buckets[hash & s->mask];

	for (; i; i = s->fields[i - 1].next) {
		const struct vms_shape_field *f = &s->fields[i - 1];

		if (f->hash == hash && !strncmp(f->name, name, len) && !f->name[len])
			return f;
	}
	return NULL;
}

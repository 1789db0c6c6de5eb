/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_tail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"

/* Subsections inside subsections; QEMU has two. */
#define DEPTH_MAX 32

/* Of a device: type, id, length of the name, instance and version; then the footer. */
#define SECTION_HEADER (1u + 4 + 1 + 4 + 4)
#define FOOTER (1u + 4)

/* What ends a section of RAM: a word with this flag, and the footer. */
#define RAM_EOS 0x10u
#define RAM_END (8u + FOOTER)

static bool add(uint64_t *sum, uint64_t more)
{
	return !__builtin_add_overflow(*sum, more, sum);
}

/* An entry's "size" is that of one element, its subsections included. */
static bool add_field(const json_t *field, uint64_t *sum)
{
	const json_t *size = json_object_get(field, "size"), *len = json_object_get(field, "array_len");
	json_int_t bytes = json_integer_value(size), count = len ? json_integer_value(len) : 1;
	uint64_t all;

	return json_is_integer(size) && bytes >= 0 && count >= 0 &&
	       !__builtin_mul_overflow((uint64_t)bytes, (uint64_t)count, &all) && add(sum, all);
}

static bool add_body(const json_t *desc, uint64_t *sum, unsigned int depth)
{
	const json_t *field, *sub;
	size_t i;

	if (depth > DEPTH_MAX)
		return false;
	json_array_foreach(json_object_get(desc, "fields"), i, field)
		if (!add_field(field, sum))
			return false;
	json_array_foreach(json_object_get(desc, "subsections"), i, sub) {
		const char *name = json_string_value(json_object_get(sub, "vmsd_name"));

		if (!name || !add(sum, 1 + 1 + strlen(name) + 4) || !add_body(sub, sum, depth + 1))
			return false;
	}
	return true;
}

/* Payloads by kind, plus 1; 0: not known yet. */
static bool payload_size(struct vmdesc *d, const struct vmdesc_device *device, uint64_t *payloads, uint64_t *ret)
{
	uint64_t *p = &payloads[device->kind], sum = 1;
	const json_t *entry;

	if (!*p) {
		entry = vmdesc_entry(d, device);
		if (!entry || !add_body(entry, &sum, 0))
			return false;
		*p = sum;
	}
	*ret = *p - 1;
	return true;
}

/* The bytes of all sections that were not read yet, and the first of them. */
static bool sum_sections(struct vmdesc *d, uint64_t *payloads, uint64_t *ret, const struct vmdesc_device **ret_first)
{
	*ret = 0;
	*ret_first = NULL;
	for (size_t i = 0; i < d->ndevices; i++) {
		const struct vmdesc_device *device = &d->devices[i];
		uint64_t payload;

		if (device->used)
			continue;
		if (!*ret_first)
			*ret_first = device;
		if (!payload_size(d, device, payloads, &payload) || !add(ret, payload) ||
		    !add(ret, SECTION_HEADER + strlen(device->name) + FOOTER))
			return false;
	}
	return *ret_first != NULL;
}

static bool is_ram_end(const uint8_t *p, uint32_t ram_id)
{
	return get_be(p, 8) == RAM_EOS && p[8] == QEMU_VM_SECTION_FOOTER && get_be(p + 9, 4) == ram_id;
}

static bool is_section(const uint8_t *p, const struct vmdesc_device *device)
{
	size_t len = strlen(device->name);

	return p[0] == QEMU_VM_SECTION_FULL && p[5] == len && !memcmp(p + 6, device->name, len) &&
	       get_be(p + 6 + len, 4) == device->instance;
}

int qemu_tail_find(struct source *src, struct vmdesc *d, uint64_t vmdesc_offset, uint32_t ram_id, uint64_t *ret,
		   struct irqs_error *reterr)
{
	const struct vmdesc_device *first;
	uint64_t *payloads = calloc(d->nkinds + 1, sizeof(*payloads)), bytes, start;
	bool known = payloads && sum_sections(d, payloads, &bytes, &first);
	const uint8_t *p;
	int rc;

	free(payloads);
	/* The end mark lies between. */
	if (!known || vmdesc_offset < 1 + RAM_END || bytes > vmdesc_offset - 1 - RAM_END)
		return -ENOENT;
	start = vmdesc_offset - 1 - bytes;
	rc = source_peek(src, start - RAM_END, RAM_END + SECTION_HEADER + strlen(first->name), &p, reterr);
	if (rc)
		return rc;
	if (!is_ram_end(p, ram_id) || !is_section(p + RAM_END, first))
		return -ENOENT;
	rc = source_peek(src, vmdesc_offset - 1, 1, &p, reterr);
	if (rc)
		return rc;
	*ret = start;
	return *p == QEMU_VM_EOF ? 0 : -ENOENT;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/qemu_device.h"
#include "stream/qemu_read_priv.h"
#include "stream/qemu_tail.h"

#define MAGIC 0x5145564du
#define MAGIC_LIBVIRT 0x4c696276u /* stream/libvirt_image.h */
#define VERSION 3u
#define VERSION_COMPAT 2u

/* The device part of a stream without vmdescription is held whole. */
#define DEVICE_PART_MAX ((uint64_t)64 << 20)

static int read_header(struct qemu_reader *r)
{
	uint64_t magic, version, start = r->pos;
	int rc;

	if (r->s->source.size <= start)
		return qemu_fail(r, start, "not a QEMU stream: the input is empty");
	if ((rc = qemu_take(r, 4, &magic)))
		return rc;
	if (magic == MAGIC_LIBVIRT)
		return qemu_fail(r, start, "a libvirt save image, which is not converted while it comes: put it into a file");
	if (magic != MAGIC)
		return qemu_fail(r, start, "not a QEMU stream: it does not start with \"QEVM\"");
	if ((rc = qemu_take(r, 4, &version)))
		return rc;
	if (version == VERSION_COMPAT)
		return qemu_fail(r, start + 4, "a stream of version 2, from before QEMU 0.11");
	if (version != VERSION)
		return qemu_fail(r, start + 4, "a stream of an unknown version");
	return qemu_add_raw(r, start);
}

/* Name, instance and version behind a section's id. */
static int read_section_name(struct qemu_reader *r, char name[256], uint32_t *instance, uint32_t *version)
{
	uint64_t len, v;
	int rc;

	if ((rc = qemu_take(r, 1, &len)) || (rc = source_read(&r->s->source, r->pos, name, len, r->reterr)))
		return rc;
	name[len] = '\0';
	if (!len || strlen(name) != len)
		return qemu_fail(r, r->pos, "a section without a proper name");
	r->pos += len;
	if ((rc = qemu_take(r, 4, &v)))
		return rc;
	*instance = (uint32_t)v;
	if ((rc = qemu_take(r, 4, &v)))
		return rc;
	*version = (uint32_t)v;
	return 0;
}

static int read_footer(struct qemu_reader *r, uint32_t section_id)
{
	int rc;

	r->walk.pos = r->pos;
	qemu_walk_footer(&r->walk, section_id);
	rc = qemu_walk_section(&r->walk, &r->s->source);
	r->pos = r->walk.pos;
	r->s->has_footers = r->walk.has_footers;
	return rc;
}

/* From behind the first section of RAM to the devices, when the end of the stream says where they begin. */
static int skip_ram(struct qemu_reader *r)
{
	uint64_t start = r->pos, end;
	int rc;

	if (!r->opt->skip_ram || !r->s->has_vmdesc || !r->s->has_footers)
		return 0;
	rc = qemu_tail_find(&r->s->source, &r->vmdesc, r->vmdesc_offset, r->walk.ram_id, &end, r->reterr);
	if (rc || end <= start)
		return rc == -ENOENT ? 0 : rc;
	r->s->ram.skipped = true;
	r->pos = end;
	return qemu_add_ram(r, start);
}

/* A command, or a section of RAM. */
static int read_walked(struct qemu_reader *r, uint64_t type)
{
	uint64_t start = r->pos;
	int rc;

	r->walk.pos = start;
	qemu_walk_begin(&r->walk);
	rc = qemu_walk_section(&r->walk, &r->s->source);
	if (rc)
		return rc;
	r->pos = r->walk.pos;
	r->s->has_footers = r->walk.has_footers;
	rc = type == QEMU_VM_COMMAND ? qemu_add_raw(r, start) : qemu_add_ram(r, start);
	return rc || type != QEMU_VM_SECTION_START ? rc : skip_ram(r);
}

/* Without a vmdescription: everything from here to the end, once. */
static int load_device_part(struct qemu_reader *r, uint64_t start)
{
	uint64_t size = r->s->source.size - start;
	int rc;

	if (r->device_part)
		return 0;
	if (size > DEVICE_PART_MAX)
		return qemu_fail(r, start, "a device part of this size needs a vmdescription");
	r->device_part = malloc(size);
	if (!r->device_part)
		return irqs_fail_nomem(r->reterr);
	rc = source_read(&r->s->source, start, r->device_part, size, r->reterr);
	r->scan = (struct qemu_scan){
		.data = r->device_part,
		.size = size,
		.base = start,
		.has_footers = r->s->has_footers,
		.find_desc = r->opt->find_desc,
	};
	return rc;
}

static int scan_device(struct qemu_reader *r, uint64_t start, struct vms_node *n, uint32_t id)
{
	uint64_t end;
	int rc = load_device_part(r, start);

	if (!rc)
		rc = qemu_scan_payload(&r->scan, &r->s->tree, r->pos - r->scan.base, id, n, &end, r->reterr);
	if (!rc)
		r->pos = r->scan.base + end;
	return rc;
}

static int read_described(struct qemu_reader *r, const json_t *entry, struct vms_node *n)
{
	struct qemu_device_reader d = {
		.tree = &r->s->tree,
		.source = &r->s->source,
		.pos = r->pos,
		.twin = r->twin,
		.find_desc = r->opt->find_desc,
		.layouts = &r->layouts,
		.reterr = r->reterr,
	};
	int rc = qemu_device_read(&d, entry, n);

	r->pos = d.pos;
	return rc;
}

static int read_device(struct qemu_reader *r)
{
	uint64_t start = r->pos++, id;
	struct vms_node *n;
	const struct vmdesc_device *dev;
	const json_t *entry = NULL;
	char name[256];
	uint32_t instance = 0, version = 0;
	int rc = qemu_take(r, 4, &id);

	if (!rc)
		rc = read_section_name(r, name, &instance, &version);
	if (rc)
		return rc;
	n = vms_node_create(&r->s->tree, VMS_SECTION, name, name);
	if (!n)
		return irqs_fail_nomem(r->reterr);
	n->instance = instance;
	n->version = version;
	n->offset = start;
	n->codec = &qemu_from_stream;
	vms_append(r->s->tree.machine, n);
	if (r->have_vmdesc) {
		dev = vmdesc_take(&r->vmdesc, name, instance);
		entry = dev ? vmdesc_entry(&r->vmdesc, dev) : NULL;
		if (!entry && !r->twin) {
			char path[160];

			return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)start, vms_path(n, path, sizeof(path)),
					 "a section that the vmdescription does not have");
		}
		if (!r->twin)
			n->codec = r->vmdesc.text + dev->start;
	}
	rc = entry ? read_described(r, entry, n) : scan_device(r, start, n, (uint32_t)id);
	if (!rc)
		rc = read_footer(r, (uint32_t)id);
	return rc ? rc : qemu_add_node_item(r, start, QEMU_ITEM_DEVICE, n, (uint32_t)id);
}

/* Behind the end mark: the vmdescription, then whatever a tool padded the file with. */
static int read_tail(struct qemu_reader *r)
{
	struct qemu_stream *s = r->s;
	uint64_t start = r->pos;

	if (s->has_vmdesc) {
		struct qemu_item *item;

		if (start != r->vmdesc_offset)
			return qemu_fail(r, start, "bytes between the last section and the vmdescription");
		r->pos = start + VMDESC_HEADER + s->vmdesc_size;
		item = qemu_add_item(r, start);
		if (!item)
			return irqs_fail_nomem(r->reterr);
		item->kind = QEMU_ITEM_VMDESC;
		start = r->pos;
	}
	for (r->pos = start; r->pos < s->source.size; r->pos++) {
		uint64_t byte;
		int rc = qemu_peek(r, r->pos, 1, &byte);

		if (rc)
			return rc;
		if (byte)
			return qemu_fail(r, r->pos, s->has_vmdesc ? "bytes behind the end of the stream" : "bytes behind the end of the stream: a broken vmdescription?");
	}
	return r->pos > start ? qemu_add_raw(r, start) : 0;
}

static int read_sections(struct qemu_reader *r)
{
	for (;;) {
		uint64_t type, start = r->pos;
		int rc = qemu_peek(r, r->pos, 1, &type);

		if (rc)
			return rc;
		switch (type) {
		case QEMU_VM_SECTION_START:
		case QEMU_VM_SECTION_PART:
		case QEMU_VM_SECTION_END:
		case QEMU_VM_COMMAND:
			rc = read_walked(r, type);
			break;
		case QEMU_VM_SECTION_FULL:
			rc = read_device(r);
			break;
		case QEMU_VM_EOF:
			r->pos++;
			rc = qemu_add_raw(r, start);
			return rc ? rc : read_tail(r);
		default:
			return irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)start, NULL,
					 "unknown section type 0x%02" PRIx64, type);
		}
		if (rc)
			return rc;
	}
}

static int compare_ids(const void *a, const void *b)
{
	const struct qemu_item *x = *(const struct qemu_item *const *)a, *y = *(const struct qemu_item *const *)b;

	if (x->section_id != y->section_id)
		return x->section_id < y->section_id ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* QEMU gives every section an id of its own. Two may share name and instance: an isapc has "isa-ide" 0 twice. */
static int check_sections(struct qemu_reader *r)
{
	const struct qemu_item **list = malloc((r->s->nitems + 1) * sizeof(*list)), *twice = NULL;
	char path[160];
	size_t n = 0;
	int rc = 0;

	if (!list)
		return irqs_fail_nomem(r->reterr);
	for (size_t i = 0; i < r->s->nitems; i++)
		if (r->s->items[i].kind == QEMU_ITEM_DEVICE)
			list[n++] = &r->s->items[i];
	qsort(list, n, sizeof(*list), compare_ids);
	for (size_t i = 1; i < n && !twice; i++)
		if (list[i]->section_id == list[i - 1]->section_id)
			twice = list[i];
	if (twice)
		rc = irqs_fail(r->reterr, IRQS_MALFORMED, (int64_t)twice->offset,
			       vms_path(twice->node, path, sizeof(path)), "it has the id of another section");
	free(list);
	return rc;
}

/* The stream's own vmdescription, else the twin's. */
static int load_vmdesc(struct qemu_reader *r)
{
	struct qemu_stream *s = r->s;
	int rc = vmdesc_find(&s->source, &r->vmdesc_offset, &s->vmdesc_size, r->reterr);

	if (rc == -ENOENT) {
		if (!r->opt->twin_vmdesc)
			return 0;
		r->have_vmdesc = r->twin = true;
		return vmdesc_init(&r->vmdesc, r->opt->twin_vmdesc, r->opt->twin_vmdesc_size, IRQS_NO_OFFSET,
				   r->reterr);
	}
	if (rc)
		return rc;
	s->vmdesc = malloc(s->vmdesc_size);
	if (!s->vmdesc)
		return irqs_fail_nomem(r->reterr);
	rc = source_read(&s->source, r->vmdesc_offset + VMDESC_HEADER, s->vmdesc, s->vmdesc_size, r->reterr);
	if (!rc)
		rc = vmdesc_init(&r->vmdesc, s->vmdesc, s->vmdesc_size,
				 (int64_t)(r->vmdesc_offset + VMDESC_HEADER), r->reterr);
	r->have_vmdesc = s->has_vmdesc = !rc;
	return rc;
}

int qemu_read_rest(struct qemu_stream *s, int fd, const struct qemu_read_options *opt, const struct qemu_walk *before,
		   struct irqs_error *reterr)
{
	static const struct qemu_read_options none;
	struct qemu_reader r = { .s = s, .opt = opt ? opt : &none, .reterr = reterr };
	int rc;

	memset(s, 0, sizeof(*s));
	s->source.fd = -1;
	s->start = r.pos = r.opt->start;
	rc = vms_tree_init(&s->tree, reterr);
	if (!rc)
		rc = source_init(&s->source, fd, reterr);
	if (!rc)
		rc = read_header(&r);
	if (!rc)
		rc = load_vmdesc(&r);
	r.walk = (struct qemu_walk){
		.size = s->source.size,
		.ram = &s->ram,
		.know_footers = before && before->know_footers,
		.has_footers = before && before->has_footers,
		.reterr = reterr,
	};
	s->has_footers = r.walk.has_footers;
	if (!rc)
		rc = qemu_read_configuration(&r);
	if (!rc)
		rc = read_sections(&r);
	if (!rc)
		rc = check_sections(&r);
	qemu_layouts_deinit(&r.layouts);
	vmdesc_deinit(&r.vmdesc);
	free(r.device_part);
	if (rc)
		qemu_stream_deinit(s);
	return rc;
}

int qemu_stream_read(struct qemu_stream *s, int fd, const struct qemu_read_options *opt, struct irqs_error *reterr)
{
	return qemu_read_rest(s, fd, opt, NULL, reterr);
}

int qemu_read_head(const void *data, size_t len, struct qemu_ram_mode *ret_mode, size_t *ret_size,
		   struct irqs_error *reterr)
{
	struct qemu_stream s = { 0 };
	struct qemu_reader r = { .s = &s, .reterr = reterr };
	int rc = vms_tree_init(&s.tree, reterr);

	source_init_memory(&s.source, data, len);
	if (!rc)
		rc = read_header(&r);
	if (!rc)
		rc = qemu_read_configuration(&r);
	if (rc == -EBADMSG && s.source.ended)
		rc = -EAGAIN;
	*ret_mode = r.walk.mode;
	*ret_size = r.pos;
	qemu_stream_deinit(&s);
	return rc;
}

void qemu_stream_deinit(struct qemu_stream *s)
{
	free(s->items);
	free(s->vmdesc);
	vms_tree_deinit(&s->tree);
	source_deinit(&s->source);
	memset(s, 0, sizeof(*s));
	s->source.fd = -1;
}

static int take_text(struct source *src, uint64_t offset, size_t size, char **ret, struct irqs_error *reterr)
{
	int rc;

	*ret = malloc(size ? size : 1);
	if (!*ret)
		return irqs_fail_nomem(reterr);
	rc = source_read(src, offset, *ret, size, reterr);
	if (rc) {
		free(*ret);
		*ret = NULL;
	}
	return rc;
}

int qemu_stream_read_vmdesc(int fd, char **ret_text, size_t *ret_size, struct irqs_error *reterr)
{
	struct source src;
	const uint8_t *p;
	uint64_t offset;
	size_t size;
	int rc = source_init(&src, fd, reterr);

	if (rc)
		return rc;
	rc = vmdesc_find(&src, &offset, &size, reterr);
	if (!rc) {
		rc = take_text(&src, offset + VMDESC_HEADER, size, ret_text, reterr);
	} else if (rc == -ENOENT) {
		size = (size_t)src.size;
		rc = source_peek(&src, 0, 1, &p, reterr);
		if (!rc && (*p != '{' || src.size > VMDESC_MAX))
			rc = irqs_fail(reterr, IRQS_MALFORMED, 0, NULL, "no vmdescription in it");
		if (!rc)
			rc = take_text(&src, 0, size, ret_text, reterr);
	}
	if (!rc)
		*ret_size = size;
	source_deinit(&src);
	return rc;
}

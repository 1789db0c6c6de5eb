/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as the native format, as one CBOR section, as a JSON section, and as the data of a device that
 * has every kind of row. What is accepted must come back the same when it is written and read again.
 */
#include "tests/fuzz/seeds.h"

#include <jansson.h>
#include <string.h>
#include <sys/queue.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/native.h"
#include "stream/native_priv.h"
#include "stream/qemu.h"
#include "stream/section_json.h"
#include "stream/visit_json.h"
#include "vmstate/bind.h"
#include "vmstate/diff.h"
#include "vmstate/rows.h"
#include "vmstate/visit_bytes.h"
#include "vmstate/visit_tree.h"

enum { FORMAT,
       SECTION,
       JSON,
       DEVICE,
       MODES };

struct input {
	const uint8_t *data;
	size_t size, pos;
};

static ssize_t take(void *ctx, void *data, size_t len)
{
	struct input *in = ctx;
	size_t n = in->size - in->pos < len ? in->size - in->pos : len;

	if (n)
		memcpy(data, in->data + in->pos, n);
	in->pos += n;
	return (ssize_t)n;
}

static ssize_t give(void *ctx, const void *data, size_t len)
{
	cbor_put_raw(ctx, data, len);
	return (ssize_t)len;
}

static int any_difference(void *ctx, const struct vms_difference *d)
{
	(void)ctx;
	(void)d;
	abort();
}

static int read_format(const uint8_t *data, size_t size, struct vms_tree *t, struct native_header *h)
{
	struct input in = { data, size, 0 };
	struct vms_node *n = NULL;
	struct native_reader r;
	struct irqs_error err = { .status = IRQS_DONE };
	int rc;

	if (vms_tree_init(t, NULL))
		abort();
	rc = native_reader_init(&r, take, &in, &err);
	*h = r.header;
	while (!rc && !(rc = native_read_section(&r, t, &n, &err)) && n)
		;
	native_reader_deinit(&r);
	if (rc && (err.status == IRQS_DONE || err.offset > (int64_t)size))
		abort();
	return rc;
}

/* The CRCs of all records made right, so that what is behind them is reached. */
static void mend(uint8_t *p, size_t size)
{
	for (size_t pos = 4; pos + 11 < size && p[pos] == 0x83;) {
		uint64_t len = get_be(p + pos + 2, 4);

		if (len > size - pos - 11)
			return;
		put_be(p + pos + 7, 4, crc32c(0, p + pos + 11, len));
		pos += 11 + len;
	}
}

static void fuzz_format(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	struct native_header h, again;
	struct native_writer w;
	struct vms_tree t, u;
	struct cbor_out out;
	int rc;

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	mend(copy, size);
	if (!read_format(copy, size, &t, &h)) {
		cbor_out_init(&out);
		rc = native_writer_init(&w, give, &out, &h, NULL);
		for (const struct vms_node *n = vms_first_child(t.machine); n && !rc; n = n->next)
			rc = native_write_section(&w, n, NULL);
		if (rc || native_writer_finish(&w, NULL) || read_format(out.data, out.size, &u, &again) ||
		    again.capabilities != h.capabilities || strcmp(again.machine, h.machine) != 0)
			abort();
		vms_diff(t.machine, u.machine, any_difference, NULL);
		vms_tree_deinit(&u);
		cbor_out_deinit(&out);
	}
	vms_tree_deinit(&t);
	free(copy);
}

static void fuzz_section(const uint8_t *data, size_t size)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct vms_node *n, *m;
	struct cbor_out out;
	struct vms_tree t, u;

	if (vms_tree_init(&t, NULL) || vms_tree_init(&u, NULL))
		abort();
	if (native_get_section(&t, data, size, 0, &n, &err)) {
		if (err.status == IRQS_DONE || err.offset > (int64_t)size)
			abort();
	} else {
		cbor_out_init(&out);
		native_put_section(&out, n);
		if (native_get_section(&u, out.data, out.size, 0, &m, &err))
			abort();
		vms_diff(n, m, any_difference, NULL);
		cbor_out_deinit(&out);
	}
	vms_tree_deinit(&t);
	vms_tree_deinit(&u);
}

static void fuzz_json(const uint8_t *data, size_t size)
{
	json_t *o = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL), *again;
	struct irqs_error err = { .status = IRQS_DONE };
	struct vms_node *n, *m;
	struct vms_tree t, u;

	if (!o)
		return;
	if (vms_tree_init(&t, NULL) || vms_tree_init(&u, NULL))
		abort();
	if (section_from_json(&t, o, &n, &err)) {
		if (err.status == IRQS_DONE)
			abort();
	} else {
		again = section_json(n, true);
		if (!again || section_from_json(&u, again, &m, &err))
			abort();
		vms_diff(n, m, any_difference, NULL);
		json_decref(again);
	}
	json_decref(o);
	vms_tree_deinit(&t);
	vms_tree_deinit(&u);
}

/* ---- a device with every kind of row ---- */

struct item {
	uint16_t id;
	char *name;
	TAILQ_ENTRY(item)
	tail;
	LIST_ENTRY(item)
	list;
};
TAILQ_HEAD(item_queue, item);
LIST_HEAD(item_list, item);

struct device {
	bool on;
	uint8_t n, len, raw[8];
	uint16_t words[4];
	double rate;
	uint64_t bits[2];
	struct {
		uint32_t *values;
		uint32_t count;
	} heap;
	struct item *slots[3], one;
	char text[6], *names[2];
	struct item_queue queue;
	struct item_list list;
	struct vms_map map;
	uint8_t extra;
};

static bool is_on(const void *state, uint32_t version)
{
	return version > 1 && ((const struct device *)state)->on;
}

static bool always(const void *state)
{
	(void)state;
	return true;
}

static const struct vms_field item_rows[] = { VMS_U16(struct item, id), VMS_TEXT_POINTER(struct item, name) };
static const struct vms_desc item_desc = {
	.name = "item",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct item),
	VMS_ROWS(item_rows),
};
static const struct vms_field extra_rows[] = { VMS_U8(struct device, extra) };
static const struct vms_desc extra_desc = {
	.name = "device/x",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct device),
	VMS_ROWS(extra_rows),
	.needed = always,
};
static const struct vms_desc *const device_subs[] = { &extra_desc, NULL };
static const struct vms_field device_rows[] = {
	VMS_BOOL(struct device, on),
	VMS_U8(struct device, n),
	VMS_PARTIAL(struct device, words, 4, n, U16),
	VMS_U8(struct device, len),
	VMS_BUFFER_PARTIAL(struct device, raw, 8, len),
	VMS_F64(struct device, rate, .exists = is_on),
	VMS_BITMAP(struct device, bits, 100, .since = 2),
	VMS_U32(struct device, heap.count),
	VMS_POINTED_PARTIAL(struct device, heap.values, 100, heap.count, U32, .flags = VMS_ALLOC),
	VMS_STRUCT_POINTERS(struct device, slots, 3, struct item, item_desc, .flags = VMS_ALLOC),
	VMS_STRUCT_IN(struct device, one, struct item, item_desc),
	VMS_TEXT(struct device, text, 6),
	VMS_TEXT_POINTERS(struct device, names, 2),
	VMS_TAILQ_OF(struct device, queue, struct item, tail, item_desc),
	VMS_LIST_OF(struct device, list, struct item, list, item_desc),
	VMS_MAP_OF(struct device, map, struct item, item_desc),
};
static const struct vms_desc device_desc = {
	.name = "device",
	.version = 2,
	.minimum_version = 1,
	.state_size = sizeof(struct device),
	VMS_ROWS(device_rows),
	.subsections = device_subs,
};

static void device_init(struct device *d)
{
	memset(d, 0, sizeof(*d));
	TAILQ_INIT(&d->queue);
	vms_map_init(&d->map, sizeof(uint64_t), NULL);
}

static void free_item(void *p)
{
	struct item *i = p;

	if (i)
		free(i->name);
	free(i);
}

static void device_deinit(struct device *d)
{
	struct item *i;

	free(d->heap.values);
	free(d->one.name);
	for (int j = 0; j < 3; j++)
		free_item(d->slots[j]);
	for (int j = 0; j < 2; j++)
		free(d->names[j]);
	while ((i = TAILQ_FIRST(&d->queue))) {
		TAILQ_REMOVE(&d->queue, i, tail);
		free_item(i);
	}
	while ((i = LIST_FIRST(&d->list))) {
		LIST_REMOVE(i, list);
		free_item(i);
	}
	vms_map_clear(&d->map, free_item);
}

/* Loaded from bytes, saved into a tree, loaded from that, saved as bytes: the bytes that it came from. */
static void fuzz_device(const uint8_t *data, size_t size)
{
	uint32_t version = size && data[0] & 1 ? 1 : 2;
	struct irqs_error err = { .status = IRQS_DONE };
	struct visit_bytes_out bytes, first;
	struct visit_bytes_in in;
	struct visit_tree_out out;
	struct visit_tree_in again;
	struct device d, e;
	struct vms_tree t;

	if (!size)
		return;
	device_init(&d);
	device_init(&e);
	visit_bytes_in_init(&in, data + 1, size - 1, version, 0);
	if (vms_load(&in.v, &device_desc, 0, &d, &err)) {
		if (err.status == IRQS_DONE)
			abort();
		device_deinit(&d);
		return;
	}
	if (vms_tree_init(&t, NULL))
		abort();
	visit_tree_out_init(&out, &t, t.machine);
	visit_bytes_out_init(&first);
	visit_bytes_out_init(&bytes);
	if (vms_save(&out.v, &device_desc, 0, &d, &err) || vms_save(&first.v, &device_desc, 0, &d, &err))
		abort();
	visit_tree_in_init(&again, vms_first_child(t.machine));
	if (vms_load(&again.v, &device_desc, 0, &e, &err) || vms_save(&bytes.v, &device_desc, 0, &e, &err))
		abort();
	if (first.size != bytes.size || memcmp(first.data, bytes.data, bytes.size) != 0)
		abort();
	visit_bytes_out_deinit(&first);
	visit_bytes_out_deinit(&bytes);
	vms_tree_deinit(&t);
	device_deinit(&d);
	device_deinit(&e);
}

/* ---- inputs ---- */

static void seed(const char *folder, const char *name, uint8_t mode, const void *data, size_t size)
{
	uint8_t *p = malloc(size + 1);

	if (!p)
		abort();
	p[0] = mode;
	memcpy(p + 1, data, size);
	seed_write(folder, name, p, size + 1);
	free(p);
}

static void seed_sections(const char *folder, const struct vms_node *machine)
{
	struct native_header h = { .capabilities = 5, .machine = "pc" };
	struct native_writer w;
	struct cbor_out all, one;
	unsigned int i = 0;
	char name[24];

	cbor_out_init(&all);
	if (native_writer_init(&w, give, &all, &h, NULL))
		abort();
	for (const struct vms_node *n = vms_first_child(machine); n; n = n->next, i++) {
		json_t *o = section_json(n, true);
		char *text = json_dumps(o, JSON_COMPACT);

		if (!text || native_write_section(&w, n, NULL))
			abort();
		cbor_out_init(&one);
		native_put_section(&one, n);
		snprintf(name, sizeof(name), "section-%u", i);
		seed(folder, name, SECTION, one.data, one.size);
		snprintf(name, sizeof(name), "json-%u", i);
		seed(folder, name, JSON, text, strlen(text));
		cbor_out_deinit(&one);
		free(text);
		json_decref(o);
	}
	if (native_writer_finish(&w, NULL))
		abort();
	seed(folder, "format", FORMAT, all.data, all.size);
	cbor_out_deinit(&all);
}

static void seed_device(const char *folder)
{
	struct item mapped = { .id = 3 }, listed = { .id = 4, .name = "n" };
	struct visit_bytes_out out;
	struct device d;
	uint8_t mode_and_version[512];

	device_init(&d);
	d.on = true;
	d.n = d.len = 2;
	strcpy(d.text, "text");
	TAILQ_INSERT_TAIL(&d.queue, &listed, tail);
	d.slots[1] = &listed;
	if (vms_map_put(&d.map, &(uint64_t){ 7 }, &mapped))
		abort();
	visit_bytes_out_init(&out);
	if (vms_save(&out.v, &device_desc, 0, &d, NULL) || out.size >= sizeof(mode_and_version))
		abort();
	mode_and_version[0] = 0;
	memcpy(mode_and_version + 1, out.data, out.size);
	seed(folder, "device", DEVICE, mode_and_version, out.size + 1);
	visit_bytes_out_deinit(&out);
	vms_map_clear(&d.map, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	struct stream_builder b;
	struct qemu_stream s;

	if (!folder)
		return 0;
	sb_init(&b);
	sb_everything(&b, true, true, 0);
	if (qemu_stream_read(&s, file_of(b.out.data, b.out.size), NULL, NULL))
		abort();
	seed_sections(folder, s.tree.machine);
	qemu_stream_deinit(&s);
	sb_deinit(&b);
	seed_device(folder);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const fuzz[MODES])(const uint8_t *, size_t) = { fuzz_format, fuzz_section, fuzz_json,
								      fuzz_device };

	if (size)
		fuzz[data[0] % MODES](data + 1, size - 1);
	return 0;
}

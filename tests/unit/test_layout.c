/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Layouts told by a vmdescription: packed sections are what their fields, read one by one, are. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/registry.h"
#include "stream/qemu_device.h"
#include "stream/section_json.h"
#include "stream/vmdesc.h"
#include "tests/unit/stream_check.h"

/* -- layouts of their own -- */

static struct vms_tree tree;
static struct irqs_error err;

static void open_tree(void)
{
	cr_assert(!vms_tree_init(&tree, &err));
}

static void close_tree(void)
{
	vms_tree_deinit(&tree);
}

TestSuite(layout, .init = open_tree, .fini = close_tree);

static const struct vms_field pair_rows[] = { { .name = "x", .type = "uint8" }, { .name = "y", .type = "int16" } };
static const struct vms_desc pair = { .name = "pair", .version = 2, .minimum_version = 1, .fields = pair_rows, .nfields = 2 };
static const struct vms_field chip_rows[] = {
	{ .name = "base", .type = "uint32" },
	{ .name = "regs", .type = "uint16", .count = 3 },
	{ .name = "pad", .type = "unused_buffer", .size = 4 },
	{ .name = "pairs", .type = "struct", .count = 2, .desc = &pair },
	{ .name = "temp", .type = "tmp", .desc = &pair, .since = 4 },
};
static const struct vms_desc chip = { .name = "chip", .version = 4, .minimum_version = 1, .fields = chip_rows, .nfields = 5 };

#define NONE VMS_NO_INDEX
#define CHIP_SIZE (4 + 6 + 4 + 6 + 3)

static const struct vms_layout_field pair_fields[] = {
	{ "x", "uint8", 1, 1, NONE, false, NULL },
	{ "y", "int16", 2, 1, NONE, false, NULL },
};

static void chip_like(struct vms_layout_field ret[5])
{
	const struct vms_shape *s = vms_layout(&tree, "pair", 2, pair_fields, 2, NULL);
	const struct vms_layout_field fields[] = {
		{ "base", "uint32", 4, 1, NONE, false, NULL },
		{ "regs", "uint16", 2, 3, NONE, true, NULL },
		{ "pad", "unused_buffer", 4, 1, NONE, false, NULL },
		{ "pairs", "struct", 3, 2, NONE, true, s },
		{ "temp", "tmp", 3, 1, NONE, false, s },
	};

	cr_assert(s);
	cr_assert_eq(vms_layout_size(s), 3);
	memcpy(ret, fields, sizeof(fields));
}

static bool is_own(const struct vms_layout_field *fields, uint32_t n, const char *vmsd, uint32_t version)
{
	const struct vms_shape *s = vms_layout(&tree, vmsd, version, fields, n, &chip);
	struct vms_node *node = vms_node_create(&tree, VMS_SECTION, "chip", "chip");

	cr_assert(s && node && vms_layout_room(&tree, node, s, 100));
	cr_expect_eq(vms_packed(node), vms_layout_size(s));
	return vms_packed_by(node, &chip);
}

Test(layout, what_our_description_says_too_is_that)
{
	struct vms_layout_field fields[5];

	chip_like(fields);
	cr_expect(is_own(fields, 5, "chip", 4));
	cr_expect_not(is_own(fields, 4, "chip", 4), "one is missing");
	cr_expect_not(is_own(fields, 5, "chip", 3), "too many for version 3");
	cr_expect(is_own(fields, 4, "chip", 3));
	cr_expect_not(is_own(fields, 5, "ship", 4), "another name");
	cr_expect_not(is_own(fields, 5, NULL, 4), "no name");
	for (uint32_t i = 0; i < 5; i++) {
		struct vms_layout_field other[5];

		memcpy(other, fields, sizeof(other));
		other[i].name = "other";
		cr_expect_not(is_own(other, 5, "chip", 4), "the name of %u", i);
		other[i].name = fields[i].name;
		other[i].type = "uint64 le";
		cr_expect_not(is_own(other, 5, "chip", 4), "the type of %u", i);
	}
	fields[0].index = 3;
	cr_expect_not(is_own(fields, 5, "chip", 4), "an index");
	fields[0].index = NONE;
	fields[3].shape = vms_layout(&tree, "pair", 1, pair_fields, 2, NULL);
	cr_expect_not(is_own(fields, 5, "chip", 4), "a struct of another version");
}

Test(layout, what_cannot_be_packed_is_refused)
{
	const struct vms_shape *s = vms_layout(&tree, "pair", 2, pair_fields, 2, NULL);
	const struct vms_layout_field bad[] = {
		{ "a", "uint8", 1, 0, NONE, true, NULL },               /* no elements */
		{ "a", "nothing", 0, 4000000000, NONE, true, NULL },    /* no bytes */
		{ "a", "uint8", 1, 2, 0, true, NULL },                  /* an array that is an element */
		{ "a", "struct", 4, 1, NONE, false, s },                /* not the size of its fields */
		{ "a", "uint64", 8, UINT32_MAX / 4, NONE, true, NULL }, /* too large */
		{ "a", "struct", 3, 20000000, NONE, true, s },          /* too many nodes */
	};

	cr_expect_null(vms_layout(&tree, "none", 1, bad, 0, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_null(vms_layout(&tree, "bad", 1, &bad[i], 1, NULL), "%zu", i);
}

Test(layout, elements_with_fields_of_their_own_have_their_index)
{
	const struct vms_shape *s = vms_layout(&tree, "pair", 2, pair_fields, 2, NULL);
	const struct vms_layout_field fields[] = {
		{ "each", "uint8", 1, 1, 0, false, NULL },
		{ "each", "uint8", 1, 1, 1, false, NULL },
		{ "port", "struct", 3, 1, 0, false, s },
		{ "port", "struct", 3, 1, 1, false, s },
	};
	static const uint8_t data[] = { 7, 8, 1, 0, 2, 3, 0xff, 0xfc };
	static const char *const paths[] = { "each[0]", "each[1]", "port[0].x", "port[0].y", "port[1].x", "port[1].y" };
	static const uint64_t values[] = { 7, 8, 1, 2, 3, (uint64_t)-4 };
	static const char *const wrong[] = { "each", "each[2]", "port.x", "port[2].x", "port[1]", "each[1][0]" };
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, "ahci", "ahci");
	uint8_t *room;

	cr_assert(s && n && (s = vms_layout(&tree, "ahci", 1, fields, 4, NULL)));
	room = vms_layout_room(&tree, n, s, 50);
	cr_assert(room && vms_packed(n) == sizeof(data));
	memcpy(room, data, sizeof(data));
	for (int packed = 1; packed >= 0; packed--) {
		for (size_t i = 0; i < 6; i++) {
			cr_expect_eq(vms_get_or(n, paths[i], 99), values[i], "%s", paths[i]);
			cr_expect(vms_get(n, wrong[i], &(uint64_t){ 0 }, NULL), "%s", wrong[i]);
		}
		cr_expect_eq(vms_packed(n) != 0, packed);
		vms_first_child(n);
	}
	cr_expect_eq(vms_lookup(n, "port[1]")->index, 1);
	cr_expect_eq(vms_lookup(n, "port[1]")->offset, 55);
	cr_expect_str_eq(vms_lookup(n, "port[1]")->vmsd, "pair");
}

/* -- streams -- */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

/* Return: leaves. */
static unsigned int expect_same(const struct vms_node *a, const struct vms_node *b)
{
	const struct vms_node *c, *d;
	unsigned int n = 0;
	char path[160];

	vms_path(a, path, sizeof(path));
	cr_expect(a->kind == b->kind && a->array == b->array && a->is_signed == b->is_signed && a->index == b->index &&
			  a->width == b->width && a->count == b->count && a->version == b->version && a->offset == b->offset,
		  "%s", path);
	cr_expect(!strcmp(a->name, b->name) && same_text(a->type, b->type) && same_text(a->vmsd, b->vmsd), "%s", path);
	if (a->kind == VMS_INT || a->kind == VMS_BYTES) {
		cr_expect_eq(memcmp(a->data, b->data, vms_size(a)), 0, "%s", path);
		return 1;
	}
	for (c = vms_first_child(a), d = vms_first_child(b); c && d; c = c->next, d = d->next)
		n += expect_same(c, d);
	cr_expect(!c && !d, "%s has not the same number of children", path);
	return n;
}

/* Every integer by its path, while it is packed. */
static unsigned int expect_paths(const struct vms_node *packed, const struct vms_node *section, const struct vms_node *n)
{
	unsigned int found = 0;
	char path[160], full[180], *p;

	for (const struct vms_node *c = vms_first_child(n); c; c = c->next) {
		if (c->kind != VMS_INT && c->kind != VMS_BYTES) {
			found += expect_paths(packed, section, c);
			continue;
		}
		vms_path(c, path, sizeof(path));
		p = strchr(path + strlen(section->name), ']') + 2;
		for (uint32_t i = 0; c->kind == VMS_INT && i < c->count; i++, found++) {
			snprintf(full, sizeof(full), c->array ? "%s[%" PRIu32 "]" : "%s", p, i);
			cr_expect_eq(vms_get_or(packed, full, 0), vms_get_or(section, full, 1), "%s.%s", section->name, full);
		}
	}
	return found;
}

/* The same section, its fields one by one. */
static struct vms_node *read_again(struct opened *o, struct vmdesc *d, struct vms_tree *t, const struct vms_node *n)
{
	struct qemu_device_reader r = {
		.tree = t,
		.source = &o->s.source,
		.pos = n->offset + 1 + 4 + 1 + strlen(n->name) + 4 + 4,
		.reterr = &o->err,
	};
	const struct vmdesc_device *dev = vmdesc_take(d, n->name, n->instance);
	struct vms_node *copy = vms_node_create(t, VMS_SECTION, n->name, n->type);

	cr_assert(dev && copy);
	copy->instance = n->instance;
	copy->version = n->version;
	copy->offset = n->offset;
	vms_append(t->machine, copy);
	cr_assert(!qemu_device_read(&r, vmdesc_entry(d, dev), copy), "%s", o->err.text);
	cr_expect_not(vms_packed(copy));
	return copy;
}

struct seen {
	unsigned int packed, values, own;
};

static struct seen compare_stream(struct opened *o, const char *name)
{
	struct seen seen = { 0 };
	struct vms_tree again;
	struct vmdesc d;

	cr_assert(!o->rc, "%s: %s", name, o->err.text);
	cr_assert(!vms_tree_init(&again, &o->err));
	cr_assert(!vmdesc_init(&d, o->s.vmdesc, o->s.vmdesc_size, IRQS_NO_OFFSET, &o->err));
	for (const struct vms_node *n = vms_first_child(o->s.tree.machine); n; n = n->next) {
		const struct vms_desc *own = apic_find_desc(n->name);
		uint64_t packed = vms_packed(n);
		struct vms_node *copy;

		if (!strcmp(n->name, "configuration"))
			continue;
		copy = read_again(o, &d, &again, n);
		seen.packed += packed != 0;
		seen.own += own && vms_packed_by(n, own);
		cr_expect_eq(vms_size(n), vms_size(copy), "%s", n->name);
		seen.values += expect_paths(n, copy, copy);
		cr_expect_eq(vms_packed(n), packed, "%s: a value took nodes", n->name);
		expect_same(n, copy);
	}
	vmdesc_deinit(&d);
	vms_tree_deinit(&again);
	return seen;
}

Test(layout, packed_sections_of_real_streams_are_what_their_fields_are)
{
	static const char *const files[] = { "tests/data/isapc-kvm.stream", "tests/data/virtio-blk-tcg.stream" };
	const struct qemu_read_options opt = { .find_desc = apic_find_desc };

	for (size_t i = 0; i < 2; i++) {
		struct opened o = { .fd = open(files[i], O_RDONLY | O_CLOEXEC) };
		struct seen seen;

		cr_assert(o.fd >= 0);
		o.rc = qemu_stream_read(&o.s, o.fd, &opt, &o.err);
		seen = compare_stream(&o, files[i]);
		cr_expect(seen.packed > 15 && seen.values > 500, "%s: %u packed, %u values", files[i], seen.packed, seen.values);
		/* cpu, cpu_common, apic, ioapic, i8259, i8254 and timer at least, whichever the machine has */
		cr_expect_geq(seen.own, 5, "%s", files[i]);
		sc_close(&o);
	}
}

Test(layout, packed_sections_of_every_field_shape_are_what_their_fields_are)
{
	struct stream_builder b;
	struct opened o;
	struct seen seen;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	sc_open(&o, &b, NULL);
	seen = compare_stream(&o, "built");
	cr_expect(seen.packed > 3 && seen.values > 10, "%u packed, %u values", seen.packed, seen.values);
	sc_close(&o);
	sb_deinit(&b);
}

/* CPUs by the hundred have their layout from one entry; what differs is their own. */
Test(layout, sections_of_one_entry_share_their_layout)
{
	struct stream_builder b;
	struct opened o;
	const struct vms_node *n = NULL;
	char key;
	uint32_t *note, seen = 0;

	sb_init(&b);
	sb_prologue(&b);
	for (uint32_t i = 0; i < 40; i++) {
		sb_device(&b, "cpu", i, "cpu", 12);
		sb_int(&b, "env.tsc", "uint64", 8, i);
		sb_struct(&b, "seg", -1, "segment", 1);
		sb_int(&b, "base", "uint64", 8, 1000 + i);
		sb_struct_end(&b);
		if (i % 4 == 1) {
			sb_subsection(&b, "cpu/tsc_khz", 1);
			sb_int(&b, "env.tsc_khz", "int64", 8, 2000000);
			sb_subsection_end(&b);
		}
		sb_device_end(&b);
	}
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	while ((n = vms_next_section(o.s.tree.machine, n, "cpu"))) {
		cr_expect_eq(vms_packed(n), 16);
		cr_expect_eq(vms_get_or(n, "seg.base", 0), 1000 + n->instance);
		cr_expect_eq(vms_get_or(n, "cpu/tsc_khz.env.tsc_khz", 0), n->instance % 4 == 1 ? 2000000 : 0);
		note = vms_layout_note(n, &key, sizeof(*note));
		cr_assert(note);
		if (n->instance > 1) /* one with the subsection, and one without it, came before */
			cr_expect_eq(*note, 1 + (n->instance % 4 == 1));
		*note = 1 + (n->instance % 4 == 1);
		seen++;
	}
	cr_expect_eq(seen, 40);
	sc_close(&o);
	sc_expect_identity(b.out.data, b.out.size, "40 CPUs");
	sb_deinit(&b);
}

/* Bytes of fields stand together, and those of a packed subsection right behind them; its header is between. */
Test(layout, a_packed_subsection_behind_fields_with_nodes_keeps_its_header)
{
	struct stream_builder b;
	struct opened o;
	uint8_t *out;
	size_t size;

	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "cpu", 0, "cpu", 12);
	sb_int(&b, "env.tsc", "uint64", 8, 5);
	sb_subsection(&b, "cpu/tsc_khz", 1);
	sb_int(&b, "env.tsc_khz", "int64", 8, 2000000);
	sb_subsection_end(&b);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	cr_assert(vms_child(vms_find_section(o.s.tree.machine, "cpu", 0), "env.tsc"));
	out = sc_write(&o, &size);
	cr_expect(out && size == b.out.size && !memcmp(out, b.out.data, size));
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

/* -- entries made anew -- */

#define CPUS 120

static void build_cpus(struct stream_builder *b)
{
	static const char *const names[] = { "cpu", "c u", "0000:00:01.0/cpu" };

	sb_init(b);
	sb_prologue(b);
	for (uint32_t i = 0; i < CPUS; i++) {
		sb_device(b, names[i % 3], i, i % 5 == 4 ? NULL : "cpu", 12);
		sb_int(b, "env.tsc", "uint64", 8, i);
		if (i % 3)
			sb_int(b, "env.eip", "uint64", 8, i);
		if (i % 5 != 4) {
			sb_subsection(b, "cpu/tsc_khz", 1);
			sb_int(b, "env.tsc_khz", "int64", 8, 2000000);
			sb_subsection_end(b);
		}
		sb_device_end(b);
	}
	sb_eof(b);
	sb_vmdesc(b);
}

/* One of a few ways, and some sections with nodes for their fields before. */
static void reshape(struct vms_tree *t, struct vms_node *n)
{
	struct vms_node *sub = vms_subsection(n, "cpu/tsc_khz");

	if (n->instance % 7 == 0)
		vms_first_child(n);
	switch (n->instance % 4) {
	case 0:
		if (sub)
			vms_remove(sub);
		break;
	case 1:
		sub = n->vmsd ? vms_add_subsection(t, n, "cpu/new", 1 + n->instance / 4 % 2) : n;
		cr_assert(sub && vms_add_int(t, sub, "x", "uint32", 0));
		break;
	case 2:
		cr_assert(vms_add_int(t, n, "more", n->instance % 16 == 2 ? "uint32" : "int32", 0));
		break;
	default:
		break;
	}
}

Test(layout, reshaped_sections_have_entries_of_their_own)
{
	struct stream_builder b;
	struct opened before, after;
	struct vmdesc d;
	size_t size, i = 0;
	uint8_t *out;

	build_cpus(&b);
	cr_assert(!sc_open(&before, &b, NULL), "%s", before.err.text);
	for (struct vms_node *n = vms_first_child(before.s.tree.machine); n; n = n->next)
		if (strcmp(n->name, "configuration") != 0)
			reshape(&before.s.tree, n);
	out = sc_write(&before, &size);
	cr_assert(out && !sc_open_bytes(&after, out, size, NULL), "%s: %s", after.err.path, after.err.text);
	cr_assert(!vmdesc_init(&d, after.s.vmdesc, after.s.vmdesc_size, IRQS_NO_OFFSET, &err));
	cr_assert_eq(d.ndevices, CPUS);
	for (const struct vms_node *n = vms_first_child(before.s.tree.machine); n; n = n->next) {
		json_t *o = section_json(n, false);
		char *text = json_dumps(o, 0);

		json_decref(o);
		if (n->reshaped)
			cr_expect(d.devices[i].end - d.devices[i].start == strlen(text) &&
					  !memcmp(d.text + d.devices[i].start, text, strlen(text)),
				  "not %s", text);
		i += strcmp(n->name, "configuration") != 0;
		free(text);
	}
	cr_expect_eq(i, CPUS);
	vmdesc_deinit(&d);
	sc_close(&after);
	sc_close(&before);
	free(out);
	sb_deinit(&b);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sections by their vmdescription: every shape of field, and descriptions that do not say the truth. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "stream/section_json.h"
#include "stream/vmdesc.h"
#include "tests/unit/stream_check.h"

static struct stream_builder built;
static struct opened whole;
static struct vms_node *machine;

static void open_everything(void)
{
	sb_init(&built);
	sb_everything(&built, true, true, 0);
	cr_assert(!sc_open(&whole, &built, NULL), "%s", whole.err.text);
	machine = whole.s.tree.machine;
}

static void close_everything(void)
{
	sc_close(&whole);
	sb_deinit(&built);
}

TestSuite(shapes, .init = open_everything, .fini = close_everything);

static void expect_value(const char *path, uint64_t value)
{
	struct irqs_error err = { 0 };
	uint64_t v = 0;

	cr_expect(!vms_get(machine, path, &v, &err), "%s: %s", path, err.text);
	cr_expect(v == value, "%s is 0x%" PRIx64 ", expected 0x%" PRIx64, path, v, value);
}

Test(shapes, integers_have_their_width_and_sign)
{
	expect_value("shapes.flag", 1);
	expect_value("shapes.byte", 0xfe);
	expect_value("shapes.half", 0xfedc);
	expect_value("shapes.word", 0xfedcba98);
	expect_value("shapes.quad", UINT64_C(0xfedcba9876543210));
	expect_value("shapes.sbyte", (uint64_t)-2);
	expect_value("shapes.shalf", (uint64_t)-2);
	expect_value("shapes.sword", (uint64_t)-2);
	expect_value("shapes.squad", (uint64_t)-2);
	expect_value("shapes.when", UINT64_MAX);
	expect_value("shapes.same", 12);
	expect_value("shapes.atmost", 9);
}

Test(shapes, arrays_of_both_forms_are_indexed)
{
	expect_value("shapes.many[0]", 0);
	expect_value("shapes.many[2]", 0x7f);
	expect_value("shapes.many[3]", 0x3210);
	expect_value("shapes.one[0]", UINT64_C(0xfedcba9876543210));
	expect_value("shapes.each[2]", 0x7f);
	cr_expect(!vms_lookup(machine, "shapes.each[3]"));
	cr_expect(vms_lookup(machine, "shapes.many")->array && vms_lookup(machine, "shapes.one")->array);
}

/* As QEMU 10.0 writes the ports of an AHCI controller. */
Test(shapes, the_last_element_that_has_no_index_has_its_place)
{
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "ahci", 0, "ahci", 1);
	for (int i = 0; i < 3; i++) {
		sb_struct(&b, "dev", i < 2 ? i : -1, "ahci port", 1);
		sb_int(&b, "done", "uint8", 1, (uint64_t)i + 5);
		sb_struct_end(&b);
	}
	sb_int(&b, "ports", "uint32", 4, 3);
	sb_int(&b, "dev", "uint32", 4, 9);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	for (uint64_t i = 0; i < 3; i++) {
		char path[32];

		snprintf(path, sizeof(path), "ahci.dev[%d].done", (int)i);
		cr_expect_eq(vms_get_or(o.s.tree.machine, path, 0), i + 5, "%s", path);
	}
	cr_expect_eq(vms_get_or(o.s.tree.machine, "ahci.dev", 0), 9, "no element");
	cr_expect_not(vms_lookup(o.s.tree.machine, "ahci.dev[3]"));
	sc_close(&o);
	sc_expect_identity(b.out.data, b.out.size, "no index");
	sb_deinit(&b);
}

Test(shapes, structs_nest_with_their_subsections)
{
	expect_value("shapes.inner.a", 5);
	expect_value("shapes.inner.tmp.mant", 0x8000);
	expect_value("shapes.inner.tmp.exp", 0x3fff);
	expect_value("shapes.inner.inner/more.b", 6);
	expect_value("shapes.inner.inner/more.inner/more/deep.c", 7);
	expect_value("shapes.shapes/second.y", 2);
	cr_expect(vms_lookup(machine, "shapes.inner.inner/more")->version == 3);
}

Test(shapes, arrays_of_structs_and_their_look_alikes)
{
	expect_value("shapes.channels[0].count", 100);
	expect_value("shapes.channels[2].count", 102);
	expect_value("shapes.channels[1].pair[1]", 0x7f);
	expect_value("shapes.channels[0].irq_disabled", 0x11);
	expect_value("shapes.queue[0].n", 40);
	expect_value("shapes.queue[1].queue/full.by", 2);
}

Test(shapes, what_only_the_device_knows_is_kept_raw)
{
	const struct vms_node *n = vms_lookup(machine, "shapes.list");

	cr_assert(n && n->kind == VMS_BYTES);
	cr_expect(n->width == 2 * 5 + 1);
	n = vms_lookup(machine, "shapes.none");
	cr_assert(n && n->kind == VMS_BYTES && n->width == 1);
	cr_expect(n->data[0] == '0');
	n = vms_lookup(machine, "0000:00:01.0/old.data");
	cr_assert(n);
	cr_expect(!memcmp(n->data, "an old device's bytes", 21));
}

Test(shapes, every_node_knows_where_it_starts)
{
	static const char *const paths[] = { "shapes.word", "shapes.inner.inner/more.b", "shapes.channels[2].count",
					     "cpu[0].cpu/tsc_khz.env.tsc_khz", "shapes.queue[1].n" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct vms_node *n = vms_lookup(machine, paths[i]);

		cr_assert(n, "no %s", paths[i]);
		cr_expect(!memcmp(built.out.data + n->offset, n->data, vms_size(n)), "%s", paths[i]);
	}
}

/* The text of an untouched section, made anew, is the text of the stream. */
Test(shapes, the_vmdescription_can_be_made_from_the_tree)
{
	for (const struct vms_node *n = vms_first_child(machine); n; n = n->next) {
		json_t *o;
		char *text;

		if (!strcmp(n->name, "configuration") || !n->vmsd || strstr(n->name, "shapes"))
			continue; /* the list with repeated keys cannot be */
		o = section_json(n, false);
		cr_assert(o);
		text = json_dumps(o, 0);
		cr_expect(memmem(built.json.data, built.json.size, text, strlen(text)), "not in the stream: %s", text);
		free(text);
		json_decref(o);
	}
}

Test(shapes, the_tree_as_json_has_the_values)
{
	json_t *o = section_json(vms_lookup(machine, "shapes"), true), *f;
	size_t i, seen = 0;

	cr_assert(o);
	json_array_foreach(json_object_get(o, "fields"), i, f) {
		const char *name = json_string_value(json_object_get(f, "name"));

		if (!strcmp(name, "quad"))
			cr_expect_str_eq(json_string_value(json_object_get(f, "value")), "18364758544493064720");
		else if (!strcmp(name, "sword"))
			cr_expect(json_integer_value(json_object_get(f, "value")) == -2);
		else if (!strcmp(name, "many"))
			cr_expect(json_array_size(json_object_get(f, "values")) == 4);
		else if (!strcmp(name, "channels"))
			cr_expect(json_array_size(json_object_get(f, "elements")) == 3);
		else if (!strcmp(name, "gap"))
			cr_expect_str_eq(json_string_value(json_object_get(f, "value")), "c3c3c3c3c3");
		else
			continue;
		seen++;
	}
	cr_expect(seen == 5);
	json_decref(o);
}

/* -- descriptions that lie -- */

/* One section "liar": its data as it is built by @fill. Return: the offset behind its header. */
static size_t begin_liar(struct stream_builder *b)
{
	sb_init(b);
	sb_prologue(b);
	sb_device(b, "liar", 0, "liar", 1);
	return sb_offset(b);
}

static void expect_liar(struct stream_builder *b, size_t offset, const char *text)
{
	sb_device_end(b);
	sb_eof(b);
	sb_vmdesc(b);
	sc_expect_fails(b, -EBADMSG, (int64_t)offset, text);
	sb_deinit(b);
}

Test(lies, a_field_longer_than_its_data_runs_into_the_footer)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_entry(&b, "{\"name\": \"a\", \"type\": \"uint32\", \"size\": 4}");
	sb_be(&b, 2, 0);
	expect_liar(&b, at + 4, "no section footer");
}

Test(lies, a_field_shorter_than_its_data_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_entry(&b, "{\"name\": \"a\", \"type\": \"uint32\", \"size\": 4}");
	sb_be(&b, 8, 0);
	expect_liar(&b, at + 4, "no section footer");
}

Test(lies, a_size_beyond_the_input_takes_no_memory)
{
	struct stream_builder b;
	size_t end;

	begin_liar(&b);
	sb_entry(&b, "{\"name\": \"a\", \"type\": \"buffer\", \"size\": 4294967294}");
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	end = sb_offset(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)end, "4294967294 bytes");
	sb_deinit(&b);
}

Test(lies, impossible_numbers_are_told)
{
	static const char *const entries[] = {
		"{\"name\": \"a\", \"type\": \"buffer\", \"size\": -1}",
		"{\"name\": \"a\", \"type\": \"buffer\", \"size\": 4294967295}",
		"{\"name\": \"a\", \"type\": \"buffer\", \"size\": 1e3}",
		"{\"name\": \"a\", \"type\": \"buffer\", \"size\": \"4\"}",
		"{\"name\": \"a\", \"type\": \"buffer\"}",
		"{\"name\": \"a\", \"size\": 4}",
		"{\"type\": \"uint8\", \"size\": 1}",
		"{\"name\": 5, \"type\": \"uint8\", \"size\": 1}",
		"{\"name\": \"a\", \"type\": \"uint8\", \"size\": 1, \"array_len\": -3}",
		"{\"name\": \"a\", \"type\": \"uint8\", \"size\": 1, \"index\": -3}",
		"5",
		"null",
		"[]",
	};

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct stream_builder b;
		size_t at = begin_liar(&b);

		sb_entry(&b, entries[i]);
		expect_liar(&b, at, "a field without a name, type or size");
	}
}

Test(lies, arrays_without_bytes_are_bounded)
{
	static const char *const entries[] = {
		"{\"name\": \"a\", \"type\": \"struct\", \"array_len\": 4000000000, \"size\": 0, \"struct\": "
		"{\"vmsd_name\": \"x\", \"version\": 1, \"fields\": []}}",
		"{\"name\": \"a\", \"type\": \"nothing\", \"array_len\": 4000000000, \"size\": 0}",
		"{\"name\": \"a\", \"type\": \"uint64\", \"array_len\": 4000000000, \"size\": 4000000000}",
	};

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		struct stream_builder b;
		size_t at = begin_liar(&b);

		sb_entry(&b, entries[i]);
		expect_liar(&b, at, "longer than the input");
	}
}

Test(lies, an_array_of_no_elements_has_no_bytes)
{
	struct stream_builder b;
	struct opened o;

	begin_liar(&b);
	sb_entry(&b, "{\"name\": \"a\", \"type\": \"uint64\", \"array_len\": 0, \"size\": 8}");
	sb_entry(&b, "{\"name\": \"s\", \"type\": \"struct\", \"array_len\": 0, \"size\": 8, \"struct\": "
		     "{\"vmsd_name\": \"x\", \"version\": 1, \"fields\": [{\"name\": \"q\", \"type\": \"uint64\", "
		     "\"size\": 8}]}}");
	sb_int(&b, "b", "uint32", 4, 77);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	cr_assert(!sc_open(&o, &b, NULL), "%s", o.err.text);
	cr_expect(vms_get_or(o.s.tree.machine, "liar.b", 0) == 77);
	cr_expect(vms_get(o.s.tree.machine, "liar.a[0]", &(uint64_t){ 0 }, NULL) == -EBADMSG);
	cr_expect(!vms_lookup(o.s.tree.machine, "liar.s[0]"));
	sc_close(&o);
	sc_expect_identity(b.out.data, b.out.size, "empty arrays");
	sb_deinit(&b);
}

Test(lies, a_struct_of_another_size_than_its_fields_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_entry(&b, "{\"name\": \"s\", \"type\": \"struct\", \"size\": 5, \"struct\": {\"vmsd_name\": \"x\", "
		     "\"version\": 1, \"fields\": [{\"name\": \"q\", \"type\": \"uint32\", \"size\": 4}]}}");
	sb_be(&b, 8, 0);
	expect_liar(&b, at + 4, "size in the vmdescription");
}

Test(lies, too_deep_nesting_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	for (unsigned int i = 0; i < 40; i++)
		sb_struct(&b, "s", -1, "s", 1);
	sb_int(&b, "x", "uint8", 1, 0);
	for (unsigned int i = 0; i < 40; i++)
		sb_struct_end(&b);
	expect_liar(&b, at, "too deep");
}

Test(lies, thirty_levels_are_not_too_deep)
{
	struct stream_builder b;

	begin_liar(&b);
	for (unsigned int i = 0; i < 30; i++)
		sb_struct(&b, "s", -1, "s", 1);
	sb_int(&b, "x", "uint8", 1, 0);
	for (unsigned int i = 0; i < 30; i++)
		sb_struct_end(&b);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	sc_expect_identity(b.out.data, b.out.size, "30 levels");
	sb_deinit(&b);
}

Test(lies, a_subsection_that_is_not_in_the_data_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_int(&b, "a", "uint32", 4, 0);
	sb_subsection(&b, "liar/x", 1);
	sb_subsection_end(&b);
	b.out.data[at + 4] = 0x15;
	expect_liar(&b, at + 4, "is not there");
}

Test(lies, a_subsection_that_is_not_in_the_vmdescription_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_int(&b, "a", "uint32", 4, 0);
	sb_subsection(&b, "liar/x", 1);
	sb_subsection_end(&b);
	b.out.data[at + 4 + 2 + 5] = 'y';
	expect_liar(&b, at + 4 + 2 + 6 + 4, "does not have");
}

Test(lies, a_subsection_of_a_nul_name_is_no_subsection)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_int(&b, "a", "uint32", 4, 0);
	sb_subsection(&b, "liar/x", 1);
	sb_subsection_end(&b);
	b.out.data[at + 4 + 2 + 5] = 0;
	expect_liar(&b, at + 4, "is not there");
}

Test(lies, another_version_than_in_the_header_is_told)
{
	struct stream_builder b;
	size_t at = begin_liar(&b);

	sb_int(&b, "a", "uint32", 4, 0);
	b.out.data[at - 1] = 9;
	expect_liar(&b, at, "version is not that");
}

Test(lies, a_section_without_an_entry_is_told)
{
	struct stream_builder b;
	size_t start;

	sb_init(&b);
	sb_prologue(&b);
	start = sb_offset(&b);
	sb_device(&b, "liar", 0, "liar", 1);
	sb_int(&b, "a", "uint32", 4, 0);
	b.out.data[start + 1 + 4 + 1] = 'L';
	expect_liar(&b, start, "does not have");
}

/* -- the text itself -- */

static int init_text(const char *text, struct irqs_error *err)
{
	struct vmdesc d;
	int rc = vmdesc_init(&d, text, strlen(text), 1000, err);

	if (!rc)
		vmdesc_deinit(&d);
	return rc;
}

Test(text, lists_of_devices_in_any_spelling_are_found)
{
	static const char *const good[] = {
		"{\"devices\":[]}",
		"{ \"devices\" : [ ] , \"page_size\": 4096 }",
		"{\"configuration\": {\"devices\": [1, 2, \"]\"]}, \"page_size\": 4096, \"devices\": []}",
		"{\"a\\\"devices\": 3, \"devices\": [{\"name\": \"x\", \"instance_id\": 4}]}",
		"{\"devices\": [{\"name\": \"a}]\\\"\", \"instance_id\": 0}, {\"name\": \"b\"}]}",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct irqs_error err = { 0 };

		cr_expect(!init_text(good[i], &err), "%s: %s", good[i], err.text);
	}
}

Test(text, broken_ones_are_told_with_their_offset)
{
	static const struct {
		const char *text;
		int64_t offset;
	} bad[] = {
		{ "", 1000 },
		{ "[]", 1000 },
		{ "{}", 1000 },
		{ "{\"devices\"}", 1000 },
		{ "{\"devices\": {}}", 1000 },
		{ "{\"page_size\": 4096}", 1000 },
		{ "{\"page_size\"", 1000 },
		{ "{\"page_size\": \"", 1000 },
		{ "{\"devices\": [5]}", 1013 },
		{ "{\"devices\": [{\"name\": \"x\"", 1013 },
		{ "{\"devices\": [{\"nom\": \"x\"}]}", 1013 },
		{ "{\"devices\": [{\"name\": 3}]}", 1013 },
		{ "{\"devices\": [{\"name\": \"x\"}", 1013 },
		{ "{\"devices\": [{\"name\": \"x\"} ", 1027 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct irqs_error err = { 0 };

		cr_expect(init_text(bad[i].text, &err) == -EBADMSG, "%s", bad[i].text);
		cr_expect(err.offset == bad[i].offset, "%s: byte %" PRId64, bad[i].text, err.offset);
		cr_expect_str_eq(err.path, "vmdescription");
	}
}

/* The input is looked at in pieces of 1 MiB: wherever the header lies between them, it is found. */
Test(text, the_header_is_found_wherever_it_is)
{
	static const size_t around[] = { 0, 1 << 20, 2 << 20 };
	const size_t before = 50;
	uint8_t *file = malloc((2 << 20) + 200);
	struct irqs_error err;

	cr_assert(file);
	for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
		for (size_t size = around[i] > 10 ? around[i] - 10 : 2; size < around[i] + 10; size++) {
			struct source src;
			uint64_t offset = 0;
			size_t found = 0;
			int fd;

			memset(file, 6, before + VMDESC_HEADER); /* what could be headers */
			put_be(file + before + 1, 4, size);
			memset(file + before + VMDESC_HEADER, ' ', size);
			file[before + VMDESC_HEADER] = '{';
			file[before + VMDESC_HEADER + size - 1] = '}';
			fd = sb_bytes_fd(file, before + VMDESC_HEADER + size);
			cr_assert(!source_init(&src, fd, &err));
			cr_expect(!vmdesc_find(&src, &offset, &found, &err), "%zu bytes", size);
			cr_expect(offset == before && found == size, "%zu bytes: %zu at %" PRIu64, size, found, offset);
			source_deinit(&src);
			close(fd);
		}
	free(file);
}

Test(text, each_entry_is_given_out_once)
{
	static const char text[] = "{\"devices\": [{\"name\": \"a\", \"instance_id\": 1}, {\"name\": \"a\", "
				   "\"instance_id\": 0}, {\"name\": \"b\", \"instance_id\": 0}]}";
	const struct vmdesc_device *dev;
	struct irqs_error err;
	struct vmdesc d;

	cr_assert(!vmdesc_init(&d, text, sizeof(text) - 1, IRQS_NO_OFFSET, &err));
	cr_expect(d.ndevices == 3);
	cr_expect(vmdesc_take(&d, "b", 0));
	dev = vmdesc_take(&d, "a", 0);
	cr_expect(dev && !strncmp(text + dev->start, "{\"name\": \"a\", \"instance_id\": 0}", 30));
	cr_expect(!vmdesc_take(&d, "a", 0));
	cr_expect(!vmdesc_take(&d, "c", 0));
	cr_expect(vmdesc_take(&d, "a", 1));
	vmdesc_deinit(&d);
}

/* Two entries are of one kind when they are equal behind name and instance, and then they are parsed once. */
Test(text, entries_that_differ_in_name_and_instance_alone_are_one)
{
	static const struct {
		const char *entry;
		int kind;
	} entries[] = {
		{ "{\"name\": \"a\", \"instance_id\": 0, \"version\": 1, \"fields\": []}", 0 },
		{ "{\"name\": \"b\", \"instance_id\": 17, \"version\": 1, \"fields\": []}", 0 },
		{ "{\"name\": \"b\", \"instance_id\": 18, \"version\": 2, \"fields\": []}", 1 },
		{ "{\"name\": \"a\", \"instance_id\": 1, \"version\": 1, \"fields\": [{}]}", 2 },
		{ "{ \"name\" :\"b\",\"instance_id\":19, \"version\": 2, \"fields\": []}", 1 },
		{ "{\"name\": \"\\u0062\", \"instance_id\": 20, \"version\": 1, \"fields\": []}", 3 },
		{ "{\"instance_id\": 2, \"name\": \"a\", \"version\": 1, \"fields\": []}", 4 },
		{ "{\"name\": \"}\", \"instance_id\": 3, \"version\": 1, \"fields\": []}", 0 },
		{ "{\"name\": \"c\", \"instance_id\": 4294967296, \"version\": 1, \"fields\": []}", 5 },
		{ "{\"name\": \"c\", \"instance_id\": 4, \"version\": 1, \"fields\": [", -1 },
	};
	struct irqs_error err;
	char text[2048] = "{\"devices\": [";
	struct vmdesc d;
	size_t n = sizeof(entries) / sizeof(entries[0]) - 1;

	for (size_t i = 0; i < n; i++) {
		strcat(text, i ? ", " : "");
		strcat(text, entries[i].entry);
	}
	strcat(text, "]}");
	cr_assert(!vmdesc_init(&d, text, strlen(text), IRQS_NO_OFFSET, &err), "%s", err.text);
	cr_assert_eq(d.ndevices, n);
	cr_expect_eq(d.nkinds, 6);
	for (size_t i = 0; i < n; i++) {
		cr_expect_eq((int)d.devices[i].kind, entries[i].kind, "%s", entries[i].entry);
		cr_expect_eq(d.devices[i].end - d.devices[i].start, strlen(entries[i].entry), "%s", entries[i].entry);
		cr_expect(vmdesc_entry(&d, &d.devices[i]));
	}
	cr_expect_eq(vmdesc_entry(&d, &d.devices[0]), vmdesc_entry(&d, &d.devices[1]));
	cr_expect_neq(vmdesc_entry(&d, &d.devices[0]), vmdesc_entry(&d, &d.devices[2]));
	cr_expect_str_eq(d.devices[5].name, "b");
	cr_expect_eq(d.devices[1].instance, 17);
	vmdesc_deinit(&d);
	/* What is equal and goes on further than the text is not. */
	snprintf(text, sizeof(text), "{\"devices\": [%s, %s", entries[0].entry, entries[n].entry);
	cr_expect_eq(vmdesc_init(&d, text, strlen(text), IRQS_NO_OFFSET, &err), -EBADMSG);
}

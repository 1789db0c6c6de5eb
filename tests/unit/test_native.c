/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The native format: byte by byte, there and back, damaged, and written by somebody else. */
#include <cbor.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/format.h"
#include "stream/native.h"
#include "stream/qemu.h"
#include "stream/visit_json.h"
#include "stream/section_json.h"
#include "stream_builder.h"
#include "vmstate/diff.h"

Test(native, crc32c_of_rfc_3720)
{
	static const struct {
		int first, step;
		uint32_t crc;
	} cases[] = {
		{ 0, 0, 0x8a9136aa }, { 0xff, 0, 0x62a8ab43 }, { 0, 1, 0x46dd794e }, { 31, -1, 0x113fdb5c }
	};
	uint8_t data[32];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int j = 0; j < 32; j++)
			data[j] = (uint8_t)(cases[i].first + j * cases[i].step);
		cr_expect_eq(crc32c(0, data, sizeof(data)), cases[i].crc);
		cr_expect_eq(crc32c(crc32c(0, data, 13), data + 13, 19), cases[i].crc);
	}
	cr_expect_eq(crc32c(0, "123456789", 9), 0xe3069283);
	cr_expect_eq(crc32c(0, "", 0), 0);
}

/* ---- memory as a transport: short reads and writes on purpose ---- */

struct memory {
	uint8_t *data;
	size_t size, pos, step;
};

static ssize_t memory_read(void *ctx, void *data, size_t len)
{
	struct memory *m = ctx;
	size_t n = m->size - m->pos < len ? m->size - m->pos : len;

	if (m->step && n > m->step)
		n = m->step;
	memcpy(data, m->data + m->pos, n);
	m->pos += n;
	return (ssize_t)n;
}

static ssize_t memory_write(void *ctx, const void *data, size_t len)
{
	struct memory *m = ctx;
	size_t n = m->step && len > m->step ? m->step : len;

	m->data = realloc(m->data, m->size + n);
	memcpy(m->data + m->size, data, n);
	m->size += n;
	return (ssize_t)n;
}

static int read_all(struct memory *m, struct vms_tree *t, struct native_header *h, struct irqs_error *err)
{
	struct native_reader r;
	struct vms_node *n = NULL;
	int rc;

	m->pos = 0;
	cr_assert_eq(vms_tree_init(t, NULL), 0);
	rc = native_reader_init(&r, memory_read, m, err);
	if (h)
		*h = r.header;
	if (rc)
		return rc;
	while (!(rc = native_read_section(&r, t, &n, err)) && n)
		;
	native_reader_deinit(&r);
	return rc;
}

static void write_all(struct memory *m, const struct vms_node *machine, uint64_t capabilities)
{
	struct native_header h = { .capabilities = capabilities };
	struct native_writer w;

	strcpy(h.machine, machine->name);
	cr_assert_eq(native_writer_init(&w, memory_write, m, &h, NULL), 0);
	for (const struct vms_node *n = vms_first_child(machine); n; n = n->next)
		cr_assert_eq(native_write_section(&w, n, NULL), 0);
	cr_assert_eq(native_writer_finish(&w, NULL), 0);
}

/* The machine of docs/format-native.md. */
static void small_machine(struct vms_tree *t)
{
	struct vms_node *s;

	cr_assert_eq(vms_tree_init(t, NULL), 0);
	t->machine->name = "pc";
	s = vms_node_create(t, VMS_SECTION, "i8259", "kvm-i8259");
	s->instance = 1;
	s->version = 1;
	s->vmsd = "i8259";
	s->path = "/pc/slave";
	vms_append(t->machine, s);
	cr_assert(vms_add_int(t, s, "irr", "uint8", 0));
	vms_last_child(s)->data[0] = 0x40;
	s = vms_add_subsection(t, s, "i8259/ltim", 1);
	cr_assert(vms_add_int(t, s, "ltim", "uint8", 0));
	vms_last_child(s)->data[0] = 1;
}

static const uint8_t small_bytes[] =
	"\xd9\xd9\xf7\x9f"
	"\x83\x1a\0\0\0\x3e\x1a\xf3\x86\x07\x6b"
	"\xa4\x66"
	"format\x6firqshift-native\x67version\x01\x6c"
	"capabilities\x1a\x80\0\0\x05\x67machine\x62pc"
	"\x83\x1a\0\0\0\xc8\x1a\x07\x23\x54\x79"
	"\xa8\x67section\x65i8259\x64path\x69/pc/slave\x64type\x69kvm-i8259\x68instance\x01\x67version\x01"
	"\x64vmsd\x65i8259\x66"
	"fields\x81"
	"\xa4\x64name\x63irr\x64type\x65uint8\x64size\x01\x65value\x18\x40"
	"\x6bsubsections\x81\xa3\x64name\x6ai8259/ltim\x67version\x01\x66"
	"fields\x81"
	"\xa4\x64name\x64ltim\x64type\x65uint8\x64size\x01\x65value\x01"
	"\x83\x1a\0\0\0\x06\x1a\x6c\x74\x7d\x24\xa1\x63"
	"end\x01\xff";

static void print_hex(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%02x%s", p[i], i % 24 == 23 || i + 1 == n ? "\n" : " ");
}

Test(native, a_small_machine_is_these_bytes)
{
	struct memory m = { .step = 7 };
	struct vms_tree t;

	small_machine(&t);
	write_all(&m, t.machine, 0x80000005);
	if (m.size != sizeof(small_bytes) - 1 || memcmp(m.data, small_bytes, m.size) != 0)
		print_hex(m.data, m.size);
	cr_assert_eq(m.size, sizeof(small_bytes) - 1);
	cr_expect_arr_eq(m.data, small_bytes, m.size);
	free(m.data);
	vms_tree_deinit(&t);
}

/* libcbor's own loader knows nothing of this format. */
Test(native, a_generic_cbor_tool_reads_it)
{
	struct cbor_load_result result;
	cbor_item_t *root = cbor_load(small_bytes, sizeof(small_bytes) - 1, &result), *array, *record, *body;

	cr_assert_eq(result.error.code, CBOR_ERR_NONE);
	cr_expect_eq(result.read, sizeof(small_bytes) - 1);
	cr_assert(cbor_isa_tag(root) && cbor_tag_value(root) == 55799);
	array = cbor_tag_item(root);
	cr_assert(cbor_isa_array(array) && cbor_array_is_indefinite(array) && cbor_array_size(array) == 3);
	record = cbor_array_get(array, 1);
	cr_assert(cbor_isa_array(record) && cbor_array_size(record) == 3);
	body = cbor_array_get(record, 2);
	cr_assert(cbor_isa_map(body) && cbor_map_size(body) == 8);
	cr_expect_arr_eq(cbor_string_handle(cbor_map_handle(body)[1].value), "/pc/slave", 9);
	cbor_decref(&body);
	cbor_decref(&record);
	cbor_decref(&array);
	cbor_decref(&root);
}

static int count_difference(void *ctx, const struct vms_difference *d)
{
	cr_log_error("%s", d->path);
	++*(int *)ctx;
	return 0;
}

static int differences(const struct vms_node *a, const struct vms_node *b)
{
	int n = 0;

	vms_diff(a, b, count_difference, &n);
	return n;
}

Test(native, header_path_and_type_come_back)
{
	struct memory m = { .data = (uint8_t *)small_bytes, .size = sizeof(small_bytes) - 1, .step = 1 };
	struct irqs_error err = { .text = "" };
	struct native_header h;
	struct vms_tree t, small;

	cr_assert_eq(read_all(&m, &t, &h, &err), 0, "%s: %s", err.path, err.text);
	cr_expect_eq(h.capabilities, 0x80000005);
	cr_expect_str_eq(h.machine, "pc");
	cr_expect_str_eq(vms_first_child(t.machine)->path, "/pc/slave");
	cr_expect_str_eq(vms_first_child(t.machine)->type, "kvm-i8259");
	cr_expect_eq(m.pos, m.size);
	small_machine(&small);
	cr_expect_eq(differences(t.machine, small.machine), 0);
	vms_tree_deinit(&t);
	vms_tree_deinit(&small);
}

/* Every shape that a QEMU stream can bring, through native and JSON, and back to the same bytes. */
Test(native, every_shape_of_a_stream_goes_through_and_comes_back)
{
	struct memory m = { .step = 0 };
	struct irqs_error err = { .text = "" };
	struct stream_builder b;
	struct qemu_stream s;
	struct vms_tree t, j;
	int fd;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	fd = sb_fd(&b);
	cr_assert_eq(qemu_stream_read(&s, fd, NULL, &err), 0, "%s", err.text);
	write_all(&m, s.tree.machine, 0);
	cr_assert_eq(read_all(&m, &t, NULL, &err), 0, "%s: %s", err.path, err.text);
	cr_expect_eq(differences(s.tree.machine, t.machine), 0);
	cr_assert_eq(vms_tree_init(&j, NULL), 0);
	for (const struct vms_node *n = vms_first_child(s.tree.machine); n; n = n->next) {
		json_t *o = section_json(n, true);
		struct vms_node *copy;

		cr_assert_eq(section_from_json(&j, o, &copy, &err), 0, "%s: %s", err.path, err.text);
		json_decref(o);
		cr_expect_eq(vms_size(copy), vms_size(n));
	}
	cr_expect_eq(differences(s.tree.machine, j.machine), 0);
	free(m.data);
	vms_tree_deinit(&t);
	vms_tree_deinit(&j);
	qemu_stream_deinit(&s);
	sb_deinit(&b);
	close(fd);
}

Test(native, a_file_and_a_pipe)
{
	int fd = memfd_create("native", MFD_CLOEXEC), ends[2];
	struct vms_tree t, small, piped;
	uint64_t capabilities;
	uint8_t behind;

	small_machine(&small);
	cr_assert_eq(native_write_tree(fd, small.machine, 9, NULL), 0);
	cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	cr_assert_eq(native_read_tree(fd, &t, &capabilities, NULL), 0);
	cr_expect_eq(capabilities, 9);
	cr_expect_str_eq(t.machine->name, "pc");
	cr_expect_eq(differences(t.machine, small.machine), 0);
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(native_write_tree(ends[1], small.machine, 9, NULL), 0);
	cr_assert_eq(write(ends[1], "x", 1), 1);
	cr_assert_eq(vms_tree_init(&piped, NULL), 0);
	cr_assert_eq(native_read_tree(ends[0], &piped, NULL, NULL), 0);
	cr_assert_eq(read(ends[0], &behind, 1), 1);
	cr_expect_eq(behind, 'x', "nothing behind the end was taken");
	vms_tree_deinit(&piped);
	vms_tree_deinit(&t);
	vms_tree_deinit(&small);
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

/* ---- damage ---- */

static uint8_t *copy_small(void)
{
	uint8_t *p = malloc(sizeof(small_bytes));

	memcpy(p, small_bytes, sizeof(small_bytes));
	return p;
}

Test(native, every_cut_is_found)
{
	for (size_t len = 0; len < sizeof(small_bytes) - 1; len++) {
		struct memory m = { .data = (uint8_t *)small_bytes, .size = len };
		struct irqs_error err;
		struct vms_tree t;

		cr_expect_eq(read_all(&m, &t, NULL, &err), -EBADMSG, "%zu", len);
		cr_expect_eq(err.offset, (int64_t)len);
		vms_tree_deinit(&t);
	}
}

Test(native, every_flipped_bit_is_found)
{
	for (size_t bit = 0; bit < 8 * (sizeof(small_bytes) - 1); bit++) {
		struct memory m = { .data = copy_small(), .size = sizeof(small_bytes) - 1 };
		struct irqs_error err;
		struct vms_tree t;

		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		cr_expect_lt(read_all(&m, &t, NULL, &err), 0, "byte %zu bit %zu", bit / 8, bit % 8);
		vms_tree_deinit(&t);
		free(m.data);
	}
}

/* Replace text in a record by text of the same length, and let its CRC agree. */
static int read_edited(const char *from, const char *to, struct irqs_error *err)
{
	struct memory m = { .data = copy_small(), .size = sizeof(small_bytes) - 1 };
	uint8_t *at = memmem(m.data, m.size, from, strlen(from));
	struct vms_tree t;
	int rc;

	cr_assert_not_null(at, "%s", from);
	memcpy(at, to, strlen(to));
	for (size_t pos = 4; pos < m.size - 1;) {
		size_t len = (size_t)get_be(m.data + pos + 2, 4);

		put_be(m.data + pos + 7, 4, crc32c(0, m.data + pos + 11, len));
		pos += 11 + len;
	}
	rc = read_all(&m, &t, NULL, err);
	vms_tree_deinit(&t);
	free(m.data);
	return rc;
}

Test(native, what_means_nothing_is_refused)
{
	static const struct {
		const char *from, *to, *text;
		int rc;
	} cases[] = {
		{ "irqshift-native", "irqshift-foreign", "no header of the format irqshift-native",
		  -EBADMSG },
		{ "version\x01\x6c", "version\x02\x6c",
		  "version 2 of the format irqshift-native, 1 is known here", -EOPNOTSUPP },
		{ "\x64path", "\x64pith", "a key that means nothing here", -EBADMSG },
		{ "\x64vmsd\x65i8259", "\x64path\x65i8259", "the same key twice", -EBADMSG },
		{ "\x64path", "\x64vmsd", "the same key twice", -EBADMSG },
		{ "\x65value\x18\x40", "\x65valve\x18\x40", "a key that means nothing here", -EBADMSG },
		{ "\x64size\x01\x65value\x18\x40", "\x64size\x02\x65value\x18\x40",
		  "a value that is not of its type", -EBADMSG },
		{ "\x65value\x01", "\x65value\x20", "a value that its type cannot hold", -EBADMSG },
		{ "\x65value\x01", "\x65value\x40", "a value that is no integer", -EBADMSG },
		{ "\x65uint8\x64size\x01\x65value\x01", "\x65int88\x64size\x01\x65value\x01",
		  "a value that is not of its type", -EBADMSG },
		{ "\x68instance\x01", "\x68instance\x20",
		  "a section without a name, a type, an instance or a version", -EBADMSG },
		{ "\x63"
		  "end\x01",
		  "\x63"
		  "end\x02",
		  "the end does not know of the sections that were there", -EBADMSG },
		{ "\x63"
		  "end\x01",
		  "\x63"
		  "and\x01",
		  "a key that means nothing here", -EBADMSG },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct irqs_error err = { .text = "" };

		cr_expect_eq(read_edited(cases[i].from, cases[i].to, &err), cases[i].rc, "%s", cases[i].to);
		cr_expect_str_eq(err.text, cases[i].text, "%s: %s", cases[i].to, err.text);
	}
}

Test(native, a_length_does_not_decide_what_is_allocated)
{
	static const uint8_t huge[] = "\xd9\xd9\xf7\x9f\x83\x1a\x7f\xff\xff\xff\x1a\0\0\0\0\xa0";
	static const uint8_t large[] = "\xd9\xd9\xf7\x9f\x83\x1a\0\xff\xff\xff\x1a\0\0\0\0\xa0";
	struct memory m = { .data = (uint8_t *)huge, .size = sizeof(huge) - 1 };
	struct irqs_error err;
	struct vms_tree t;

	cr_expect_eq(read_all(&m, &t, NULL, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "a record of 3 items and 2147483647 bytes");
	vms_tree_deinit(&t);
	m = (struct memory){ .data = (uint8_t *)large, .size = sizeof(large) - 1 };
	cr_expect_eq(read_all(&m, &t, NULL, &err), -EBADMSG);
	cr_expect(strstr(err.text, "the input ends here"));
	vms_tree_deinit(&t);
}

/* ---- what a generic tool writes back: other key order, other integer lengths, a definite array ---- */

Test(native, the_same_items_in_another_dress)
{
#define BODY(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}
	static const struct {
		const char *data;
		size_t size;
	} body[] = {
		BODY("\xa4\x67version\x18\x01\x66"
		     "format\x6firqshift-native\x67machine\x62pc"
		     "\x6c"
		     "capabilities\x19\x00\x07"),
		BODY("\xa7\x66"
		     "fields\x80\x67section\x61x\x64path\x61y\x64type\x61x\x67version\x1a\0\0\0\x02"
		     "\x68instance\x00\x6bsubsections\x80"),
		BODY("\xa1\x63"
		     "end\x01"),
	};
	struct memory m = { .step = 0 };
	struct irqs_error err = { .text = "" };
	struct native_header h;
	struct vms_tree t;

	memory_write(&m, "\xd9\xd9\xf7\x83", 4);
	for (int i = 0; i < 3; i++) {
		uint8_t head[] = { 0x83, 0x18, (uint8_t)body[i].size, 0x1a, 0, 0, 0, 0 };

		put_be(head + 4, 4, crc32c(0, body[i].data, body[i].size));
		memory_write(&m, head, sizeof(head));
		memory_write(&m, body[i].data, body[i].size);
	}
	cr_assert_eq(read_all(&m, &t, &h, &err), 0, "%s: %s", err.path, err.text);
	cr_expect(h.capabilities == 7 && vms_first_child(t.machine)->version == 2);
	vms_tree_deinit(&t);
	free(m.data);
}

/* ---- the format belongs to the machine type ---- */

Test(native, the_format_follows_the_machine_type_and_what_was_agreed)
{
	static const struct stream_format_rule rules[] = {
		{ "pc-*-0.1?", 0, STREAM_QEMU },
		{ "pc-*", 4, STREAM_NATIVE },
		{ "virt*", 0, STREAM_NATIVE },
	};

	cr_expect_eq(stream_format_choose(rules, 3, "pc-i440fx-0.14", 4), STREAM_QEMU);
	cr_expect_eq(stream_format_choose(rules, 3, "pc-i440fx-7.2", 6), STREAM_NATIVE);
	cr_expect_eq(stream_format_choose(rules, 3, "pc-i440fx-7.2", 0), STREAM_QEMU,
		     "who says nothing gets the old");
	cr_expect_eq(stream_format_choose(rules, 3, "virt-2.0", 0), STREAM_NATIVE);
	cr_expect_eq(stream_format_choose(rules, 3, "isapc", 4), STREAM_QEMU);
	cr_expect_str_eq(stream_format_name(STREAM_NATIVE), "native");
}

Test(format, the_first_bytes_tell_the_encoding)
{
	static const uint8_t native[] = { 0xd9, 0xd9, 0xf7, 0x9f }, stream[] = { 'Q', 'E', 'V', 'M' }, nul[] = { 0, '{' };

	cr_expect_eq(stream_format_detect(native, 4), STREAM_NATIVE);
	cr_expect_eq(stream_format_detect(native, 2), STREAM_QEMU);
	cr_expect_eq(stream_format_detect((const uint8_t *)" \n\t{", 4), STREAM_JSON);
	cr_expect_eq(stream_format_detect((const uint8_t *)" \n\t{", 3), STREAM_QEMU);
	cr_expect_eq(stream_format_detect((const uint8_t *)"[1]", 3), STREAM_QEMU);
	cr_expect_eq(stream_format_detect(stream, 4), STREAM_QEMU);
	cr_expect_eq(stream_format_detect(nul, 2), STREAM_QEMU);
	cr_expect_eq(stream_format_detect(NULL, 0), STREAM_QEMU);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sections that real QEMU wrote, against the sections that our own descriptions make: the golden stream of
 * tests/data, and the streams of the lab where `tests/lab/run` has left some.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/ioapic.h"
#include "apic/lapic.h"
#include "apic/pic.h"
#include "apic/pit.h"
#include "apic/registry.h"
#include "stream/cbor_priv.h"
#include "stream/native_priv.h"
#include "stream/qemu.h"
#include "stream/section_json.h"
#include "stream/visit_json.h"
#include "vmstate/registry.h"
#include "vmstate/visit_bytes.h"

static struct qemu_stream stream;
static const char *file;
static unsigned int sections;

static int no_fault(void *ctx, enum vms_fault fault, const char *path, const char *text)
{
	(void)ctx;
	cr_expect(false, "fault %d: %s: %s", fault, path, text);
	return 0;
}

Test(bind_qemu, our_own_descriptions_have_no_faults)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++)
		vms_desc_check(c->desc, no_fault, NULL);
}

/* The section's data as it is in the file. */
static uint8_t *original(int fd, const struct vms_node *n, size_t *ret_size)
{
	uint64_t header = 1 + 4 + 1 + strlen(n->name) + 4 + 4;
	uint8_t *p;

	*ret_size = vms_size(n);
	p = malloc(*ret_size);
	cr_assert_eq(pread(fd, p, *ret_size, (off_t)(n->offset + header)), (ssize_t)*ret_size);
	return p;
}

static void expect_bytes(const struct vms_node *n, const uint8_t *want, size_t size, const char *how)
{
	struct visit_bytes_out out;

	visit_bytes_out_init(&out);
	cr_assert_eq(visit_node(&out.v, n, NULL), 0);
	cr_assert_eq(out.size, size, "%s: %s[%u]: %s: %zu bytes, not %zu", file, n->name, n->instance, how,
		     out.size, size);
	for (size_t i = 0; i < size; i++)
		cr_assert_eq(out.data[i], want[i], "%s: %s[%u]: %s: byte %zu is %02x, not %02x", file,
			     n->name, n->instance, how, i, out.data[i], want[i]);
	visit_bytes_out_deinit(&out);
}

static struct vms_node *blank(struct vms_tree *t, const struct vms_node *like)
{
	struct vms_node *n = vms_node_create(t, VMS_SECTION, like->name, like->type);

	n->instance = like->instance;
	n->version = like->version;
	vms_append(t->machine, n);
	return n;
}

/* Bytes to tree to bytes, by our description alone. */
static void check_parse(const struct vms_node *n, const struct vms_desc *d, const uint8_t *want, size_t size)
{
	struct irqs_error err = { .text = "" };
	struct vms_node *copy;
	struct vms_tree t;
	uint64_t used;

	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	copy = blank(&t, n);
	cr_assert_eq(vms_desc_parse(&t, d, copy, want, size, 0, &used, &err), 0, "%s: %s: %s", file, err.path,
		     err.text);
	cr_assert_eq(used, size, "%s: %s: the description is %zu bytes, not %zu", file, n->name, (size_t)used,
		     size);
	expect_bytes(copy, want, size, "parsed");
	vms_tree_deinit(&t);
}

/* An empty section of the description, filled from the chip's state: nothing of QEMU's own tree is in it. */
static void check_state(const struct vms_node *n, const struct vms_desc *d, const uint8_t *want, size_t size)
{
	union {
		struct lapic_state lapic;
		struct ioapic_state ioapic;
		struct pic_state pic;
		struct pit_state pit;
	} s;
	struct irqs_error err = { .text = "" };
	struct vms_node *copy;
	struct vms_tree t;
	int rc = 0;

	memset(&s, 0, sizeof(s));
	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	copy = blank(&t, n);
	cr_assert_eq(vms_desc_instantiate(&t, d, copy), 0);
	for (const struct vms_node *sub = vms_first_child(n); sub; sub = sub->next) {
		for (const struct vms_desc *const *sd = d->subsections;
		     sub->kind == VMS_SUBSECTION && sd && *sd; sd++)
			if (!strcmp((*sd)->name, sub->name))
				cr_assert_eq(vms_desc_instantiate(
						     &t, *sd,
						     vms_add_subsection(&t, copy, sub->name, sub->version)),
					     0);
	}
	if (!strcmp(n->name, "apic"))
		(void)((rc = lapic_from_tree(n, &s.lapic, &err)) ||
		       (rc = lapic_to_tree(&s.lapic, copy, &err)));
	else if (!strcmp(n->name, "ioapic"))
		(void)((rc = ioapic_from_tree(n, &s.ioapic, &err)) ||
		       (rc = ioapic_to_tree(&s.ioapic, copy, &err)));
	else if (!strcmp(n->name, "i8259"))
		(void)((rc = pic_from_tree(n, &s.pic, &err)) || (rc = pic_to_tree(&s.pic, copy, &err)));
	else
		(void)((rc = pit_from_tree(n, &s.pit, &err)) || (rc = pit_to_tree(&s.pit, copy, &err)));
	cr_assert_eq(rc, 0, "%s: %s: %s", file, err.path, err.text);
	expect_bytes(copy, want, size, "from the state");
	vms_tree_deinit(&t);
}

/* Through the encodings that describe themselves. */
static void check_codecs(const struct vms_node *n, const uint8_t *want, size_t size)
{
	struct irqs_error err = { .text = "" };
	struct cbor_out out;
	struct vms_node *copy;
	struct vms_tree t;
	json_t *o = section_json(n, true);

	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	cr_assert_eq(section_from_json(&t, o, &copy, &err), 0, "%s: %s: %s", file, err.path, err.text);
	expect_bytes(copy, want, size, "through JSON");
	json_decref(o);
	cbor_out_init(&out);
	native_put_section(&out, n);
	cr_assert_eq(native_get_section(&t, out.data, out.size, 0, &copy, &err), 0, "%s: %s: %s", file,
		     err.path, err.text);
	expect_bytes(copy, want, size, "through CBOR");
	cbor_out_deinit(&out);
	vms_tree_deinit(&t);
}

static bool is_irqchip(const char *name)
{
	return !strcmp(name, "apic") || !strcmp(name, "ioapic") || !strcmp(name, "i8259") ||
	       !strcmp(name, "i8254");
}

static void check_stream(const char *path)
{
	struct irqs_error err = { .text = "" };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	file = path;
	cr_assert_geq(fd, 0, "%s", path);
	cr_assert_eq(qemu_stream_read(&stream, fd, NULL, &err), 0, "%s: %s: %s", path, err.path, err.text);
	for (const struct vms_node *n = vms_first_child(stream.tree.machine); n; n = n->next) {
		const struct vms_desc *d = apic_find_desc(n->name);
		uint8_t *want;
		size_t size;

		if (!strcmp(n->name, "configuration"))
			continue;
		want = original(fd, n, &size);
		check_codecs(n, want, size);
		if (d)
			check_parse(n, d, want, size);
		if (d && is_irqchip(n->name)) {
			cr_expect(vms_desc_match(d, n), "%s: %s: not what QEMU says of itself", file,
				  n->name);
			check_state(n, d, want, size);
			sections++;
		}
		free(want);
	}
	qemu_stream_deinit(&stream);
	close(fd);
}

static void check_all(const char *pattern, const char *missing)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found)) {
		cr_skip_test("%s", missing);
		return;
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		check_stream(found.gl_pathv[i]);
	globfree(&found);
	cr_expect_gt(sections, 0);
	fprintf(stderr, "%s: %u sections of interrupt controllers\n", pattern, sections);
}

Test(bind_qemu, the_golden_stream_is_what_our_descriptions_write)
{
	check_all("tests/data/*.stream", "not in the top folder of the sources");
}

Test(bind_qemu, the_streams_of_the_lab_are_what_our_descriptions_write)
{
	const char *o = getenv("O");
	char pattern[4096];

	snprintf(pattern, sizeof(pattern), "%s/lab/streams/*.stream", o ? o : "build");
	check_all(pattern, "no streams of the lab: make check-lab makes some");
}

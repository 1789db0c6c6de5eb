/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trees as JSON and back, and what such a text may not hold. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/snapshot.h"
#include "random_irqchip.h"
#include "stream/native.h"
#include "stream/qemu.h"
#include "stream/tree_json.h"
#include "stream_builder.h"
#include "text_fd.h"
#include "vmstate/diff.h"

static int tell(void *ctx, const struct vms_difference *d)
{
	(void)ctx;
	fprintf(stderr, "%s differs\n", d->path);
	return 1;
}

/* vms_diff() does not look at types. */
static void expect_types_equal(const struct vms_node *a, const struct vms_node *b)
{
	cr_assert(a->kind == b->kind && a->array == b->array && a->is_signed == b->is_signed, "%s", a->name);
	if (a->kind != VMS_SUBSECTION && a->kind != VMS_MACHINE)
		cr_expect_str_eq(a->type, b->type, "%s", a->name);
	a = vms_first_child(a);
	b = vms_first_child(b);
	for (; a && b; a = a->next, b = b->next)
		expect_types_equal(a, b);
	cr_expect(!a && !b);
}

static void load_text(const char *text, struct vms_tree *t)
{
	struct irqs_error err = { 0 };
	int fd = text_fd(text);

	cr_assert(!vms_tree_init(t, NULL));
	cr_assert(!tree_json_load(fd, t, &err), "%s: %s", err.path, err.text);
	close(fd);
}

static void through_json(const struct vms_node *machine)
{
	char *text = tree_json(machine), *again;
	struct vms_tree back;

	cr_assert(text != NULL);
	load_text(text, &back);
	cr_expect_str_eq(back.machine->name, machine->name);
	cr_expect(!vms_diff(machine, back.machine, tell, NULL));
	expect_types_equal(machine, back.machine);
	again = tree_json(back.machine);
	cr_expect(again && !strcmp(text, again), "the second text is not the first");
	free(again);
	free(text);
	vms_tree_deinit(&back);
}

Test(tree_json, every_shape_of_field_comes_back)
{
	struct stream_builder b;
	struct qemu_stream s;
	struct irqs_error err;
	int fd;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	fd = sb_fd(&b);
	cr_assert(!qemu_stream_read(&s, fd, NULL, &err), "%s", err.text);
	through_json(s.tree.machine);
	qemu_stream_deinit(&s);
	close(fd);
	sb_deinit(&b);
}

static void through_native(const struct vms_node *machine, struct vms_tree *ret)
{
	struct irqs_error err = { 0 };
	FILE *f = tmpfile();

	cr_assert(f != NULL);
	cr_assert(!vms_tree_init(ret, NULL));
	cr_assert(!native_write_tree(fileno(f), machine, 0, &err), "%s", err.text);
	cr_assert_eq(lseek(fileno(f), 0, SEEK_SET), 0);
	cr_assert(!native_read_tree(fileno(f), ret, NULL, &err), "%s", err.text);
	fclose(f);
}

Test(tree_json, a_snapshot_is_the_same_in_both_encodings)
{
	uint64_t seed = random_seed();

	for (unsigned int i = 0; i < 60; i++) {
		struct irqchip_state s, back;
		struct irqs_error err = { 0 };
		struct vms_tree t, native;

		random_irqchip(&seed, i % 9, &s);
		cr_assert(!vms_tree_init(&t, NULL));
		cr_assert(!snapshot_to_tree(&s, &t, &err), "%s", err.text);
		through_json(t.machine);
		through_native(t.machine, &native);
		cr_expect(!vms_diff(t.machine, native.machine, tell, NULL));
		through_json(native.machine);
		cr_assert(!snapshot_from_tree(native.machine, &back, &err), "%s: %s", err.path, err.text);
		expect_irqchips_equal(&s, &back);
		irqchip_deinit(&back);
		irqchip_deinit(&s);
		vms_tree_deinit(&native);
		vms_tree_deinit(&t);
	}
}

/* One section `d` whose fields are @fields. */
static void refuse(const char *fields, const char *path, const char *words)
{
	struct irqs_error err = { 0 };
	struct vms_tree t;
	char text[1024];
	int fd;

	snprintf(text, sizeof(text),
		 "{\"format\":\"irqshift-tree\",\"version\":1,\"machine\":\"\",\"devices\":[{\"name\":\"d\","
		 "\"instance_id\":0,\"type\":\"d\",\"vmsd_name\":\"d\",\"version\":1,\"fields\":[%s]}]}",
		 fields);
	fd = text_fd(text);
	cr_assert(!vms_tree_init(&t, NULL));
	cr_expect_eq(tree_json_load(fd, &t, &err), -EBADMSG, "%s was taken", fields);
	cr_expect_eq(err.status, IRQS_MALFORMED);
	cr_expect_str_eq(err.path, path, "%s: '%s'", fields, err.path);
	cr_expect(strstr(err.text, words), "%s: '%s' does not say '%s'", fields, err.text, words);
	vms_tree_deinit(&t);
	close(fd);
}

Test(tree_json, a_value_outside_its_type_is_refused)
{
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":256}", "d[0].f", "cannot hold");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":-1}", "d[0].f", "cannot hold");
	refuse("{\"name\":\"f\",\"type\":\"int8\",\"size\":1,\"value\":128}", "d[0].f", "cannot hold");
	refuse("{\"name\":\"f\",\"type\":\"int8\",\"size\":1,\"value\":-129}", "d[0].f", "cannot hold");
	refuse("{\"name\":\"f\",\"type\":\"uint64\",\"size\":8,\"value\":\"18446744073709551616\"}", "d[0].f",
	       "no integer");
	refuse("{\"name\":\"f\",\"type\":\"uint64\",\"size\":8,\"value\":\"12\"}", "d[0].f", "no integer");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":1.0}", "d[0].f", "no integer");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":true}", "d[0].f", "no integer");
	refuse("{\"name\":\"f\",\"type\":\"buffer\",\"size\":2,\"value\":\"00ff0\"}", "d[0].f", "hexadecimal");
	refuse("{\"name\":\"f\",\"type\":\"buffer\",\"size\":2,\"value\":\"00fg\"}", "d[0].f", "hexadecimal");
	refuse("{\"name\":\"f\",\"type\":\"buffer\",\"size\":4000000000,\"value\":\"00\"}", "d[0].f", "hexadecimal");
}

Test(tree_json, a_field_that_contradicts_itself_is_refused)
{
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1}", "d[0].f", "goes with arrays");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"value\":1}", "d[0].f", "no number");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":1,\"values\":[1],\"array_len\":1}", "d[0].f",
	       "more than one value");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"values\":[1,2],\"array_len\":3}", "d[0].f",
	       "array_len");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":1,\"array_len\":1}", "d[0].f",
	       "arrays only");
	refuse("{\"name\":\"f\",\"type\":\"struct\",\"size\":0,\"elements\":[],\"array_len\":4000000000}", "d[0].f",
	       "array_len");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"value\":1,\"colour\":2}", "d[0].f", "means nothing");
	refuse("{\"name\":\"f\",\"size\":1,\"value\":1}", "d[0]", "\"type\"");
	refuse("{\"name\":\"f\",\"type\":\"struct\",\"struct\":7}", "d[0].f", "");
	refuse("{\"name\":\"f\",\"type\":\"uint8\",\"size\":1,\"values\":5,\"array_len\":0}", "d[0].f", "array_len");
	refuse("{\"name\":\"f\",\"type\":\"struct\",\"size\":1,\"elements\":5,\"array_len\":0}", "d[0].f", "array_len");
	refuse("7", "d[0]", "\"name\"");
}

static int load(const char *text)
{
	struct vms_tree t;
	int fd = text_fd(text), rc;

	cr_assert(!vms_tree_init(&t, NULL));
	rc = tree_json_load(fd, &t, NULL);
	vms_tree_deinit(&t);
	close(fd);
	return rc;
}

Test(tree_json, another_document_is_not_taken_for_one)
{
	cr_expect_eq(load(""), -EBADMSG);
	cr_expect_eq(load("[]"), -EBADMSG);
	cr_expect_eq(load("{}"), -EBADMSG);
	cr_expect_eq(load("{\"format\":\"irqshift-caps\",\"version\":1}"), -EBADMSG);
	cr_expect_eq(load("{\"format\":\"irqshift-tree\",\"version\":2}"), -EOPNOTSUPP);
	cr_expect_eq(load("{\"format\":\"irqshift-tree\",\"version\":1,\"machine\":\"\"}"), -EBADMSG);
	cr_expect_eq(load("{\"format\":\"irqshift-tree\",\"version\":1,\"machine\":\"\",\"devices\":[],\"x\":1}"),
		     -EBADMSG);
	cr_expect_eq(load("{\"format\":\"irqshift-tree\",\"version\":1,\"machine\":\"\",\"devices\":[]} x"), -EBADMSG);
	cr_expect_eq(load("{\"format\":\"irqshift-tree\",\"version\":1,\"machine\":\"\",\"devices\":[]}"), 0);
}

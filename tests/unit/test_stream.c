/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whole streams: what is read is written again, edits change what they say and nothing else, broken ones are told. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/vmdesc.h"
#include "tests/unit/stream_check.h"

static void expect_identity(const struct stream_builder *b, const char *what)
{
	sc_expect_identity(b->out.data, b->out.size, what);
}

/* The bytes after an edit; they must be readable, and reading and writing them again must change nothing. */
static uint8_t *write_and_check(struct opened *o, size_t *ret_len)
{
	uint8_t *data = sc_write(o, ret_len);

	cr_assert(data, "%s", o->err.text);
	sc_expect_identity(data, *ret_len, "the edited stream");
	return data;
}

/* -- identity -- */

Test(stream, every_shape_comes_out_as_it_went_in)
{
	char what[80];

	for (unsigned int i = 0; i < 8; i++) {
		struct stream_builder b;
		bool footers = i & 1, vmdesc = i & 2;
		size_t pad = i & 4 ? 700 : 0;

		if (!vmdesc && !footers)
			continue; /* covered below, with descriptions */
		sb_init(&b);
		sb_everything(&b, footers, vmdesc, pad);
		snprintf(what, sizeof(what), "footers %d, vmdescription %d, padding %zu", footers, vmdesc, pad);
		expect_identity(&b, what);
		sb_deinit(&b);
	}
}

Test(stream, padding_of_any_length_is_kept)
{
	static const size_t pads[] = { 0, 1, 4, 5, 511, 4096, 70000, 1 << 20 };

	for (size_t i = 0; i < sizeof(pads) / sizeof(pads[0]); i++) {
		struct stream_builder b;
		struct opened o;

		sb_init(&b);
		sb_everything(&b, true, true, pads[i]);
		expect_identity(&b, "padded");
		sc_open(&o, &b, NULL);
		cr_expect(!o.rc && o.s.has_vmdesc, "the vmdescription is lost behind %zu zeros", pads[i]);
		sc_close(&o);
		sb_deinit(&b);
	}
}

Test(stream, a_stream_without_configuration_is_read)
{
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_header(&b);
	sb_ram_setup(&b, 4096);
	sb_device(&b, "timer", 0, "timer", 2);
	sb_int(&b, "cpu_clock_offset", "int64", 8, 99);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	expect_identity(&b, "no configuration");
	cr_assert(!sc_open(&o, &b, NULL));
	cr_expect_str_eq(o.s.tree.machine->name, "");
	cr_expect(vms_get_or(o.s.tree.machine, "timer.cpu_clock_offset", 0) == 99);
	sc_close(&o);
	sb_deinit(&b);
}

Test(stream, a_pipe_is_read_like_a_file)
{
	struct stream_builder b;
	struct qemu_stream s;
	struct irqs_error err;
	uint8_t *out;
	size_t len;
	int p[2], fd = sb_bytes_fd("", 0), rc;

	sb_init(&b);
	sb_prologue(&b);
	sb_eof(&b);
	cr_assert(!pipe(p));
	cr_assert(write(p[1], b.out.data, b.out.size) == (ssize_t)b.out.size);
	close(p[1]);
	rc = qemu_stream_read(&s, p[0], NULL, &err);
	cr_assert(!rc, "%s", err.text);
	cr_assert(!qemu_stream_write(&s, fd, &err));
	out = sb_slurp(fd, &len);
	cr_expect(len == b.out.size && !memcmp(out, b.out.data, len));
	free(out);
	qemu_stream_deinit(&s);
	close(p[0]);
	close(fd);
	sb_deinit(&b);
}

Test(stream, output_to_a_pipe_is_the_same)
{
	struct stream_builder b;
	struct opened o;
	uint8_t buf[8192];
	ssize_t n;
	int p[2];

	sb_init(&b);
	sb_prologue(&b);
	sb_eof(&b);
	cr_assert(b.out.size < sizeof(buf));
	cr_assert(!sc_open(&o, &b, NULL));
	cr_assert(!pipe(p));
	cr_assert(!qemu_stream_write(&o.s, p[1], &o.err), "%s", o.err.text);
	n = read(p[0], buf, sizeof(buf));
	cr_expect(n == (ssize_t)b.out.size && !memcmp(buf, b.out.data, b.out.size));
	close(p[0]);
	close(p[1]);
	sc_close(&o);
	sb_deinit(&b);
}

Test(stream, a_full_device_is_told)
{
	struct stream_builder b;
	struct opened o;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert(fd >= 0);
	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	cr_expect(qemu_stream_write(&o.s, fd, &o.err) == -ENOSPC);
	cr_expect(o.err.status == IRQS_SYSTEM);
	close(fd);
	sc_close(&o);
	sb_deinit(&b);
}

Test(stream, the_error_object_may_be_absent)
{
	struct stream_builder b;
	struct qemu_stream s;
	int fd;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	for (size_t len = 0; len < b.out.size; len += 101) {
		fd = sb_bytes_fd(b.out.data, len);
		cr_expect(qemu_stream_read(&s, fd, NULL, NULL) == -EBADMSG, "cut at %zu", len);
		close(fd);
	}
	sb_deinit(&b);
}

/* -- broken streams -- */

static void expect_broken_header(const void *data, size_t len, int64_t offset, const char *text)
{
	struct stream_builder b;

	sb_init(&b);
	sb_put(&b, data, len);
	sc_expect_fails(&b, -EBADMSG, offset, text);
	sb_deinit(&b);
}

Test(broken, what_is_no_stream_is_refused)
{
	expect_broken_header("", 0, 0, "empty");
	expect_broken_header("QE", 2, 2, "ends here");
	expect_broken_header("PNG!\0\0\0\3", 8, 0, "does not start with");
	expect_broken_header("QEVM\0\0\0\2", 8, 4, "version 2");
	expect_broken_header("QEVM\0\0\0\4", 8, 4, "unknown version");
	expect_broken_header("QEVM\0\0\0\3", 8, 8, "ends here");
}

Test(broken, every_cut_of_a_stream_is_told)
{
	struct stream_builder b;
	size_t cases = 0;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	for (size_t len = 0; len < b.out.size; len++, cases++) {
		struct opened o;

		sc_open_bytes(&o, b.out.data, len, NULL);
		/* Behind the end mark only the vmdescription is missing, and QEMU would load that. */
		if (o.rc)
			cr_expect(o.rc == -EBADMSG && o.err.offset >= 0 && o.err.offset <= (int64_t)len,
				  "cut at %zu: %d, byte %" PRId64 ": %s", len, o.rc, o.err.offset, o.err.text);
		else
			cr_expect(len && b.out.data[len - 1] == QEMU_VM_EOF, "cut at %zu was read", len);
		sc_close(&o);
	}
	cr_log_info("%zu cuts", cases);
	sb_deinit(&b);
}

Test(broken, the_footer_of_another_section_is_told)
{
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "timer", 0, "timer", 2);
	sb_int(&b, "ticks", "int64", 8, 1);
	sb_device_end(&b);
	at = sb_offset(&b) - 4;
	sb_eof(&b);
	sb_vmdesc(&b);
	b.out.data[at + 3] ^= 1;
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "footer of another section");
	b.out.data[at - 1] = 0x7d;
	sc_expect_fails(&b, -EBADMSG, (int64_t)at - 1, "no section footer");
	sb_deinit(&b);
}

Test(broken, an_unknown_section_type_is_told)
{
	static const uint8_t types[] = { 0x05, 0x06, 0x07, 0x09, 0x7d, 0x7e, 0xff };

	for (size_t i = 0; i < sizeof(types); i++) {
		struct stream_builder b;
		size_t at;

		sb_init(&b);
		sb_prologue(&b);
		at = sb_offset(&b);
		sb_be(&b, 1, types[i]);
		sc_expect_fails(&b, -EBADMSG, (int64_t)at, "unknown section type");
		sb_deinit(&b);
	}
}

Test(broken, commands_of_postcopy_and_colo_are_refused_by_name)
{
	static const struct {
		uint16_t cmd;
		const char *text;
	} cases[] = {
		{ 4, "postcopy" },
		{ 5, "postcopy" },
		{ 6, "postcopy" },
		{ 7, "postcopy" },
		{ 8, "COLO" },
		{ 9, "postcopy" },
		{ 10, "postcopy" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct stream_builder b;
		size_t at;

		sb_init(&b);
		sb_prologue(&b);
		at = sb_offset(&b);
		sb_command(&b, cases[i].cmd, "\0\0\0\0", 4);
		sb_eof(&b);
		sc_expect_fails(&b, -EOPNOTSUPP, (int64_t)at, cases[i].text);
		sb_deinit(&b);
	}
}

Test(broken, an_unknown_command_is_told)
{
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_prologue(&b);
	at = sb_offset(&b);
	sb_command(&b, 77, NULL, 0);
	sb_eof(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "unknown command 77");
	sb_deinit(&b);
}

Test(broken, iterable_sections_other_than_ram_are_refused_by_name)
{
	static const char *const names[] = { "dirty-bitmap", "block", "0000:00:03.0/vfio", "ramdisk" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct stream_builder b;
		struct opened o;
		size_t at;

		sb_init(&b);
		sb_prologue(&b);
		at = sb_offset(&b);
		sb_be(&b, 1, QEMU_VM_SECTION_START);
		sb_be(&b, 4, 9);
		sb_name(&b, names[i]);
		sb_be(&b, 4, 0);
		sb_be(&b, 4, 1);
		sc_expect_fails(&b, -EOPNOTSUPP, (int64_t)at, "iterable");
		sc_open(&o, &b, NULL);
		cr_expect_str_eq(o.err.path, names[i]);
		sc_close(&o);
		sb_deinit(&b);
	}
}

Test(broken, a_part_of_a_section_that_never_started_is_told)
{
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "pc");
	at = sb_offset(&b);
	sb_ram_part(&b);
	sb_ram_finish(&b);
	sb_eof(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "never started");
	sb_deinit(&b);
}

Test(broken, two_sections_with_one_id_are_told)
{
	struct stream_builder b;
	size_t at = 0;

	sb_init(&b);
	sb_prologue(&b);
	for (unsigned int i = 0; i < 2; i++) {
		at = sb_offset(&b);
		b.next_id = 5;
		sb_device(&b, "apic", i, "apic", 3);
		sb_int(&b, "id", "uint8", 1, i);
		sb_device_end(&b);
	}
	sb_eof(&b);
	sb_vmdesc(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "id of another section");
	sb_deinit(&b);
}

Test(broken, names_with_a_nul_in_them_are_told)
{
	struct stream_builder b;
	size_t at;

	/* The name up to the NUL is one that is known: its length is still not. */
	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "pc");
	at = sb_offset(&b);
	sb_be(&b, 1, QEMU_VM_SUBSECTION);
	sb_be(&b, 1, strlen("configuration/uuid") + 4);
	sb_put(&b, "configuration/uuid\0abc", strlen("configuration/uuid") + 4);
	sb_be(&b, 4, 1);
	sb_put(&b, "0123456789abcdef", 16);
	sb_ram_setup(&b, 4096);
	sb_eof(&b);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "without a proper name");
	sb_deinit(&b);
}

Test(broken, an_impossible_configuration_is_told)
{
	static const char *const none[] = { "x" };
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "");
	sc_expect_fails(&b, -EBADMSG, 9, "impossible length");
	sb_deinit(&b);

	sb_init(&b);
	sb_header(&b);
	sb_be(&b, 1, QEMU_VM_CONFIGURATION);
	sb_be(&b, 4, 0xffffffff);
	sb_pad(&b, 100);
	sc_expect_fails(&b, -EBADMSG, 9, "impossible length");
	sb_deinit(&b);

	sb_init(&b);
	sb_header(&b);
	sb_config(&b, "pc");
	at = sb_offset(&b);
	sb_config_capabilities(&b, 1, none);
	b.out.data[at + 2 + strlen("configuration/capabilities") + 4] = 0x7f;
	sb_pad(&b, 10000);
	sc_expect_fails(&b, -EBADMSG, (int64_t)(at + 2 + strlen("configuration/capabilities") + 4),
			"impossible number");
	sb_deinit(&b);
}

Test(broken, bytes_behind_the_end_are_told)
{
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_prologue(&b);
	sb_eof(&b);
	sb_pad(&b, 9);
	at = sb_offset(&b);
	sb_be(&b, 1, 'x');
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "bytes behind the end");
	sb_deinit(&b);
}

/* -- edits -- */

Test(edit, a_changed_value_changes_only_its_bytes)
{
	struct stream_builder b;
	struct opened o;
	uint8_t *out;
	size_t len, changed = 0, at = 0;

	sb_init(&b);
	sb_everything(&b, true, true, 3);
	cr_assert(!sc_open(&o, &b, NULL));
	cr_assert(!vms_set(o.s.tree.machine, "apic[1].irr[3]", 0xdeae, &o.err), "%s", o.err.text);
	out = write_and_check(&o, &len);
	cr_assert(len == b.out.size);
	for (size_t i = 0; i < len; i++) {
		if (out[i] == b.out.data[i])
			continue;
		changed++;
		at = i;
	}
	cr_expect(changed == 1, "%zu bytes changed", changed);
	cr_expect(at == vms_lookup(o.s.tree.machine, "apic[1].irr")->offset + 3 * 4 + 3, "byte %zu changed", at);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

/* Ask for the nodes of one parent after the other; what stays packed beside them is written all the same. */
static void expand(struct opened *o, struct vms_node *n, const struct stream_builder *b)
{
	char path[160];
	uint8_t *out;
	size_t len;

	if (n->kind == VMS_INT || n->kind == VMS_BYTES)
		return;
	vms_first_child(n);
	out = sc_write(o, &len);
	cr_assert(out && len == b->out.size && !memcmp(out, b->out.data, len), "%s", vms_path(n, path, sizeof(path)));
	free(out);
	for (struct vms_node *c = vms_first_child(n); c; c = c->next)
		expand(o, c, b);
}

Test(edit, looking_at_nodes_changes_nothing)
{
	struct stream_builder b;
	struct opened o;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	expand(&o, o.s.tree.machine, &b);
	sc_close(&o);
	sb_deinit(&b);
}

/* The stream after an edit, against one that was built without the thing that was removed. */
static void expect_without(const char *path, const char *gone)
{
	struct stream_builder b;
	struct opened o, again;
	struct vms_node *n;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	n = vms_lookup(o.s.tree.machine, path);
	cr_assert(n, "no %s", path);
	vms_remove(n);
	out = write_and_check(&o, &len);
	cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s: %s", path, again.err.text);
	cr_expect(!vms_lookup(again.s.tree.machine, path), "%s is still there", path);
	cr_expect(len < b.out.size);
	if (gone)
		cr_expect(!memmem(out, len, gone, strlen(gone)), "\"%s\" is still in the file", gone);
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, removed_parts_leave_data_and_vmdescription)
{
	expect_without("cpu[0]", "env.tsc_khz");
	expect_without("cpu[0].cpu/tsc_khz", "tsc_khz");
	expect_without("apic[1].apic_sipi", "apic_sipi");
	expect_without("apic[1]", "apic_sipi");
	expect_without("apic[0]", NULL);
	expect_without("shapes", "channels");
	expect_without("shapes.shapes/first", "shapes/first");
	expect_without("shapes.shapes/second", "shapes/second");
	expect_without("shapes.inner.inner/more", "inner/more");
	expect_without("shapes.inner.inner/more.inner/more/deep", "deep");
	expect_without("shapes.queue[1].queue/full", "queue/full");
	expect_without("shapes.queue[1]", "queue/full");
	expect_without("shapes.quad", "\"quad\"");
	expect_without("0000:00:01.0/old", "0000:00:01.0/old");
}

Test(edit, all_other_bytes_stay_when_a_section_goes)
{
	struct stream_builder b;
	struct opened o;
	struct vms_node *cpu;
	uint8_t *out;
	size_t len, start, end, json, json_out;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	cpu = sc_section(&o, "cpu", 0);
	start = cpu->offset;
	end = sc_section(&o, "0000:00:01.0/old", 0)->offset;
	json = sb_find(&b, end, "{\"page_size\"", 12) - VMDESC_HEADER;
	vms_remove(cpu);
	out = write_and_check(&o, &len);
	json_out = json - (end - start);
	cr_expect(!memcmp(out, b.out.data, start));
	cr_expect(!memcmp(out + start, b.out.data + end, json - end));
	/* The vmdescription is the old text without one entry. */
	cr_expect(!memcmp(out + json_out + VMDESC_HEADER, b.out.data + json + VMDESC_HEADER, 400));
	cr_expect(!memcmp(out + len - 1000, b.out.data + b.out.size - 1000, 1000));
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, removing_every_section_leaves_a_stream)
{
	struct stream_builder b;
	struct opened o;
	struct vms_node *n, *next;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	for (n = vms_next_section(o.s.tree.machine, NULL, NULL); n; n = next) {
		next = vms_next_section(o.s.tree.machine, n, NULL);
		if (strcmp(n->name, "configuration") != 0)
			vms_remove(n);
	}
	out = write_and_check(&o, &len);
	cr_expect(memmem(out, len, "\"devices\": []", 13));
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

/* A new section with a subsection, behind @prev. */
static struct vms_node *new_section(struct opened *o, struct vms_node *prev, const char *name)
{
	struct vms_node *n = vms_node_create(&o->s.tree, VMS_SECTION, name, name), *f, *sub;
	char extra[64];

	cr_assert(n);
	snprintf(extra, sizeof(extra), "%s/extra", name);
	n->vmsd = n->name;
	n->version = 4;
	vms_insert_after(prev, n);
	f = vms_add_int(&o->s.tree, n, "clock", "uint64", 0);
	cr_assert(f);
	vms_element_set(f, 0, UINT64_C(0x1122334455667788));
	sub = vms_add_subsection(&o->s.tree, n, extra, 2);
	cr_assert(sub && vms_add_int(&o->s.tree, sub, "flags", "uint8", 3));
	return n;
}

/* A new section behind the section @prev comes back from what is written; @next follows it. */
static void expect_added(const char *prev, const char *next)
{
	struct stream_builder b;
	struct opened o, again;
	struct vms_node *n;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	new_section(&o, vms_lookup(o.s.tree.machine, prev), "kvmclock");
	out = write_and_check(&o, &len);
	cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s", again.err.text);
	n = sc_section(&again, "kvmclock", 0);
	cr_expect(n->version == 4);
	cr_expect(vms_get_or(again.s.tree.machine, "kvmclock.clock", 0) == UINT64_C(0x1122334455667788));
	cr_expect(vms_lookup(again.s.tree.machine, "kvmclock.kvmclock/extra.flags"));
	cr_expect_str_eq(n->next ? n->next->name : "", next, "behind %s", prev);
	cr_expect_str_eq(n->prev->name, vms_lookup(o.s.tree.machine, prev)->name);
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, a_new_section_is_written_where_it_stands)
{
	expect_added("apic[1]", "cpu");
	expect_added("shapes", "");
	expect_added("configuration", "apic");
}

Test(edit, a_new_section_needs_a_device_section_beside_it)
{
	struct stream_builder b;
	struct opened o;
	size_t len;

	sb_init(&b);
	sb_prologue(&b);
	sb_eof(&b);
	cr_assert(!sc_open(&o, &b, NULL));
	new_section(&o, sc_section(&o, "configuration", 0), "kvmclock");
	cr_expect(!sc_write(&o, &len));
	cr_expect(o.err.status == IRQS_REFUSED);
	cr_expect_str_eq(o.err.path, "kvmclock");
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, several_new_sections_keep_their_order)
{
	struct stream_builder b;
	struct opened o, again;
	struct vms_node *n;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	n = new_section(&o, sc_section(&o, "apic", 0), "first");
	n = new_section(&o, n, "second");
	new_section(&o, sc_section(&o, "shapes", 0), "third");
	vms_remove(sc_section(&o, "apic", 0));
	out = write_and_check(&o, &len);
	cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s", again.err.text);
	n = sc_section(&again, "first", 0);
	cr_expect_str_eq(n->prev->name, "configuration");
	cr_expect_str_eq(n->next->name, "second");
	cr_expect_str_eq(n->next->next->name, "apic");
	cr_expect(n->next->next->instance == 1);
	cr_expect_str_eq(vms_last_child(again.s.tree.machine)->name, "third");
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, a_reshaped_section_is_described_anew)
{
	struct stream_builder b;
	struct opened o, again;
	struct vms_node *m, *sub;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	sub = vms_add_subsection(&o.s.tree, sc_section(&o, "apic", 0), "apic_sipi", 1);
	cr_assert(sub && vms_add_int(&o.s.tree, sub, "sipi_vector", "int32", 0));
	sub = vms_add_subsection(&o.s.tree, vms_lookup(o.s.tree.machine, "shapes.queue[0]"), "queue/new", 1);
	cr_assert(sub && vms_add_int(&o.s.tree, sub, "z", "uint16", 2));
	cr_assert(vms_add_int(&o.s.tree, vms_lookup(o.s.tree.machine, "shapes.inner"), "extra", "uint8", 0));
	out = write_and_check(&o, &len);
	cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s", again.err.text);
	m = again.s.tree.machine;
	cr_expect(vms_lookup(m, "apic[0].apic_sipi.sipi_vector"));
	cr_expect(vms_lookup(m, "shapes.queue[0].queue/new.z"));
	cr_expect(vms_lookup(m, "shapes.inner.extra"));
	cr_expect(vms_lookup(m, "shapes.inner.inner/more.inner/more/deep.c"));
	cr_expect(vms_get_or(m, "shapes.channels[2].count", 0) == 102);
	cr_expect(vms_get_or(m, "shapes.quad", 0) == UINT64_C(0xfedcba9876543210));
	cr_expect(vms_size(vms_lookup(m, "shapes.queue[0]")) == 4 + 2 + strlen("queue/new") + 4 + 4);
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(edit, there_and_back_is_the_identity)
{
	struct stream_builder b;
	struct opened o;
	struct vms_node *sub;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	cr_assert(!sc_open(&o, &b, NULL));
	sub = vms_add_subsection(&o.s.tree, sc_section(&o, "apic", 0), "apic_sipi", 1);
	vms_remove(sub);
	vms_remove(new_section(&o, sc_section(&o, "cpu", 0), "kvmclock"));
	out = write_and_check(&o, &len);
	cr_expect(len == b.out.size && !memcmp(out, b.out.data, len));
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

/* QEMU's isapc has two sections "isa-ide" of instance 0: what happens to one must not happen to the other. */
Test(edit, sections_of_one_name_and_instance_are_kept_apart)
{
	for (unsigned int gone = 0; gone < 2; gone++) {
		struct stream_builder b;
		struct opened o, again;
		struct vms_node *n;
		uint8_t *out;
		size_t len;

		sb_init(&b);
		sb_prologue(&b);
		for (unsigned int i = 0; i < 2; i++) {
			sb_device(&b, "isa-ide", 0, "isa-ide", 3);
			sb_int(&b, i ? "second" : "first", i ? "uint16" : "uint8", 1 + i, i);
			sb_device_end(&b);
		}
		sb_eof(&b);
		sb_vmdesc(&b);
		expect_identity(&b, "two of one name");
		cr_assert(!sc_open(&o, &b, NULL));
		n = sc_section(&o, "isa-ide", 0);
		vms_remove(gone ? n->next : n);
		out = write_and_check(&o, &len);
		cr_assert(!sc_open_bytes(&again, out, len, NULL), "%s", again.err.text);
		cr_expect_str_eq(vms_first_child(sc_section(&again, "isa-ide", 0))->name, gone ? "first" : "second");
		cr_expect(!memmem(out, len, gone ? "second" : "first", 5));
		sc_close(&again);
		free(out);
		sc_close(&o);
		sb_deinit(&b);
	}
}

/* -- streams without a vmdescription -- */

static const struct vms_field apic_fields[] = {
	{ .name = "apicbase", .type = "uint32" },
	{ .name = "id", .type = "uint8" },
	{ .name = "irr", .type = "uint32", .count = 8 },
	{ .name = "timer_expiry", .type = "int64" },
};

static const struct vms_field sipi_fields[] = {
	{ .name = "sipi_vector", .type = "int32" },
	{ .name = "wait_for_sipi", .type = "int32" },
};

static const struct vms_desc sipi_desc = {
	.name = "apic_sipi",
	.version = 1,
	.minimum_version = 1,
	.fields = sipi_fields,
	.nfields = 2,
};

static const struct vms_desc *const apic_subsections[] = { &sipi_desc, NULL };

static const struct vms_desc apic_desc = {
	.name = "apic",
	.version = 3,
	.minimum_version = 3,
	.fields = apic_fields,
	.nfields = 4,
	.subsections = apic_subsections,
};

static const struct vms_desc *find_desc(const char *idstr)
{
	return strcmp(idstr, "apic") ? NULL : &apic_desc;
}

Test(undescribed, known_sections_are_found_by_their_descriptions)
{
	static const struct qemu_read_options opt = { .find_desc = find_desc };

	for (unsigned int footers = 0; footers < 2; footers++) {
		struct stream_builder b;
		struct opened o;
		uint8_t *out;
		size_t len;

		sb_init(&b);
		sb_everything(&b, footers, false, 0);
		cr_assert(!sc_open(&o, &b, &opt), "footers %u: %s", footers, o.err.text);
		cr_expect(o.s.has_footers == (footers != 0));
		cr_expect(!o.s.has_vmdesc);
		cr_expect(vms_get_or(o.s.tree.machine, "apic[1].irr[3]", 0) == 0xdead);
		cr_expect(vms_get_or(o.s.tree.machine, "apic[1].apic_sipi.sipi_vector", 0) == 0x10);
		cr_expect(vms_first_child(sc_section(&o, "cpu", 0))->kind == VMS_BYTES);
		out = sc_write(&o, &len);
		cr_expect(out && len == b.out.size && !memcmp(out, b.out.data, len), "footers %u", footers);
		free(out);
		sc_close(&o);
		sb_deinit(&b);
	}
}

Test(undescribed, a_twin_describes_what_the_stream_does_not)
{
	struct stream_builder twin, b;
	struct opened o;
	struct qemu_read_options opt = { .find_desc = find_desc };
	uint8_t *out;
	size_t len;

	sb_init(&twin);
	sb_everything(&twin, true, true, 0);
	opt.twin_vmdesc = (const char *)twin.json.data;
	opt.twin_vmdesc_size = twin.json.size;
	for (unsigned int footers = 0; footers < 2; footers++) {
		sb_init(&b);
		sb_everything(&b, footers, false, 0);
		cr_assert(!sc_open(&o, &b, &opt), "%s: %s", o.err.path, o.err.text);
		cr_expect(vms_get_or(o.s.tree.machine, "cpu[0].cpu/tsc_khz.env.tsc_khz", 0) == 2000000);
		cr_expect(vms_get_or(o.s.tree.machine, "shapes.channels[2].count", 0) == 102);
		out = sc_write(&o, &len);
		cr_expect(out && len == b.out.size && !memcmp(out, b.out.data, len));
		free(out);
		sc_close(&o);
		sb_deinit(&b);
	}
	sb_deinit(&twin);
}

Test(undescribed, edits_are_written_without_a_vmdescription)
{
	static const struct qemu_read_options opt = { .find_desc = find_desc };
	struct stream_builder b;
	struct opened o, again;
	uint8_t *out;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, false, 0);
	cr_assert(!sc_open(&o, &b, &opt));
	vms_remove(vms_lookup(o.s.tree.machine, "apic[1].apic_sipi"));
	vms_remove(sc_section(&o, "cpu", 0));
	cr_assert(!vms_set(o.s.tree.machine, "apic[0].id", 9, &o.err));
	out = sc_write(&o, &len);
	cr_assert(out);
	cr_assert(!sc_open_bytes(&again, out, len, &opt), "%s", again.err.text);
	cr_expect(vms_get_or(again.s.tree.machine, "apic[0].id", 0) == 9);
	cr_expect(!vms_lookup(again.s.tree.machine, "apic[1].apic_sipi"));
	cr_expect(!vms_find_section(again.s.tree.machine, "cpu", 0));
	sc_close(&again);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

Test(undescribed, a_version_out_of_range_is_told)
{
	static const struct qemu_read_options opt = { .find_desc = find_desc };
	struct stream_builder b;
	struct opened o;
	size_t at;

	sb_init(&b);
	sb_prologue(&b);
	at = sb_offset(&b);
	sb_device(&b, "apic", 0, "apic", 2);
	sb_pad(&b, 100);
	sb_device_end(&b);
	sb_eof(&b);
	cr_expect(sc_open(&o, &b, &opt) == -EBADMSG);
	cr_expect(o.err.offset == (int64_t)at);
	cr_expect_str_eq(o.err.path, "apic[0]");
	sc_close(&o);
	sb_deinit(&b);
}

Test(undescribed, a_section_without_an_end_is_told)
{
	struct stream_builder b;
	size_t at;

	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "cpu", 0, NULL, 2);
	at = sb_offset(&b);
	sb_pad(&b, 50);
	sc_expect_fails(&b, -EBADMSG, (int64_t)at, "its end is not found");
	sb_deinit(&b);
}

Test(undescribed, the_vmdescription_can_be_taken_out)
{
	struct stream_builder b;
	struct irqs_error err;
	char *text = NULL;
	size_t size = 0;
	int fd;

	sb_init(&b);
	sb_everything(&b, true, true, 12);
	fd = sb_fd(&b);
	cr_expect(!qemu_stream_read_vmdesc(fd, &text, &size, &err), "%s", err.text);
	cr_expect(size == b.json.size && !memcmp(text, b.json.data, size));
	free(text);
	close(fd);

	fd = sb_bytes_fd(b.json.data, b.json.size);
	cr_expect(!qemu_stream_read_vmdesc(fd, &text, &size, &err), "%s", err.text);
	cr_expect(size == b.json.size && !memcmp(text, b.json.data, size));
	free(text);
	close(fd);
	sb_deinit(&b);

	sb_init(&b);
	sb_prologue(&b);
	sb_eof(&b);
	fd = sb_fd(&b);
	cr_expect(qemu_stream_read_vmdesc(fd, &text, &size, &err) == -EBADMSG);
	close(fd);
	sb_deinit(&b);
}

/* -- inside another file -- */

Test(stream, one_that_begins_inside_a_file_is_read_and_written_without_what_stands_before)
{
	const struct qemu_read_options opt = { .start = 333 };
	struct stream_builder b;
	struct opened o;
	uint8_t *file, *again;
	size_t len;

	sb_init(&b);
	sb_everything(&b, true, true, 0);
	file = calloc(1, 333 + b.out.size);
	cr_assert(file);
	memcpy(file + 333, b.out.data, b.out.size);
	cr_assert_eq(sc_open_bytes(&o, file, 333 + b.out.size, &opt), 0, "%s", o.err.text);
	again = sc_write(&o, &len);
	cr_assert(again, "%s", o.err.text);
	cr_expect_eq(len, b.out.size);
	cr_expect(!memcmp(again, b.out.data, len));
	free(again);
	sc_close(&o);
	free(file);
	sb_deinit(&b);
}

Test(stream, a_start_behind_the_end_is_an_empty_stream)
{
	const struct qemu_read_options opt = { .start = 10 };
	struct opened o;

	cr_expect_eq(sc_open_bytes(&o, "QEVM", 4, &opt), -EBADMSG);
	cr_expect_eq(o.err.offset, 10);
	cr_expect(strstr(o.err.text, "empty"), "%s", o.err.text);
	sc_close(&o);
}

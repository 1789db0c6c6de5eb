/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as a stream: told to be broken, or read and written back the same; and an edit never breaks the writer. */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "stream/section_json.h"

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
static const struct vms_desc sipi = {
	.name = "apic_sipi",
	.version = 1,
	.minimum_version = 1,
	.fields = sipi_fields,
	.nfields = 2,
};
static const struct vms_desc *const subsections[] = { &sipi, NULL };
static const struct vms_desc apic = {
	.name = "apic",
	.version = 3,
	.minimum_version = 3,
	.fields = apic_fields,
	.nfields = 4,
	.subsections = subsections,
};

static struct stream_builder twin;

static const struct vms_desc *find_desc(const char *idstr)
{
	return strcmp(idstr, "apic") ? NULL : &apic;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);

	sb_init(&twin);
	sb_everything(&twin, true, true, 0);
	for (int i = 0; folder && i < 8; i++) {
		struct stream_builder b;
		char name[16];

		sb_init(&b);
		sb_everything(&b, i & 1, i & 2, i & 4 ? 100 : 0);
		snprintf(name, sizeof(name), "stream-%d", i);
		seed_write(folder, name, b.out.data, b.out.size);
		sb_deinit(&b);
	}
	if (folder) {
		struct stream_builder b;

		sb_init(&b);
		sb_prologue(&b);
		sb_device(&b, "apic", 0, "apic", 3);
		sb_int(&b, "apicbase", "uint32", 4, 0xfee00900);
		sb_device_end(&b);
		sb_eof(&b);
		sb_vmdesc(&b);
		seed_write(folder, "ram-to-jump-over", b.out.data, b.out.size);
		sb_deinit(&b);
		sb_init(&b);
		sb_prologue(&b);
		sb_eof(&b);
		seed_write(folder, "ram-only", b.out.data, b.out.size);
		sb_deinit(&b);
	}
	return 0;
}

static int out_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("output", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

static void check_identity(const struct qemu_stream *s, const uint8_t *data, size_t size)
{
	struct irqs_error err;
	uint8_t *copy;
	size_t len;
	int out = out_file();

	if (qemu_stream_write(s, out, &err)) {
		fprintf(stderr, "not written: %s\n", err.text);
		abort();
	}
	copy = sb_slurp(out, &len);
	if (len != size || memcmp(copy, data, size))
		abort();
	free(copy);
}

/* Every section as JSON; then a section goes, another loses a part, and both must still be writable. */
static void use(struct qemu_stream *s)
{
	struct vms_node *n, *next;
	struct irqs_error err;
	char path[160];
	unsigned int i = 0;

	for (n = vms_first_child(s->tree.machine); n; n = n->next) {
		json_t *o = section_json(n, true);

		free(o ? json_dumps(o, 0) : NULL);
		json_decref(o);
		vms_path(n, path, sizeof(path));
		vms_lookup(s->tree.machine, path);
	}
	for (n = vms_first_child(s->tree.machine); n; n = next, i++) {
		next = n->next;
		if (i == 1)
			vms_remove(n);
		else if (i == 2 && vms_last_child(n))
			vms_remove(vms_last_child(n));
		else if (i == 3)
			vms_add_subsection(&s->tree, n, "new", 1);
	}
	qemu_stream_write(s, out_file(), &err);
}

static void check(const uint8_t *data, size_t size, const struct qemu_read_options *opt)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct qemu_stream s;
	int rc = qemu_stream_read(&s, file_of(data, size), opt, &err);

	if (rc) {
		if (err.status == IRQS_DONE || (err.status == IRQS_MALFORMED && err.offset > (int64_t)size))
			abort();
		if (err.status == IRQS_SYSTEM && rc != -ENOMEM)
			abort();
		return;
	}
	check_identity(&s, data, size);
	use(&s);
	qemu_stream_deinit(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qemu_read_options opt = { .find_desc = find_desc };

	check(data, size, &opt);
	opt.skip_ram = true;
	check(data, size, &opt);
	opt.skip_ram = false;
	opt.twin_vmdesc = (const char *)twin.json.data;
	opt.twin_vmdesc_size = twin.json.size;
	check(data, size, &opt);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apic/registry.h"
#include "apic/snapshot.h"
#include "cli/cli.h"
#include "cli/twin.h"
#include "stream/native.h"
#include "stream/tree_json.h"

/* What is looked at to tell the formats apart. */
#define HEAD_SIZE 64u

int cli_read_twin(const char *path, char **ret, size_t *size)
{
	struct irqs_error err = { 0 };
	int fd = cli_open_file(path, &err), rc = fd < 0 ? fd : qemu_stream_read_vmdesc(fd, ret, size, &err);

	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

/* A pipe is spooled: its first bytes are looked at before it is known who reads it. */
static int detect(struct cli_input *in, struct irqs_error *reterr)
{
	const uint8_t *head = NULL;
	size_t len;
	int rc = source_init(&in->source, in->fd, reterr);

	if (rc)
		return rc;
	len = in->source.size < HEAD_SIZE ? (size_t)in->source.size : HEAD_SIZE;
	rc = source_peek(&in->source, 0, len, &head, reterr);
	if (rc)
		return rc;
	in->is_image = libvirt_image_is(head, len);
	in->format = in->is_image ? STREAM_QEMU : stream_format_detect(head, len);
	return 0;
}

static int read_native(struct cli_input *in, struct vms_tree *t, struct irqs_error *reterr)
{
	int fd = in->source.fd, rc;
	off_t end;

	if (lseek(fd, 0, SEEK_SET))
		return irqs_fail_errno(reterr, errno, "lseek");
	rc = native_read_tree(fd, t, NULL, reterr);
	end = lseek(fd, 0, SEEK_CUR);
	if (!rc && (uint64_t)end != in->source.size)
		rc = irqs_fail(reterr, IRQS_MALFORMED, (int64_t)end, NULL, "something follows behind the end");
	return rc;
}

static int read_tree(struct cli_input *in, struct irqs_error *reterr)
{
	int rc = vms_tree_init(&in->stream.tree, reterr);

	if (rc)
		return rc;
	if (in->format == STREAM_NATIVE)
		rc = read_native(in, &in->stream.tree, reterr);
	else
		rc = tree_json_load(in->source.fd, &in->stream.tree, reterr);
	if (rc)
		qemu_stream_deinit(&in->stream);
	return rc;
}

static int read_input(struct cli_input *in, const char *twin, size_t twin_size, bool ram, struct irqs_error *reterr)
{
	struct qemu_read_options opt = {
		.find_desc = apic_find_desc,
		.twin_vmdesc = twin,
		.twin_vmdesc_size = twin_size,
		.skip_ram = !ram,
	};
	int rc = detect(in, reterr), fd = in->source.fd;

	if (rc)
		return rc;
	if (in->is_image)
		rc = cli_image_open(in, &fd, &opt.start, reterr);
	if (!rc && in->format == STREAM_QEMU)
		rc = qemu_stream_read(&in->stream, fd, &opt, reterr);
	else if (!rc)
		rc = read_tree(in, reterr);
	if (rc) {
		cli_image_close(in);
		source_deinit(&in->source);
	}
	return rc;
}

static int read_whole_input(struct cli_input *in, const char *vmdesc, bool ram)
{
	struct irqs_error err = { 0 };
	size_t twin_size = 0;
	char *twin = NULL;
	struct stat st;
	int rc = vmdesc ? cli_read_twin(vmdesc, &twin, &twin_size) : 0;

	if (!rc) {
		rc = read_input(in, twin, twin_size, ram, &err);
		rc = rc ? cli_fail(&err, in->path) : 0;
	}
	free(twin);
	if (rc)
		cli_close_file(in->fd);
	else if (!fstat(in->fd, &st) && S_ISREG(st.st_mode))
		in->mode = st.st_mode & 0666;
	return rc;
}

static int open_input(struct cli_input *in, const char *path, const char *vmdesc, bool ram)
{
	struct irqs_error err = { 0 };

	*in = (struct cli_input){ .path = path, .mode = 0600, .unpacked = -1 };
	in->fd = cli_open_file(path, &err);
	if (in->fd < 0)
		return cli_fail(&err, path);
	return read_whole_input(in, vmdesc, ram);
}

int cli_open(struct cli_input *in, const char *path, const char *vmdesc)
{
	return open_input(in, path, vmdesc, false);
}

int cli_open_whole(struct cli_input *in, const char *path, const char *vmdesc)
{
	return open_input(in, path, vmdesc, true);
}

static int need_stream(struct cli_input *in)
{
	struct irqs_error err = { 0 };

	if (in->format == STREAM_QEMU)
		return IRQS_DONE;
	irqs_fail(&err, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%s, but a QEMU stream is needed",
		  cli_is_snapshot(in) ? "a snapshot of an irqchip" : "a tree of devices");
	cli_close(in);
	return cli_fail(&err, in->path);
}

int cli_open_stream(struct cli_input *in, const char *path, const char *vmdesc)
{
	int status = cli_open(in, path, vmdesc);

	return status ? status : need_stream(in);
}

int cli_open_in_place(struct cli_input *in, const struct in_place *p, const char *path, const char *vmdesc)
{
	struct irqs_error err = { 0 };
	int status;

	*in = (struct cli_input){ .path = path, .mode = 0600, .unpacked = -1, .fd = fcntl(p->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) };
	if (in->fd < 0) {
		irqs_fail_errno(&err, errno, "cannot open it");
		return cli_fail(&err, path);
	}
	status = read_whole_input(in, vmdesc, false);
	if (status)
		return status;
	if (in->is_image) {
		irqs_fail(&err, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
			  "a libvirt save image, whose XML would change as well: give -o instead of --in-place");
		cli_close(in);
		return cli_fail(&err, path);
	}
	return need_stream(in);
}

void cli_close(struct cli_input *in)
{
	qemu_stream_deinit(&in->stream);
	cli_image_close(in);
	source_deinit(&in->source);
	cli_close_file(in->fd);
}

bool cli_is_snapshot(const struct cli_input *in)
{
	return snapshot_is_tree(in->stream.tree.machine);
}

int cli_irqchip(struct cli_input *in, struct irqchip_state *ret)
{
	struct vms_tree *t = &in->stream.tree;
	struct irqs_error err = { 0 };
	char evidence[256];
	struct profile p;
	int rc;

	if (cli_is_snapshot(in)) {
		rc = snapshot_from_tree(t->machine, ret, &err);
	} else {
		rc = profile_detect(t->machine, &p, evidence, sizeof(evidence), &err);
		if (!rc && profile_name_sections(t, &p))
			rc = irqs_fail_nomem(&err);
		if (!rc)
			rc = irqchip_from_stream(t->machine, ret, &err);
	}
	return rc ? cli_fail(&err, in->path) : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "apic/registry.h"
#include "cli/cli.h"

static int read_twin(const char *path, char **ret, size_t *size)
{
	struct irqs_error err = { 0 };
	int fd = cli_open_file(path, &err), rc = fd < 0 ? fd : qemu_stream_read_vmdesc(fd, ret, size, &err);

	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

int cli_open(struct cli_input *in, const char *path, const char *vmdesc)
{
	struct qemu_read_options opt = { .find_desc = apic_find_desc };
	struct irqs_error err = { 0 };
	char *twin = NULL;
	struct stat st;
	int rc = vmdesc ? read_twin(vmdesc, &twin, &opt.twin_vmdesc_size) : 0;

	if (rc)
		return rc;
	opt.twin_vmdesc = twin;
	*in = (struct cli_input){ .path = path, .mode = 0600 };
	in->fd = cli_open_file(path, &err);
	rc = in->fd < 0 ? in->fd : qemu_stream_read(&in->stream, in->fd, &opt, &err);
	free(twin);
	if (rc) {
		cli_close_file(in->fd);
		return cli_fail(&err, path);
	}
	if (!fstat(in->fd, &st) && S_ISREG(st.st_mode))
		in->mode = st.st_mode & 0666;
	return 0;
}

void cli_close(struct cli_input *in)
{
	qemu_stream_deinit(&in->stream);
	cli_close_file(in->fd);
}

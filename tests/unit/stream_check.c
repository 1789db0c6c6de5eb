/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/stream_check.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int sc_open_bytes(struct opened *o, const void *data, size_t len, const struct qemu_read_options *opt)
{
	memset(o, 0, sizeof(*o));
	o->fd = sb_bytes_fd(data, len);
	o->rc = qemu_stream_read(&o->s, o->fd, opt, &o->err);
	return o->rc;
}

int sc_open(struct opened *o, const struct stream_builder *b, const struct qemu_read_options *opt)
{
	return sc_open_bytes(o, b->out.data, b->out.size, opt);
}

void sc_close(struct opened *o)
{
	if (!o->rc)
		qemu_stream_deinit(&o->s);
	close(o->fd);
}

uint8_t *sc_write(struct opened *o, size_t *ret_len)
{
	int fd = memfd_create("written", MFD_CLOEXEC);
	uint8_t *data = NULL;
	int rc;

	*ret_len = 0;
	cr_assert(fd >= 0);
	rc = qemu_stream_write(&o->s, fd, &o->err);
	if (!rc)
		data = sb_slurp(fd, ret_len);
	close(fd);
	return data;
}

void sc_expect_identity(const void *data, size_t len, const char *what)
{
	struct opened o;
	uint8_t *out;
	size_t n;

	sc_open_bytes(&o, data, len, NULL);
	cr_expect(!o.rc, "%s: byte %" PRId64 ": %s %s", what, o.err.offset, o.err.path, o.err.text);
	if (!o.rc) {
		out = sc_write(&o, &n);
		cr_expect(out && n == len && !memcmp(out, data, len), "%s: it was not written as it was read",
			  what);
		free(out);
	}
	sc_close(&o);
}

void sc_expect_fails(const struct stream_builder *b, int rc, int64_t offset, const char *text)
{
	struct opened o;

	sc_open(&o, b, NULL);
	cr_expect(o.rc == rc, "result %d, expected %d (%s)", o.rc, rc, o.err.text);
	cr_expect(o.err.offset == offset, "byte %" PRId64 ", expected %" PRId64 " (%s)", o.err.offset, offset,
		  o.err.text);
	cr_expect(strstr(o.err.text, text), "the message is \"%s\", expected in it: \"%s\"", o.err.text, text);
	sc_close(&o);
}

struct vms_node *sc_section(struct opened *o, const char *name, uint32_t instance)
{
	struct vms_node *n = vms_find_section(o->s.tree.machine, name, instance);

	cr_assert(n, "no section %s", name);
	return n;
}

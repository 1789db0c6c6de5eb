/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/compression.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/compression_priv.h"
#include "stream/file_priv.h"

static const struct form {
	const char *name;
	const struct compression_coder *coder;
	/* For a form that no library does in pieces. */
	int (*unpack)(struct compression_io *io), (*pack)(struct compression_io *io);
} forms[COMPRESSIONS] = {
	[COMPRESSION_RAW] = { .name = "raw" },
	[COMPRESSION_GZIP] = { .name = "gzip", .coder = &compression_gzip },
	[COMPRESSION_BZIP2] = { .name = "bzip2", .coder = &compression_bzip2 },
	[COMPRESSION_XZ] = { .name = "xz", .coder = &compression_xz },
	[COMPRESSION_LZOP] = { .name = "lzop", .unpack = compression_unlzop, .pack = compression_lzop },
	[COMPRESSION_ZSTD] = { .name = "zstd", .coder = &compression_zstd },
};

const char *compression_name(enum compression c)
{
	return forms[c].name;
}

int compression_fill(struct compression_io *io)
{
	while (!io->in_len && !io->ended) {
		ssize_t n = read(io->from, io->in_buf, COMPRESSION_PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return irqs_fail_errno(io->reterr, errno, "read");
		io->ended = !n;
		io->in = io->in_buf;
		io->in_len = (size_t)n;
	}
	return 0;
}

void compression_drop(struct compression_io *io, size_t len)
{
	io->in += len;
	io->in_len -= len;
	io->offset += len;
}

int compression_bad(struct compression_io *io, const char *what)
{
	return irqs_fail(io->reterr, IRQS_MALFORMED, (int64_t)io->offset, NULL, "%s: %s", io->name, what);
}

int compression_take(struct compression_io *io, void *dst, size_t len)
{
	uint8_t *p = dst;

	while (len) {
		size_t n;
		int rc = compression_fill(io);

		if (rc)
			return rc;
		if (!io->in_len)
			return compression_bad(io, "the packed data end too early");
		n = io->in_len < len ? io->in_len : len;
		memcpy(p, io->in, n);
		compression_drop(io, n);
		p += n;
		len -= n;
	}
	return 0;
}

int compression_put(struct compression_io *io, const void *data, size_t len)
{
	int rc = file_write_all(io->to, data, len);

	return rc ? irqs_fail_errno(io->reterr, -rc, "write") : 0;
}

static int copy(struct compression_io *io)
{
	int rc;

	while (!(rc = compression_fill(io)) && io->in_len) {
		rc = compression_put(io, io->in, io->in_len);
		if (rc)
			return rc;
		compression_drop(io, io->in_len);
	}
	return rc;
}

/* One piece of output, of what input there is. Return: 1 at the end of the packed file, 0, -errno. */
static int step(struct compression_io *io, const struct compression_coder *coder, void *state, bool pack)
{
	struct compression_ends e = { io->in, io->out_buf, io->in_len, COMPRESSION_PIECE, io->ended };
	int rc = coder->step(state, pack, &e), put;

	if (rc == -ENOMEM)
		return irqs_fail_nomem(io->reterr);
	if (rc < 0)
		return compression_bad(io, "broken data");
	if (!rc && e.in_len == io->in_len && e.out_len == COMPRESSION_PIECE)
		return compression_bad(io, io->ended ? "the packed data end too early" : "broken data");
	compression_drop(io, io->in_len - e.in_len);
	put = compression_put(io, io->out_buf, COMPRESSION_PIECE - e.out_len);
	return put ? put : rc;
}

static int run_coder(struct compression_io *io, const struct compression_coder *coder, bool pack)
{
	void *state = coder->open(pack);
	int rc = 0;

	if (!state)
		return irqs_fail_nomem(io->reterr);
	while (!rc) {
		rc = compression_fill(io);
		if (!rc)
			rc = step(io, coder, state, pack);
	}
	coder->close(state, pack);
	return rc < 0 ? rc : 0;
}

/* Zeros behind a packed file. Return: 0 or -errno; without input at the end. */
static int skip_zeros(struct compression_io *io)
{
	int rc;

	while (!(rc = compression_fill(io)) && io->in_len && !*io->in)
		compression_drop(io, 1);
	return rc;
}

static int unpack(struct compression_io *io, const struct form *f)
{
	int rc;

	do {
		rc = f->coder ? run_coder(io, f->coder, false) : f->unpack(io);
		if (!rc)
			rc = skip_zeros(io);
	} while (!rc && io->in_len);
	return rc;
}

static int run(enum compression c, bool pack, int from, int to, struct irqs_error *reterr)
{
	const struct form *f = &forms[c];
	off_t start = lseek(from, 0, SEEK_CUR);
	struct compression_io io = {
		.from = from,
		.to = to,
		.offset = start < 0 ? 0 : (uint64_t)start,
		.name = f->name,
		.reterr = reterr,
	};
	int rc;

	io.in_buf = malloc(2 * COMPRESSION_PIECE);
	if (!io.in_buf)
		return irqs_fail_nomem(reterr);
	io.out_buf = io.in_buf + COMPRESSION_PIECE;
	if (c == COMPRESSION_RAW)
		rc = copy(&io);
	else if (pack)
		rc = f->coder ? run_coder(&io, f->coder, true) : f->pack(&io);
	else
		rc = unpack(&io, f);
	free(io.in_buf);
	return rc;
}

int compression_unpack(enum compression c, int from, int to, struct irqs_error *reterr)
{
	return run(c, false, from, to, reterr);
}

int compression_pack(enum compression c, int from, int to, struct irqs_error *reterr)
{
	return run(c, true, from, to, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* zlib, libbz2, liblzma and libzstd behind one call. */
#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "stream/compression_priv.h"

/* Above the 65 MiB that a file of `xz -9` wants. */
#define XZ_MEMORY (UINT64_C(128) << 20)
#define XZ_LEVEL 3 /* libvirt runs `xz -3` */

#define GZIP_HEADER 16 /* added to zlib's window bits */

/* 8 MiB; what libvirt has the program write needs 2 MiB. */
#define ZSTD_WINDOW_LOG 23

static void *gzip_open(bool pack)
{
	z_stream *z = calloc(1, sizeof(*z));
	int rc = Z_MEM_ERROR;

	if (z)
		rc = pack ? deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_HEADER, MAX_MEM_LEVEL - 1,
					 Z_DEFAULT_STRATEGY)
			  : inflateInit2(z, MAX_WBITS + GZIP_HEADER);
	if (rc == Z_OK)
		return z;
	free(z);
	return NULL;
}

static int gzip_step(void *state, bool pack, struct compression_ends *e)
{
	z_stream *z = state;
	int rc;

	z->next_in = (Bytef *)e->in;
	z->avail_in = (uInt)e->in_len;
	z->next_out = e->out;
	z->avail_out = (uInt)e->out_len;
	rc = pack ? deflate(z, e->last ? Z_FINISH : Z_NO_FLUSH) : inflate(z, Z_NO_FLUSH);
	*e = (struct compression_ends){ z->next_in, z->next_out, z->avail_in, z->avail_out, e->last };
	if (rc == Z_STREAM_END)
		return 1;
	if (rc == Z_MEM_ERROR)
		return -ENOMEM;
	return rc == Z_OK || rc == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static void gzip_close(void *state, bool pack)
{
	if (pack)
		deflateEnd(state);
	else
		inflateEnd(state);
	free(state);
}

const struct compression_coder compression_gzip = { gzip_open, gzip_step, gzip_close };

static void *bzip2_open(bool pack)
{
	bz_stream *b = calloc(1, sizeof(*b));

	if (b && (pack ? BZ2_bzCompressInit(b, 9, 0, 0) : BZ2_bzDecompressInit(b, 0, 0)) == BZ_OK)
		return b;
	free(b);
	return NULL;
}

static int bzip2_step(void *state, bool pack, struct compression_ends *e)
{
	bz_stream *b = state;
	int rc;

	b->next_in = (char *)e->in;
	b->avail_in = (unsigned int)e->in_len;
	b->next_out = (char *)e->out;
	b->avail_out = (unsigned int)e->out_len;
	/* Asked to run without input, libbz2 calls that a mistake of its caller. */
	if (pack)
		rc = BZ2_bzCompress(b, e->last ? BZ_FINISH : BZ_RUN);
	else
		rc = BZ2_bzDecompress(b);
	*e = (struct compression_ends){ (const uint8_t *)b->next_in, (uint8_t *)b->next_out, b->avail_in, b->avail_out,
					e->last };
	if (rc == BZ_STREAM_END)
		return 1;
	if (rc == BZ_MEM_ERROR)
		return -ENOMEM;
	return rc >= 0 ? 0 : -EBADMSG;
}

static void bzip2_close(void *state, bool pack)
{
	if (pack)
		BZ2_bzCompressEnd(state);
	else
		BZ2_bzDecompressEnd(state);
	free(state);
}

const struct compression_coder compression_bzip2 = { bzip2_open, bzip2_step, bzip2_close };

static void *xz_open(bool pack)
{
	lzma_stream *s = malloc(sizeof(*s));

	if (!s)
		return NULL;
	*s = (lzma_stream)LZMA_STREAM_INIT;
	if ((pack ? lzma_easy_encoder(s, XZ_LEVEL, LZMA_CHECK_CRC64) : lzma_stream_decoder(s, XZ_MEMORY, 0)) == LZMA_OK)
		return s;
	free(s);
	return NULL;
}

static int xz_step(void *state, bool pack, struct compression_ends *e)
{
	lzma_stream *s = state;
	lzma_ret rc;

	(void)pack;
	s->next_in = e->in;
	s->avail_in = e->in_len;
	s->next_out = e->out;
	s->avail_out = e->out_len;
	rc = lzma_code(s, e->last ? LZMA_FINISH : LZMA_RUN);
	*e = (struct compression_ends){ s->next_in, s->next_out, s->avail_in, s->avail_out, e->last };
	if (rc == LZMA_STREAM_END)
		return 1;
	if (rc == LZMA_MEM_ERROR)
		return -ENOMEM;
	return rc == LZMA_OK || rc == LZMA_BUF_ERROR ? 0 : -EBADMSG;
}

static void xz_close(void *state, bool pack)
{
	(void)pack;
	lzma_end(state);
	free(state);
}

const struct compression_coder compression_xz = { xz_open, xz_step, xz_close };

static void *zstd_open(bool pack)
{
	ZSTD_DCtx *d;

	if (pack) {
		ZSTD_CCtx *c = ZSTD_createCCtx();

		if (c)
			ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1); /* as the program does */
		return c;
	}
	d = ZSTD_createDCtx();
	if (d && ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
		ZSTD_freeDCtx(d);
		return NULL;
	}
	return d;
}

static int zstd_step(void *state, bool pack, struct compression_ends *e)
{
	ZSTD_inBuffer in = { e->in, e->in_len, 0 };
	ZSTD_outBuffer out = { e->out, e->out_len, 0 };
	size_t left;

	if (pack)
		left = ZSTD_compressStream2(state, &out, &in, e->last ? ZSTD_e_end : ZSTD_e_continue);
	else
		left = ZSTD_decompressStream(state, &out, &in);
	if (ZSTD_isError(left))
		return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? -ENOMEM : -EBADMSG;
	*e = (struct compression_ends){ e->in + in.pos, e->out + out.pos, e->in_len - in.pos, e->out_len - out.pos, e->last };
	return !left && (!pack || e->last);
}

static void zstd_close(void *state, bool pack)
{
	if (pack)
		ZSTD_freeCCtx(state);
	else
		ZSTD_freeDCtx(state);
}

const struct compression_coder compression_zstd = { zstd_open, zstd_step, zstd_close };

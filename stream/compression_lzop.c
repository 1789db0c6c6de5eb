/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files of lzop: a header, then blocks of LZO1X data, each with its two sizes and checksums, then a size of 0. All
 * integers are big-endian. The format is what lzop 1.04 reads and writes.
 */
#include <errno.h>
#include <lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/endian.h"
#include "stream/compression_priv.h"

#define VERSION 0x1040u
#define VERSION_NEEDED 0x0940u /* from here on the header has a level and a long time */
#define BLOCK_SIZE ((uint32_t)256 << 10)
#define BLOCK_MAX ((uint32_t)64 << 20)
#define METHOD_MAX 3u /* LZO1X-1, LZO1X-1(15), LZO1X-999: one way to unpack */

enum {
	F_ADLER32_D = 0x1, /* checksums of unpacked and of packed data */
	F_ADLER32_C = 0x2,
	F_EXTRA_FIELD = 0x40,
	F_CRC32_D = 0x100,
	F_CRC32_C = 0x200,
	F_MULTIPART = 0x400,
	F_FILTER = 0x800,
	F_CRC32_HEADER = 0x1000,
};

static const uint8_t magic[] = { 0x89, 'L', 'Z', 'O', 0x00, 0x0d, 0x0a, 0x1a, 0x0a };

/* The header as it is read, for its checksum. */
struct head {
	uint8_t bytes[512];
	size_t used;
};

static int take_int(struct compression_io *io, struct head *h, size_t width, uint32_t *ret)
{
	uint8_t be[4];
	int rc = compression_take(io, be, width);

	if (rc)
		return rc;
	*ret = (uint32_t)get_be(be, width);
	if (h) {
		memcpy(h->bytes + h->used, be, width);
		h->used += width;
	}
	return 0;
}

static int skip(struct compression_io *io, uint32_t len)
{
	uint8_t some[256];
	int rc = 0;

	while (len && !rc) {
		uint32_t n = len < sizeof(some) ? len : (uint32_t)sizeof(some);

		rc = compression_take(io, some, n);
		len -= n;
	}
	return rc;
}

static int check_head(struct compression_io *io, const struct head *h, uint32_t flags)
{
	uint32_t sum = flags & F_CRC32_HEADER ? (uint32_t)crc32(0, h->bytes, (uInt)h->used)
					      : (uint32_t)adler32(1, h->bytes, (uInt)h->used);
	uint32_t stored = 0, len = 0;
	int rc = take_int(io, NULL, 4, &stored);

	if (rc)
		return rc;
	if (stored != sum)
		return compression_bad(io, "the header's checksum is wrong");
	if (!(flags & F_EXTRA_FIELD))
		return 0;
	rc = take_int(io, NULL, 4, &len);
	if (!rc)
		rc = skip(io, len);
	return rc ? rc : skip(io, 4);
}

static int take_head(struct compression_io *io, uint32_t *ret_flags)
{
	/* widths of: version, version of the library, needed, method, level, flags; mode, two of time; length of the name */
	static const uint8_t widths[] = { 2, 2, 2, 1, 1, 4, 4, 4, 4, 1 };
	enum { NEEDED = 2,
	       METHOD,
	       LEVEL,
	       FLAGS,
	       MODE,
	       TIME_LOW,
	       TIME_HIGH,
	       NAME };
	uint32_t v[sizeof(widths)] = { 0 };
	uint8_t start[sizeof(magic)];
	struct head h = { .used = 0 };
	int rc = compression_take(io, start, sizeof(start));

	if (!rc && memcmp(start, magic, sizeof(magic)) != 0)
		return compression_bad(io, "not a file of lzop");
	for (size_t i = 0; i < sizeof(widths) && !rc; i++)
		rc = take_int(io, &h, widths[i], &v[i]);
	if (rc)
		return rc;
	if (v[0] < VERSION_NEEDED || v[NEEDED] > VERSION || !v[METHOD] || v[METHOD] > METHOD_MAX)
		return compression_bad(io, "a version or method that is not known");
	if (v[FLAGS] & (F_MULTIPART | F_FILTER))
		return compression_bad(io, "a file in several parts, or filtered");
	rc = compression_take(io, h.bytes + h.used, v[NAME]);
	h.used += v[NAME];
	*ret_flags = v[FLAGS];
	return rc ? rc : check_head(io, &h, v[FLAGS]);
}

/* A block's checksums as they were stored; and whether @data has them. */
struct sums {
	uint32_t adler, crc;
};

static int take_sums(struct compression_io *io, uint32_t flags, uint32_t adler, uint32_t crc, struct sums *ret)
{
	int rc = flags & adler ? take_int(io, NULL, 4, &ret->adler) : 0;

	return !rc && flags & crc ? take_int(io, NULL, 4, &ret->crc) : rc;
}

static int check_sums(struct compression_io *io, uint32_t flags, uint32_t adler, uint32_t crc, const struct sums *s,
		      const uint8_t *data, uint32_t len)
{
	if ((flags & adler && s->adler != adler32(1, data, len)) || (flags & crc && s->crc != crc32(0, data, len)))
		return compression_bad(io, "a block's checksum is wrong");
	return 0;
}

static int unpack_block(struct compression_io *io, uint32_t flags, uint32_t size, uint32_t packed, uint8_t *dst,
			uint8_t *src)
{
	struct sums unpacked_sums = { 0 }, packed_sums = { 0 };
	bool stored = packed == size;
	lzo_uint n = size;
	int rc = take_sums(io, flags, F_ADLER32_D, F_CRC32_D, &unpacked_sums);

	if (!rc && !stored)
		rc = take_sums(io, flags, F_ADLER32_C, F_CRC32_C, &packed_sums);
	if (!rc)
		rc = compression_take(io, stored ? dst : src, packed);
	if (!rc && !stored)
		rc = check_sums(io, flags, F_ADLER32_C, F_CRC32_C, &packed_sums, src, packed);
	if (rc)
		return rc;
	if (!stored && (lzo1x_decompress_safe(src, packed, dst, &n, NULL) != LZO_E_OK || n != size))
		return compression_bad(io, "broken data");
	rc = check_sums(io, flags, F_ADLER32_D, F_CRC32_D, &unpacked_sums, dst, size);
	return rc ? rc : compression_put(io, dst, size);
}

/* The buffers grow with what is announced, and only once that many packed bytes can follow. */
static int take_block(struct compression_io *io, uint32_t flags, uint32_t size, uint8_t **buf, size_t *capacity)
{
	uint32_t packed = 0;
	size_t need;
	int rc = take_int(io, NULL, 4, &packed);

	if (rc)
		return rc;
	if (size > BLOCK_MAX || !packed || packed > size)
		return compression_bad(io, "a block of an impossible size");
	need = (size_t)size + packed;
	if (need > *capacity) {
		free(*buf);
		*capacity = 0;
		*buf = malloc(need);
		if (!*buf)
			return irqs_fail_nomem(io->reterr);
		*capacity = need;
	}
	return unpack_block(io, flags, size, packed, *buf, *buf + size);
}

int compression_unlzop(struct compression_io *io)
{
	uint32_t flags = 0, size = 0;
	size_t capacity = 0;
	uint8_t *buf = NULL;
	int rc = lzo_init() == LZO_E_OK ? take_head(io, &flags) : irqs_fail_nomem(io->reterr);

	while (!rc && !(rc = take_int(io, NULL, 4, &size)) && size)
		rc = take_block(io, flags, size, &buf, &capacity);
	free(buf);
	return rc;
}

static int put_int(struct compression_io *io, struct head *h, size_t width, uint32_t v)
{
	uint8_t be[4];

	put_be(be, width, v);
	if (h) {
		memcpy(h->bytes + h->used, be, width);
		h->used += width;
		return 0;
	}
	return compression_put(io, be, width);
}

static int put_head(struct compression_io *io)
{
	struct head h = { .used = 0 };
	int rc;

	put_int(io, &h, 2, VERSION);
	put_int(io, &h, 2, lzo_version());
	put_int(io, &h, 2, VERSION_NEEDED);
	put_int(io, &h, 1, 1); /* LZO1X-1 */
	put_int(io, &h, 1, 3); /* the program's level */
	put_int(io, &h, 4, F_ADLER32_D);
	memset(h.bytes + h.used, 0, 13); /* no mode, time or name: it comes from a pipe */
	h.used += 13;
	rc = compression_put(io, magic, sizeof(magic));
	if (!rc)
		rc = compression_put(io, h.bytes, h.used);
	return rc ? rc : put_int(io, NULL, 4, (uint32_t)adler32(1, h.bytes, (uInt)h.used));
}

static int put_block(struct compression_io *io, const uint8_t *data, uint32_t len, uint8_t *packed, void *work)
{
	lzo_uint n = 0;
	bool stored;
	int rc;

	if (lzo1x_1_compress(data, len, packed, &n, work) != LZO_E_OK)
		return irqs_fail_nomem(io->reterr);
	stored = n >= len;
	if ((rc = put_int(io, NULL, 4, len)) || (rc = put_int(io, NULL, 4, stored ? len : (uint32_t)n)) ||
	    (rc = put_int(io, NULL, 4, (uint32_t)adler32(1, data, len))))
		return rc;
	return compression_put(io, stored ? data : packed, stored ? len : n);
}

/* As much as there is, up to a block. */
static int gather(struct compression_io *io, uint8_t *dst, uint32_t *ret_len)
{
	uint32_t used = 0;
	int rc;

	while (!(rc = compression_fill(io)) && io->in_len && used < BLOCK_SIZE) {
		size_t n = io->in_len < BLOCK_SIZE - used ? io->in_len : BLOCK_SIZE - used;

		memcpy(dst + used, io->in, n);
		compression_drop(io, n);
		used += (uint32_t)n;
	}
	*ret_len = used;
	return rc;
}

int compression_lzop(struct compression_io *io)
{
	/* LZO1X-1 can make data longer by a 16th and a little. */
	size_t packed = BLOCK_SIZE + BLOCK_SIZE / 16 + 64;
	uint8_t *buf = malloc(LZO1X_1_MEM_COMPRESS + BLOCK_SIZE + packed);
	uint8_t *block = buf + LZO1X_1_MEM_COMPRESS;
	uint32_t len = 0;
	int rc = buf && lzo_init() == LZO_E_OK ? put_head(io) : irqs_fail_nomem(io->reterr);

	while (!rc && !(rc = gather(io, block, &len)) && len)
		rc = put_block(io, block, len, block + BLOCK_SIZE, buf);
	if (!rc)
		rc = put_int(io, NULL, 4, 0);
	free(buf);
	return rc;
}

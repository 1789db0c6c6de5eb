/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/libvirt_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "stream/file_priv.h"

#define MAGIC "LibvirtQemudSave"
#define MAGIC_PARTIAL "LibvirtQemudPart"
#define VERSION 2u
#define FORMAT_SPARSE 6u
/* What libvirt leaves behind the XML, so that it can be edited. */
#define ROOM ((size_t)64 << 10)

/* Words of the header, in the byte order of the host that wrote it. */
enum { AT_VERSION = 16,
       AT_DATA_LEN = 20,
       AT_WAS_RUNNING = 24,
       AT_COMPRESSION = 28,
       AT_COOKIE = 32,
       AT_REST = 36 };

static uint32_t get_word(const uint8_t *head, size_t at, bool swapped)
{
	uint32_t v;

	memcpy(&v, head + at, sizeof(v));
	return swapped ? __builtin_bswap32(v) : v;
}

static void put_word(uint8_t *head, size_t at, bool swapped, uint32_t v)
{
	if (swapped)
		v = __builtin_bswap32(v);
	memcpy(head + at, &v, sizeof(v));
}

bool libvirt_image_is(const uint8_t *head, size_t len)
{
	return len >= LIBVIRT_IMAGE_MAGIC_SIZE && (!memcmp(head, MAGIC, LIBVIRT_IMAGE_MAGIC_SIZE) ||
						   !memcmp(head, MAGIC_PARTIAL, LIBVIRT_IMAGE_MAGIC_SIZE));
}

/* A version that cannot be is one of the other byte order: that is how libvirt knows. */
static int take_version(struct libvirt_image *img, const uint8_t *head, struct irqs_error *reterr)
{
	img->swapped = get_word(head, AT_VERSION, false) > VERSION;
	img->version = get_word(head, AT_VERSION, img->swapped);
	if (img->version > VERSION || !img->version)
		return irqs_fail(reterr, IRQS_REFUSED, AT_VERSION, NULL,
				 "a libvirt save image of version %" PRIu32 ", known are 1 and %u",
				 get_word(head, AT_VERSION, false), VERSION);
	return 0;
}

/* Version 1 does not look at the word. */
static int take_compression(struct libvirt_image *img, const uint8_t *head, struct irqs_error *reterr)
{
	uint32_t c = img->version > 1 ? get_word(head, AT_COMPRESSION, img->swapped) : COMPRESSION_RAW;

	if (c != FORMAT_SPARSE && c >= COMPRESSIONS)
		return irqs_fail(reterr, IRQS_REFUSED, AT_COMPRESSION, NULL,
				 "a libvirt save image of an unknown format: %" PRIu32, c);
	img->sparse = c == FORMAT_SPARSE;
	img->compression = img->sparse ? COMPRESSION_RAW : (enum compression)c;
	return 0;
}

/* A string that ends before its room does. */
static int take_text(struct source *src, uint64_t at, size_t room, const char *what, char **ret,
		     struct irqs_error *reterr)
{
	char *text = malloc(room);
	int rc;

	if (!text)
		return irqs_fail_nomem(reterr);
	rc = source_read(src, at, text, room, reterr);
	if (!rc && !memchr(text, '\0', room))
		rc = irqs_fail(reterr, IRQS_MALFORMED, (int64_t)at, NULL, "the %s has no end", what);
	if (rc) {
		free(text);
		return rc;
	}
	*ret = text;
	return 0;
}

static int take_texts(struct libvirt_image *img, struct source *src, uint32_t data_len, uint32_t cookie,
		      struct irqs_error *reterr)
{
	int rc;

	if (!data_len || data_len > LIBVIRT_IMAGE_DATA_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, AT_DATA_LEN, NULL, "an impossible size of the domain's XML: %" PRIu32,
				 data_len);
	if (cookie >= data_len)
		return irqs_fail(reterr, IRQS_MALFORMED, AT_COOKIE, NULL, "the cookie lies outside of its room");
	rc = take_text(src, LIBVIRT_IMAGE_HEADER_SIZE, cookie ? cookie : data_len, "domain's XML", &img->xml, reterr);
	if (!rc && cookie)
		rc = take_text(src, LIBVIRT_IMAGE_HEADER_SIZE + cookie, data_len - cookie, "cookie", &img->cookie, reterr);
	img->size = LIBVIRT_IMAGE_HEADER_SIZE + (uint64_t)data_len;
	return rc;
}

int libvirt_image_read(struct libvirt_image *img, struct source *src, struct irqs_error *reterr)
{
	uint8_t head[LIBVIRT_IMAGE_HEADER_SIZE];
	int rc = source_read(src, 0, head, sizeof(head), reterr);

	*img = (struct libvirt_image){ 0 };
	if (rc)
		return rc;
	if (!libvirt_image_is(head, sizeof(head)))
		return irqs_fail(reterr, IRQS_MALFORMED, 0, NULL, "not a libvirt save image");
	if (!memcmp(head, MAGIC_PARTIAL, LIBVIRT_IMAGE_MAGIC_SIZE))
		return irqs_fail(reterr, IRQS_REFUSED, 0, NULL,
				 "a libvirt save image that was never finished: the save failed or still runs");
	rc = take_version(img, head, reterr);
	if (!rc)
		rc = take_compression(img, head, reterr);
	if (rc)
		return rc;
	img->was_running = get_word(head, AT_WAS_RUNNING, img->swapped) != 0;
	memcpy(img->head, head, sizeof(head));
	rc = take_texts(img, src, get_word(head, AT_DATA_LEN, img->swapped),
			/* version 1 has none, and no promise of what the word holds */
			img->version > 1 ? get_word(head, AT_COOKIE, img->swapped) : 0, reterr);
	if (rc)
		libvirt_image_deinit(img);
	return rc;
}

void libvirt_image_deinit(struct libvirt_image *img)
{
	free(img->xml);
	free(img->cookie);
	*img = (struct libvirt_image){ 0 };
}

/* Bytes of a text with its end. */
static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

int libvirt_image_fit(struct libvirt_image *img, struct irqs_error *reterr)
{
	size_t need = text_size(img->xml) + text_size(img->cookie);

	if (LIBVIRT_IMAGE_HEADER_SIZE + need <= img->size)
		return 0;
	if (img->sparse)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "domain",
				 "its XML does not fit into the image any more, and the mapped RAM behind it cannot move");
	if (need + ROOM > LIBVIRT_IMAGE_DATA_MAX) {
		irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "domain", "its XML is too large: %zu bytes", need);
		return -EFBIG;
	}
	img->size = LIBVIRT_IMAGE_HEADER_SIZE + need + ROOM;
	return 0;
}

static void fill(const struct libvirt_image *img, uint8_t *p)
{
	size_t xml = text_size(img->xml);

	memcpy(p, img->head, LIBVIRT_IMAGE_HEADER_SIZE);
	put_word(p, AT_DATA_LEN, img->swapped, (uint32_t)(img->size - LIBVIRT_IMAGE_HEADER_SIZE));
	if (img->version > 1)
		put_word(p, AT_COOKIE, img->swapped, img->cookie ? (uint32_t)xml : 0);
	memcpy(p + LIBVIRT_IMAGE_HEADER_SIZE, img->xml, xml);
	if (img->cookie)
		memcpy(p + LIBVIRT_IMAGE_HEADER_SIZE + xml, img->cookie, text_size(img->cookie));
}

int libvirt_image_write_head(const struct libvirt_image *img, int fd, struct irqs_error *reterr)
{
	uint8_t *bytes = calloc(1, (size_t)img->size);
	int rc;

	if (!bytes)
		return irqs_fail_nomem(reterr);
	fill(img, bytes);
	rc = file_write_all(fd, bytes, (size_t)img->size);
	free(bytes);
	return rc ? irqs_fail_errno(reterr, -rc, "write") : 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the vmdescription is, from the end of the input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"
#include "stream/vmdesc.h"

#define CHUNK ((size_t)1 << 20)

/* The end of the text: behind the last byte that is not padding, if that closes an object. 0: no vmdescription. */
static int text_end(struct source *src, uint64_t *ret, struct irqs_error *reterr)
{
	uint64_t end = src->size;

	*ret = 0;
	while (end) {
		uint64_t floor = end > SOURCE_PEEK_MAX ? end - SOURCE_PEEK_MAX : 0;
		const uint8_t *p;
		int rc = source_peek(src, floor, (size_t)(end - floor), &p, reterr);

		if (rc)
			return rc;
		while (end > floor && !p[end - floor - 1])
			end--;
		if (end == floor)
			continue;
		if (p[end - floor - 1] == '}')
			*ret = end;
		break;
	}
	return 0;
}

/*
 * The last header that starts in the @len bytes of @buf, behind which are VMDESC_HEADER more, and says that its text goes
 * on for as many bytes as there are: from the start of @buf @left. NULL: there is none.
 */
static const uint8_t *find_header(const uint8_t *buf, size_t len, uint64_t left)
{
	const uint8_t *p = buf + len;

	while ((p = memrchr(buf, QEMU_VM_VMDESCRIPTION, (size_t)(p - buf))))
		if (p[VMDESC_HEADER] == '{' && get_be(p + 1, 4) == left - (uint64_t)(p - buf) - VMDESC_HEADER)
			return p;
	return NULL;
}

/* From @end on backwards, each byte once. */
static int search(struct source *src, uint64_t end, uint8_t *buf, uint64_t *ret, struct irqs_error *reterr)
{
	uint64_t stop = end > VMDESC_HEADER ? end - VMDESC_HEADER : 0;

	while (stop && end - stop < VMDESC_MAX) {
		size_t len = stop < CHUNK ? (size_t)stop : CHUNK;
		const uint8_t *found;
		int rc;

		stop -= len;
		rc = source_read(src, stop, buf, len + VMDESC_HEADER, reterr);
		if (rc)
			return rc;
		found = find_header(buf, len, end - stop);
		if (found) {
			*ret = stop + (uint64_t)(found - buf);
			return 0;
		}
	}
	return -ENOENT;
}

int vmdesc_find(struct source *src, uint64_t *ret_offset, size_t *ret_size, struct irqs_error *reterr)
{
	uint8_t *buf;
	uint64_t end;
	int rc = text_end(src, &end, reterr);

	if (rc)
		return rc;
	if (!end)
		return -ENOENT;
	buf = malloc(CHUNK + VMDESC_HEADER);
	if (!buf)
		return irqs_fail_nomem(reterr);
	rc = search(src, end, buf, ret_offset, reterr);
	free(buf);
	if (!rc)
		*ret_size = (size_t)(end - *ret_offset) - VMDESC_HEADER;
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of the native format: header, sections, end. */
#include "stream/native.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "stream/cbor_priv.h"
#include "stream/native_priv.h"

#define FORMAT_NAME "irqshift-native"

/* Tag 55799, "this is CBOR", which is also the format's magic; then an array that ends with a break. */
#define MAGIC 0xd9, 0xd9, 0xf7
#define ARRAY_OPEN 0x9f
#define ARRAY_CLOSE 0xff

/* An array of three: length and CRC, each in 4 bytes behind its head, and the body. */
#define RECORD_HEAD 0x83
#define UINT32_HEAD 0x1a
#define RECORD_PREFIX 11u

/* What a read takes at once: memory grows with what is there, not with what a length says. */
#define READ_CHUNK ((size_t)64 << 10)

ssize_t native_read_fd(void *ctx, void *data, size_t len)
{
	ssize_t n;

	do
		n = read(*(int *)ctx, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t native_write_fd(void *ctx, const void *data, size_t len)
{
	ssize_t n;

	do
		n = write(*(int *)ctx, data, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* ---- writing ---- */

static int put(struct native_writer *w, const uint8_t *p, size_t len, struct irqs_error *reterr)
{
	while (len) {
		ssize_t n = w->write(w->ctx, p, len);

		if (n <= 0)
			return irqs_fail_errno(reterr, n ? (int)-n : EIO, "write");
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The body of a record; its length and CRC go in front of it when it is complete. */
static void open_record(struct cbor_out *body)
{
	static const uint8_t prefix[RECORD_PREFIX] = { RECORD_HEAD, UINT32_HEAD, 0, 0, 0, 0, UINT32_HEAD };

	cbor_out_init(body);
	cbor_put_raw(body, prefix, sizeof(prefix));
}

static int put_record(struct native_writer *w, struct cbor_out *body, const char *path,
		      struct irqs_error *reterr)
{
	size_t size = body->size - RECORD_PREFIX;
	int rc;

	if (body->failed)
		rc = irqs_fail_nomem(reterr);
	else if (size > NATIVE_RECORD_MAX)
		rc = irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, path,
			       "%zu bytes, a record has %zu at most", size, NATIVE_RECORD_MAX);
	else {
		put_be(body->data + 2, 4, size);
		put_be(body->data + 7, 4, crc32c(0, body->data + RECORD_PREFIX, size));
		rc = put(w, body->data, body->size, reterr);
	}
	cbor_out_deinit(body);
	return rc;
}

int native_writer_init(struct native_writer *w, native_write_fn *write_fn, void *ctx,
		       const struct native_header *header, struct irqs_error *reterr)
{
	static const uint8_t start[] = { MAGIC, ARRAY_OPEN };
	struct cbor_out body;
	int rc;

	*w = (struct native_writer){ .write = write_fn, .ctx = ctx };
	rc = put(w, start, sizeof(start), reterr);
	if (rc)
		return rc;
	open_record(&body);
	cbor_put_map(&body, 4);
	cbor_put_text(&body, "format");
	cbor_put_text(&body, FORMAT_NAME);
	cbor_put_text(&body, "version");
	cbor_put_uint(&body, NATIVE_VERSION);
	cbor_put_text(&body, "capabilities");
	cbor_put_uint(&body, header->capabilities);
	cbor_put_text(&body, "machine");
	cbor_put_text(&body, header->machine);
	return put_record(w, &body, NULL, reterr);
}

int native_write_section(struct native_writer *w, const struct vms_node *section, struct irqs_error *reterr)
{
	struct cbor_out body;
	char path[160];
	int rc;

	open_record(&body);
	native_put_section(&body, section);
	rc = put_record(w, &body, vms_path(section, path, sizeof(path)), reterr);
	if (!rc)
		w->sections++;
	return rc;
}

int native_writer_finish(struct native_writer *w, struct irqs_error *reterr)
{
	static const uint8_t close_byte = ARRAY_CLOSE;
	struct cbor_out body;
	int rc;

	open_record(&body);
	cbor_put_map(&body, 1);
	cbor_put_text(&body, "end");
	cbor_put_uint(&body, w->sections);
	rc = put_record(w, &body, NULL, reterr);
	return rc ? rc : put(w, &close_byte, 1, reterr);
}

int native_write_tree(int fd, const struct vms_node *machine, uint64_t capabilities,
		      struct irqs_error *reterr)
{
	struct native_header header = { .capabilities = capabilities };
	struct native_writer w;
	int rc;

	if (strlen(machine->name) >= sizeof(header.machine))
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "the machine type is too long");
	strcpy(header.machine, machine->name);
	rc = native_writer_init(&w, native_write_fd, &fd, &header, reterr);
	for (const struct vms_node *n = vms_first_child(machine); n && !rc; n = n->next)
		rc = native_write_section(&w, n, reterr);
	return rc ? rc : native_writer_finish(&w, reterr);
}

/* ---- reading ---- */

static int fail(const struct native_reader *r, const char *what, struct irqs_error *reterr)
{
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->pos, NULL, "%s", what);
}

static int get(struct native_reader *r, uint8_t *p, size_t len, struct irqs_error *reterr)
{
	while (len) {
		ssize_t n = r->read(r->ctx, p, len);

		if (n < 0)
			return irqs_fail_errno(reterr, (int)-n, "read at byte %" PRIu64, r->pos);
		if (!n)
			return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->pos, NULL,
					 "the input ends here: %zu bytes were expected", len);
		p += n;
		len -= (size_t)n;
		r->pos += (uint64_t)n;
	}
	return 0;
}

/* The head of an item of major type @major, in any of its lengths. */
static int get_head(struct native_reader *r, uint8_t first, unsigned int major, uint64_t *ret,
		    struct irqs_error *reterr)
{
	unsigned int more = first & 31, len = more < 24 ? 0 : 1u << (more - 24);
	uint8_t be[8];
	int rc;

	*ret = more;
	if (first >> 5 != major || more > 27)
		return fail(r, "not the array and the integers that a record starts with", reterr);
	rc = get(r, be, len, reterr);
	if (!rc && len)
		*ret = get_be(be, len);
	return rc;
}

static int get_uint(struct native_reader *r, uint64_t *ret, struct irqs_error *reterr)
{
	uint8_t first;
	int rc = get(r, &first, 1, reterr);

	return rc ? rc : get_head(r, first, 0, ret, reterr);
}

static int get_body(struct native_reader *r, size_t len, struct irqs_error *reterr)
{
	size_t done = 0;
	int rc = 0;

	while (done < len && !rc) {
		size_t n = len - done < READ_CHUNK ? len - done : READ_CHUNK;

		if (r->capacity - done < n) {
			size_t capacity = done + n > r->capacity * 2 ? done + n : r->capacity * 2;
			uint8_t *more = realloc(r->body, capacity);

			if (!more)
				return irqs_fail_nomem(reterr);
			r->body = more;
			r->capacity = capacity;
		}
		rc = get(r, r->body + done, n, reterr);
		done += n;
	}
	return rc;
}

/* One record into r->body; *ret_end: the array ended in its place. */
static int get_record(struct native_reader *r, size_t *ret_size, bool *ret_end, struct irqs_error *reterr)
{
	uint64_t items, length = 0, crc = 0, start = r->pos;
	uint8_t first = 0;
	int rc;

	*ret_end = r->definite && !r->left;
	if (*ret_end)
		return 0;
	rc = get(r, &first, 1, reterr);
	if (rc)
		return rc;
	if (!r->definite && first == ARRAY_CLOSE) {
		*ret_end = true;
		return 0;
	}
	if ((rc = get_head(r, first, 4, &items, reterr)) || (rc = get_uint(r, &length, reterr)) ||
	    (rc = get_uint(r, &crc, reterr)))
		return rc;
	if (items != 3 || !length || length > NATIVE_RECORD_MAX || crc > UINT32_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)start, NULL,
				 "a record of %" PRIu64 " items and %" PRIu64 " bytes", items, length);
	rc = get_body(r, (size_t)length, reterr);
	if (rc)
		return rc;
	if (crc32c(0, r->body, (size_t)length) != crc)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)start, NULL,
				 "the record's CRC is not 0x%08" PRIx64 ": it was damaged", crc);
	r->left -= r->definite;
	*ret_size = (size_t)length;
	return 0;
}

static bool text_is(const struct native_map *m, unsigned int key, const char *text)
{
	struct cbor_in in = m->at[key];
	struct cbor_item item;

	return cbor_next(&in, &item) && cbor_is_text(&item, text);
}

static int read_header(struct native_reader *r, struct irqs_error *reterr)
{
	enum { FORMAT,
	       VERSION,
	       CAPABILITIES,
	       MACHINE };
	static const char *const keys[] = { "format", "version", "capabilities", "machine", NULL };
	struct cbor_item machine;
	struct cbor_in in;
	struct native_map m;
	uint64_t version;
	size_t size = 0;
	bool end;
	int rc = get_record(r, &size, &end, reterr);

	if (rc)
		return rc;
	in = (struct cbor_in){ r->body, size, 0 };
	if (end || native_get_map(&in, keys, &m) || in.pos != size || !text_is(&m, FORMAT, FORMAT_NAME) ||
	    !native_get_uint(&m, VERSION, UINT64_MAX, &version))
		return fail(r, "no header of the format " FORMAT_NAME, reterr);
	if (version != NATIVE_VERSION)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				 "version %" PRIu64 " of the format " FORMAT_NAME ", %u is known here",
				 version, NATIVE_VERSION);
	in = m.at[MACHINE];
	if (!native_get_uint(&m, CAPABILITIES, UINT64_MAX, &r->header.capabilities) ||
	    !cbor_next(&in, &machine) || machine.kind != CBOR_TEXT ||
	    machine.value >= sizeof(r->header.machine) || memchr(machine.data, 0, machine.value))
		return fail(r, "a header without a capability word or a machine type", reterr);
	memcpy(r->header.machine, machine.data, machine.value);
	return 0;
}

static int open_array(struct native_reader *r, struct irqs_error *reterr)
{
	static const uint8_t magic[] = { MAGIC };
	uint8_t start[sizeof(magic)], first;
	int rc = get(r, start, sizeof(start), reterr);

	if (rc)
		return rc;
	if (memcmp(start, magic, sizeof(magic)) != 0)
		return irqs_fail(reterr, IRQS_MALFORMED, 0, NULL, "not the format " FORMAT_NAME);
	rc = get(r, &first, 1, reterr);
	if (rc || first == ARRAY_OPEN)
		return rc;
	r->definite = true;
	return get_head(r, first, 4, &r->left, reterr);
}

int native_reader_init(struct native_reader *r, native_read_fn *read_fn, void *ctx, struct irqs_error *reterr)
{
	int rc;

	*r = (struct native_reader){ .read = read_fn, .ctx = ctx };
	rc = open_array(r, reterr);
	if (!rc)
		rc = read_header(r, reterr);
	if (rc)
		native_reader_deinit(r);
	return rc;
}

void native_reader_deinit(struct native_reader *r)
{
	free(r->body);
	r->body = NULL;
	r->capacity = 0;
}

/* Whether the record is the end; then it has to be the last, and to know how many sections there were. */
static int check_end(struct native_reader *r, size_t size, bool *ret_end, struct irqs_error *reterr)
{
	static const char *const keys[] = { "end", NULL };
	struct cbor_in in = { r->body, size, 0 };
	struct native_map m;
	uint64_t sections;
	size_t none;
	bool closed;
	int rc;

	*ret_end = !native_get_map(&in, keys, &m) && m.at[0].size;
	if (!*ret_end)
		return 0;
	if (in.pos != size || !native_get_uint(&m, 0, UINT64_MAX, &sections) || sections != r->sections)
		return fail(r, "the end does not know of the sections that were there", reterr);
	rc = get_record(r, &none, &closed, reterr);
	if (!rc && !closed)
		return fail(r, "a record behind the end", reterr);
	return rc;
}

int native_read_section(struct native_reader *r, struct vms_tree *t, struct vms_node **ret,
			struct irqs_error *reterr)
{
	uint64_t start = r->pos;
	size_t size = 0;
	bool end;
	int rc;

	*ret = NULL;
	if (r->ended)
		return 0;
	rc = get_record(r, &size, &end, reterr);
	if (!rc && end)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)start, NULL,
				 "the end is missing: it was cut short");
	if (!rc)
		rc = check_end(r, size, &r->ended, reterr);
	if (rc || r->ended)
		return rc;
	rc = native_get_section(t, r->body, size, r->pos - size, ret, reterr);
	if (!rc)
		r->sections++;
	return rc;
}

int native_read_tree(int fd, struct vms_tree *t, uint64_t *ret_capabilities, struct irqs_error *reterr)
{
	struct native_reader r;
	struct vms_node *n = NULL;
	int rc = native_reader_init(&r, native_read_fd, &fd, reterr);

	if (rc)
		return rc;
	t->machine->name = arena_strndup(&t->arena, r.header.machine, strlen(r.header.machine));
	if (!t->machine->name)
		rc = irqs_fail_nomem(reterr);
	while (!rc && !(rc = native_read_section(&r, t, &n, reterr)) && n)
		;
	if (!rc && ret_capabilities)
		*ret_capabilities = r.header.capabilities;
	native_reader_deinit(&r);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes, in pieces of any size, through the relay: what comes out is what the reader and writer of whole files make
 * of them, or neither takes them; and what comes out of a relay that sends pages again can be read. The first bytes of an
 * input are the lengths of the pieces.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "stream/relay.h"

#define LENGTHS 16

struct bytes {
	uint8_t *data;
	size_t size;
};

static int edit(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct vms_node *last = vms_last_child(s->tree.machine);

	(void)ctx;
	(void)reterr;
	if (last && last->prev && last->kind == VMS_SECTION && strcmp(last->name, "configuration") != 0)
		vms_remove(last);
	return 0;
}

static void seed(const char *folder, const char *name, const uint8_t lengths[LENGTHS], const struct stream_builder *b)
{
	uint8_t *p = malloc(LENGTHS + b->out.size);

	if (!p)
		abort();
	memcpy(p, lengths, LENGTHS);
	memcpy(p + LENGTHS, b->out.data, b->out.size);
	seed_write(folder, name, p, LENGTHS + b->out.size);
	free(p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint8_t bytewise[LENGTHS], mixed[LENGTHS] = { 255, 3, 90, 8, 1, 200, 17, 255, 4 };
	const char *folder = seed_folder(*argc, *argv);

	for (unsigned int i = 0; folder && i < 4; i++) {
		struct stream_builder b;
		char name[16];

		sb_init(&b);
		sb_everything(&b, !(i & 1), !(i & 2), i == 3 ? 9 : 0);
		snprintf(name, sizeof(name), "bytes-%u", i);
		seed(folder, name, bytewise, &b);
		snprintf(name, sizeof(name), "mixed-%u", i);
		seed(folder, name, mixed, &b);
		sb_deinit(&b);
	}
	return 0;
}

static void add(struct bytes *b, const struct iovec *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		b->data = realloc(b->data, b->size + pieces[i].iov_len);
		if (!b->data)
			abort();
		memcpy(b->data + b->size, pieces[i].iov_base, pieces[i].iov_len);
		b->size += pieces[i].iov_len;
	}
}

static int whole(const uint8_t *data, size_t size, struct bytes *ret)
{
	int out = memfd_create("out", MFD_CLOEXEC), rc;
	struct irqs_error err = { 0 };
	struct qemu_stream s;

	rc = qemu_stream_read(&s, file_of(data, size), NULL, &err);
	if (!rc) {
		rc = edit(NULL, &s, &err);
		if (!rc)
			rc = qemu_stream_write(&s, out, &err);
		qemu_stream_deinit(&s);
	}
	if (!rc)
		ret->data = sb_slurp(out, &ret->size);
	close(out);
	return rc;
}

static bool wanted(const uint8_t *page)
{
	return page[0] & 1;
}

/* Pages that are kept get another byte. */
static int edit_pages(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct relay **r = ctx;

	(void)s;
	(void)reterr;
	for (uint64_t at = 0; at < 64; at++) {
		const uint8_t *page;
		const char *why;

		if (relay_page(*r, at * 4096, &page, &why) == RELAY_PAGE_KEPT &&
		    (!wanted(page) || relay_change_page(*r, at * 4096 + 7, "x", 1, NULL)))
			abort();
	}
	return 0;
}

static int pieces(const uint8_t lengths[LENGTHS], const uint8_t *data, size_t size, bool pages, struct bytes *ret,
		  struct irqs_error *reterr)
{
	struct relay *r;
	const struct relay_options opt = {
		.convert = pages ? edit_pages : edit,
		.ctx = &r,
		.wants_page = pages ? wanted : NULL,
	};
	struct iovec out[RELAY_PIECES];
	size_t n;
	int rc = relay_create(&r, &opt, reterr);

	for (size_t at = 0, i = 0; !rc && at < size; i++) {
		size_t len = 1 + (size_t)lengths[i % LENGTHS];

		len = len < size - at ? len : size - at;
		rc = relay_feed(r, data + at, len, out, &n, reterr);
		if (!rc)
			add(ret, out, n);
		at += len;
	}
	if (!rc)
		rc = relay_end(r, out, &n, reterr);
	if (!rc)
		add(ret, out, n);
	relay_destroy(r);
	return rc;
}

static void check_pages(const uint8_t *data, size_t size)
{
	struct irqs_error err = { 0 };
	struct bytes b = { 0 };
	struct qemu_stream s;
	int rc = pieces(data, data + LENGTHS, size - LENGTHS, true, &b, &err);

	if (rc && err.status == IRQS_DONE)
		abort();
	if (!rc) {
		if (qemu_stream_read(&s, file_of(b.data, b.size), NULL, &err))
			abort();
		qemu_stream_deinit(&s);
	}
	free(b.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes by_relay = { 0 }, by_file = { 0 };
	struct irqs_error err = { 0 };
	int relayed, read;

	if (size < LENGTHS)
		return 0;
	relayed = pieces(data, data + LENGTHS, size - LENGTHS, false, &by_relay, &err);
	read = whole(data + LENGTHS, size - LENGTHS, &by_file);
	/* A device before the end of the RAM, or bytes that look like a vmdescription: refused or left, never changed. */
	if (!relayed && (read || by_relay.size != by_file.size || memcmp(by_relay.data, by_file.data, by_file.size) != 0))
		abort();
	if (relayed && err.status == IRQS_DONE)
		abort();
	if (relayed && !read && err.status != IRQS_REFUSED)
		abort();
	check_pages(data, size);
	free(by_relay.data);
	free(by_file.data);
	return 0;
}

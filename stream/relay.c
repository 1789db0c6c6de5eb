/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/relay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/relay_priv.h"

/* A configuration with all its capabilities is below 1 KiB, and cannot be above this. */
#define HEAD_MAX ((size_t)128 << 10)

#define MULTIFD_MAGIC 0x11223344u
#define TLS_HANDSHAKE 0x16u

struct relay {
	struct relay_options opt;
	enum relay_phase phase;
	uint8_t *head; /* header and configuration */
	size_t head_used, head_size;
	uint64_t bytes;
	struct qemu_ram ram;
	struct qemu_walk walk;
	uint8_t part[QEMU_WALK_NEED_MAX]; /* what is there of the bytes that the next step looks at */
	size_t have;
	struct relay_tail tail;
	struct relay_pages *pages; /* or NULL */
	bool ended;                /* the last section of the RAM has begun, and went on as one that is not the last */
	size_t end_at;             /* where it begins in the bytes that are fed, or NOWHERE */
};

#define NOWHERE SIZE_MAX

/* Bytes that are being fed, and the pieces that come of them. */
struct feed {
	const uint8_t *data;
	size_t len;
	struct iovec *ret;
	size_t *ret_n;
	struct irqs_error *reterr;
};

int relay_create(struct relay **ret, const struct relay_options *opt, struct irqs_error *reterr)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return irqs_fail_nomem(reterr);
	r->opt = *opt;
	r->tail.held = -1;
	r->head = malloc(HEAD_MAX);
	if (r->opt.wants_page)
		r->pages = relay_pages_create(r->opt.wants_page);
	if (!r->head || (r->opt.wants_page && !r->pages)) {
		relay_destroy(r);
		return irqs_fail_nomem(reterr);
	}
	*ret = r;
	return 0;
}

void relay_destroy(struct relay *r)
{
	if (!r)
		return;
	relay_tail_deinit(&r->tail);
	relay_pages_destroy(r->pages);
	free(r->head);
	free(r);
}

static void give(struct feed *f, const void *data, size_t len)
{
	if (len)
		f->ret[(*f->ret_n)++] = (struct iovec){ .iov_base = (void *)data, .iov_len = len };
}

/* ---- header and configuration ---- */

static int check_first(const struct relay *r, struct irqs_error *reterr)
{
	if (r->head_used >= 4 && get_be(r->head, 4) == MULTIFD_MAGIC)
		return irqs_fail(reterr, IRQS_REFUSED, 0, NULL,
				 "a channel of a multifd migration (set the capability multifd off on both sides)");
	if (r->head[0] == TLS_HANDSHAKE)
		return irqs_fail(reterr, IRQS_REFUSED, 0, NULL,
				 "an encrypted migration (set the parameter tls-creds to nothing on both sides)");
	return 0;
}

/* Return: how many of the fed bytes belong to the head, or -errno. */
static ssize_t feed_head(struct relay *r, struct feed *f)
{
	size_t before = r->head_used, n = HEAD_MAX - before < f->len ? HEAD_MAX - before : f->len;
	struct qemu_ram_mode mode;
	int rc;

	memcpy(r->head + before, f->data, n);
	r->head_used += n;
	rc = check_first(r, f->reterr);
	if (!rc)
		rc = qemu_read_head(r->head, r->head_used, &mode, &r->head_size, f->reterr);
	if (rc == -EAGAIN && r->head_used < HEAD_MAX)
		return (ssize_t)n;
	if (rc)
		return rc == -EAGAIN ? -EBADMSG : rc;
	r->phase = RELAY_RAM;
	if (r->pages && mode.mapped_ram)
		return irqs_fail(f->reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "ram",
				 "mapped RAM, of which no page can be sent again (convert a file)");
	r->walk = (struct qemu_walk){
		.pos = r->head_size,
		.size = UINT64_MAX,
		.mode = mode,
		.ram = &r->ram,
		.watch = r->pages ? &r->pages->watch : NULL,
	};
	give(f, r->head, r->head_size);
	return (ssize_t)(r->head_size - before);
}

/* ---- commands and RAM ---- */

/* What the walk has seen so far and cannot go through one connection with a converter in it. */
static int check_live(const struct relay *r, struct irqs_error *reterr)
{
	if (!r->opt.live)
		return 0;
	if (r->walk.mode.postcopy_advised)
		return irqs_fail(reterr, IRQS_REFUSED, (int64_t)r->walk.pos, NULL,
				 "a migration that may become postcopy (set the capability postcopy-ram off on both sides)");
	if (r->walk.multifd)
		return irqs_fail(reterr, IRQS_REFUSED, (int64_t)r->walk.pos, NULL,
				 "a multifd migration (set the capability multifd off on both sides)");
	return 0;
}

static int step(struct relay *r, const uint8_t *p, struct irqs_error *reterr)
{
	int taken = qemu_walk_step(&r->walk, p), rc = taken < 0 ? taken : check_live(r, reterr);

	return rc ? rc : taken;
}

static void pass(struct relay *r, const uint8_t *p, size_t n)
{
	if (r->pages && n)
		relay_pages_take(r->pages, &r->walk, p, n);
	r->walk.skip -= n;
	r->walk.pos += n;
}

/* Bytes that the walk does not look at, those kept of the step before first. Return: how many fed bytes they are. */
static size_t skip(struct relay *r, const uint8_t *p, size_t len)
{
	size_t part = r->walk.skip < r->have ? (size_t)r->walk.skip : r->have, n;

	pass(r, r->part, part);
	r->have -= part;
	memmove(r->part, r->part + part, r->have);
	n = r->walk.skip < len ? (size_t)r->walk.skip : len;
	pass(r, p, n);
	return n;
}

/* One step, out of the fed bytes where all it needs lies there. Return: how many fed bytes were used, or -errno. */
static ssize_t feed_step(struct relay *r, const uint8_t *p, size_t len, struct irqs_error *reterr)
{
	size_t n = 0;
	int taken;

	if (!r->have && len >= r->walk.need)
		return step(r, p, reterr);
	if (r->have < r->walk.need) {
		n = r->walk.need - r->have < len ? r->walk.need - r->have : len;
		memcpy(r->part + r->have, p, n);
		r->have += n;
	}
	if (r->have < r->walk.need)
		return (ssize_t)n;
	taken = step(r, r->part, reterr);
	if (taken < 0)
		return taken;
	r->have -= (size_t)taken;
	memmove(r->part, r->part + taken, r->have);
	return (ssize_t)n;
}

/* At the type byte of the last section of the RAM, @used bytes into those that are fed. */
static int begin_end(struct relay *r, size_t used, struct irqs_error *reterr)
{
	if (!r->pages)
		return 0;
	if (r->ended)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->walk.pos, "ram", "it ends twice");
	r->ended = true;
	r->end_at = r->have ? NOWHERE : used; /* else its type is out already, and it ends twice */
	return 0;
}

/* At the type byte of a section. Return: 1 when it is for the devices, 0, -errno. */
static int begin_section(struct relay *r, uint8_t type, size_t used, struct irqs_error *reterr)
{
	int rc = type == QEMU_VM_SECTION_END ? begin_end(r, used, reterr) : 0;

	if (rc)
		return rc;
	switch (type) {
	case QEMU_VM_SECTION_START:
	case QEMU_VM_SECTION_PART:
	case QEMU_VM_SECTION_END:
	case QEMU_VM_COMMAND:
		qemu_walk_begin(&r->walk);
		return 0;
	case QEMU_VM_SECTION_FULL:
	case QEMU_VM_EOF:
		if (!r->walk.ram_ended)
			return irqs_fail(reterr, IRQS_REFUSED, (int64_t)r->walk.pos, NULL,
					 "a device that comes before the RAM has ended (convert a saved stream)");
		return 1;
	default:
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->walk.pos, NULL,
				 "unknown section type 0x%02x", type);
	}
}

/* Bytes that are not the head's. Return: how many of them are no device's, or -errno. */
static ssize_t feed_ram(struct relay *r, const uint8_t *p, size_t len, struct irqs_error *reterr)
{
	size_t used = 0;

	r->walk.reterr = reterr;
	while (used < len || r->have) {
		ssize_t n;

		if (r->walk.skip) {
			used += skip(r, p + used, len - used);
			if (r->walk.skip)
				break;
			continue;
		}
		if (!r->walk.need) {
			/* Behind the first section, which is no device's, its type byte was looked at already. */
			uint8_t type = r->have ? r->part[0] : p[used];
			int rc = begin_section(r, type, used, reterr);

			if (rc < 0)
				return rc;
			if (rc) {
				r->phase = RELAY_DEVICES;
				break;
			}
			continue;
		}
		n = feed_step(r, p + used, len - used, reterr);
		if (n < 0)
			return n;
		used += (size_t)n;
		if (used == len && r->have < r->walk.need)
			break;
	}
	return (ssize_t)used;
}

/* One section more follows the last one of the source, if pages are kept. */
static void give_ram(const struct relay *r, struct feed *f, const uint8_t *p, size_t len)
{
	static const uint8_t part = QEMU_VM_SECTION_PART;

	if (r->end_at < len) {
		give(f, p, r->end_at);
		give(f, &part, 1);
		p += r->end_at + 1;
		len -= r->end_at + 1;
	}
	give(f, p, len);
}

/* ---- devices ---- */

static int convert(struct relay *r, struct feed *f, bool at_end)
{
	struct iovec converted, section = { NULL, 0 };
	int rc = relay_tail_convert(&r->tail, &r->opt, &r->walk, at_end, &converted, f->reterr);

	if (!rc && r->ended)
		rc = relay_pages_end(r->pages, &r->walk, &section, f->reterr);
	if (rc)
		return rc;
	r->phase = RELAY_DONE;
	give(f, section.iov_base, section.iov_len);
	give(f, converted.iov_base, converted.iov_len);
	return 0;
}

static int feed_devices(struct relay *r, struct feed *f, const uint8_t *p, size_t len)
{
	int rc = 0;

	bool complete;

	if (r->tail.held < 0)
		rc = relay_tail_begin(&r->tail, r->head, r->head_size, r->walk.pos, f->reterr);
	if (!rc)
		rc = relay_tail_add(&r->tail, p, len, f->reterr);
	if (rc <= 0)
		return rc;
	complete = rc == RELAY_COMPLETE;
	rc = convert(r, f, false);
	if (rc == -EAGAIN)
		rc = complete ? -EBADMSG : 0;
	return rc;
}

static int feed_padding(struct relay *r, struct feed *f, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return irqs_fail(f->reterr, IRQS_MALFORMED, (int64_t)(r->bytes - len + i), NULL,
					 "bytes behind the end of the stream");
	give(f, p, len);
	return 0;
}

int relay_feed(struct relay *r, const void *data, size_t len, struct iovec ret[RELAY_PIECES], size_t *ret_n,
	       struct irqs_error *reterr)
{
	struct feed f = { .data = data, .len = len, .ret = ret, .ret_n = ret_n, .reterr = reterr };
	const uint8_t *p = data;

	*ret_n = 0;
	if (!len)
		return 0;
	r->bytes += len;
	if (r->phase == RELAY_DONE)
		return feed_padding(r, &f, p, len);
	if (r->phase == RELAY_HEAD) {
		ssize_t n = feed_head(r, &f);

		if (n < 0)
			return (int)n;
		p += n;
		len -= (size_t)n;
	}
	if (r->phase == RELAY_RAM) {
		ssize_t n;

		r->end_at = NOWHERE;
		n = feed_ram(r, p, len, reterr);
		if (n < 0)
			return (int)n;
		give_ram(r, &f, p, (size_t)n);
		p += n;
		len -= (size_t)n;
	}
	return r->phase == RELAY_DEVICES ? feed_devices(r, &f, p, len) : 0;
}

int relay_pause(struct relay *r, struct iovec ret[RELAY_PIECES], size_t *ret_n, struct irqs_error *reterr)
{
	struct feed f = { .ret = ret, .ret_n = ret_n, .reterr = reterr };
	int rc;

	*ret_n = 0;
	if (r->phase != RELAY_DEVICES)
		return 0;
	rc = convert(r, &f, true);
	return rc == -EAGAIN ? 0 : rc;
}

int relay_end(struct relay *r, struct iovec ret[RELAY_PIECES], size_t *ret_n, struct irqs_error *reterr)
{
	struct feed f = { .ret = ret, .ret_n = ret_n, .reterr = reterr };
	int rc;

	*ret_n = 0;
	switch (r->phase) {
	case RELAY_DONE:
		return 0;
	case RELAY_DEVICES:
		rc = convert(r, &f, true);
		return rc == -EAGAIN ? -EBADMSG : rc;
	case RELAY_HEAD:
		if (!r->bytes)
			return irqs_fail(reterr, IRQS_MALFORMED, 0, NULL, "not a QEMU stream: the input is empty");
		break;
	case RELAY_RAM:
		break;
	}
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)r->bytes, r->phase == RELAY_RAM ? "ram" : NULL,
			 "the input ends here, before the devices");
}

enum relay_page relay_page(struct relay *r, uint64_t offset, const uint8_t **ret, const char **ret_why)
{
	return r->pages ? relay_pages_look(r->pages, offset, ret, ret_why) : RELAY_PAGE_OTHER;
}

int relay_change_page(struct relay *r, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr)
{
	if (r->pages)
		return relay_pages_change(r->pages, at, bytes, len, reterr);
	irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, "ram", "no pages are kept");
	return -ERANGE;
}

void relay_progress(const struct relay *r, struct relay_progress *ret)
{
	*ret = (struct relay_progress){
		.phase = r->phase,
		.bytes = r->bytes,
		.held = r->tail.held < 0 ? 0 : r->tail.size - r->tail.head,
		.return_path = r->walk.return_path,
		.ram_started = r->walk.have_ram,
		.ram = r->ram,
	};
}

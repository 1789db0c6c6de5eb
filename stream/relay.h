/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU stream converted while it comes. Header, configuration, commands and RAM go on as soon as they are known to be
 * that; the device state is held back until its vmdescription is there, is converted, and goes on then. What stays in
 * memory is the device state, never RAM, but for single pages that the conversion may have to change.
 *
 * The relay does no input or output of streams: it is fed with bytes in pieces of any size, and says which bytes go on.
 */
#ifndef IRQSHIFT_STREAM_RELAY_H
#define IRQSHIFT_STREAM_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "stream/qemu.h"

/* The most pieces that one call gives out: head, RAM before, at and behind the start of its last section, pages, devices. */
#define RELAY_PIECES 6

/* The most pages that a relay keeps. */
#define RELAY_PAGES_MAX 1024u

struct relay;

/* Whether a page of these bytes, 4096, may have to be changed. */
typedef bool relay_wants_page(const uint8_t *bytes);

struct relay_options {
	/**
	 * convert - edit the tree of a stream that has everything but the RAM
	 * @ctx: of these options
	 * @s: what was read; node and error offsets are those of this stream, without the RAM
	 *
	 * Return: 0 or -errno; nothing of the devices goes on then.
	 */
	int (*convert)(void *ctx, struct qemu_stream *s, struct irqs_error *reterr);
	void *ctx;
	/* As those of struct qemu_read_options. */
	const struct vms_desc *(*find_desc)(const char *idstr);
	const char *twin_vmdesc;
	size_t twin_vmdesc_size;
	/*
	 * Which pages of the machine's main block of RAM (stream/qemu_pages.h) convert() may want to see and change; NULL:
	 * none. A page goes on as it comes, what came last of it is kept, and one that was changed is sent once more: the last
	 * section of the RAM goes on as one that is not the last, and one with the changed pages follows it.
	 */
	relay_wants_page *wants_page;
	/* Between two hosts that wait for each other: what cannot work through one connection is refused at once. */
	bool live;
};

enum relay_phase {
	RELAY_HEAD,    /* header and configuration are not complete yet */
	RELAY_RAM,     /* commands and RAM */
	RELAY_DEVICES, /* held back */
	RELAY_DONE,    /* converted; only padding may follow */
};

struct relay_progress {
	enum relay_phase phase;
	uint64_t bytes;   /* that came */
	uint64_t held;    /* of devices and vmdescription */
	bool return_path; /* the source listens to what the destination says */
	bool ram_started; /* its blocks were announced */
	struct qemu_ram ram;
};

/* relay_create - a relay; *@ret ends with relay_destroy(). @opt is copied. Return: 0 or -errno. */
int relay_create(struct relay **ret, const struct relay_options *opt, struct irqs_error *reterr);
void relay_destroy(struct relay *r);

/**
 * relay_feed - bytes that came
 * @r: the relay
 * @data: they may lie inside the pieces that go on
 * @len: how many
 * @ret: receives the pieces that go on now, in their order; they stay as they are until relay_destroy(), those that
 *       lie in @data as long as it does
 * @ret_n: receives how many pieces
 *
 * Time is linear in the bytes; the call that completes the device state takes the time of the conversion.
 *
 * Return: 0; -EBADMSG (IRQS_MALFORMED); -EOPNOTSUPP (IRQS_REFUSED), with the setting to change where it is one; what
 * convert() returned; -errno. After an error the relay can only be destroyed.
 */
int relay_feed(struct relay *r, const void *data, size_t len, struct iovec ret[RELAY_PIECES], size_t *ret_n,
	       struct irqs_error *reterr);

/**
 * relay_pause - nothing came for a while
 *
 * A stream without vmdescription ends in a byte that could also be one of a device. A source that waits for an answer
 * sends nothing behind it: what is held is then converted if it reads as a complete stream. As relay_feed().
 */
int relay_pause(struct relay *r, struct iovec ret[RELAY_PIECES], size_t *ret_n, struct irqs_error *reterr);

/* relay_end - the input has ended. As relay_feed(); -EBADMSG when that is too early. */
int relay_end(struct relay *r, struct iovec ret[RELAY_PIECES], size_t *ret_n, struct irqs_error *reterr);

enum relay_page {
	RELAY_PAGE_OTHER, /* it did not come, or was none of those wanted when it came last */
	RELAY_PAGE_KEPT,
	RELAY_PAGE_UNKNOWN, /* it may be one of those, but is not kept */
};

/**
 * relay_page - what came last of a page, for convert()
 * @r: the relay
 * @offset: of the page in the main block
 * @ret: receives its bytes when it is RELAY_PAGE_KEPT, good until it is changed
 * @ret_why: receives the reason when it is RELAY_PAGE_UNKNOWN
 */
enum relay_page relay_page(struct relay *r, uint64_t offset, const uint8_t **ret, const char **ret_why);

/**
 * relay_change_page - other bytes in a page that is kept, from convert(): the page is sent again
 * @at: where in the main block; all in one page
 *
 * Return: 0; -ERANGE when the page is not kept.
 */
int relay_change_page(struct relay *r, uint64_t at, const void *bytes, size_t len, struct irqs_error *reterr);

/* relay_progress - how far it is. */
void relay_progress(const struct relay *r, struct relay_progress *ret);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A QEMU stream converted while it comes. Header, configuration, commands and RAM go on as soon as they are known to be
 * that; the device state is held back until its vmdescription is there, is converted, and goes on then. What stays in
 * memory is the device state, never RAM.
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

/* The most pieces that one call gives out: head, RAM, devices. */
#define RELAY_PIECES 3

struct relay;

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

/* relay_progress - how far it is. */
void relay_progress(const struct relay *r, struct relay_progress *ret);

#endif

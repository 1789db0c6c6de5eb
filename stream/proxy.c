/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/proxy.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/monotonic.h"
#include "stream/address.h"
#include "stream/return_path_priv.h"
#include "stream/transport.h"

#define TICK_MS 100
/* A source that has sent its last byte and waits for an answer; one that is slow is not taken for it. */
#define PAUSE_MS 1000
/* What a destination takes to close a connection on which nothing can come any more. */
#define CLOSE_MS 10000
#define MULTIFD_MAGIC 0x11223344u
#define CHANNELS 4u

struct proxy {
	const struct proxy_options *opt;
	struct transport *transport;
	unsigned int there, back; /* the two ways */
	struct return_path answers;
	struct proxy_status status;
	bool source_is_tcp;
	int64_t start_us, devices_us, last_us, end_us; /* -1: not yet */
	int channels[CHANNELS];                        /* further connections of a source; -1: none */
};

static void tell(struct proxy *p)
{
	struct proxy_status *s = &p->status;

	relay_progress(p->opt->relay, &s->relay);
	s->written = p->transport ? transport_written(p->transport, p->there) : 0;
	s->elapsed_ms = (monotonic_ns() / 1000 - p->start_us) / 1000;
	s->switchover_ack = p->answers.switchover_ack;
	s->shut = p->answers.shut;
	s->shut_value = p->answers.shut_value;
	if (p->opt->status)
		p->opt->status(p->opt->ctx, s);
}

/* ---- further connections ---- */

static bool is_multifd(int fd, ssize_t *ret_n)
{
	uint8_t magic[4];

	*ret_n = recv(fd, magic, sizeof(magic), MSG_DONTWAIT | MSG_PEEK);
	return *ret_n == (ssize_t)sizeof(magic) && get_be(magic, 4) == MULTIFD_MAGIC;
}

static int refuse_multifd(struct irqs_error *reterr)
{
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			 "a multifd migration: its pages come by connections of their own (set the capability multifd off on both sides)");
}

static void forget_channel(struct proxy *p, int fd)
{
	for (unsigned int i = 0; i < CHANNELS; i++)
		if (p->channels[i] == fd)
			p->channels[i] = -1;
	close(fd);
}

static int channel_ready(void *ctx, int fd, struct irqs_error *reterr)
{
	ssize_t n;

	if (is_multifd(fd, &n))
		return refuse_multifd(reterr);
	if (n > 0 && n < 4)
		return 0; /* the rest is on its way */
	forget_channel(ctx, fd);
	return 1; /* another source has to wait until this one is through */
}

static int connection_ready(void *ctx, int fd, struct irqs_error *reterr)
{
	struct proxy *p = ctx;
	int channel = address_accept(fd, reterr);

	if (channel < 0)
		return channel == -EAGAIN || channel == -ECONNABORTED ? 0 : channel;
	for (unsigned int i = 0; i < CHANNELS; i++)
		if (p->channels[i] < 0) {
			p->channels[i] = channel;
			return transport_watch(p->transport, channel, channel_ready, p, reterr);
		}
	close(channel);
	return 0;
}

/* A source may give up before its channels were looked at, or even accepted. */
static bool any_multifd(struct proxy *p)
{
	struct pollfd ready = { .fd = p->opt->listening, .events = POLLIN };
	ssize_t n;

	for (unsigned int i = 0; i < CHANNELS && ready.fd >= 0 && poll(&ready, 1, 0) > 0; i++)
		if (connection_ready(p, ready.fd, NULL))
			break;
	for (unsigned int i = 0; i < CHANNELS; i++)
		if (p->channels[i] >= 0 && is_multifd(p->channels[i], &n))
			return true;
	return false;
}

/* ---- from the source to the destination ---- */

static void note_phase(struct proxy *p, int64_t before)
{
	enum relay_phase was = p->status.relay.phase;
	bool ram_was_started = p->status.relay.ram_started;
	struct relay_progress now;

	relay_progress(p->opt->relay, &now);
	if (now.phase >= RELAY_DEVICES && p->devices_us < 0)
		p->devices_us = before;
	if (now.phase == RELAY_DONE && p->status.held_us < 0)
		p->status.held_us = monotonic_ns() / 1000 - p->devices_us;
	if (now.phase != was || now.ram_started != ram_was_started)
		tell(p);
}

/*
 * QEMU's socket waits with a last small piece until all before it is acknowledged, and the kernel waits with that for 40 ms
 * unless it is told, each time anew.
 */
static void acknowledge(const struct proxy *p)
{
	const int on = 1;

	if (p->source_is_tcp)
		(void)setsockopt(p->opt->source, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static bool is_tcp(int fd)
{
	socklen_t len = sizeof(int);
	int domain = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) && (domain == AF_INET || domain == AF_INET6);
}

static int source_ended(struct proxy *p, struct iovec *ret, size_t *ret_n, struct irqs_error *reterr)
{
	int rc;

	p->end_us = monotonic_ns() / 1000;
	relay_progress(p->opt->relay, &p->status.relay);
	if (p->status.relay.phase < RELAY_DEVICES)
		return irqs_fail(reterr, IRQS_SYSTEM, (int64_t)p->status.relay.bytes, NULL,
				 "the source ended the migration before its devices came");
	rc = relay_end(p->opt->relay, ret, ret_n, reterr);
	if (!rc)
		note_phase(p, p->last_us);
	return rc;
}

static int pass_there(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		      struct irqs_error *reterr)
{
	struct proxy *p = ctx;
	int64_t before = monotonic_ns() / 1000;
	int rc;

	if (!len)
		return source_ended(p, ret, ret_n, reterr);
	p->last_us = before;
	acknowledge(p);
	rc = relay_feed(p->opt->relay, data, len, ret, ret_n, reterr);
	if (!rc)
		note_phase(p, before);
	return rc;
}

/* ---- from the destination to the source ---- */

static int pass_back(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		     struct irqs_error *reterr)
{
	struct proxy *p = ctx;
	struct relay_progress now;

	relay_progress(p->opt->relay, &now);
	if (!len && (now.phase != RELAY_DONE || transport_unwritten(p->transport, p->there)))
		return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL,
				 "the destination ended the migration: its own messages say why");
	return_path_feed(&p->answers, data, len);
	ret[0] = (struct iovec){ .iov_base = (void *)data, .iov_len = len };
	*ret_n = len ? 1 : 0;
	return 0;
}

/* Whether the destination has all it needs to run the guest. */
static bool has_all(const struct proxy *p)
{
	struct relay_progress now;

	relay_progress(p->opt->relay, &now);
	return now.phase == RELAY_DONE && p->transport && !transport_unwritten(p->transport, p->there);
}

static int cancelled(void *ctx, int fd, struct irqs_error *reterr)
{
	(void)fd;
	if (has_all(ctx))
		return 1; /* too late: the guest may run there */
	irqs_fail_errno(reterr, ECANCELED, "interrupted");
	return -ECANCELED;
}

/* ---- all together ---- */

static int set_up(struct proxy *p, struct irqs_error *reterr)
{
	const struct proxy_options *o = p->opt;
	const struct transport_options transport = { .plain = o->plain };
	const struct transport_way there = {
		.in = o->source,
		.out = o->destination,
		.in_name = "source",
		.out_name = "destination",
		.pass = pass_there,
		.ctx = p,
		.shut = true,
	};
	const struct transport_way back = {
		.in = o->destination,
		.out = o->source,
		.in_name = "destination",
		.out_name = "source",
		.pass = pass_back,
		.ctx = p,
		.shut = true,
	};
	int rc = transport_create(&p->transport, &transport, reterr);

	if (!rc)
		rc = transport_add(p->transport, &there, &p->there, reterr);
	if (!rc)
		rc = transport_add(p->transport, &back, &p->back, reterr);
	if (!rc && o->listening >= 0)
		rc = transport_watch(p->transport, o->listening, connection_ready, p, reterr);
	if (!rc && o->cancel >= 0)
		rc = transport_watch(p->transport, o->cancel, cancelled, p, reterr);
	return rc;
}

/* A stream without vmdescription has its end where nothing more comes. */
static int check_pause(struct proxy *p, struct irqs_error *reterr)
{
	struct iovec pieces[RELAY_PIECES];
	size_t n;
	int rc;

	if (p->status.relay.phase != RELAY_DEVICES || monotonic_ns() / 1000 - p->last_us < (int64_t)PAUSE_MS * 1000 ||
	    transport_unwritten(p->transport, p->there))
		return 0;
	rc = relay_pause(p->opt->relay, pieces, &n, reterr);
	if (!rc && n)
		rc = transport_give(p->transport, p->there, pieces, n, reterr);
	if (!rc)
		note_phase(p, p->last_us);
	return rc;
}

static bool is_over(const struct proxy *p)
{
	return p->end_us >= 0 && monotonic_ns() / 1000 - p->end_us > (int64_t)CLOSE_MS * 1000 &&
	       !transport_unwritten(p->transport, p->there);
}

static int carry(struct proxy *p, struct irqs_error *reterr)
{
	for (;;) {
		int rc = transport_run(p->transport, TICK_MS, reterr);

		if (rc != -ETIMEDOUT)
			return rc;
		tell(p);
		rc = check_pause(p, reterr);
		if (rc || is_over(p))
			return rc;
	}
}

/*
 * A source that listens hears of a failure as from a destination; the end of the connection says it to any other. Nothing
 * is said in the name of a destination that may have the guest.
 */
static void fail_source(struct proxy *p)
{
	uint8_t shut[RETURN_PATH_SHUT_SIZE];

	relay_progress(p->opt->relay, &p->status.relay);
	if (p->status.relay.return_path && return_path_between(&p->answers) && !has_all(p) && p->transport &&
	    !transport_unwritten(p->transport, p->back)) {
		return_path_put_shut(shut, 1);
		(void)send(p->opt->source, shut, sizeof(shut), MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	(void)shutdown(p->opt->source, SHUT_RDWR);
	(void)shutdown(p->opt->destination, SHUT_RDWR);
}

int proxy_run(const struct proxy_options *opt, struct irqs_error *reterr)
{
	struct proxy p = {
		.opt = opt,
		.status = { .held_us = -1 },
		.start_us = monotonic_ns() / 1000,
		.devices_us = -1,
		.end_us = -1,
		.channels = { -1, -1, -1, -1 },
		.source_is_tcp = is_tcp(opt->source),
	};
	int rc = set_up(&p, reterr);

	if (!rc)
		rc = carry(&p, reterr);
	if (!rc && p.answers.shut && p.answers.shut_value)
		rc = irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL,
			       "the destination could not load the machine: its own messages say why");
	if (rc == -EIO || rc == -EPIPE || rc == -ECONNRESET) {
		relay_progress(opt->relay, &p.status.relay);
		if (p.transport && p.status.relay.phase < RELAY_DEVICES && any_multifd(&p))
			rc = refuse_multifd(reterr);
	}
	if (rc)
		fail_source(&p);
	for (unsigned int i = 0; i < CHANNELS; i++)
		if (p.channels[i] >= 0)
			close(p.channels[i]);
	if (p.transport)
		tell(&p);
	transport_destroy(p.transport);
	return rc;
}

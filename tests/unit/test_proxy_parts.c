/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses, the return path, and whole migrations between two threads that play QEMU. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/address.h"
#include "stream/proxy.h"
#include "stream/return_path_priv.h"
#include "tests/unit/stream_builder.h"

static char dir[] = "/tmp/irqshift-proxy-XXXXXX";

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	cr_assert(mkdtemp(dir));
}

static void teardown(void)
{
	cr_expect(!rmdir(dir), "something is left in the folder");
}

TestSuite(proxy_parts, .init = setup, .fini = teardown, .timeout = 60);

/* ---- addresses ---- */

static void expect_no_address(const char *text, const char *why)
{
	struct irqs_error err = { 0 };

	cr_expect(address_check(text, &err) == -EINVAL && err.status == IRQS_USAGE && strstr(err.text, why), "%s: %s", text,
		  err.text);
}

Test(proxy_parts, an_address_is_unix_or_tcp)
{
	char text[300] = "unix:";

	expect_no_address("", "unix:PATH");
	expect_no_address("/tmp/x", "unix:PATH");
	expect_no_address("exec:cat", "unix:PATH");
	expect_no_address("tcp:host", "no port");
	expect_no_address("tcp:host:", "no port");
	expect_no_address("unix:", "length");
	memset(text + 5, 'x', 200);
	expect_no_address(text, "length");
	cr_expect(!address_check("tcp::4444", NULL) && !address_check("tcp:[::1]:4444", NULL));
}

static void expect_connects(const char *listen, const char *prefix)
{
	struct irqs_error err;
	char text[256], c = 0;
	int l = address_listen(listen, &err), a, b;

	cr_assert(l >= 0, "%s: %s", listen, err.text);
	cr_expect(!strncmp(address_format(l, text, sizeof(text)), prefix, strlen(prefix)), "%s", text);
	a = address_connect(text, &err);
	cr_assert(a >= 0, "%s", err.text);
	b = address_accept(l, &err);
	cr_assert(b >= 0 && write(a, "x", 1) == 1 && read(b, &c, 1) == 1 && c == 'x');
	cr_expect(address_listen(text, &err) == -EADDRINUSE, "%s", err.text);
	close(a);
	close(b);
	close(l);
}

Test(proxy_parts, what_listens_can_be_connected_to)
{
	struct irqs_error err;
	char path[64];
	int fd;

	expect_connects("tcp:127.0.0.1:0", "tcp:127.0.0.1:");
	snprintf(path, sizeof(path), "unix:%s/socket", dir);
	expect_connects(path, path);
	/* Nobody listens there any more. */
	cr_expect(address_connect(path, &err) == -ECONNREFUSED && strstr(err.text, "cannot connect"), "%s", err.text);
	expect_connects(path, path);
	address_forget(path);
	/* A file that is no socket stays. */
	fd = open(path + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	cr_expect(address_listen(path, &err) == -EADDRINUSE);
	close(fd);
	cr_expect(!unlink(path + 5));
}

/* ---- the return path ---- */

Test(proxy_parts, messages_are_told_apart_in_any_pieces)
{
	static const uint8_t bytes[] = { 0, 2, 0, 4, 0, 0, 0, 1,                          /* PONG */
					 0, 7, 0, 0,                                      /* SWITCHOVER_ACK */
					 0, 4, 0, 12, 0, 1, 0, 4, 0, 1, 0, 4, 0, 1, 0, 4, /* one with a longer body */
					 0, 1, 0, 4, 0, 0, 0, 9 };                        /* SHUT */

	for (size_t step = 1; step <= sizeof(bytes); step++) {
		struct return_path r = { 0 };

		for (size_t at = 0; at < sizeof(bytes); at += step) {
			size_t n = sizeof(bytes) - at < step ? sizeof(bytes) - at : step;

			cr_expect(!r.shut);
			cr_expect(return_path_between(&r) == (at == 0 || at == 8 || at == 12 || at == 28), "byte %zu", at);
			cr_expect(r.switchover_ack == (at >= 12));
			return_path_feed(&r, bytes + at, n);
		}
		cr_expect(r.shut && r.shut_value == 9 && r.switchover_ack && !return_path_between(&r));
	}
}

/* ---- migrations ---- */

struct migration {
	struct stream_builder b; /* what the source sends */
	int source[2], destination[2];
	size_t cut;      /* the source closes behind so many bytes; 0: it waits for its answer */
	uint32_t answer; /* of the destination */
	bool refuse;
	/* what the sides saw */
	uint8_t *got, heard[64];
	size_t ngot, nheard;
	struct proxy_status status;
	unsigned int calls;
};

static void build(struct stream_builder *b)
{
	sb_init(b);
	sb_header(b);
	sb_config(b, "pc-test");
	sb_command(b, 1, NULL, 0); /* opens a return path */
	sb_ram_setup(b, 65536);
	sb_ram_end(b);
	for (uint64_t a = 0; a < 65536; a += 4096)
		sb_ram_page(b, a, a ? NULL : "pc.ram", (uint8_t)(a >> 12));
	sb_ram_finish(b);
	sb_device(b, "one", 0, "one", 1);
	sb_int(b, "x", "uint32", 4, 7);
	sb_device_end(b);
	sb_eof(b);
	sb_vmdesc(b);
}

static void init(struct migration *m)
{
	memset(m, 0, sizeof(*m));
	build(&m->b);
	cr_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->source) &&
		  !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->destination));
}

static void *play_source(void *arg)
{
	struct migration *m = arg;
	size_t len = m->cut ? m->cut : m->b.out.size;
	ssize_t n;

	for (size_t at = 0; at < len; at += (size_t)n) {
		n = send(m->source[0], m->b.out.data + at, len - at < 1000 ? len - at : 1000, MSG_NOSIGNAL);
		if (n <= 0)
			break;
	}
	while (!m->cut && m->nheard < sizeof(m->heard) &&
	       (n = read(m->source[0], m->heard + m->nheard, sizeof(m->heard) - m->nheard)) > 0) {
		m->nheard += (size_t)n;
		if (m->nheard >= 2 && m->heard[m->nheard - RETURN_PATH_SHUT_SIZE + 1] == RETURN_PATH_SHUT)
			break;
	}
	close(m->source[0]);
	return NULL;
}

static void *play_destination(void *arg)
{
	struct migration *m = arg;
	uint8_t shut[RETURN_PATH_SHUT_SIZE];
	ssize_t n;

	m->got = malloc(m->b.out.size);
	while (m->ngot < m->b.out.size &&
	       (n = read(m->destination[0], m->got + m->ngot, m->b.out.size - m->ngot)) > 0)
		m->ngot += (size_t)n;
	if (m->ngot == m->b.out.size) {
		return_path_put_shut(shut, m->answer);
		n = send(m->destination[0], shut, sizeof(shut), MSG_NOSIGNAL);
	}
	close(m->destination[0]);
	return NULL;
}

static int convert(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct migration *m = ctx;

	(void)s;
	return m->refuse ? irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "apic", "not here") : 0;
}

static void on_status(void *ctx, const struct proxy_status *status)
{
	struct migration *m = ctx;

	m->status = *status;
	m->calls++;
}

static int carry(struct migration *m, bool plain, struct irqs_error *err)
{
	const struct relay_options relay = { .convert = convert, .ctx = m, .live = true };
	struct proxy_options opt = {
		.source = m->source[1],
		.destination = m->destination[1],
		.listening = -1,
		.cancel = -1,
		.status = on_status,
		.ctx = m,
		.plain = plain,
	};
	pthread_t source, destination;
	int rc;

	cr_assert(!relay_create(&opt.relay, &relay, err));
	pthread_create(&source, NULL, play_source, m);
	pthread_create(&destination, NULL, play_destination, m);
	rc = proxy_run(&opt, err);
	close(m->source[1]);
	close(m->destination[1]);
	pthread_join(source, NULL);
	pthread_join(destination, NULL);
	relay_destroy(opt.relay);
	return rc;
}

static void deinit(struct migration *m)
{
	sb_deinit(&m->b);
	free(m->got);
}

Test(proxy_parts, carries_a_migration)
{
	for (int plain = 0; plain < 2; plain++) {
		struct irqs_error err = { 0 };
		struct migration m;
		int rc;

		init(&m);
		rc = carry(&m, plain, &err);
		cr_expect(!rc, "%d %s", rc, err.text);
		cr_expect(m.ngot == m.b.out.size && !memcmp(m.got, m.b.out.data, m.ngot));
		cr_expect(m.nheard == RETURN_PATH_SHUT_SIZE && !m.heard[7]);
		cr_expect(m.status.relay.phase == RELAY_DONE && m.status.shut && m.status.held_us >= 0 && m.calls >= 2);
		cr_expect(m.status.written == m.ngot && m.status.relay.return_path);
		deinit(&m);
	}
}

/* The source hears it as from a destination; the destination gets no device. */
Test(proxy_parts, tells_the_source_that_it_was_refused)
{
	for (int plain = 0; plain < 2; plain++) {
		uint8_t shut[RETURN_PATH_SHUT_SIZE];
		struct irqs_error err = { 0 };
		struct migration m;
		int rc;

		init(&m);
		m.refuse = true;
		rc = carry(&m, plain, &err);
		return_path_put_shut(shut, 1);
		cr_expect(rc == -EOPNOTSUPP && err.status == IRQS_REFUSED && !strcmp(err.text, "not here"));
		cr_expect(m.nheard == sizeof(shut) && !memcmp(m.heard, shut, sizeof(shut)), "%zu bytes", m.nheard);
		cr_expect(m.ngot + m.status.relay.held <= m.b.out.size && m.status.relay.held > 100);
		deinit(&m);
	}
}

Test(proxy_parts, tells_the_source_that_the_destination_failed)
{
	struct irqs_error err = { 0 };
	struct migration m;

	init(&m);
	m.answer = 1;
	cr_expect(carry(&m, false, &err) == -EIO && strstr(err.text, "could not load"), "%s", err.text);
	cr_expect(m.nheard == RETURN_PATH_SHUT_SIZE && m.heard[7] == 1);
	deinit(&m);
}

Test(proxy_parts, tells_the_destination_that_the_source_is_gone)
{
	for (size_t cut = 1; cut < 66000; cut += 3701) {
		struct irqs_error err = { 0 };
		struct migration m;
		int rc;

		init(&m);
		m.cut = cut;
		rc = carry(&m, cut & 1, &err);
		cr_expect(rc == -EIO && strstr(err.text, "the source ended"), "%zu: %d %s", cut, rc, err.text);
		cr_expect(m.ngot <= cut);
		deinit(&m);
	}
}

/* ---- further connections ---- */

Test(proxy_parts, refuses_a_channel_of_multifd)
{
	static const uint8_t magic[] = { 0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1 };
	const struct relay_options relay = { .convert = convert, .live = true };
	struct irqs_error err = { 0 };
	struct migration m;
	struct proxy_options opt = { .cancel = -1 };
	char text[64];
	int channel, rc;

	init(&m);
	cr_assert(!relay_create(&opt.relay, &relay, &err));
	opt.source = m.source[1];
	opt.destination = m.destination[1];
	opt.listening = address_listen("tcp:127.0.0.1:0", &err);
	channel = address_connect(address_format(opt.listening, text, sizeof(text)), &err);
	cr_assert(channel >= 0 && write(channel, magic, sizeof(magic)) == sizeof(magic));
	rc = proxy_run(&opt, &err);
	cr_expect(rc == -EOPNOTSUPP && strstr(err.text, "multifd off"), "%d %s", rc, err.text);
	relay_destroy(opt.relay);
	for (unsigned int i = 0; i < 2; i++) {
		close(m.source[i]);
		close(m.destination[i]);
	}
	close(channel);
	close(opt.listening);
	deinit(&m);
}

Test(proxy_parts, can_be_cancelled)
{
	const struct relay_options relay = { .convert = convert, .live = true };
	struct irqs_error err = { 0 };
	struct proxy_options opt = { .listening = -1 };
	struct migration m;
	int p[2];

	init(&m);
	cr_assert(!pipe2(p, O_CLOEXEC) && write(p[1], "x", 1) == 1);
	cr_assert(!relay_create(&opt.relay, &relay, &err));
	opt.source = m.source[1];
	opt.destination = m.destination[1];
	opt.cancel = p[0];
	cr_expect(proxy_run(&opt, &err) == -ECANCELED);
	relay_destroy(opt.relay);
	for (unsigned int i = 0; i < 2; i++) {
		close(m.source[i]);
		close(m.destination[i]);
		close(p[i]);
	}
	deinit(&m);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/monotonic.h"

/* Until @fd is ready for @events, or the deadline. */
static int wait_for(const struct qmp *q, int fd, short events, struct irqs_error *reterr)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = q->deadline_ms - monotonic_ms();
		n = left > 0 ? poll(&p, 1, left > 1000000 ? 1000000 : (int)left) : 0;
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return irqs_fail_errno(reterr, errno, "waiting for QEMU");
	return n ? 0 : irqs_fail_errno(reterr, ETIMEDOUT, "QEMU does not answer");
}

/* One more piece of what QEMU says. */
static int fill(struct qmp *q, struct irqs_error *reterr)
{
	ssize_t n;
	int rc;

	if (q->used == q->capacity) {
		size_t want = q->capacity ? q->capacity * 2 : 16384;
		char *more = want <= QMP_ANSWER_MAX ? realloc(q->buf, want) : NULL;

		if (want > QMP_ANSWER_MAX)
			return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
					 "QEMU's answer has no end");
		if (!more)
			return irqs_fail_nomem(reterr);
		q->buf = more;
		q->capacity = want;
	}
	rc = wait_for(q, q->out, POLLIN, reterr);
	if (rc)
		return rc;
	n = read(q->out, q->buf + q->used, q->capacity - q->used);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		return irqs_fail_errno(reterr, errno, "reading QEMU's answer");
	if (!n)
		return irqs_fail_errno(reterr, EPIPE, "QEMU is gone");
	q->used += n > 0 ? (size_t)n : 0;
	return 0;
}

/* The next line, parsed. */
static int read_object(struct qmp *q, json_t **ret, struct irqs_error *reterr)
{
	size_t seen = 0;
	char *end;
	json_t *o;

	q->used -= q->taken;
	if (q->taken)
		memmove(q->buf, q->buf + q->taken, q->used);
	q->taken = 0;
	while (!(end = q->used > seen ? memchr(q->buf + seen, '\n', q->used - seen) : NULL)) {
		int rc;

		seen = q->used;
		rc = fill(q, reterr);
		if (rc)
			return rc;
	}
	q->taken = (size_t)(end - q->buf) + 1;
	/* An unsigned number above 2^63 - 1 is no integer to jansson; versions and the like are below. */
	o = json_loadb(q->buf, q->taken, 0, NULL);
	if (!o)
		o = json_loadb(q->buf, q->taken, JSON_DECODE_INT_AS_REAL, NULL);
	if (!json_is_object(o)) {
		json_decref(o);
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "what QEMU says is no QMP");
	}
	*ret = o;
	return 0;
}

static int write_text(struct qmp *q, const char *text, struct irqs_error *reterr)
{
	size_t len = strlen(text);

	while (len) {
		int rc = wait_for(q, q->in, POLLOUT, reterr);
		ssize_t n;

		if (rc)
			return rc;
		/* A socket says what is wrong without SIGPIPE; a pipe cannot. */
		n = send(q->in, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno == ENOTSOCK)
			n = write(q->in, text, len);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return irqs_fail_errno(reterr, errno, "asking QEMU");
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **ret, struct irqs_error *reterr)
{
	json_t *o = json_pack("{s:s, s:o*}", "execute", name, "arguments", arguments), *answer = NULL;
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	const char *why;
	int rc = text ? write_text(q, text, reterr) : irqs_fail_nomem(reterr);

	json_decref(o);
	free(text);
	if (!rc)
		rc = write_text(q, "\n", reterr);
	while (!rc) {
		rc = read_object(q, &answer, reterr);
		if (rc || json_object_get(answer, "return") || json_object_get(answer, "error"))
			break;
		json_decref(answer);
		answer = NULL;
	}
	if (rc)
		return rc;
	why = json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));
	if (json_object_get(answer, "error"))
		rc = irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "QEMU refuses %s: %s", name,
			       why ? why : "no reason given");
	else if (ret)
		*ret = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	return rc;
}

int qmp_open(struct qmp *q, int to, int from, int timeout_ms, struct irqs_error *reterr)
{
	json_t *greeting = NULL;
	int rc;

	*q = (struct qmp){ .in = to, .out = from, .deadline_ms = monotonic_ms() + timeout_ms };
	rc = read_object(q, &greeting, reterr);
	if (!rc) {
		q->version = json_incref(json_object_get(json_object_get(greeting, "QMP"), "version"));
		if (!q->version)
			rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				       "what QEMU says is no QMP");
	}
	json_decref(greeting);
	if (!rc)
		rc = qmp_command(q, "qmp_capabilities", NULL, NULL, reterr);
	if (rc)
		qmp_close(q);
	return rc;
}

/* EAGAIN: QEMU serves another client, and its queue is full. */
static int connect_until(int fd, const struct sockaddr_un *addr, int64_t deadline_ms, struct irqs_error *reterr)
{
	while (connect(fd, (const struct sockaddr *)addr, sizeof(*addr))) {
		if (errno != EAGAIN && errno != EINTR)
			return irqs_fail_errno(reterr, errno, "cannot connect");
		if (monotonic_ms() >= deadline_ms)
			return irqs_fail_errno(reterr, ETIMEDOUT, "QEMU does not answer");
		poll(NULL, 0, 20);
	}
	return 0;
}

int qmp_connect(struct qmp *q, const char *path, int timeout_ms, struct irqs_error *reterr)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int64_t deadline_ms = monotonic_ms() + timeout_ms;
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
				 "the name of a socket has at most %zu bytes", sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "a socket");
	rc = connect_until(fd, &addr, deadline_ms, reterr);
	if (!rc)
		rc = qmp_open(q, fd, fd, (int)(deadline_ms - monotonic_ms()), reterr);
	if (rc)
		close(fd);
	else
		q->owned = true;
	return rc;
}

void qmp_close(struct qmp *q)
{
	json_decref(q->version);
	free(q->buf);
	if (q->owned)
		close(q->in);
	*q = (struct qmp){ .in = -1, .out = -1 };
}

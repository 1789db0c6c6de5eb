/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small QMP client (docs/interop/qmp-spec of QEMU): one command at a time, events are passed over. */
#ifndef IRQSHIFT_STREAM_QMP_H
#define IRQSHIFT_STREAM_QMP_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* A longer answer is refused. */
#define QMP_ANSWER_MAX ((size_t)16 << 20)

struct qmp {
	json_t *version; /* of the greeting: {"qemu": {"major", "minor", "micro"}, "package"} */
	/* private: */
	int in, out;
	bool owned;
	char *buf;
	size_t used, capacity;
	size_t taken; /* bytes of the line handed out last */
	int64_t deadline_ms;
};

/**
 * qmp_open - shake hands over two descriptors
 * @q: receives the client; release with qmp_close()
 * @to: QEMU reads from it
 * @from: QEMU writes to it; may be the same. Both stay the caller's. With a pipe SIGPIPE must be ignored
 * @timeout_ms: for everything until qmp_close()
 *
 * Return: 0; -ETIMEDOUT; -EPIPE when QEMU is gone; -EBADMSG when it is no QMP.
 */
int qmp_open(struct qmp *q, int to, int from, int timeout_ms, struct irqs_error *reterr);

/* qmp_connect - as qmp_open(), over the unix socket at @path, which serves one client at a time. */
int qmp_connect(struct qmp *q, const char *path, int timeout_ms, struct irqs_error *reterr);

/**
 * qmp_command - ask
 * @q: the client
 * @name: command
 * @arguments: an object, taken over; NULL: none
 * @ret: receives "return", the caller's to release; may be NULL
 *
 * Return: 0; -EOPNOTSUPP (IRQS_REFUSED, with QEMU's words) when QEMU answers with an error; else as
 * qmp_open().
 */
int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **ret, struct irqs_error *reterr);

/* qmp_close - forget it; a descriptor of qmp_connect() is closed. */
void qmp_close(struct qmp *q);

#endif

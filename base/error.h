/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The caller-owned error of everything that reads outside input. Filling one never allocates, and every
 * function that takes one accepts NULL.
 */
#ifndef IRQSHIFT_BASE_ERROR_H
#define IRQSHIFT_BASE_ERROR_H

#include <stddef.h>
#include <stdint.h>

/* What went wrong, by whose fault. The values are the exit statuses of the command. */
enum irqs_status {
	IRQS_DONE = 0,
	IRQS_SYSTEM = 1,    /* the system failed: I/O, memory, ioctl */
	IRQS_USAGE = 2,     /* the caller asked for something that has no meaning */
	IRQS_REFUSED = 3,   /* the target cannot represent the state */
	IRQS_MALFORMED = 4, /* the input is not what it says it is */
};

/* No byte offset is known. */
#define IRQS_NO_OFFSET INT64_C(-1)

struct irqs_error {
	enum irqs_status status;
	int64_t offset; /* byte offset in the input, or IRQS_NO_OFFSET */
	char path[160]; /* tree path such as "apic[1].irr[3]", or "" */
	char text[320]; /* "what: why", one line, no full stop */
};

/**
 * irqs_fail - fill an error and return the matching -errno
 * @reterr: the error to fill, may be NULL
 * @status: whose fault it is; must not be IRQS_DONE
 * @offset: byte offset in the input, or IRQS_NO_OFFSET
 * @path: tree path, or NULL
 * @fmt: "what: why", printf-like
 *
 * Return: -EINVAL for IRQS_USAGE, -EOPNOTSUPP for IRQS_REFUSED, -EBADMSG for IRQS_MALFORMED, -EIO for
 * IRQS_SYSTEM (irqs_fail_errno() keeps the real errno).
 */
int irqs_fail(struct irqs_error *reterr, enum irqs_status status, int64_t offset, const char *path,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/**
 * irqs_fail_errno - fill an IRQS_SYSTEM error from an errno value
 * @reterr: the error to fill, may be NULL
 * @err: positive errno value
 * @fmt: what was tried, printf-like; ": strerror" is appended
 *
 * Return: -@err.
 */
int irqs_fail_errno(struct irqs_error *reterr, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* irqs_fail_nomem - the error for a failed allocation. Return: -ENOMEM. */
int irqs_fail_nomem(struct irqs_error *reterr);

/**
 * irqs_error_format - one line for a person: "FILE: PATH or byte offset: what: why"
 * @err: a filled error
 * @file: name of the input, or NULL
 * @buf: receives the line without a newline, cut to @size
 * @size: bytes in @buf
 */
void irqs_error_format(const struct irqs_error *err, const char *file, char *buf, size_t size);

#endif

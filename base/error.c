/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void fill(struct irqs_error *err, enum irqs_status status, int64_t offset, const char *path,
		 const char *fmt, va_list ap)
{
	err->status = status;
	err->offset = offset;
	snprintf(err->path, sizeof(err->path), "%s", path ? path : "");
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
}

int irqs_fail(struct irqs_error *reterr, enum irqs_status status, int64_t offset, const char *path,
	      const char *fmt, ...)
{
	static const int code[] = {
		[IRQS_SYSTEM] = -EIO,
		[IRQS_USAGE] = -EINVAL,
		[IRQS_REFUSED] = -EOPNOTSUPP,
		[IRQS_MALFORMED] = -EBADMSG,
	};

	if (reterr) {
		va_list ap;

		va_start(ap, fmt);
		fill(reterr, status, offset, path, fmt, ap);
		va_end(ap);
	}
	return code[status];
}

int irqs_fail_errno(struct irqs_error *reterr, int err, const char *fmt, ...)
{
	if (reterr) {
		va_list ap;
		size_t used;

		va_start(ap, fmt);
		fill(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, fmt, ap);
		va_end(ap);
		used = strlen(reterr->text);
		snprintf(reterr->text + used, sizeof(reterr->text) - used, ": %s", strerror(err));
	}
	return -err;
}

int irqs_fail_nomem(struct irqs_error *reterr)
{
	return irqs_fail_errno(reterr, ENOMEM, "allocation");
}

void irqs_error_format(const struct irqs_error *err, const char *file, char *buf, size_t size)
{
	char where[192] = "";

	if (err->path[0] && err->offset >= 0)
		snprintf(where, sizeof(where), "%s (byte %" PRId64 "): ", err->path, err->offset);
	else if (err->path[0])
		snprintf(where, sizeof(where), "%s: ", err->path);
	else if (err->offset >= 0)
		snprintf(where, sizeof(where), "byte %" PRId64 ": ", err->offset);
	snprintf(buf, size, "%s%s%s%s", file ? file : "", file ? ": " : "", where, err->text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/copy_priv.h"
#include "stream/file_priv.h"
#include "stream/qemu_sink_priv.h"

struct file_sink {
	struct qemu_sink sink;
	struct copier copier;
};

static int write_bytes(struct qemu_sink *k, const uint8_t *data, size_t len, struct irqs_error *reterr)
{
	int rc = file_write_all(((struct file_sink *)k)->copier.to, data, len);

	return rc ? irqs_fail_errno(reterr, -rc, "write") : 0;
}

static int keep(struct qemu_sink *k, const struct qemu_item *item, uint64_t pos, struct irqs_error *reterr)
{
	(void)pos;
	return copy_bytes(&((struct file_sink *)k)->copier, item->offset, item->length, reterr);
}

int qemu_stream_write(const struct qemu_stream *s, int fd, struct irqs_error *reterr)
{
	struct file_sink f = {
		.sink = { .write = write_bytes, .keep = keep },
		.copier = { .from = s->source.fd, .to = fd },
	};
	int rc = qemu_put_items(s, &f.sink, reterr);

	copier_deinit(&f.copier);
	return rc;
}

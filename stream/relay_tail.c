/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/endian.h"
#include "stream/file_priv.h"
#include "stream/relay_priv.h"
#include "stream/vmdesc.h"

/* Devices and vmdescription; those of a machine with a thousand vCPUs are some 32 MiB. */
#define HELD_MAX ((uint64_t)128 << 20)

#define WINDOW 4096u

/* The end mark, then type, length and first byte of the vmdescription. */
#define MARK (1u + VMDESC_HEADER + 1u)

static int append(struct relay_tail *t, const void *data, size_t len, struct irqs_error *reterr)
{
	int rc = file_write_all_at(t->held, data, len, t->size);

	if (rc)
		return irqs_fail_errno(reterr, -rc, "cannot hold the device state");
	t->size += len;
	return 0;
}

int relay_tail_begin(struct relay_tail *t, const void *head, size_t head_size, uint64_t offset,
		     struct irqs_error *reterr)
{
	*t = (struct relay_tail){ .head = head_size, .offset = offset, .looked = head_size };
	t->held = memfd_create("irqshift-devices", MFD_CLOEXEC);
	if (t->held < 0)
		return irqs_fail_errno(reterr, errno, "cannot hold the device state");
	return append(t, head, head_size, reterr);
}

void relay_tail_deinit(struct relay_tail *t)
{
	if (t->held >= 0)
		close(t->held);
	if (t->map)
		munmap(t->map, t->map_size);
	*t = (struct relay_tail){ .held = -1 };
}

/* What may be a vmdescription: its text starts behind an end mark, and has the length that is said. */
static int look(struct relay_tail *t, struct irqs_error *reterr)
{
	uint8_t buf[WINDOW];

	while (t->size - t->looked >= MARK) {
		ssize_t n = pread(t->held, buf, sizeof(buf), (off_t)t->looked);

		if (n < (ssize_t)MARK)
			return irqs_fail_errno(reterr, n < 0 ? errno : EIO, "read of the held device state");
		for (size_t i = 0; i + MARK <= (size_t)n; i++) {
			uint64_t len = get_be(buf + i + 2, 4);

			if (buf[i] == QEMU_VM_EOF && buf[i + 1] == QEMU_VM_VMDESCRIPTION && buf[i + MARK - 1] == '{' &&
			    len > 1 && len <= VMDESC_MAX && t->ntexts < RELAY_TEXTS)
				t->texts[t->ntexts++] = (struct relay_text){ t->looked + i + 1 + VMDESC_HEADER, len };
		}
		t->looked += (uint64_t)n - (MARK - 1);
	}
	return 0;
}

static bool is_vmdesc(const struct relay_tail *t, const struct relay_text *text)
{
	char *copy = malloc(text->len);
	struct vmdesc d;
	bool is;

	is = copy && pread(t->held, copy, text->len, (off_t)text->start) == (ssize_t)text->len &&
	     !vmdesc_init(&d, copy, text->len, IRQS_NO_OFFSET, NULL);
	if (is)
		vmdesc_deinit(&d);
	free(copy);
	return is;
}

/* Whether one of the possible ends is reached; each is told once. */
static int reached(struct relay_tail *t)
{
	unsigned int n = 0;
	int any = 0;

	for (unsigned int i = 0; i < t->ntexts; i++) {
		const struct relay_text text = t->texts[i];

		if (text.start + text.len > t->size)
			t->texts[n++] = text;
		else if (text.start + text.len == t->size && is_vmdesc(t, &text))
			any = RELAY_COMPLETE;
		else
			any = any ? any : RELAY_MAYBE;
	}
	t->ntexts = n;
	return any;
}

int relay_tail_add(struct relay_tail *t, const void *data, size_t len, struct irqs_error *reterr)
{
	int rc;

	if (t->size + len > HELD_MAX)
		return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)(t->offset + (t->size - t->head)), NULL,
				 "the device state does not end");
	rc = append(t, data, len, reterr);
	if (!rc)
		rc = look(t, reterr);
	return rc ? rc : reached(t);
}

/* ---- the conversion ---- */

/* Offsets in what is held, as offsets in the stream. */
static void move_offset(const struct relay_tail *t, struct irqs_error *err)
{
	if (err && err->offset >= (int64_t)t->head)
		err->offset += (int64_t)(t->offset - t->head);
}

static int map_output(struct relay_tail *t, int fd, struct irqs_error *reterr)
{
	off_t size = lseek(fd, 0, SEEK_END);
	void *map;

	if (size <= 0)
		return irqs_fail_errno(reterr, size < 0 ? errno : EIO, "lseek");
	map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return irqs_fail_errno(reterr, errno, "mmap");
	t->map = map;
	t->map_size = (size_t)size;
	return 0;
}

/* The head of the stream has gone on before: it must come out as it went. */
static int check_head(const struct relay_tail *t, struct irqs_error *reterr)
{
	uint8_t *head = malloc(t->head);
	bool same;

	if (!head)
		return irqs_fail_nomem(reterr);
	same = t->map_size >= t->head && pread(t->held, head, t->head, 0) == (ssize_t)t->head &&
	       !memcmp(head, t->map, t->head);
	free(head);
	return same ? 0 : irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "configuration", "a filter changes it, but it went on before the devices came (convert a saved stream)");
}

static int write_converted(struct relay_tail *t, const struct qemu_stream *s, struct irqs_error *reterr)
{
	int fd = memfd_create("irqshift-converted", MFD_CLOEXEC), rc;

	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "cannot hold the converted device state");
	rc = qemu_stream_write(s, fd, reterr);
	if (!rc)
		rc = map_output(t, fd, reterr);
	close(fd);
	return rc ? rc : check_head(t, reterr);
}

int relay_tail_convert(struct relay_tail *t, const struct relay_options *opt, const struct qemu_walk *before,
		       bool at_end, struct iovec *ret, struct irqs_error *reterr)
{
	const struct qemu_read_options read = {
		.find_desc = opt->find_desc,
		.twin_vmdesc = opt->twin_vmdesc,
		.twin_vmdesc_size = opt->twin_vmdesc_size,
	};
	struct qemu_stream s;
	int rc = qemu_read_rest(&s, t->held, &read, before, reterr);

	if (rc) {
		move_offset(t, reterr);
		return rc == -EBADMSG ? -EAGAIN : rc;
	}
	if (!at_end && !s.has_vmdesc) {
		qemu_stream_deinit(&s);
		return -EAGAIN;
	}
	rc = opt->convert(opt->ctx, &s, reterr);
	if (rc)
		move_offset(t, reterr);
	else
		rc = write_converted(t, &s, reterr);
	qemu_stream_deinit(&s);
	if (rc)
		return rc == -EAGAIN ? -EIO : rc;
	*ret = (struct iovec){ .iov_base = (uint8_t *)t->map + t->head, .iov_len = t->map_size - t->head };
	return 0;
}

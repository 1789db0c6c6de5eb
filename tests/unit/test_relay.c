/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The relay gives out what the reader and the writer of whole streams make of the same bytes, however they come. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "stream/relay.h"
#include "tests/unit/stream_builder.h"
#include "vmstate/tree.h"

#define MULTIFD_FLUSH 0x200

/* What came out. */
struct outcome {
	int rc;
	struct irqs_error err;
	uint8_t *data;
	size_t size;
	size_t before; /* bytes that were out before the devices were complete */
	struct relay_progress progress;
};

static uint64_t rnd;

static uint32_t random_below(uint32_t n)
{
	rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(rnd >> 33) % n;
}

static int keep(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	(void)ctx;
	(void)s;
	(void)reterr;
	return 0;
}

/* An edit that changes bytes, and one that changes lengths. */
static int edit(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct vms_node *first = vms_first_child(s->tree.machine);

	(void)ctx;
	(void)reterr;
	if (first && first->codec && !strcmp(first->name, "configuration"))
		first = first->next;
	if (first && first->next)
		vms_remove(first->next);
	return 0;
}

static int refuse(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	(void)ctx;
	(void)s;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, "apic", "not here");
}

static int rename_machine(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct vms_node *name = vms_child(vms_first_child(s->tree.machine), "name");

	(void)ctx;
	(void)reterr;
	cr_assert(name);
	name->data[0] ^= 1;
	return 0;
}

static void collect(struct outcome *o, const struct iovec *pieces, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		o->data = realloc(o->data, o->size + pieces[i].iov_len);
		cr_assert(o->data);
		memcpy(o->data + o->size, pieces[i].iov_base, pieces[i].iov_len);
		o->size += pieces[i].iov_len;
	}
}

/* Feed @data in pieces of up to @most bytes, each from memory of its own so that sanitizers see its ends. */
static void run(struct outcome *o, const struct relay_options *opt, const uint8_t *data, size_t size, uint32_t most)
{
	struct relay *r;
	struct iovec pieces[RELAY_PIECES];
	size_t n;

	memset(o, 0, sizeof(*o));
	o->rc = relay_create(&r, opt, &o->err);
	cr_assert(!o->rc);
	for (size_t at = 0; at < size && !o->rc;) {
		size_t len = 1 + random_below(most);
		uint8_t *piece;

		len = len < size - at ? len : size - at;
		piece = malloc(len);
		memcpy(piece, data + at, len);
		o->rc = relay_feed(r, piece, len, pieces, &n, &o->err);
		if (!o->rc)
			collect(o, pieces, n);
		at += len;
		relay_progress(r, &o->progress);
		if (o->progress.phase < RELAY_DONE)
			o->before = o->size;
		free(piece);
	}
	if (!o->rc)
		o->rc = relay_end(r, pieces, &n, &o->err);
	if (!o->rc)
		collect(o, pieces, n);
	relay_progress(r, &o->progress);
	relay_destroy(r);
}

/* What a whole-file conversion makes of it. Return: as qemu_stream_read(). */
static int whole(const uint8_t *data, size_t size, const struct relay_options *opt, uint8_t **ret, size_t *ret_size)
{
	const struct qemu_read_options read = { .find_desc = opt->find_desc };
	int fd = sb_bytes_fd(data, size), out = memfd_create("out", MFD_CLOEXEC), rc;
	struct irqs_error err;
	struct qemu_stream s;

	rc = qemu_stream_read(&s, fd, &read, &err);
	if (!rc) {
		rc = opt->convert(NULL, &s, &err);
		cr_assert(!rc && !qemu_stream_write(&s, out, &err), "%s", err.text);
		*ret = sb_slurp(out, ret_size);
		qemu_stream_deinit(&s);
	}
	close(fd);
	close(out);
	return rc;
}

static void expect_same(const char *what, const uint8_t *data, size_t size, const struct relay_options *opt)
{
	static const uint32_t most[] = { 1, 7, 300, 5000, 1 << 20 };
	uint8_t *want = NULL;
	size_t want_size = 0;

	cr_assert(!whole(data, size, opt, &want, &want_size), "%s", what);
	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
		struct outcome o;

		run(&o, opt, data, size, most[i]);
		cr_expect(!o.rc, "%s by %u: %s at %" PRId64, what, most[i], o.err.text, o.err.offset);
		cr_expect(!o.rc && o.size == want_size && !memcmp(o.data, want, want_size), "%s by %u: other bytes", what,
			  most[i]);
		cr_expect(o.progress.phase == RELAY_DONE);
		free(o.data);
	}
	free(want);
}

static uint8_t *load(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *data;

	cr_assert(fd >= 0, "%s is not there: run from the top folder", path);
	data = sb_slurp(fd, ret_size);
	close(fd);
	return data;
}

static void setup(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	rnd = (uint64_t)now.tv_nsec;
	cr_log_warn("seed %" PRIu64, rnd);
}

TestSuite(relay, .init = setup, .timeout = 120);

Test(relay, gives_out_what_a_whole_conversion_writes)
{
	static const char *const streams[] = { "tests/data/isapc-kvm.stream", "tests/data/virtio-blk-tcg.stream" };
	static int (*const edits[])(void *, struct qemu_stream *, struct irqs_error *) = { keep, edit };

	for (size_t i = 0; i < 2; i++) {
		size_t size;
		uint8_t *data = load(streams[i], &size);

		for (size_t e = 0; e < 2; e++)
			expect_same(streams[i], data, size, &(struct relay_options){ .convert = edits[e] });
		free(data);
	}
}

Test(relay, knows_every_encoding_of_ram)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct stream_builder b;

		sb_init(&b);
		sb_everything(&b, !(i & 1), true, i & 2 ? 1000 : 0);
		expect_same("every encoding", b.out.data, b.out.size, &(struct relay_options){ .convert = keep });
		sb_deinit(&b);
	}
}

/* RAM is out before the first device is complete, and no device is. */
Test(relay, holds_back_devices_only)
{
	struct outcome o;
	size_t size, devices;
	uint8_t *data = load("tests/data/isapc-kvm.stream", &size);
	struct irqs_error err;
	struct qemu_stream s;
	int fd = sb_bytes_fd(data, size);

	cr_assert(!qemu_stream_read(&s, fd, NULL, &err));
	devices = (size_t)vms_first_child(s.tree.machine)->next->offset;
	qemu_stream_deinit(&s);
	close(fd);
	run(&o, &(struct relay_options){ .convert = keep }, data, size, 100);
	cr_expect(!o.rc);
	cr_expect(o.before == devices, "%zu bytes were out, the devices begin at %zu", o.before, devices);
	cr_expect(o.progress.ram.total_bytes && o.progress.ram.blocks && o.progress.held == size - devices);
	free(o.data);
	run(&o, &(struct relay_options){ .convert = refuse }, data, size, 100);
	cr_expect(o.rc == -EOPNOTSUPP && o.err.status == IRQS_REFUSED && !strcmp(o.err.text, "not here"));
	cr_expect(o.size == devices && !memcmp(o.data, data, devices));
	free(o.data);
	free(data);
}

Test(relay, does_not_change_a_configuration_that_went_on)
{
	struct outcome o;
	size_t size;
	uint8_t *data = load("tests/data/isapc-kvm.stream", &size);

	run(&o, &(struct relay_options){ .convert = rename_machine }, data, size, 1000);
	cr_expect(o.rc == -EOPNOTSUPP && !strcmp(o.err.path, "configuration"), "%s", o.err.text);
	free(o.data);
	free(data);
}

/* Cut anywhere, it is malformed, and what is out is what was certain. */
Test(relay, says_when_the_input_ends_early)
{
	size_t size;
	uint8_t *data = load("tests/data/isapc-kvm.stream", &size);

	for (size_t len = 0; len < size; len += 1 + random_below(200)) {
		struct outcome o;

		run(&o, &(struct relay_options){ .convert = keep }, data, len, 4096);
		cr_expect(o.rc == -EBADMSG && o.err.status == IRQS_MALFORMED, "%zu bytes: %d %s", len, o.rc, o.err.text);
		cr_expect(o.err.offset <= (int64_t)len, "%zu bytes: byte %" PRId64, len, o.err.offset);
		cr_expect(o.size <= len && !memcmp(o.data ? o.data : data, data, o.size));
		free(o.data);
	}
	free(data);
}

/* One byte wrong in the devices: the offset is that of the stream, not of what is held. */
Test(relay, names_the_byte_of_the_stream)
{
	size_t size;
	uint8_t *data = load("tests/data/isapc-kvm.stream", &size);
	uint8_t *footer = memmem(data, size, "\4apic", 5);
	struct irqs_error err;
	struct qemu_stream s;
	struct outcome o;
	int fd;

	cr_assert(footer);
	footer[1 + 4 + 4 + 4 + 181] ^= 0x55; /* instance, version, the registers, then the footer's mark */
	fd = sb_bytes_fd(data, size);
	cr_assert(qemu_stream_read(&s, fd, NULL, &err) == -EBADMSG);
	run(&o, &(struct relay_options){ .convert = keep }, data, size, 512);
	cr_expect(o.rc == -EBADMSG && o.err.offset == err.offset && !strcmp(o.err.text, err.text),
		  "%" PRId64 " %s, not %" PRId64 " %s", o.err.offset, o.err.text, err.offset, err.text);
	free(o.data);
	close(fd);
	free(data);
}

/* ---- streams that it does not take ---- */

static void expect_fails(struct stream_builder *b, bool live, int rc, const char *text)
{
	struct outcome o;

	run(&o, &(struct relay_options){ .convert = keep, .live = live }, b->out.data, b->out.size, 64);
	cr_expect(o.rc == rc && strstr(o.err.text, text), "%d %s, not %s", o.rc, o.err.text, text);
	free(o.data);
	sb_deinit(b);
}

static void start(struct stream_builder *b)
{
	sb_init(b);
	sb_header(b);
	sb_config(b, "pc");
}

Test(relay, refuses_with_the_setting_to_change)
{
	struct stream_builder b;

	sb_init(&b);
	sb_be(&b, 4, 0x11223344);
	sb_be(&b, 4, 1);
	expect_fails(&b, true, -EOPNOTSUPP, "multifd off");
	sb_init(&b);
	sb_be(&b, 4, 0x16030102);
	expect_fails(&b, true, -EOPNOTSUPP, "tls-creds");
	start(&b);
	sb_command(&b, 3, "0123456789abcdef", 16);
	expect_fails(&b, true, -EOPNOTSUPP, "postcopy-ram off");
	start(&b);
	sb_command(&b, 8, NULL, 0);
	expect_fails(&b, false, -EOPNOTSUPP, "x-colo off");
	start(&b);
	sb_ram_start(&b);
	sb_be(&b, 8, MULTIFD_FLUSH);
	expect_fails(&b, true, -EOPNOTSUPP, "multifd off");
	start(&b);
	sb_ram_setup(&b, 65536);
	sb_device(&b, "early", 0, "early", 1);
	sb_device_end(&b);
	expect_fails(&b, false, -EOPNOTSUPP, "before the RAM has ended");
}

/* At rest, a stream of a host that had multifd or postcopy switched on is as good as any. */
Test(relay, takes_at_rest_what_the_reader_takes)
{
	struct stream_builder b;

	start(&b);
	sb_command(&b, 3, "0123456789abcdef", 16);
	sb_ram_setup(&b, 65536);
	sb_ram_end(&b);
	sb_be(&b, 8, MULTIFD_FLUSH);
	sb_ram_zero(&b, 0, "pc.ram");
	sb_ram_finish(&b);
	sb_device(&b, "one", 0, "one", 1);
	sb_int(&b, "x", "uint32", 4, 7);
	sb_device_end(&b);
	sb_device(&b, "two", 0, "two", 1);
	sb_int(&b, "y", "uint8", 1, 7);
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	expect_same("at rest", b.out.data, b.out.size, &(struct relay_options){ .convert = edit });
	sb_deinit(&b);
}

Test(relay, says_what_is_no_stream)
{
	struct stream_builder b;

	sb_init(&b);
	sb_put(&b, "hello world", 11);
	expect_fails(&b, false, -EBADMSG, "does not start with");
	sb_init(&b);
	expect_fails(&b, false, -EBADMSG, "is empty");
	start(&b);
	sb_be(&b, 1, 0x33);
	expect_fails(&b, false, -EBADMSG, "unknown section type 0x33");
}

/* Bytes in a device that look like the start of a vmdescription, with an end that is reached. */
Test(relay, is_not_misled_by_a_device)
{
	static const uint8_t fake[] = { 0, 6, 0, 0, 0, 4, '{', '"', '"', '}', 0, 6, 0, 1, 0, 0, '{' };
	struct stream_builder b;

	sb_init(&b);
	sb_prologue(&b);
	sb_device(&b, "one", 0, "one", 1);
	sb_buffer(&b, "data", "buffer", fake, sizeof(fake));
	sb_device_end(&b);
	sb_eof(&b);
	sb_vmdesc(&b);
	for (unsigned int i = 0; i < 50; i++) {
		struct outcome o;

		run(&o, &(struct relay_options){ .convert = keep }, b.out.data, b.out.size, 400);
		cr_expect(!o.rc && o.size == b.out.size && !memcmp(o.data, b.out.data, o.size), "%s", o.err.text);
		free(o.data);
	}
	sb_deinit(&b);
}

/* Without a vmdescription nothing says where the end is, but a source that waits does. */
Test(relay, takes_a_pause_for_the_end_without_a_vmdescription)
{
	const struct relay_options opt = { .convert = keep };
	struct iovec pieces[RELAY_PIECES];
	struct relay_progress progress;
	struct irqs_error err;
	struct stream_builder b;
	struct relay *r;
	size_t n;

	sb_init(&b);
	sb_everything(&b, true, false, 0);
	cr_assert(!relay_create(&r, &opt, &err));
	cr_assert(!relay_feed(r, b.out.data, b.out.size - 1, pieces, &n, &err), "%s", err.text);
	cr_expect(!relay_pause(r, pieces, &n, &err) && !n);
	cr_assert(!relay_feed(r, b.out.data + b.out.size - 1, 1, pieces, &n, &err));
	relay_progress(r, &progress);
	cr_expect(progress.phase == RELAY_DEVICES && !n);
	cr_expect(!relay_pause(r, pieces, &n, &err) && n == 1, "%s", err.text);
	relay_progress(r, &progress);
	cr_expect(progress.phase == RELAY_DONE);
	cr_expect(n == 1 && pieces[0].iov_len == progress.held &&
		  !memcmp(pieces[0].iov_base, b.out.data + b.out.size - progress.held, progress.held));
	relay_destroy(r);
	sb_deinit(&b);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The input through its bounded buffer, the spool for what cannot seek. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/source.h"
#include "tests/unit/stream_builder.h"

#define LEN ((size_t)1 << 20)

/* No two aligned pieces of 4 bytes are alike. */
static uint8_t *pattern(void)
{
	uint8_t *p = malloc(LEN);

	cr_assert(p);
	for (size_t i = 0; i < LEN; i++)
		p[i] = (uint8_t)((i >> 2) >> 8 * (i & 3));
	return p;
}

Test(source, any_piece_is_the_piece_of_the_file)
{
	uint8_t *want = pattern(), *got = malloc(LEN);
	int fd = sb_bytes_fd(want, LEN);
	struct source s;
	unsigned int seed = 1;

	cr_assert(got && !source_init(&s, fd, NULL));
	cr_expect(s.size == LEN);
	for (unsigned int i = 0; i < 2000; i++) {
		size_t offset = (size_t)rand_r(&seed) % LEN, len = (size_t)rand_r(&seed) % (SOURCE_PEEK_MAX + 1);
		const uint8_t *p;

		if (len > LEN - offset)
			len = LEN - offset;
		cr_assert(!source_peek(&s, offset, len, &p, NULL));
		cr_assert(!memcmp(p, want + offset, len), "%zu at %zu", len, offset);
		len = (size_t)rand_r(&seed) % (LEN - offset);
		cr_assert(!source_read(&s, offset, got, len, NULL));
		cr_assert(!memcmp(got, want + offset, len));
	}
	source_deinit(&s);
	close(fd);
	free(want);
	free(got);
}

Test(source, beyond_the_end_is_told_with_the_end)
{
	uint8_t *want = pattern(), buf[16];
	int fd = sb_bytes_fd(want, 1000);
	struct irqs_error err = { 0 };
	const uint8_t *p;
	struct source s;

	cr_assert(!source_init(&s, fd, NULL));
	cr_expect(!source_peek(&s, 1000, 0, &p, &err));
	cr_expect(source_peek(&s, 990, 11, &p, &err) == -EBADMSG && err.offset == 1000);
	cr_expect(source_peek(&s, 1001, 0, &p, &err) == -EBADMSG);
	cr_expect(source_peek(&s, UINT64_MAX, 16, &p, &err) == -EBADMSG);
	cr_expect(source_read(&s, UINT64_MAX - 8, buf, 16, &err) == -EBADMSG);
	cr_expect(err.status == IRQS_MALFORMED);
	source_deinit(&s);
	close(fd);
	free(want);
}

Test(source, a_file_that_shrinks_is_told)
{
	uint8_t *want = pattern(), *got = malloc(LEN);
	int fd = sb_bytes_fd(want, LEN);
	const uint8_t *p;
	struct source s;

	cr_assert(got && !source_init(&s, fd, NULL));
	cr_assert(!ftruncate(fd, 100));
	cr_expect(source_peek(&s, 200, 4, &p, NULL) == -EBADMSG);
	cr_expect(source_read(&s, 0, got, LEN, NULL) == -EBADMSG);
	source_deinit(&s);
	close(fd);
	free(want);
	free(got);
}

struct feeder {
	const uint8_t *data;
	int fd;
};

static void *feed(void *arg)
{
	struct feeder *f = arg;

	for (size_t done = 0; done < LEN;) {
		ssize_t n = write(f->fd, f->data + done, LEN - done < 5000 ? LEN - done : 5000);

		if (n < 0)
			break;
		done += (size_t)n;
	}
	close(f->fd);
	return NULL;
}

Test(source, a_pipe_is_spooled)
{
	uint8_t *want = pattern(), *got = malloc(LEN);
	struct feeder f = { .data = want };
	pthread_t thread;
	struct source s;
	int p[2];

	cr_assert(got && !pipe(p));
	f.fd = p[1];
	cr_assert(!pthread_create(&thread, NULL, feed, &f));
	cr_assert(!source_init(&s, p[0], NULL));
	pthread_join(thread, NULL);
	cr_expect(s.size == LEN && s.fd != p[0]);
	cr_expect(!source_read(&s, 0, got, LEN, NULL) && !memcmp(got, want, LEN));
	source_deinit(&s);
	close(p[0]);
	free(want);
	free(got);
}

Test(source, a_spool_folder_that_is_not_there_is_told)
{
	struct irqs_error err = { 0 };
	struct source s;
	int p[2];

	cr_assert(!pipe(p));
	close(p[1]);
	setenv("TMPDIR", "/nonexistent/folder", 1);
	cr_expect(source_init(&s, p[0], &err) == -ENOENT);
	cr_expect(err.status == IRQS_SYSTEM && strstr(err.text, "TMPDIR"));
	close(p[0]);
}

Test(source, a_folder_is_no_input)
{
	struct irqs_error err = { 0 };
	struct source s;
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	cr_expect(source_init(&s, fd, &err) == -EISDIR);
	close(fd);
	cr_expect(source_init(&s, -1, &err) == -EBADF);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transport, every test with io_uring (where there is one) and without. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "stream/transport.h"
#include "tests/unit/stream_builder.h"

#define BUFFER 4096
#define BUFFERS 4
#define LONG ((size_t)3 << 20)

static unsigned int seed;

static void setup(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = (unsigned int)now.tv_nsec;
	signal(SIGPIPE, SIG_IGN);
	cr_log_warn("seed %u", seed);
}

TestSuite(transport, .init = setup, .timeout = 60);

static struct transport *create(bool plain)
{
	const struct transport_options opt = { .plain = plain, .buffers = BUFFERS, .buffer_size = BUFFER };
	struct irqs_error err;
	struct transport *t;

	cr_assert(!transport_create(&t, &opt, &err), "%s", err.text);
	if (plain)
		cr_assert(transport_is_plain(t));
	return t;
}

/* Run a test both ways. */
static void both(void (*test)(struct transport *t))
{
	for (int plain = 0; plain < 2; plain++) {
		struct transport *t = create(plain);

		if (!plain && transport_is_plain(t))
			cr_log_warn("there is no io_uring here");
		test(t);
		transport_destroy(t);
	}
}

static uint8_t *bytes(size_t len)
{
	uint8_t *p = malloc(len ? len : 1);

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)((i * 2654435761u) >> 13);
	return p;
}

static unsigned int add(struct transport *t, const struct transport_way *way)
{
	struct irqs_error err;
	unsigned int n;

	cr_assert(!transport_add(t, way, &n, &err), "%s", err.text);
	return n;
}

static void run_to_end(struct transport *t)
{
	struct irqs_error err = { 0 };
	int rc = transport_run(t, 20000, &err);

	cr_assert(!rc, "%d %s", rc, err.text);
}

/* ---- the two sides of a way, each in a thread ---- */

struct side {
	pthread_t thread;
	int fd;
	unsigned int seed;
	const uint8_t *want;
	size_t len, done;
	bool slow, same;
};

static void now_and_then(struct side *s)
{
	if (s->slow && rand_r(&s->seed) % 8 == 0)
		usleep(rand_r(&s->seed) % 2000);
}

static void *writer(void *arg)
{
	struct side *s = arg;

	while (s->done < s->len) {
		size_t n = 1 + (size_t)rand_r(&s->seed) % (s->slow ? 9000 : 100000);
		ssize_t w = write(s->fd, s->want + s->done, n < s->len - s->done ? n : s->len - s->done);

		if (w <= 0)
			break;
		s->done += (size_t)w;
		now_and_then(s);
	}
	shutdown(s->fd, SHUT_WR);
	return NULL;
}

static void *pipe_writer(void *arg)
{
	struct side *s = arg;

	writer(arg);
	close(s->fd);
	return NULL;
}

static void *reader(void *arg)
{
	struct side *s = arg;
	uint8_t buf[70000];
	ssize_t n;

	s->same = true;
	while ((n = read(s->fd, buf, 1 + (size_t)rand_r(&s->seed) % sizeof(buf))) > 0) {
		s->same &= s->done + (size_t)n <= s->len && !memcmp(buf, s->want + s->done, (size_t)n);
		s->done += (size_t)n;
		now_and_then(s);
	}
	return NULL;
}

static struct side *begin(void *(*run)(void *), int fd, const uint8_t *want, size_t len, bool slow)
{
	struct side *s = calloc(1, sizeof(*s));

	*s = (struct side){ .fd = fd, .seed = seed++, .want = want, .len = len, .slow = slow };
	cr_assert(!pthread_create(&s->thread, NULL, run, s));
	return s;
}

static void end(struct side *s, bool read)
{
	pthread_join(s->thread, NULL);
	cr_expect(s->done == s->len, "%zu of %zu bytes", s->done, s->len);
	cr_expect(!read || s->same, "other bytes");
	free(s);
}

/* ---- kinds of descriptors ---- */

static void unix_pair(int fds[2])
{
	cr_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
}

static void tcp_pair(int fds[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(!bind(listening, (struct sockaddr *)&a, len) && !listen(listening, 1) &&
		  !getsockname(listening, (struct sockaddr *)&a, &len));
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(!connect(fds[0], (struct sockaddr *)&a, sizeof(a)));
	fds[1] = accept(listening, NULL, NULL);
	cr_assert(fds[1] >= 0);
	close(listening);
}

static void copy_file(struct transport *t, size_t len, off_t from)
{
	uint8_t *want = bytes(len), *got;
	int in = sb_bytes_fd(want, len), out = memfd_create("out", MFD_CLOEXEC);
	size_t n;

	lseek(in, from, SEEK_SET);
	add(t, &(struct transport_way){ .in = in, .out = out });
	run_to_end(t);
	got = sb_slurp(out, &n);
	cr_expect(n == len - (size_t)from && !memcmp(got, want + from, n), "%zu bytes of %zu", n, len);
	free(got);
	free(want);
	close(in);
	close(out);
}

Test(transport, copies_files_of_every_length)
{
	static const size_t lengths[] = { 0, 1, BUFFER - 1, BUFFER, BUFFER + 1, BUFFER * BUFFERS, BUFFER * BUFFERS + 5, LONG };

	for (int plain = 0; plain < 2; plain++)
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct transport *t = create(plain);

			copy_file(t, lengths[i], lengths[i] / 3);
			transport_destroy(t);
		}
}

static void through_pipes(struct transport *t, bool slow_in, bool slow_out)
{
	uint8_t *want = bytes(LONG / 4);
	struct side *from, *to;
	int in[2], out[2];

	cr_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC));
	from = begin(pipe_writer, in[1], want, LONG / 4, slow_in);
	to = begin(reader, out[0], want, LONG / 4, slow_out);
	add(t, &(struct transport_way){ .in = in[0], .out = out[1] });
	run_to_end(t);
	close(out[1]);
	end(from, false);
	end(to, true);
	close(in[0]);
	close(out[0]);
	free(want);
}

static void slow_source(struct transport *t)
{
	through_pipes(t, true, false);
}

static void slow_destination(struct transport *t)
{
	through_pipes(t, false, true);
}

Test(transport, goes_through_pipes)
{
	both(slow_source);
	both(slow_destination);
}

/* A unix socket on one side, TCP on the other, bytes in both directions at once. */
static void both_directions(struct transport *t)
{
	uint8_t *there = bytes(LONG), *back = bytes(LONG / 2);
	int a[2], b[2];
	struct side *sides[4];

	unix_pair(a);
	tcp_pair(b);
	back[0] ^= 0xff;
	sides[0] = begin(writer, a[0], there, LONG, false);
	sides[1] = begin(reader, b[0], there, LONG, true);
	sides[2] = begin(writer, b[0], back, LONG / 2, true);
	sides[3] = begin(reader, a[0], back, LONG / 2, false);
	add(t, &(struct transport_way){ .in = a[1], .out = b[1], .shut = true });
	add(t, &(struct transport_way){ .in = b[1], .out = a[1], .shut = true });
	run_to_end(t);
	for (unsigned int i = 0; i < 4; i++)
		end(sides[i], i & 1);
	cr_expect(transport_written(t, 0) == LONG && !transport_unwritten(t, 0));
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	free(there);
	free(back);
}

Test(transport, goes_both_ways_through_sockets)
{
	both(both_directions);
}

/* Flags of a pipe are those of all who have it. */
static void descriptors_keep_their_flags(struct transport *t)
{
	int in[2], out[2];

	cr_assert(!pipe2(in, O_CLOEXEC) && !pipe2(out, O_CLOEXEC | O_NONBLOCK));
	cr_assert(write(in[1], "abc", 3) == 3);
	close(in[1]);
	add(t, &(struct transport_way){ .in = in[0], .out = out[1] });
	run_to_end(t);
	cr_expect(!(fcntl(in[0], F_GETFL) & O_NONBLOCK));
	cr_expect(fcntl(out[1], F_GETFL) & O_NONBLOCK);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

Test(transport, leaves_descriptors_as_they_are)
{
	both(descriptors_keep_their_flags);
}

/* One that does not block, and has nothing to read or no room at first. */
static void nonblocking(struct transport *t)
{
	uint8_t *want = bytes(LONG / 4);
	struct side *from, *to;
	int a[2], b[2];

	unix_pair(a);
	unix_pair(b);
	fcntl(a[1], F_SETFL, O_NONBLOCK);
	fcntl(b[1], F_SETFL, O_NONBLOCK);
	from = begin(writer, a[0], want, LONG / 4, true);
	to = begin(reader, b[0], want, LONG / 4, true);
	add(t, &(struct transport_way){ .in = a[1], .out = b[1], .shut = true });
	run_to_end(t);
	end(from, false);
	end(to, true);
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	free(want);
}

Test(transport, waits_for_descriptors_that_do_not_block)
{
	both(nonblocking);
}

/* ---- what passes ---- */

static const char greeting[] = "before ", farewell[] = "after";

/* Every second byte, something before the first ones and something at the end. */
static int thin_out(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		    struct irqs_error *reterr)
{
	size_t *seen = ctx;

	(void)reterr;
	if (!*seen)
		ret[(*ret_n)++] = (struct iovec){ (void *)greeting, 7 };
	if (len > 2)
		ret[(*ret_n)++] = (struct iovec){ (void *)(data + 1), len - 2 };
	if (!len)
		ret[(*ret_n)++] = (struct iovec){ (void *)farewell, 5 };
	*seen += len;
	return 0;
}

static void only_some_bytes(struct transport *t)
{
	int in = sb_bytes_fd("0123456789", 10), out = memfd_create("out", MFD_CLOEXEC);
	size_t seen = 0, n;
	uint8_t *got;

	add(t, &(struct transport_way){ .in = in, .out = out, .pass = thin_out, .ctx = &seen });
	run_to_end(t);
	got = sb_slurp(out, &n);
	cr_expect(n == 20 && !memcmp(got, "before 12345678after", 20), "%.*s", (int)n, (char *)got);
	cr_expect(seen == 10);
	free(got);
	close(in);
	close(out);
}

Test(transport, passes_what_it_is_told_to)
{
	both(only_some_bytes);
}

static int not_this(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		    struct irqs_error *reterr)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)ret;
	(void)ret_n;
	return irqs_fail(reterr, IRQS_REFUSED, 7, NULL, "not this");
}

static void refused(struct transport *t)
{
	int in = sb_bytes_fd("0123456789", 10), out = memfd_create("out", MFD_CLOEXEC);
	struct irqs_error err = { 0 };

	add(t, &(struct transport_way){ .in = in, .out = out, .pass = not_this });
	cr_expect(transport_run(t, 5000, &err) == -EOPNOTSUPP && err.status == IRQS_REFUSED && err.offset == 7);
	cr_expect(lseek(out, 0, SEEK_END) == 0);
	close(in);
	close(out);
}

Test(transport, ends_with_the_error_of_a_pass)
{
	both(refused);
}

static void into_nothing(struct transport *t)
{
	struct irqs_error err = { 0 };
	int a[2], b[2], rc;

	unix_pair(a);
	unix_pair(b);
	add(t, &(struct transport_way){ .in = a[1], .out = b[1], .in_name = "the source", .out_name = "the destination" });
	close(b[0]);
	cr_assert(write(a[0], "abc", 3) == 3);
	rc = transport_run(t, 5000, &err);
	cr_expect(rc == -EPIPE && err.status == IRQS_SYSTEM && strstr(err.text, "the destination: write: Broken pipe"), "%d %s",
		  rc, err.text);
	close(a[0]);
	close(a[1]);
	close(b[1]);
}

Test(transport, names_the_descriptor_that_fails)
{
	both(into_nothing);
}

/* ---- waiting ---- */

/* Nobody reads: the one who writes is stopped, and nothing is lost when it goes on. */
static void backpressure(struct transport *t)
{
	uint8_t *want = bytes(LONG);
	struct irqs_error err;
	struct side *to;
	size_t sent = 0;
	int a[2], b[2];
	ssize_t n;

	unix_pair(a);
	unix_pair(b);
	add(t, &(struct transport_way){ .in = a[1], .out = b[1], .shut = true });
	do {
		n = send(a[0], want + sent, LONG - sent, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		cr_expect(transport_run(t, 20, &err) == -ETIMEDOUT);
	} while (n > 0 && sent < LONG);
	cr_expect(sent < LONG, "all of it was taken");
	cr_expect(transport_unwritten(t, 0) && transport_unwritten(t, 0) <= BUFFER * BUFFERS);
	shutdown(a[0], SHUT_WR);
	to = begin(reader, b[0], want, sent, false);
	run_to_end(t);
	end(to, true);
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
	free(want);
}

Test(transport, lets_the_source_wait)
{
	both(backpressure);
}

static void *cancel_soon(void *t)
{
	usleep(20000);
	transport_cancel(t);
	return NULL;
}

/* In the middle of a read that gets nothing and a write that finds no room. */
static void cancel_while_it_waits(struct transport *t)
{
	uint8_t *want = bytes(LONG);
	struct irqs_error err;
	pthread_t thread;
	int a[2], b[2], c[2], rc;

	unix_pair(a);
	unix_pair(b);
	cr_assert(!pipe2(c, O_CLOEXEC));
	add(t, &(struct transport_way){ .in = a[1], .out = b[1] });
	add(t, &(struct transport_way){ .in = b[1], .out = c[1] });
	cr_assert(send(a[0], want, LONG, MSG_DONTWAIT) > 0);
	cr_assert(!pthread_create(&thread, NULL, cancel_soon, t));
	rc = transport_run(t, 10000, &err);
	cr_expect(rc == -ECANCELED, "%d", rc);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
		close(c[i]);
	}
	free(want);
}

Test(transport, can_be_cancelled)
{
	both(cancel_while_it_waits);
}

static int take_byte(void *ctx, int fd, struct irqs_error *reterr)
{
	char *c = ctx;

	(void)reterr;
	cr_assert(read(fd, c, 1) == 1);
	return *c == 'z';
}

static void watched(struct transport *t)
{
	struct irqs_error err;
	int a[2], b[2];
	char c = 0;

	unix_pair(a);
	unix_pair(b);
	add(t, &(struct transport_way){ .in = a[1], .out = a[1] });
	cr_assert(!transport_watch(t, b[1], take_byte, &c, &err));
	cr_assert(write(b[0], "xyz!", 4) == 4);
	cr_expect(transport_run(t, 100, &err) == -ETIMEDOUT);
	cr_expect(c == 'z', "it was called with %c last", c);
	shutdown(a[0], SHUT_WR);
	run_to_end(t);
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

Test(transport, calls_back_for_watched_descriptors)
{
	both(watched);
}

static void given(struct transport *t)
{
	struct iovec piece = { (void *)greeting, 6 };
	struct irqs_error err;
	char got[16] = "";
	int a[2], b[2];

	unix_pair(a);
	unix_pair(b);
	add(t, &(struct transport_way){ .in = a[1], .out = b[1], .shut = true });
	cr_expect(transport_run(t, 10, &err) == -ETIMEDOUT);
	cr_assert(!transport_give(t, 0, &piece, 1, &err));
	cr_expect(transport_run(t, 10, &err) == -ETIMEDOUT);
	cr_assert(write(a[0], "!", 1) == 1);
	shutdown(a[0], SHUT_WR);
	run_to_end(t);
	cr_expect(recv(b[0], got, 7, MSG_WAITALL) == 7 && !strcmp(got, "before!"), "%s", got);
	for (unsigned int i = 0; i < 2; i++) {
		close(a[i]);
		close(b[i]);
	}
}

Test(transport, writes_what_it_is_given)
{
	both(given);
}

/* ---- where io_uring is denied ---- */

/* Return: whether io_uring_setup() gives @err from now on. */
static bool deny_uring(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) && !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static void expect_fallback(int err)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct transport *t;

		if (!deny_uring(err))
			_exit(77);
		t = create(false);
		if (!transport_is_plain(t))
			_exit(1);
		copy_file(t, LONG, 0);
		transport_destroy(t);
		_exit(0);
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		cr_skip_test("there is no seccomp to deny it with");
	cr_expect(!status, "with error %d: status 0x%x", err, status);
}

Test(transport, does_without_io_uring_where_it_is_denied)
{
	expect_fallback(EPERM);
	expect_fallback(ENOSYS);
}

Test(transport, does_without_io_uring_when_the_environment_says_so)
{
	struct transport *t;

	setenv("IRQSHIFT_TRANSPORT", "plain", 1);
	t = create(false);
	cr_expect(transport_is_plain(t));
	transport_destroy(t);
}

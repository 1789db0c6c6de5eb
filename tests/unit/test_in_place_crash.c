/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A conversion in place that is killed, or whose system calls fail, at each call and at any moment: without a journal the file
 * is the old stream or the new one, with a journal recovery makes it the one or the other, byte for byte. The same of a
 * recovery. Reduced by default, all with IRQSHIFT_FULL=1; IRQSHIFT_SEED repeats a run.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "stream/in_place.h"
#include "tests/unit/inject.h"
#include "tests/unit/stream_builder.h"

#define RANDOM_KILLS 100u
#define RANDOM_KILLS_FULL 500u

/* Of the calls of any kind, by default: one in so many. */
#define ANY_STEP 9u

struct text {
	uint8_t *data;
	size_t size;
};

/* A stream and what it becomes. */
struct conversion {
	const char *to;
	const char *set; /* what rules of our own set in a DMA controller, or NULL */
	struct text old, new;
};

static char dir[64], file[96], journal[128], copy[96], copy_journal[128], rules[96], program[PATH_MAX];

/* One stream gets shorter, one longer, one keeps its length. */
static struct conversion conversions[] = {
	{ .to = "tcg" },
	{ .to = "kvm", .set = "\"field\": \"extra\", \"type\": \"uint64\"" },
	{ .to = "kvm", .set = "\"field\": \"command\"" },
};

#define CONVERSIONS (sizeof(conversions) / sizeof(conversions[0]))

static bool full(void)
{
	return getenv("IRQSHIFT_FULL") != NULL;
}

static struct text read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct text t = { NULL, 0 };

	cr_assert(fd >= 0, "%s: %s", path, strerror(errno));
	t.data = sb_slurp(fd, &t.size);
	close(fd);
	return t;
}

static void write_file(const char *path, const struct text *t)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	cr_assert(fd >= 0 && write(fd, t->data, t->size) == (ssize_t)t->size);
	close(fd);
}

static bool is(const char *path, const struct text *t)
{
	struct text now = read_file(path);
	bool same = now.size == t->size && !memcmp(now.data, t->data, t->size);

	free(now.data);
	return same;
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static void write_rules(const struct conversion *c)
{
	FILE *f = fopen(rules, "w");

	cr_assert(f);
	fprintf(f,
		"{ \"irqshift-rules\": 1, \"name\": \"ours\", \"summary\": \"a test\", \"forward\": [ { \"section\": \"dma\","
		" \"cost\": \"lossless\", \"why\": \"a test\", \"do\": [ { \"set\": { %s, \"value\": 1 } } ] } ] }",
		c->set);
	cr_assert_eq(fclose(f), 0);
}

/* The command line; @output: NULL for in place. */
static const char *const *arguments(const struct conversion *c, const char *output)
{
	static const char *argv[12];
	size_t n = 0;

	argv[n++] = program;
	argv[n++] = "convert";
	argv[n++] = "--to";
	argv[n++] = c->to;
	if (c->set) {
		write_rules(c);
		argv[n++] = "--filter";
		argv[n++] = rules;
	}
	argv[n++] = output ? "-o" : "--in-place";
	if (output)
		argv[n++] = output;
	argv[n++] = file;
	argv[n] = NULL;
	return argv;
}

static struct injected convert(const struct conversion *c, const struct injection *in, struct inject_trace *trace)
{
	return inject_run(arguments(c, NULL), in, trace);
}

static struct injected recover(const char *way, const struct injection *in)
{
	char option[32];
	const char *const argv[] = { program, "convert", option, file, NULL };

	snprintf(option, sizeof(option), "--recover=%s", way);
	return inject_run(argv, in, NULL);
}

/* What the whole conversion writes is what the one into another file writes. */
static void make_new(struct conversion *c)
{
	const struct injection nothing = { .what = INJECT_NOTHING };

	write_file(file, &c->old);
	cr_assert_eq(inject_run(arguments(c, copy), &nothing, NULL).status, 0);
	c->new = read_file(copy);
	cr_assert_eq(unlink(copy), 0);
}

static void setup_in(const char *where)
{
	const char *name = getenv("IRQSHIFT");

	snprintf(dir, sizeof(dir), "%s/irqshift-crash-XXXXXX", where);
	cr_assert(mkdtemp(dir));
	cr_assert(realpath(name ? name : "build/irqshift", program), "no irqshift to run");
	snprintf(file, sizeof(file), "%s/guest", dir);
	snprintf(journal, sizeof(journal), "%s" IN_PLACE_JOURNAL, file);
	snprintf(copy, sizeof(copy), "%s/copy", dir);
	snprintf(copy_journal, sizeof(copy_journal), "%s" IN_PLACE_JOURNAL, copy);
	snprintf(rules, sizeof(rules), "%s/.rules.json", dir);
	conversions[0].old = read_file("tests/data/isapc-kvm.stream");
	make_new(&conversions[0]);
	for (size_t i = 1; i < CONVERSIONS; i++) {
		conversions[i].old = conversions[0].new;
		make_new(&conversions[i]);
	}
	cr_assert(conversions[0].new.size < conversions[0].old.size);
	cr_assert(conversions[1].new.size > conversions[1].old.size);
	cr_assert(conversions[2].new.size == conversions[2].old.size);
}

/* A kill loses nothing that was written, so that a file system in memory shows the same in less time. */
static void setup(void)
{
	setup_in(access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
}

/* Where a sync takes its time, a moment at random is more often one with a journal. */
static void setup_on_disk(void)
{
	setup_in("/tmp");
}

static void teardown(void)
{
	char cmd[128];

	free(conversions[0].old.data); /* what it becomes is what the others begin with */
	for (size_t i = 0; i < CONVERSIONS; i++)
		free(conversions[i].new.data);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	cr_expect_eq(system(cmd), 0);
}

static unsigned int count_files(void)
{
	unsigned int n = 0;
	struct dirent *e;
	DIR *d = opendir(dir);

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

/* The pair of file and journal, recovered in the other way under another name. */
static void expect_copy_recovers(enum in_place_way way, const struct text *want, const char *what)
{
	struct text f = read_file(file), j = read_file(journal);
	struct irqs_error err = { 0 };
	enum in_place_outcome outcome;

	write_file(copy, &f);
	write_file(copy_journal, &j);
	cr_expect_eq(in_place_recover(copy, way, &outcome, &err), 0, "%s: %s", what, err.text);
	cr_expect(is(copy, want), "%s: recovery gave another stream", what);
	cr_expect(!exists(copy_journal));
	unlink(copy);
	free(f.data);
	free(j.data);
}

static void expect_guarded(const char *what)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	cr_expect_eq(in_place_guard(fd, file, NULL), -EUCLEAN, "%s: it would be read", what);
	close(fd);
}

/* Whatever happened: one of the two streams, at the latest after a recovery, and nothing else left. */
static void expect_valid(const struct conversion *c, const char *what)
{
	struct irqs_error err = { 0 };
	enum in_place_outcome outcome;

	if (exists(journal)) {
		expect_guarded(what);
		expect_copy_recovers(IN_PLACE_UNDO, &c->old, what);
		cr_expect_eq(in_place_recover(file, IN_PLACE_FINISH, &outcome, &err), 0, "%s: %s", what, err.text);
		cr_expect(is(file, &c->new), "%s: recovery gave another stream", what);
	}
	cr_expect(is(file, &c->new) || is(file, &c->old), "%s: neither the old nor the new stream", what);
	cr_expect_eq(count_files(), 1, "%s: something was left in %s", what, dir);
}

static void describe(char *buf, size_t size, const struct conversion *c, const struct injection *in, const struct injected *r)
{
	static const char *const what[] = { "nothing", "killed before", "killed after", "error", "short" };

	snprintf(buf, size, "to %s, %s %s%s at call %u (%s)", c->to, what[in->what],
		 in->what == INJECT_ERROR ? strerrorname_np(in->error) : "", in->and_all_after ? " from then on" : "", in->at,
		 r->at ? r->at : "none");
}

TestSuite(in_place_crash, .init = setup, .fini = teardown, .timeout = 3600);

/* One conversion with a fault. Return: whether the program made that call. */
static bool convert_with(const struct conversion *c, const struct injection *in)
{
	struct injected r;
	char what[128];

	write_file(file, &c->old);
	r = convert(c, in, NULL);
	describe(what, sizeof(what), c, in, &r);
	if (!r.killed && !r.status)
		cr_expect(is(file, &c->new) && !exists(journal), "%s: success, and it was not converted", what);
	/* One failure is undone at once, unless it is the journal that cannot be removed. */
	if (!r.killed && r.came && !in->and_all_after)
		cr_expect(!exists(journal) || !strcmp(r.at, "unlink"), "%s: a journal was left", what);
	if (in->what == INJECT_SHORT)
		cr_expect_eq(r.status, 0, "%s: a short write is no error", what);
	expect_valid(c, what);
	return r.came;
}

/* Return: how many calls there are. */
static unsigned int convert_at_each_call(const struct conversion *c, struct injection in, unsigned int step)
{
	while (convert_with(c, &in))
		in.at += step;
	return in.at;
}

static void at_each_call(struct injection in)
{
	for (size_t i = 0; i < CONVERSIONS; i++)
		cr_expect_gt(convert_at_each_call(&conversions[i], in, 1), 10);
}

Test(in_place_crash, killed_before_or_after_each_call_it_is_one_of_the_two_streams)
{
	at_each_call((struct injection){ .what = INJECT_KILL_BEFORE });
	at_each_call((struct injection){ .what = INJECT_KILL_AFTER });
}

Test(in_place_crash, an_error_of_each_call_leaves_one_of_the_two_streams)
{
	static const int errors[] = { ENOSPC, EIO };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		at_each_call((struct injection){ .what = INJECT_ERROR, .error = errors[i] });
		at_each_call((struct injection){ .what = INJECT_ERROR, .error = errors[i], .and_all_after = true });
	}
}

Test(in_place_crash, short_writes_are_continued)
{
	at_each_call((struct injection){ .what = INJECT_SHORT });
	at_each_call((struct injection){ .what = INJECT_ERROR, .error = EINTR });
}

Test(in_place_crash, killed_at_any_system_call_it_is_one_of_the_two_streams)
{
	struct injection in = { .what = INJECT_KILL_BEFORE, .any_call = true };

	cr_expect_gt(convert_at_each_call(&conversions[0], in, full() ? 1 : ANY_STEP), 50);
#ifdef __SANITIZE_ADDRESS__
	/* Before it has read its options, the runtime ends a program with status 0 when its munmap() fails. */
	return;
#endif
	in.what = INJECT_ERROR;
	in.error = EIO;
	cr_expect_gt(convert_at_each_call(&conversions[0], in, full() ? 1 : ANY_STEP), 50);
}

/* A file of which the first write was made. */
static void half_convert(const struct conversion *c)
{
	struct injection in = { .what = INJECT_KILL_AFTER };
	struct injected r;

	do {
		write_file(file, &c->old);
		unlink(journal);
		r = convert(c, &in, NULL);
		in.at++;
		cr_assert(r.came, "it was never half written");
	} while (is(file, &c->old));
	cr_assert(exists(journal));
	cr_assert_str_eq(r.at, "pwrite");
}

static void recover_at_each_call(const struct conversion *c, const char *way, enum inject_what what, int error)
{
	struct injection in = { .what = what, .error = error };
	struct text half, j;
	struct injected r;
	char text[128];

	half_convert(c);
	half = read_file(file);
	j = read_file(journal);
	do {
		write_file(file, &half);
		write_file(journal, &j);
		r = recover(way, &in);
		describe(text, sizeof(text), c, &in, &r);
		cr_expect(exists(journal) || is(file, !strcmp(way, "undo") ? &c->old : &c->new),
			  "%s of recovery: the journal is gone too soon", text);
		expect_valid(c, text);
		in.at++;
	} while (r.came);
	cr_expect_gt(in.at, 5);
	free(half.data);
	free(j.data);
}

Test(in_place_crash, a_recovery_that_is_cut_short_can_be_done_again_either_way)
{
	for (size_t i = 0; i < CONVERSIONS; i++) {
		recover_at_each_call(&conversions[i], "finish", INJECT_KILL_AFTER, 0);
		recover_at_each_call(&conversions[i], "undo", INJECT_KILL_AFTER, 0);
		recover_at_each_call(&conversions[i], "undo", INJECT_ERROR, EIO);
	}
}

static pid_t start(const struct conversion *c)
{
	const char *const *argv = arguments(c, NULL);
	pid_t pid = fork();

	if (!pid) {
		execv(program, (char *const *)argv);
		_exit(127);
	}
	cr_assert_gt(pid, 0);
	return pid;
}

/* Return: how long one takes. */
static double time_one(const struct conversion *c)
{
	double begin;
	int status;

	write_file(file, &c->old);
	begin = monotonic_s();
	cr_assert_gt(waitpid(start(c), &status, 0), 0);
	cr_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	return monotonic_s() - begin;
}

TestSuite(in_place_crash_on_disk, .init = setup_on_disk, .fini = teardown, .timeout = 3600);

Test(in_place_crash_on_disk, killed_at_random_instants_it_is_one_of_the_two_streams)
{
	const char *given = getenv("IRQSHIFT_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : (unsigned int)time(NULL) ^ (unsigned int)getpid();
	unsigned int n = full() ? RANDOM_KILLS_FULL : RANDOM_KILLS, killed = 0, journals = 0;
	double whole = 0;

	srand(seed);
	for (unsigned int i = 0; i < 10; i++)
		whole += time_one(&conversions[0]) / 10;
	for (unsigned int i = 0; i < n; i++) {
		const struct conversion *c = &conversions[i % CONVERSIONS];
		double wait = whole * rand() / RAND_MAX;
		char what[64];
		int status;
		pid_t pid;

		write_file(file, &c->old);
		pid = start(c);
		usleep((useconds_t)(wait * 1e6));
		kill(pid, SIGKILL);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		killed += WIFSIGNALED(status);
		journals += exists(journal);
		snprintf(what, sizeof(what), "to %s, seed %u, kill %u after %.6f s", c->to, seed, i, wait);
		expect_valid(c, what);
	}
	printf("in_place_crash: %u kills at random instants within %.1f ms: %u while it ran, %u left a journal%s (IRQSHIFT_SEED=%u)\n",
	       n, whole * 1000, killed, journals, full() ? "" : " (reduced; 500 with IRQSHIFT_FULL=1)", seed);
	cr_expect_gt(killed, 0);
}

/* A kill loses nothing that was written, a power failure does: what may not reach the disk before what is an order of calls. */
static size_t find(const struct inject_trace *t, size_t from, const char *name, const char *path)
{
	for (; from < t->count; from++)
		if (!strcmp(t->calls[from].name, name) && !strcmp(t->calls[from].path, path))
			return from;
	cr_assert_fail("no %s of %s", name, path);
	return 0;
}

static size_t find_last(const struct inject_trace *t, const char *name, const char *path)
{
	size_t last = find(t, 0, name, path);

	for (size_t i = last; i < t->count; i++)
		if (!strcmp(t->calls[i].name, name) && !strcmp(t->calls[i].path, path))
			last = i;
	return last;
}

Test(in_place_crash, the_journal_is_on_the_disk_before_the_first_write_and_the_file_before_the_journal_goes)
{
	const struct injection nothing = { .what = INJECT_NOTHING, .at = UINT_MAX };
	static struct inject_trace t;

	for (size_t i = 0; i < CONVERSIONS; i++) {
		size_t linked, folder, first, last, synced, gone;

		write_file(file, &conversions[i].old);
		cr_assert_eq(convert(&conversions[i], &nothing, &t).status, 0);
		linked = find(&t, 0, "linkat", journal);
		cr_assert_gt(linked, 0);
		cr_expect_str_eq(t.calls[linked - 1].name, "fsync", "the journal has its name before it is on the disk");
		folder = find(&t, linked, "fsync", dir);
		first = find(&t, 0, "pwrite", file);
		cr_expect_lt(folder, first, "the file is written before the journal's name is on the disk");
		last = find_last(&t, conversions[i].old.size == conversions[i].new.size ? "pwrite" : "ftruncate", file);
		cr_expect_geq(last, find_last(&t, "pwrite", file));
		synced = find(&t, last, "fsync", file);
		gone = find(&t, 0, "unlink", journal);
		cr_expect_lt(synced, gone, "the journal goes before the file is on the disk");
		find(&t, gone, "fsync", dir);
		for (size_t k = 0; k < folder; k++)
			cr_expect_str_neq(t.calls[k].path, file);
	}
}

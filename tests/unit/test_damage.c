/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A real stream, cut short and with flipped bits: told to be broken, with an offset, or read and written back as it is;
 * never a crash. The command as well: status 3 or 4 and no output file, or 0 and an output file. A part of the cases
 * by default, all with IRQSHIFT_FULL=1. IRQSHIFT_SEED repeats a run.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/stream_check.h"

#define GOLDEN "tests/data/isapc-kvm.stream"

static uint8_t *golden;
static size_t size, devices; /* bytes of the file; offset of the first device section */
static char folder[] = "/var/tmp/irqshift-damage-XXXXXX";
static uint64_t state;
static unsigned int cases, accepted, commands;

static bool full(void)
{
	const char *s = getenv("IRQSHIFT_FULL");

	return s && !strcmp(s, "1");
}

/* xorshift64: the same numbers for the same seed everywhere. */
static size_t below(size_t n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (size_t)(state % n);
}

static void load(void)
{
	const char *seed = getenv("IRQSHIFT_SEED");
	int fd = open(GOLDEN, O_RDONLY | O_CLOEXEC);
	struct opened o;

	cr_assert(fd >= 0, GOLDEN " is not there: run from the top folder");
	golden = sb_slurp(fd, &size);
	close(fd);
	cr_assert(!sc_open_bytes(&o, golden, size, NULL), "%s", o.err.text);
	devices = (size_t)vms_first_child(o.s.tree.machine)->next->offset;
	sc_close(&o);
	state = seed ? strtoull(seed, NULL, 0) : (uint64_t)time(NULL) << 20 ^ (uint64_t)getpid();
	state |= 1;
	cr_assert(mkdtemp(folder));
	cr_log_warn("seed 0x%" PRIx64, state);
}

static void unload(void)
{
	cr_expect(!rmdir(folder), "something is left in the folder");
	cr_log_warn("%u damaged streams, %u of them still make sense; %u through the command%s", cases, accepted,
		    commands, full() ? "" : " (reduced; all with IRQSHIFT_FULL=1)");
	free(golden);
}

TestSuite(damage, .init = load, .fini = unload, .timeout = 900);

Test(damage, nothing_happens_to_the_stream_itself)
{
	sc_expect_identity(golden, size, GOLDEN);
	cases++;
}

static void check_library(const uint8_t *data, size_t len, const char *what)
{
	struct opened o;
	uint8_t *out;
	size_t n;

	cases++;
	if (!sc_open_bytes(&o, data, len, NULL)) {
		accepted++;
		out = sc_write(&o, &n);
		cr_expect(out && n == len && !memcmp(out, data, len), "%s: read, but not written back as it was", what);
		free(out);
	} else if (o.rc == -EBADMSG) {
		cr_expect(o.err.offset >= 0 && o.err.offset <= (int64_t)len, "%s: byte %" PRId64 ": %s", what,
			  o.err.offset, o.err.text);
	} else {
		cr_expect(o.rc == -EOPNOTSUPP, "%s: %d: %s", what, o.rc, o.err.text);
	}
	sc_close(&o);
}

static int run(const char *to, const char *out, const char *in)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl(getenv("IRQSHIFT"), "irqshift", "convert", "--from", "kvm", "--to", to, "-o", out, in, NULL);
		_exit(99);
	}
	cr_assert(pid > 0 && waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned int files(void)
{
	struct dirent *e;
	DIR *d = opendir(folder);
	unsigned int n = 0;

	cr_assert(d);
	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void check_command(const uint8_t *data, size_t len, const char *what)
{
	static const char *const targets[] = { "kvm", "tcg", "kvm-split" };
	const char *program = getenv("IRQSHIFT"), *to = targets[commands % 3];
	char in[64], out[64];
	int fd, status;

	if (!program || access(program, X_OK))
		return;
	snprintf(in, sizeof(in), "%s/in", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	fd = open(in, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert(fd >= 0 && write(fd, data, len) == (ssize_t)len);
	close(fd);
	commands++;
	status = run(to, out, in);
	cr_expect(!status || status == 3 || status == 4, "%s: convert to %s: status %d", what, to, status);
	cr_expect(files() == (status ? 1 : 2), "%s: convert to %s: status %d with %u files", what, to, status, files());
	unlink(in);
	unlink(out);
}

Test(damage, cut_anywhere_it_is_told)
{
	unsigned int n = full() ? 200 : 50;
	char what[64];

	for (unsigned int i = 0; i < n; i++) {
		/* Evenly, and more of them in the last bytes. */
		size_t len = i % 4 ? size * i / n : size - 1 - below(64);

		snprintf(what, sizeof(what), "cut at %zu of %zu", len, size);
		check_library(golden, len, what);
		check_command(golden, len, what);
	}
}

static void flip(size_t from, size_t to, unsigned int n, unsigned int every)
{
	uint8_t *copy = malloc(size);
	char what[64];

	cr_assert(copy);
	for (unsigned int i = 0; i < n; i++) {
		size_t at = from + below(to - from), bit = below(8);

		memcpy(copy, golden, size);
		copy[at] ^= (uint8_t)(1 << bit);
		snprintf(what, sizeof(what), "bit %zu of byte %zu", bit, at);
		check_library(copy, size, what);
		if (full() || !(i % every))
			check_command(copy, size, what);
	}
	free(copy);
}

Test(damage, flipped_bits_of_devices_are_told_or_make_sense)
{
	flip(devices, size, full() ? 2000 : 300, 5);
}

Test(damage, flipped_bits_before_the_devices_are_told_or_make_sense)
{
	flip(0, devices, full() ? 500 : 100, 5);
}

/* Without its vmdescription: the end of each section is searched for. */
Test(damage, flipped_bits_without_a_vmdescription_are_told_or_make_sense)
{
	const uint8_t *json = memmem(golden, size, "{\"page_size\"", 12);
	size_t whole = size;

	cr_assert(json);
	size = (size_t)(json - golden) - 5;
	flip(devices, size, full() ? 500 : 100, 5);
	size = whole;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the command takes of memory: the RAM of the guest is not in it. Streams of 512 MiB by default and of 4 GiB with
 * IRQSHIFT_FULL=1, made from the devices of a real one; they lie in the build folder and are removed.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/endian.h"
#include "stream/qemu.h"

#define GOLDEN "tests/data/isapc-kvm.stream"
#define LIMIT_MIB 64
#define PIPE_LIMIT_MIB 32 /* from a pipe into what is no file */
#define PAGE 4096
#define MIB ((uint64_t)1 << 20)

static char folder[128];
static uint8_t golden[65536];
static size_t size, configured, devices; /* bytes; the end of the configuration; the first device section */
static uint32_t ram_id;

static uint64_t ram_size(void)
{
	const char *s = getenv("IRQSHIFT_FULL");

	return s && !strcmp(s, "1") ? 4096 * MIB : 512 * MIB;
}

static void setup(void)
{
	const char *build = getenv("O");
	int fd = open(GOLDEN, O_RDONLY | O_CLOEXEC);
	struct irqs_error err;
	struct qemu_stream s;
	ssize_t n;

	cr_assert(fd >= 0, GOLDEN " is not there: run from the top folder");
	n = read(fd, golden, sizeof(golden));
	cr_assert(n > 0 && (size_t)n < sizeof(golden));
	size = (size_t)n;
	cr_assert(!qemu_stream_read(&s, fd, NULL, &err), "%s", err.text);
	configured = (size_t)(s.items[1].offset + s.items[1].length);
	devices = (size_t)vms_first_child(s.tree.machine)->next->offset;
	qemu_stream_deinit(&s);
	close(fd);
	ram_id = (uint32_t)get_be((const uint8_t *)memmem(golden, size, "\3ram", 4) - 4, 4);
	snprintf(folder, sizeof(folder), "%s/memory-XXXXXX", build ? build : "build");
	cr_assert(mkdtemp(folder), "%s", folder);
}

static void teardown(void)
{
	char path[192];

	snprintf(path, sizeof(path), "%s/in", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/out", folder);
	unlink(path);
	cr_expect(!rmdir(folder), "something is left in the folder");
}

TestSuite(memory, .init = setup, .fini = teardown, .timeout = 600);

static void put(FILE *f, size_t width, uint64_t v)
{
	uint8_t be[8];

	put_be(be, width, v);
	fwrite(be, 1, width, f);
}

static void put_end(FILE *f)
{
	put(f, 8, 0x10);
	put(f, 1, QEMU_VM_SECTION_FOOTER);
	put(f, 4, ram_id);
}

/* The start of the RAM: one block of @bytes, up to its length. */
static void put_setup(FILE *f, uint64_t bytes)
{
	put(f, 1, QEMU_VM_SECTION_START);
	put(f, 4, ram_id);
	fwrite("\3ram", 1, 4, f);
	put(f, 4, 0);
	put(f, 4, 4);
	put(f, 8, bytes | 0x04);
	fwrite("\6pc.ram", 1, 7, f);
	put(f, 8, bytes);
}

static void make_pages(FILE *f, uint64_t bytes)
{
	uint8_t page[PAGE];

	memset(page, 0xa5, sizeof(page));
	put_setup(f, bytes);
	put_end(f);
	put(f, 1, QEMU_VM_SECTION_END);
	put(f, 4, ram_id);
	for (uint64_t at = 0; at < bytes; at += PAGE) {
		put(f, 8, at | 0x08 | (at ? 0x20 : 0));
		if (!at)
			fwrite("\6pc.ram", 1, 7, f);
		fwrite(page, 1, sizeof(page), f);
	}
	put_end(f);
}

static void make_mapped(FILE *f, uint64_t bytes)
{
	static const char name[] = "configuration/capabilities";

	put(f, 1, QEMU_VM_SUBSECTION);
	put(f, 1, strlen(name));
	fwrite(name, 1, strlen(name), f);
	put(f, 4, 1);
	put(f, 4, 1);
	fwrite("\12mapped-ram", 1, 11, f);
	put_setup(f, bytes);
	put(f, 4, 1);
	put(f, 8, PAGE);
	put(f, 8, (uint64_t)ftello(f) + 16);
	put(f, 8, MIB);
	cr_assert(!fseeko(f, (off_t)(MIB + bytes), SEEK_SET)); /* a hole: pages of zeros */
	put_end(f);
	put(f, 1, QEMU_VM_SECTION_END);
	put(f, 4, ram_id);
	put_end(f);
}

static void make_stream(const char *path, void (*make_ram)(FILE *f, uint64_t bytes))
{
	FILE *f = fopen(path, "w");

	cr_assert(f, "%s", path);
	fwrite(golden, 1, configured, f);
	make_ram(f, ram_size());
	fwrite(golden + devices, 1, size - devices, f);
	cr_assert(!ferror(f) && !fclose(f), "%s cannot be written", path);
}

/* Runs `irqshift convert ... @in` with the output to @out. Return: its largest resident size in MiB. */
static long convert(const char *in, const char *out, int in_fd)
{
	const char *program = getenv("IRQSHIFT");
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (in_fd >= 0)
			dup2(in_fd, STDIN_FILENO);
		execl(program, "irqshift", "convert", "--from", "kvm", "--to", "kvm", "-o", out, in, NULL);
		_exit(99);
	}
	if (in_fd >= 0)
		close(in_fd);
	cr_assert(pid > 0 && wait4(pid, &status, 0, &usage) == pid);
	cr_expect(WIFEXITED(status) && !WEXITSTATUS(status), "convert: status 0x%x", status);
	return usage.ru_maxrss >> 10;
}

static bool same_files(const char *a, const char *b)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execlp("cmp", "cmp", a, b, NULL);
		_exit(99);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

static bool can_run(void)
{
	const char *program = getenv("IRQSHIFT");

#ifdef __SANITIZE_ADDRESS__
	rmdir(folder); /* nothing is done behind a skip */
	cr_skip_test("the sanitizers take memory of their own");
	return false;
#endif
	if (program && !access(program, X_OK))
		return true;
	rmdir(folder);
	cr_skip_test("no command to run: set IRQSHIFT");
	return false;
}

static void check_file(const char *what, void (*make_ram)(FILE *f, uint64_t bytes))
{
	char in[192], out[192];
	long mib;

	if (!can_run())
		return;
	snprintf(in, sizeof(in), "%s/in", folder);
	snprintf(out, sizeof(out), "%s/out", folder);
	make_stream(in, make_ram);
	mib = convert(in, out, -1);
	cr_expect(mib < LIMIT_MIB, "%s of %" PRIu64 " MiB: %ld MiB", what, ram_size() / MIB, mib);
	cr_expect(same_files(in, out), "%s: it is another file", what);
	cr_log_warn("%s of %" PRIu64 " MiB: the command took %ld MiB", what, ram_size() / MIB, mib);
}

Test(memory, pages_of_a_stream_are_not_held)
{
	check_file("a stream", make_pages);
}

Test(memory, mapped_pages_are_not_held)
{
	check_file("mapped RAM", make_mapped);
}

Test(memory, pages_from_a_pipe_are_not_held)
{
	char in[192];
	long mib;
	int p[2];
	pid_t pid;

	if (!can_run())
		return;
	snprintf(in, sizeof(in), "%s/in", folder);
	make_stream(in, make_pages);
	cr_assert(!pipe(p));
	pid = fork();
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		close(p[0]);
		close(p[1]);
		execlp("cat", "cat", in, NULL);
		_exit(99);
	}
	close(p[1]);
	mib = convert("-", "/dev/null", p[0]);
	waitpid(pid, NULL, 0);
	cr_expect(mib < PIPE_LIMIT_MIB, "%ld MiB", mib);
	cr_log_warn("a pipe of %" PRIu64 " MiB: the command took %ld MiB", ram_size() / MIB, mib);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/inject.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

/* No exit status of ours or of the loader's. */
#define NOT_RUN 99

#define SYSCALL_STOP (SIGTRAP | 0x80)

/* Where the file is among the arguments. */
enum file_of { BY_FD,
	       BY_PATH };

static const struct known_call {
	long number;
	const char *name;
	enum file_of file;
	unsigned int arg; /* of the descriptor or the path */
} known_calls[] = {
	{ SYS_write, "write", BY_FD, 0 },
	{ SYS_writev, "writev", BY_FD, 0 },
	{ SYS_pwrite64, "pwrite", BY_FD, 0 },
	{ SYS_pwritev, "pwritev", BY_FD, 0 },
	{ SYS_ftruncate, "ftruncate", BY_FD, 0 },
	{ SYS_fallocate, "fallocate", BY_FD, 0 },
	{ SYS_fsync, "fsync", BY_FD, 0 },
	{ SYS_fdatasync, "fdatasync", BY_FD, 0 },
	{ SYS_copy_file_range, "copy_file_range", BY_FD, 2 },
	{ SYS_unlink, "unlink", BY_PATH, 0 },
	{ SYS_unlinkat, "unlinkat", BY_PATH, 1 },
	{ SYS_link, "link", BY_PATH, 1 },
	{ SYS_linkat, "linkat", BY_PATH, 3 },
	{ SYS_rename, "rename", BY_PATH, 1 },
	{ SYS_renameat, "renameat", BY_PATH, 3 },
	{ SYS_renameat2, "renameat2", BY_PATH, 3 },
	{ SYS_truncate, "truncate", BY_PATH, 0 },
};

static const struct known_call *find_call(long number)
{
	for (size_t i = 0; i < sizeof(known_calls) / sizeof(known_calls[0]); i++)
		if (known_calls[i].number == number)
			return &known_calls[i];
	return NULL;
}

static void child(const char *const *argv)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	/* The leak sanitizer cannot work in a process that is traced. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(NOT_RUN);
	raise(SIGSTOP);
	execv(argv[0], (char *const *)argv);
	_exit(NOT_RUN);
}

static void read_text(pid_t pid, uint64_t address, char *ret, size_t size)
{
	char name[64];
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/mem", (int)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, ret, size - 1, (off_t)address);
	ret[n < 0 ? 0 : n] = '\0';
	if (fd >= 0)
		close(fd);
}

static void note(struct inject_trace *trace, pid_t pid, const struct known_call *known, const struct __ptrace_syscall_info *info)
{
	struct inject_call *call = &trace->calls[trace->count++];
	char link[64];
	ssize_t n;

	cr_assert_lt(trace->count, INJECT_CALLS_MAX);
	call->name = known->name;
	if (known->file == BY_PATH) {
		read_text(pid, info->entry.args[known->arg], call->path, sizeof(call->path));
		return;
	}
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, (int)info->entry.args[known->arg]);
	n = readlink(link, call->path, sizeof(call->path) - 1);
	call->path[n < 0 ? 0 : n] = '\0';
}

static void poke(pid_t pid, size_t reg, long value)
{
	cr_assert_eq(ptrace(PTRACE_POKEUSER, pid, reg, value), 0);
}

#define REG(name) offsetof(struct user, regs.name)

struct tracer {
	pid_t pid;
	const struct injection *injection;
	struct inject_trace *trace;
	struct injected result;
	unsigned int calls;
	bool hit; /* the call that is being made is the one */
};

static void on_entry(struct tracer *t, const struct __ptrace_syscall_info *info)
{
	const struct known_call *known = find_call((long)info->entry.nr);
	const struct injection *in = t->injection;
	unsigned int n;

	if (known && t->trace)
		note(t->trace, t->pid, known, info);
	t->hit = false;
	if (!known && !in->any_call)
		return;
	n = t->calls++;
	t->hit = n == in->at || (in->and_all_after && n > in->at);
	if (!t->hit)
		return;
	if (!t->result.came)
		t->result.at = known ? known->name : "a call";
	t->result.came = true;
	if (in->what == INJECT_KILL_BEFORE)
		kill(t->pid, SIGKILL);
	if (in->what == INJECT_ERROR)
		poke(t->pid, REG(orig_rax), -1);
	if (in->what == INJECT_SHORT && known && strstr(known->name, "write") && info->entry.args[2] > 1)
		poke(t->pid, REG(rdx), (long)(info->entry.args[2] / 2));
}

static void on_exit_of_call(struct tracer *t)
{
	if (!t->hit)
		return;
	if (t->injection->what == INJECT_KILL_AFTER)
		kill(t->pid, SIGKILL);
	if (t->injection->what == INJECT_ERROR)
		poke(t->pid, REG(rax), -t->injection->error);
	t->hit = false;
}

static void on_stop(struct tracer *t)
{
	struct __ptrace_syscall_info info;

	/* A process that was just killed is gone. */
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(t, &info);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT)
		on_exit_of_call(t);
}

/* From the exec to the end. */
static void follow(struct tracer *t)
{
	int status, signal_in = 0;
	bool running = false; /* the program itself, not what execs it */

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, t->pid, NULL, (long)signal_in) && errno != ESRCH)
			cr_assert_fail("ptrace: %s", strerror(errno));
		cr_assert_eq(waitpid(t->pid, &status, __WALL), t->pid);
		signal_in = 0;
		if (WIFEXITED(status) || WIFSIGNALED(status))
			break;
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			running = true;
		else if (WSTOPSIG(status) != SYSCALL_STOP)
			signal_in = WSTOPSIG(status);
		else if (running)
			on_stop(t);
	}
	t->result.killed = WIFSIGNALED(status);
	t->result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct injected inject_run(const char *const *argv, const struct injection *injection, struct inject_trace *trace)
{
	struct tracer t = { .injection = injection, .trace = trace, .pid = fork() };
	int status;

	if (!t.pid)
		child(argv);
	cr_assert_gt(t.pid, 0);
	cr_assert_eq(waitpid(t.pid, &status, 0), t.pid);
	cr_assert(WIFSTOPPED(status), "a child cannot be traced here");
	cr_assert_eq(ptrace(PTRACE_SETOPTIONS, t.pid, NULL,
			    PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC),
		     0);
	if (trace)
		trace->count = 0;
	follow(&t);
	cr_assert(t.result.killed || t.result.status != NOT_RUN, "%s cannot be run", argv[0]);
	return t.result;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"

#define MAX_ARGS 64

/* Where an inherited descriptor is in the child. */
#define INHERITED_FD 3

int qemu_child_left_ms(const struct qemu_child *c)
{
	int64_t left = c->deadline_ms - monotonic_ms();

	return left > 0 ? (int)left : 0;
}

/* Program and options out of one text, then @args. Return: how many; -1: too many, or none. */
static int split(char *text, const char *const *args, const char **argv)
{
	int n = 0;

	for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest));) {
		if (n == MAX_ARGS - 1)
			return -1;
		argv[n++] = word;
	}
	if (!n)
		return -1;
	for (; *args; args++) {
		if (n == MAX_ARGS - 1)
			return -1;
		argv[n++] = *args;
	}
	argv[n] = NULL;
	return n;
}

/* Only calls that are safe behind fork() in a program with threads. */
static _Noreturn void run_child(const char **argv, int talk, int complaints, int inherit, int report)
{
	int err;

	/* It must not outlive whoever asked. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_DFL);
	if (inherit == INHERITED_FD ? fcntl(inherit, F_SETFD, 0) < 0
				    : inherit >= 0 && dup2(inherit, INHERITED_FD) < 0)
		goto fail;
	if (dup2(talk, STDIN_FILENO) < 0 || dup2(talk, STDOUT_FILENO) < 0 ||
	    dup2(complaints, STDERR_FILENO) < 0)
		goto fail;
	execvp(argv[0], (char *const *)argv);
fail:
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static void close_all(int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Above the numbers that the child gives out anew, so that none is overwritten before it is copied. */
static int lift(int *fd)
{
	int high;

	if (*fd < 0 || *fd > INHERITED_FD)
		return *fd < 0 ? -1 : 0;
	high = fcntl(*fd, F_DUPFD_CLOEXEC, INHERITED_FD + 1);
	close(*fd);
	*fd = high;
	return high < 0 ? -1 : 0;
}

enum channel {
	TALK,
	TALK_CHILD,
	REPORT,
	REPORT_CHILD,
	COMPLAINTS,
	NR_CHANNELS,
};

static int open_channels(int fds[NR_CHANNELS])
{
	for (int i = 0; i < NR_CHANNELS; i++)
		fds[i] = -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + TALK) || pipe2(fds + REPORT, O_CLOEXEC))
		return -1;
	fds[COMPLAINTS] = memfd_create("complaints", MFD_CLOEXEC);
	for (int i = 0; i < NR_CHANNELS; i++)
		if (lift(&fds[i]))
			return -1;
	return 0;
}

int qemu_child_start(struct qemu_child *c, const struct qemu_run_options *opt, const char *const *args,
		     int inherit, struct irqs_error *reterr)
{
	const char *argv[MAX_ARGS];
	char *text = strdup(opt->binary);
	int fds[NR_CHANNELS], failure = 0;
	ssize_t n;

	*c = (struct qemu_child){ .talk = -1, .complaints = -1, .pid = -1 };
	if (!text)
		return irqs_fail_nomem(reterr);
	if (split(text, args, argv) < 0) {
		free(text);
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "no program, or too many options");
	}
	if (open_channels(fds)) {
		failure = errno;
	} else {
		c->pid = fork();
		if (!c->pid)
			run_child(argv, fds[TALK_CHILD], fds[COMPLAINTS], inherit, fds[REPORT_CHILD]);
		failure = c->pid < 0 ? errno : 0;
	}
	if (failure) {
		close_all(fds, NR_CHANNELS);
		free(text);
		return irqs_fail_errno(reterr, failure, "cannot start it");
	}
	close(fds[TALK_CHILD]);
	close(fds[REPORT_CHILD]);
	c->talk = fds[TALK];
	c->complaints = fds[COMPLAINTS];
	c->deadline_ms = monotonic_ms() + (int64_t)(opt->limit ? opt->limit : QEMU_RUN_LIMIT) * 1000;
	do
		n = read(fds[REPORT], &failure, sizeof(failure));
	while (n < 0 && errno == EINTR);
	close(fds[REPORT]);
	free(text);
	if (n <= 0)
		return 0;
	qemu_child_stop(c);
	return irqs_fail_errno(reterr, failure, "cannot start it");
}

char *qemu_child_complaint(const struct qemu_child *c, char *buf, size_t size)
{
	static const char prefix[] = "qemu";
	char tail[2048];
	off_t end = lseek(c->complaints, 0, SEEK_END), start = 0;
	const char *last = "", *own = NULL;
	ssize_t n;

	if (end > (off_t)sizeof(tail) - 1)
		start = end - (off_t)sizeof(tail) + 1;
	n = pread(c->complaints, tail, sizeof(tail) - 1, start);
	tail[n > 0 ? n : 0] = '\0';
	for (char *rest = tail, *line; (line = strtok_r(rest, "\r\n", &rest));) {
		last = line;
		if (!strncmp(line, prefix, sizeof(prefix) - 1))
			own = line;
	}
	snprintf(buf, size, "%s", own ? own : last);
	return buf;
}

int qemu_child_wait(struct qemu_child *c, struct irqs_error *reterr)
{
	const struct timespec nap = { .tv_nsec = 10 * 1000 * 1000 };
	char complaint[256];
	int status;
	pid_t pid;

	while (!(pid = waitpid(c->pid, &status, WNOHANG)) || (pid < 0 && errno == EINTR)) {
		if (!qemu_child_left_ms(c))
			return irqs_fail_errno(reterr, ETIMEDOUT, "it did not end");
		nanosleep(&nap, NULL);
	}
	c->pid = -1;
	if (pid < 0)
		return irqs_fail_errno(reterr, errno, "waiting for it");
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	qemu_child_complaint(c, complaint, sizeof(complaint));
	if (WIFSIGNALED(status))
		return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "it was ended by signal %d: %s",
				 WTERMSIG(status), complaint);
	return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "it ended with status %d: %s",
			 WEXITSTATUS(status), complaint);
}

void qemu_child_stop(struct qemu_child *c)
{
	int fds[] = { c->talk, c->complaints };

	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_all(fds, 2);
	*c = (struct qemu_child){ .talk = -1, .complaints = -1, .pid = -1 };
}

int qemu_run_dump(const struct qemu_run_options *opt, const char *machine, struct irqs_error *reterr)
{
	const char *args[] = { "-nodefaults", "-display", "none", "-dump-vmstate", "/proc/self/fd/3",
			       machine ? "-M" : NULL, machine, NULL };
	int fd = memfd_create("vmstate", MFD_CLOEXEC), rc;
	struct qemu_child c;

	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "a file in memory");
	rc = qemu_child_start(&c, opt, args, fd, reterr);
	if (!rc) {
		rc = qemu_child_wait(&c, reterr);
		qemu_child_stop(&c);
	}
	if (!rc && !lseek(fd, 0, SEEK_END))
		rc = irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "it dumped nothing");
	if (!rc && lseek(fd, 0, SEEK_SET) < 0)
		rc = irqs_fail_errno(reterr, errno, "a file in memory");
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes under coreutils' timeout. */
#include "tests/qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ARGS 64
#define POLL_MS 10

void sleep_ms(unsigned int ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static void exec_child(const char **args, const char *output, pid_t parent)
{
	int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int null = open("/dev/null", O_RDONLY);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || fd < 0 || null < 0)
		_exit(126);
	dup2(null, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execvp(args[0], (char *const *)args);
	_exit(127);
}

pid_t process_start(const char *const *argv, unsigned int limit_s, const char *output)
{
	const char *args[MAX_ARGS] = { "timeout", "-k", "2" };
	char limit[16];
	pid_t pid, self = getpid();
	size_t n = 3;

	snprintf(limit, sizeof(limit), "%u", limit_s);
	args[n++] = limit;
	while (*argv && n < MAX_ARGS - 1)
		args[n++] = *argv++;
	if (*argv)
		return -E2BIG;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		exec_child(args, output, self);
	return pid;
}

int process_wait(pid_t pid, unsigned int wait_ms)
{
	int status;

	for (unsigned int waited = 0;; waited += POLL_MS) {
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done < 0)
			return -errno;
		if (done == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		if (waited >= wait_ms)
			return -EAGAIN;
		sleep_ms(POLL_MS);
	}
}

void process_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGTERM);
	if (process_wait(pid, 3000) != -EAGAIN)
		return;
	/* timeout leads a process group of its own: this takes it and what it runs. */
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	process_wait(pid, 1000);
}

int process_run(const char *const *argv, unsigned int limit_s, const char *output)
{
	pid_t pid = process_start(argv, limit_s, output);

	return pid < 0 ? (int)pid : process_wait(pid, limit_s * 1000 + 5000);
}

char *read_text(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0, used = 0, got;

	if (!file)
		return NULL;
	do {
		char *more = realloc(text, size + 65536);

		if (!more)
			break;
		text = more;
		size += 65536;
		got = fread(text + used, 1, size - used - 1, file);
		used += got;
	} while (got);
	fclose(file);
	if (text)
		text[used] = '\0';
	return text;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure COMMAND [ARGUMENT]...: runs it and prints "SECONDS PEAK_RSS_KIB CPU_SECONDS" to file descriptor 3; its exit status is that
 * of the command.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec * 1e-6;
}

static void child(char **argv)
{
	close(3);
	execvp(argv[0], argv);
	fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	struct rusage use;
	double start = monotonic_s();
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: measure COMMAND [ARGUMENT]... 3>RESULT\n");
		return 2;
	}
	pid = fork();
	if (pid == 0)
		child(argv + 1);
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid) {
		perror("measure");
		return 1;
	}
	dprintf(3, "%.6f %ld %.6f\n", monotonic_s() - start, use.ru_maxrss, seconds(&use.ru_utime) + seconds(&use.ru_stime));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

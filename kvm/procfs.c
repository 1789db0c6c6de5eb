/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/procfs_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* include/linux/sched.h: threads of a process that never return to user mode. */
#define PF_IO_WORKER 0x00000010u
#define PF_USER_WORKER 0x00004000u
#define PF_KTHREAD 0x00200000u

#define STAT_PROCESSOR 39

static int read_file(pid_t pid, pid_t tid, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t n;
	int fd, rc;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	rc = n < 0 ? -errno : 0;
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return rc;
}

long procfs_status(pid_t pid, pid_t tid, const char *key)
{
	char text[4096], wanted[32];
	const char *line;
	int rc = read_file(pid, tid, "status", text, sizeof(text));

	if (rc)
		return rc;
	snprintf(wanted, sizeof(wanted), "\n%s:", key);
	line = strstr(text, wanted);
	return line ? strtol(line + strlen(wanted), NULL, 10) : -ENOENT;
}

void procfs_comm(pid_t pid, pid_t tid, char *buf, size_t size)
{
	buf[0] = '\0';
	if (!read_file(pid, tid, "comm", buf, size))
		buf[strcspn(buf, "\n")] = '\0';
}

/* The fields of /proc/PID/stat from the third on (proc(5)): the name before them may hold anything, brackets too. */
static const char *stat_fields(pid_t pid, pid_t tid, char *buf, size_t size)
{
	const char *after = read_file(pid, tid, "stat", buf, size) ? NULL : strrchr(buf, ')');

	return after && after[1] == ' ' ? after + 2 : NULL;
}

int procfs_runs_user_code(pid_t pid, pid_t tid)
{
	char text[1024], state;
	const char *fields = stat_fields(pid, tid, text, sizeof(text));
	unsigned int flags;

	if (!fields || sscanf(fields, "%c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return 0;
	return !strchr("ZXx", state) && !(flags & (PF_IO_WORKER | PF_USER_WORKER | PF_KTHREAD));
}

int procfs_cannot_stop(pid_t pid, pid_t tid)
{
	char text[1024];
	const char *fields = stat_fields(pid, tid, text, sizeof(text));

	return fields && fields[0] == 'D';
}

int procfs_cpu(pid_t pid, pid_t tid)
{
	char text[1024];
	const char *at = stat_fields(pid, tid, text, sizeof(text));

	for (int field = 3; at && field < STAT_PROCESSOR; field++) {
		at = strchr(at, ' ');
		at += at != NULL;
	}
	return at ? atoi(at) : -ESRCH;
}

int procfs_memory(pid_t pid)
{
	char path[48];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH
					      : -errno;
}

static int by_value(const void *a, const void *b)
{
	int x = *(const int *)a, y = *(const int *)b;

	return (x > y) - (x < y);
}

static int append(int **numbers, int n, int value)
{
	if (!(n & (n - 1))) {
		int *more = realloc(*numbers, (n ? 2 * (size_t)n : 1) * sizeof(**numbers));

		if (!more)
			return -ENOMEM;
		*numbers = more;
	}
	(*numbers)[n] = value;
	return n + 1;
}

int procfs_numbers(const char *folder, int **ret)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int n = 0;

	*ret = NULL;
	if (!dir)
		return -errno;
	while (n >= 0 && (entry = readdir(dir))) {
		char *end;
		long value = strtol(entry->d_name, &end, 10);

		if (!*end && end != entry->d_name && value >= 0 && value <= INT_MAX)
			n = append(ret, n, (int)value);
	}
	closedir(dir);
	if (n < 0) {
		free(*ret);
		*ret = NULL;
	} else if (n) {
		qsort(*ret, (size_t)n, sizeof(**ret), by_value);
	}
	return n;
}

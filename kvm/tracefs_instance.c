/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kvm/tracefs_priv.h"

#define PREFIX "irqshift-"
#define NAMES 16u        /* instances of one process */
#define REMOVE_TRIES 20u /* readers that have just closed keep it busy for a moment */
#define REMOVE_WAIT_NS 50000000L

/* ---- where ---- */

/* A mount that is in no folder: it goes with its descriptor. */
static int mount_alone(struct irqs_error *reterr)
{
	int fs = fsopen("tracefs", FSOPEN_CLOEXEC), dir = -1, err;

	if (fs >= 0 && !fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		dir = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	err = errno;
	if (fs >= 0)
		close(fs);
	if (dir >= 0)
		return dir;
	return irqs_fail_errno(reterr, err == EPERM ? EPERM : err == EACCES ? EACCES
									    : ENODEV,
			       "tracefs is not mounted, or not for this user, and cannot be");
}

static int open_tracefs(struct irqs_error *reterr)
{
	static const char *const places[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int dir = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (dir >= 0 && !faccessat(dir, "instances", W_OK | X_OK, AT_EACCESS))
			return dir;
		if (dir >= 0)
			close(dir);
	}
	return mount_alone(reterr);
}

/* ---- those of the killed ---- */

/* "irqshift-PID" or "irqshift-PID.N". */
static bool is_orphan(const char *name)
{
	char *end;
	long pid;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0 || !isdigit((unsigned char)name[strlen(PREFIX)]))
		return false;
	pid = strtol(name + strlen(PREFIX), &end, 10);
	return (!*end || *end == '.') && pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

static void sweep(int tracefs)
{
	int fd = openat(tracefs, "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	char path[300];

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "instances/%s", e->d_name);
		if (is_orphan(e->d_name))
			unlinkat(tracefs, path, AT_REMOVEDIR);
	}
	if (dir)
		closedir(dir);
}

/* ---- ours ---- */

static int make_named(struct trace_instance *i)
{
	for (unsigned int n = 0; n < NAMES; n++) {
		int len = snprintf(i->name, sizeof(i->name), "instances/" PREFIX "%d", (int)getpid());

		if (n)
			snprintf(i->name + len, sizeof(i->name) - (size_t)len, ".%u", n);
		if (!mkdirat(i->tracefs, i->name, 0700))
			return 0;
		if (errno != EEXIST)
			break;
	}
	i->name[0] = '\0';
	return -errno;
}

int trace_instance_make(struct trace_instance *i, struct irqs_error *reterr)
{
	int rc;

	*i = (struct trace_instance){ .tracefs = open_tracefs(reterr), .dir = -1 };
	if (i->tracefs < 0)
		return i->tracefs;
	sweep(i->tracefs);
	rc = make_named(i);
	if (!rc) {
		i->dir = openat(i->tracefs, i->name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		rc = i->dir < 0 ? -errno : 0;
	}
	if (rc) {
		trace_instance_remove(i);
		return irqs_fail_errno(reterr, -rc, "tracefs: cannot make an instance");
	}
	return 0;
}

void trace_instance_remove(struct trace_instance *i)
{
	const struct timespec wait = { .tv_nsec = REMOVE_WAIT_NS };

	if (i->dir >= 0)
		close(i->dir);
	for (unsigned int n = 0; i->tracefs >= 0 && i->name[0] && n < REMOVE_TRIES; n++) {
		if (!unlinkat(i->tracefs, i->name, AT_REMOVEDIR) || errno == ENOENT)
			break;
		nanosleep(&wait, NULL);
	}
	if (i->tracefs >= 0)
		close(i->tracefs);
	*i = (struct trace_instance){ .tracefs = -1, .dir = -1 };
}

int trace_write(const struct trace_instance *i, const char *file, const char *text, bool append, struct irqs_error *reterr)
{
	int fd = openat(i->dir, file, O_WRONLY | O_CLOEXEC | (append ? O_APPEND : O_TRUNC)), err;
	ssize_t n;

	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "tracefs: %s", file);
	n = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : irqs_fail_errno(reterr, n < 0 ? err : EIO, "tracefs: %s: '%s'", file, text);
}

ssize_t trace_read(const struct trace_instance *i, const char *file, char *buf, size_t size)
{
	int fd = openat(i->dir, file, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (done + 1 < size && (n = read(fd, buf + done, size - 1 - done)) > 0)
		done += (size_t)n;
	n = n < 0 ? -errno : (ssize_t)done;
	buf[done] = '\0';
	close(fd);
	return n;
}

int trace_table_read(const struct trace_instance *i, struct trace_table *ret, struct irqs_error *reterr)
{
	char *text = malloc(TRACE_TEXT_MAX), file[96];
	bool any = false;
	int rc = text ? 0 : irqs_fail_nomem(reterr);

	*ret = (struct trace_table){ .formats = { { 0 } } };
	if (!rc && (trace_read(i, "events/header_page", text, TRACE_TEXT_MAX) < 0 || trace_parse_layout(text, &ret->layout)))
		rc = irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "tracefs: events/header_page is not as it is known");
	for (unsigned int type = 0; !rc && type < IRQSHIFT_EVENT_TYPES; type++) {
		snprintf(file, sizeof(file), "events/kvm/%s/format", irq_event_rows[type].tracepoint);
		if (trace_read(i, file, text, TRACE_TEXT_MAX) > 0 && !trace_parse_format(text, type, ret))
			any = true;
	}
	free(text);
	if (!rc && !any)
		rc = irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			       "tracefs has none of KVM's interrupt events: is KVM's module loaded?");
	return rc;
}

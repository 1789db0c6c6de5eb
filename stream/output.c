/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/output.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name beside @path that nobody has. */
static char *temp_name(const char *path)
{
	char *name = NULL;

	return asprintf(&name, "%s.irqshift-XXXXXX", path) < 0 ? NULL : name;
}

static int open_nameless(const char *path, mode_t mode)
{
	char *copy = strdup(path);
	int fd;

	if (!copy) {
		errno = ENOMEM;
		return -1;
	}
	fd = open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	free(copy);
	return fd;
}

static int open_named(struct output *o, mode_t mode)
{
	mode_t mask = umask(0);

	umask(mask);
	o->temp = temp_name(o->path);
	if (!o->temp) {
		errno = ENOMEM;
		return -1;
	}
	o->fd = mkostemp(o->temp, O_CLOEXEC);
	if (o->fd >= 0)
		return fchmod(o->fd, mode & ~mask) ? -1 : o->fd;
	free(o->temp);
	o->temp = NULL;
	return -1;
}

int output_open(struct output *o, const char *path, mode_t mode, struct irqs_error *reterr)
{
	struct stat st;

	*o = (struct output){ .fd = -1, .path = path };
	if (!strcmp(path, "-")) {
		o->fd = STDOUT_FILENO;
		o->direct = true;
		return 0;
	}
	if (!stat(path, &st) && !S_ISREG(st.st_mode)) {
		o->direct = true;
		o->fd = open(path, O_WRONLY | O_CLOEXEC);
	} else {
		o->fd = open_nameless(path, mode);
		if (o->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
			o->fd = open_named(o, mode);
	}
	if (o->fd < 0) {
		int err = errno;

		output_abort(o);
		return irqs_fail_errno(reterr, err, "cannot create '%s'", path);
	}
	return 0;
}

static int link_as(const struct output *o, const char *name)
{
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", o->fd);
	return linkat(AT_FDCWD, proc, AT_FDCWD, name, AT_SYMLINK_FOLLOW) ? -errno : 0;
}

/* A nameless file gets a temporary name: linking cannot replace an existing file, renaming can. */
static int name_it(struct output *o)
{
	for (int tries = 0; tries < 100; tries++) {
		int fd, rc;

		o->temp = temp_name(o->path);
		if (!o->temp)
			return -ENOMEM;
		/* mkostemp() finds a free name; the name is then free again for the link. */
		fd = mkostemp(o->temp, O_CLOEXEC);
		if (fd < 0)
			return -errno;
		close(fd);
		unlink(o->temp);
		rc = link_as(o, o->temp);
		if (rc != -EEXIST)
			return rc;
		free(o->temp);
		o->temp = NULL;
	}
	return -EEXIST;
}

/* Where nothing is to be replaced, a nameless file gets its name in one step. */
static int put_in_place(struct output *o)
{
	int rc = o->temp ? -EEXIST : link_as(o, o->path);

	if (rc != -EEXIST)
		return rc;
	rc = o->temp ? 0 : name_it(o);
	return !rc && rename(o->temp, o->path) ? -errno : rc;
}

int output_commit(struct output *o, struct irqs_error *reterr)
{
	int rc = 0;

	if (o->direct) {
		if (o->fd != STDOUT_FILENO && close(o->fd))
			rc = irqs_fail_errno(reterr, errno, "cannot write '%s'", o->path);
		o->fd = -1;
		return rc;
	}
	if (fsync(o->fd))
		rc = -errno;
	if (!rc)
		rc = put_in_place(o);
	if (rc) {
		output_abort(o);
		return irqs_fail_errno(reterr, -rc, "cannot write '%s'", o->path);
	}
	free(o->temp);
	o->temp = NULL;
	close(o->fd);
	o->fd = -1;
	return 0;
}

void output_abort(struct output *o)
{
	if (o->temp) {
		unlink(o->temp);
		free(o->temp);
		o->temp = NULL;
	}
	if (o->fd >= 0 && o->fd != STDOUT_FILENO)
		close(o->fd);
	o->fd = -1;
}

int output_sync_folder(const char *path, struct irqs_error *reterr)
{
	char *copy = strdup(path);
	int fd, rc = 0;

	if (!copy)
		return irqs_fail_nomem(reterr);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A file system that cannot sync a folder says EINVAL; there is nothing more to be done then. */
	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		rc = irqs_fail_errno(reterr, errno, "cannot sync the folder of '%s'", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/in_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/file_priv.h"
#include "stream/in_place_priv.h"
#include "stream/output.h"

/* ---- the file and its journal's name ---- */

static char *journal_name(const char *path)
{
	char *name = NULL;

	return asprintf(&name, "%s" IN_PLACE_JOURNAL, path) < 0 ? NULL : name;
}

static int find_names(struct in_place *p, const char *path, struct irqs_error *reterr)
{
	p->path = realpath(path, NULL);
	if (!p->path)
		return irqs_fail_errno(reterr, errno, "cannot open it");
	p->journal = journal_name(p->path);
	return p->journal ? 0 : irqs_fail_nomem(reterr);
}

static int check_kind(const struct stat *st, struct irqs_error *reterr)
{
	if (!S_ISREG(st->st_mode))
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "not a regular file: it cannot be converted in place");
	if (st->st_nlink != 1)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				 "a file with %lu names: a journal beside one of them would not be seen from the others",
				 (unsigned long)st->st_nlink);
	return 0;
}

static int lock(int fd, int how, struct irqs_error *reterr)
{
	while (flock(fd, how | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return irqs_fail_errno(reterr, errno, "cannot lock it");
		irqs_fail_errno(reterr, EBUSY, how == LOCK_SH ? "another process converts it in place" : "another process reads it or converts it in place");
		return -EBUSY;
	}
	return 0;
}

/* The file that has the lock must be the one that has the name. */
static int check_same(const struct in_place *p, struct irqs_error *reterr)
{
	struct stat open_one, named;

	if (fstat(p->fd, &open_one) || stat(p->path, &named))
		return irqs_fail_errno(reterr, errno, "cannot open it");
	if (open_one.st_dev != named.st_dev || open_one.st_ino != named.st_ino)
		return irqs_fail_errno(reterr, EBUSY, "it was replaced while it was opened");
	return check_kind(&open_one, reterr);
}

int in_place_lock(struct in_place *p, const char *path, struct irqs_error *reterr)
{
	struct stat st;
	int rc;

	*p = (struct in_place){ .fd = -1 };
	rc = find_names(p, path, reterr);
	if (!rc && stat(p->path, &st))
		rc = irqs_fail_errno(reterr, errno, "cannot open it");
	if (!rc)
		rc = check_kind(&st, reterr);
	if (!rc) {
		p->fd = open(p->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (p->fd < 0)
			rc = irqs_fail_errno(reterr, errno, "cannot open it for writing");
	}
	if (!rc)
		rc = lock(p->fd, LOCK_EX, reterr);
	if (!rc)
		rc = check_same(p, reterr);
	if (rc)
		in_place_close(p);
	return rc;
}

static int check_no_journal(const char *journal, struct irqs_error *reterr)
{
	const char *name = strrchr(journal, '/');
	struct stat st;

	if (!lstat(journal, &st)) {
		irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
			  "its conversion in place was cut short and may be half done: '%s' stands beside it",
			  name ? name + 1 : journal);
		return -EUCLEAN;
	}
	/* A name that is too long for a journal never had one. */
	return errno == ENOENT || errno == ENAMETOOLONG ? 0 : irqs_fail_errno(reterr, errno, "cannot look for '%s'", journal);
}

int in_place_open(struct in_place *p, const char *path, struct irqs_error *reterr)
{
	int rc = in_place_lock(p, path, reterr);

	if (rc)
		return rc;
	rc = check_no_journal(p->journal, reterr);
	if (rc)
		in_place_close(p);
	return rc;
}

void in_place_close(struct in_place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	free(p->path);
	free(p->journal);
	*p = (struct in_place){ .fd = -1 };
}

int in_place_guard(int fd, const char *path, struct irqs_error *reterr)
{
	struct in_place p = { .fd = -1 };
	struct stat st;
	int rc;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	/* Where there are no locks, nobody has one. */
	rc = lock(fd, LOCK_SH, reterr);
	if (rc == -EBUSY)
		return rc;
	rc = find_names(&p, path, reterr);
	if (!rc)
		rc = check_no_journal(p.journal, reterr);
	else if (rc == -ENOENT)
		rc = 0; /* its name is gone, and nothing stands beside it */
	in_place_close(&p);
	return rc;
}

/* ---- writing ---- */

static int set_size(int fd, uint64_t size)
{
	while (ftruncate(fd, (off_t)size))
		if (errno != EINTR)
			return -errno;
	return 0;
}

int in_place_bring(int fd, const struct journal *j, enum in_place_way way)
{
	bool undo = way == IN_PLACE_UNDO;
	int rc = 0;

	for (size_t i = 0; i < j->nranges && !rc; i++) {
		const struct journal_range *r = &j->ranges[i];

		rc = file_write_all_at(fd, undo ? r->old_bytes : r->new_bytes, undo ? r->old_size : r->new_size, r->offset);
	}
	if (!rc && j->old_size != j->new_size)
		rc = set_size(fd, undo ? j->old_size : j->new_size);
	return !rc && fsync(fd) ? -errno : rc;
}

int in_place_remove_journal(const struct in_place *p, struct irqs_error *reterr)
{
	if (unlink(p->journal))
		return irqs_fail_errno(reterr, errno, "it is complete, but '%s' cannot be removed", p->journal);
	return output_sync_folder(p->journal, reterr);
}

/* Back, because of -@rc; in the end the journal is gone, unless that fails as well. */
static int take_back(const struct in_place *p, const struct journal *j, int rc, struct irqs_error *reterr)
{
	if (in_place_bring(p->fd, j, IN_PLACE_UNDO) || unlink(p->journal))
		return irqs_fail_errno(reterr, -rc, "it may be half converted ('%s' has the rest): write", p->journal);
	output_sync_folder(p->journal, NULL);
	return irqs_fail_errno(reterr, -rc, "it is as it was: write");
}

static int write_plan(const struct in_place *p, const struct journal *j, struct irqs_error *reterr)
{
	int rc = journal_save(j, p->journal, reterr);

	if (rc) {
		/* It may be there when only the folder could not be synced; nothing was written yet. */
		unlink(p->journal);
		return rc;
	}
	rc = in_place_bring(p->fd, j, IN_PLACE_FINISH);
	return rc ? take_back(p, j, rc, reterr) : in_place_remove_journal(p, reterr);
}

int in_place_write(struct in_place *p, const struct qemu_stream *s, struct irqs_error *reterr)
{
	struct in_place_plan plan;
	struct stat st;
	int rc = in_place_plan(s, &plan, reterr);

	if (rc)
		return rc;
	if (fstat(p->fd, &st))
		rc = irqs_fail_errno(reterr, errno, "fstat");
	else if ((uint64_t)st.st_size != plan.journal.old_size)
		rc = irqs_fail_errno(reterr, EBUSY, "its size changed while it was read");
	plan.journal.inode = st.st_ino;
	if (!rc && plan.journal.nranges)
		rc = write_plan(p, &plan.journal, reterr);
	in_place_plan_deinit(&plan);
	return rc;
}

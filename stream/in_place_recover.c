/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stream/in_place_priv.h"

/* A byte behind the old end may also be one that was never written. */
static bool range_is_ours(const struct journal *j, const struct journal_range *r, const uint8_t *now, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++) {
		bool is_old = i < r->old_size && now[i] == r->old_bytes[i];
		bool is_new = i < r->new_size && now[i] == r->new_bytes[i];
		bool is_hole = r->offset + i >= j->old_size && !now[i];

		if (!is_old && !is_new && !is_hole)
			return false;
	}
	return true;
}

static int not_ours(const struct in_place *p, const struct journal *j, const struct stat *st, struct irqs_error *reterr)
{
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			 "it was %s after its conversion in place was cut short: if it is whole, remove '%s'",
			 st->st_ino == j->inode ? "changed" : "replaced", p->journal);
}

static int check_range(const struct in_place *p, const struct journal *j, const struct journal_range *r,
		       const struct stat *st, struct source *src, struct irqs_error *reterr)
{
	uint64_t size = r->old_size > r->new_size ? r->old_size : r->new_size;
	uint8_t *now;
	int rc;

	if (size > src->size - r->offset)
		size = src->size - r->offset;
	now = malloc(size + 1);
	if (!now)
		return irqs_fail_nomem(reterr);
	rc = source_read(src, r->offset, now, size, reterr);
	if (!rc && !range_is_ours(j, r, now, size))
		rc = not_ours(p, j, st, reterr);
	free(now);
	return rc;
}

static int check_file(const struct in_place *p, const struct journal *j, struct irqs_error *reterr)
{
	uint64_t low = j->old_size < j->new_size ? j->old_size : j->new_size, high = j->old_size ^ j->new_size ^ low;
	struct source src;
	struct stat st;
	int rc;

	if (fstat(p->fd, &st))
		return irqs_fail_errno(reterr, errno, "fstat");
	if ((uint64_t)st.st_size < low || (uint64_t)st.st_size > high)
		return not_ours(p, j, &st, reterr);
	rc = source_init(&src, p->fd, reterr);
	if (rc)
		return rc;
	for (size_t i = 0; i < j->nranges && !rc; i++)
		rc = check_range(p, j, &j->ranges[i], &st, &src, reterr);
	source_deinit(&src);
	return rc;
}

/* Journals get their name when they are complete: one that is not was cut since, or the disk lied. */
static int drop_incomplete(const struct in_place *p, struct irqs_error *reterr)
{
	const struct qemu_read_options opt = { .skip_ram = true };
	struct irqs_error why = { 0 };
	struct qemu_stream s;

	if (qemu_stream_read(&s, p->fd, &opt, &why))
		return irqs_fail(reterr, IRQS_MALFORMED, why.offset, why.path,
				 "its journal is incomplete, and it does not read as a stream: %.120s", why.text);
	qemu_stream_deinit(&s);
	return in_place_remove_journal(p, reterr);
}

static int recover(const struct in_place *p, enum in_place_way way, enum in_place_outcome *ret, struct irqs_error *reterr)
{
	struct journal j;
	int rc = journal_load(&j, p->journal, reterr);

	*ret = IN_PLACE_NOTHING;
	if (rc == -ENOENT)
		return 0;
	if (rc == -ENODATA) {
		*ret = IN_PLACE_UNTOUCHED;
		return drop_incomplete(p, reterr);
	}
	if (rc)
		return rc;
	*ret = way == IN_PLACE_UNDO ? IN_PLACE_UNDONE : IN_PLACE_FINISHED;
	rc = check_file(p, &j, reterr);
	if (!rc) {
		rc = in_place_bring(p->fd, &j, way);
		rc = rc ? irqs_fail_errno(reterr, -rc, "write") : in_place_remove_journal(p, reterr);
	}
	journal_deinit(&j);
	return rc;
}

int in_place_recover(const char *path, enum in_place_way way, enum in_place_outcome *ret, struct irqs_error *reterr)
{
	struct in_place p;
	int rc = in_place_lock(&p, path, reterr);

	if (rc)
		return rc;
	rc = recover(&p, way, ret, reterr);
	in_place_close(&p);
	return rc;
}

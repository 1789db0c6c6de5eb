/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a conversion in place and its recovery share: the plan, and the steps that change the file. */
#ifndef IRQSHIFT_STREAM_IN_PLACE_PRIV_H
#define IRQSHIFT_STREAM_IN_PLACE_PRIV_H

#include "stream/in_place.h"
#include "stream/journal.h"
#include "stream/qemu.h"

/* The bytes of a plan are its own. */
struct in_place_plan {
	struct journal journal; /* without a range: nothing changes */
	/* private: */
	uint8_t **bytes;
	size_t nbytes, capacity;
};

/**
 * in_place_plan - compare a stream as its tree now is with the file it was read from
 * @ret: receives the ranges that differ; release with in_place_plan_deinit()
 *
 * Pieces that keep their place and length are compared one by one, RAM is not looked at. From the first that changes
 * its length, everything to the end is one range. Memory is that of the changed pieces, twice.
 *
 * Return: 0; -EOPNOTSUPP when RAM would have to move; -errno.
 */
int in_place_plan(const struct qemu_stream *s, struct in_place_plan *ret, struct irqs_error *reterr);
void in_place_plan_deinit(struct in_place_plan *p);

/* in_place_lock - as in_place_open(), whether or not there is a journal. */
int in_place_lock(struct in_place *p, const char *path, struct irqs_error *reterr);

/* in_place_bring - make the file what it is at one end of the journal, on the disk. Return: 0 or -errno. */
int in_place_bring(int fd, const struct journal *j, enum in_place_way way);

/* in_place_remove_journal - the last step: the file is what it shall be. Return: 0 or -errno. */
int in_place_remove_journal(const struct in_place *p, struct irqs_error *reterr);

#endif

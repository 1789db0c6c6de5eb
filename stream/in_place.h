/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Converting a stream in its own file: only what changes is written, RAM is neither read nor moved, and a journal beside
 * the file, FILE.irqshift-journal, holds what was and what shall be there. Whatever is killed, whenever: without a journal
 * the file is the old stream or the new one, with one in_place_recover() makes it the one or the other.
 */
#ifndef IRQSHIFT_STREAM_IN_PLACE_H
#define IRQSHIFT_STREAM_IN_PLACE_H

#include "base/error.h"
#include "stream/qemu.h"

#define IN_PLACE_JOURNAL ".irqshift-journal"

/* A file that is this process's alone. */
struct in_place {
	int fd; /* for reading and writing */
	/* private: */
	char *path;    /* without symbolic links */
	char *journal; /* name */
};

/**
 * in_place_open - open a file to convert it
 * @p: receives it; release with in_place_close()
 * @path: its name; a symbolic link is followed, and the journal stands beside what it leads to
 *
 * Return: 0; -EBUSY when another process reads or converts it (IRQS_SYSTEM); -EUCLEAN when a journal is there;
 * -EOPNOTSUPP for what is no regular file or has several names, of which others would not show the journal; -errno.
 */
int in_place_open(struct in_place *p, const char *path, struct irqs_error *reterr);
void in_place_close(struct in_place *p);

/**
 * in_place_write - make the file what the stream's tree now is
 * @s: read from @p->fd
 *
 * When it returns 0 all is on the disk. After an error the file is as it was, or the error says that there is a journal.
 *
 * Return: 0; -EOPNOTSUPP when RAM would have to move; -errno.
 */
int in_place_write(struct in_place *p, const struct qemu_stream *s, struct irqs_error *reterr);

/**
 * in_place_guard - see that a file which is about to be read is whole
 * @fd: the open file; gets a shared lock, which lasts as long as it is open
 * @path: its name
 *
 * Return: 0, also for what is no regular file; -EBUSY when another process converts it; -EUCLEAN (IRQS_MALFORMED) when
 * it was cut short at that; -errno.
 */
int in_place_guard(int fd, const char *path, struct irqs_error *reterr);

enum in_place_way { IN_PLACE_FINISH,
		    IN_PLACE_UNDO };

enum in_place_outcome {
	IN_PLACE_NOTHING,  /* there was no journal */
	IN_PLACE_FINISHED, /* the file is the new stream */
	IN_PLACE_UNDONE,   /* the file is the old stream */
	IN_PLACE_UNTOUCHED /* the journal was incomplete, so that nothing had been written */
};

/**
 * in_place_recover - finish or undo a conversion that was cut short
 * @path: the file
 * @way: which; an incomplete journal is only removed, if the file reads as a stream
 * @ret: what was done
 *
 * Nothing is written unless every byte in the journal's ranges is the old or the new one: a file that was replaced
 * or changed since is refused. May itself be cut short and done again, either way.
 *
 * Return: 0; -EBADMSG when the journal is damaged; -EOPNOTSUPP when it is not of this file; other errors as
 * in_place_open().
 */
int in_place_recover(const char *path, enum in_place_way way, enum in_place_outcome *ret, struct irqs_error *reterr);

#endif

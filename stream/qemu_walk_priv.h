/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Walking what stands before the devices of a stream, commands and RAM sections (migration/savevm.c, migration/ram.c),
 * without looking at pages. A walk says what it wants next and is given it: from a file at any offset
 * (qemu_walk_section()), or out of bytes as they come (stream/relay.c).
 */
#ifndef IRQSHIFT_STREAM_QEMU_WALK_PRIV_H
#define IRQSHIFT_STREAM_QEMU_WALK_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/qemu.h"
#include "stream/source.h"

#define QEMU_RAM_VERSION 4

/* The most that a step looks at: name, instance and version of a section. */
#define QEMU_WALK_NEED_MAX (255u + 4 + 4)

/* What the stream said so far of the RAM encoding. */
struct qemu_ram_mode {
	bool mapped_ram;       /* capability mapped-ram: pages lie at fixed file offsets */
	bool ignore_shared;    /* capability x-ignore-shared: block headers carry an address */
	bool postcopy_advised; /* block headers may carry a page size */
	bool block_named;      /* some page named its block: "continue" has a meaning */
};

struct qemu_walk;
typedef int qemu_walk_fn(struct qemu_walk *w, const uint8_t *p);

/* Who wants to know where pages are; either may be NULL. They must not read from the source that is walked. */
struct qemu_walk_watch {
	/* A block of the list: its name is at @w->name_at, its bytes are @w->used. Of mapped RAM: where bitmap and pages are. */
	void (*block)(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t bitmap, uint64_t pages);
	/* A page: @w->address in the block of that name. Its data, of @w->kind, are at @data of the input. */
	void (*page)(struct qemu_walk_watch *watch, const struct qemu_walk *w, uint64_t data);
};

/* How a page is in the stream. */
enum { QEMU_RAM_ZERO = 0x02,
       QEMU_RAM_PAGE = 0x08,
       QEMU_RAM_EOS = 0x10, /* no page: the end of a section */
       QEMU_RAM_XBZRLE = 0x40 };

/* The block that has a PC's RAM: the one of this name, else the largest. */
#define QEMU_MAIN_BLOCK "pc.ram"

struct qemu_main_block {
	uint64_t used; /* bytes of the best one so far */
	bool named;
};

/* qemu_main_block_is - whether a block is a better one than those before; @named: it has that name. */
static inline bool qemu_main_block_is(struct qemu_main_block *m, bool named, uint64_t used)
{
	if (m->named || (!named && used <= m->used))
		return false;
	*m = (struct qemu_main_block){ used, named };
	return true;
}

struct qemu_walk {
	uint64_t pos;  /* offset in the input of the next byte */
	uint64_t skip; /* bytes that come first and are not looked at */
	size_t need;   /* bytes that the next step then looks at; 0: the section ends here */
	uint64_t size; /* of the input; UINT64_MAX: not known */
	struct qemu_ram_mode mode;
	struct qemu_ram *ram; /* counted up */
	uint32_t ram_id;      /* section id of "ram" */
	bool have_ram, ram_ended, know_footers, has_footers;
	bool return_path;              /* the source opened one */
	bool multifd;                  /* pages come by other connections */
	struct qemu_walk_watch *watch; /* or NULL */
	uint64_t address;              /* of a page in its block */
	uint64_t name_at;              /* where the name of the block is, of */
	uint8_t name_size;             /* so many bytes */
	struct irqs_error *reterr;
	/* private: */
	qemu_walk_fn *step;
	bool keep;                  /* the step took nothing */
	uint64_t start, at;         /* of the section; of the word or header that is taken apart */
	uint64_t blocks_left, used; /* of a list of blocks, bytes of RAM */
	uint32_t id, kind;          /* of the section; of a page */
	uint8_t type, name_len;
};

/* qemu_walk_begin - at the type byte of a section that is not a device's: START, PART, END or COMMAND. */
void qemu_walk_begin(struct qemu_walk *w);

/* qemu_walk_footer - at the end of the section @id. */
void qemu_walk_footer(struct qemu_walk *w, uint32_t id);

/**
 * qemu_walk_step - look at @w->need bytes; @w->skip is 0
 *
 * Return: how many of them are taken, all or none; -EBADMSG; -EOPNOTSUPP for what cannot be walked.
 */
int qemu_walk_step(struct qemu_walk *w, const uint8_t *p);

/* qemu_walk_section - take all steps to the end of the section out of @src. Return: 0; as qemu_walk_step(); -errno. */
int qemu_walk_section(struct qemu_walk *w, struct source *src);

/* ---- between qemu_walk.c and qemu_ram.c ---- */

/* qemu_walk_next - the next step, and how many bytes it looks at. */
void qemu_walk_next(struct qemu_walk *w, qemu_walk_fn *step, size_t need);

/* qemu_ram_begin - at the data of a RAM section, which ends in qemu_walk_footer(). */
void qemu_ram_begin(struct qemu_walk *w);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_walk_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"

/* enum qemu_vm_cmd in migration/savevm.c. */
enum {
	CMD_OPEN_RETURN_PATH = 1,
	CMD_PING = 2,
	CMD_POSTCOPY_ADVISE = 3,
	CMD_POSTCOPY_LISTEN = 4,
	CMD_POSTCOPY_RUN = 5,
	CMD_POSTCOPY_RAM_DISCARD = 6,
	CMD_PACKAGED = 7,
	CMD_ENABLE_COLO = 8,
	CMD_POSTCOPY_RESUME = 9,
	CMD_RECV_BITMAP = 10,
	CMD_SWITCHOVER_START = 11,
};

static int fail(struct qemu_walk *w, uint64_t at, const char *what)
{
	return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)at, NULL, "%s", what);
}

void qemu_walk_next(struct qemu_walk *w, qemu_walk_fn *step, size_t need)
{
	w->step = step;
	w->need = need;
}

static void finish(struct qemu_walk *w)
{
	qemu_walk_next(w, NULL, 0);
}

/* ---- footers ---- */

static int on_footer_id(struct qemu_walk *w, const uint8_t *p)
{
	finish(w);
	return get_be(p, 4) == w->id ? 0 : fail(w, w->pos, "the footer of another section");
}

/* The first section of a stream decides whether there are any. */
static int on_footer(struct qemu_walk *w, const uint8_t *p)
{
	if (!w->know_footers) {
		w->know_footers = true;
		w->has_footers = *p == QEMU_VM_SECTION_FOOTER;
	}
	if (!w->has_footers) {
		w->keep = true;
		finish(w);
		return 0;
	}
	if (*p != QEMU_VM_SECTION_FOOTER)
		return fail(w, w->pos, "no section footer where the section should end");
	qemu_walk_next(w, on_footer_id, 4);
	return 0;
}

void qemu_walk_footer(struct qemu_walk *w, uint32_t id)
{
	w->id = id;
	if (w->type == QEMU_VM_SECTION_END)
		w->ram_ended = true;
	if (w->know_footers && !w->has_footers)
		finish(w);
	else
		qemu_walk_next(w, on_footer, 1);
}

/* ---- headers ---- */

static int on_start_name(struct qemu_walk *w, const uint8_t *p)
{
	uint32_t version = (uint32_t)get_be(p + w->name_len + 4, 4);
	char name[256];

	memcpy(name, p, w->name_len);
	name[w->name_len] = '\0';
	if (!w->name_len || strlen(name) != w->name_len)
		return fail(w, w->pos, "a section without a proper name");
	if (strcmp(name, "ram") != 0)
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)w->start, name,
				 "an iterable section whose format only its device knows");
	if (version != QEMU_RAM_VERSION)
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)w->start, name,
				 "version %" PRIu32 ", known is %u", version, QEMU_RAM_VERSION);
	w->have_ram = true;
	w->ram_id = w->id;
	qemu_ram_begin(w);
	return 0;
}

static int on_start_len(struct qemu_walk *w, const uint8_t *p)
{
	w->name_len = *p;
	qemu_walk_next(w, on_start_name, (size_t)*p + 4 + 4);
	return 0;
}

static int on_command(struct qemu_walk *w, const uint8_t *p)
{
	uint64_t cmd = get_be(p + 1, 2);

	switch (cmd) {
	case CMD_POSTCOPY_ADVISE:
		w->mode.postcopy_advised = true;
		break;
	case CMD_OPEN_RETURN_PATH:
		w->return_path = true;
		break;
	case CMD_PING:
	case CMD_SWITCHOVER_START:
		break;
	case CMD_POSTCOPY_LISTEN:
	case CMD_POSTCOPY_RUN:
	case CMD_POSTCOPY_RAM_DISCARD:
	case CMD_PACKAGED:
	case CMD_POSTCOPY_RESUME:
	case CMD_RECV_BITMAP:
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)w->start, NULL,
				 "a postcopy migration: its pages come after its devices (save with postcopy-ram off)");
	case CMD_ENABLE_COLO:
		return irqs_fail(w->reterr, IRQS_REFUSED, (int64_t)w->start, NULL,
				 "a COLO migration: it has no end (save with x-colo off)");
	default:
		return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)w->start, NULL, "unknown command %" PRIu64, cmd);
	}
	finish(w);
	w->skip = get_be(p + 3, 2);
	return 0;
}

static int on_section(struct qemu_walk *w, const uint8_t *p)
{
	w->type = *p;
	w->start = w->pos;
	w->id = (uint32_t)get_be(p + 1, 4);
	if (w->type == QEMU_VM_COMMAND)
		return on_command(w, p);
	if (w->type == QEMU_VM_SECTION_START)
		qemu_walk_next(w, on_start_len, 1);
	else if (w->have_ram && w->id == w->ram_id)
		qemu_ram_begin(w);
	else
		return fail(w, w->start, "a part of a section that never started");
	return 0;
}

/* Of a section type and id, of a command type, number and length. */
void qemu_walk_begin(struct qemu_walk *w)
{
	qemu_walk_next(w, on_section, 5);
}

int qemu_walk_step(struct qemu_walk *w, const uint8_t *p)
{
	size_t need = w->need;
	int rc;

	w->keep = false;
	rc = w->step(w, p);
	if (rc || w->keep)
		return rc;
	w->pos += need;
	return (int)need;
}

static int skip(struct qemu_walk *w)
{
	if (w->pos > w->size || w->skip > w->size - w->pos)
		return irqs_fail(w->reterr, IRQS_MALFORMED, (int64_t)w->size, w->have_ram ? "ram" : NULL,
				 "the input ends here: %" PRIu64 " bytes at %" PRIu64 " were expected", w->skip, w->pos);
	w->pos += w->skip;
	w->skip = 0;
	return 0;
}

int qemu_walk_section(struct qemu_walk *w, struct source *src)
{
	for (;;) {
		const uint8_t *p;
		int rc = skip(w);

		if (rc || !w->need)
			return rc;
		rc = source_peek(src, w->pos, w->need, &p, w->reterr);
		if (!rc)
			rc = qemu_walk_step(w, p);
		if (rc < 0)
			return rc;
	}
}

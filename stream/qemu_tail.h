/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the device part of a stream begins, found from its end: the vmdescription has the size of every section, so
 * that the RAM before it need not be read (vmstate_save_vmsd() in migration/vmstate.c writes the sizes).
 */
#ifndef IRQSHIFT_STREAM_QEMU_TAIL_H
#define IRQSHIFT_STREAM_QEMU_TAIL_H

#include "stream/source.h"
#include "stream/vmdesc.h"

/**
 * qemu_tail_find - the first device section behind the RAM
 * @src: a stream whose sections have footers
 * @d: its vmdescription; the devices taken so far stand before the RAM
 * @vmdesc_offset: of its section type byte
 * @ram_id: section id of the RAM
 * @ret: receives the offset of the section's type byte
 *
 * The end of the RAM before it, its own header and the end mark before the vmdescription confirm it. Time and memory
 * are those of the vmdescription.
 *
 * Return: 0; -ENOENT when something else stands there: the RAM has to be walked; -errno.
 */
int qemu_tail_find(struct source *src, struct vmdesc *d, uint64_t vmdesc_offset, uint32_t ram_id, uint64_t *ret,
		   struct irqs_error *reterr);

#endif

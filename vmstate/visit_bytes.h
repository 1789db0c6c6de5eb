/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Visitors of QEMU's binary encoding: the data of a section as migration/vmstate.c writes it, without the
 * section's header and footer, which belong to the stream.
 */
#ifndef IRQSHIFT_VMSTATE_VISIT_BYTES_H
#define IRQSHIFT_VMSTATE_VISIT_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "vmstate/visit.h"

struct visit_bytes_out {
	struct visitor v;
	uint8_t *data; /* what was written so far */
	size_t size;
	/* private: */
	size_t capacity;
};

struct visit_bytes_in {
	struct visitor v;
	/* private: */
	const uint8_t *data;
	size_t size, pos;
	uint64_t offset;
	uint32_t version;
	char name[256];
};

/* visit_bytes_out_init/visit_bytes_out_deinit - write into memory of its own. */
void visit_bytes_out_init(struct visit_bytes_out *o);
void visit_bytes_out_deinit(struct visit_bytes_out *o);

/**
 * visit_bytes_in_init - read from memory
 * @in: visitor; nothing to release
 * @data: borrowed
 * @size: its bytes; the end of the section has to be there
 * @version: the version_id from the section's header
 * @offset: of @data in the input, for messages
 *
 * The encoding describes nothing: names, types and the versions of structs inside are not in it. A
 * subsection is told from data by QEMU's rule: the byte 5, then a name longer than the parent's that starts
 * with it.
 */
void visit_bytes_in_init(struct visit_bytes_in *in, const uint8_t *data, size_t size, uint32_t version,
			 uint64_t offset);

#endif

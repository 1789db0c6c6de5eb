/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The vmdescription: the JSON at the end of a QEMU stream that names every field of every device section
 * (vmsd_desc_field_start() in migration/vmstate.c). Its text is kept as it is; only the entries of sections
 * whose shape changed are written anew, in QEMU's own spelling.
 */
#ifndef IRQSHIFT_STREAM_VMDESC_H
#define IRQSHIFT_STREAM_VMDESC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/source.h"
#include "vmstate/tree.h"

/* The JSON header: section type, be32 length. */
#define VMDESC_HEADER 5u

/* No vmdescription is larger: that of a machine with a thousand vCPUs is some 15 MiB. */
#define VMDESC_MAX ((size_t)64 << 20)

/* What entries have in common that are equal but for name and instance, as those of all CPUs often are. */
struct vmdesc_kind {
	/* private: */
	size_t start, rest, end; /* text of the first one: all of it, and behind name and instance */
	json_t *entry;
	bool parsed;
};

/* One element of "devices". */
struct vmdesc_device {
	size_t start, end; /* its text */
	char *name;
	uint32_t instance;
	uint32_t kind; /* index in kinds */
	bool used;
};

struct vmdesc {
	const char *text; /* borrowed */
	size_t size;
	struct vmdesc_device *devices;
	size_t ndevices;
	struct vmdesc_kind *kinds;
	size_t nkinds;
	/* private: */
	size_t next; /* sections come in the order of the devices: where the search starts */
};

/**
 * vmdesc_find - where a stream's vmdescription is, from the end of the input
 * @src: the input
 * @ret_offset: receives the offset of its section type byte
 * @ret_size: receives the bytes of its JSON text
 *
 * Return: 0; -ENOENT when there is none; another -errno with @reterr.
 */
int vmdesc_find(struct source *src, uint64_t *ret_offset, size_t *ret_size, struct irqs_error *reterr);

/**
 * vmdesc_init - index a text by device
 * @d: the vmdescription
 * @text: borrowed until vmdesc_deinit()
 * @size: its bytes
 * @offset: of @text in the input, for messages, or IRQS_NO_OFFSET
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int vmdesc_init(struct vmdesc *d, const char *text, size_t size, int64_t offset, struct irqs_error *reterr);
void vmdesc_deinit(struct vmdesc *d);

/* vmdesc_take - the entry for a section, each given out once; NULL when there is none (left). */
const struct vmdesc_device *vmdesc_take(struct vmdesc *d, const char *name, uint32_t instance);

/*
 * vmdesc_entry - an entry, parsed, and good until vmdesc_deinit(); NULL when it is no JSON. All of one kind get the same,
 * with name and instance of the first.
 */
const json_t *vmdesc_entry(struct vmdesc *d, const struct vmdesc_device *dev);

/* vmdesc_leading - the first section behind the configuration: if it is a new one, it has no predecessor. */
const struct vms_node *vmdesc_leading(const struct vms_node *machine);

/**
 * vmdesc_rewrite - the text after edits of the tree
 * @text: the text as read, where it was read: sections carry pointers into it as their codec marks
 * @size: its bytes
 * @machine: the tree as it is now
 * @ret_text: receives the new text, allocated with malloc(), not terminated
 * @ret_size: receives its bytes
 *
 * Entries of sections that are gone are cut out, entries of reshaped ones are replaced, sections without a
 * codec mark (new ones) get an entry behind their predecessor's, or the first one; every other byte stays.
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int vmdesc_rewrite(const char *text, size_t size, const struct vms_node *machine, char **ret_text,
		   size_t *ret_size, struct irqs_error *reterr);

#endif

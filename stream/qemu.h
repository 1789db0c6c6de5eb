/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU migration streams, version 3 (migration/savevm.c, migration/ram.c, migration/vmstate.c of QEMU 2.2 to
 * 10.0): read into a tree, written back from it. RAM is never held: it stays in the input and is copied from
 * there. Everything that is not edited comes out byte for byte as it went in.
 *
 * Reading is linear in the size of the input, or with skip_ram in that of the device state and its vmdescription; so is
 * memory in both cases.
 */
#ifndef IRQSHIFT_STREAM_QEMU_H
#define IRQSHIFT_STREAM_QEMU_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "stream/source.h"
#include "vmstate/describe.h"
#include "vmstate/tree.h"

/* Section types on the wire (migration/savevm.h). */
enum qemu_section_type {
	QEMU_VM_EOF = 0x00,
	QEMU_VM_SECTION_START = 0x01,
	QEMU_VM_SECTION_PART = 0x02,
	QEMU_VM_SECTION_END = 0x03,
	QEMU_VM_SECTION_FULL = 0x04,
	QEMU_VM_SUBSECTION = 0x05,
	QEMU_VM_VMDESCRIPTION = 0x06,
	QEMU_VM_CONFIGURATION = 0x07,
	QEMU_VM_COMMAND = 0x08,
	QEMU_VM_SECTION_FOOTER = 0x7e,
};

/* One piece of the stream, in its order. */
struct qemu_item {
	enum {
		QEMU_ITEM_RAW,    /* bytes kept as they are: header, RAM, commands, end, trailer */
		QEMU_ITEM_CONFIG, /* the configuration section */
		QEMU_ITEM_DEVICE, /* a FULL section */
		QEMU_ITEM_VMDESC, /* the vmdescription with its header */
		QEMU_ITEM_BYTES,  /* other bytes in the place of as many of the input (stream/qemu_pages.h) */
	} kind;
	uint64_t offset, length; /* in the input */
	uint32_t section_id;     /* of a device */
	bool at_fixed_offset;    /* raw bytes that name their own file offset (mapped-ram) */
	bool ram;                /* RAM is among the raw bytes */
	struct vms_node *node;   /* of a device or the configuration */
	const uint8_t *bytes;    /* of QEMU_ITEM_BYTES; they live as long as the tree */
};

/* What the RAM sections hold; counts of pages and bytes of the input. */
struct qemu_ram {
	uint64_t total_bytes; /* of all blocks, as announced */
	uint64_t normal_pages, zero_pages, xbzrle_pages, compressed_pages;
	uint64_t mapped_bytes; /* file space of mapped-ram blocks */
	uint32_t blocks, sections;
	bool skipped; /* only the sections before the first page were read: pages are not counted */
};

struct qemu_stream {
	struct vms_tree tree;
	struct qemu_item *items;
	size_t nitems;
	struct qemu_ram ram;
	bool has_footers, has_vmdesc;
	char *vmdesc; /* text of the stream's own vmdescription, not terminated; NULL without one */
	size_t vmdesc_size;
	struct source source;
	uint64_t start; /* where it begins in the input */
	/* private: */
	size_t items_capacity;
	bool mapped_ram, ignore_shared; /* as the configuration says */
};

struct qemu_read_options {
	/* The description of a section by its name in the stream, or NULL: for streams without a vmdescription. */
	const struct vms_desc *(*find_desc)(const char *idstr);
	/* A vmdescription from a twin machine, used when the stream has none; NULL: none. */
	const char *twin_vmdesc;
	size_t twin_vmdesc_size;
	/* Where the stream begins in the input: what stands before is neither read nor written. */
	uint64_t start;
	/* Do not read the RAM's pages where the vmdescription says where the devices behind them begin. */
	bool skip_ram;
};

/**
 * qemu_stream_read - read a stream
 * @s: receives it; release with qemu_stream_deinit()
 * @fd: the input; stays open and unchanged as long as @s is in use (RAM is copied from it)
 * @opt: options, or NULL
 * @reterr: what was wrong, with the byte offset and the path of the section
 *
 * Sections with a vmdescription are read by it, field by field. Without one, sections that @opt->find_desc
 * knows are read by its description, and the others are kept as one raw field "data".
 *
 * Return: 0; -EBADMSG when it is not a well-formed stream; -EOPNOTSUPP for one that cannot be walked or
 * converted at rest (postcopy, COLO, RDMA, iterable sections other than RAM), by name; -errno.
 */
int qemu_stream_read(struct qemu_stream *s, int fd, const struct qemu_read_options *opt,
		     struct irqs_error *reterr);
void qemu_stream_deinit(struct qemu_stream *s);

/**
 * qemu_stream_write - write a stream as its tree now is
 * @s: the stream
 * @fd: output; written from its current position on
 *
 * Sections that are no longer in the tree are left out, sections without a place in the input are written
 * behind their predecessor; the vmdescription follows. Return: 0; -EOPNOTSUPP when an edit would move
 * mapped RAM (the output is taken to begin where the input did, @s->start); -errno.
 */
int qemu_stream_write(const struct qemu_stream *s, int fd, struct irqs_error *reterr);

/**
 * qemu_stream_read_vmdesc - take only the vmdescription out of a file
 * @fd: a stream that has one, or a file with the JSON text itself
 * @ret_text: receives the text, allocated with malloc(), not terminated
 * @ret_size: receives its bytes
 *
 * Return: 0; -EBADMSG when there is none; -errno.
 */
int qemu_stream_read_vmdesc(int fd, char **ret_text, size_t *ret_size, struct irqs_error *reterr);

#endif

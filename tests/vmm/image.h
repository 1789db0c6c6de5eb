/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Multiboot kernel as a file: where its bytes go and where it starts. Multiboot 0.6.96, section 3.1, the ELF
 * specification 1.2, and what QEMU's -kernel takes. The file is nobody's friend: nothing in it is believed.
 */
#ifndef TESTS_VMM_IMAGE_H
#define TESTS_VMM_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define IMAGE_MAX_SEGMENTS 64

/* Bytes @offset to @offset + @file_size of the file go to @address; zeros follow, up to @memory_size bytes. */
struct image_segment {
	uint32_t address;     /* guest-physical */
	uint32_t memory_size; /* not 0; the end is at most 4 GiB */
	size_t offset;
	uint32_t file_size; /* at most @memory_size */
};

struct image {
	uint32_t entry; /* guest-physical, within a segment */
	unsigned int nsegments;
	struct image_segment segments[IMAGE_MAX_SEGMENTS]; /* a later one wins where two overlap */
};

/**
 * image_parse - what a file wants to have loaded
 * @file: its bytes
 * @size: their number
 * @ret: filled on success only
 * @reterr: what is wrong with the file, and at which byte
 *
 * An ELF file of 32 or 64 bits for x86 that lies below 4 GiB, or any file whose Multiboot header gives the addresses.
 * The CPU starts in 32-bit mode, whichever it is.
 *
 * Return: 0; -EBADMSG for a file that is no good kernel; -EOPNOTSUPP for one that asks for what is not there.
 */
int image_parse(const uint8_t *file, size_t size, struct image *ret, struct irqs_error *reterr);

/* image_end - the first address above all segments, at most 4 GiB. */
uint64_t image_end(const struct image *i);

/* elf_parse - the part of image_parse() for ELF files. */
int elf_parse(const uint8_t *file, size_t size, struct image *ret, struct irqs_error *reterr);

/* image_add - one more segment, checked against the file; one of no size is left out. Return: 0 or -EBADMSG. */
int image_add(struct image *i, size_t size, uint64_t address, uint64_t memory_size, uint64_t offset, uint64_t file_size,
	      struct irqs_error *reterr);

#endif

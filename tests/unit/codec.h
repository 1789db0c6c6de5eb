/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each encoding of a described device, behind one pair of functions: what goes for one goes for all. */
#ifndef TESTS_UNIT_CODEC_H
#define TESTS_UNIT_CODEC_H

#include <jansson.h>

#include "vmstate/bind.h"
#include "vmstate/tree.h"

enum codec { CODEC_TREE,
	     CODEC_BYTES,
	     CODEC_JSON,
	     CODEC_CBOR,
	     NCODECS };

/* A saved device. */
struct saved {
	enum codec codec;
	struct vms_tree tree; /* CODEC_TREE */
	uint8_t *data;        /* CODEC_BYTES, CODEC_CBOR; CODEC_JSON: text */
	size_t size;
	uint32_t version; /* of the section: CODEC_BYTES does not carry it */
};

const char *codec_name(enum codec c);

/* codec_save - save @state; codec_free() releases it when this returned 0. */
int codec_save(struct saved *s, enum codec c, const struct vms_desc *d, void *state,
	       struct irqs_error *reterr);
int codec_load(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr);
void codec_free(struct saved *s);

/* codec_round - save @from by @save, load @to by @load; aborts the test when that fails. */
void codec_round(enum codec c, const struct vms_desc *save, void *from, const struct vms_desc *load,
		 void *to);

/* codec_fails - the same, and the load must fail: its error. */
struct irqs_error codec_fails(enum codec c, const struct vms_desc *save, void *from,
			      const struct vms_desc *load, void *to);

/* codec_bytes_are - whether the QEMU encoding of @state is these bytes; prints both when not. */
bool codec_bytes_are(const struct vms_desc *d, void *state, const void *bytes, size_t size);

#define FOR_EACH_CODEC(c) for (enum codec c = 0; c < NCODECS; c++)
/* Those that describe themselves. */
#define SELF_DESCRIBING(c) ((c) != CODEC_BYTES)

#endif

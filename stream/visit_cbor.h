/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visitors that save into and load from CBOR: the body of a section record (docs/format-native.md). */
#ifndef IRQSHIFT_STREAM_VISIT_CBOR_H
#define IRQSHIFT_STREAM_VISIT_CBOR_H

#include <stddef.h>
#include <stdint.h>

#include "vmstate/visit_tree.h"

struct visit_cbor_out {
	struct visit_tree_out out; /* out.v is the visitor */
	/* private: */
	struct vms_tree tree;
};

struct visit_cbor_in {
	struct visit_tree_in in; /* in.v is the visitor */
	/* private: */
	struct vms_tree tree;
};

/* visit_cbor_out_init/visit_cbor_out_deinit - save one section. Return: 0 or -ENOMEM. */
int visit_cbor_out_init(struct visit_cbor_out *o, struct irqs_error *reterr);
void visit_cbor_out_deinit(struct visit_cbor_out *o);

/* visit_cbor_out_finish - the bytes, malloc()ed. Return: 0, -EINVAL (nothing was saved), -ENOMEM. */
int visit_cbor_out_finish(struct visit_cbor_out *o, uint8_t **ret_data, size_t *ret_size,
			  struct irqs_error *reterr);

/* visit_cbor_in_init/visit_cbor_in_deinit - load from bytes. Return: 0, -EBADMSG with the offset, -ENOMEM. */
int visit_cbor_in_init(struct visit_cbor_in *in, const uint8_t *data, size_t size, struct irqs_error *reterr);
void visit_cbor_in_deinit(struct visit_cbor_in *in);

#endif

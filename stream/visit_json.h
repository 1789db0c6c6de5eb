/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A section as JSON and back, and the visitors that save into JSON and load from it. The form is that of
 * `irqshift show --json`: QEMU's vmdescription with the values in it (docs/format-native.md says what a field
 * consists of). It describes itself, so it is read whole before a device is asked.
 */
#ifndef IRQSHIFT_STREAM_VISIT_JSON_H
#define IRQSHIFT_STREAM_VISIT_JSON_H

#include <jansson.h>

#include "vmstate/visit_tree.h"

struct visit_json_out {
	struct visit_tree_out out; /* out.v is the visitor */
	/* private: */
	struct vms_tree tree;
};

struct visit_json_in {
	struct visit_tree_in in; /* in.v is the visitor */
	/* private: */
	struct vms_tree tree;
};

/* visit_json_out_init/visit_json_out_deinit - save one section. Return: 0 or -ENOMEM. */
int visit_json_out_init(struct visit_json_out *o, struct irqs_error *reterr);
void visit_json_out_deinit(struct visit_json_out *o);

/* visit_json_out_finish - what was saved, for the caller to decref. Return: 0, -EINVAL (nothing), -ENOMEM. */
int visit_json_out_finish(struct visit_json_out *o, json_t **ret, struct irqs_error *reterr);

/* visit_json_in_init/visit_json_in_deinit - load from one section. Return: as section_from_json(). */
int visit_json_in_init(struct visit_json_in *in, const json_t *section, struct irqs_error *reterr);
void visit_json_in_deinit(struct visit_json_in *in);

/**
 * section_from_json - a section of a tree from its JSON form
 * @t: tree; the section becomes its last
 * @o: object
 * @ret: receives the section
 * @reterr: IRQS_MALFORMED with the path
 *
 * An integer is a JSON integer or a string of decimal digits; a value that its type cannot hold, a key that
 * means nothing and a length that is not that of the values are errors.
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int section_from_json(struct vms_tree *t, const json_t *o, struct vms_node **ret, struct irqs_error *reterr);

#endif

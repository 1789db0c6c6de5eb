/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/visit_cbor.h"

#include "stream/cbor_priv.h"
#include "stream/native_priv.h"

int visit_cbor_out_init(struct visit_cbor_out *o, struct irqs_error *reterr)
{
	int rc = vms_tree_init(&o->tree, reterr);

	if (!rc)
		visit_tree_out_init(&o->out, &o->tree, o->tree.machine);
	return rc;
}

void visit_cbor_out_deinit(struct visit_cbor_out *o)
{
	vms_tree_deinit(&o->tree);
}

int visit_cbor_out_finish(struct visit_cbor_out *o, uint8_t **ret_data, size_t *ret_size,
			  struct irqs_error *reterr)
{
	const struct vms_node *section = vms_first_child(o->tree.machine);
	struct cbor_out body;

	if (!section || o->out.v.depth)
		return visit_fail(&o->out.v, NULL, reterr, IRQS_USAGE, "no section was saved");
	cbor_out_init(&body);
	native_put_section(&body, section);
	if (body.failed) {
		cbor_out_deinit(&body);
		return irqs_fail_nomem(reterr);
	}
	*ret_data = body.data;
	*ret_size = body.size;
	return 0;
}

int visit_cbor_in_init(struct visit_cbor_in *in, const uint8_t *data, size_t size, struct irqs_error *reterr)
{
	struct vms_node *n;
	int rc = vms_tree_init(&in->tree, reterr);

	if (rc)
		return rc;
	rc = native_get_section(&in->tree, data, size, 0, &n, reterr);
	if (rc)
		vms_tree_deinit(&in->tree);
	else
		visit_tree_in_init(&in->in, n);
	return rc;
}

void visit_cbor_in_deinit(struct visit_cbor_in *in)
{
	vms_tree_deinit(&in->tree);
}

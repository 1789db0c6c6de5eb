/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/port.h"

#include <errno.h>
#include <linux/kvm.h>

bool kvm_port_call_failed(const struct kvm_port_call *call)
{
	if (call->result < 0)
		return true;
	return call->request == KVM_SET_MSRS && (uint32_t)call->result < ((const struct kvm_msrs *)call->arg)->nmsrs;
}

void kvm_list_loop(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	bool canceled = false;

	for (size_t i = 0; i < n; i++) {
		struct kvm_port_call *c = &calls[i];

		c->result = canceled ? -ECANCELED : port->call(port, c->target, c->vcpu, c->request, c->arg, c->size);
		if (mode == KVM_LIST_UNTIL_FAILED && kvm_port_call_failed(c))
			canceled = true;
	}
}

void kvm_list(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	if (!n)
		return;
	if (port->batch)
		port->batch(port, calls, n, mode);
	else
		kvm_list_loop(port, calls, n, mode);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What there is to ask of the module: itself, the VMs, the state of one. */
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include "kvm/ioctls.h"
#include "kvm/netlink_priv.h"

static int answer_info(struct nlmsghdr *hdr, void *arg)
{
	return netlink_parse_info(hdr, arg);
}

int kvm_netlink_info(struct kvm_netlink *nl, struct kvm_netlink_info *ret, struct irqs_error *reterr)
{
	struct kvm_netlink_info info = { 0 };
	int rc = netlink_exchange(nl, netlink_request(nl, IRQSHIFT_GENL_GET_INFO, 0), answer_info, &info,
				  "asking the kernel module what it is", reterr);

	/* It never is 0. */
	if (!rc && !info.abi)
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "the kernel module does not say what it is");
	if (!rc)
		*ret = info;
	return rc;
}

/* Return: the message with one more attribute, or NULL without a message or without room for it. */
static struct nl_msg *with_u32(struct nl_msg *msg, int type, uint32_t value)
{
	if (!msg || !nla_put_u32(msg, type, value))
		return msg;
	nlmsg_free(msg);
	return NULL;
}

static int answer_vm(struct nlmsghdr *hdr, void *arg)
{
	return netlink_parse_vm(hdr, arg);
}

int kvm_netlink_list_vms(struct kvm_netlink *nl, int mem_fd, struct kvm_netlink_vms *ret, struct irqs_error *reterr)
{
	struct netlink_listing listing = { 0 };
	struct nl_msg *msg = netlink_request(nl, IRQSHIFT_GENL_LIST_VMS, NLM_F_DUMP);
	int rc;

	if (mem_fd >= 0)
		msg = with_u32(msg, IRQSHIFT_A_MEM_FD, (uint32_t)mem_fd);
	rc = netlink_exchange(nl, msg, answer_vm, &listing, "listing VMs", reterr);
	if (!rc && listing.more)
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "listing VMs: the last one is not complete");
	if (rc)
		kvm_netlink_vms_deinit(&listing.vms);
	else
		*ret = listing.vms;
	return rc;
}

/* ---- state ---- */

struct state {
	struct kvm_port_call *calls;
	size_t n;
	bool answered;
};

static int answer_state(struct nlmsghdr *hdr, void *arg)
{
	struct state *s = arg;

	if (s->answered)
		return -EBADMSG;
	s->answered = true;
	return netlink_parse_state(hdr, s->calls, s->n);
}

static bool reads_its_structure(const struct kvm_port_call *c)
{
	const struct kvm_ioctl *row = kvm_ioctl_find((uint32_t)c->request);

	return c->size && (!row || row->arg != KVM_ARG_OUT);
}

/* Return: 0, or below 0 without room. */
static int put_entry(struct nl_msg *msg, int fd, const struct kvm_port_call *c)
{
	struct nlattr *nest = nla_nest_start(msg, IRQSHIFT_A_ENTRY);

	if (!nest || nla_put_u32(msg, IRQSHIFT_A_KVM_FD, (uint32_t)fd) ||
	    nla_put_u32(msg, IRQSHIFT_A_COMMAND, (uint32_t)c->request) ||
	    (reads_its_structure(c) && nla_put(msg, IRQSHIFT_A_DATA, (int)c->size, c->arg)))
		return -EMSGSIZE;
	return nla_nest_end(msg, nest);
}

/* As many as the module takes at once. */
static int some_state(struct kvm_netlink *nl, int mem_fd, const int *fds, struct state *s, struct irqs_error *reterr)
{
	struct nl_msg *msg = with_u32(netlink_request(nl, IRQSHIFT_GENL_GET_STATE, 0), IRQSHIFT_A_MEM_FD, (uint32_t)mem_fd);
	int rc = 0;

	for (size_t i = 0; i < s->n && msg && !rc; i++)
		rc = put_entry(msg, fds[i], &s->calls[i]);
	if (rc) {
		nlmsg_free(msg);
		return irqs_fail_errno(reterr, EMSGSIZE, "reading state by the kernel module");
	}
	rc = netlink_exchange(nl, msg, answer_state, s, "reading state by the kernel module", reterr);
	if (!rc && !s->answered)
		rc = irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "the kernel module does not say the state");
	return rc;
}

int kvm_netlink_state(struct kvm_netlink *nl, int mem_fd, const int *fds, struct kvm_port_call *calls, size_t n,
		      struct irqs_error *reterr)
{
	int rc = 0;

	for (size_t at = 0; at < n && !rc; at += IRQSHIFT_STATE_ENTRIES_MAX) {
		struct state s = { .calls = calls + at, .n = n - at };

		if (s.n > IRQSHIFT_STATE_ENTRIES_MAX)
			s.n = IRQSHIFT_STATE_ENTRIES_MAX;
		rc = some_state(nl, mem_fd, fds + at, &s, reterr);
	}
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <time.h>

#include "kvm/netlink_priv.h"

/* Taken at once: more of them stay in the socket, and in the module. */
#define TAKE_MAX 16384

/* Return: 0, or below 0 without room. */
static int put(struct nl_msg *msg, const struct kvm_netlink_subscription *what)
{
	int rc = 0;

	if (what->mem_fd >= 0)
		rc = nla_put_u32(msg, IRQSHIFT_A_MEM_FD, (uint32_t)what->mem_fd);
	if (!rc && what->events)
		rc = nla_put_u64(msg, IRQSHIFT_A_EVENTS, what->events);
	if (!rc && what->buffer)
		rc = nla_put_u32(msg, IRQSHIFT_A_BUFFER, what->buffer);
	if (!rc && what->group)
		rc = nla_put_flag(msg, IRQSHIFT_A_GROUP);
	return rc;
}

/* Events can come ahead of the answer. */
int kvm_netlink_subscribe(struct kvm_netlink *nl, const struct kvm_netlink_subscription *what, struct irqs_error *reterr)
{
	struct nl_msg *msg = netlink_request(nl, IRQSHIFT_GENL_SUBSCRIBE, 0);
	bool ended = nl->inbox.ended;
	int rc;

	if (msg && put(msg, what)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	nl->inbox.ended = false;
	rc = netlink_exchange(nl, msg, NULL, NULL, "subscribing to events", reterr);
	if (rc)
		nl->inbox.ended = ended;
	return rc;
}

int kvm_netlink_unsubscribe(struct kvm_netlink *nl, struct irqs_error *reterr)
{
	return netlink_exchange(nl, netlink_request(nl, IRQSHIFT_GENL_UNSUBSCRIBE, 0), NULL, NULL, "ending a subscription",
				reterr);
}

int kvm_netlink_join(struct kvm_netlink *nl, struct irqs_error *reterr)
{
	int group = genl_ctrl_resolve_grp(nl->sock, IRQSHIFT_GENL_NAME, IRQSHIFT_GENL_GROUP);

	if (group < 0)
		return irqs_fail_errno(reterr, ENOENT, "the multicast group of the kernel module");
	errno = 0;
	if (nl_socket_add_membership(nl->sock, group))
		return irqs_fail_errno(reterr, errno ? errno : EIO, "joining the multicast group of the kernel module");
	return 0;
}

/* All that is there, within reason. Return: 0 or -errno. */
static int take_all(struct kvm_netlink *nl)
{
	int rc = 0;

	while (!rc && !nl->bad && nl->inbox.n < TAKE_MAX && nl->inbox.nholes < NETLINK_HOLES_MAX) {
		rc = netlink_take(nl);
		if (rc == -ENOBUFS || rc == -EINTR)
			rc = 0;
	}
	return rc == -EAGAIN ? 0 : rc;
}

static int wait_readable(struct kvm_netlink *nl, int timeout_ms)
{
	struct pollfd p = { .fd = nl_socket_get_fd(nl->sock), .events = POLLIN };

	return poll(&p, 1, timeout_ms) < 0 ? -errno : 0;
}

int kvm_netlink_receive(struct kvm_netlink *nl, int timeout_ms, struct kvm_netlink_events *ret, struct irqs_error *reterr)
{
	int rc;

	netlink_forget_given(&nl->inbox);
	rc = take_all(nl);
	if (!rc && !nl->bad && !nl->inbox.n && !nl->inbox.nholes && timeout_ms) {
		rc = wait_readable(nl, timeout_ms);
		if (!rc)
			rc = take_all(nl);
	}
	if (!rc && nl->bad) {
		rc = nl->bad;
		nl->bad = 0;
	}
	if (rc == -EBADMSG)
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "events that are not what the module sends");
	if (rc)
		return irqs_fail_errno(reterr, -rc, "receiving events");
	netlink_hand_out(&nl->inbox, ret);
	ret->overruns = nl->overruns;
	return 0;
}

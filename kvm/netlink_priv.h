/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What messages of the family say, apart from the socket that they come by. */
#ifndef IRQSHIFT_KVM_NETLINK_PRIV_H
#define IRQSHIFT_KVM_NETLINK_PRIV_H

#include <linux/netlink.h>

#include "kvm/netlink.h"

/*
 * A message is @hdr with nlmsg_len bytes, all of which are there. All return 0, or -EBADMSG for one that is not what
 * uapi.h says; -ENOMEM. What they fill is changed on success only, but for the structures of netlink_parse_state().
 */

/* netlink_command - Return: the command, enum irqshift_genl_command, or -EBADMSG. */
int netlink_command(struct nlmsghdr *hdr);

int netlink_parse_info(struct nlmsghdr *hdr, struct kvm_netlink_info *ret);

struct netlink_listing {
	struct kvm_netlink_vms vms;
	bool more; /* the last of them is not complete */
};

/* netlink_parse_vm - adds the VM of a message to the list, or vCPUs to the last one. */
int netlink_parse_vm(struct nlmsghdr *hdr, struct netlink_listing *listing);

/* netlink_parse_state - the answers of @n calls, in their order. */
int netlink_parse_state(struct nlmsghdr *hdr, struct kvm_port_call *calls, size_t n);

/* netlink_error_text - what the kernel says beside the number of an error (NETLINK_EXT_ACK), or NULL. */
const char *netlink_error_text(const struct nlmsghdr *hdr);

/* A subscription, by the port of its socket: what the next message should say. */
struct netlink_stream {
	uint32_t port;
	uint64_t next; /* number of the event that comes next */
	uint64_t dropped;
};

/* The module has no more at a time. */
#define NETLINK_STREAMS_MAX IRQSHIFT_SUBSCRIPTIONS_MAX

/* Events that are missing before the one with that index. */
struct netlink_hole {
	size_t at;
	uint64_t n;
};

/* At once. What would be one more is counted with the last. */
#define NETLINK_HOLES_MAX 64

/* Events of a socket, from message to message. */
struct netlink_inbox {
	struct irqshift_event *events; /* not handed out yet */
	size_t n, room;
	uint32_t own; /* the port of this socket: what it subscribed to begins with number 0 */
	bool ended;   /* the subscription of that port has */
	struct netlink_stream streams[NETLINK_STREAMS_MAX];
	unsigned int nstreams, forgotten;
	size_t given; /* of the events: handed out */
	struct netlink_hole holes[NETLINK_HOLES_MAX];
	unsigned int nholes;
	uint64_t received, missed, dropped;
	uint64_t told; /* of the missed: handed out */
};

/* netlink_parse_events - put the events of a message into the inbox, and count. */
int netlink_parse_events(struct nlmsghdr *hdr, struct netlink_inbox *inbox);

/* netlink_hand_out - the next of them, up to a hole; until netlink_forget_given(), which makes room. */
void netlink_hand_out(struct netlink_inbox *inbox, struct kvm_netlink_events *ret);
void netlink_forget_given(struct netlink_inbox *inbox);

struct netlink_exchange;

struct kvm_netlink {
	struct nl_sock *sock;
	struct netlink_exchange *exchange; /* the request on its way, or NULL */
	int family;
	struct netlink_inbox inbox;
	uint64_t overruns;
	int bad; /* -errno of the first events that could not be taken; 0: none */
};

struct nl_msg;

/* What takes an answer. Return: 0 or -errno, with which the request ends. */
typedef int netlink_answer_fn(struct nlmsghdr *hdr, void *arg);

/* netlink_request - a message of the family with that command, or NULL. @flags: NLM_F_* besides those that all have. */
struct nl_msg *netlink_request(struct kvm_netlink *nl, uint8_t command, int flags);

/**
 * netlink_exchange - send a request, and take all that is answered
 * @msg: is freed; NULL: there was no memory
 * @answer: is given each message with that command, or NULL: none comes
 * @what: for errors
 */
int netlink_exchange(struct kvm_netlink *nl, struct nl_msg *msg, netlink_answer_fn *answer, void *arg, const char *what,
		     struct irqs_error *reterr);

/* netlink_take - what there is now. Return: 0; -EAGAIN: nothing; -ENOBUFS: the kernel had to drop messages; other -errno. */
int netlink_take(struct kvm_netlink *nl);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "kvm/ioctls.h"
#include "kvm/netlink_priv.h"

#define SOCKET_BYTES (1 << 20) /* as far as the machine allows */
#define MESSAGE_BYTES (1 << 16)
#define ANSWER_MS 10000 /* the kernel answers within the request: what does not come by then was dropped */

/* A request on its way. */
struct netlink_exchange {
	struct kvm_netlink *nl;
	uint32_t seq;
	uint8_t command;
	netlink_answer_fn *answer;
	void *arg;
	int rc;
	bool done;
	struct irqs_error *err;
	const char *what;
};

int netlink_take(struct kvm_netlink *nl)
{
	int rc;

	errno = 0;
	rc = nl_recvmsgs_default(nl->sock);
	if (rc >= 0)
		return 0;
	switch (-rc) {
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_INTR:
		return -EINTR;
	case NLE_DUMP_INTR: /* a VM came or went meanwhile */
		return 0;
	case NLE_NOMEM:
		if (errno != ENOBUFS)
			return -ENOMEM;
		nl->overruns++;
		return -ENOBUFS;
	default:
		return errno ? -errno : -EBADMSG;
	}
}

/* ---- messages ---- */

static bool ours(const struct netlink_exchange *x, const struct nlmsghdr *hdr)
{
	return x && hdr->nlmsg_seq == x->seq;
}

/* Only the kernel has a say. */
static bool from_kernel(struct nl_msg *msg)
{
	return nlmsg_get_src(msg)->nl_pid == 0;
}

static int valid(struct nl_msg *msg, void *arg)
{
	struct kvm_netlink *nl = arg;
	struct netlink_exchange *x = nl->exchange;
	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	int command = netlink_command(hdr), rc;

	if (!from_kernel(msg) || hdr->nlmsg_type != nl->family)
		return NL_SKIP;
	if (command == IRQSHIFT_GENL_EVENT) {
		rc = netlink_parse_events(hdr, &nl->inbox);
		if (rc && !nl->bad)
			nl->bad = rc;
	} else if (ours(x, hdr) && x->answer && !x->rc) {
		x->rc = command == x->command ? x->answer(hdr, x->arg) : -EBADMSG;
	}
	return NL_OK;
}

static int finished(struct nl_msg *msg, void *arg)
{
	struct netlink_exchange *x = ((struct kvm_netlink *)arg)->exchange;

	struct nlmsghdr *hdr = nlmsg_hdr(msg);
	int32_t error = 0;

	if (!from_kernel(msg) || !ours(x, hdr))
		return NL_SKIP;
	if (hdr->nlmsg_type == NLMSG_DONE && nlmsg_datalen(hdr) >= (int)sizeof(error))
		memcpy(&error, nlmsg_data(hdr), sizeof(error));
	if (error < 0 && !x->rc)
		x->rc = irqs_fail_errno(x->err, -error, "%s", x->what);
	x->done = true;
	return NL_SKIP;
}

static int refused(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct netlink_exchange *x = ((struct kvm_netlink *)arg)->exchange;
	const char *text;

	if (from->nl_pid || !x || e->msg.nlmsg_seq != x->seq)
		return NL_SKIP;
	text = netlink_error_text((const struct nlmsghdr *)((const char *)e - NLMSG_HDRLEN));
	x->rc = irqs_fail_errno(x->err, -e->error, text ? "%s: %s" : "%s", x->what, text);
	x->done = true;
	return NL_SKIP;
}

/* ---- requests ---- */

struct nl_msg *netlink_request(struct kvm_netlink *nl, uint8_t command, int flags)
{
	struct nl_msg *msg = nlmsg_alloc_size(MESSAGE_BYTES);

	if (msg && !genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, nl->family, 0, flags, command, IRQSHIFT_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int wait_readable(struct kvm_netlink *nl)
{
	struct pollfd p = { .fd = nl_socket_get_fd(nl->sock), .events = POLLIN };
	int rc;

	do
		rc = poll(&p, 1, ANSWER_MS);
	while (rc < 0 && errno == EINTR);
	return rc > 0 ? 0 : rc ? -errno
			       : -ETIMEDOUT;
}

/* An answer for which there was no room does not come any more. */
static int wait_for(struct netlink_exchange *x)
{
	bool dropped = false;
	int rc = 0;

	while (!x->done && !rc) {
		rc = netlink_take(x->nl);
		if (rc == -ENOBUFS) {
			dropped = true;
			rc = 0;
		} else if (rc == -EINTR) {
			rc = 0;
		} else if (rc == -EAGAIN) {
			rc = dropped ? -ENOBUFS : wait_readable(x->nl);
		}
	}
	return rc;
}

int netlink_exchange(struct kvm_netlink *nl, struct nl_msg *msg, netlink_answer_fn *answer, void *arg, const char *what,
		     struct irqs_error *reterr)
{
	struct netlink_exchange x = { .nl = nl, .answer = answer, .arg = arg, .err = reterr, .what = what };
	int rc;

	if (!msg)
		return irqs_fail_nomem(reterr);
	nl_complete_msg(nl->sock, msg);
	x.seq = nlmsg_hdr(msg)->nlmsg_seq;
	x.command = genlmsg_hdr(nlmsg_hdr(msg))->cmd;
	nl->exchange = &x;
	nl->bad = 0;
	errno = 0;
	rc = nl_send(nl->sock, msg);
	if (rc < 0)
		rc = errno ? -errno : -EIO;
	else
		rc = wait_for(&x);
	nl->exchange = NULL;
	nlmsg_free(msg);
	if (rc)
		return irqs_fail_errno(reterr, -rc, "%s", what);
	return x.rc == -EBADMSG ? irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL, "%s: not what the module answers", what)
				: x.rc;
}

/* ---- open and close ---- */

static int set_up(struct kvm_netlink *nl)
{
	const int on = 1;
	int fd = nl_socket_get_fd(nl->sock);

	nl->inbox.own = nl_socket_get_local_port(nl->sock);
	nl_socket_disable_seq_check(nl->sock);
	nl_socket_enable_msg_peek(nl->sock);
	nl_socket_set_buffer_size(nl->sock, SOCKET_BYTES, MESSAGE_BYTES); /* or what it is */
	/* Since Linux 4.12; without, there are numbers only. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, valid, nl) ||
	    nl_socket_modify_cb(nl->sock, NL_CB_FINISH, NL_CB_CUSTOM, finished, nl) ||
	    nl_socket_modify_cb(nl->sock, NL_CB_ACK, NL_CB_CUSTOM, finished, nl) ||
	    nl_socket_modify_err_cb(nl->sock, NL_CB_CUSTOM, refused, nl) || nl_socket_set_nonblocking(nl->sock))
		return -EIO;
	return 0;
}

int kvm_netlink_open(struct kvm_netlink **ret, struct irqs_error *reterr)
{
	struct kvm_netlink *nl = calloc(1, sizeof(*nl));
	int rc;

	if (!nl)
		return irqs_fail_nomem(reterr);
	nl->sock = nl_socket_alloc();
	errno = 0;
	if (!nl->sock)
		rc = irqs_fail_nomem(reterr);
	else if (genl_connect(nl->sock))
		rc = irqs_fail_errno(reterr, errno ? errno : EIO, "generic netlink");
	else if ((nl->family = genl_ctrl_resolve(nl->sock, IRQSHIFT_GENL_NAME)) < 0)
		rc = irqs_fail_errno(reterr, ENOENT, "the kernel module irqshift is not loaded");
	else if ((rc = set_up(nl)))
		irqs_fail_errno(reterr, -rc, "generic netlink");
	if (rc)
		kvm_netlink_close(nl);
	else
		*ret = nl;
	return rc;
}

void kvm_netlink_close(struct kvm_netlink *nl)
{
	if (!nl)
		return;
	nl_socket_free(nl->sock);
	free(nl->inbox.events);
	free(nl);
}

int kvm_netlink_fd(const struct kvm_netlink *nl)
{
	return nl_socket_get_fd(nl->sock);
}

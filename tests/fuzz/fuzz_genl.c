/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as what comes by the socket of the kernel module: one netlink message behind the other, each of them judged by
 * all that parse one. What is taken makes sense; events are counted without a gap.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#include "kvm/netlink_priv.h"

#define CALLS 3
#define PORT 7

static struct kvm_mp_state mp;
static struct kvm_lapic_state page;

static void ask(struct kvm_port_call *calls)
{
	calls[0] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_MP_STATE, &mp, sizeof(mp), 1 };
	calls[1] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_TSC_KHZ, NULL, 0, 1 };
	calls[2] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_LAPIC, &page, sizeof(page), 1 };
}

/* ---- seeds ---- */

static struct nl_msg *message(uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc_size(4096);

	if (!msg || !genlmsg_put(msg, PORT, 0, 0x20, 0, 0, command, IRQSHIFT_GENL_VERSION))
		abort();
	return msg;
}

static void keep(const char *folder, const char *name, struct nl_msg *msg)
{
	seed_write(folder, name, (const uint8_t *)nlmsg_hdr(msg), nlmsg_hdr(msg)->nlmsg_len);
	nlmsg_free(msg);
}

static void seed_vm(const char *folder)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_LIST_VMS);

	nla_put_u32(msg, IRQSHIFT_A_PID, 1);
	nla_put_u32(msg, IRQSHIFT_A_VM_FD, 2);
	nla_put_u32(msg, IRQSHIFT_A_IRQCHIP, 1);
	for (uint32_t i = 0; i < 3; i++) {
		struct nlattr *nest = nla_nest_start(msg, IRQSHIFT_A_VCPU);

		nla_put_u32(msg, IRQSHIFT_A_VCPU_ID, i);
		nla_put_u32(msg, IRQSHIFT_A_VCPU_FD, 5 + i);
		nla_nest_end(msg, nest);
	}
	keep(folder, "vm", msg);
}

static void seed_state(const char *folder)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_GET_STATE);
	struct kvm_port_call calls[CALLS];

	ask(calls);
	for (int i = 0; i < CALLS; i++) {
		struct nlattr *nest = nla_nest_start(msg, IRQSHIFT_A_ENTRY);

		nla_put_u32(msg, IRQSHIFT_A_COMMAND, (uint32_t)calls[i].request);
		nla_put_s32(msg, IRQSHIFT_A_RESULT, 0);
		if (calls[i].size)
			nla_put(msg, IRQSHIFT_A_DATA, (int)calls[i].size, calls[i].arg);
		nla_nest_end(msg, nest);
	}
	keep(folder, "state", msg);
}

static void seed_events(const char *folder, const char *name, uint64_t seq, unsigned int n)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_EVENT);
	struct irqshift_event events[4] = { { .type = 3 } };

	nla_put_u64(msg, IRQSHIFT_A_SEQ, seq);
	nla_put_u64(msg, IRQSHIFT_A_DROPPED, 0);
	if (n)
		nla_put(msg, IRQSHIFT_A_RECORDS, (int)(n * sizeof(events[0])), events);
	keep(folder, name, msg);
}

static void seed_error(const char *folder)
{
	struct {
		struct nlmsghdr hdr;
		struct nlmsgerr e;
		struct nlattr a;
		char text[8];
	} m = {
		.hdr = { .nlmsg_len = sizeof(m), .nlmsg_type = NLMSG_ERROR, .nlmsg_flags = NLM_F_ACK_TLVS | NLM_F_CAPPED },
		.e = { .error = -EINVAL },
		.a = { .nla_len = sizeof(m.a) + sizeof(m.text), .nla_type = NLMSGERR_ATTR_MSG },
		.text = "why not",
	};

	seed_write(folder, "error", (const uint8_t *)&m, sizeof(m));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	struct nl_msg *msg;

	if (!folder)
		return 0;
	msg = message(IRQSHIFT_GENL_GET_INFO);
	nla_put_u32(msg, IRQSHIFT_A_ABI, 1);
	nla_put_u64(msg, IRQSHIFT_A_EVENTS, 3);
	nla_put_u32(msg, IRQSHIFT_A_FEATURES, 7);
	keep(folder, "info", msg);
	seed_vm(folder);
	seed_state(folder);
	seed_events(folder, "events", 0, 4);
	seed_events(folder, "more", 4, 2);
	seed_events(folder, "end", 6, 0);
	seed_error(folder);
	return 0;
}

/* ---- judgement ---- */

static void one_of(int rc)
{
	if (rc && rc != -EBADMSG && rc != -ENOMEM)
		abort();
}

static void judge_vms(const struct kvm_netlink_vms *vms)
{
	for (unsigned int i = 0; i < vms->nvms; i++) {
		const struct kvm_netlink_vm *vm = &vms->vms[i];

		if (vm->pid < 0 || vm->fd < -1 || vm->mode < IRQCHIP_NONE || vm->mode > IRQCHIP_FULL)
			abort();
		for (unsigned int v = 0; v < vm->nvcpus; v++)
			if (vm->vcpus[v].fd < 0)
				abort();
	}
}

static void judge_events(const struct netlink_inbox *in)
{
	if (in->n > in->received || in->nstreams > NETLINK_STREAMS_MAX || in->nholes > NETLINK_HOLES_MAX)
		abort();
	for (unsigned int i = 0; i < in->nholes; i++)
		if (in->holes[i].at > in->n || (i && in->holes[i].at <= in->holes[i - 1].at))
			abort();
	for (size_t i = 0; i < in->n; i++)
		if (in->events[i].type >= IRQSHIFT_EVENT_TYPES)
			abort();
}

static void judge(struct nlmsghdr *hdr, struct netlink_listing *l, struct netlink_inbox *in)
{
	struct kvm_netlink_info info;
	struct kvm_port_call calls[CALLS];
	const char *text;

	netlink_command(hdr);
	one_of(netlink_parse_info(hdr, &info));
	one_of(netlink_parse_vm(hdr, l));
	judge_vms(&l->vms);
	ask(calls);
	one_of(netlink_parse_state(hdr, calls, CALLS));
	one_of(netlink_parse_events(hdr, in));
	judge_events(in);
	text = netlink_error_text(hdr);
	if (text && strlen(text) > hdr->nlmsg_len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink_inbox *in = calloc(1, sizeof(*in));
	struct netlink_listing l = { 0 };

	if (!in)
		abort();
	in->own = PORT;
	while (size >= NLMSG_HDRLEN) {
		struct nlmsghdr head, *hdr;
		size_t len;

		memcpy(&head, data, sizeof(head));
		/* What libnl hands on is there in full. */
		if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > size)
			head.nlmsg_len = (uint32_t)size;
		hdr = malloc(head.nlmsg_len);
		if (!hdr)
			abort();
		memcpy(hdr, data, head.nlmsg_len);
		hdr->nlmsg_len = head.nlmsg_len;
		judge(hdr, &l, in);
		free(hdr);
		len = NLMSG_ALIGN((size_t)head.nlmsg_len);
		data += len < size ? len : size;
		size -= len < size ? len : size;
	}
	kvm_netlink_vms_deinit(&l.vms);
	free(in->events);
	free(in);
	return 0;
}

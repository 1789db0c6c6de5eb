/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Messages of the family "irqshift" as the module makes them, and as it does not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/netlink_priv.h"

#define PORT 4711

static struct nl_msg *message(uint8_t command)
{
	struct nl_msg *msg = nlmsg_alloc_size(1 << 16);

	cr_assert_not_null(msg);
	cr_assert_not_null(genlmsg_put(msg, PORT, 0, 0x20, 0, 0, command, IRQSHIFT_GENL_VERSION));
	return msg;
}

/* ---- info ---- */

static struct nl_msg *info(void)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_GET_INFO);

	nla_put_u32(msg, IRQSHIFT_A_ABI, 1);
	nla_put_u64(msg, IRQSHIFT_A_EVENTS, 0x3fff);
	nla_put_u32(msg, IRQSHIFT_A_FEATURES, 7);
	return msg;
}

Test(netlink, what_the_module_is_is_read)
{
	struct kvm_netlink_info i = { 0 };
	struct nl_msg *msg = info();

	cr_expect_eq(netlink_command(nlmsg_hdr(msg)), IRQSHIFT_GENL_GET_INFO);
	cr_expect_eq(netlink_parse_info(nlmsg_hdr(msg), &i), 0);
	cr_expect_eq(i.abi, 1);
	cr_expect_eq(i.events, 0x3fff);
	cr_expect_eq(i.features, 7);
	nlmsg_free(msg);
}

Test(netlink, attributes_of_a_later_module_are_passed_over)
{
	struct kvm_netlink_info i = { 0 };
	struct nl_msg *msg = info();

	nla_put_u32(msg, IRQSHIFT_A_COUNT + 5, 9);
	nla_put_u64(msg, 0x3ff, 9);
	cr_expect_eq(netlink_parse_info(nlmsg_hdr(msg), &i), 0);
	cr_expect_eq(i.features, 7);
	nlmsg_free(msg);
}

Test(netlink, an_attribute_that_is_missing_or_of_another_size_is_malformed)
{
	for (int wrong = 0; wrong < 6; wrong++) {
		struct nl_msg *msg = message(IRQSHIFT_GENL_GET_INFO);
		struct kvm_netlink_info i = { .abi = 77 };

		if (wrong != 0)
			wrong == 3 ? nla_put_u64(msg, IRQSHIFT_A_ABI, 1) : nla_put_u32(msg, IRQSHIFT_A_ABI, 1);
		if (wrong != 1)
			wrong == 4 ? nla_put_u32(msg, IRQSHIFT_A_EVENTS, 1) : nla_put_u64(msg, IRQSHIFT_A_EVENTS, 1);
		if (wrong != 2)
			wrong == 5 ? nla_put(msg, IRQSHIFT_A_FEATURES, 3, "ab") : nla_put_u32(msg, IRQSHIFT_A_FEATURES, 1);
		cr_expect_eq(netlink_parse_info(nlmsg_hdr(msg), &i), -EBADMSG, "%d", wrong);
		cr_expect_eq(i.abi, 77);
		nlmsg_free(msg);
	}
}

/* ---- VMs ---- */

static void put_vcpus(struct nl_msg *msg, uint32_t first, uint32_t n)
{
	for (uint32_t i = first; i < first + n; i++) {
		struct nlattr *nest = nla_nest_start(msg, IRQSHIFT_A_VCPU);

		nla_put_u32(msg, IRQSHIFT_A_VCPU_ID, 2 * i);
		nla_put_u32(msg, IRQSHIFT_A_VCPU_FD, 20 + i);
		nla_nest_end(msg, nest);
	}
}

static struct nl_msg *vm(uint32_t pid, uint32_t fd, uint32_t irqchip)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_LIST_VMS);

	nla_put_u32(msg, IRQSHIFT_A_PID, pid);
	nla_put_u32(msg, IRQSHIFT_A_VM_FD, fd);
	nla_put_u32(msg, IRQSHIFT_A_IRQCHIP, irqchip);
	return msg;
}

Test(netlink, vms_are_listed_with_their_vcpus)
{
	static const enum irqchip_mode modes[] = { IRQCHIP_NONE, IRQCHIP_FULL, IRQCHIP_SPLIT };
	struct netlink_listing l = { 0 };

	for (uint32_t i = 0; i < 3; i++) {
		struct nl_msg *msg = vm(100, 10 + i, i);

		put_vcpus(msg, 0, 4 * i);
		cr_assert_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), 0);
		nlmsg_free(msg);
	}
	cr_assert_eq(l.vms.nvms, 3);
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_eq(l.vms.vms[i].pid, 100);
		cr_expect_eq(l.vms.vms[i].fd, (int)(10 + i));
		cr_expect_eq(l.vms.vms[i].mode, modes[i]);
		cr_assert_eq(l.vms.vms[i].nvcpus, 4 * i);
		for (uint32_t v = 0; v < 4 * i; v++) {
			cr_expect_eq(l.vms.vms[i].vcpus[v].id, 2 * v);
			cr_expect_eq(l.vms.vms[i].vcpus[v].fd, (int)(20 + v));
		}
	}
	kvm_netlink_vms_deinit(&l.vms);
	cr_expect_null(l.vms.vms);
}

Test(netlink, a_vm_in_several_messages_is_one)
{
	struct netlink_listing l = { 0 };

	for (uint32_t i = 0; i < 1024; i += 128) {
		struct nl_msg *msg = vm(100, 10, IRQSHIFT_IRQCHIP_KERNEL);

		put_vcpus(msg, i, 128);
		if (i + 128 < 1024)
			nla_put_flag(msg, IRQSHIFT_A_MORE);
		cr_assert_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), 0);
		nlmsg_free(msg);
	}
	cr_expect_not(l.more);
	cr_assert_eq(l.vms.nvms, 1);
	cr_assert_eq(l.vms.vms[0].nvcpus, 1024);
	for (uint32_t i = 0; i < 1024; i++)
		cr_assert_eq(l.vms.vms[0].vcpus[i].id, 2 * i);
	kvm_netlink_vms_deinit(&l.vms);
}

Test(netlink, a_vm_does_not_go_on_as_another_one)
{
	struct netlink_listing l = { 0 };
	struct nl_msg *msg = vm(100, 10, IRQSHIFT_IRQCHIP_KERNEL);

	nla_put_flag(msg, IRQSHIFT_A_MORE);
	cr_expect_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), 0);
	nlmsg_free(msg);
	cr_expect(l.more);
	msg = vm(100, 11, IRQSHIFT_IRQCHIP_KERNEL);
	cr_expect_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), -EBADMSG);
	nlmsg_free(msg);
	cr_expect_eq(l.vms.nvms, 1);
	kvm_netlink_vms_deinit(&l.vms);
}

Test(netlink, a_vm_without_a_descriptor_of_its_own_is_one)
{
	struct netlink_listing l = { 0 };

	for (int i = 0; i < 2; i++) {
		struct nl_msg *msg = message(IRQSHIFT_GENL_LIST_VMS);

		nla_put_u32(msg, IRQSHIFT_A_PID, 100);
		nla_put_u32(msg, IRQSHIFT_A_IRQCHIP, IRQSHIFT_IRQCHIP_SPLIT);
		put_vcpus(msg, 0, 1);
		cr_expect_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), 0);
		nlmsg_free(msg);
	}
	cr_expect_eq(l.vms.nvms, 2);
	cr_expect_eq(l.vms.vms[1].fd, -1);
	kvm_netlink_vms_deinit(&l.vms);
}

Test(netlink, a_vm_that_makes_no_sense_is_malformed)
{
	static const struct {
		uint32_t pid, fd, irqchip;
	} wrong[] = { { 1, 1, 3 }, { 1, 1, UINT32_MAX }, { 1U << 31, 1, 1 }, { UINT32_MAX, 1, 1 }, { 1, 1U << 31, 1 } };
	struct netlink_listing l = { 0 };
	struct nlattr *nest;
	struct nl_msg *msg;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		msg = vm(wrong[i].pid, wrong[i].fd, wrong[i].irqchip);
		cr_expect_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), -EBADMSG, "%zu", i);
		nlmsg_free(msg);
	}
	/* a vCPU without a descriptor, behind one that is right */
	msg = vm(1, 1, 1);
	put_vcpus(msg, 0, 1);
	nest = nla_nest_start(msg, IRQSHIFT_A_VCPU);
	nla_put_u32(msg, IRQSHIFT_A_VCPU_ID, 2);
	nla_nest_end(msg, nest);
	cr_expect_eq(netlink_parse_vm(nlmsg_hdr(msg), &l), -EBADMSG);
	nlmsg_free(msg);
	cr_expect_eq(l.vms.nvms, 0);
	kvm_netlink_vms_deinit(&l.vms);
}

/* ---- state ---- */

static void put_answer(struct nl_msg *msg, const struct kvm_port_call *c, int32_t result, const void *data, size_t size)
{
	struct nlattr *nest = nla_nest_start(msg, IRQSHIFT_A_ENTRY);

	nla_put_u32(msg, IRQSHIFT_A_COMMAND, (uint32_t)c->request);
	nla_put_s32(msg, IRQSHIFT_A_RESULT, result);
	if (data)
		nla_put(msg, IRQSHIFT_A_DATA, (int)size, data);
	nla_nest_end(msg, nest);
}

static struct kvm_mp_state mp;
static struct kvm_lapic_state page;

static void three_calls(struct kvm_port_call *calls)
{
	calls[0] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_MP_STATE, &mp, sizeof(mp), 1 };
	calls[1] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_TSC_KHZ, NULL, 0, 1 };
	calls[2] = (struct kvm_port_call){ KVM_TARGET_VCPU, 0, KVM_GET_LAPIC, &page, sizeof(page), 1 };
}

Test(netlink, the_state_comes_into_the_structures_of_the_calls)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_GET_STATE);
	const struct kvm_mp_state halted = { KVM_MP_STATE_HALTED };
	struct kvm_port_call calls[3];

	three_calls(calls);
	put_answer(msg, &calls[0], 0, &halted, sizeof(halted));
	put_answer(msg, &calls[1], 2400000, NULL, 0);
	put_answer(msg, &calls[2], -EBUSY, NULL, 0);
	cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), calls, 3), 0);
	cr_expect_eq(mp.mp_state, KVM_MP_STATE_HALTED);
	cr_expect_eq(calls[0].result, 0);
	cr_expect_eq(calls[1].result, 2400000);
	cr_expect_eq(calls[2].result, -EBUSY);
	cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), calls, 2), -EBADMSG, "more than was asked");
	cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), calls, 4), -EBADMSG, "less than was asked");
	nlmsg_free(msg);
}

Test(netlink, a_state_of_another_size_or_of_another_ioctl_is_malformed)
{
	uint8_t bytes[2 * sizeof(page)] = { 0 };
	struct kvm_port_call calls[3];
	struct nl_msg *msg;

	three_calls(calls);
	for (size_t size = 0; size < sizeof(bytes); size += 97) {
		msg = message(IRQSHIFT_GENL_GET_STATE);
		put_answer(msg, &calls[2], 0, bytes, size);
		cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), &calls[2], 1), -EBADMSG, "%zu bytes", size);
		nlmsg_free(msg);
	}
	msg = message(IRQSHIFT_GENL_GET_STATE);
	put_answer(msg, &calls[2], 0, NULL, 0);
	cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), &calls[2], 1), -EBADMSG, "no bytes");
	cr_expect_eq(netlink_parse_state(nlmsg_hdr(msg), &calls[0], 1), -EBADMSG, "another ioctl");
	nlmsg_free(msg);
}

/* ---- events ---- */

static struct netlink_inbox inbox;

static int receive(uint32_t port, uint64_t seq, uint64_t dropped, unsigned int n, unsigned int type)
{
	struct nl_msg *msg = message(IRQSHIFT_GENL_EVENT);
	struct irqshift_event events[64];
	int rc;

	memset(events, 0, sizeof(events));
	for (unsigned int i = 0; i < n; i++) {
		events[i].time = seq + i;
		events[i].type = (uint16_t)type;
	}
	nlmsg_hdr(msg)->nlmsg_pid = port;
	nla_put_u64(msg, IRQSHIFT_A_SEQ, seq);
	nla_put_u64(msg, IRQSHIFT_A_DROPPED, dropped);
	if (n)
		nla_put(msg, IRQSHIFT_A_RECORDS, (int)(n * sizeof(events[0])), events);
	rc = netlink_parse_events(nlmsg_hdr(msg), &inbox);
	nlmsg_free(msg);
	return rc;
}

static void begin(void)
{
	inbox = (struct netlink_inbox){ .own = PORT };
}

Test(netlink, events_come_in_their_order, .init = begin)
{
	for (uint64_t seq = 0; seq < 5000; seq += 50)
		cr_assert_eq(receive(PORT, seq, 0, 50, IRQSHIFT_EVENT_EOI), 0);
	cr_assert_eq(inbox.n, 5000);
	for (uint64_t i = 0; i < inbox.n; i++)
		cr_assert_eq(inbox.events[i].time, i);
	cr_expect_eq(inbox.received, 5000);
	cr_expect_eq(inbox.missed, 0);
	cr_expect_eq(inbox.dropped, 0);
	cr_expect_not(inbox.ended);
	free(inbox.events);
}

Test(netlink, what_is_lost_is_counted, .init = begin)
{
	cr_expect_eq(receive(PORT, 3, 3, 10, 0), 0); /* before the first one */
	cr_expect_eq(inbox.missed, 3);
	cr_expect_eq(receive(PORT, 20, 10, 1, 0), 0); /* in between: 7 by the module */
	cr_expect_eq(inbox.missed, 10);
	cr_expect_eq(inbox.dropped, 10);
	cr_expect_eq(receive(PORT, 30, 10, 1, 0), 0); /* 9 by the socket */
	cr_expect_eq(inbox.missed, 19);
	cr_expect_eq(inbox.dropped, 10);
	cr_expect_eq(receive(PORT, 35, 14, 0, 0), 0); /* behind the last one */
	cr_expect_eq(inbox.missed, 23);
	cr_expect_eq(inbox.dropped, 14);
	cr_expect(inbox.ended);
	cr_expect_eq(inbox.received, 12);
	free(inbox.events);
}

/* The times are the numbers. */
static void expect_given(uint64_t missed, uint64_t first, size_t n, bool ended)
{
	struct kvm_netlink_events got;

	netlink_forget_given(&inbox);
	netlink_hand_out(&inbox, &got);
	cr_expect_eq(got.missed, missed, "%lu missed", (unsigned long)got.missed);
	cr_assert_eq(got.n, n);
	for (size_t i = 0; i < n; i++)
		cr_expect_eq(got.events[i].time, first + i);
	cr_expect_eq(got.ended, ended);
}

Test(netlink, events_are_handed_out_up_to_where_some_are_missing, .init = begin)
{
	receive(PORT, 3, 3, 10, 0);
	receive(PORT, 13, 3, 5, 0);
	receive(PORT, 20, 5, 4, 0);
	receive(PORT, 30, 5, 2, 0);
	expect_given(3, 3, 15, false);
	receive(PORT, 32, 5, 1, 0);
	expect_given(5, 20, 4, false);
	expect_given(11, 30, 3, false);
	expect_given(11, 0, 0, false);
	receive(PORT, 40, 12, 0, 0);
	expect_given(18, 0, 0, true);
	free(inbox.events);
}

Test(netlink, more_holes_than_there_is_room_for_are_counted_all_the_same, .init = begin)
{
	struct kvm_netlink_events got = { .missed = 0 };
	size_t n = 0;

	for (uint64_t i = 1; i <= 2 * NETLINK_HOLES_MAX; i++)
		cr_assert_eq(receive(PORT, 3 * i, 2 * i, 1, 0), 0);
	for (unsigned int i = 0; i <= NETLINK_HOLES_MAX; i++) {
		netlink_forget_given(&inbox);
		netlink_hand_out(&inbox, &got);
		n += got.n;
	}
	cr_expect_eq(n, 2 * NETLINK_HOLES_MAX);
	cr_expect_eq(got.missed, inbox.missed);
	cr_expect_eq(got.missed, 3 + 2 * (2 * NETLINK_HOLES_MAX - 1));
	free(inbox.events);
}

Test(netlink, subscriptions_of_a_group_are_counted_apart, .init = begin)
{
	cr_expect_eq(receive(1, 1000, 5, 10, 0), 0);
	cr_expect_eq(receive(2, 7, 0, 10, 0), 0);
	cr_expect_eq(inbox.missed, 0, "what was before is not this socket's");
	cr_expect_eq(receive(1, 1012, 6, 10, 0), 0);
	cr_expect_eq(receive(2, 17, 0, 10, 0), 0);
	cr_expect_eq(inbox.missed, 2);
	cr_expect_eq(inbox.dropped, 1);
	cr_expect_eq(receive(1, 1022, 6, 0, 0), 0);
	cr_expect_not(inbox.ended, "not its own");
	cr_expect_eq(inbox.nstreams, 1);
	free(inbox.events);
}

Test(netlink, a_subscription_begins_anew_behind_its_end, .init = begin)
{
	cr_expect_eq(receive(PORT, 0, 0, 10, 0), 0);
	cr_expect_eq(receive(PORT, 10, 0, 0, 0), 0);
	cr_expect_eq(receive(PORT, 0, 0, 10, 0), 0);
	cr_expect_eq(inbox.received, 20);
	cr_expect_eq(inbox.missed, 0);
	free(inbox.events);
}

/* Its end was missed, and the port is another process's by now. */
Test(netlink, a_subscription_of_somebody_else_may_begin_anew_without_an_end, .init = begin)
{
	cr_expect_eq(receive(1, 1000, 5, 10, 0), 0);
	cr_expect_eq(receive(1, 0, 0, 10, 0), 0);
	cr_expect_eq(receive(1, 12, 0, 10, 0), 0);
	cr_expect_eq(receive(1, 22, 0, 10, 0), 0);
	cr_expect_eq(inbox.received, 40);
	cr_expect_eq(inbox.missed, 2);
	cr_expect_eq(inbox.nstreams, 1);
	free(inbox.events);
}

Test(netlink, subscriptions_whose_end_was_missed_are_forgotten, .init = begin)
{
	cr_expect_eq(receive(PORT, 0, 0, 1, 0), 0);
	for (uint32_t port = PORT + 1; port <= PORT + 5 * NETLINK_STREAMS_MAX; port++)
		cr_assert_eq(receive(port, 7, 0, 1, 0), 0, "port %u", port);
	cr_expect_eq(receive(PORT, 3, 0, 1, 0), 0);
	cr_expect_eq(inbox.missed, 2, "its own is not forgotten");
	free(inbox.events);
}

Test(netlink, events_of_a_later_module_are_counted_and_left_out, .init = begin)
{
	cr_expect_eq(receive(PORT, 0, 0, 10, IRQSHIFT_EVENT_TYPES), 0);
	cr_expect_eq(receive(PORT, 10, 0, 10, 1), 0);
	cr_expect_eq(inbox.n, 10);
	cr_expect_eq(inbox.received, 20);
	free(inbox.events);
}

Test(netlink, numbers_that_cannot_be_are_malformed, .init = begin)
{
	struct nl_msg *msg;

	cr_expect_eq(receive(PORT, 10, 5, 10, 0), 0);
	cr_expect_eq(receive(PORT, 19, 5, 10, 0), -EBADMSG, "again");
	cr_expect_eq(receive(PORT, 20, 4, 10, 0), -EBADMSG, "fewer were dropped than before");
	cr_expect_eq(receive(PORT, 20, 21, 10, 0), -EBADMSG, "more were dropped than there were");
	cr_expect_eq(receive(PORT, UINT64_MAX - 5, 5, 10, 0), -EBADMSG);
	cr_expect_eq(inbox.n, 10);
	cr_expect_eq(inbox.received, 10);
	for (int missing = 0; missing < 3; missing++) {
		msg = message(IRQSHIFT_GENL_EVENT);
		if (missing != 0)
			nla_put_u64(msg, IRQSHIFT_A_SEQ, 30);
		if (missing != 1)
			nla_put_u64(msg, IRQSHIFT_A_DROPPED, 5);
		nla_put(msg, IRQSHIFT_A_RECORDS, missing == 2 ? 63 : 64, &inbox.events[0]);
		cr_expect_eq(netlink_parse_events(nlmsg_hdr(msg), &inbox), -EBADMSG, "%d", missing);
		nlmsg_free(msg);
	}
	free(inbox.events);
}

/* ---- hostile ---- */

/* A copy that ends where the memory does, so that what reads behind it is seen. */
static void judge(const uint8_t *bytes, size_t size, uint32_t says)
{
	struct netlink_listing l = { 0 };
	struct kvm_netlink_info i;
	struct kvm_port_call calls[3];
	struct nlmsghdr *hdr = malloc(size);

	memcpy(hdr, bytes, size);
	hdr->nlmsg_len = says;
	begin();
	three_calls(calls);
	netlink_command(hdr);
	netlink_parse_info(hdr, &i);
	netlink_parse_vm(hdr, &l);
	netlink_parse_state(hdr, calls, 3);
	netlink_parse_events(hdr, &inbox);
	netlink_error_text(hdr);
	kvm_netlink_vms_deinit(&l.vms);
	free(inbox.events);
	free(hdr);
}

static struct nl_msg *any(int which)
{
	struct kvm_port_call calls[3];
	struct irqshift_event events[2] = { { .type = 3 } };
	struct nl_msg *msg;

	three_calls(calls);
	switch (which) {
	case 0:
		return info();
	case 1:
		msg = vm(1, 2, 1);
		put_vcpus(msg, 0, 3);
		return msg;
	case 2:
		msg = message(IRQSHIFT_GENL_GET_STATE);
		put_answer(msg, &calls[0], 0, &mp, sizeof(mp));
		put_answer(msg, &calls[1], 5, NULL, 0);
		put_answer(msg, &calls[2], -EIO, NULL, 0);
		return msg;
	default:
		msg = message(IRQSHIFT_GENL_EVENT);
		nla_put_u64(msg, IRQSHIFT_A_SEQ, 0);
		nla_put_u64(msg, IRQSHIFT_A_DROPPED, 0);
		nla_put(msg, IRQSHIFT_A_RECORDS, sizeof(events), events);
		return msg;
	}
}

Test(netlink, truncated_and_damaged_messages_are_not_read_past_their_end)
{
	for (int which = 0; which < 4; which++) {
		struct nl_msg *msg = any(which);
		struct nlmsghdr *hdr = nlmsg_hdr(msg);
		uint8_t *bytes = (uint8_t *)hdr;

		for (uint32_t size = NLMSG_HDRLEN; size <= hdr->nlmsg_len; size++)
			judge(bytes, size, size);
		for (uint32_t at = NLMSG_HDRLEN; at < hdr->nlmsg_len; at++) {
			static const uint8_t damage[] = { 0, 1, 3, 4, 0x7f, 0x80, 0xff };
			uint8_t was = bytes[at];

			for (size_t d = 0; d < sizeof(damage); d++) {
				bytes[at] = damage[d];
				judge(bytes, hdr->nlmsg_len, hdr->nlmsg_len);
			}
			bytes[at] = was;
		}
		nlmsg_free(msg);
	}
}

/* ---- what the kernel says of an error ---- */

static struct nlmsghdr *error(const char *text, bool capped, size_t quoted)
{
	size_t head = NLMSG_HDRLEN + sizeof(struct nlmsgerr), behind = head + (capped ? 0 : quoted);
	struct nlmsghdr *hdr = calloc(1, behind + NLA_HDRLEN + 64);
	struct nlmsgerr *e = (struct nlmsgerr *)((char *)hdr + NLMSG_HDRLEN);
	struct nlattr *a = (struct nlattr *)((char *)hdr + behind);

	e->error = -EINVAL;
	e->msg.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + quoted);
	a->nla_type = NLMSGERR_ATTR_MSG;
	a->nla_len = (uint16_t)(NLA_HDRLEN + strlen(text) + 1);
	memcpy((char *)a + NLA_HDRLEN, text, strlen(text) + 1);
	hdr->nlmsg_len = (uint32_t)(behind + a->nla_len);
	hdr->nlmsg_flags = (uint16_t)(NLM_F_ACK_TLVS | (capped ? NLM_F_CAPPED : 0));
	return hdr;
}

Test(netlink, the_words_of_the_kernel_are_found)
{
	for (int capped = 0; capped <= 1; capped++) {
		struct nlmsghdr *hdr = error("not below 64", capped, 24);

		cr_expect_str_eq(netlink_error_text(hdr), "not below 64");
		for (uint32_t size = NLMSG_HDRLEN; size < hdr->nlmsg_len; size++) {
			uint32_t was = hdr->nlmsg_len;

			hdr->nlmsg_len = size;
			cr_expect_null(netlink_error_text(hdr), "%u", size);
			hdr->nlmsg_len = was;
		}
		hdr->nlmsg_flags = 0;
		cr_expect_null(netlink_error_text(hdr));
		free(hdr);
	}
}

/* ---- without the module ---- */

Test(netlink, without_the_module_it_says_so)
{
	struct kvm_netlink *nl = NULL;
	struct irqs_error err = { 0 };
	int rc = kvm_netlink_open(&nl, &err);

	if (!rc) {
		kvm_netlink_close(nl);
		cr_skip("the module is here");
	}
	cr_expect_eq(rc, -ENOENT, "%s", err.text);
	cr_expect_not_null(strstr(err.text, "irqshift is not loaded"), "%s", err.text);
	kvm_netlink_close(NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random and malformed messages to the netlink family. Each is answered, by nothing else than success or an errno that the
 * documentation names for its command. Roles: root user.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "apic/reg.h"
#include "busy_vm.h"
#include "genl.h"
#include "lab.h"

#define FDS 16
/* The first of them, as make_bed() puts them. */
#define MEM_FD 0
#define VM_FD 1
#define VCPU_FD 2
#define DEEPEST 3
#define SOCKET_LIVES 100 /* messages until the socket is a new one, without a subscription */

/* What netlink says of any message to any family: unknown command, attribute, length, range. */
static const int everywhere[] = { EOPNOTSUPP, EINVAL, ERANGE, EPERM, ENOMEM };
/* What uapi.h and irqshift's manual name besides. */
static const int for_list[] = { EBADF, EACCES };
static const int for_state[] = { EBADF, EACCES, E2BIG, ESRCH, EINTR, EBUSY, ETIMEDOUT };
static const int for_subscribe[] = { EBADF, EACCES, EEXIST, ENOSPC, ESHUTDOWN };
static const int for_unsubscribe[] = { ENOENT };

static const struct {
	const int *errors;
	size_t n;
} documented[IRQSHIFT_GENL_COMMANDS] = {
	[IRQSHIFT_GENL_LIST_VMS] = { for_list, REG_ARRAY_SIZE(for_list) },
	[IRQSHIFT_GENL_GET_STATE] = { for_state, REG_ARRAY_SIZE(for_state) },
	[IRQSHIFT_GENL_SUBSCRIBE] = { for_subscribe, REG_ARRAY_SIZE(for_subscribe) },
	[IRQSHIFT_GENL_UNSUBSCRIBE] = { for_unsubscribe, REG_ARRAY_SIZE(for_unsubscribe) },
};

enum on { VM,
	  VCPU };
enum does { GET,
	    SET };

static const struct {
	uint32_t command, size;
	enum on on;
	enum does does;
} listed[] = {
#define ROW(name, on, does, structure) { name, sizeof(structure), on, does },
	IRQSHIFT_COMMANDS(ROW)
#undef ROW
};

static struct {
	struct genl genl;
	struct busy_child *child;
	int fds[FDS];
	unsigned int nfds;
	uint64_t seed;
	struct genl_message message;
	unsigned int answers[IRQSHIFT_GENL_COMMANDS + 1][256], messages;
} bed;

static uint32_t below(uint32_t n)
{
	return lab_below(&bed.seed, n);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

static void keep_fd(int fd)
{
	cr_assert_lt(bed.nfds, FDS);
	bed.fds[bed.nfds++] = fd;
}

/* A VM in another process that runs all the time, and its descriptors where the role may have them. */
static void make_bed(void)
{
	lab_have_module();
	bed.seed = lab_seed();
	bed.child = busy_child_new();
	cr_assert_eq(busy_child_start(bed.child, 2), 0);
	keep_fd(busy_child_mem(bed.child));
	keep_fd(busy_child_get(bed.child, bed.child->fd));
	keep_fd(busy_child_get(bed.child, bed.child->vcpus[0]));
	keep_fd(busy_child_get(bed.child, bed.child->vcpus[1]));
	keep_fd(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
	keep_fd(open("/proc/self/mem", O_RDONLY | O_CLOEXEC));
	keep_fd(open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
	keep_fd(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	keep_fd(open("/dev/null", O_RDWR | O_CLOEXEC));
	cr_assert_eq(genl_open(&bed.genl), 0);
	keep_fd(bed.genl.fd);
	keep_fd(-1);
}

static void leave_bed(void)
{
	if (bed.child)
		lab_kill(bed.child->pid);
}

static void put_random(struct genl_message *m, uint16_t type)
{
	uint8_t bytes[300];
	uint32_t length = one_in(4) ? below(sizeof(bytes)) : 4 * below(3);

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)lab_random(&bed.seed);
	genl_put(m, type, bytes, length);
}

/* The structure of a request: mostly what the ioctls of chips and of MSRs read. */
static void put_data(struct genl_message *m)
{
	uint8_t bytes[2048] = { 0 };
	uint32_t n = below(4);

	bytes[0] = (uint8_t)n;
	genl_put(m, IRQSHIFT_A_DATA, bytes, one_in(3) ? below(sizeof(bytes)) : 8 + n * 16);
}

static void put_well(struct genl_message *m, uint16_t type, unsigned int depth);

/* An entry that is as it should be, of the VM in the child; some of them are answered. */
static void put_right_entry(struct genl_message *m)
{
	size_t nest = genl_nest(m, IRQSHIFT_A_ENTRY), row = below(REG_ARRAY_SIZE(listed));
	uint8_t zeroes[2048] = { 0 };

	while (listed[row].does != GET)
		row = below(REG_ARRAY_SIZE(listed));
	genl_put_u32(m, IRQSHIFT_A_KVM_FD, (uint32_t)bed.fds[listed[row].on == VM ? VM_FD : VCPU_FD + below(2)]);
	genl_put_u32(m, IRQSHIFT_A_COMMAND, listed[row].command);
	if (one_in(2) && listed[row].command != KVM_GET_TSC_KHZ)
		genl_put(m, IRQSHIFT_A_DATA, zeroes, listed[row].size);
	genl_nest_end(m, nest);
}

static void put_nest(struct genl_message *m, uint16_t type, unsigned int depth)
{
	static const uint16_t of_entry[] = { IRQSHIFT_A_KVM_FD, IRQSHIFT_A_COMMAND, IRQSHIFT_A_DATA };
	size_t nest = genl_nest(m, type);

	if (one_in(8))
		for (unsigned int i = below(6); i--;)
			put_well(m, (uint16_t)below(IRQSHIFT_A_COUNT + 2), depth + 1);
	else
		for (size_t i = 0; i < REG_ARRAY_SIZE(of_entry); i++)
			if (!one_in(8))
				put_well(m, of_entry[i], depth + 1);
	genl_nest_end(m, nest);
}

/* An attribute of the form that its type has. */
static void put_well(struct genl_message *m, uint16_t type, unsigned int depth)
{
	switch (type) {
	case IRQSHIFT_A_MEM_FD:
	case IRQSHIFT_A_KVM_FD:
		genl_put_u32(m, type, (uint32_t)bed.fds[below(bed.nfds)]);
		break;
	case IRQSHIFT_A_COMMAND:
		genl_put_u32(m, type, one_in(6) ? (uint32_t)lab_random(&bed.seed) : listed[below(REG_ARRAY_SIZE(listed))].command);
		break;
	case IRQSHIFT_A_EVENTS:
		genl_put_u64(m, type, lab_random(&bed.seed) >> below(64));
		break;
	case IRQSHIFT_A_BUFFER:
		genl_put_u32(m, type, one_in(2) ? 64U << below(11) : (uint32_t)lab_random(&bed.seed) >> below(32));
		break;
	case IRQSHIFT_A_GROUP:
		genl_put(m, type, NULL, 0);
		break;
	case IRQSHIFT_A_DATA:
		put_data(m);
		break;
	case IRQSHIFT_A_ENTRY:
	case IRQSHIFT_A_VCPU:
		if (depth < DEEPEST) {
			put_nest(m, type, depth);
			break;
		}
		/* fall through */
	default:
		put_random(m, type);
	}
}

static void put_wanted(struct genl_message *m, uint8_t command)
{
	static const uint16_t of_subscribe[] = { IRQSHIFT_A_MEM_FD, IRQSHIFT_A_EVENTS, IRQSHIFT_A_BUFFER, IRQSHIFT_A_GROUP };

	if (command == IRQSHIFT_GENL_SUBSCRIBE)
		for (size_t i = 0; i < REG_ARRAY_SIZE(of_subscribe); i++)
			if (one_in(2))
				put_well(m, of_subscribe[i], 0);
	if ((command == IRQSHIFT_GENL_GET_STATE && !one_in(10)) || (command == IRQSHIFT_GENL_LIST_VMS && one_in(2)))
		genl_put_u32(m, IRQSHIFT_A_MEM_FD, (uint32_t)bed.fds[one_in(6) ? below(bed.nfds) : MEM_FD]);
	for (unsigned int i = one_in(20) ? below(40) : below(4); command == IRQSHIFT_GENL_GET_STATE && i; i--) {
		if (one_in(4))
			put_well(m, IRQSHIFT_A_ENTRY, 0);
		else
			put_right_entry(m);
	}
}

static void put_attributes(struct genl_message *m, uint8_t command)
{
	if (!one_in(8))
		put_wanted(m, command);
	for (unsigned int i = one_in(3) ? below(6) : 0; i--;) {
		uint16_t type = one_in(20) ? (uint16_t)lab_random(&bed.seed) : (uint16_t)below(IRQSHIFT_A_COUNT + 2);

		if (one_in(2))
			put_random(m, type);
		else
			put_well(m, type, 0);
	}
}

/* Bytes of the attributes, no longer what anybody meant: lengths and types among them. The headers stay. */
static void damage(struct genl_message *m)
{
	const size_t from = NLMSG_HDRLEN + GENL_HDRLEN;

	for (unsigned int i = 1 + below(4); m->length > from && i--;)
		m->bytes[from + below((uint32_t)(m->length - from))] = (uint8_t)lab_random(&bed.seed);
	if (one_in(4) && m->length > from)
		m->length -= below((uint32_t)(m->length - from)) & ~3U;
}

static void judge(uint8_t command, int rc)
{
	unsigned int row = command < IRQSHIFT_GENL_COMMANDS ? command : IRQSHIFT_GENL_COMMANDS;
	bool named = rc == 0;

	for (size_t i = 0; i < REG_ARRAY_SIZE(everywhere); i++)
		named |= rc == -everywhere[i];
	for (size_t i = 0; row < IRQSHIFT_GENL_COMMANDS && i < documented[row].n; i++)
		named |= rc == -documented[row].errors[i];
	cr_assert(named, "message %u: command %u answered %s", bed.messages, command, strerror(-rc));
	bed.answers[row][-rc % 256]++;
}

static void one_message(void)
{
	struct genl_message *m = &bed.message;
	uint8_t command = one_in(15) ? (uint8_t)lab_random(&bed.seed) : (uint8_t)(1 + below(IRQSHIFT_GENL_COMMANDS - 1));
	bool dump = command == IRQSHIFT_GENL_LIST_VMS ? !one_in(10) : one_in(20);

	genl_begin(&bed.genl, m, command, dump ? NLM_F_DUMP : 0);
	if (one_in(30))
		m->bytes[NLMSG_HDRLEN + 1] = (uint8_t)lab_random(&bed.seed); /* version */
	if (one_in(30))
		m->bytes[NLMSG_HDRLEN + 2] = (uint8_t)lab_random(&bed.seed); /* reserved */
	put_attributes(m, command);
	if (one_in(4))
		damage(m);
	judge(command, genl_send(&bed.genl, m, NULL, NULL));
	bed.messages++;
}

static void tell(void)
{
	for (unsigned int c = 0; c <= IRQSHIFT_GENL_COMMANDS; c++) {
		printf("seen command %u:", c);
		for (int e = 0; e < 256; e++)
			if (bed.answers[c][e])
				printf(" %s %u", e ? strerrorname_np(e) : "ok", bed.answers[c][e]);
		printf("\n");
	}
}

Test(fuzz_genl, every_message_is_answered_as_documented, .init = make_bed, .fini = leave_bed, .timeout = 900)
{
	unsigned int count = lab_count(10000, 400);

	while (bed.messages < count) {
		one_message();
		if (bed.messages % SOCKET_LIVES)
			continue;
		genl_close(&bed.genl);
		cr_assert_eq(genl_open(&bed.genl), 0);
	}
	tell();
	cr_expect_gt(bed.answers[IRQSHIFT_GENL_GET_INFO][0], 0);
	cr_expect_gt(bed.answers[IRQSHIFT_GENL_GET_STATE][EINVAL], 0);
	cr_expect_gt(bed.answers[IRQSHIFT_GENL_GET_STATE][0], 0);
}

/* What does not even hold headers: netlink drops it or says EINVAL, and goes on. */
Test(fuzz_genl, a_datagram_of_noise_harms_nobody, .init = make_bed, .fini = leave_bed, .timeout = 120)
{
	unsigned int count = lab_count(2000, 200);
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct genl_message *m = &bed.message;

	for (unsigned int i = 0; i < count; i++) {
		uint16_t length = (uint16_t)(1 + below(255));

		genl_begin(&bed.genl, m, (uint8_t)below(8), 0);
		for (uint32_t b = one_in(2) ? 0 : below(20); b < 256; b++)
			m->bytes[b] = (uint8_t)lab_random(&bed.seed);
		memcpy(m->bytes + 4, &bed.genl.family, sizeof(bed.genl.family));
		if (one_in(2))
			memcpy(m->bytes, &(uint32_t){ length }, sizeof(uint32_t));
		sendto(bed.genl.fd, m->bytes, length, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof(kernel));
		genl_listen(&bed.genl, 0, NULL, NULL);
	}
	genl_begin(&bed.genl, m, IRQSHIFT_GENL_GET_INFO, 0);
	cr_expect_eq(genl_send(&bed.genl, m, NULL, NULL), 0);
}

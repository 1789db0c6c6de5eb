/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Random and malformed commands to /dev/irqshift. What it answers is an errno that uapi.h names, what it leaves in an
 * entry one that uapi.h or the API documentation of KVM names, and it always answers. Roles: root granted.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apic/reg.h"
#include "busy_vm.h"
#include "lab.h"
#include "uring.h"

#define ROOM (1U << 20)
#define MOST 64 /* entries, where they are told right */
#define FDS 16
#define VM_LIVES 250 /* commands until the VM is made anew: what random state did to it is gone then */

static const uint32_t listed[] = {
#define ROW(name, on, does, structure) name,
	IRQSHIFT_COMMANDS(ROW)
#undef ROW
};

/* Near misses: KVM's, not listed; one for the system; one with another size in its number. */
static const uint32_t unlisted[] = { KVM_RUN, KVM_GET_FPU, KVM_SET_REGS, KVM_CREATE_VCPU, KVM_GET_API_VERSION,
				     KVM_GET_LAPIC + 0x10000, KVM_SET_LAPIC ^ 0x80000000, 0 };

/* uapi.h, at struct irqshift_batch. */
static const int batch_errors[] = { EINVAL, E2BIG, EFAULT, ENOMEM, EINTR };
static const int restore_errors[] = { EBADF, EPERM, EIO };
/* The same for an entry, and what the listed ioctls return: Documentation/virt/kvm/api.rst, kvm.md. */
static const int entry_errors[] = { EBADF, EINVAL, EPERM, EFAULT, ECANCELED, ENXIO, EIO, E2BIG, ENOMEM, EINTR, EOPNOTSUPP };

struct bed {
	struct busy_vm vm;
	struct io_uring ring;
	int device, fds[FDS];
	unsigned int nfds, fixed; /* of fds, that last longer than the VM */
	struct irqshift_entry *entries;
	uint8_t *data;
	uint8_t *readonly, *hole;
	uint64_t seed;
};

static struct bed bed;
static unsigned int answers[4096], ran;

static uint8_t *room(int protection)
{
	uint8_t *p = mmap(NULL, ROOM + 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(p, MAP_FAILED);
	munmap(p + ROOM, 4096);
	return p;
}

/* Before a command; it is no ioctl's answer. */
#define UNTOUCHED 12345

static void new_vm(void)
{
	cr_assert_eq(busy_vm_open(&bed.vm, 3), 0);
	bed.nfds = bed.fixed;
	bed.fds[bed.nfds++] = bed.vm.fd;
	for (unsigned int i = 0; i < bed.vm.nvcpus; i++)
		bed.fds[bed.nfds++] = bed.vm.vcpus[i];
}

static void make_bed(void)
{
	struct iovec registered;

	lab_have_module();
	bed.seed = lab_seed();
	bed.device = open("/dev/irqshift", O_RDWR | O_CLOEXEC);
	cr_assert_geq(bed.device, 0, "/dev/irqshift: %s", strerror(errno));
	cr_assert_eq(io_uring_queue_init(8, &bed.ring, 0), 0);
	bed.entries = (struct irqshift_entry *)room(PROT_READ | PROT_WRITE);
	bed.data = room(PROT_READ | PROT_WRITE);
	bed.readonly = room(PROT_READ);
	bed.hole = room(PROT_READ);
	munmap(bed.hole, ROOM);
	registered = (struct iovec){ .iov_base = bed.data, .iov_len = ROOM };
	cr_assert_eq(io_uring_register_buffers(&bed.ring, &registered, 1), 0);
	bed.fds[bed.nfds++] = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	bed.fds[bed.nfds++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	bed.fds[bed.nfds++] = bed.device;
	bed.fds[bed.nfds++] = bed.ring.ring_fd;
	bed.fds[bed.nfds++] = -1;
	bed.fds[bed.nfds++] = 1023;
	bed.fixed = bed.nfds;
	new_vm();
}

static uint32_t below(uint32_t n)
{
	return lab_below(&bed.seed, n);
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

/* Mostly @good, in the room at @base; else where there is no room, or too little. */
static uint64_t place(void *good, void *base)
{
	switch (below(40)) {
	case 0:
		return 0;
	case 1:
		return (uintptr_t)bed.readonly;
	case 2:
		return (uintptr_t)bed.hole;
	case 3:
		return (uintptr_t)base + ROOM - below(32);
	case 4:
		return lab_random(&bed.seed);
	case 5:
		return 0xffff888000000000 + below(4096);
	default:
		return (uintptr_t)good;
	}
}

static uint32_t some_command(void)
{
	switch (below(12)) {
	case 0:
		return (uint32_t)lab_random(&bed.seed);
	case 1:
		return unlisted[below(REG_ARRAY_SIZE(unlisted))];
	default:
		return listed[below(REG_ARRAY_SIZE(listed))];
	}
}

/* The structure that a command reads: garbage, or zeroes, or what is left there from the command before. */
static uint32_t some_data(uint32_t command, uint8_t *data)
{
	uint32_t n = one_in(10) ? below(400) : below(4);
	uint32_t length = below(1200);

	if (one_in(3))
		memset(data, 0, length);
	else if (one_in(2))
		for (uint32_t i = 0; i < length; i++)
			data[i] = (uint8_t)lab_random(&bed.seed);
	if (command == KVM_GET_MSRS || command == KVM_SET_MSRS)
		memcpy(data, &n, sizeof(n));
	if (command == KVM_GET_IRQCHIP || command == KVM_SET_IRQCHIP)
		data[0] = (uint8_t)below(4), data[1] = data[2] = data[3] = 0;
	return uring_size(command, n);
}

static void some_entry(struct irqshift_entry *e, unsigned int slot, bool shared)
{
	uint8_t *data = bed.data + (ROOM / MOST) * (slot % MOST) + (one_in(8) ? below(8) : 0);
	uint32_t size;

	e->command = some_command();
	e->fd = one_in(30) ? (int)lab_random(&bed.seed) : bed.fds[below(bed.nfds)];
	size = some_data(e->command, data);
	e->size = one_in(20) ? (uint32_t)lab_random(&bed.seed) >> below(32) : size;
	e->data = place(data, bed.data);
	e->result = shared && !one_in(10) ? -ECANCELED : UNTOUCHED;
}

static uint32_t some_count(void)
{
	static const uint32_t edges[] = { 0, IRQSHIFT_BATCH_MAX, IRQSHIFT_BATCH_MAX + 1, 0x7fffffff, 0xffffffff };

	return one_in(25) ? edges[below(REG_ARRAY_SIZE(edges))] : 1 + below(one_in(10) ? MOST : 6);
}

static bool among(const int *list, size_t n, int rc)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == -rc)
			return true;
	return false;
}

static void judge(const char *what, uint32_t op, const struct irqshift_batch *b, int res)
{
	bool restore = op == IRQSHIFT_URING_RESTORE;

	if (res >= 0) {
		cr_assert_leq((uint32_t)res, b->count, "%s: res %d of %u", what, res, b->count);
		answers[0]++;
		return;
	}
	cr_assert(among(batch_errors, REG_ARRAY_SIZE(batch_errors), res) ||
			  (restore && among(restore_errors, REG_ARRAY_SIZE(restore_errors), res)),
		  "%s: op %u answered %s", what, op, strerror(-res));
	answers[-res % 4096]++;
}

/* A list of MSRs of which the last ones were not taken is a failure. */
static bool succeeded(const struct irqshift_entry *e)
{
	if (e->command == KVM_GET_MSRS || e->command == KVM_SET_MSRS)
		return e->result == (int)((e->size - uring_size(e->command, 0)) / sizeof(struct kvm_msr_entry));
	return e->result >= 0;
}

/* The entries that this test wrote and that the commands had to answer; of a shared list, those that were offered. */
static void judge_entries(const char *what, const struct irqshift_batch *b, uint32_t op, uint32_t succeeded_all)
{
	bool shared = b->flags & IRQSHIFT_BATCH_SHARED;
	uint32_t good = 0;

	for (uint32_t i = 0; i < b->count; i++) {
		int result = bed.entries[i].result;

		if (result < 0)
			cr_assert(among(entry_errors, REG_ARRAY_SIZE(entry_errors), result), "%s: entry %u of %u: %s", what, i,
				  b->count, strerror(-result));
		else
			cr_assert(result != UNTOUCHED || shared, "%s: entry %u of %u has no result", what, i, b->count);
		good += result != UNTOUCHED && succeeded(&bed.entries[i]);
	}
	ran += good;
	if (op == IRQSHIFT_URING_GATHER)
		cr_assert_eq(succeeded_all, good, "%s: res %u, %u good entries of %u", what, succeeded_all, good, b->count);
}

/* Mostly right: 1 to 3 commands that share the list, and begin anywhere in it. */
static unsigned int some_flags(struct irqshift_batch *b, uint32_t op)
{
	b->flags = (uint16_t)one_in(2);
	if (one_in(30))
		b->flags = (uint16_t)lab_random(&bed.seed);
	else if (op == IRQSHIFT_URING_GATHER && one_in(3))
		b->flags |= IRQSHIFT_BATCH_SHARED;
	return b->flags == IRQSHIFT_BATCH_SHARED || b->flags == (IRQSHIFT_BATCH_SHARED | IRQSHIFT_BATCH_INLINE) ? 1 + below(3) : 1;
}

static uint16_t some_first(const struct irqshift_batch *b)
{
	if (one_in(30))
		return (uint16_t)lab_random(&bed.seed);
	return b->flags & IRQSHIFT_BATCH_SHARED && b->count && b->count <= MOST ? (uint16_t)below(b->count) : 0;
}

static void one_command(unsigned int n)
{
	uint32_t op = one_in(20) ? (uint32_t)lab_random(&bed.seed) >> below(32) : 1 + below(2), succeeded_all = 0;
	struct irqshift_batch b = { .count = some_count() };
	unsigned int copies = some_flags(&b, op), sent = 0;
	bool answered = false;
	char what[32];

	snprintf(what, sizeof(what), "command %u", n);
	b.entries = place(bed.entries, bed.entries);
	for (uint32_t i = 0; i < b.count && i < MOST; i++)
		some_entry(&bed.entries[i], i, b.flags & IRQSHIFT_BATCH_SHARED);
	for (unsigned int i = 0; i < copies; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&bed.ring);

		b.first = some_first(&b);
		uring_command(sqe, bed.device, op, &b);
		if (one_in(40))
			uring_fix(sqe, (uint16_t)below(3));
		if (one_in(4))
			sqe->flags |= IOSQE_ASYNC;
	}
	/* one that is wrong from the start ends a submission */
	while (sent < copies) {
		int res = io_uring_submit(&bed.ring);

		cr_assert_gt(res, 0);
		sent += (unsigned int)res;
	}
	for (unsigned int i = 0; i < copies; i++) {
		int res = uring_wait(&bed.ring);

		judge(what, op, &b, res);
		answered = answered || res >= 0;
		succeeded_all += res > 0 ? (uint32_t)res : 0;
	}
	if (answered && b.entries == (uintptr_t)bed.entries && b.count <= MOST)
		judge_entries(what, &b, op, succeeded_all);
}

Test(fuzz_device, every_command_is_answered_as_documented, .init = make_bed, .timeout = 900)
{
	unsigned int n, count = lab_count(10000, 400);

	for (n = 0; n < count; n++) {
		one_command(n);
		if (n % VM_LIVES != VM_LIVES - 1)
			continue;
		busy_vm_close(&bed.vm);
		new_vm();
	}
	printf("seen %u commands, %u entries that succeeded:", n, ran);
	for (unsigned int i = 0; i < REG_ARRAY_SIZE(answers); i++)
		if (answers[i])
			printf(" %s %u", i ? strerrorname_np((int)i) : "ok", answers[i]);
	printf("\n");
	cr_expect_gt(ran, count / 10, "so few say nothing");
	cr_expect_gt(answers[EINVAL], 0);
	cr_expect_gt(answers[EFAULT], 0);
}

Test(fuzz_device, other_calls_are_not_known, .init = make_bed, .timeout = 120)
{
	unsigned int count = lab_count(1000, 100);
	char byte = 0;

	for (unsigned int i = 0; i < count; i++) {
		cr_assert_eq(ioctl(bed.device, (uint32_t)lab_random(&bed.seed), bed.data), -1);
		cr_assert_eq(errno, ENOTTY);
	}
	cr_expect_eq(read(bed.device, &byte, 1), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(write(bed.device, &byte, 1), -1);
	cr_expect_eq(errno, EINVAL);
	cr_expect_eq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, bed.device, 0), MAP_FAILED);
	cr_expect_eq(errno, ENODEV);
}

Test(fuzz_device, a_ring_of_another_shape_is_served_or_refused, .init = make_bed, .timeout = 120)
{
	static const unsigned int shapes[] = { IORING_SETUP_SQE128, IORING_SETUP_CQE32, IORING_SETUP_SQE128 | IORING_SETUP_CQE32,
					       IORING_SETUP_IOPOLL };
	struct kvm_lapic_state page;
	struct irqshift_entry e = { .fd = bed.vm.vcpus[0], .command = KVM_GET_LAPIC, .data = (uintptr_t)&page, .size = sizeof(page) };

	for (size_t i = 0; i < REG_ARRAY_SIZE(shapes); i++) {
		struct io_uring ring;
		int res;

		cr_assert_eq(io_uring_queue_init(4, &ring, shapes[i]), 0);
		res = uring_batch(&ring, bed.device, IRQSHIFT_URING_GATHER, &e, 1, IRQSHIFT_BATCH_INLINE, 0);
		cr_expect_eq(res, shapes[i] == IORING_SETUP_IOPOLL ? -EOPNOTSUPP : 1, "shape %x: %d, %d", shapes[i], res, e.result);
		io_uring_queue_exit(&ring);
	}
}

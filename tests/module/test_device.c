/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * /dev/irqshift: a batch does what the ioctls do, each by itself, and nothing else. Roles: root user granted.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lab.h"
#include "still_vm.h"
#include "uring.h"

#define MOST 256

static struct {
	struct still_vm vm;
	struct io_uring ring;
	int device;
	struct still_vcpu read[MOST], gathered[MOST];
	struct irqshift_entry entries[MOST * STILL_ENTRIES];
	uint64_t seed;
} bed;

/* The roles that have the device. */
static void make_bed(unsigned int nvcpus, bool x2apic)
{
	lab_have_module();
	if (!strcmp(lab_role(), "user"))
		cr_skip_test("a plain user has no /dev/irqshift");
	bed.device = open("/dev/irqshift", O_RDWR | O_CLOEXEC);
	cr_assert_geq(bed.device, 0, "open: %s", strerror(errno));
	cr_assert_eq(io_uring_queue_init(8, &bed.ring, 0), 0);
	bed.seed = lab_seed();
	cr_assert_eq(still_vm_open(&bed.vm, nvcpus, STILL_KERNEL, x2apic), 0);
	cr_assert_eq(still_vm_fill(&bed.vm, &bed.seed), 0);
}

static void clear_bed(void)
{
	still_vm_close(&bed.vm);
	io_uring_queue_exit(&bed.ring);
	close(bed.device);
}

static int batch(uint32_t op, unsigned int n)
{
	return uring_batch(&bed.ring, bed.device, op, bed.entries, n, 0, 0);
}

static unsigned int entries_of(struct still_vcpu *states, unsigned int nvcpus)
{
	for (unsigned int i = 0; i < nvcpus; i++)
		still_vcpu_entries(bed.vm.vcpus[i], &states[i], bed.entries + i * STILL_ENTRIES);
	return nvcpus * STILL_ENTRIES;
}

static void read_vcpus(struct still_vcpu *states, unsigned int nvcpus)
{
	entries_of(states, nvcpus);
	for (unsigned int i = 0; i < nvcpus; i++)
		still_read(bed.entries + i * STILL_ENTRIES, STILL_ENTRIES, states[i].results);
}

static void gather_vcpus(struct still_vcpu *states, unsigned int nvcpus, uint16_t inl, unsigned int flags)
{
	unsigned int n = entries_of(states, nvcpus);
	int rc = uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, bed.entries, n, inl, flags);

	cr_assert_eq(rc, (int)n, "%d of %u entries, inline %u", rc, n, inl);
	for (unsigned int i = 0; i < n; i++)
		states[i / STILL_ENTRIES].results[i % STILL_ENTRIES] = bed.entries[i].result;
}

static void compare_gathers(bool x2apic)
{
	static const unsigned int counts[] = { 1, 2, 3, 16, 64, 255, 256 };

	make_bed(MOST, x2apic);
	for (unsigned int c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		size_t size = counts[c] * sizeof(struct still_vcpu);

		cr_assert_eq(still_vm_fill(&bed.vm, &bed.seed), 0);
		read_vcpus(bed.read, counts[c]);
		gather_vcpus(bed.gathered, counts[c], IRQSHIFT_BATCH_INLINE, 0);
		cr_assert_eq(memcmp(bed.read, bed.gathered, size), 0, "inline, %u vCPUs", counts[c]);
		gather_vcpus(bed.gathered, counts[c], 0, 0);
		cr_assert_eq(memcmp(bed.read, bed.gathered, size), 0, "by a worker, %u vCPUs", counts[c]);
		gather_vcpus(bed.gathered, counts[c], 0, IOSQE_ASYNC);
		cr_assert_eq(memcmp(bed.read, bed.gathered, size), 0, "by a worker at once, %u vCPUs", counts[c]);
	}
	printf("seen %zu bytes each of 1 to 256 vCPUs, %s\n", sizeof(struct still_vcpu), x2apic ? "x2APIC" : "xAPIC");
	clear_bed();
}

Test(device, a_batch_reads_what_the_ioctls_read)
{
	compare_gathers(false);
}

Test(device, a_batch_reads_what_the_ioctls_read_in_x2apic_mode)
{
	compare_gathers(true);
}

/* ---- several commands with one list ---- */

static void offer(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		bed.entries[i].result = -ECANCELED;
}

/* @n commands on the first @count entries, begun @apart entries from each other; all of them at once, or the last in here. */
static int share(unsigned int n, unsigned int count, unsigned int apart, bool inl)
{
	int sum = 0;

	for (unsigned int i = 0; i < n; i++) {
		const struct irqshift_batch shared = {
			.entries = (uintptr_t)bed.entries,
			.count = count,
			.flags = IRQSHIFT_BATCH_SHARED | IRQSHIFT_BATCH_INLINE,
			.first = (uint16_t)(i * apart % count),
		};
		struct io_uring_sqe *sqe = io_uring_get_sqe(&bed.ring);

		uring_command(sqe, bed.device, IRQSHIFT_URING_GATHER, &shared);
		sqe->flags = inl && i + 1 == n ? 0 : IOSQE_ASYNC;
	}
	cr_assert_eq(io_uring_submit(&bed.ring), (int)n);
	for (unsigned int i = 0; i < n; i++) {
		int res = uring_wait(&bed.ring);

		cr_assert_geq(res, 0, "%d", res);
		sum += res;
	}
	return sum;
}

/* Each entry is run once: the answers are there, and the commands' counts add up. */
static void expect_shared(unsigned int n, unsigned int nvcpus, unsigned int apart, bool inl)
{
	unsigned int count = entries_of(bed.gathered, nvcpus);

	memset(bed.gathered, 0, sizeof(bed.gathered));
	entries_of(bed.gathered, nvcpus);
	offer(count);
	cr_expect_eq(share(n, count, apart, inl), (int)count, "%u commands, %u apart", n, apart);
	for (unsigned int i = 0; i < count; i++)
		bed.gathered[i / STILL_ENTRIES].results[i % STILL_ENTRIES] = bed.entries[i].result;
	cr_expect_eq(memcmp(bed.read, bed.gathered, nvcpus * sizeof(struct still_vcpu)), 0, "%u commands, %u apart", n, apart);
}

Test(device, commands_that_share_a_list_run_each_entry_once)
{
	static const unsigned int counts[] = { 1, 2, 7, 64, 256 };

	make_bed(MOST, false);
	for (unsigned int c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		read_vcpus(bed.read, counts[c]);
		for (unsigned int n = 1; n <= 8; n++) {
			expect_shared(n, counts[c], 0, n % 2);
			expect_shared(n, counts[c], counts[c] / n * STILL_ENTRIES, true);
			expect_shared(n, counts[c], 1 + STILL_ENTRIES / 2, false);
		}
	}
	clear_bed();
}

Test(device, of_a_shared_list_only_what_is_offered_is_run)
{
	unsigned int count;

	make_bed(8, false);
	count = entries_of(bed.gathered, 8);
	for (unsigned int step = 2; step < 2 * STILL_ENTRIES; step++) {
		int leading = 0;
		bool leads = true;

		for (unsigned int i = 0; i < count; i++) {
			bed.entries[i].result = i % step ? -ECANCELED : 0x5a5a;
			leads = i % step && (leads || i % STILL_ENTRIES == 0);
			leading += leads;
		}
		cr_expect_eq(share(1, count, 0, true), leading, "each %uth is taken", step);
		for (unsigned int i = 0; i < count; i += step)
			cr_expect_eq(bed.entries[i].result, 0x5a5a, "entry %u, each %uth is taken", i, step);
	}
	clear_bed();
}

Test(device, a_list_is_shared_only_where_that_has_a_meaning)
{
	struct irqshift_batch wrong[] = {
		{ .count = 2, .flags = IRQSHIFT_BATCH_SHARED, .first = 2 },
		{ .count = 2, .flags = IRQSHIFT_BATCH_SHARED, .first = 0xffff },
		{ .count = 2, .first = 1 },
		{ .count = 2, .flags = IRQSHIFT_BATCH_INLINE, .first = 1 },
		{ .entries = 2, .count = 2, .flags = IRQSHIFT_BATCH_SHARED },
		{ .count = 2, .flags = IRQSHIFT_BATCH_SHARED },
	};

	make_bed(1, false);
	entries_of(bed.gathered, 1);
	offer(2);
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		bool restore = i + 1 == sizeof(wrong) / sizeof(*wrong);

		wrong[i].entries += (uintptr_t)bed.entries;
		uring_command(io_uring_get_sqe(&bed.ring), bed.device,
			      restore ? IRQSHIFT_URING_RESTORE : IRQSHIFT_URING_GATHER, &wrong[i]);
		cr_expect_eq(uring_run(&bed.ring), -EINVAL, "%u", i);
		cr_expect_eq(bed.entries[0].result, -ECANCELED);
	}
	clear_bed();
}

Test(device, a_batch_reads_the_chips_of_a_vm)
{
	struct still_chips read, gathered;

	make_bed(1, false);
	still_chips_entries(bed.vm.fd, &read, bed.entries);
	still_read(bed.entries, STILL_CHIPS, read.results);
	still_chips_entries(bed.vm.fd, &gathered, bed.entries);
	cr_assert_eq(batch(IRQSHIFT_URING_GATHER, STILL_CHIPS), STILL_CHIPS);
	for (unsigned int i = 0; i < STILL_CHIPS; i++)
		gathered.results[i] = bed.entries[i].result;
	cr_assert_eq(memcmp(&read, &gathered, sizeof(read)), 0);
	clear_bed();
}

/* One way in which an entry can be wrong, and what its result is then. */
struct wrong {
	const char *what;
	struct irqshift_entry entry;
	int gather, restore;
	bool runs; /* KVM finds out, not the module */
};

static struct kvm_lapic_state lapic;
static struct kvm_mp_state no_state = { .mp_state = 77 };
static struct {
	struct kvm_msrs head;
	struct kvm_msr_entry entries[2];
} two_msrs = { .head.nmsrs = 2, .entries = { { .index = 0xc0000081 }, { .index = 0x5a5a5a5a } } };

static struct wrong wrongs[] = {
	{ "no descriptor", { -1, KVM_GET_LAPIC, 0, 1024, 0 }, -EBADF, -EBADF, false },
	{ "not KVM's", { 0, KVM_GET_LAPIC, 0, 1024, 0 }, -EINVAL, -EINVAL, false },
	{ "a VM for a vCPU", { -2, KVM_GET_LAPIC, 0, 1024, 0 }, -EINVAL, -EINVAL, false },
	{ "a vCPU for a VM", { -3, KVM_GET_IRQCHIP, 0, 520, 0 }, -EINVAL, -EINVAL, false },
	{ "KVM_RUN", { -3, KVM_RUN, 0, 0, 0 }, -EPERM, -EPERM, false },
	{ "KVM_GET_FPU", { -3, KVM_GET_FPU, 0, 416, 0 }, -EPERM, -EPERM, false },
	{ "KVM_SET_REGS", { -3, KVM_SET_REGS, 0, 144, 0 }, -EPERM, -EPERM, false },
	{ "a byte too small", { -3, KVM_GET_LAPIC, 0, 1023, 0 }, -EINVAL, -EINVAL, false },
	{ "a byte too large", { -3, KVM_GET_LAPIC, 0, 1025, 0 }, -EINVAL, -EINVAL, false },
	{ "nowhere", { -3, KVM_GET_LAPIC, 8, 1024, 0 }, -EFAULT, -EFAULT, false },
	{ "in the kernel", { -3, KVM_GET_LAPIC, 0xffffffff81000000, 1024, 0 }, -EFAULT, -EFAULT, false },
	{ "half an MSR", { -3, KVM_GET_MSRS, (uintptr_t)&two_msrs, 32, 0 }, -EINVAL, -EINVAL, false },
	{ "an MSR less than it says", { -3, KVM_GET_MSRS, (uintptr_t)&two_msrs, 24, 0 }, -EINVAL, -EINVAL, false },
	{ "an MSR that is not there", { -3, KVM_GET_MSRS, (uintptr_t)&two_msrs, sizeof(two_msrs), 0 }, 1, 1, true },
	{ "no such MP state", { -3, KVM_SET_MP_STATE, (uintptr_t)&no_state, sizeof(no_state), 0 }, -EPERM, -EINVAL, true },
};

static struct irqshift_entry wrong_entry(const struct wrong *w)
{
	struct irqshift_entry e = w->entry;

	if (e.fd == -2)
		e.fd = bed.vm.fd;
	if (e.fd == -3)
		e.fd = bed.vm.vcpus[1];
	if (!e.data)
		e.data = (uintptr_t)&lapic;
	e.result = 0x5a5a;
	return e;
}

Test(device, a_gather_runs_every_entry_whatever_became_of_the_others)
{
	struct kvm_lapic_state before, after;

	make_bed(4, false);
	for (unsigned int i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		cr_assert_eq(ioctl(bed.vm.vcpus[0], KVM_GET_LAPIC, &before), 0);
		memset(&after, 0, sizeof(after));
		bed.entries[0] = wrong_entry(&wrongs[i]);
		bed.entries[1] = (struct irqshift_entry){ bed.vm.vcpus[0], KVM_GET_LAPIC, (uintptr_t)&after, 1024, 0x5a5a };
		cr_expect_eq(batch(IRQSHIFT_URING_GATHER, 2), 1, "%s", wrongs[i].what);
		cr_expect_eq(bed.entries[0].result, wrongs[i].gather, "%s: %d", wrongs[i].what, bed.entries[0].result);
		cr_expect_eq(bed.entries[1].result, 0);
		cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	}
	clear_bed();
}

/* Entries that would put other values into every LAPIC, with one that is wrong at @at. */
static void restore_with(const struct wrong *w, unsigned int at, struct kvm_lapic_state *others)
{
	for (unsigned int i = 0; i < 4; i++)
		bed.entries[i] = (struct irqshift_entry){ bed.vm.vcpus[i], KVM_SET_LAPIC, (uintptr_t)&others[i], 1024, 0x5a5a };
	bed.entries[at] = wrong_entry(w);
}

static void check_untouched(const struct wrong *w, unsigned int at, int rc)
{
	cr_expect_eq(rc, w->restore, "%s at %u: %d", w->what, at, rc);
	for (unsigned int i = 0; i < 4; i++)
		cr_expect_eq(bed.entries[i].result, i == at ? w->restore : -ECANCELED, "%s at %u: entry %u has %d", w->what, at,
			     i, bed.entries[i].result);
	read_vcpus(bed.gathered, 4);
	cr_expect_eq(memcmp(bed.read, bed.gathered, 4 * sizeof(struct still_vcpu)), 0, "%s at %u changed the VM", w->what, at);
}

Test(device, a_restore_with_anything_wrong_in_it_changes_nothing)
{
	struct kvm_lapic_state others[4];

	make_bed(4, false);
	for (unsigned int i = 0; i < 4; i++) {
		cr_assert_eq(ioctl(bed.vm.vcpus[i], KVM_GET_LAPIC, &others[i]), 0);
		others[i].regs[0x80] = (char)~others[i].regs[0x80];
	}
	read_vcpus(bed.read, 4);
	for (unsigned int i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++)
		for (unsigned int at = 0; at < 4 && !wrongs[i].runs; at++) {
			restore_with(&wrongs[i], at, others);
			check_untouched(&wrongs[i], at, batch(IRQSHIFT_URING_RESTORE, 4));
		}
	clear_bed();
}

Test(device, a_restore_ends_where_kvm_refuses_and_leaves_the_rest)
{
	struct kvm_lapic_state others[4], now;

	make_bed(4, false);
	for (unsigned int i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		if (!wrongs[i].runs)
			continue;
		for (unsigned int v = 0; v < 4; v++) {
			cr_assert_eq(ioctl(bed.vm.vcpus[v], KVM_GET_LAPIC, &others[v]), 0);
			others[v].regs[0x80] = (char)~others[v].regs[0x80];
		}
		restore_with(&wrongs[i], 2, others);
		cr_expect_eq(batch(IRQSHIFT_URING_RESTORE, 4), 2, "%s", wrongs[i].what);
		cr_expect_eq(bed.entries[0].result, 0);
		cr_expect_eq(bed.entries[2].result, wrongs[i].restore, "%s: %d", wrongs[i].what, bed.entries[2].result);
		cr_expect_eq(bed.entries[3].result, -ECANCELED);
		for (unsigned int v = 0; v < 4; v++) {
			cr_assert_eq(ioctl(bed.vm.vcpus[v], KVM_GET_LAPIC, &now), 0);
			cr_expect_eq(now.regs[0x80] == others[v].regs[0x80], v < 2, "%s: vCPU %u", wrongs[i].what, v);
		}
	}
	clear_bed();
}

/* CR8 is a part of the TPR: the LAPIC comes after it. */
static const uint32_t restored[] = { KVM_SET_SREGS, KVM_SET_LAPIC, KVM_SET_MSRS, KVM_SET_MP_STATE };

/* Entries that put @states into a VM. */
static unsigned int restoring(const struct still_vm *vm, struct still_vcpu *states)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		void *data[] = { &states[i].sregs, &states[i].lapic, &states[i].msrs, &states[i].mp_state };

		for (unsigned int c = 0; c < 4; c++)
			bed.entries[n++] = (struct irqshift_entry){ vm->vcpus[i], restored[c], (uintptr_t)data[c],
								    uring_size(restored[c], STILL_MSRS), 0x5a5a };
	}
	return n;
}

/* Two VMs with the same past: one is restored by a batch, the other by ioctls. */
Test(device, a_restore_sets_what_the_ioctls_set)
{
	static struct still_vcpu wanted[MOST];
	static int results[4 * MOST];
	struct still_vm twin;
	uint64_t seed;
	unsigned int n, nvcpus = lab_count(MOST, 32);

	make_bed(nvcpus, false);
	read_vcpus(wanted, nvcpus);
	cr_assert_eq(still_vm_open(&twin, nvcpus, STILL_KERNEL, false), 0);
	seed = bed.seed;
	cr_assert_eq(still_vm_fill(&bed.vm, &bed.seed), 0);
	cr_assert_eq(still_vm_fill(&twin, &seed), 0);
	n = restoring(&twin, wanted);
	still_read(bed.entries, n, results);
	n = restoring(&bed.vm, wanted);
	cr_assert_eq(batch(IRQSHIFT_URING_RESTORE, n), (int)n);
	for (unsigned int i = 0; i < n; i++)
		cr_assert_eq(bed.entries[i].result, results[i], "entry %u: %d, %d", i, bed.entries[i].result, results[i]);
	read_vcpus(bed.gathered, nvcpus);
	still_vm_close(&bed.vm);
	bed.vm = twin;
	read_vcpus(bed.read, nvcpus);
	for (unsigned int i = 0; i < nvcpus; i++) {
		cr_assert_eq(memcmp(&bed.read[i], &bed.gathered[i], sizeof(bed.read[i])), 0, "vCPU %u", i);
		cr_assert_eq(memcmp(&wanted[i].msrs, &bed.gathered[i].msrs, sizeof(wanted[i].msrs)), 0, "vCPU %u", i);
		cr_assert_eq(memcmp(wanted[i].lapic.regs + 0x100, bed.gathered[i].lapic.regs + 0x100, 0x180), 0, "vCPU %u", i);
	}
	clear_bed();
}

Test(device, the_vm_of_another_process_stays_out_of_reach)
{
	struct still_child *child = still_child_start(2, STILL_KERNEL);
	struct kvm_lapic_state data = { { 0 } };
	int fd;

	make_bed(1, false);
	cr_assert_not_null(child);
	fd = still_child_get(child, child->vm.vcpus[1]);
	cr_assert_geq(fd, 0, "pidfd_getfd: %d", fd);
	bed.entries[0] = (struct irqshift_entry){ fd, KVM_GET_LAPIC, (uintptr_t)&data, 1024, 0 };
	cr_expect_eq(batch(IRQSHIFT_URING_GATHER, 1), 0);
	cr_expect_eq(bed.entries[0].result, -EIO);
	cr_assert_eq(ioctl(bed.vm.vcpus[0], KVM_GET_LAPIC, &data), 0);
	bed.entries[0] = (struct irqshift_entry){ bed.vm.vcpus[0], KVM_SET_LAPIC, (uintptr_t)&data, 1024, 0 };
	bed.entries[1] = (struct irqshift_entry){ fd, KVM_SET_LAPIC, (uintptr_t)&data, 1024, 0 };
	cr_expect_eq(batch(IRQSHIFT_URING_RESTORE, 2), -EIO);
	cr_expect_eq(bed.entries[0].result, -ECANCELED);
	cr_expect_eq(bed.entries[1].result, -EIO);
	close(fd);
	still_child_end(child);
	clear_bed();
}

/* Memory that cannot be written, or not be read, stands in for all that may be wrong with the list itself. */
Test(device, a_list_that_is_no_list_is_refused)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct irqshift_entry *end = (void *)(page + 4096 - sizeof(*end));

	make_bed(1, false);
	munmap(page + 4096, 4096);
	*end = (struct irqshift_entry){ bed.vm.vcpus[0], KVM_GET_LAPIC, (uintptr_t)&lapic, 1024, 0x5a5a };
	cr_expect_eq(batch(3, 1), -EINVAL);
	cr_expect_eq(batch(0, 1), -EINVAL);
	cr_expect_eq(batch(IRQSHIFT_URING_GATHER, 0), -EINVAL);
	cr_expect_eq(batch(IRQSHIFT_URING_GATHER, IRQSHIFT_BATCH_MAX + 1), -E2BIG);
	cr_expect_eq(uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, end, 1, 4, 0), -EINVAL);
	cr_expect_eq(uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, NULL, 1, 0, 0), -EFAULT);
	cr_expect_eq(uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, end, 2, 0, 0), -EFAULT);
	cr_expect_eq(end->result, 0x5a5a, "%d", end->result);
	cr_expect_eq(uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, end, 1, 0, 0), 1);
	cr_expect_eq(end->result, 0);
	mprotect(page, 4096, PROT_READ);
	cr_expect_eq(uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, end, 1, 0, 0), -EFAULT);
	munmap(page, 4096);
	clear_bed();
}

/* A worker does not keep the FPU, into which KVM would load the guest's. */
Test(device, what_is_in_the_fpu_is_not_for_workers)
{
	static struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} list = { .head.nmsrs = 2, .entries = { { .index = 0xc0000081 }, { .index = 0x6a0 } } };

	make_bed(1, false);
	for (uint16_t inl = 0; inl <= IRQSHIFT_BATCH_INLINE; inl++) {
		bed.entries[0] = (struct irqshift_entry){ bed.vm.vcpus[0], KVM_GET_MSRS, (uintptr_t)&list, sizeof(list), 0x5a5a };
		uring_batch(&bed.ring, bed.device, IRQSHIFT_URING_GATHER, bed.entries, 1, inl, 0);
		if (inl)
			cr_expect_geq(bed.entries[0].result, 1);
		else
			cr_expect_eq(bed.entries[0].result, -EOPNOTSUPP);
	}
	clear_bed();
}

Test(device, a_plain_user_cannot_open_it)
{
	lab_have_module();
	if (strcmp(lab_role(), "user") != 0)
		cr_skip_test("only for a plain user");
	cr_assert_eq(open("/dev/irqshift", O_RDWR | O_CLOEXEC), -1);
	cr_assert_eq(errno, EACCES);
	cr_assert_eq(open("/dev/irqshift", O_RDONLY | O_CLOEXEC), -1);
	cr_assert_eq(errno, EACCES);
}

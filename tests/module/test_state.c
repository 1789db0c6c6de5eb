/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * GET_STATE: what it says of another process's VM is what the owner reads, whoever may not ask is refused, and neither a vCPU
 * that runs nor a process that dies makes it wait. Roles: root user.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "busy_vm.h"
#include "genl.h"
#include "lab.h"
#include "still_vm.h"
#include "stuck_memory.h"
#include "uring.h"

static struct {
	struct genl genl;
	struct genl_message message;
	int mem;
} bed;

static void make_bed(void)
{
	lab_have_module();
	cr_assert_eq(genl_open(&bed.genl), 0);
}

static void begin(int mem)
{
	genl_begin(&bed.genl, &bed.message, IRQSHIFT_GENL_GET_STATE, 0);
	genl_put_u32(&bed.message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
}

/* @size 0: no DATA. */
static void ask(int fd, uint32_t command, const void *data, size_t size)
{
	size_t nest = genl_nest(&bed.message, IRQSHIFT_A_ENTRY);

	genl_put_u32(&bed.message, IRQSHIFT_A_KVM_FD, (uint32_t)fd);
	genl_put_u32(&bed.message, IRQSHIFT_A_COMMAND, command);
	if (size)
		genl_put(&bed.message, IRQSHIFT_A_DATA, data, size);
	genl_nest_end(&bed.message, nest);
}

/* Where the answers go: as to the entries of a batch. */
struct answers {
	struct irqshift_entry *entries;
	unsigned int n, seen;
};

static void take_entry(struct answers *a, const uint8_t *nest, size_t size)
{
	struct irqshift_entry *e = &a->entries[a->seen++];
	size_t length = 0;
	const uint8_t *data = genl_find(nest, size, IRQSHIFT_A_DATA, &length);

	cr_assert_leq(a->seen, a->n);
	cr_expect_eq(genl_u32(nest, size, IRQSHIFT_A_COMMAND), e->command);
	e->result = (int32_t)genl_u32(nest, size, IRQSHIFT_A_RESULT);
	cr_expect_eq(length, e->result >= 0 ? e->size : 0, "%zu bytes, result %d", length, e->result);
	if (data)
		memcpy((void *)(uintptr_t)e->data, data, length);
}

static void take(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	size_t at = 0, length;
	const uint8_t *nest;

	cr_expect_eq(command, IRQSHIFT_GENL_GET_STATE);
	while ((nest = genl_find(attributes + at, size - at, IRQSHIFT_A_ENTRY, &length))) {
		take_entry(arg, nest, length);
		at = (size_t)(nest - attributes) + NLA_ALIGN(length);
	}
}

/* The same entries that a batch takes, in one request. */
static int request(int mem, struct irqshift_entry *entries, unsigned int n)
{
	struct answers answers = { entries, n, 0 };
	int rc;

	begin(mem);
	for (unsigned int i = 0; i < n; i++)
		ask(entries[i].fd, entries[i].command, (void *)(uintptr_t)entries[i].data, entries[i].size);
	rc = genl_send(&bed.genl, &bed.message, take, &answers);
	cr_expect_eq(answers.seen, rc ? 0 : n);
	return rc;
}

static int one(int mem, int fd, uint32_t command, void *data, size_t size)
{
	struct irqshift_entry e = { fd, command, (uintptr_t)data, (uint32_t)size, 0x5a5a };
	int rc = request(mem, &e, 1);

	return rc ? rc : e.result;
}

static int get(const struct still_child *child, int fd)
{
	int got = still_child_get(child, fd);

	cr_assert_geq(got, 0, "pidfd_getfd: %d", got);
	return got;
}

static void compare_vcpu(const struct still_child *child, unsigned int i)
{
	struct irqshift_entry entries[STILL_ENTRIES];
	struct still_vcpu now;
	int fd = get(child, child->vm.vcpus[i]);

	still_vcpu_entries(fd, &now, entries);
	cr_assert_eq(request(bed.mem, entries, STILL_ENTRIES), 0);
	for (unsigned int e = 0; e < STILL_ENTRIES; e++)
		now.results[e] = entries[e].result;
	cr_expect_eq(memcmp(&now, &child->vcpus[i], sizeof(now)), 0, "vCPU %u", i);
	close(fd);
}

static void compare_chips(const struct still_child *child)
{
	struct irqshift_entry entries[STILL_CHIPS];
	struct still_chips now;
	int fd = get(child, child->vm.fd);

	still_chips_entries(fd, &now, entries);
	cr_assert_eq(request(bed.mem, entries, STILL_CHIPS), 0);
	for (unsigned int e = 0; e < STILL_CHIPS; e++)
		now.results[e] = entries[e].result;
	cr_expect_eq(memcmp(&now, &child->chips, sizeof(now)), 0);
	close(fd);
}

static void read_maps(pid_t pid, char *maps, size_t size)
{
	char path[40];
	size_t length;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "re");
	cr_assert_not_null(f);
	length = fread(maps, 1, size - 1, f);
	maps[length] = 0;
	fclose(f);
}

static void compare_child(enum still_irqchip irqchip)
{
	static char before[65536], after[65536];
	struct still_child *child;

	make_bed();
	child = still_child_start(STILL_CHILD_VCPUS, irqchip);
	cr_assert_not_null(child);
	bed.mem = still_mem(child->pid, O_RDWR);
	cr_assert_geq(bed.mem, 0, "%d", bed.mem);
	read_maps(child->pid, before, sizeof(before));
	for (unsigned int i = 0; i < STILL_CHILD_VCPUS; i++)
		compare_vcpu(child, i);
	compare_chips(child);
	read_maps(child->pid, after, sizeof(after));
	cr_expect_str_eq(before, after, "the process's memory is not as it was");
	printf("seen %zu bytes of each of %u vCPUs as the owner read them\n", sizeof(struct still_vcpu), STILL_CHILD_VCPUS);
	still_child_end(child);
}

Test(state, it_is_what_the_owner_reads)
{
	compare_child(STILL_KERNEL);
}

/* KVM's own refusals come through: there are no chips to read. */
Test(state, it_is_what_the_owner_reads_of_a_split_irqchip)
{
	compare_child(STILL_SPLIT);
}

Test(state, it_is_what_the_owner_reads_without_an_irqchip)
{
	compare_child(STILL_NONE);
}

Test(state, a_vcpu_that_runs_is_busy_and_the_vm_is_not)
{
	struct kvm_irqchip ioapic = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_lapic_state lapic;
	unsigned int busy = 0, read = 0;
	struct busy_child *child;
	int vcpu, vm;

	make_bed();
	child = busy_child_new();
	cr_assert_eq(busy_child_start(child, 2), 0);
	bed.mem = busy_child_mem(child);
	vcpu = busy_child_get(child, child->vcpus[0]);
	vm = busy_child_get(child, child->fd);
	cr_assert(bed.mem >= 0 && vcpu >= 0 && vm >= 0, "%d %d %d", bed.mem, vcpu, vm);
	for (unsigned int i = 0; i < lab_count(1000, 20); i++) {
		int rc = one(bed.mem, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic));

		cr_assert(rc == -EBUSY || rc == 0, "%d", rc);
		*(rc ? &busy : &read) += 1;
		cr_assert_eq(one(bed.mem, vm, KVM_GET_IRQCHIP, &ioapic, sizeof(ioapic)), 0);
	}
	printf("seen a running vCPU busy %u times, between two KVM_RUN %u times\n", busy, read);
	cr_expect_gt(busy, 0);
	lab_kill(child->pid);
	busy_child_free(child);
}

Test(state, whoever_cannot_show_the_right_is_refused)
{
	struct kvm_lapic_state lapic = { { 0 } };
	struct still_child *child;
	struct still_vm own;
	int vcpu, mem, fd;

	make_bed();
	child = still_child_start(1, STILL_KERNEL);
	cr_assert_not_null(child);
	vcpu = get(child, child->vm.vcpus[0]);
	mem = still_mem(child->pid, O_RDWR);
	cr_assert_eq(one(mem, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), 0);

	cr_expect_eq(one(-1, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EBADF);
	fd = open("/dev/zero", O_RDWR | O_CLOEXEC);
	cr_expect_eq(one(fd, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EACCES, "not of procfs");
	close(fd);
	fd = still_mem(child->pid, O_RDONLY);
	cr_expect_eq(one(fd, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EACCES, "only for reading");
	close(fd);
	fd = still_mem(child->pid, O_WRONLY);
	cr_expect_eq(one(fd, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EACCES, "only for writing");
	close(fd);
	fd = still_mem(getpid(), O_RDWR);
	cr_expect_eq(one(fd, vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EACCES, "of another process");

	cr_assert_eq(still_vm_open(&own, 1, STILL_KERNEL, false), 0);
	cr_expect_eq(one(mem, own.vcpus[0], KVM_GET_LAPIC, &lapic, sizeof(lapic)), -EACCES, "a VM of another process");
	cr_expect_eq(one(fd, own.vcpus[0], KVM_GET_LAPIC, &lapic, sizeof(lapic)), 0, "the caller's own");
	close(fd);
	still_vm_close(&own);

	begin(mem);
	ask(vcpu, KVM_GET_LAPIC, &lapic, sizeof(lapic));
	ask(own.vcpus[0], KVM_GET_LAPIC, &lapic, sizeof(lapic));
	cr_expect_eq(genl_send(&bed.genl, &bed.message, NULL, NULL), -EBADF);
	still_child_end(child);
}

/* init is root's: nobody else gets the descriptor that would be asked for. */
Test(state, a_plain_user_gets_no_proof_for_a_process_of_another_user)
{
	lab_have_module();
	if (strcmp(lab_role(), "user") != 0)
		cr_skip_test("only for a plain user");
	cr_expect_eq(still_mem(1, O_RDWR), -EACCES);
	cr_expect_eq(still_mem(1, O_RDONLY), -EACCES);
}

Test(state, what_is_not_a_request_is_refused_before_anything_runs)
{
	static struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entries[2];
	} msrs = { .head.nmsrs = 1 };
	static char big[8192];
	struct kvm_lapic_state lapic;
	struct still_child *child;
	int vcpu, vm, mem;
	size_t nest;

	make_bed();
	child = still_child_start(1, STILL_KERNEL);
	cr_assert_not_null(child);
	vcpu = get(child, child->vm.vcpus[0]);
	vm = get(child, child->vm.fd);
	mem = still_mem(child->pid, O_RDWR);
	cr_expect_eq(one(mem, -1, KVM_GET_LAPIC, &lapic, 1024), -EBADF);
	cr_expect_eq(one(mem, 0, KVM_GET_LAPIC, &lapic, 1024), -EINVAL);
	cr_expect_eq(one(mem, vm, KVM_GET_LAPIC, &lapic, 1024), -EINVAL);
	cr_expect_eq(one(mem, vcpu, KVM_GET_IRQCHIP, big, sizeof(struct kvm_irqchip)), -EINVAL);
	cr_expect_eq(one(mem, vcpu, KVM_SET_LAPIC, &lapic, 1024), -EPERM);
	cr_expect_eq(one(mem, vcpu, KVM_RUN, NULL, 0), -EPERM);
	cr_expect_eq(one(mem, vcpu, KVM_GET_LAPIC, &lapic, 1023), -EINVAL);
	cr_expect_eq(one(mem, vcpu, KVM_GET_MSRS, NULL, 0), -EINVAL, "no list");
	cr_expect_eq(one(mem, vcpu, KVM_GET_MSRS, &msrs, sizeof(msrs)), -EINVAL, "another count");
	cr_expect_lt(one(mem, vcpu, KVM_GET_MSRS, big, sizeof(big)), 0, "too many");
	cr_expect_eq(one(mem, vcpu, KVM_GET_TSC_KHZ, &lapic, 8), -EINVAL);
	begin(mem);
	cr_expect_eq(genl_send(&bed.genl, &bed.message, NULL, NULL), -EINVAL, "no entry");
	genl_begin(&bed.genl, &bed.message, IRQSHIFT_GENL_GET_STATE, 0);
	ask(vcpu, KVM_GET_LAPIC, NULL, 0);
	cr_expect_eq(genl_send(&bed.genl, &bed.message, NULL, NULL), -EINVAL, "no proof");
	begin(mem);
	nest = genl_nest(&bed.message, IRQSHIFT_A_ENTRY);
	genl_put_u32(&bed.message, IRQSHIFT_A_KVM_FD, (uint32_t)vcpu);
	genl_nest_end(&bed.message, nest);
	cr_expect_eq(genl_send(&bed.genl, &bed.message, NULL, NULL), -EINVAL, "no command");
	begin(mem);
	for (unsigned int i = 0; i <= IRQSHIFT_STATE_ENTRIES_MAX; i++)
		ask(vcpu, KVM_GET_LAPIC, NULL, 0);
	cr_expect_eq(genl_send(&bed.genl, &bed.message, NULL, NULL), -E2BIG);
	still_child_end(child);
}

/* What the process with the stuck memory says of itself, in memory that both share. */
struct stuck_child {
	pid_t pid;
	int vm, vcpu;
	_Atomic int ready; /* 1, or -errno */
	_Atomic bool go;
};

/* A VM that runs, and 50 ms after the sign nobody gets at its owner's memory. */
static void be_stuck(struct stuck_child *c, const struct stuck_memory *stuck)
{
	static struct busy_vm vm;
	int rc = busy_vm_open(&vm, 1);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = rc ? rc : busy_vm_run(&vm);
	c->vm = vm.fd;
	c->vcpu = vm.vcpus[0];
	c->ready = rc ? rc : 1;
	while (!c->go)
		lab_sleep_us(1000);
	lab_sleep_us(50000);
	stuck_memory_hold(stuck);
	for (;;)
		pause();
}

static struct stuck_child *stuck_child;
static struct stuck_memory stuck_memory;

static void end_stuck(void)
{
	stuck_memory_close(&stuck_memory);
	if (stuck_child)
		lab_kill(stuck_child->pid);
}

static struct stuck_child *stuck_child_start(const struct stuck_memory *stuck)
{
	struct stuck_child *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	cr_assert_neq(c, MAP_FAILED);
	pid = fork();
	if (!pid)
		be_stuck(c, stuck);
	c->pid = pid; /* not by the child, which shares it */
	while (!c->ready)
		lab_sleep_us(1000);
	cr_assert_eq(c->ready, 1, "%s", strerror(-c->ready));
	return c;
}

/* A full request for a vCPU that runs, again and again, until one is not answered as it should; how long that one took. */
static int ask_until_stuck(int vcpu, double *took)
{
	double asked;
	int rc;

	for (unsigned int tries = 0; tries < 1000; tries++) {
		asked = lab_now();
		begin(bed.mem);
		for (unsigned int i = 0; i < IRQSHIFT_STATE_ENTRIES_MAX; i++)
			ask(vcpu, KVM_GET_LAPIC, NULL, 0);
		rc = genl_send(&bed.genl, &bed.message, NULL, NULL);
		*took = lab_now() - asked;
		if (rc || *took > 5)
			return rc;
	}
	return 0;
}

Test(state, a_process_whose_memory_is_stuck_holds_nobody_up, .fini = end_stuck, .timeout = 60)
{
	struct still_child same = { 0 };
	struct kvm_pit_state2 pit;
	int vcpu, vm, rc;
	double took;

	lab_have_module();
	lab_root_only();
	rc = stuck_memory_open(&stuck_memory);
	if (rc == -ENODEV)
		cr_skip_test("this kernel has no FUSE");
	cr_assert_eq(rc, 0, "%s", strerror(-rc));
	make_bed();
	stuck_child = stuck_child_start(&stuck_memory);
	same.pid = stuck_child->pid;
	bed.mem = still_mem(stuck_child->pid, O_RDWR);
	vcpu = get(&same, stuck_child->vcpu);
	vm = get(&same, stuck_child->vm);
	stuck_child->go = true;
	rc = ask_until_stuck(vcpu, &took);
	printf("seen a request for a process with stuck memory end with %s after %.2f s\n", strerror(-rc), took);
	cr_expect_eq(rc, -ETIMEDOUT);
	cr_expect_lt(took, 5);
	if (rc == -ETIMEDOUT)
		cr_expect_eq(one(bed.mem, vm, KVM_GET_PIT2, &pit, sizeof(pit)), -EBUSY, "one after another, not one beside another");
	stuck_memory_close(&stuck_memory);
	for (unsigned int i = 0; i < 500 && (rc = one(bed.mem, vm, KVM_GET_PIT2, &pit, sizeof(pit))); i++)
		lab_sleep_us(10000);
	cr_expect_eq(rc, 0, "when it goes on it is as before: %s", strerror(-rc));
	lab_kill(stuck_child->pid);
	stuck_child->pid = 0;
	close(vm);
	close(vcpu);
	close(bed.mem);
	cr_expect_eq(lab_settled("irqshift", 0), 0);
}

/* As many as there may be, with an answer beyond a page, and the answer to DATA that is left out. */
Test(state, a_full_request_is_answered)
{
	struct irqshift_entry entries[IRQSHIFT_STATE_ENTRIES_MAX];
	static struct kvm_lapic_state lapics[IRQSHIFT_STATE_ENTRIES_MAX];
	struct answers answers = { entries, IRQSHIFT_STATE_ENTRIES_MAX, 0 };
	struct still_child *child;
	int mem;

	make_bed();
	child = still_child_start(STILL_CHILD_VCPUS, STILL_KERNEL);
	cr_assert_not_null(child);
	mem = still_mem(child->pid, O_RDWR);
	begin(mem);
	for (unsigned int i = 0; i < IRQSHIFT_STATE_ENTRIES_MAX; i++) {
		int fd = get(child, child->vm.vcpus[i % STILL_CHILD_VCPUS]);

		entries[i] = (struct irqshift_entry){ fd, KVM_GET_LAPIC, (uintptr_t)&lapics[i], 1024, 0x5a5a };
		ask(fd, KVM_GET_LAPIC, NULL, 0);
	}
	cr_assert_eq(genl_send(&bed.genl, &bed.message, take, &answers), 0);
	cr_expect_eq(answers.seen, IRQSHIFT_STATE_ENTRIES_MAX);
	for (unsigned int i = 0; i < IRQSHIFT_STATE_ENTRIES_MAX; i++) {
		cr_expect_eq(entries[i].result, 0);
		cr_expect_eq(memcmp(&lapics[i], &child->vcpus[i % STILL_CHILD_VCPUS].lapic, 1024), 0, "entry %u", i);
		close(entries[i].fd);
	}
	still_child_end(child);
}

Test(state, a_process_that_is_gone_has_no_state)
{
	struct kvm_lapic_state lapic;
	struct still_child *child;
	int vcpu, mem;

	make_bed();
	child = still_child_start(1, STILL_KERNEL);
	cr_assert_not_null(child);
	vcpu = get(child, child->vm.vcpus[0]);
	mem = still_mem(child->pid, O_RDWR);
	cr_expect_eq(one(mem, vcpu, KVM_GET_LAPIC, &lapic, 1024), 0);
	still_child_end(child);
	cr_expect_eq(one(mem, vcpu, KVM_GET_LAPIC, &lapic, 1024), -ESRCH);
}

/* Killed at any moment of a request, the owner or the one who asks: there is an answer or a refusal, and no module in use after. */
Test(state, a_process_that_dies_while_it_is_asked_is_no_hindrance)
{
	unsigned int answered = 0, gone = 0, count = lab_count(200, 10);
	uint64_t seed = lab_seed();
	struct kvm_lapic_state lapic;

	make_bed();
	for (unsigned int i = 0; i < count; i++) {
		struct still_child *child = still_child_start(1, STILL_KERNEL);
		int vcpu, mem, rc;
		pid_t killer;

		cr_assert_not_null(child);
		vcpu = get(child, child->vm.vcpus[0]);
		mem = still_mem(child->pid, O_RDWR);
		killer = fork();
		if (!killer) {
			lab_sleep_us(lab_below(&seed, 5000));
			kill(child->pid, SIGKILL);
			_exit(0);
		}
		lab_below(&seed, 5000);
		do {
			rc = one(mem, vcpu, KVM_GET_LAPIC, &lapic, 1024);
			*(rc ? &gone : &answered) += 1;
		} while (!rc);
		cr_assert_eq(rc, -ESRCH, "%d", rc);
		waitpid(killer, NULL, 0);
		still_child_end(child);
		close(vcpu);
		close(mem);
	}
	printf("seen %u answers before %u deaths\n", answered, gone);
}

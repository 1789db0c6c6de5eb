/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists to a kernel module that is not there, and what becomes of them when it does not answer as the ioctls would. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_kvm.h"
#include "kvm/batch_priv.h"
#include "kvm/gather.h"
#include "kvm/own.h"

#define VM_FD 99
#define VCPU_FD 100

/* The module, as far as these tests need one; its ioctls are those of @kvm. */
struct module {
	struct batch_engine engine; /* first */
	struct fake_kvm *kvm;
	int refuses;         /* all, with this */
	uint32_t lacks;      /* a command */
	uint32_t stops_at;   /* entry at which a fatal signal comes; 0: none */
	unsigned int broken; /* the answer of batch_check() */
	unsigned int fails;  /* whose command is not run: a helper's, from 1, or the caller's, one more; 0: none */
	int left;            /* what is in the entries of that one */
	unsigned int helped_us, alone_us;
	unsigned int submissions, helped, helpers, entries, closed;
	uint32_t op;
};

static int run_entry(struct module *m, struct irqshift_entry *e)
{
	bool vm = e->fd == VM_FD;

	if (e->fd < 0)
		return -EBADF;
	if (e->command == m->lacks)
		return -EPERM;
	if (e->command == KVM_GET_TSC_KHZ && e->size)
		return -EINVAL;
	return fake_call(&m->kvm->port, vm ? KVM_TARGET_VM : KVM_TARGET_VCPU, (unsigned int)(vm ? 0 : e->fd - VCPU_FD),
			 e->command, (void *)(uintptr_t)e->data, e->size);
}

/* What one of those who share a list has come to: the entries from @at to @end. */
static int submit_part(struct module *m, uint32_t op, struct irqshift_entry *entries, uint32_t at, uint32_t end)
{
	int done = 0;

	m->entries += end - at;
	for (uint32_t i = at; i < end && (!m->stops_at || i < m->stops_at); i++) {
		entries[i].result = m->broken ? (int)m->broken : run_entry(m, &entries[i]);
		if (entries[i].result >= 0)
			done++;
		else if (op == IRQSHIFT_URING_RESTORE)
			break;
	}
	return done;
}

static int refusal(const struct module *m, uint32_t op, const struct irqshift_entry *entries, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (op == IRQSHIFT_URING_RESTORE && entries[i].command == m->lacks)
			return -EPERM;
	return m->refuses;
}

/* The last helper's first: none may depend on an order. */
static int submit(struct batch_engine *engine, uint32_t op, struct irqshift_entry *entries, uint32_t count,
		  const uint32_t *first, unsigned int nhelpers)
{
	struct module *m = (struct module *)engine;
	int own = refusal(m, op, entries, count);
	uint32_t end = count;

	m->submissions++;
	m->helped += nhelpers > 0;
	m->helpers += nhelpers;
	m->op = op;
	usleep(nhelpers ? m->helped_us : m->alone_us);
	cr_assert_leq(nhelpers, m->engine.helpers);
	cr_assert_leq(count, IRQSHIFT_BATCH_MAX);
	for (uint32_t e = 0; e < count && nhelpers; e++)
		cr_assert_eq(entries[e].result, -ECANCELED);
	if (own)
		return own;
	for (unsigned int i = nhelpers + 1; i-- > 0;) {
		uint32_t at = i ? first[i - 1] : 0;
		bool fails = i == m->fails - 1U;

		cr_assert_lt(at, end);
		cr_assert(!i || entries[at].fd != entries[at - 1].fd, "in the middle of a vCPU");
		for (uint32_t e = at; fails && e < end; e++)
			entries[e].result = m->left;
		own = fails ? -EINTR : submit_part(m, op, entries, at, end);
		end = at;
	}
	return own;
}

static void close_module(struct batch_engine *engine)
{
	((struct module *)engine)->closed++;
}

/* A port with a batch of that module, over the fake VM behind it. */
struct rig {
	struct kvm_port port; /* first */
	struct fake_kvm kvm;
	struct module module;
	struct kvm_batch *batch;
	int vcpus[FAKE_VCPUS_MAX];
	unsigned int loops; /* ioctls that were made one by one */
};

static int rig_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		    size_t size)
{
	struct rig *r = (struct rig *)port;

	r->loops++;
	return fake_call(&r->kvm.port, target, vcpu, request, arg, size);
}

static void rig_batch(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	struct rig *r = (struct rig *)port;

	kvm_batch_list(r->batch, port, VM_FD, r->vcpus, calls, n, mode);
}

static void rig_open(struct rig *r, unsigned int n)
{
	memset(r, 0, sizeof(*r));
	fake_open(&r->kvm, n, false);
	for (unsigned int i = 0; i < n; i++)
		r->vcpus[i] = VCPU_FD + (int)i;
	r->module = (struct module){ .engine = { 0, submit, close_module }, .kvm = &r->kvm };
	r->batch = batch_new(&r->module.engine);
	r->port = (struct kvm_port){ rig_call, r->kvm.ids, n, rig_batch };
}

static void rig_close(struct rig *r)
{
	kvm_batch_close(r->batch);
	cr_expect_eq(r->module.closed, 1);
	fake_close(&r->kvm);
}

static struct rig rig, plain;

/* By the batch and by the loop: the same state, the same error. */
static void expect_same_gather(unsigned int n)
{
	struct kvm_probe probe = fake_probe(n);
	struct irqchip_state a = { .lapics = calloc(n, sizeof(a.lapics[0])) };
	struct irqchip_state b = { .lapics = calloc(n, sizeof(b.lapics[0])) };
	struct irqs_error ea = { 0 }, eb = { 0 };

	rig.loops = 0;
	cr_expect_eq(kvm_gather(&rig.port, &probe, NULL, &a, &ea), kvm_gather(&plain.port, &probe, NULL, &b, &eb));
	cr_expect_str_eq(ea.text, eb.text);
	cr_expect_eq(memcmp(a.lapics, b.lapics, n * sizeof(a.lapics[0])), 0);
	cr_expect_eq(memcmp(&a.ioapic, &b.ioapic, sizeof(a.ioapic)), 0);
	cr_expect_eq(memcmp(a.pics, b.pics, sizeof(a.pics)), 0);
	cr_expect_eq(memcmp(&a.pit, &b.pit, sizeof(a.pit)), 0);
	free(a.lapics);
	free(b.lapics);
}

static void open_both(unsigned int n)
{
	rig_open(&rig, n);
	rig_open(&plain, n);
	plain.port.batch = NULL;
	rig.kvm.lvtt = plain.kvm.lvtt = 2U << 17 | 0x40;
}

static void close_both(void)
{
	rig_close(&rig);
	rig_close(&plain);
}

Test(batch, a_gather_by_the_module_is_that_of_the_ioctls)
{
	open_both(130);
	expect_same_gather(130);
	/* mp_state, registers, deadlines, events of 128 vCPUs each, the registers of two more; and the chips */
	cr_expect_eq(rig.module.submissions, 6);
	cr_expect_eq(rig.module.op, IRQSHIFT_URING_GATHER);
	cr_expect_eq(rig.loops, 1 + 3 * 2, "the clock, and what is too short to be worth it: %u", rig.loops);
	close_both();
}

/* Whoever has run an entry; and what nobody has run to its end is an ioctl. */
Test(batch, helpers_make_the_same_state)
{
	for (unsigned int helpers = 0; helpers <= BATCH_HELPERS_MAX; helpers++) {
		for (unsigned int fails = 0; fails <= helpers + 1; fails++) {
			open_both(200);
			rig.module.engine.helpers = helpers;
			rig.module.fails = fails;
			rig.module.left = fails % 2 ? -ECANCELED : -EINPROGRESS;
			expect_same_gather(200);
			if (helpers)
				cr_expect_gt(rig.module.helped, 0);
			close_both();
		}
	}
}

static struct kvm_mp_state states[200];

static void states_of(struct kvm_port_call *calls, unsigned int n)
{
	for (unsigned int v = 0; v < n; v++)
		calls[v] = (struct kvm_port_call){ KVM_TARGET_VCPU, v, KVM_GET_MP_STATE, &states[v], sizeof(states[v]), 1 };
}

/* lists_of_200 - Return: in how many of them there were helpers. */
static unsigned int lists_of_200(unsigned int n)
{
	unsigned int before = rig.module.helped;
	struct kvm_port_call calls[200];

	for (unsigned int i = 0; i < n; i++) {
		states_of(calls, 200);
		kvm_list(&rig.port, calls, 200, KVM_LIST_ALL);
		for (unsigned int v = 0; v < 200; v++)
			cr_assert_eq(calls[v].result, 0);
	}
	return rig.module.helped - before;
}

Test(batch, helpers_are_called_where_they_are_faster)
{
	rig_open(&rig, 200);
	rig.module.engine.helpers = 5;
	rig.module.alone_us = 20000;
	cr_expect_eq(lists_of_200(10), 5, "both ways are tried");
	cr_expect_eq(lists_of_200(24), 21, "and the other one now and then");
	cr_expect_eq(rig.module.helpers, (5 + 21) * 2, "one for every 64 ioctls: %u", rig.module.helpers);
	rig_close(&rig);
}

Test(batch, helpers_that_lose_time_are_left_alone_until_they_do_not)
{
	rig_open(&rig, 200);
	rig.module.engine.helpers = 2;
	rig.module.helped_us = 20000;
	cr_expect_eq(lists_of_200(10), 5);
	cr_expect_eq(lists_of_200(24), 3);
	rig.module.helped_us = 0;
	rig.module.alone_us = 10000;
	cr_expect_eq(lists_of_200(48), 26, "three that are faster must be seen: the 6th, the 14th, the 22nd, and then 23 of 26");
	rig_close(&rig);
}

Test(batch, a_single_slow_list_is_no_reason_to_do_without_helpers)
{
	rig_open(&rig, 200);
	rig.module.engine.helpers = 2;
	rig.module.alone_us = 10000;
	lists_of_200(10);
	rig.module.helped_us = 40000;
	lists_of_200(1);
	rig.module.helped_us = 0;
	cr_expect_eq(lists_of_200(8), 7);
	rig_close(&rig);
}

Test(batch, a_short_list_and_one_with_the_vm_in_it_or_without_order_have_no_helpers)
{
	struct kvm_port_call calls[200];
	struct kvm_irqchip chip = { 0 };

	rig_open(&rig, 200);
	rig.module.engine.helpers = 2;
	for (unsigned int i = 0; i < 3; i++) {
		states_of(calls, 200);
		calls[150] = (struct kvm_port_call){ KVM_TARGET_VM, 0, KVM_GET_IRQCHIP, &chip, sizeof(chip), 1 };
		kvm_list(&rig.port, calls, 200, KVM_LIST_ALL);
		kvm_list(&rig.port, calls, 127, KVM_LIST_ALL);
		calls[150] = calls[0];
		kvm_list(&rig.port, calls, 200, KVM_LIST_ALL);
	}
	cr_expect_eq(rig.module.submissions, 9);
	cr_expect_eq(rig.module.helped, 0);
	rig_close(&rig);
}

Test(batch, a_module_that_refuses_is_done_without)
{
	static const int refusals[] = { -EINVAL, -EPERM, -EINTR, -ENOMEM, -EIO, -EFAULT, -EOPNOTSUPP };

	open_both(70);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		rig.module.refuses = refusals[i];
		expect_same_gather(70);
		cr_expect_gt(rig.loops, 70 * 8);
	}
	close_both();
}

Test(batch, a_command_that_the_module_does_not_know_is_an_ioctl)
{
	static const unsigned long lacks[] = { KVM_GET_LAPIC, KVM_GET_TSC_KHZ, KVM_GET_MSRS, KVM_GET_IRQCHIP, KVM_GET_VCPU_EVENTS };

	open_both(70);
	for (size_t i = 0; i < sizeof(lacks) / sizeof(lacks[0]); i++) {
		rig.module.lacks = (uint32_t)lacks[i];
		expect_same_gather(70);
		cr_expect_gt(rig.loops, 0);
		cr_expect_leq(rig.loops, 70 * 2 + 20, "only that: %u", rig.loops);
	}
	close_both();
}

Test(batch, what_the_module_did_not_come_to_is_an_ioctl)
{
	open_both(70);
	for (uint32_t at = 1; at < 320; at += 53) {
		rig.module.stops_at = at;
		expect_same_gather(70);
	}
	close_both();
}

Test(batch, an_ioctl_that_fails_fails_in_a_batch_as_well)
{
	static const int errors[] = { -EPERM, -EINVAL, -EFAULT, -ECANCELED, -EIO, -EBADF, -ENXIO };

	open_both(70);
	for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
		rig.kvm.failures[0] = plain.kvm.failures[0] = (struct fake_failure){ KVM_GET_LAPIC, 66, 0, errors[e] };
		expect_same_gather(70);
	}
	close_both();
}

static struct kvm_mp_state mp[40];

static void mp_list(struct kvm_port_call *calls, size_t n, unsigned long request)
{
	for (size_t i = 0; i < n; i++)
		calls[i] = (struct kvm_port_call){ .target = KVM_TARGET_VCPU, .vcpu = (unsigned int)i, .request = request, .arg = &mp[i], .size = sizeof(mp[i]), .result = 77 };
}

Test(batch, what_changes_the_vm_ends_at_the_first_that_fails)
{
	struct kvm_port_call calls[40];

	rig_open(&rig, 40);
	rig.kvm.failures[0] = (struct fake_failure){ KVM_SET_MP_STATE, 17, 0, -EINVAL };
	for (int module = 1; module >= 0; module--) {
		rig.module.refuses = module ? 0 : -EPERM;
		fake_forget(&rig.kvm);
		mp_list(calls, 40, KVM_SET_MP_STATE);
		kvm_list(&rig.port, calls, 40, KVM_LIST_UNTIL_FAILED);
		cr_expect_eq(rig.module.op, IRQSHIFT_URING_RESTORE);
		cr_expect_eq(rig.kvm.ncalls, 18);
		for (unsigned int i = 0; i < 40; i++)
			cr_expect_eq(calls[i].result, i < 17 ? 0 : i == 17 ? -EINVAL
									   : -ECANCELED);
	}
	cr_expect_eq(rig.loops, 18);
	rig_close(&rig);
}

/* The module would refuse it anyway: a gather does not change anything. */
Test(batch, what_changes_the_vm_is_no_part_of_a_gather)
{
	struct kvm_port_call calls[40];

	rig_open(&rig, 40);
	mp_list(calls, 40, KVM_SET_MP_STATE);
	kvm_list(&rig.port, calls, 40, KVM_LIST_ALL);
	cr_expect_eq(rig.module.submissions, 0);
	cr_expect_eq(rig.loops, 40);
	rig_close(&rig);
}

Test(batch, a_command_that_is_in_no_table_is_an_ioctl)
{
	struct kvm_port_call calls[40];

	rig_open(&rig, 40);
	mp_list(calls, 40, KVM_GET_MP_STATE);
	calls[20].request = KVM_GET_DEBUGREGS;
	kvm_list(&rig.port, calls, 40, KVM_LIST_ALL);
	cr_expect_eq(rig.module.submissions, 0);
	cr_expect_eq(rig.loops, 40);
	rig_close(&rig);
}

Test(batch, more_registers_than_the_module_takes_are_ioctls)
{
	struct kvm_msrs *msrs = calloc(1, sizeof(*msrs) + 300 * sizeof(msrs->entries[0]));
	struct kvm_port_call calls[8];

	rig_open(&rig, 8);
	mp_list(calls, 8, KVM_GET_MP_STATE);
	for (msrs->nmsrs = IRQSHIFT_MSRS_MAX; msrs->nmsrs <= IRQSHIFT_MSRS_MAX + 1; msrs->nmsrs++) {
		calls[3].vcpu = 2;
		calls[3].request = KVM_GET_MSRS;
		calls[3].arg = msrs;
		calls[3].size = sizeof(*msrs) + msrs->nmsrs * sizeof(msrs->entries[0]);
		kvm_list(&rig.port, calls, 8, KVM_LIST_ALL);
		cr_expect_eq(calls[3].result, (int)msrs->nmsrs);
		cr_expect_eq(rig.module.submissions, 1);
	}
	cr_expect_eq(rig.loops, 8);
	free(msrs);
	rig_close(&rig);
}

Test(batch, a_list_beyond_the_limit_of_the_module_is_several)
{
	const size_t n = 2 * IRQSHIFT_BATCH_MAX + 3;
	struct kvm_port_call *calls = calloc(n, sizeof(*calls));

	rig_open(&rig, 40);
	for (size_t i = 0; i < n; i++)
		mp_list(&calls[i], 1, KVM_SET_MP_STATE);
	kvm_list(&rig.port, calls, n, KVM_LIST_UNTIL_FAILED);
	cr_expect_eq(rig.module.submissions, 3);
	cr_expect_eq(rig.module.entries, n);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(calls[i].result, 0);
	/* and nothing behind a failure */
	calls[5].vcpu = 5;
	rig.kvm.failures[0] = (struct fake_failure){ KVM_SET_MP_STATE, 5, 0, -EIO };
	kvm_list(&rig.port, calls, n, KVM_LIST_UNTIL_FAILED);
	cr_expect_eq(rig.module.submissions, 4);
	for (size_t i = 0; i < n; i++)
		cr_assert_eq(calls[i].result, i < 5 ? 0 : i == 5 ? -EIO
								 : -ECANCELED);
	free(calls);
	rig_close(&rig);
}

/* The ring is the parent's. */
Test(batch, a_child_makes_ioctls)
{
	struct kvm_port_call calls[40];
	int status;
	pid_t pid;

	rig_open(&rig, 40);
	mp_list(calls, 40, KVM_GET_MP_STATE);
	pid = fork();
	if (!pid) {
		kvm_list(&rig.port, calls, 40, KVM_LIST_ALL);
		_exit(!rig.module.submissions && rig.loops == 40 ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	rig_close(&rig);
}

Test(batch, a_device_that_answers_otherwise_is_not_the_module)
{
	struct module m = { .engine = { 0, submit, close_module } };

	cr_expect_eq(batch_check(&m.engine), 0);
	m.broken = 1;
	cr_expect_eq(batch_check(&m.engine), -EPROTO);
	m.broken = 0;
	m.refuses = -EINVAL;
	cr_expect_eq(batch_check(&m.engine), -EPROTO);
	m.refuses = -EOPNOTSUPP;
	cr_expect_eq(batch_check(&m.engine), -EOPNOTSUPP);
}

Test(batch, without_the_module_there_is_none_and_lists_are_ioctls)
{
	struct irqs_error err = { 0 };
	struct kvm_batch *batch = (struct kvm_batch *)&err;
	struct kvm_own own;
	int rc;

	if (!access("/dev/" IRQSHIFT_DEVICE_NAME, F_OK))
		cr_skip("the module is here");
	rc = kvm_batch_open(&batch, &err);
	cr_expect_eq(rc, -ENOENT);
	cr_expect_null(batch);
	cr_expect_not_null(strstr(err.text, "/dev/irqshift"), "%s", err.text);
	kvm_batch_close(batch);
	kvm_own_init(&own, -1, NULL, NULL, 0);
	kvm_own_use(&own, batch);
	cr_expect_null(own.port.batch);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gather and restore by batches of the module, and by ioctls, of the same VM: byte for byte. Roles: root user granted. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "kvm/batch.h"
#include "kvm/restore.h"
#include "lab.h"
#include "tests/kvm/vm.h"

TestSuite(module_gather, .timeout = 300);

/* A port that keeps what was asked and answered, list or not. */
struct tap {
	struct kvm_port port; /* first */
	struct vm *vm;
	struct kvm_batch *batch;
	unsigned int loops; /* ioctls one by one */
	uint8_t *log;
	size_t size, room;
};

static void put(struct tap *t, const void *data, size_t size)
{
	if (t->size + size > t->room) {
		t->room = 2 * (t->size + size);
		t->log = realloc(t->log, t->room);
		cr_assert_not_null(t->log);
	}
	memcpy(t->log + t->size, data, size);
	t->size += size;
}

/* All but the time. */
static void keep(struct tap *t, const struct kvm_port_call *c)
{
	uint32_t head[] = { c->target, c->vcpu, (uint32_t)c->request, (uint32_t)c->result };
	struct kvm_msrs *msrs;
	size_t at;

	put(t, head, sizeof(head));
	if (c->request == KVM_GET_CLOCK || !c->size)
		return;
	at = t->size;
	put(t, c->arg, c->size);
	if (c->request != KVM_GET_MSRS && c->request != KVM_SET_MSRS)
		return;
	msrs = (struct kvm_msrs *)(t->log + at);
	for (uint32_t i = 0; i < msrs->nmsrs; i++)
		if (msrs->entries[i].index == MSR_TSC)
			msrs->entries[i].data = 0;
}

static int tap_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		    size_t size)
{
	struct tap *t = (struct tap *)port;

	t->loops++;
	return t->vm->port->call(t->vm->port, target, vcpu, request, arg, size);
}

static void tap_batch(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	struct tap *t = (struct tap *)port;

	kvm_batch_list(t->batch, port, t->vm->fd, t->vm->vcpus, calls, n, mode);
	for (size_t i = 0; i < n; i++)
		keep(t, &calls[i]);
}

static struct tap tap_of(struct vm *vm, struct kvm_batch *batch)
{
	return (struct tap){
		.port = { tap_call, vm->ids, vm->nvcpus, tap_batch },
		.vm = vm,
		.batch = batch,
	};
}

static bool may_batch(void)
{
	return strcmp(lab_role(), "user") != 0;
}

static struct kvm_batch *open_batch(void)
{
	struct irqs_error err = { 0 };
	struct kvm_batch *batch;
	int rc;

	lab_have_module();
	rc = kvm_batch_open(&batch, &err);
	if (may_batch())
		cr_assert_eq(rc, 0, "%s", err.text);
	else
		cr_assert_eq(rc, -EACCES, "%s", err.text);
	return batch;
}

static uint64_t seed;

/* Every register that a VM that never ran takes, at random; no timer runs. */
static void stir(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->nvcpus; i++) {
		struct kvm_lapic_state page = vm_page(vm, i);
		struct kvm_mp_state mp = { lab_below(&seed, 2) ? KVM_MP_STATE_HALTED : KVM_MP_STATE_RUNNABLE };
		struct kvm_vcpu_events events;

		vm_put_reg(&page, LAPIC_SVR, 0x100 | lab_below(&seed, 256));
		vm_put_reg(&page, LAPIC_TPR, lab_below(&seed, 256));
		for (unsigned int bank = 1; bank < 8; bank++) {
			vm_put_reg(&page, LAPIC_IRR + 16 * bank, (uint32_t)lab_random(&seed));
			vm_put_reg(&page, LAPIC_ISR + 16 * bank, (uint32_t)lab_random(&seed));
			vm_put_reg(&page, LAPIC_TMR + 16 * bank, (uint32_t)lab_random(&seed));
		}
		vm_put_reg(&page, LAPIC_LVTT, 0x10000 | lab_below(&seed, 256) | lab_below(&seed, 2) << 17);
		vm_put_reg(&page, LAPIC_TMICT, 0);
		cr_assert_eq(vm_set_page(vm, i, &page), 0);
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_GET_VCPU_EVENTS, &events), 0);
		events.nmi.pending = (uint8_t)lab_below(&seed, 2);
		events.nmi.masked = (uint8_t)lab_below(&seed, 2);
		events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING;
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_SET_VCPU_EVENTS, &events), 0);
		cr_assert_eq(ioctl(vm->vcpus[i], KVM_SET_MP_STATE, &mp), 0);
	}
}

static void timeless(struct irqchip_state *s)
{
	for (unsigned int i = 0; i < s->nlapics; i++)
		s->lapics[i].tsc = 0;
}

static void gather_by(struct tap *t, struct irqchip_state *s)
{
	struct irqs_error err = { 0 };

	t->loops = 0;
	t->size = 0;
	cr_assert_eq(kvm_gather(&t->port, &t->vm->probe, NULL, s, &err), 0, "%s", err.text);
	timeless(s);
}

static void expect_same(unsigned int n, const struct tap *a, const struct tap *b, const struct irqchip_state *sa,
			const struct irqchip_state *sb)
{
	cr_expect_eq(a->size, b->size);
	cr_expect_eq(memcmp(a->log, b->log, a->size), 0, "%u vCPUs: what the ioctls said", n);
	cr_expect_eq(memcmp(sa->lapics, sb->lapics, n * sizeof(sa->lapics[0])), 0, "%u vCPUs: LAPICs", n);
	cr_expect_eq(memcmp(&sa->ioapic, &sb->ioapic, sizeof(sa->ioapic)), 0);
	cr_expect_eq(memcmp(sa->pics, sb->pics, sizeof(sa->pics)), 0);
	cr_expect_eq(memcmp(&sa->pit, &sb->pit, sizeof(sa->pit)), 0);
}

static void compare(struct vm *vm, struct kvm_batch *batch, unsigned int n)
{
	struct tap by_module = tap_of(vm, batch), by_ioctls = tap_of(vm, NULL);
	struct irqchip_state a = vm_state(vm->probe.mode, n), b = vm_state(vm->probe.mode, n);

	gather_by(&by_ioctls, &b);
	gather_by(&by_module, &a);
	expect_same(n, &by_module, &by_ioctls, &a, &b);
	/* the clock; the chips of a split irqchip; lists that are too short */
	if (batch)
		cr_expect_lt(by_module.loops, 20, "%u vCPUs: %u ioctls", n, by_module.loops);
	else
		cr_expect_geq(by_module.loops, 7 * n);
	vm_state_free(&a);
	vm_state_free(&b);
	free(by_module.log);
	free(by_ioctls.log);
}

static const unsigned int few[] = { 1, 2, 3, 127, 128, 129, 256 };

static void each_count(struct kvm_batch *batch, bool x2apic, enum irqchip_mode mode)
{
	unsigned int counts = lab_count(256, sizeof(few) / sizeof(few[0]));
	struct vm *vm = calloc(1, sizeof(*vm));

	vm_have_kvm();
	for (unsigned int i = 0; i < counts; i++) {
		unsigned int n = counts == 256 ? i + 1 : few[i];

		vm_open(vm, (struct vm_config){ .mode = mode, .nvcpus = n, .ids_32bit = x2apic });
		if (x2apic)
			vm_x2apic(vm);
		stir(vm);
		compare(vm, batch, n);
		vm_close(vm);
	}
	free(vm);
}

Test(module_gather, a_gather_is_that_of_the_ioctls_byte_for_byte_in_xapic)
{
	struct kvm_batch *batch = open_batch();

	seed = lab_seed();
	each_count(batch, false, IRQCHIP_FULL);
	kvm_batch_close(batch);
}

Test(module_gather, a_gather_is_that_of_the_ioctls_byte_for_byte_in_x2apic)
{
	struct kvm_batch *batch = open_batch();

	seed = lab_seed();
	each_count(batch, true, IRQCHIP_FULL);
	kvm_batch_close(batch);
}

Test(module_gather, a_gather_of_a_split_irqchip_is_that_of_the_ioctls)
{
	struct kvm_batch *batch = open_batch();
	struct vm *vm = calloc(1, sizeof(*vm));

	seed = lab_seed();
	vm_have_kvm();
	vm_open(vm, (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 70 });
	stir(vm);
	compare(vm, batch, 70);
	vm_close(vm);
	free(vm);
	kvm_batch_close(batch);
}

/* What fails, fails with the same number and the same name. */
Test(module_gather, an_ioctl_that_fails_is_named_as_by_ioctls)
{
	struct kvm_batch *batch = open_batch();
	struct vm *vm = calloc(1, sizeof(*vm));
	struct tap t[2];

	vm_have_kvm();
	vm_open(vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 8 });
	for (int closed = 0; closed < 3; closed++) {
		struct irqs_error err[2] = { { 0 } };
		int was = vm->vcpus[5], rc[2];

		/* no descriptor, one of something else, and the VM's */
		vm->vcpus[5] = closed == 0 ? -1 : closed == 1 ? STDOUT_FILENO
							      : vm->fd;
		for (int i = 0; i < 2; i++) {
			struct irqchip_state s = vm_state(IRQCHIP_FULL, 8);

			t[i] = tap_of(vm, i ? NULL : batch);
			rc[i] = kvm_gather(&t[i].port, &vm->probe, NULL, &s, &err[i]);
			vm_state_free(&s);
			free(t[i].log);
		}
		if (closed == 0) {
			cr_expect_eq(rc[0], -EBADF);
			cr_expect_eq(rc[0], rc[1]);
			cr_expect_str_eq(err[0].text, err[1].text);
		}
		cr_expect_lt(rc[0], 0);
		cr_expect_not_null(strstr(err[0].text, "vcpu[5]: KVM_GET_MP_STATE"), "%s", err[0].text);
		vm->vcpus[5] = was;
	}
	vm_close(vm);
	free(vm);
	kvm_batch_close(batch);
}

/* Without the TSC: one that is less than a second from that of a new VM, KVM takes for an attempt to synchronise with it. */
Test(module_gather, a_restore_leaves_what_ioctls_leave)
{
	const struct kvm_restore_options options = { .parts = ~(uint32_t)KVM_PART_TSC };
	struct kvm_batch *batch = open_batch();
	struct vm *vms[2] = { calloc(1, sizeof(*vms[0])), calloc(1, sizeof(*vms[0])) };
	const unsigned int n = lab_count(256, 66);
	struct irqchip_state s, now[2];
	struct irqs_error err = { 0 };

	seed = lab_seed();
	vm_have_kvm();
	vm_open(vms[0], (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = n });
	stir(vms[0]);
	s = vm_gather(vms[0]);
	vm_close(vms[0]);
	for (int i = 0; i < 2; i++) {
		struct tap t;

		vm_open(vms[i], (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = n });
		t = tap_of(vms[i], i ? NULL : batch);
		cr_assert_eq(kvm_restore(&t.port, &vms[i]->probe, &options, &s, &err), 0, "%s: %s", err.path, err.text);
		now[i] = vm_gather(vms[i]);
		timeless(&now[i]);
		free(t.log);
		vm_close(vms[i]);
	}
	cr_expect_eq(memcmp(now[0].lapics, now[1].lapics, n * sizeof(now[0].lapics[0])), 0);
	cr_expect_eq(memcmp(&now[0].ioapic, &now[1].ioapic, sizeof(now[0].ioapic)), 0);
	cr_expect_eq(memcmp(now[0].pics, now[1].pics, sizeof(now[0].pics)), 0);
	vm_state_free(&s);
	for (int i = 0; i < 2; i++) {
		vm_state_free(&now[i]);
		free(vms[i]);
	}
	kvm_batch_close(batch);
}

/* The batch is the parent's: the child's gather is one by ioctls, of its own VM. */
Test(module_gather, a_child_is_served_by_ioctls)
{
	struct kvm_batch *batch = open_batch();
	int status;
	pid_t pid;

	vm_have_kvm();
	pid = fork();
	if (!pid) {
		struct vm *vm = calloc(1, sizeof(*vm));
		struct tap t;
		struct irqchip_state s = vm_state(IRQCHIP_FULL, 8);

		vm_open(vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 8 });
		t = tap_of(vm, batch);
		_exit(kvm_gather(&t.port, &vm->probe, NULL, &s, NULL) || t.loops < 7 * 8);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	kvm_batch_close(batch);
}

/* ---- how long ---- */

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

/* What it comes to is judged by tests/bench/batch: here it is only said. */
Test(module_gather, what_a_batch_takes_is_said)
{
	struct kvm_batch *batch = open_batch();
	struct vm *vm = calloc(1, sizeof(*vm));
	struct irqchip_state s = vm_state(IRQCHIP_FULL, 256);
	double ratios[15];

	vm_have_kvm();
	if (!batch)
		cr_skip("no right to /dev/irqshift");
	vm_open(vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 256 });
	for (int i = 0; i < 15; i++) {
		double begin = monotonic_s(), took;

		kvm_own_use(&vm->own, NULL);
		cr_assert_eq(kvm_gather(vm->port, &vm->probe, NULL, &s, NULL), 0);
		took = monotonic_s() - begin;
		kvm_own_use(&vm->own, batch);
		begin = monotonic_s();
		cr_assert_eq(kvm_gather(vm->port, &vm->probe, NULL, &s, NULL), 0);
		ratios[i] = (monotonic_s() - begin) / took;
	}
	qsort(ratios, 15, sizeof(ratios[0]), by_value);
	printf("seen: a gather of 256 vCPUs by batches takes %.3f of one by ioctls (median)\n", ratios[7]);
	vm_state_free(&s);
	vm_close(vm);
	free(vm);
	kvm_batch_close(batch);
}

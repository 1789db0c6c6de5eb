/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The irqchip of a real QEMU, read by the other process's port: neither QEMU nor its guest may notice. */
#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/attach.h"
#include "kvm/find.h"
#include "tests/qemu/guest_log.h"
#include "tests/qemu/process.h"
#include "tests/qemu/vm.h"

#define CPUS 4
#define ATTACHES 200
#define LINES_BEFORE 10
#define LINES_AFTER 12
#define WAIT_MS 15000
#define TRIES 3
#define PAUSE_MS 5

/* About what a gather reads. */
static int read_all(struct kvm_attach *attach)
{
	struct kvm_lapic_state lapic;
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct kvm_mp_state mp_state;
	struct kvm_vcpu_events events;
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry tsc[2];
	} msrs = { { 2, 0 }, { { 0x10, 0, 0 }, { 0x6e0, 0, 0 } } };
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
	struct kvm_port *port = &attach->port;
	int bad = port->nvcpus != CPUS;

	for (unsigned int i = 0; i < port->nvcpus; i++) {
		bad |= kvm_vcpu(port, i, KVM_GET_MP_STATE, &mp_state, sizeof(mp_state));
		bad |= kvm_vcpu(port, i, KVM_GET_SREGS, &sregs, sizeof(sregs));
		bad |= kvm_vcpu(port, i, KVM_GET_MSRS, &msrs, sizeof(msrs)) != 2;
		bad |= kvm_vcpu(port, i, KVM_GET_LAPIC, &lapic, sizeof(lapic));
		bad |= kvm_vcpu(port, i, KVM_GET_MSRS, &msrs, sizeof(msrs)) != 2;
		bad |= kvm_vcpu(port, i, KVM_GET_REGS, &regs, sizeof(regs));
		bad |= kvm_vcpu(port, i, KVM_GET_VCPU_EVENTS, &events, sizeof(events));
		bad |= (uint8_t)lapic.regs[0x23] != i || !(sregs.apic_base & 1 << 11);
	}
	for (unsigned int chip = 0; chip < KVM_NR_IRQCHIPS; chip++) {
		struct kvm_irqchip state = { .chip_id = chip };

		bad |= kvm_vm(port, KVM_GET_IRQCHIP, &state, sizeof(state));
	}
	bad |= kvm_vm(port, KVM_GET_PIT2, &pit, sizeof(pit));
	return bad | kvm_vm(port, KVM_GET_CLOCK, &clock, sizeof(clock));
}

struct stops {
	uint64_t all[ATTACHES];
	unsigned int threads, calls;
};

static int by_length(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void attach_often(struct vm *vm, struct stops *stops)
{
	for (unsigned int n = 0; n < ATTACHES; n++) {
		struct kvm_attach *attach = NULL;
		struct kvm_attach_result result;
		struct irqs_error err = { .text = "" };

		cr_assert_eq(kvm_attach(vm_pid(vm), 0, &attach, &err), 0, "%s", err.text);
		cr_expect_eq(read_all(attach), 0, "attach %u", n);
		kvm_attach_end(attach, &result);
		stops->all[n] = result.stop_ns;
		stops->threads = result.threads;
		stops->calls = result.calls;
		/* The guest has to live, too: what it misses while it stands must stay less than what it has. */
		sleep_ms(PAUSE_MS);
	}
	qsort(stops->all, ATTACHES, sizeof(*stops->all), by_length);
}

/* Return: did the guest go through it without a gap? */
static bool try_guest(struct stops *stops, struct guest_verdict *verdict)
{
	const struct vm_config config = { .kind = VM_KVM, .cpus = CPUS, .append = "route=ioapic" };
	char *before, *whole, reply[256] = "";
	struct guest_log log;
	struct vm vm;

	if (vm_start(&vm, &config) || vm_wait_lines(&vm, LINES_BEFORE, WAIT_MS)) {
		vm_stop(&vm);
		cr_assert_fail("%s", vm.error);
	}
	before = vm_serial(&vm);
	attach_often(&vm, stops);
	cr_expect_eq(vm_qmp(&vm, "{\"execute\":\"query-status\"}", reply, sizeof(reply)), 0, "%s", vm.error);
	cr_expect_not_null(strstr(reply, "running"), "%s", reply);
	vm_wait_lines(&vm, LINES_BEFORE + LINES_AFTER, WAIT_MS);
	whole = vm_serial(&vm);
	vm_stop(&vm);
	cr_assert(before && whole && strlen(whole) > strlen(before));
	guest_log_read(&log, before, whole + strlen(before));
	guest_judge(&log, &guest_limits_default, verdict);
	guest_log_free(&log);
	free(before);
	free(whole);
	return verdict->ok;
}

Test(attach, two_hundred_in_a_row_leave_the_guests_counters_without_a_gap, .timeout = 200)
{
	struct guest_verdict verdict;
	struct stops stops;
	const char *why;
	bool ok = false;

	if (!vm_can(VM_QEMU_7_2, VM_KVM, &why))
		cr_skip("%s", why);
	/* On a busy machine a guest may lose ticks by itself: it may try again. */
	for (unsigned int try = 0; try < TRIES && !ok; try++)
		ok = try_guest(&stops, &verdict);
	cr_expect(ok, "%s", verdict.why);
	cr_log_info("%u vCPUs, %u threads, %u calls: stopped for %llu us (median), %llu us (90%%), %llu us (worst)", CPUS,
		    stops.threads, stops.calls, (unsigned long long)stops.all[ATTACHES / 2] / 1000,
		    (unsigned long long)stops.all[ATTACHES * 9 / 10] / 1000,
		    (unsigned long long)stops.all[ATTACHES - 1] / 1000);
}

Test(attach, qemu_is_found_with_its_vcpus_and_threads, .timeout = 60)
{
	const struct vm_config config = { .kind = VM_KVM, .cpus = CPUS };
	struct kvm_found found = { 0 };
	struct irqs_error err = { .text = "" };
	unsigned int named = 0;
	const char *why;
	struct vm vm;
	int rc;

	if (!vm_can(VM_QEMU_7_2, VM_KVM, &why))
		cr_skip("%s", why);
	if (vm_start(&vm, &config)) {
		vm_stop(&vm);
		cr_assert_fail("%s", vm.error);
	}
	rc = kvm_find(vm_pid(&vm), &found, &err);
	vm_stop(&vm);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_expect_eq(found.nvms, 1);
	cr_assert_eq(found.nvcpus, CPUS);
	for (unsigned int i = 0; i < CPUS; i++)
		cr_expect(found.vcpus[i].id == i && found.vcpus[i].vm == 0);
	cr_expect_geq(found.nthreads, CPUS + 1);
	for (unsigned int i = 0; i < found.nthreads; i++)
		named += found.threads[i].comm[0] != '\0';
	cr_expect_eq(named, found.nthreads);
	kvm_found_deinit(&found);
}

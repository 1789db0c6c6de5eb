/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events that a plain guest does not make: PV EOI, TSC deadline, a level line that nobody silences. Roles: root. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include "busy_vm.h"
#include "compare.h"
#include "lab.h"
#include "subscriber.h"
#include "trace_raw.h"

#define CODE 0x1000 /* where busy_vm's vCPU begins */
#define PIN 20
#define KICK SIGUSR1

/*
 * Real mode. Enters x2APIC mode, has KVM mark in memory, at 0x4000, which interrupt needs no EOI, and lets the LAPIC timer fire at a TSC
 * deadline: again and again one interrupt from itself and one of the timer.
 */
extern const uint8_t rare_code[], rare_handler[], rare_end[];
__asm__(".pushsection .rodata\n"
	".code16\n"
	"rare_code:\n"
	"	movl $0x1b, %ecx\n"
	"	rdmsr\n"
	"	orl $0xc00, %eax\n"
	"	wrmsr\n"
	"	xorl %edx, %edx\n"
	"	movl $0x80f, %ecx\n"
	"	movl $0x1ff, %eax\n"
	"	wrmsr\n"
	"	movl $0x4b564d04, %ecx\n"
	"	movl $0x4001, %eax\n"
	"	wrmsr\n"
	"	movl $0x832, %ecx\n"
	"	movl $0x40034, %eax\n"
	"	wrmsr\n"
	"	sti\n"
	"1:	xorl %edx, %edx\n"
	"	movl $0x83f, %ecx\n"
	"	movl $0x31, %eax\n"
	"	wrmsr\n"
	"	cli\n"
	"	rdtsc\n"
	"	addl $500000, %eax\n"
	"	adcl $0, %edx\n"
	"	movl $0x6e0, %ecx\n"
	"	wrmsr\n"
	"	sti\n"
	"	hlt\n"
	"	jmp 1b\n"
	"rare_handler:\n"
	"	btrl $0, 0x4000\n"
	"	jc 2f\n"
	"	pushl %eax\n"
	"	pushl %ecx\n"
	"	pushl %edx\n"
	"	xorl %eax, %eax\n"
	"	xorl %edx, %edx\n"
	"	movl $0x80b, %ecx\n"
	"	wrmsr\n"
	"	popl %edx\n"
	"	popl %ecx\n"
	"	popl %eax\n"
	"2:	iret\n"
	"rare_end:\n"
	".code64\n"
	".popsection\n");

static struct busy_vm vm;

static void kicked(int signal)
{
	(void)signal;
}

static void *run_vcpu(void *arg)
{
	(void)arg;
	while (!vm.stop)
		if (ioctl(vm.vcpus[0], KVM_RUN, 0) && errno != EINTR && errno != EAGAIN)
			break;
	return NULL;
}

static void load_guest(void)
{
	uint16_t handler = (uint16_t)(CODE + (rare_handler - rare_code));

	memcpy(vm.memory + CODE, rare_code, (size_t)(rare_end - rare_code));
	for (unsigned int vector = 0; vector < 256; vector++)
		memcpy(vm.memory + vector * 4, &handler, sizeof(handler));
}

static void stop_vcpu(pthread_t thread)
{
	vm.stop = true;
	while (pthread_tryjoin_np(thread, NULL)) {
		pthread_kill(thread, KICK);
		lab_sleep_us(1000);
	}
}

/* A level-triggered pin, its line high: an interrupt behind every EOI, until KVM holds it back. */
static void storm(void)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_irq_level line = { .irq = PIN, .level = 1 };

	cr_assert_eq(ioctl(vm.fd, KVM_GET_IRQCHIP, &chip), 0);
	chip.chip.ioapic.redirtbl[PIN].bits = 1ull << 15 | 0x40;
	cr_assert_eq(ioctl(vm.fd, KVM_SET_IRQCHIP, &chip), 0);
	cr_assert_eq(ioctl(vm.fd, KVM_IRQ_LINE, &line), 0);
}

Test(events_rare, they_are_the_same_as_the_kernels_own_records, .init = lab_have_module, .timeout = 120)
{
	struct sigaction action = { .sa_handler = kicked };
	struct subscriber s, *all[] = { &s };
	pthread_t thread;

	lab_root_only();
	sigaction(KICK, &action, NULL);
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	trace_start();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	load_guest();
	cr_assert_eq(pthread_create(&thread, NULL, run_vcpu, NULL), 0);
	subscribers_await_type(all, 1, &s, IRQSHIFT_EVENT_PV_EOI);
	subscribers_await_type(all, 1, &s, IRQSHIFT_EVENT_WAIT_LAPIC_EXPIRE);
	if (lab_count(1, 0)) { /* 10,000 interrupts until it is held back */
		storm();
		subscribers_await_type(all, 1, &s, IRQSHIFT_EVENT_IOAPIC_DELAYED_EOI);
	}
	stop_vcpu(thread);
	busy_vm_close(&vm);
	compare_with_tracefs(&s);
	subscriber_close(&s);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an attach leaves behind in the thread that it borrows: nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kvm/attach.h"
#include "tests/kvm/child_vmm.h"

#define CALLS 5
#define SLEEP_MS 300
#define CHILD_SETTLE_US 20000

TestSuite(attach_traces, .timeout = 60);

static void attach_and_read(const struct child_vmm *child)
{
	struct kvm_attach *attach = child_attach(child);

	for (unsigned int i = 0; i < CALLS; i++)
		cr_expect_eq(child_read_lapic(attach), 0);
	kvm_attach_end(attach, NULL);
}

/* ---- system calls that the stop interrupts ---- */

static void act_nanosleep(struct child_vmm *child)
{
	struct timespec t = { 0, SLEEP_MS * 1000000L };
	uint64_t begin = child_now_ns();

	child->acting = true;
	child_finish(child, begin, nanosleep(&t, NULL));
}

static void act_poll_timeout(struct child_vmm *child)
{
	struct pollfd fd = { child->pipe[0], POLLIN, 0 };
	uint64_t begin = child_now_ns();

	child->acting = true;
	child_finish(child, begin, poll(&fd, 1, SLEEP_MS));
}

static void act_ppoll_timeout(struct child_vmm *child)
{
	struct timespec t = { 0, SLEEP_MS * 1000000L };
	uint64_t begin = child_now_ns();
	sigset_t none;

	sigemptyset(&none);
	child->acting = true;
	child_finish(child, begin, ppoll(NULL, 0, &t, &none));
}

static void act_epoll(struct child_vmm *child)
{
	int epoll = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t begin = child_now_ns();

	epoll_ctl(epoll, EPOLL_CTL_ADD, child->pipe[0], &event);
	child->acting = true;
	child_finish(child, begin, epoll_wait(epoll, &event, 1, -1));
}

static void act_futex(struct child_vmm *child)
{
	uint64_t begin = child_now_ns();

	child->acting = true;
	child_finish(child, begin, syscall(SYS_futex, &child->futex, FUTEX_WAIT, 0, NULL, NULL, 0));
}

static void act_sigwait(struct child_vmm *child)
{
	uint64_t begin = child_now_ns();
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, SIGUSR1);
	sigprocmask(SIG_BLOCK, &one, NULL);
	child->acting = true;
	child_finish(child, begin, sigwaitinfo(&one, NULL));
}

Test(attach_traces, an_interrupted_system_call_goes_on)
{
	static const struct {
		const char *name;
		void (*act)(struct child_vmm *);
		bool timed;
		int signal, result;
	} calls[] = {
		{ "nanosleep", act_nanosleep, true, 0, 0 },
		{ "poll", act_poll_timeout, true, 0, 0 },
		{ "ppoll", act_ppoll_timeout, true, 0, 0 },
		{ "read", child_act_read, false, 0, 1 },
		{ "epoll_wait", act_epoll, false, 0, 1 },
		{ "futex", act_futex, false, 0, 0 },
		{ "sigwaitinfo", act_sigwait, false, SIGUSR1, SIGUSR1 },
	};

	if (child_skip())
		return;
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		struct child_vmm *child = child_new();

		child->act = calls[i].act;
		child_start(child);
		usleep(CHILD_SETTLE_US);
		for (unsigned int n = 0; n < 3; n++)
			attach_and_read(child);
		cr_expect_not(child->done, "%s returned %d, errno %d", calls[i].name, child->result, child->error);
		if (calls[i].signal)
			kill(child->pid, calls[i].signal);
		else if (!calls[i].timed)
			child_nudge(child);
		cr_assert(child_wait(&child->done, 2000), "%s hangs", calls[i].name);
		cr_expect_eq(child->result, calls[i].result, "%s: %d, errno %d", calls[i].name, child->result, child->error);
		if (calls[i].timed) {
			cr_expect_geq(child->took_ns, SLEEP_MS * 1000000ull, "%s", calls[i].name);
			cr_expect_lt(child->took_ns, (SLEEP_MS + 150) * 1000000ull, "%s: %llu", calls[i].name,
				     (unsigned long long)child->took_ns);
		}
		child_end(child);
	}
}

/* A parent waits for its vfork(2) child where no signal and no tracer reaches it. */
static void also_vfork(struct child_vmm *child)
{
	pid_t pid;

	child->acting = true;
	pid = vfork();
	if (!pid) {
		usleep(1000 * SLEEP_MS);
		_exit(0);
	}
	child->result = waitpid(pid, NULL, 0) == pid;
	child->done = true;
}

Test(attach_traces, a_thread_that_cannot_stop_is_not_waited_for_while_others_stand)
{
	struct child_vmm *child = child_new();
	struct kvm_attach_result result;
	struct kvm_attach *attach;
	uint64_t begin;

	if (child_skip())
		return;
	child->also = also_vfork;
	child_start(child);
	cr_assert(child_wait(&child->acting, 1000));
	usleep(CHILD_SETTLE_US);
	begin = child_now_ns();
	attach = child_attach(child);
	cr_expect_eq(child_read_lapic(attach), 0);
	kvm_attach_end(attach, &result);
	cr_expect_lt(result.stop_ns, SLEEP_MS / 2 * 1000000ull, "%llu", (unsigned long long)result.stop_ns);
	cr_expect_gt(child_now_ns() - begin, SLEEP_MS / 2 * 1000000ull);
	cr_expect(child_wait(&child->done, 2000));
	cr_expect_eq(child->result, 1);
	child_end(child);
}

/* ---- signals ---- */

static struct child_vmm *counted;

static void count_signal(int signal)
{
	counted->signals[signal != SIGUSR1]++;
}

static void act_count(struct child_vmm *child)
{
	struct sigaction action = { .sa_handler = count_signal };

	counted = child;
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGRTMIN, &action, NULL);
	child->acting = true;
	/* EINTR is due for the handlers, and only for them. */
	child_finish(child, child_now_ns(), pause());
}

Test(attach_traces, signals_wait_until_the_end_and_come_once)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;

	if (child_skip())
		return;
	child->act = act_count;
	child_start(child);
	usleep(CHILD_SETTLE_US);
	attach = child_attach(child);
	cr_expect_eq(child_read_lapic(attach), 0);
	kill(child->pid, SIGUSR1);
	for (unsigned int i = 0; i < 3; i++)
		kill(child->pid, SIGRTMIN);
	for (unsigned int i = 0; i < CALLS; i++)
		cr_expect_eq(child_read_lapic(attach), 0);
	usleep(CHILD_SETTLE_US);
	cr_expect_eq(child->signals[0] + child->signals[1], 0);
	kvm_attach_end(attach, NULL);
	cr_assert(child_wait(&child->done, 2000));
	cr_expect_eq(child->error, EINTR);
	cr_expect_eq(child->signals[0], 1);
	cr_expect_eq(child->signals[1], 3);
	attach_and_read(child);
	cr_expect_eq(child->signals[0] + child->signals[1], 4);
	child_end(child);
}

static char state_of(pid_t pid)
{
	char path[64], text[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	cr_assert(f && fgets(text, sizeof(text), f));
	fclose(f);
	return strrchr(text, ')')[2];
}

Test(attach_traces, a_stopped_process_stays_stopped_and_one_that_is_stopped_meanwhile_stops)
{
	if (child_skip())
		return;
	for (unsigned int before = 0; before < 2; before++) {
		struct child_vmm *child = child_new();
		struct kvm_attach *attach;
		int status;

		child->act = child_act_read;
		child_start(child);
		usleep(CHILD_SETTLE_US);
		if (before)
			kill(child->pid, SIGSTOP);
		attach = child_attach(child);
		cr_expect_eq(child_read_lapic(attach), 0);
		if (!before)
			kill(child->pid, SIGSTOP);
		cr_expect_eq(child_read_lapic(attach), 0);
		kvm_attach_end(attach, NULL);
		usleep(CHILD_SETTLE_US);
		cr_expect_eq(state_of(child->pid), 'T', "%c", state_of(child->pid));
		cr_expect_eq(waitpid(child->pid, &status, WUNTRACED | WNOHANG), child->pid, "the parent heard nothing");
		child_nudge(child);
		usleep(CHILD_SETTLE_US);
		cr_expect_not(child->done);
		kill(child->pid, SIGCONT);
		cr_expect(child_wait(&child->done, 2000));
		cr_expect_eq(child->result, 1);
		child_end(child);
	}
}

/* ---- registers and stack ---- */

/*
 * Spin in user mode with known registers over 8 KiB of known bytes below the stack pointer, then count what differs.
 * The flags must survive too: the loop ends with the carry that was set before it.
 */
static void act_spin(struct child_vmm *child)
{
	unsigned long wrong;
	static char fpu[16] __attribute__((aligned(16))) = "sixteen bytes..";

	child->acting = true;
	__asm__ volatile(
		"sub $8192, %%rsp\n mov %%rsp, %%rdi\n mov $8192, %%ecx\n mov $0x5a, %%eax\n cld\n rep stosb\n"
		"add $8192, %%rsp\n movaps %[fpu], %%xmm7\n"
		"mov $1, %%r8\n mov $2, %%r9\n mov $3, %%r10\n mov $4, %%r11\n mov $5, %%r12\n mov $6, %%r13\n mov $7, %%r14\n"
		"mov $9, %%rsi\n mov $10, %%rdi\n mov $11, %%rdx\n mov $12, %%rcx\n mov $13, %%rax\n"
		"1: cmpb $0, (%[go])\n je 1b\n"
		"sub $13, %%rax\n sub $12, %%rcx\n or %%rcx, %%rax\n sub $11, %%rdx\n or %%rdx, %%rax\n sub $10, %%rdi\n or %%rdi, %%rax\n"
		"sub $9, %%rsi\n or %%rsi, %%rax\n sub $7, %%r14\n or %%r14, %%rax\n sub $6, %%r13\n or %%r13, %%rax\n"
		"sub $5, %%r12\n or %%r12, %%rax\n sub $4, %%r11\n or %%r11, %%rax\n sub $3, %%r10\n or %%r10, %%rax\n"
		"sub $2, %%r9\n or %%r9, %%rax\n dec %%r8\n or %%rax, %%r8\n"
		"pcmpeqb %[fpu], %%xmm7\n pmovmskb %%xmm7, %%eax\n xor $0xffff, %%eax\n or %%rax, %%r8\n"
		"lea -8192(%%rsp), %%rdi\n mov $8192, %%ecx\n mov $0x5a, %%eax\n repe scasb\n setne %%al\n movzbl %%al, %%eax\n"
		"or %%rax, %%r8\n mov %%r8, %[wrong]\n"
		: [wrong] "=&r"(wrong)
		: [go] "b"(&child->go), [fpu] "m"(fpu)
		: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "xmm7", "cc", "memory");
	child->result = wrong != 0;
	child->done = true;
}

Test(attach_traces, registers_and_the_bytes_below_the_stack_stay)
{
	struct child_vmm *child = child_new();

	if (child_skip())
		return;
	child->act = act_spin;
	child_start(child);
	usleep(CHILD_SETTLE_US);
	for (unsigned int n = 0; n < 10; n++)
		attach_and_read(child);
	cr_expect_not(child->done);
	child->go = true;
	cr_assert(child_wait(&child->done, 2000));
	cr_expect_eq(child->result, 0);
	child_end(child);
}

/* Into a segment of 32-bit code, for good. */
static void act_32_bits(struct child_vmm *child)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	code[0] = 0xeb; /* jmp to itself */
	code[1] = 0xfe;
	child->acting = true;
	__asm__ volatile("pushq $0x23\n push %0\n lretq"
			 :
			 : "r"((uint64_t)(uintptr_t)code));
}

Test(attach_traces, a_thread_in_32_bit_mode_is_not_used)
{
	struct child_vmm *child = child_new();
	struct kvm_attach *attach;
	struct irqs_error err;

	if (child_skip())
		return;
	child->act = act_32_bits;
	child_start(child);
	usleep(CHILD_SETTLE_US);
	cr_expect_eq(kvm_attach(child->pid, 0, &attach, &err), -EOPNOTSUPP);
	cr_expect_not_null(strstr(err.text, "64-bit"), "%s", err.text);
	cr_expect_eq(state_of(child->pid), 'R');
	child_end(child);
}

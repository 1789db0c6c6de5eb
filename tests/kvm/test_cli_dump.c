/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift dump` of a small VMM in another process. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kvm/child_vmm.h"
#include "tests/unit/cli_run.h"
#include "vm.h"

#define NOBODY 65534
#define DEATHS 40

TestSuite(cli_dump, .init = vm_have_kvm, .timeout = 60);

/* Runs a command in which %1$s is the program and %2$d the child. Return: its exit status; what it printed is in cli_text. */
__attribute__((format(printf, 1, 0))) static int run(const char *fmt, pid_t pid)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd), fmt, cli_program(), (int)pid);
	return cli_capture(cmd);
}

static bool one_line(void)
{
	return !strncmp(cli_text, "irqshift: ", 10) && strchr(cli_text, '\n') == cli_text + strlen(cli_text) - 1;
}

static struct child_vmm *start(unsigned int nvms, unsigned int nvcpus, bool halted)
{
	struct child_vmm *child = child_new();

	child->nvms = nvms;
	child->nvcpus = nvcpus;
	child->runs = true;
	child->halted = halted;
	child_start(child);
	return child;
}

/* ---- what it prints ---- */

Test(cli_dump, registers_of_each_vcpu_are_decoded)
{
	struct child_vmm *child = start(1, 2, true);

	cr_assert_eq(run("'%1$s' dump --pid %2$d 2>&1", child->pid), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "stopped for"), "%s", cli_text);
	cr_expect(strstr(cli_text, "irqchip full (all in the kernel), 2 CPUs"), "%s", cli_text);
	cr_expect(strstr(cli_text, "\napic[1] (kvm-apic)\n"), "%s", cli_text);
	cr_expect(strstr(cli_text, "  TPR                        0x00000010 subclass=0 class=1"), "%s", cli_text);
	cr_expect(strstr(cli_text, "  TPR                        0x00000020 subclass=0 class=2"), "%s", cli_text);
	cr_expect(strstr(cli_text, "\nioapic[0] (kvm-ioapic)\n"), "%s", cli_text);
	cr_expect(strstr(cli_text, "\ni8259[1] (kvm-i8259)\n"), "%s", cli_text);
	cr_expect_not(strchr(cli_text, '\033'));
	cr_assert_eq(run("'%1$s' dump --color always --pid %2$d 'apic[1]' 2>&1", child->pid), 0, "%s", cli_text);
	cr_expect(strchr(cli_text, '\033') && strstr(cli_text, "0x00000020") && !strstr(cli_text, "0x00000010 sub") && !strstr(cli_text, "ioapic"));
	cr_expect_eq(run("'%1$s' dump --pid %2$d nothing 2>&1 >/dev/null", child->pid), 2);
	cr_expect(one_line() && strstr(cli_text, "nothing: no such section"), "%s", cli_text);
	child_end(child);
}

Test(cli_dump, what_it_saves_is_what_it_prints_as_json)
{
	static char native[sizeof(cli_text)];
	char folder[] = "/tmp/irqshift-dump-XXXXXX", cmd[256];
	struct child_vmm *child = start(1, 2, true);
	struct stat st;

	cr_assert(mkdtemp(folder) && !chdir(folder));
	cr_assert_eq(run("'%1$s' dump --pid %2$d --save s 2>&1", child->pid), 0, "%s", cli_text);
	cr_expect_str_empty(cli_text);
	cr_assert_eq(stat("s", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(run("'%1$s' dump --pid %2$d --save j --json 2>&1", child->pid), 0, "%s", cli_text);
	cr_assert_eq(run("'%1$s' show s apic 2>&1", 0), 0, "%s", cli_text);
	memcpy(native, cli_text, sizeof(native));
	cr_expect(strstr(native, "0x00000020 subclass=0 class=2"), "%s", native);
	cr_assert_eq(run("'%1$s' show j apic | grep -v '  tsc ' 2>&1", 0), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "0x00000020 subclass=0 class=2"), "%s", cli_text);
	cr_assert_eq(run("'%1$s' dump --pid %2$d --json 2>&1", child->pid), 0, "%s", cli_text);
	cr_expect(!strncmp(cli_text, "{", 1) && strstr(cli_text, "\"irqshift-tree\""), "%s", cli_text);
	cr_assert_eq(run("'%1$s' restore s 2>&1", 0), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, ", 0 wrong, "), "%s", cli_text);
	cr_expect_eq(run("'%1$s' dump --pid %2$d --save no/such/s 2>&1", child->pid), 1);
	cr_expect(one_line(), "%s", cli_text);
	snprintf(cmd, sizeof(cmd), "rm -r %s", folder);
	cr_expect(!chdir("/") && !system(cmd));
	child_end(child);
}

Test(cli_dump, a_peek_shows_what_needs_no_stop)
{
	struct child_vmm *child = start(1, 2, false);

	while (!child->counts[0][1])
		usleep(1000);
	cr_assert_eq(run("'%1$s' dump --pid %2$d --peek 2>&1", child->pid), 0, "%s", cli_text);
	cr_expect(strstr(cli_text, "vCPU 1 (descriptor"), "%s", cli_text);
	cr_expect(strstr(cli_text, "apic_base                  0x00000000fee00800"), "%s", cli_text);
	cr_expect(strstr(cli_text, "cr8                        0x0000000000000002"), "%s", cli_text);
	cr_expect_not(strstr(cli_text, "TPR"));
	child_end(child);
}

/* ---- watching ---- */

static void change_vectors(struct child_vmm *child)
{
	struct kvm_lapic_state page;
	int fd = child->vcpus[0][1];

	child->acting = true;
	child_wait(&child->go, 20000);
	if (ioctl(fd, KVM_GET_LAPIC, &page))
		child->failures++;
	vm_put_reg(&page, LAPIC_SVR, 0x1ff);
	vm_put_reg(&page, LAPIC_IRR + 16 * 7, 1U << 12);
	if (ioctl(fd, KVM_SET_LAPIC, &page))
		child->failures++;
	child->done = true;
	for (;;)
		pause();
}

/* Reads until a line holds @what; it is in text then. */
static bool read_until(FILE *f, const char *what)
{
	while (fgets(cli_text, sizeof(cli_text), f)) {
		cr_expect_not(strstr(cli_text, "advanced") || strstr(cli_text, "ran on"), "%s", cli_text);
		if (strstr(cli_text, what))
			return true;
	}
	return false;
}

Test(cli_dump, a_watch_prints_all_once_and_then_what_changed)
{
	struct child_vmm *child = child_new();
	char cmd[512];
	FILE *f;

	child->nvcpus = 2;
	child->act = change_vectors;
	child_start(child);
	snprintf(cmd, sizeof(cmd), "timeout -k 1 30 '%s' dump --pid %d --watch 0.05 2>&1", cli_program(), (int)child->pid);
	f = popen(cmd, "r");
	cr_assert(f);
	cr_assert(read_until(f, "apic[1] (kvm-apic)"));
	cr_assert(read_until(f, "clock[0]"));
	child->go = true;
	cr_assert(read_until(f, "apic[1] "), "no change was seen");
	cr_expect(strstr(cli_text, "apic[1] vector 236") && strstr(cli_text, "IRR"), "%s", cli_text);
	cr_expect_not(child->failures);
	child_end(child);
	cr_assert(read_until(f, "irqshift: "), "the end of the VM was not said");
	cr_expect_eq(WEXITSTATUS(pclose(f)), 1);
}

/* ---- what it refuses ---- */

Test(cli_dump, of_several_vms_one_is_chosen)
{
	struct child_vmm *child = start(2, 1, true);

	cr_expect_eq(run("'%1$s' dump --pid %2$d 2>&1", child->pid), 2);
	cr_expect(strstr(cli_text, "2 VMs are in it, --vm chooses one") && strstr(cli_text, "--vm 0  desc") && strstr(cli_text, "--vm 1  desc"),
		  "%s", cli_text);
	cr_expect_eq(run("'%1$s' dump --pid %2$d --vm 2 2>&1", child->pid), 2);
	cr_expect(strstr(cli_text, "--vm 1  desc"), "%s", cli_text);
	if (run("'%1$s' dump --pid %2$d --vm 1 apic 2>&1", child->pid) == 3)
		cr_expect(strstr(cli_text, "debugfs"), "%s", cli_text);
	else
		cr_expect(strstr(cli_text, "0x00000050 subclass=0 class=5"), "%s", cli_text);
	child_end(child);
}

Test(cli_dump, a_process_without_a_vm_and_none_at_all_are_told_apart)
{
	pid_t pid = fork();

	if (!pid)
		for (;;)
			pause();
	cr_expect_eq(run("'%1$s' dump --pid %2$d 2>&1", pid), 2);
	cr_expect(one_line() && strstr(cli_text, "no VM of KVM is in it"), "%s", cli_text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect_eq(run("'%1$s' dump --pid %2$d 2>&1", pid), 1);
	cr_expect(one_line(), "%s", cli_text);
}

Test(cli_dump, wrong_options_are_named)
{
	static const char *const wrong[] = { "", "--pid", "--pid x", "--pid 0", "--pid 1 --vm -1", "--pid 1 --watch=0",
					     "--pid 1 --watch --json", "--pid 1 --peek --save x", "--pid 1 --color red",
					     "--pid 1 --save x apic", "--pid 1 --nothing" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char cmd[128];

		snprintf(cmd, sizeof(cmd), "'%%1$s' dump %s 2>&1", wrong[i]);
		cr_expect_eq(run(cmd, 0), 2, "%s: %s", wrong[i], cli_text);
		cr_expect(one_line() && strstr(cli_text, "(usage: irqshift dump"), "%s: %s", wrong[i], cli_text);
	}
}

/* As another user; the program may be where that one cannot go. */
static void dump_as_nobody(int program_fd, pid_t pid, int out)
{
	char number[16];
	char *const argv[] = { "irqshift", "dump", "--pid", number, NULL }, *const env[] = { NULL };

	snprintf(number, sizeof(number), "%d", (int)pid);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		_exit(99);
	fexecve(program_fd, argv, env);
	_exit(98);
}

Test(cli_dump, without_the_right_to_ptrace_it_says_what_that_takes)
{
	struct child_vmm *child;
	int fd = open(cli_program(), O_RDONLY), p[2], status;
	ssize_t n;
	pid_t pid;

	if (geteuid()) {
		cr_skip_test("only root can be another user");
		return;
	}
	child = start(1, 1, true);
	cr_assert(fd >= 0 && !pipe(p));
	pid = fork();
	if (!pid)
		dump_as_nobody(fd, child->pid, p[1]);
	close(p[1]);
	n = read(p[0], cli_text, sizeof(cli_text) - 1);
	cli_text[n > 0 ? n : 0] = '\0';
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(WEXITSTATUS(status), 1, "%s", cli_text);
	cr_expect(one_line() && (strstr(cli_text, "denied") || strstr(cli_text, "CAP_SYS_PTRACE")), "%s", cli_text);
	child_end(child);
}

static void kill_later(struct child_vmm *child, unsigned int us)
{
	pid_t pid = fork();

	if (pid)
		return;
	usleep(us);
	kill(child->pid, SIGKILL);
	_exit(0);
}

/* All or nothing, and an answer in any case. */
Test(cli_dump, a_vm_that_dies_in_the_middle_is_said_to_be_gone)
{
	uint64_t seed = vm_seed();
	unsigned int died = 0;

	for (unsigned int i = 0; i < DEATHS; i++) {
		struct child_vmm *child = start(1, 1 + i % 4, i % 3 == 0);
		int status;

		kill_later(child, vm_random(&seed) % 40000);
		status = run("timeout -k 1 10 '%1$s' dump --pid %2$d --json 2>&1", child->pid);
		died += status != 0;
		/* Where it was on its way out already, what it lacked is said: descriptors, a VM, memory. */
		if (status)
			cr_expect(status <= 3 && strstr(cli_text, "irqshift: process "), "%d: %s", status, cli_text);
		else
			cr_expect(strstr(cli_text, "\"apic\"") && strstr(cli_text, "\"tmict\"") && strstr(cli_text, "\"clock\""), "%s", cli_text);
		child_end(child);
	}
	cr_log_info("%u of %d died before the end", died, DEATHS);
	while (wait(NULL) > 0)
		;
}

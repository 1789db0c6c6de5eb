/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debugging scripts and `irqshift monitor` on a real QEMU under KVM: what they print, and that the guest lives on. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/qemu/process.h"
#include "tests/qemu/vm.h"

#define SCRIPT_S 40
#define LINE_MS 15000
#define CHILD_MS 5000

static char output[] = P_tmpdir "/irqshift-debug-XXXXXX";
static struct vm vm;
static pid_t qemu = -1;
static char *said;

static void setup(void)
{
	const char *program = getenv("IRQSHIFT");
	int fd = mkstemp(output);

	cr_assert_geq(fd, 0);
	close(fd);
	setenv("IRQSHIFT", program ? program : "build/irqshift", 1);
}

static void teardown(void)
{
	if (qemu > 0)
		vm_stop(&vm);
	free(said);
	unlink(output);
}

TestSuite(debug_scripts, .init = setup, .fini = teardown, .timeout = 180);

/* The program that a `timeout` runs. */
static pid_t child_of(pid_t timeout)
{
	char path[64];
	long child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", timeout, timeout);
	for (unsigned int waited = 0; waited < CHILD_MS; waited += 10) {
		char *text = read_text(path);

		child = text ? strtol(text, NULL, 10) : 0;
		free(text);
		if (child > 0)
			return (pid_t)child;
		sleep_ms(10);
	}
	return -1;
}

static void start_guest(void)
{
	const struct vm_config config = { .kind = VM_KVM, .cpus = 2, .append = "route=ioapic", .limit_s = 120 };
	const char *why;

	if (!vm_can(VM_QEMU_7_2, VM_KVM, &why))
		cr_skip_test("%s", why);
	if (system("command -v python3 >/dev/null"))
		cr_skip_test("there is no python3");
	cr_assert_eq(vm_start(&vm, &config), 0, "%s", vm.error);
	qemu = child_of(vm.pid);
	cr_assert_gt(qemu, 0);
	cr_assert_eq(vm_wait_lines(&vm, 5, LINE_MS), 0, "%s", vm.error);
}

static unsigned int lines_so_far(void)
{
	char *log = vm_serial(&vm);
	unsigned int n = 0;

	for (const char *at = log; at && (at = strchr(at, '\n')); at++)
		n++;
	free(log);
	return n;
}

/* The guest says something new, and nobody traces its QEMU any more. */
static void expect_guest_goes_on(void)
{
	char path[64], *status;

	cr_expect_eq(vm_wait_lines(&vm, lines_so_far() + 3, LINE_MS), 0, "%s", vm.error);
	snprintf(path, sizeof(path), "/proc/%d/status", qemu);
	status = read_text(path);
	cr_expect(status && strstr(status, "TracerPid:\t0\n"), "%s", status ? status : "QEMU is gone");
	free(status);
}

static pid_t start_script(const char *command)
{
	const char *const argv[] = { "sh", "-c", command, NULL };
	pid_t pid = process_start(argv, SCRIPT_S, output);

	cr_assert_gt(pid, 0);
	return pid;
}

static unsigned int times_said(const char *what)
{
	char *text = read_text(output);
	unsigned int n = 0;

	for (const char *at = text; at && (at = strstr(at, what)); at++)
		n++;
	free(text);
	return n;
}

/* Looks only: end_of_script() is to have its status. */
static bool has_ended(pid_t script)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, (id_t)script, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

/* Until the script has said it so often, or has ended. */
static void wait_said(pid_t script, const char *what, unsigned int times)
{
	for (unsigned int waited = 0; waited < LINE_MS && times_said(what) < times && !has_ended(script); waited += 50)
		sleep_ms(50);
}

/* Its exit status; what it printed is in @said. */
static int end_of_script(pid_t pid)
{
	int status = process_wait(pid, 1000 * SCRIPT_S);

	free(said);
	said = read_text(output);
	cr_assert(said);
	return status;
}

static void expect(int status, const char *command, const char *wanted)
{
	int got = end_of_script(start_script(command));

	cr_expect_eq(got, status, "%s: exit status %d, not %d: %s", command, got, status, said);
	cr_expect(strstr(said, wanted), "%s: no \"%s\" in: %s", command, wanted, said);
}

#define expect_said(wanted) cr_expect(strstr(said, wanted), "no \"%s\" in:\n%s", wanted, said)

Test(debug_scripts, usage_is_2_and_what_cannot_be_traced_is_1)
{
	if (system("command -v python3 >/dev/null"))
		cr_skip_test("there is no python3");
	expect(0, "scripts/irqchip-strace --help", "Exit status:");
	expect(2, "scripts/irqchip-strace", "either a PID or -- COMMAND is needed");
	expect(2, "scripts/irqchip-strace qemu", "qemu: not a PID");
	expect(1, "scripts/irqchip-strace 999999999", "999999999: no such process");
	expect(1, "IRQSHIFT=/nonexistent scripts/irqchip-strace $$", "/nonexistent does not decode");
}

Test(debug_scripts, strace_decodes_what_a_monitor_command_makes_qemu_ask)
{
	char command[256];
	pid_t script;

	start_guest();
	/* --only: the lines of the devices are thousands */
	snprintf(command, sizeof(command),
		 "exec scripts/irqchip-strace --seconds 30 --only LAPIC --only MP_STATE --only LINE %d", qemu);
	script = start_script(command);
	wait_said(script, "    GSI 8 high\n", 1);
	for (unsigned int i = 0; i < 2; i++)
		cr_expect_eq(vm_qmp(&vm,
				    "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": \"info lapic\"}}",
				    NULL, 0),
			     0, "%s", vm.error);
	wait_said(script, " vcpu 0  KVM_GET_LAPIC(fd ", 2);
	/* by the next line of the RTC its registers are said */
	wait_said(script, "    GSI 8 high\n", times_said("    GSI 8 high\n") + 1);
	cr_assert_eq(kill(child_of(script), SIGTERM), 0);
	cr_expect_eq(end_of_script(script), 0, "%s", said);
	expect_said(" vcpu 0  KVM_GET_MP_STATE(fd ");
	expect_said(" vcpu 0  KVM_GET_LAPIC(fd ");
	expect_said("    SVR                        0x000001ff vector=255 enable\n");
	expect_said("    GSI 8 high\n    status 1: delivered\n");
	expect_said("goes on\n");
	cr_expect_not(strstr(said, "not be read"), "%s", said);
	cr_expect_not(strstr(said, "not decoded"), "%s", said);
	/* the second is printed by what changed, and a page again is not */
	cr_expect_not(strstr(strstr(said, "    SVR ") + 1, "    SVR "), "%s", said);
	expect_guest_goes_on();
}

Test(debug_scripts, strace_lets_go_after_a_time_on_a_signal_and_when_it_is_killed)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGKILL };
	char command[128];

	start_guest();
	snprintf(command, sizeof(command), "exec scripts/irqchip-strace --seconds 0.5 %d", qemu);
	expect(0, command, "goes on\n");
	snprintf(command, sizeof(command), "exec scripts/irqchip-strace %d", qemu);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		pid_t script = start_script(command), python = child_of(script);
		int status;

		cr_assert_gt(python, 0);
		wait_said(script, "KVM_IRQ_LINE_STATUS", 1);
		cr_assert_eq(kill(python, signals[i]), 0);
		status = end_of_script(script);
		cr_expect_eq(status, signals[i] == SIGKILL ? 128 + SIGKILL : 0, "signal %d: %d", signals[i], status);
		cr_expect(strstr(said, "KVM_IRQ_LINE_STATUS"), "%s", said);
		expect_guest_goes_on();
	}
}

Test(debug_scripts, strace_says_what_it_could_not_read)
{
	const char *why;

	if (!vm_can(VM_QEMU_7_2, VM_KVM, &why))
		cr_skip_test("%s", why);
	if (system("command -v python3 >/dev/null"))
		cr_skip_test("there is no python3");
	/* A VM without a VMM, and a page that is not there. */
	expect(0,
	       "exec scripts/irqchip-strace -- python3 -c 'import fcntl, os\n"
	       "vm = fcntl.ioctl(os.open(\"/dev/kvm\", os.O_RDWR), 0xae01)\n"
	       "fcntl.ioctl(vm, 0xae60)\n"
	       "cpu = fcntl.ioctl(vm, 0xae41, 0)\n"
	       "fcntl.ioctl(cpu, 0x4400ae8f, 4096)' 2>&1",
	       "KVM_SET_LAPIC(fd ");
	expect_said("= -1 EFAULT (Bad address), its bytes could not be read: ");
	expect_said("KVM_CREATE_VCPU(fd ");
}

Test(debug_scripts, gdb_shows_every_chip_of_a_vmm_without_symbols)
{
	char command[1024];

	if (system("command -v gdb >/dev/null"))
		cr_skip_test("there is no gdb: scripts/setup debug");
	start_guest();
	snprintf(command, sizeof(command),
		 "exec gdb -nx -batch -iex 'set auto-solib-add off' -iex 'set debuginfod enabled off' -p %d "
		 "-x scripts/irqchip-gdb.py -ex 'irqshift vms' -ex 'irqshift lapic 1' -ex 'irqshift events 0' "
		 "-ex 'irqshift pic' -ex 'irqshift ioapic' -ex 'irqshift pit' -ex 'irqshift msrs 0' "
		 "-ex 'irqshift get KVM_GET_CLOCK' -ex 'irqshift lapic 7' -ex 'irqshift lapics'",
		 qemu);
	cr_expect_eq(end_of_script(start_script(command)), 1, "the last command fails, so does gdb: %s", said);
	expect_said("vcpu 1\n");
	expect_said("    ID                         0x01000000 apic_id=1\n");
	expect_said("KVM_GET_VCPU_EVENTS\n    interrupt_injected         -1\n");
	expect_said("  PIC master\n");
	expect_said("  PIC slave\n");
	expect_said("    pin 8  0x0000000000000080 vector 128 fixed   edge  high, physical 0\n");
	expect_said("    channel 0: mode 2 rate generator");
	expect_said("    tsc_deadline ");
	expect_said("    kvmclock ");
	expect_said("the process has no vCPU 7\n");
	expect_said("irqshift vms | lapic");
	cr_expect_not(strstr(said, "Error occurred in Python"), "%s", said);
	expect_guest_goes_on();
}

Test(debug_scripts, monitor_shows_one_vm_and_takes_its_instance_away)
{
	unsigned int count = 0, merged = 0, eois = 0;
	char command[256], name[64];
	const char *row;
	pid_t monitor;
	int status;

	start_guest();
	snprintf(command, sizeof(command), "exec \"$IRQSHIFT\" monitor --source tracefs --events --pid %d", qemu);
	monitor = start_script(command);
	snprintf(name, sizeof(name), "irqshift-%d", child_of(monitor));
	wait_said(monitor, "LAPIC 0 accepts vector 64", 40);
	status = process_wait(monitor, 0);
	if (status != -EAGAIN) {
		said = read_text(output);
		if (strstr(said, "cannot be") || strstr(said, "none of KVM's"))
			cr_skip_test("%s", said);
		cr_assert_fail("exit status %d: %s", status, said);
	}
	cr_assert_eq(kill(child_of(monitor), SIGTERM), 0);
	cr_expect_eq(end_of_script(monitor), 0, "%s", said);
	expect_said("LAPIC 0 accepts vector 64");
	expect_said("LAPIC 0: EOI of vector 128\n");
	expect_said("  GSI 8 high\n");
	/* raised by the kernel's thread that works for this VM */
	expect_said("kvm-pit/");
	row = strstr(said, "\n   0     64 IOAPIC pin 2 ");
	cr_assert(row, "%s", said);
	cr_assert_eq(sscanf(row, " 0 64 IOAPIC pin 2%*[.,] %*f %u %u %u", &count, &merged, &eois) == 3 ||
			     sscanf(row, " 0 64 IOAPIC pin 2 %*f %u %u %u", &count, &merged, &eois) == 3,
		     true, "%.160s", row);
	cr_expect_geq(count, 10, "%.160s", row);
	/* On a busy machine a tick finds the one before it still requested. */
	cr_expect_leq(count - eois, count / 3, "%.160s", row);
	snprintf(command, sizeof(command),
		 "exec unshare -m sh -c 'mount -t tracefs nodev /sys/kernel/tracing && ls -a /sys/kernel/tracing/instances'");
	cr_expect_eq(end_of_script(start_script(command)), 0, "%s", said);
	expect_said("..\n");
	cr_expect_not(strstr(said, name), "%s", said);
	expect_guest_goes_on();
}

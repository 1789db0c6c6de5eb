/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One QEMU process: command line, QMP over a unix socket, clean-up. */
#include "tests/qemu/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/qemu/process.h"

#define ANSWER_MS 8000
#define START_MS 8000
#define LOAD_MS 10000
#define SAVE_MS 20000
#define DEFAULT_LIMIT_S 40
#define DEFAULT_MACHINE "pc-i440fx-7.2"
#define DEFAULT_CPU "qemu64,-x2apic"
#define BINARY "/usr/bin/qemu-system-x86_64"
#define FIRMWARE "/usr/share/qemu/qboot.rom"
#define GUEST_DEFAULT "build/tests/guests/guest.elf"
#define BUILD_DEFAULT "build"

static const char *const kind_names[] = {
	[VM_KVM] = "kvm",
	[VM_KVM_SPLIT] = "kvm-split",
	[VM_KVM_OFF] = "kvm-off",
	[VM_TCG] = "tcg",
};

static const char *const machine_options[] = {
	[VM_KVM] = ",accel=kvm,kernel-irqchip=on",
	[VM_KVM_SPLIT] = ",accel=kvm,kernel-irqchip=split",
	[VM_KVM_OFF] = ",accel=kvm,kernel-irqchip=off",
	[VM_TCG] = ",accel=tcg",
};

static const char *const release_names[] = {
	[VM_QEMU_7_2] = "7.2",
	[VM_QEMU_10_0] = "10.0",
};

static const char *from_env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value && *value ? value : otherwise;
}

/* @path below the place of a release: the system, or the folder in the build tree where QEMU 10.0 is unpacked. */
static const char *release_path(enum vm_release release, const char *path, char *buf, size_t size)
{
	if (release == VM_QEMU_10_0)
		snprintf(buf, size, "%s/qemu10%s", from_env("O", BUILD_DEFAULT), path);
	else
		snprintf(buf, size, "%s", path);
	return buf;
}

const char *vm_kind_name(enum vm_kind kind)
{
	return kind_names[kind];
}

const char *vm_release_name(enum vm_release release)
{
	return release_names[release];
}

bool vm_can(enum vm_release release, enum vm_kind kind, const char **ret_why)
{
	char path[PATH_MAX];

	if (access(release_path(release, BINARY, path, sizeof(path)), X_OK)) {
		*ret_why = release == VM_QEMU_10_0 ? "QEMU 10.0 is not unpacked in the build folder" : "qemu-system-x86_64 is not installed";
		return false;
	}
	if (release == VM_QEMU_10_0 && kind == VM_KVM_OFF) {
		*ret_why = "QEMU 10.0 has no user-space irqchip for KVM";
		return false;
	}
	if (kind != VM_TCG && access("/dev/kvm", R_OK | W_OK)) {
		*ret_why = "there is no usable /dev/kvm";
		return false;
	}
	return true;
}

__attribute__((format(printf, 2, 3))) static int fail(struct vm *vm, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(vm->error, sizeof(vm->error), format, args);
	va_end(args);
	return -1;
}

/* Prefer what QEMU said last to what was seen from outside; its warnings are no reason. */
static int fail_with_output(struct vm *vm, const char *what)
{
	char *text = read_text(vm->output), *line, *rest = text, *last = NULL;

	while ((line = strsep(&rest, "\n")))
		if (*line && !strstr(line, "warning:") && !strstr(line, "terminating on signal"))
			last = line;
	fail(vm, "%s%s%s", what, last ? ": " : "", last ? last : "");
	free(text);
	return -1;
}

static int make_files(struct vm *vm)
{
	snprintf(vm->directory, sizeof(vm->directory), "%s/irqshift-vm-XXXXXX", from_env("TMPDIR", P_tmpdir));
	if (!mkdtemp(vm->directory)) {
		vm->directory[0] = '\0';
		return fail(vm, "no temporary folder: %s", strerror(errno));
	}
	snprintf(vm->serial, sizeof(vm->serial), "%s/serial", vm->directory);
	snprintf(vm->output, sizeof(vm->output), "%s/output", vm->directory);
	snprintf(vm->socket, sizeof(vm->socket), "%s/qmp", vm->directory);
	return 0;
}

static int spawn(struct vm *vm, const struct vm_config *config)
{
	char binary[PATH_MAX], firmware[PATH_MAX], data[PATH_MAX];
	char machine[128], cpus[16], serial[112], qmp[128], incoming[PATH_MAX + 32];
	const char *argv[48] = { NULL };
	size_t n = 0;

	argv[n++] = release_path(config->release, BINARY, binary, sizeof(binary));
	release_path(config->release, FIRMWARE, firmware, sizeof(firmware));
	release_path(config->release, "/usr/share/qemu", data, sizeof(data));

	snprintf(machine, sizeof(machine), "%s%s", config->machine ? config->machine : DEFAULT_MACHINE,
		 machine_options[config->kind]);
	snprintf(cpus, sizeof(cpus), "%u", config->cpus ? config->cpus : 1);
	snprintf(serial, sizeof(serial), "file:%s", vm->serial);
	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", vm->socket);
	const char *const common[] = {
		"-nodefaults",
		"-no-user-config",
		"-no-reboot",
		"-display",
		"none",
		"-m",
		"16",
		"-machine",
		machine,
		"-smp",
		cpus,
		"-cpu",
		config->cpu ? config->cpu : DEFAULT_CPU,
		/* The RTC must not see the time that the guest lies on disk. */
		"-rtc",
		"clock=vm",
		"-L",
		data,
		"-bios",
		firmware,
		"-kernel",
		from_env("IRQSHIFT_GUEST", GUEST_DEFAULT),
		"-append",
		config->append ? config->append : "",
		"-serial",
		serial,
		"-qmp",
		qmp,
	};

	for (size_t i = 0; i < sizeof(common) / sizeof(*common); i++)
		argv[n++] = common[i];
	if (config->incoming) {
		snprintf(incoming, sizeof(incoming), "exec:cat '%s'", config->incoming);
		argv[n++] = "-incoming";
		argv[n++] = incoming;
	} else if (config->listen) {
		argv[n++] = "-incoming";
		argv[n++] = config->listen;
	}
	vm->pid = process_start(argv, config->limit_s ? config->limit_s : DEFAULT_LIMIT_S, vm->output);
	return vm->pid < 0 ? fail(vm, "cannot start QEMU: %s", strerror(-vm->pid)) : 0;
}

static bool has_ended(struct vm *vm)
{
	int status = process_wait(vm->pid, 0);

	if (status == -EAGAIN)
		return false;
	vm->pid = -1;
	return true;
}

static int connect_monitor(struct vm *vm)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", vm->socket);
	for (unsigned int waited = 0; waited < START_MS; waited += 20) {
		vm->monitor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (vm->monitor < 0)
			return fail(vm, "socket: %s", strerror(errno));
		if (!connect(vm->monitor, (struct sockaddr *)&address, sizeof(address)))
			return 0;
		close(vm->monitor);
		vm->monitor = -1;
		if (has_ended(vm))
			return fail_with_output(vm, "QEMU ended at its start");
		sleep_ms(20);
	}
	return fail_with_output(vm, "QEMU opened no monitor");
}

/* One line of the monitor. QMP lines are short here, so a byte at a time is fast enough. */
static int read_line(struct vm *vm, char *line, size_t size)
{
	struct pollfd ready = { .fd = vm->monitor, .events = POLLIN };
	size_t n = 0;

	for (;;) {
		char c;

		if (poll(&ready, 1, ANSWER_MS) <= 0)
			return fail_with_output(vm, "the monitor does not answer");
		if (read(vm->monitor, &c, 1) != 1)
			return fail_with_output(vm, "QEMU closed its monitor");
		if (c == '\n')
			break;
		if (n + 1 < size)
			line[n++] = c;
	}
	line[n] = '\0';
	return 0;
}

/* {"timestamp": {"seconds": N, "microseconds": N}, "event": "NAME"...} */
static void note_event(struct vm *vm, const char *line)
{
	const char *seconds = strstr(line, "\"seconds\": "), *micro = strstr(line, "\"microseconds\": ");
	int64_t us;

	if (strncmp(line, "{\"timestamp\"", 12) != 0 || !seconds || !micro)
		return;
	us = strtoll(seconds + 11, NULL, 10) * 1000000 + strtoll(micro + 16, NULL, 10);
	if (strstr(line, "\"event\": \"STOP\""))
		vm->stopped_us = us;
	if (strstr(line, "\"event\": \"RESUME\""))
		vm->resumed_us = us;
}

int vm_qmp(struct vm *vm, const char *command, char *reply, size_t size)
{
	char line[4096];

	if (vm->monitor < 0)
		return fail(vm, "no monitor");
	if (send(vm->monitor, command, strlen(command), MSG_NOSIGNAL) < 0 ||
	    send(vm->monitor, "\n", 1, MSG_NOSIGNAL) < 0)
		return fail_with_output(vm, "QEMU closed its monitor");
	do {
		if (read_line(vm, line, sizeof(line)))
			return -1;
		if (!strncmp(line, "{\"error\"", 8))
			return fail(vm, "QMP: %s", line);
		note_event(vm, line);
	} while (strncmp(line, "{\"return\"", 9));
	if (reply)
		snprintf(reply, size, "%s", line);
	return 0;
}

static int wait_loaded(struct vm *vm)
{
	char reply[1024];

	for (unsigned int waited = 0; waited < LOAD_MS; waited += 20) {
		if (vm_qmp(vm, "{\"execute\":\"query-status\"}", reply, sizeof(reply)))
			return -1;
		if (strstr(reply, "\"running\": true"))
			return 0;
		if (!strstr(reply, "\"inmigrate\""))
			return vm_qmp(vm, "{\"execute\":\"cont\"}", NULL, 0);
		sleep_ms(20);
	}
	return fail_with_output(vm, "the stream is not loaded in time");
}

/* A lock goes with its file descriptor, so a test that dies gives it back. */
static int take_turn(struct vm *vm)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/irqshift-vm.lock", from_env("TMPDIR", P_tmpdir));
	vm->turn = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (vm->turn < 0 || flock(vm->turn, LOCK_EX))
		return fail(vm, "%s: %s", path, strerror(errno));
	return 0;
}

int vm_start(struct vm *vm, const struct vm_config *config)
{
	char greeting[2048];

	*vm = (struct vm){ .pid = -1, .monitor = -1, .turn = -1 };
	if ((!config->beside && take_turn(vm)) || make_files(vm) || spawn(vm, config) || connect_monitor(vm) ||
	    read_line(vm, greeting, sizeof(greeting)) ||
	    vm_qmp(vm, "{\"execute\":\"qmp_capabilities\"}", NULL, 0))
		return -1;
	return config->incoming ? wait_loaded(vm) : 0;
}

char *vm_serial(const struct vm *vm)
{
	return read_text(vm->serial);
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	while (text && (text = strchr(text, '\n'))) {
		text++;
		n++;
	}
	return n;
}

int vm_wait_lines(struct vm *vm, unsigned int lines, unsigned int wait_ms)
{
	unsigned int seen = 0;

	for (unsigned int waited = 0; waited <= wait_ms; waited += 50) {
		char *text = vm_serial(vm);

		seen = count_lines(text);
		free(text);
		if (seen >= lines)
			return 0;
		if (has_ended(vm))
			return fail_with_output(vm, "QEMU ended");
		sleep_ms(50);
	}
	return fail(vm, "the guest printed %u lines in %u ms, not %u", seen, wait_ms, lines);
}

static int set_capabilities(struct vm *vm, const char *names)
{
	char command[256], *copy = strdup(names), *rest = copy, *name;
	int rc = copy ? 0 : -1;

	while (!rc && (name = strsep(&rest, " "))) {
		snprintf(command, sizeof(command),
			 "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":"
			 "[{\"capability\":\"%s\",\"state\":true}]}}",
			 name);
		rc = vm_qmp(vm, command, NULL, 0);
	}
	free(copy);
	return rc;
}

int vm_migrate(struct vm *vm, const char *uri, const char *capabilities)
{
	char command[PATH_MAX + 128], reply[4096];

	if (capabilities && set_capabilities(vm, capabilities))
		return -1;
	snprintf(command, sizeof(command), "{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"%s\"}}", uri);
	if (vm_qmp(vm, command, NULL, 0))
		return -1;
	for (unsigned int waited = 0; waited < SAVE_MS; waited += 20) {
		if (vm_qmp(vm, "{\"execute\":\"query-migrate\"}", reply, sizeof(reply)))
			return -1;
		if (strstr(reply, "\"status\": \"completed\""))
			return 0;
		if (strstr(reply, "\"status\": \"failed\"")) {
			fail_with_output(vm, reply);
			return 1;
		}
		sleep_ms(20);
	}
	return fail(vm, "migrating took too long");
}

int vm_save(struct vm *vm, const char *path)
{
	char uri[PATH_MAX + 16];

	snprintf(uri, sizeof(uri), "exec:cat > '%s'", path);
	return vm_migrate(vm, uri, NULL) ? -1 : 0;
}

int vm_wait_running(struct vm *vm, unsigned int wait_ms)
{
	char reply[1024];

	for (unsigned int waited = 0; waited <= wait_ms; waited += 20) {
		if (vm_qmp(vm, "{\"execute\":\"query-status\"}", reply, sizeof(reply)))
			return -1;
		if (strstr(reply, "\"running\": true"))
			return 0;
		sleep_ms(20);
	}
	return fail_with_output(vm, "the guest does not run");
}

/* vm->pid is timeout(1), whose only child it is. */
pid_t vm_pid(const struct vm *vm)
{
	char path[64], *text;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)vm->pid, (int)vm->pid);
	text = read_text(path);
	pid = text && *text ? atoi(text) : -1;
	free(text);
	return pid;
}

void vm_stop(struct vm *vm)
{
	if (vm->monitor >= 0)
		close(vm->monitor);
	process_end(vm->pid);
	if (vm->directory[0]) {
		unlink(vm->serial);
		unlink(vm->output);
		unlink(vm->socket);
		rmdir(vm->directory);
	}
	if (vm->turn >= 0)
		close(vm->turn);
	vm->pid = vm->monitor = vm->turn = -1;
	vm->directory[0] = '\0';
}

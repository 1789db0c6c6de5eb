/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compat hints of a running machine: they agree with those of the stream that the same machine saves. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "stream/hints_json.h"
#include "stream/hints_qmp.h"
#include "stream/qmp.h"
#include "tests/qemu/process.h"
#include "tests/unit/cli_run.h"

#define LIMIT_S 40
#define ANSWER_MS 8000
#define START_MS 8000
#define SAVE_MS 15000
/* A guest that runs: the firmware gets that long. */
#define RUN_MS 700

struct machine {
	const char *qemu; /* as scripts/qemu-env names it */
	const char *machine;
	unsigned int cpus;
	bool runs; /* else it is never started */
	const char *kind, *ioapic;
};

static char socket_path[96], output[96];
static pid_t pid = -1;

static void setup(void)
{
	cli_folder();
	snprintf(socket_path, sizeof(socket_path), "%s", cli_path("qmp"));
	snprintf(output, sizeof(output), "%s", cli_path("output"));
}

static void teardown(void)
{
	process_end(pid);
	cli_folder_remove();
}

TestSuite(hints_qmp, .init = setup, .fini = teardown, .timeout = 300);

/* A command line that scripts/qemu-env prints as NAME='...'; "" where there is no such QEMU. */
static const char *find_qemu(const char *name)
{
	static char line[4096];
	FILE *in = popen("scripts/qemu-env", "r");
	const char *found = "";
	size_t len = strlen(name);

	cr_assert(in);
	while (!*found && fgets(line, sizeof(line), in)) {
		char *end = strrchr(line, '\'');

		if (strncmp(line, name, len) != 0 || line[len] != '=' || end <= line + len + 2)
			continue;
		*end = '\0';
		found = line + len + 2;
	}
	pclose(in);
	return found;
}

/* Run irqshift in the folder. Return: its exit status. */
static int irqshift(const char *arguments, const char *to)
{
	char line[1024];

	snprintf(line, sizeof(line), "timeout -k 2 30 $irqshift %s %s%s", arguments, to ? "> " : "", to ? to : "");
	return cli_shell(line);
}

static void load(const char *name, struct hints *ret)
{
	struct irqs_error err = { .text = "" };
	int fd = open(cli_path(name), O_RDONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_assert_eq(hints_load(ret, fd, &err), 0, "%s", err.text);
	close(fd);
}

/* ---- real QEMUs ---- */

static void start(const char *qemu, const char *machine, unsigned int cpus, bool runs, const char *monitor)
{
	char line[2048];
	const char *const argv[] = { "sh", "-c", line, NULL };

	snprintf(line, sizeof(line),
		 "exec %s -nodefaults -no-user-config -display none -m 32 -cpu qemu64,-x2apic -machine %s -smp %u %s "
		 "%s unix:%s,server=on,wait=off",
		 qemu, machine, cpus, runs ? "" : "-S", monitor, socket_path);
	pid = process_start(argv, LIMIT_S, output);
	cr_assert_gt(pid, 0);
	for (unsigned int waited = 0; waited < START_MS && access(socket_path, F_OK); waited += 20) {
		cr_assert_eq(process_wait(pid, 0), -EAGAIN, "%s ended: %s", machine, read_text(output));
		sleep_ms(20);
	}
	/* Bound, but perhaps not yet listening. */
	sleep_ms(100);
}

static void stop(void)
{
	process_end(pid);
	pid = -1;
	unlink(socket_path);
}

/* The field of an answer. Return: @buf. */
static const char *status_of(struct qmp *q, const char *command, char *buf, size_t size)
{
	struct irqs_error err = { .text = "" };
	json_t *answer = NULL;
	const char *status;

	cr_assert_eq(qmp_command(q, command, NULL, &answer, &err), 0, "%s", err.text);
	status = json_string_value(json_object_get(answer, "status"));
	snprintf(buf, size, "%s", status ? status : "");
	json_decref(answer);
	return buf;
}

/* Save the machine, which is as it was before anybody asked. */
static void save(const struct machine *m)
{
	struct irqs_error err = { .text = "" };
	char uri[320], status[32] = "";
	struct qmp q;

	cr_assert_eq(qmp_connect(&q, socket_path, SAVE_MS, &err), 0, "%s", err.text);
	cr_expect_str_eq(status_of(&q, "query-status", status, sizeof(status)), m->runs ? "running" : "prelaunch");
	snprintf(uri, sizeof(uri), "exec:cat > '%s'", cli_path("stream"));
	cr_assert_eq(qmp_command(&q, "migrate", json_pack("{s:s}", "uri", uri), NULL, &err), 0, "%s", err.text);
	while (strcmp(status_of(&q, "query-migrate", status, sizeof(status)), "completed") != 0) {
		cr_assert_str_neq(status, "failed", "%s cannot be saved", m->machine);
		sleep_ms(20);
	}
	qmp_close(&q);
}

/* A PIT in the kernel that never ran leaves no mark in the stream: it is taken for one in user space. */
static bool stream_cannot_tell(const struct machine *m, const struct hint *e)
{
	return !m->runs && strstr(m->machine, "accel=kvm") && !strcmp(e->key, "host-kind");
}

/* The same value wherever both say one, and no device that the stream does not have. */
static unsigned int expect_agree(const struct machine *m, const struct hints *running, const struct hints *saved)
{
	unsigned int common = 0;

	for (size_t i = 0; i < running->count; i++) {
		const struct hint *e = &running->entries[i];
		const char *other = e->key ? hints_get(saved, e->device, e->key) : NULL;

		cr_expect(hints_has_device(saved, e->device), "%s %s: the stream has no %s", m->qemu, m->machine,
			  e->device);
		if (!other || stream_cannot_tell(m, e))
			continue;
		cr_expect_str_eq(e->value, other, "%s %s: %s.%s is %s, in the stream %s", m->qemu, m->machine, e->device,
				 e->key, e->value, other);
		common++;
	}
	return common;
}

static void expect_value(const struct machine *m, const struct hints *h, const char *device, const char *key,
			 const char *wanted)
{
	const char *value = hints_get(h, device, key);

	cr_expect(wanted ? value && !strcmp(value, wanted) : !value, "%s %s: %s.%s is %s, not %s", m->qemu, m->machine,
		  device, key, value ? value : "not there", wanted ? wanted : "absent");
}

static void compare(const struct machine *m)
{
	const char *qemu = find_qemu(m->qemu);
	bool kvm = strstr(m->machine, "accel=kvm");
	struct hints running, saved;

	if (!qemu[0] || (kvm && access("/dev/kvm", R_OK | W_OK))) {
		cr_log_warn("skipped: %s %s: not here", m->qemu, m->machine);
		return;
	}
	start(qemu, m->machine, m->cpus, m->runs, "-qmp");
	if (m->runs)
		sleep_ms(RUN_MS);
	cr_assert_eq(irqshift("hints dump --qmp qmp", "running.json"), 0, "%s %s: %s", m->qemu, m->machine, cli_text);
	save(m);
	stop();
	cr_assert_eq(irqshift("hints dump stream", "saved.json"), 0, "%s %s: %s", m->qemu, m->machine, cli_text);
	load("running.json", &running);
	load("saved.json", &saved);
	/* Machine type, kind, vmdescription, id layout, and under KVM the TSC and perhaps the IOAPIC. */
	cr_expect_geq(expect_agree(m, &running, &saved), kvm && m->runs ? 5 : 4, "%s %s", m->qemu, m->machine);
	expect_value(m, &running, "machine", "host-kind", m->kind);
	expect_value(m, &running, "ioapic", "version", m->ioapic);
	cr_expect_eq(hints_has_device(&running, "apic[1]"), m->cpus > 1, "%s", m->machine);
	cr_expect(hints_has_device(&running, "i8259[1]"), "%s", m->machine);
	hints_deinit(&running);
	hints_deinit(&saved);
}

Test(hints_qmp, emulated_machines_agree_with_their_streams)
{
	static const struct machine machines[] = {
		{ "QEMU_7_2", "pc-i440fx-7.2,accel=tcg", 1, false, "tcg", "0x20" },
		{ "QEMU_7_2", "pc-q35-7.2,accel=tcg", 4, true, "tcg", "0x20" },
		{ "QEMU_7_2", "pc-i440fx-2.6,accel=tcg", 2, false, "tcg", "0x11" },
		{ "QEMU_7_2", "pc-i440fx-7.2,accel=tcg,hpet=off", 1, false, "tcg", "0x20" },
		{ "QEMU_7_2", "isapc,accel=tcg", 1, false, "tcg", NULL },
		{ "QEMU_10_0", "pc-i440fx-7.2,accel=tcg", 2, true, "tcg", "0x20" },
		{ "QEMU_10_0", "pc-q35-10.0,accel=tcg", 1, false, "tcg", "0x20" },
	};

	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		compare(&machines[i]);
}

Test(hints_qmp, machines_under_kvm_agree_with_their_streams)
{
	/* With kernel-irqchip=off and more CPUs this QEMU leaves its monitor no time while the firmware runs. */
	static const struct machine machines[] = {
		{ "QEMU_7_2", "pc-i440fx-7.2,accel=kvm,kernel-irqchip=on", 2, true, "kvm", "0x11" },
		{ "QEMU_7_2", "pc-q35-7.2,accel=kvm,kernel-irqchip=on", 1, false, "kvm", "0x11" },
		{ "QEMU_7_2", "pc-q35-7.2,accel=kvm,kernel-irqchip=split", 2, true, "kvm-split", "0x20" },
		{ "QEMU_7_2", "pc-i440fx-7.2,accel=kvm,kernel-irqchip=off", 1, true, "kvm-off", "0x20" },
		{ "QEMU_10_0", "pc-i440fx-7.2,accel=kvm,kernel-irqchip=on", 2, true, "kvm", "0x11" },
		{ "QEMU_10_0", "pc-q35-10.0,accel=kvm,kernel-irqchip=split", 1, true, "kvm-split", "0x20" },
	};

	for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		compare(&machines[i]);
}

Test(hints_qmp, a_monitor_for_people_is_no_qmp)
{
	const char *qemu = find_qemu("QEMU_7_2");

	if (!qemu[0])
		cr_skip_test("no QEMU_7_2 here");
	start(qemu, "pc,accel=tcg", 1, false, "-monitor");
	cr_expect_eq(irqshift("hints dump --qmp qmp", NULL), 4, "%s", cli_text);
	cr_expect(strstr(cli_text, "is no QMP"), "%s", cli_text);
	stop();
}

/* ---- what is no QEMU ---- */

static int listen_at(const char *path, int backlog)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_geq(fd, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

Test(hints_qmp, no_socket_is_an_error_of_the_system)
{
	cr_expect_eq(irqshift("hints dump --qmp nowhere", NULL), 1, "%s", cli_text);
	cr_expect_eq(irqshift("hints dump --qmp ../..", NULL), 1, "%s", cli_text);
	cr_expect_eq(irqshift("hints dump --qmp a b", NULL), 2, "%s", cli_text);
	cr_expect_eq(irqshift("hints dump --qmp a --vmdesc b", NULL), 2, "%s", cli_text);
}

/* The command has more patience: only in full. */
Test(hints_qmp, silence_ends)
{
	int fd = listen_at(socket_path, 4);
	struct irqs_error err = { .text = "" };
	struct qmp q;

	cr_expect_eq(qmp_connect(&q, socket_path, 200, &err), -ETIMEDOUT);
	cr_expect(strstr(err.text, "does not answer"), "%s", err.text);
	cr_expect_eq(err.status, IRQS_SYSTEM);
	if (getenv("IRQSHIFT_FULL")) {
		cr_expect_eq(irqshift("hints dump --qmp qmp", NULL), 1, "%s", cli_text);
		cr_expect(strstr(cli_text, "does not answer"), "%s", cli_text);
	}
	close(fd);
}

Test(hints_qmp, a_full_queue_ends)
{
	int fd = listen_at(socket_path, 0), waiting = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct qmp q;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	cr_assert_eq(connect(waiting, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_expect_eq(qmp_connect(&q, socket_path, 200, NULL), -ETIMEDOUT);
	close(waiting);
	close(fd);
}

/* What QEMU says is there before it is asked; then it hangs up. */
static int play(const char *text, struct hints *h)
{
	struct irqs_error err = { .text = "" };
	struct qmp q;
	int sv[2], rc;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(write(sv[1], text, strlen(text)), (ssize_t)strlen(text));
	shutdown(sv[1], SHUT_WR);
	cr_assert_eq(qmp_open(&q, sv[0], sv[0], ANSWER_MS, &err), 0, "%s", err.text);
	hints_init(h);
	rc = hints_from_qmp(h, &q, &err);
	qmp_close(&q);
	close(sv[0]);
	close(sv[1]);
	return rc;
}

#define HELLO "{\"QMP\": {\"version\": {}}}\n{\"return\": {}}\n"
#define NO "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"no\"}}\n"
#define ODD "{\"return\": [1, {\"name\": 2, \"type\": \"child<\"}, {\"name\": \"x\", \"type\": \"child<>\"}]}\n"

Test(hints_qmp, what_is_not_said_is_no_hint)
{
	struct hints h;

	cr_expect_eq(play(HELLO NO NO NO NO NO, &h), 0);
	cr_expect_eq(h.count, 0);
	hints_deinit(&h);
	cr_expect_eq(play(HELLO ODD ODD ODD ODD ODD, &h), 0);
	cr_expect_eq(h.count, 0);
	hints_deinit(&h);
}

Test(hints_qmp, a_qemu_that_ends_meanwhile_is_an_error)
{
	struct hints h;

	cr_expect_eq(play(HELLO NO NO, &h), -EPIPE);
	hints_deinit(&h);
	cr_expect_eq(play(HELLO "{\"return\": \"pc-machine\"}\nnonsense\n", &h), -EBADMSG);
	hints_deinit(&h);
}

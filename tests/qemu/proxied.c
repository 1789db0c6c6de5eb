/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/qemu/proxied.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/qemu/process.h"

#define LINES_BEFORE 8
#define LOST_TICKS 12
#define STEP_US 2000000

static char folder[96];

bool full(void)
{
	const char *value = getenv("IRQSHIFT_FULL");

	return value && *value && strcmp(value, "0");
}

static const char *irqshift(void)
{
	const char *value = getenv("IRQSHIFT");

	return value && *value ? value : "build/irqshift";
}

void proxied_setup(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%s/irqshift-proxy-XXXXXX", base && *base ? base : P_tmpdir);
	cr_assert(mkdtemp(folder), "%s", folder);
}

void proxied_teardown(void)
{
	static const char *const names[] = { "in", "proxy", "said", "rules.json" };
	char path[128];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	cr_expect(!rmdir(folder), "something is left in the folder");
}

void proxied_path(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s/%s", folder, name);
}

/* ---- who stands between ---- */

/* A port that was free a moment ago. */
static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert(!bind(fd, (struct sockaddr *)&a, len) && !getsockname(fd, (struct sockaddr *)&a, &len));
	close(fd);
	return ntohs(a.sin_port);
}

static void address(enum net net, const char *name, char *buf, size_t size)
{
	if (net == NET_UNIX)
		snprintf(buf, size, "unix:%s/%s", folder, name);
	else
		snprintf(buf, size, "tcp:127.0.0.1:%d", free_port());
}

int start_proxy(struct proxy *p, enum net net, const char *connect, enum vm_kind to, const char *option,
		const char *value)
{
	const char *argv[20] = { irqshift(), "proxy", "--listen", p->listen, "--connect", connect, "--to", vm_kind_name(to),
				 "--json", "--once", "-v", NULL };

	if (value) {
		argv[11] = option;
		argv[12] = value;
	}
	address(net, "proxy", p->listen, sizeof(p->listen));
	snprintf(p->said, sizeof(p->said), "%s/said", folder);
	unlink(p->said);
	p->pid = process_start(argv, 60, p->said);
	for (unsigned int waited = 0; p->pid > 0 && waited < 5000; waited += 20) {
		char *text = read_text(p->said);
		bool listens = text && strstr(text, "listening");

		free(text);
		if (listens)
			return 0;
		sleep_ms(20);
	}
	return -1;
}

int end_proxy(struct proxy *p, char **said)
{
	int status = process_wait(p->pid, 15000);

	if (status < 0)
		process_end(p->pid);
	*said = read_text(p->said);
	return status;
}

int start_pair(struct pair *pair, const struct move *move, const char *words, const char *cpu)
{
	struct vm_config config = { .release = move->release, .kind = move->from, .append = words, .cpu = cpu, .limit_s = 60 };
	int rc;

	memset(pair, 0, sizeof(*pair));
	pair->destination = (struct vm){ .pid = -1, .monitor = -1, .turn = -1 };
	address(move->net, "in", pair->incoming, sizeof(pair->incoming));
	rc = vm_start(&pair->source, &config);
	if (!rc)
		rc = vm_wait_lines(&pair->source, LINES_BEFORE, WAIT_MS);
	snprintf(pair->why, sizeof(pair->why), "%s", pair->source.error);
	if (rc)
		return rc;
	config.kind = move->to;
	config.listen = pair->incoming;
	config.beside = true;
	rc = vm_start(&pair->destination, &config);
	snprintf(pair->why, sizeof(pair->why), "%s", pair->destination.error);
	return rc;
}

void stop_pair(struct pair *pair)
{
	vm_stop(&pair->destination);
	vm_stop(&pair->source);
}

struct guest_limits limits_for(const struct move *move)
{
	struct guest_limits limits = guest_limits_default;

	/* QEMU gives KVM no current count, nor takes it: a one-shot timer that was running fires at once. */
	limits.ticks = LOST_TICKS;
	limits.step_us = STEP_US;
	limits.early_oneshots = move->from == VM_KVM || move->to == VM_KVM;
	return limits;
}

bool skipped(const struct move *move)
{
	const char *why;

	if (vm_can(move->release, move->from, &why) && vm_can(move->release, move->to, &why))
		return false;
	cr_log_warn("skipped: %s", why);
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tracepoints NAME...
 *
 * Counts how often tracepoints of the kernel's group kvm are hit, whoever hits them, by perf's counters: no buffer, so none
 * is missed. Says "ready" when it counts; ends with SIGTERM or SIGINT and prints a line `NAME COUNT` for each.
 */
#include <linux/perf_event.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PLACE "/sys/kernel/tracing/events/kvm/%s/id"
#define CPUS_MAX 64

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static uint64_t id_of(const char *name)
{
	unsigned long id = 0;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), PLACE, name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%lu", &id) != 1) {
		fprintf(stderr, "tracepoints: no %s\n", path);
		exit(1);
	}
	fclose(f);
	return id;
}

static void count(const char *name, int fds[CPUS_MAX], long cpus)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = id_of(name) };

	for (long cpu = 0; cpu < cpus; cpu++) {
		fds[cpu] = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, 0);
		if (fds[cpu] >= 0)
			continue;
		perror("tracepoints: perf_event_open");
		exit(1);
	}
}

static void print(const char *name, const int fds[CPUS_MAX], long cpus)
{
	uint64_t total = 0, n;

	for (long cpu = 0; cpu < cpus; cpu++)
		total += read(fds[cpu], &n, sizeof(n)) == sizeof(n) ? n : 0;
	printf("%s %lu\n", name, (unsigned long)total);
}

int main(int argc, char **argv)
{
	const struct sigaction action = { .sa_handler = end };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int(*fds)[CPUS_MAX] = calloc((size_t)argc, sizeof(*fds));

	if (!fds || cpus > CPUS_MAX)
		return 1;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	for (int i = 1; i < argc; i++)
		count(argv[i], fds[i], cpus);
	puts("ready");
	fflush(stdout);
	while (!ended)
		usleep(50000);
	for (int i = 1; i < argc; i++)
		print(argv[i], fds[i], cpus);
	return 0;
}

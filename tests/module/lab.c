/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lab.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void lab_have_module(void)
{
	if (!getenv("IRQSHIFT_ROLE"))
		cr_skip_test("the module is tested in the lab machine only: tests/lab/module_suite");
	if (!lab_loaded("irqshift"))
		cr_skip_test("irqshift.ko is not loaded");
}

const char *lab_role(void)
{
	const char *role = getenv("IRQSHIFT_ROLE");

	return role ? role : "none";
}

void lab_root_only(void)
{
	if (strcmp(lab_role(), "root") != 0)
		cr_skip_test("only for root");
}

unsigned int lab_count(unsigned int full, unsigned int reduced)
{
	const char *wanted = getenv("IRQSHIFT_FULL");

	return wanted && !strcmp(wanted, "1") ? full : reduced;
}

const char *lab_ko(void)
{
	const char *path = getenv("IRQSHIFT_KO");

	return path ? path : "irqshift.ko";
}

int lab_load(const char *path)
{
	int rc, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	rc = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return rc;
}

int lab_unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

bool lab_loaded(const char *name)
{
	return lab_references(name) >= 0;
}

int lab_references(const char *name)
{
	char path[80];
	int count = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (fscanf(f, "%d", &count) != 1)
		count = -EIO;
	fclose(f);
	return count;
}

int lab_settled(const char *name, int wanted)
{
	for (unsigned int i = 0; i < 500 && lab_references(name) != wanted; i++)
		lab_sleep_us(20000);
	return lab_references(name);
}

long lab_meminfo_kb(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	long kb = -1;

	cr_assert_not_null(f);
	while (kb < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			kb = strtol(line + strlen(name) + 1, NULL, 10);
	fclose(f);
	return kb;
}

uint64_t lab_seed(void)
{
	const char *given = getenv("IRQSHIFT_SEED");
	struct timespec t;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &t);
	seed = given ? strtoull(given, NULL, 0) : (uint64_t)t.tv_nsec << 20 ^ (uint64_t)t.tv_sec;
	printf("seed 0x%" PRIx64 "\n", seed);
	fflush(stdout);
	return seed;
}

uint64_t lab_random(uint64_t *seed)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint32_t lab_below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(lab_random(seed) >> 32) % n;
}

void lab_sleep_us(unsigned int us)
{
	const struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };

	nanosleep(&t, NULL);
}

double lab_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void lab_kill(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

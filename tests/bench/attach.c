/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attach PID [ROUNDS]: for how long a running VMM stands still while all interrupt state of its VM is read. Each round
 * stops it, gathers and lets it go; prints the median and the 90th percentile of the stops, and how much was read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kvm/attach.h"
#include "kvm/gather.h"

#define VCPUS_MAX 256

static struct lapic_state lapics[VCPUS_MAX];

static int one(pid_t pid, struct kvm_attach_result *result, unsigned int *nvcpus, struct irqs_error *err)
{
	const struct kvm_gather_options options = { .no_mp_state = true };
	struct irqchip_state s = { .lapics = lapics };
	struct kvm_attach *attach;
	int rc = kvm_attach(pid, 0, &attach, err);

	if (rc)
		return rc;
	*nvcpus = attach->port.nvcpus;
	if (*nvcpus > VCPUS_MAX)
		rc = irqs_fail(err, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "more than %d vCPUs", VCPUS_MAX);
	else
		rc = kvm_gather(&attach->port, NULL, &options, &s, err);
	kvm_attach_end(attach, result);
	return rc;
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return (d > 0) - (d < 0);
}

int main(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	unsigned int rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 101, nvcpus = 0;
	struct kvm_attach_result result = { 0 };
	struct irqs_error err = { 0 };
	double *ms;

	if (argc < 2 || !rounds) {
		fprintf(stderr, "usage: attach PID [ROUNDS]\n");
		return 2;
	}
	ms = calloc(rounds, sizeof(*ms));
	if (!ms)
		return 1;
	for (unsigned int i = 0; i < rounds; i++) {
		if (one((pid_t)strtol(argv[1], NULL, 0), &result, &nvcpus, &err)) {
			fprintf(stderr, "attach: %s\n", err.text);
			return 1;
		}
		ms[i] = (double)result.stop_ns / 1e6;
		nanosleep(&pause, NULL); /* the guest has to live, too */
	}
	qsort(ms, rounds, sizeof(*ms), by_value);
	printf("attach to %u vCPUs, %u threads, %u calls: stopped for %.3f ms, 90%% within %.3f ms\n", nvcpus, result.threads,
	       result.calls, ms[rounds / 2], ms[rounds * 9 / 10]);
	free(ms);
	return 0;
}

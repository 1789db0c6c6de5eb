/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * batch [VCPUS [ROUNDS]]: what reading the LAPICs of VCPUS (256), and a whole gather, take by batches of the kernel module
 * beside the same by ioctls. The VM never ran. Both take turns, ROUNDS (51) times, after as many that are not counted: a
 * batch finds out whether helpers are faster, and a lab machine translates the code. Prints the medians, the best, and
 * the median of the ratios of neighbours. Says so where there is no module or no KVM.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/monotonic.h"
#include "kvm/batch.h"
#include "kvm/gather.h"
#include "kvm/own.h"
#include "tests/bench/vm.h"

struct bench {
	struct kvm_own own;
	struct kvm_batch *batch;
	struct kvm_probe probe;
	struct kvm_port_call *calls;
	struct kvm_lapic_state *pages;
	struct irqchip_state state;
	unsigned int n;
};

/* What is measured. Return: below 0 when it went wrong. */
typedef int work_fn(struct bench *b);

static int lapics(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		b->calls[i] = (struct kvm_port_call){ KVM_TARGET_VCPU, i, KVM_GET_LAPIC, &b->pages[i], sizeof(b->pages[i]), 0 };
	kvm_list(&b->own.port, b->calls, b->n, KVM_LIST_ALL);
	for (unsigned int i = 0; i < b->n; i++)
		if (b->calls[i].result)
			return b->calls[i].result;
	return 0;
}

static int gather(struct bench *b)
{
	return kvm_gather(&b->own.port, &b->probe, NULL, &b->state, NULL);
}

static double timed(struct bench *b, struct kvm_batch *batch, work_fn *work)
{
	double begin;

	kvm_own_use(&b->own, batch);
	begin = monotonic_s();
	if (work(b) < 0) {
		fprintf(stderr, "batch: an ioctl failed\n");
		exit(1);
	}
	return monotonic_s() - begin;
}

static void measure(struct bench *b, const char *what, work_fn *work, unsigned int rounds)
{
	double *batch = must(calloc(rounds, sizeof(*batch))), *loop = must(calloc(rounds, sizeof(*loop)));
	double *ratios = must(calloc(rounds, sizeof(*ratios)));

	for (unsigned int i = 0; i < rounds; i++) {
		timed(b, NULL, work);
		timed(b, b->batch, work);
	}
	for (unsigned int i = 0; i < rounds; i++) {
		loop[i] = timed(b, NULL, work);
		batch[i] = timed(b, b->batch, work);
		ratios[i] = batch[i] / loop[i];
	}
	printf("%s of %u vCPUs by batches: %.3f ms, at best ", what, b->n, median(batch, rounds) * 1e3);
	printf("%.3f; by ioctls: %.3f ms, at best ", batch[0] * 1e3, median(loop, rounds) * 1e3);
	printf("%.3f; ratio %.3f\n", loop[0] * 1e3, median(ratios, rounds));
	free(batch);
	free(loop);
	free(ratios);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 51;
	struct bench b = { .n = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 256 };
	int *vcpus = must(calloc(b.n + 1, sizeof(*vcpus))), vm;
	uint32_t *ids = must(calloc(b.n + 1, sizeof(*ids)));
	struct irqs_error err = { 0 };

	if (kvm_batch_open(&b.batch, &err)) {
		printf("batch: %s\n", err.text);
		return 0;
	}
	b.calls = must(calloc(b.n + 1, sizeof(*b.calls)));
	b.pages = must(calloc(b.n + 1, sizeof(*b.pages)));
	b.state.lapics = must(calloc(b.n + 1, sizeof(*b.state.lapics)));
	vm = make_vm(b.n, vcpus, ids);
	if (vm < 0) {
		printf("batch: no VM of %u vCPUs here: %s\n", b.n, strerror(errno));
		return 0;
	}
	kvm_own_init(&b.own, vm, vcpus, ids, b.n);
	if (kvm_probe_vm(&b.own.port, &b.probe, &err)) {
		fprintf(stderr, "batch: %s\n", err.text);
		return 1;
	}
	measure(&b, "the LAPICs", lapics, rounds);
	measure(&b, "a gather", gather, rounds);
	return 0;
}

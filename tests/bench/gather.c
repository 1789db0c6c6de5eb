/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gather [VCPUS [ROUNDS]]: what kvm_gather() takes beside the bare loop of the same ioctls, with the same requests and
 * buffers, on a VM of VCPUS (256) that never ran. The two
 * take turns, ROUNDS times; prints the medians, and the median of the ratios of neighbours, which a busy machine disturbs least.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/monotonic.h"
#include "kvm/gather.h"
#include "kvm/own.h"
#include "tests/bench/vm.h"

/* One ioctl as it was made, argument and all. */
struct call {
	int fd;
	unsigned long request;
	size_t at; /* of its argument in the buffer; size 0: value */
	size_t size;
	void *value;
};

struct recorder {
	struct kvm_own own;
	struct call *calls;
	size_t ncalls;
	uint8_t *arguments;
	size_t used;
};

static int record(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		  size_t size)
{
	struct recorder *r = (struct recorder *)port;
	struct call *c = &r->calls[r->ncalls++];
	int rc;

	*c = (struct call){
		.fd = target == KVM_TARGET_VM ? r->own.vm : r->own.vcpus[vcpu],
		.request = request,
		.at = r->used,
		.size = size,
		.value = arg,
	};
	memcpy(r->arguments + r->used, arg ? arg : "", size);
	r->used += (size + 7) & ~(size_t)7;
	rc = ioctl(c->fd, request, arg);
	return rc < 0 ? -errno : rc;
}

/* As kvm_gather() does it, each call has its argument in the cache. */
static void bare(const struct recorder *r)
{
	uint8_t argument[2048];

	for (size_t i = 0; i < r->ncalls; i++) {
		const struct call *c = &r->calls[i];

		if (c->request == KVM_GET_MSRS)
			memcpy(argument, r->arguments + c->at, c->size);
		else if (c->request == KVM_GET_IRQCHIP)
			memcpy(argument, r->arguments + c->at, sizeof(struct kvm_irqchip));
		if (ioctl(c->fd, c->request, c->size ? argument : c->value) < 0)
			perror("ioctl");
	}
}

int main(int argc, char **argv)
{
	unsigned int n = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 0) : 256;
	unsigned int rounds = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 0) : 51;
	int *vcpus = must(calloc(n, sizeof(*vcpus)));
	uint32_t *ids = must(calloc(n, sizeof(*ids)));
	double *ours = must(calloc(rounds, sizeof(*ours))), *theirs = must(calloc(rounds, sizeof(*theirs)));
	double *ratios = must(calloc(rounds, sizeof(*ratios)));
	struct recorder r = { .calls = must(calloc(n * 16 + 64, sizeof(struct call))),
			      .arguments = must(calloc(n + 8, 8192)) };
	struct irqchip_state s = { .lapics = must(calloc(n, sizeof(struct lapic_state))) };
	struct kvm_probe probe;
	struct irqs_error err;
	int vm = make_vm(n, vcpus, ids);

	if (vm < 0) {
		printf("gather: no VM of %u vCPUs here: %s\n", n, strerror(errno));
		return 0;
	}
	kvm_own_init(&r.own, vm, vcpus, ids, n);
	if (kvm_probe_vm(&r.own.port, &probe, &err)) {
		fprintf(stderr, "gather: %s\n", err.text);
		return 1;
	}
	r.own.port.call = record;
	if (kvm_gather(&r.own.port, &probe, NULL, &s, &err)) {
		fprintf(stderr, "gather: %s\n", err.text);
		return 1;
	}
	kvm_own_init(&r.own, vm, vcpus, ids, n);
	for (unsigned int i = 0; i < rounds; i++) {
		double a = monotonic_s(), b;

		bare(&r);
		b = monotonic_s();
		if (kvm_gather(&r.own.port, &probe, NULL, &s, &err))
			return 1;
		theirs[i] = b - a;
		ours[i] = monotonic_s() - b;
		ratios[i] = ours[i] / theirs[i];
	}
	printf("gather of %u vCPUs, %zu ioctls: %.3f ms; the bare ioctls: %.3f ms; ratio %.3f\n", n, r.ncalls,
	       median(ours, rounds) * 1e3, median(theirs, rounds) * 1e3, median(ratios, rounds));
	return 0;
}

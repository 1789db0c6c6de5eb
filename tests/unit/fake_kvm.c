/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake_kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "apic/lapic.h"

static uint64_t mix(uint64_t z)
{
	z += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void fill(uint64_t seed, void *to, size_t size)
{
	uint8_t *bytes = to;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)mix(seed + i);
}

static void note(struct fake_kvm *f, unsigned long request, uint32_t vcpu, unsigned int list, unsigned int count)
{
	if (f->ncalls == f->room) {
		f->room = f->room ? 2 * f->room : 4096;
		f->calls = realloc(f->calls, f->room * sizeof(*f->calls));
		if (!f->calls)
			abort();
	}
	f->calls[f->ncalls++] = (struct fake_call){ request, vcpu, list, count };
}

static int msrs(const struct fake_kvm *f, uint64_t seed, unsigned int vcpu, struct kvm_msrs *m)
{
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		if (vcpu % 2 && m->entries[i].index == f->no_msr)
			return (int)i;
		m->entries[i].data = mix(seed + m->entries[i].index);
	}
	return (int)m->nmsrs;
}

static int answer(struct fake_kvm *f, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		  size_t size, unsigned int list)
{
	uint32_t who = target == KVM_TARGET_VM ? FAKE_VM : vcpu;
	unsigned int count = request == KVM_GET_MSRS ? ((struct kvm_msrs *)arg)->nmsrs : 0;
	uint64_t seed = mix(f->seed ^ (uint64_t)who << 32 ^ request);

	note(f, request, who, list, count);
	for (size_t i = 0; i < sizeof(f->failures) / sizeof(f->failures[0]); i++) {
		const struct fake_failure *x = &f->failures[i];

		if (x->rc && request == x->request && who == x->vcpu && (!x->count || x->count == count))
			return x->rc;
	}
	switch (request) {
	case KVM_GET_MSRS:
		return msrs(f, seed, vcpu, arg);
	case KVM_GET_TSC_KHZ:
		return 1000000 + (int)vcpu;
	case KVM_GET_IRQCHIP: /* the number of the chip is the question */
		fill(seed + ((struct kvm_irqchip *)arg)->chip_id, (char *)arg + 8, size - 8);
		return 0;
	default:
		fill(seed, arg, size);
		if (request == KVM_GET_LAPIC && f->lvtt)
			memcpy((char *)arg + LAPIC_LVTT, &f->lvtt, sizeof(f->lvtt));
		return 0;
	}
}

int fake_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
	      size_t size)
{
	return answer((struct fake_kvm *)port, target, vcpu, request, arg, size, 0);
}

static void fake_batch(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	struct fake_kvm *f = (struct fake_kvm *)port;
	bool canceled = false;

	f->nlists++;
	for (size_t i = 0; i < n; i++) {
		struct kvm_port_call *c = &calls[i];

		c->result = canceled ? -ECANCELED
				     : answer(f, c->target, c->vcpu, c->request, c->arg, c->size, f->nlists);
		canceled = canceled || (mode == KVM_LIST_UNTIL_FAILED && kvm_port_call_failed(c));
	}
}

void fake_open(struct fake_kvm *f, unsigned int nvcpus, bool batch)
{
	*f = (struct fake_kvm){ .seed = 7 };
	for (unsigned int i = 0; i < nvcpus; i++)
		f->ids[i] = 3 * i;
	f->port = (struct kvm_port){
		.call = fake_call,
		.vcpu_ids = f->ids,
		.nvcpus = nvcpus,
		.batch = batch ? fake_batch : NULL,
	};
}

void fake_close(struct fake_kvm *f)
{
	free(f->calls);
}

void fake_forget(struct fake_kvm *f)
{
	f->ncalls = 0;
	f->nlists = 0;
}

struct kvm_probe fake_probe(unsigned int nvcpus)
{
	return (struct kvm_probe){
		.mode = IRQCHIP_FULL,
		.pit = true,
		.clock = true,
		.max_vcpus = nvcpus,
		.max_lvt = 6,
		.msrs = UINT64_MAX,
	};
}

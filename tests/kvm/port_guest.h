/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that does a list of port accesses: one vCPU in real mode, interrupts off except where the list says. What it
 * read, when, and which vectors it took is written back into the list.
 */
#ifndef TESTS_KVM_PORT_GUEST_H
#define TESTS_KVM_PORT_GUEST_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#define PORT_GUEST_STEPS 512 /* longest list */
#define PORT_GUEST_NO_VECTOR 0xffff

enum port_guest_op {
	PG_IN8,
	PG_IN16,
	PG_OUT8,
	PG_OUT16,
	PG_TAKE, /* one instruction with IF=1; in value: the vector taken, or PORT_GUEST_NO_VECTOR */
	PG_STOP, /* port_guest_run() returns, and goes on behind */
	PG_OPS
};

struct port_guest_step {
	uint16_t code; /* private: where the guest does this op */
	uint16_t port;
	uint32_t value; /* written, or read */
	uint64_t tsc_before, tsc_after;
	uint64_t pad;
};

struct port_guest {
	int kvm, vm, vcpu;
	struct kvm_run *run;
	void *memory;
	struct port_guest_step *steps;
	unsigned int nsteps;
};

/* port_guest_open - where there can be no such guest, the test is skipped. @pit: with a PIT. */
void port_guest_open(struct port_guest *g, bool pit);
void port_guest_close(struct port_guest *g);

/* port_guest_begin - an empty list. */
void port_guest_begin(struct port_guest *g);

/* port_guest_add - one step behind the others; its place in the list. */
unsigned int port_guest_add(struct port_guest *g, enum port_guest_op op, uint16_t port, uint32_t value);

/* port_guest_start - makes the guest begin with the first step at the next run. The list's last step is PG_STOP. */
void port_guest_start(struct port_guest *g);

/* port_guest_run - up to the next PG_STOP. Return: 0, or -errno; -EPROTO for any other exit. */
int port_guest_run(struct port_guest *g);

#endif

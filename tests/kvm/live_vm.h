/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The example VMM with the guest of the live moves in it, and the harness's devices. */
#ifndef TESTS_KVM_LIVE_VM_H
#define TESTS_KVM_LIVE_VM_H

#include <pthread.h>

#include "tests/guests/live/live.h"
#include "tests/vmm/engine.h"

#define LIVE_SHOTS 64

/* What the harness raised. */
struct live_raised {
	uint32_t edge, level, pic, msi;
};

struct live_vm {
	struct vmm *vmm;
	volatile struct live_shared *shared;
	unsigned int ncpus;
	struct live_raised raised;
	volatile bool level; /* the level device holds its line */
	/* When a timer was armed and interrupted, by the machine's clock, one round after the other; with config.tells. */
	struct {
		volatile int64_t armed_at, fired_at;
	} shots[LIVE_SHOTS];
	volatile uint32_t armed, fired; /* how many, each at its number modulo LIVE_SHOTS */
	pthread_t thread;
	volatile bool ended;
	int code;
	struct irqs_error error;
	/* A thread that raises all the time. */
	pthread_t raiser;
	volatile bool raising;
	uint64_t seed;
};

struct live_config {
	enum vmm_mode mode;
	unsigned int ncpus;
	bool x2apic;
	bool tells;                  /* shots; not quiet in that */
	uint32_t pit_count;          /* of a periodic PIT; 0: 5 ms, none where it is quiet */
	uint32_t period_ns;          /* of the first timer; 0: some ms */
	bool quiet;                  /* no timers, IPIs, PIT */
	unsigned int spins;          /* bit per CPU: it does not halt */
	enum live_timer first_timer; /* of CPU 0; the other CPUs have the next ones */
};

/* live_vm_start - the machine runs and all its CPUs are up, or the test fails. */
void live_vm_start(struct live_vm *l, const struct live_config *config);

/* live_vm_end - the machine is gone; fails the test when it ended by itself. */
void live_vm_end(struct live_vm *l);

/* live_vm_raise - one event of each source of which the guest has counted the last one. */
void live_vm_raise(struct live_vm *l);

/* live_vm_raise_begin/live_vm_raise_end - a thread that does so at random times. */
void live_vm_raise_begin(struct live_vm *l, uint64_t seed);
void live_vm_raise_end(struct live_vm *l);

/* live_vm_message - a message of any kind to a CPU. */
void live_vm_message(struct live_vm *l, unsigned int cpu, uint32_t data);

/* live_vm_wait - until a condition holds, at most 5 s; false when it does not, or the machine ended. */
typedef bool live_condition(const struct live_vm *l);
bool live_vm_wait(const struct live_vm *l, live_condition *done);

/* live_vm_settled - whether the guest has counted all that was sent, by whomever. */
live_condition live_vm_settled;

/* live_vm_expect_exact - stop, let everything arrive, and compare what was raised with what was counted, CPU by CPU. */
void live_vm_expect_exact(struct live_vm *l);

/* live_vm_move - or the test fails. */
void live_vm_move(struct live_vm *l, enum vmm_mode to);

/* live_mode_name - "kernel", "split", "userspace". */
const char *live_mode_name(enum vmm_mode mode);

void live_sleep_us(unsigned int us);

#endif

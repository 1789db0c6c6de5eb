/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small VMM in a child process: VMs, guests that count, and a thread that does what a test wants of it. */
#ifndef TESTS_KVM_CHILD_VMM_H
#define TESTS_KVM_CHILD_VMM_H

#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "kvm/attach.h"

#define CHILD_VMS 2
#define CHILD_VCPUS 4
/* Until a thread is in the system call that it was about to make. */
#define CHILD_SETTLE_US 20000

/* Shared by both processes. */
struct child_vmm {
	/* The test's wishes, before child_start(). */
	unsigned int nvms, nvcpus;        /* vCPUs of each VM */
	bool runs;                        /* the guests run, each vCPU in a thread */
	bool halted;                      /* they only halt */
	bool dups;                        /* each descriptor twice */
	bool thread_first;                /* @act in a second thread, main sleeps */
	void (*act)(struct child_vmm *);  /* runs when all is made; NULL: sleep */
	void (*also)(struct child_vmm *); /* in one more thread */
	/* What the child says. */
	_Atomic bool ready, acting, done, go;
	int vms[CHILD_VMS], vcpus[CHILD_VMS][CHILD_VCPUS];
	_Atomic uint64_t counts[CHILD_VMS][CHILD_VCPUS]; /* values the guest put out */
	_Atomic unsigned int gaps, interrupted, failures;
	_Atomic int result, error, signals[2];
	_Atomic uint64_t took_ns;
	int pipe[2];
	uint32_t futex;
	pid_t pid;
};

/* child_skip - there is no KVM here: says so. */
bool child_skip(void);

/* child_new - shared memory, zeroed but for nvms and nvcpus, which are 1. */
struct child_vmm *child_new(void);

/* child_start - fork; returns when the VMs are made and @act is about to begin. */
void child_start(struct child_vmm *child);

/* child_wait - until a flag is set or @ms are over. Return: the flag. */
bool child_wait(_Atomic bool *flag, unsigned int ms);

/* child_end - kill it. Return: its wait status. */
int child_end(struct child_vmm *child);

/* child_lapic - the registers that the child gave a vCPU: its own, told from all others by TPR and DCR. */
void child_lapic(unsigned int vm, unsigned int vcpu, struct kvm_lapic_state *lapic);

/* child_attach - to its first VM. child_read_lapic - of its first vCPU. Return: 0 or -errno. */
struct kvm_attach *child_attach(const struct child_vmm *child);
int child_read_lapic(struct kvm_attach *attach);

/* child_finish - for acts: tell what a system call returned, and how long it took since @begin. */
uint64_t child_now_ns(void);
void child_finish(struct child_vmm *child, uint64_t begin, long result);

/* child_act_read - an act: read a byte from the pipe. child_nudge - let it have one, and wake who waits for the futex. */
void child_act_read(struct child_vmm *child);
void child_nudge(struct child_vmm *child);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside of the engine. One struct vmm is the machine that the guest sees; one struct kvm_side is the VM of KVM that it
 * runs on for now, with the controllers that are emulated beside it. A move makes a new one of those.
 *
 * vmm->lock is held around everything that is not the guest, a device or a sleep: all functions here want it held unless
 * they say otherwise.
 */
#ifndef IRQSHIFT_TESTS_VMM_ENGINE_H
#define IRQSHIFT_TESTS_VMM_ENGINE_H

#include <linux/kvm.h>
#include <pthread.h>

#include "kvm/gather.h"
#include "kvm/moves.h"
#include "kvm/own.h"
#include "tests/vmm/vmm.h"
#include "userspace/irqchip_model.h"

/* The signal that gets a thread out of KVM_RUN. */
#define VMM_KICK SIGUSR1

struct kvm_side {
	struct kvm_own own; /* first: the port that kvm_gather() calls settle with */
	struct vmm *vmm;
	enum vmm_mode mode;
	struct kvm_probe probe;
	int vm;
	unsigned int ncpus;
	int vcpus[VMM_MAX_CPUS];
	uint32_t ids[VMM_MAX_CPUS];
	struct kvm_run *runs[VMM_MAX_CPUS];
	uint64_t tsc_offset[VMM_MAX_CPUS]; /* guest's TSC less the host's */
	/*
	 * VMM_KERNEL: the PIT's channel 0 as a move left it. Its period in ns, 0: unknown; by the machine's clock, when its last
	 * tick was due that was made, and when KVM began the period that it counts.
	 */
	uint8_t pit_mode;
	uint32_t pit_count;
	int64_t pit_period, pit_given, pit_began;
	/* Of the port: its ioctl, and when it read a LAPIC last. */
	int (*call)(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		    size_t size);
	int64_t lapic_read_at[VMM_MAX_CPUS];
	/* Split: the vector of the PICs that KVM_INTERRUPT took last, and may hold; -1: none. */
	int external[VMM_MAX_CPUS];
	/* Not in mode VMM_KERNEL. */
	struct irqchip_model model;
	struct lapic_model lapics[VMM_MAX_CPUS];
};

struct vcpu {
	struct vmm *vmm;
	unsigned int index;
	pthread_t thread;
	pthread_cond_t wake;
	bool running;       /* may be in KVM_RUN: a kick is a signal */
	bool unfinished;    /* KVM waits for what the last exit asked for */
	bool interruptible; /* took interrupts at its last exit */
};

struct vmm {
	struct vmm_config config;
	int system; /* /dev/kvm */
	void *memory;
	struct kvm_cpuid2 *cpuid;
	struct kvm_regs reset_regs; /* of a vCPU after KVM_CREATE_VCPU, as INIT leaves it */
	struct kvm_sregs reset_sregs;

	pthread_mutex_t lock;
	struct kvm_side *side;
	struct vcpu cpus[VMM_MAX_CPUS];
	uint32_t lines; /* as told by vmm_line() */

	/* Stopping: whoever sets stopping waits for parked == alive, and holds the lock until it goes on. */
	pthread_mutex_t move_lock; /* before lock: one move at a time */
	pthread_cond_t parked_cond, go_cond;
	bool stopping;
	unsigned int alive, parked; /* vCPU threads */

	/* The end. */
	bool quit;
	int code; /* of vmm_quit(), or -errno */
	struct irqs_error error;

	/* Timers of the models: machine time, LAPIC_MODEL_NEVER; the PIT's is the last. */
	pthread_t timer_thread;
	pthread_cond_t timer_cond;
	int64_t deadlines[VMM_MAX_CPUS + 1];

	/* The machine's clock. Its lock is taken last. */
	pthread_mutex_t clock_lock;
	int64_t clock_offset; /* host's CLOCK_MONOTONIC less the machine's time */
	int64_t stopped_at;   /* machine's time while it stands still, or -1 */
	int64_t started_at;   /* host's time when it last went on */

	/*
	 * For tests: called in a move when all vCPUs are out of the guest, before anything is read; and before the new VM is
	 * written, with what was read and what will be written.
	 */
	void (*on_stop)(void *ctx, struct kvm_side *side);
	void (*on_move)(void *ctx, const struct irqchip_state *from, struct irqchip_state *to,
			const struct move_report *report);
	void *hook_ctx;
};

/* kvm_side.c */

/* kvm_side_open - a VM for the machine's memory, with vCPUs as after power-on. Wants no lock. */
int kvm_side_open(struct vmm *v, enum vmm_mode mode, struct kvm_side **ret, struct irqs_error *reterr);
void kvm_side_close(struct kvm_side *side);
struct kvm_cpuid2 *kvm_side_cpuid(struct vmm *v, struct irqs_error *reterr);

/* kvm_side_line/kvm_side_msi - a device's line, a device's message. */
void kvm_side_line(struct kvm_side *side, unsigned int gsi, bool level);
int kvm_side_msi(struct kvm_side *side, uint64_t address, uint32_t data);

/* kvm_side_irqchip_mode - the same in the library's words. */
enum irqchip_mode kvm_side_irqchip_mode(enum vmm_mode mode);

/* chips.c: the emulated controllers of a VM. */
int chips_init(struct kvm_side *side);
uint64_t chips_read_tsc_offset(int vcpu);

/*
 * kernel_pit.c: kernel_pit_begin - a state was put into the kernel's PIT. kernel_pit_tick - its first period there is over.
 * kernel_pit_flush - before it is read: ticks that are due, are in the chips. kernel_pit_end - a state that is about to leave the kernel gets the phase that the kernel does not tell.
 */
void kernel_pit_begin(struct kvm_side *side, const struct irqchip_state *s);
void kernel_pit_tick(struct kvm_side *side);
void kernel_pit_flush(struct kvm_side *side);
void kernel_pit_end(const struct kvm_side *side, const struct irqchip_state *from, struct irqchip_state *to);

/* cpu_state.c: all of a vCPU that has nothing to do with interrupts. */
struct cpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_debugregs debugregs;
	struct kvm_xcrs xcrs;
	struct kvm_xsave xsave;
	struct kvm_msrs *msrs;
};
int cpu_state_get(struct kvm_side *side, unsigned int cpu, struct cpu_state *ret, struct irqs_error *reterr);
int cpu_state_set(struct kvm_side *side, unsigned int cpu, const struct cpu_state *s, struct irqs_error *reterr);
void cpu_state_deinit(struct cpu_state *s);
int cpu_reset(struct kvm_side *side, unsigned int cpu);               /* INIT */
int cpu_start(struct kvm_side *side, unsigned int cpu, uint8_t page); /* SIPI */

/* vcpu.c */
void *vcpu_thread(void *arg);
void vcpu_kick(struct vmm *v, unsigned int cpu);

/* vcpu_take_events - INIT, SIPI and NMI out of the model into KVM's CPU. Userspace mode only. */
int vcpu_take_events(struct kvm_side *side, unsigned int cpu);

/* exits.c - do what a vCPU's last exit asks for; drops the lock while a device does it. Return: 0, or -errno: the end. */
int vcpu_handle_exit(struct vcpu *c, struct irqs_error *reterr);

/* machine.c */
void vmm_fail(struct vmm *v, int code, const struct irqs_error *error);

/*
 * vmm_stop/vmm_go - all vCPUs out of the guest, and the clock stands still. Wants move_lock held and no other; returns with
 * lock held, too, which vmm_go() drops.
 */
void vmm_stop(struct vmm *v);
void vmm_go(struct vmm *v);

/* timers.c */
void *timer_thread(void *arg);
void timer_arm(struct vmm *v, unsigned int timer, int64_t at_ns);
void timer_clear(struct vmm *v);
int64_t timer_host_ns(void);

/*
 * clock_stop - from now on the machine's clock stands still; again: it did not until now. clock_start - it goes on, and has
 * done so since @host_ns; again: nothing. clock_started - for how many ns it has gone on, 0 while it stands still.
 *
 * A LAPIC in KVM counts until it is read, and again from when it is written: the clock goes on until all are read (what
 * they counted less is taken off), and again from when the first is written.
 */
void clock_stop(struct vmm *v);
void clock_start(struct vmm *v, int64_t host_ns);
uint64_t clock_started(struct vmm *v);

#endif

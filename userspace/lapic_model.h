/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An emulated local APIC: Intel SDM volume 3A, chapter 11; the version with P6 bus arbitration left out (0x14). Its
 * state is a struct lapic_state. It belongs to a bus from lapic_model_init() on; the locking rule is in
 * userspace/apic_bus.h. A machine with one CPU has a bus, too.
 *
 * The vCPU's run state (struct lapic_state mp_state, nmi_pending, smi_pending, latched_init, sipi_vector) lives in the
 * model, because messages change it: see "What the vCPU does next". Interrupts that were taken out of it and are on their
 * way into the CPU (interrupt_injected) are the VMM's; the model keeps such members as they were set.
 */
#ifndef IRQSHIFT_USERSPACE_LAPIC_MODEL_H
#define IRQSHIFT_USERSPACE_LAPIC_MODEL_H

#include "base/error.h"
#include "userspace/apic_bus.h"

/* A time that never comes. */
#define LAPIC_MODEL_NEVER INT64_MAX

/* Where the register page is while the LAPIC is disabled or in x2APIC mode. */
#define LAPIC_MODEL_NOWHERE UINT64_MAX

#define LAPIC_MSR_APIC_BASE UINT32_C(0x1b)
#define LAPIC_MSR_TSC_DEADLINE UINT32_C(0x6e0)
#define LAPIC_MSR_X2APIC UINT32_C(0x800) /* to 0x8ff */

/* What the VMM does for its LAPICs. @ctx is that of the config, @cpu the index on the bus. */
struct lapic_model_ops {
	/* The machine's clock in ns; never goes back. */
	int64_t (*now_ns)(void *ctx);
	/* The guest's TSC of that CPU. NULL: no TSC-deadline timer. */
	uint64_t (*tsc)(void *ctx, unsigned int cpu);
	/* Call lapic_model_timer() at or soon after @at_ns of that clock, LAPIC_MODEL_NEVER: not at all. */
	void (*arm)(void *ctx, unsigned int cpu, int64_t at_ns);
	/* There is something new for the vCPU: get it out of the guest or out of its sleep, and let it look. */
	void (*kick)(void *ctx, unsigned int cpu);
	/* IA32_APIC_BASE changed, or was set by a reset or a state: the register page is at @base, which may be LAPIC_MODEL_NOWHERE. May be NULL. */
	void (*moved)(void *ctx, unsigned int cpu, uint64_t base);
};

struct lapic_model_config {
	const struct lapic_model_ops *ops;
	void *ctx;
	uint32_t id;            /* APIC ID at reset */
	bool bsp;               /* the CPU that starts by itself */
	bool x2apic;            /* CPUID.1:ECX[21] */
	bool tsc_deadline;      /* CPUID.1:ECX[24]; needs tsc_khz and ops->tsc */
	bool cmci;              /* there is an LVT entry for corrected machine checks */
	bool eoi_suppression;   /* LVR bit 24: EOI broadcasts can be turned off in SVR */
	bool electrical;        /* LINT pins are voltages, inverted by the polarity bit; else 1 is asserted */
	bool virtual_wire;      /* LINT0 of the BSP is ExtINT at reset (MP specification 3.6.2.1) */
	uint8_t phys_bits;      /* MAXPHYADDR, 36 to 52 */
	uint32_t bus_cycle_ns;  /* length of a timer tick at divide 1: 1 (as KVM's) to 1000000 */
	uint32_t min_period_ns; /* ticks of a periodic timer that come sooner are joined; 0: none are */
	int64_t tsc_khz;        /* 1 or more with tsc_deadline */
};

struct lapic_model {
	/* private: */
	struct lapic_state s;
	struct lapic_model_config config;
	struct apic_bus *bus;
	unsigned int cpu;

	/* The row table by register: bits that a write changes, and bits that mean something. */
	uint32_t writable[64], defined[64];
	uint64_t readable; /* one bit per register */

	/* Run time. */
	int64_t expiry_ns; /* of a timer that counts, or LAPIC_MODEL_NEVER */
	int64_t armed_ns;  /* what ops->arm() was told last */
	bool line[2];      /* level of LINT0 and LINT1 */
	bool extint;       /* an ExtINT message waits for its acknowledge */
};

/* ---- making one, saving and restoring it ---- */

/**
 * lapic_model_init - a LAPIC at power-up, connected to @bus
 *
 * Any thread. Return: 0; -EINVAL for a config out of its ranges; -ENOSPC when the bus is full.
 */
int lapic_model_init(struct lapic_model *m, struct apic_bus *bus, const struct lapic_model_config *config);

/* lapic_model_reset - power-up or RESET#. Lines keep their level. While the vCPU does not run, any thread. */
void lapic_model_reset(struct lapic_model *m);

/**
 * lapic_model_get - the state, with every derived register brought up to date
 *
 * While the vCPU does not run, any thread. timer_remaining_ns is known when a count is running; TMCCT, PPR, CR8, the
 * TSC and IA32_TSC_DEADLINE are as the guest would read them now. The absolute times of QEMU's section are unknown
 * (lapic_timer_rebase()). Level of LINT0, LINT1 and a waiting ExtINT message are not in it: who drives
 * the line asserts it again.
 */
void lapic_model_get(struct lapic_model *m, struct lapic_state *ret);

/**
 * lapic_model_set - continue from a state; what is unknown in it is as after reset
 * @s: from any source. LVR, PPR and TMCCT are made anew, reserved bits get their reset value
 * @reterr: IRQS_REFUSED: which member this LAPIC cannot represent
 *
 * While the vCPU does not run, any thread. A running count goes on with timer_remaining_ns, else with TMCCT, else
 * (periodic) with a whole period. One-shot with neither: it has fired. A deadline goes on by the TSC. Lines keep their
 * level; nothing is delivered anew.
 *
 * Return: 0; -EOPNOTSUPP for another CPU's state or a mode that the config rules out, then nothing changed.
 */
int lapic_model_set(struct lapic_model *m, const struct lapic_state *s, struct irqs_error *reterr);

/* lapic_model_check - only the checks of lapic_model_set(). Any thread. */
int lapic_model_check(const struct lapic_model *m, const struct lapic_state *s, struct irqs_error *reterr);

/* lapic_model_state - the state as it is kept, derived registers not brought up to date. Any thread. */
const struct lapic_state *lapic_model_state(const struct lapic_model *m);

/*
 * ---- what the guest's instructions do: the vCPU's thread ----
 *
 * From an INIT until lapic_model_take_init() they read 0 and change nothing: the CPU has been reset, it only does not
 * know yet.
 */

/*
 * lapic_model_decodes - whether the register page is at guest-physical @address now. False while disabled and in
 * x2APIC mode: nothing answers there.
 */
bool lapic_model_decodes(const struct lapic_model *m, uint64_t address);

/**
 * lapic_model_read/lapic_model_write - access to the register page
 * @offset: in the page; anything is defined
 * @data: @len bytes, little-endian
 *
 * 32-bit accesses at multiples of 16 are the architecture's. Reads of 1 to 4 bytes inside such a register give that part
 * of it, all other reads 0; all other writes do nothing (SDM 3A 11.4.1 leaves it open). An access to a register that
 * is not there reads 0, or changes nothing, and is an error in ESR. While !lapic_model_decodes() reads give all
 * ones and writes do nothing.
 */
void lapic_model_read(struct lapic_model *m, uint32_t offset, void *data, unsigned int len);
void lapic_model_write(struct lapic_model *m, uint32_t offset, const void *data, unsigned int len);

/**
 * lapic_model_rdmsr/lapic_model_wrmsr - IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC registers
 *
 * Return: 0; -EINVAL: the guest gets #GP, nothing changed; -ENOENT: not a register of the LAPIC.
 */
int lapic_model_rdmsr(struct lapic_model *m, uint32_t index, uint64_t *ret);
int lapic_model_wrmsr(struct lapic_model *m, uint32_t index, uint64_t value);

/* lapic_model_cr8/lapic_model_set_cr8 - CR8. Return of the setter: 0, or -EINVAL (#GP) above 15. */
uint8_t lapic_model_cr8(const struct lapic_model *m);
int lapic_model_set_cr8(struct lapic_model *m, uint64_t value);

/* lapic_model_tsc_changed - the TSC was written: arms a deadline anew. The vCPU's thread. */
void lapic_model_tsc_changed(struct lapic_model *m);

/* ---- what the vCPU does next: the vCPU's thread, in the order of these functions ---- */

/* lapic_model_take_init - an INIT arrived: reset the CPU's registers; the LAPIC did so already. */
bool lapic_model_take_init(struct lapic_model *m);

/* lapic_model_take_sipi - a start-up IPI for a CPU that waits for it: its vector, or -1. The CPU is runnable then. */
int lapic_model_take_sipi(struct lapic_model *m);

/* lapic_model_runnable - neither halted nor waiting for a start-up IPI. */
bool lapic_model_runnable(const struct lapic_model *m);

/* lapic_model_set_halted - the CPU executed HLT, or what ends it. Nothing when it waits for a start-up IPI. */
void lapic_model_set_halted(struct lapic_model *m, bool halted);

/* lapic_model_take_smi/lapic_model_take_nmi - one arrived: take it, or put it into the CPU's own pending bit. */
bool lapic_model_take_smi(struct lapic_model *m);
bool lapic_model_take_nmi(struct lapic_model *m);

/*
 * lapic_model_extint - the PIC's INTR reaches the CPU: acknowledge it at the PIC when the CPU takes interrupts, then
 * call lapic_model_extint_taken().
 */
bool lapic_model_extint(const struct lapic_model *m);
void lapic_model_extint_taken(struct lapic_model *m);

/* lapic_model_injectable - the vector that the CPU would get now if it takes interrupts, or -1. */
int lapic_model_injectable(const struct lapic_model *m);

/**
 * lapic_model_acknowledge - the CPU takes the interrupt
 *
 * Return: the vector, which is in service now; the spurious vector when the request is gone meanwhile (SDM 3A 11.9);
 * -1 while the LAPIC is disabled by IA32_APIC_BASE.
 */
int lapic_model_acknowledge(struct lapic_model *m);

/* ---- what others do to it ---- */

/**
 * lapic_model_accept - a message that is for this LAPIC. Any thread; the bus calls it.
 *
 * Return: whether it was accepted: not while disabled, and not a fixed vector while disabled by SVR or below 16.
 */
bool lapic_model_accept(struct lapic_model *m, const struct apic_message *msg);

/* lapic_model_timer - the time of ops->arm() has come, or is near. Any thread. */
void lapic_model_timer(struct lapic_model *m);

/**
 * lapic_model_lint - the level of a local interrupt pin
 * @pin: 0 or 1
 *
 * Any thread. Only a fixed entry follows a level or, with config.electrical, its polarity bit (SDM 3A 11.5.1). While the
 * LAPIC is disabled the pins are INTR and NMI.
 */
void lapic_model_lint(struct lapic_model *m, unsigned int pin, bool level);

/* lapic_model_local - an event inside the CPU: @offset is LAPIC_LVTPC, LAPIC_LVTTHMR or LAPIC_LVTCMCI. Any thread. */
void lapic_model_local(struct lapic_model *m, uint16_t offset);

#endif

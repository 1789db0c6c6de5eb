/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An example VMM: vCPUs of KVM, interrupt controllers in the kernel, in user space, or split between the two, and a way
 * from each of the three to each other one while the guest runs.
 *
 * The engine has the vCPUs, memory from address 0 on, LAPICs (MMIO and x2APIC MSRs), the IOAPIC at 0xfec00000, the
 * PICs (0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1), the PIT and port B (0x40 to 0x43, 0x61). All other ports and addresses
 * are the user's: struct vmm_io.
 *
 * Threads: the engine has one for each vCPU and one for timers, between vmm_run()'s call and return. "Any thread"
 * means that; a callback counts as the vCPU's thread. The engine holds no lock while it calls back, and callbacks of
 * several vCPUs may run at the same time: devices have a lock of their own, and may hold it when they call vmm_line().
 */
#ifndef IRQSHIFT_TESTS_VMM_VMM_H
#define IRQSHIFT_TESTS_VMM_VMM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define VMM_MAX_CPUS 64
#define VMM_MAX_MEMORY (UINT64_C(3) << 30)
#define VMM_LINES 24 /* GSIs: 0 to 15 are the ISA lines, PICs and IOAPIC both */

struct vmm;

/* Where the interrupt controllers are. */
enum vmm_mode {
	VMM_KERNEL,    /* all in the kernel, PIT and port B too */
	VMM_SPLIT,     /* LAPICs in the kernel, the others emulated */
	VMM_USERSPACE, /* all emulated */
};

/*
 * The user's devices. @cpu: index of the vCPU. @data: @size bytes, little-endian, 1, 2 or 4 at a port, 1 to 8 in memory;
 * a read fills it. Return: true: mine; false: nothing is there, the guest reads all ones. Either may be NULL.
 *
 * They may call vmm_line(), vmm_quit(), vmm_mode() and vmm_now_ns(). They must return soon: a move waits for them. It
 * never happens in between: what the guest asked for is complete before.
 */
struct vmm_io {
	bool (*pio)(void *ctx, unsigned int cpu, uint16_t port, bool write, void *data, unsigned int size);
	bool (*mmio)(void *ctx, uint64_t address, bool write, void *data, unsigned int size);
	void *ctx;
};

struct vmm_config {
	enum vmm_mode mode; /* to begin with */
	unsigned int ncpus; /* 1 to VMM_MAX_CPUS; APIC IDs are the indices */
	uint64_t memory;    /* bytes from guest-physical 0 on: 1 MiB to VMM_MAX_MEMORY, a multiple of 4096 */
	struct vmm_io io;
	bool x2apic; /* CPUID shows x2APIC; a mode that cannot have it is refused with -EOPNOTSUPP */
};

/**
 * vmm_create - a machine as after power-on, all lines low, that does not run yet
 * @reterr: what this host's KVM has not, or which ioctl failed
 *
 * Return: 0; -EINVAL for a config out of its ranges; -EOPNOTSUPP; -errno of the system. vmm_destroy() ends it.
 */
int vmm_create(const struct vmm_config *c, struct vmm **ret, struct irqs_error *reterr);

/* vmm_destroy - release all; NULL is nothing. Not while vmm_run() or vmm_move() is in progress. */
void vmm_destroy(struct vmm *v);

/* vmm_memory/vmm_memory_size - the guest's memory, here; the address stays the same through all moves. Any thread. */
void *vmm_memory(struct vmm *v);
uint64_t vmm_memory_size(const struct vmm *v);

/**
 * vmm_set_entry - where CPU 0 begins, instead of at the reset vector
 * @eip: physical address
 * @ebx: of the multiboot information
 *
 * The machine state of Multiboot 0.6.96, 3.2: flat 32-bit protected mode, interrupts off, eax 0x2badb002. Before
 * vmm_run(). The other CPUs wait for INIT and SIPI. Return: 0 or -errno.
 */
int vmm_set_entry(struct vmm *v, uint32_t eip, uint32_t ebx);

/**
 * vmm_run - run the machine
 * @reterr: what the guest or KVM did that cannot go on
 *
 * Once per machine; any thread. Return: the code of vmm_quit(); -EIO when a vCPU cannot go on (shutdown, internal
 * error of KVM); -errno of the system.
 */
int vmm_run(struct vmm *v, struct irqs_error *reterr);

/* vmm_quit - end vmm_run() soon, with @code, 0 or more; the first one counts. Any thread, callbacks too. */
void vmm_quit(struct vmm *v, int code);

/**
 * vmm_line - set the level of an interrupt line
 * @gsi: 0 to VMM_LINES - 1, others do nothing
 *
 * Any thread, callbacks too. During a move it waits for the end of the move.
 */
void vmm_line(struct vmm *v, unsigned int gsi, bool level);

/**
 * vmm_move - put the interrupt controllers elsewhere, at once, whatever the guest is doing
 * @to: a mode; the same one again is a move, too: out of KVM and into a new VM
 * @reterr: what of the state the target cannot take
 *
 * Any thread but a callback; before vmm_run(), during, or after; one move at a time: others wait.
 *
 * Return: 0; -EOPNOTSUPP when it was refused: the guest goes on as before; another -errno, and vmm_run() ends with it when
 * it came too late to go on.
 */
int vmm_move(struct vmm *v, enum vmm_mode to, struct irqs_error *reterr);

/* vmm_mode - where they are now. Any thread. */
enum vmm_mode vmm_mode(const struct vmm *v);

/* vmm_now_ns - the machine's clock, from 0 at vmm_create() on; stands still during a move. Any thread. */
int64_t vmm_now_ns(const struct vmm *v);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One machine's interrupt controllers in user space: LAPICs, IOAPIC, pair of PICs, PIT, and the wires between them. With
 * a split irqchip in the kernel the LAPICs are there, and only the others here.
 *
 *   GSI --routes--> PIC pins, IOAPIC pins, messages         PIT channel 0 --> GSI 0
 *   IOAPIC, messages --> bus --> LAPICs (split: ops->msi)   PICs' INTR --> LINT0 of all LAPICs
 *
 * The locking rule is that of userspace/apic_bus.h, and holds for all of the machine: the caller has one lock and holds it
 * around every call; "any thread" is any that holds it. Callbacks are made with it held and must not call back. Nothing
 * here allocates, blocks or has threads.
 *
 * A vCPU of a KVM without irqchip (mode none), each time before KVM_RUN:
 *
 *   irqchip_model_events()        reset registers, start, KVM_NMI
 *   irqchip_model_waits()         true: sleep until ops->kick()
 *   irqchip_model_pending()       and ready_for_interrupt_injection: irqchip_model_acknowledge(), KVM_INTERRUPT;
 *                                 still pending: request_interrupt_window
 *   lapic_model_cr8()             into kvm_run.cr8, and after KVM_RUN back when it changed
 *
 * and after it irqchip_model_mmio(), irqchip_model_pio(), lapic_model_rdmsr(), lapic_model_wrmsr(), irqchip_model_halt().
 * With a split irqchip: irqchip_model_pending(), irqchip_model_acknowledge(); the ports; the IOAPIC's page;
 * irqchip_model_eoi() for KVM_EXIT_IOAPIC_EOI. A vector that was acknowledged and not taken is the VMM's to carry along.
 */
#ifndef IRQSHIFT_USERSPACE_IRQCHIP_MODEL_H
#define IRQSHIFT_USERSPACE_IRQCHIP_MODEL_H

#include "apic/irqchip.h"
#include "userspace/apic_bus.h"
#include "userspace/ioapic_model.h"
#include "userspace/lapic_model.h"
#include "userspace/pic_model.h"
#include "userspace/pit_model.h"

/* GSIs that have a line; messages are routed for any GSI. */
#define IRQCHIP_MODEL_LINES 32

/* What ops->arm() is called with for the PIT; below are the LAPICs' timers, by CPU. */
#define IRQCHIP_MODEL_PIT APIC_BUS_CPUS

/* What the VMM does. @ctx is that of the config. */
struct irqchip_model_ops {
	/* The machine's clock in ns; never goes back. */
	int64_t (*now_ns)(void *ctx);
	/* The guest's TSC of that CPU; NULL: LAPICs without TSC-deadline timers. */
	uint64_t (*tsc)(void *ctx, unsigned int cpu);
	/* Call irqchip_model_expired() at or soon after @at_ns, and not at the time told before; LAPIC_MODEL_NEVER: not at all. */
	void (*arm)(void *ctx, unsigned int timer, int64_t at_ns);
	/* There is something new for the vCPU: get it out of KVM_RUN or out of its sleep. */
	void (*kick)(void *ctx, unsigned int cpu);
	/* Where the register page of a LAPIC is now, or LAPIC_MODEL_NOWHERE. May be NULL. */
	void (*moved)(void *ctx, unsigned int cpu, uint64_t base);
	/* Split only: KVM_SIGNAL_MSI. Return: how many LAPICs accepted it. */
	int (*msi)(void *ctx, uint64_t address, uint32_t data);
	/*
	 * Split only: entries of the IOAPIC changed, see irqchip_model_ioapic(). Before any message of them is sent:
	 * KVM reports the EOIs of vectors that KVM_SET_GSI_ROUTING shows it as level-triggered. May be NULL.
	 */
	void (*routes)(void *ctx);
};

struct irqchip_model_config {
	const struct irqchip_model_ops *ops;
	void *ctx;
	enum irqchip_mode mode;          /* IRQCHIP_NONE or IRQCHIP_SPLIT */
	unsigned int ncpus;              /* 1 to APIC_BUS_CPUS; the first is the BSP */
	const uint32_t *ids;             /* APIC IDs; NULL: 0, 1, 2 ... Used by irqchip_model_init() only */
	struct lapic_model_config lapic; /* of mode none: what all LAPICs have; ops, ctx, id and bsp are not looked at */
	uint8_t ioapic_version;          /* IOAPIC_VERSION_11 or IOAPIC_VERSION_20 */
	enum pit_catch_up catch_up;      /* PIT_REINJECT: by what the PICs acknowledge */
	uint32_t pic_quirks, pit_quirks; /* enum pic_quirk, enum pit_quirk; 0: as the manuals say */
	const struct irq_route *routes;  /* stay the caller's; NULL: irqchip_model_routes */
	unsigned int nroutes;
};

/* GSIs 0 to 15 to both PICs and IOAPIC, GSI 0 to pin 2 of the latter and GSI 2 nowhere; 16 to 23 to the IOAPIC. */
#define IRQCHIP_MODEL_ROUTES 38
extern const struct irq_route irqchip_model_routes[IRQCHIP_MODEL_ROUTES];

struct irqchip_model {
	/* private: */
	struct irqchip_model_config config;
	struct apic_bus bus;
	struct lapic_model *lapics;
	struct ioapic_model ioapic;
	struct pic_model pic;
	struct pit_model pit;
	uint32_t lines;      /* by GSI */
	bool pit_acked;      /* the PICs ended IRQ 0, the PIT does not know yet */
	bool pit_unheard;    /* they mask it: nobody will acknowledge it */
	bool routes_changed; /* ops->routes() is due */
};

/* ---- making one, saving and restoring it ---- */

/**
 * irqchip_model_init - controllers as after power-on, all lines low
 * @m: memory of the caller, of any content; must not move while it is in use
 * @lapics: of mode none: config->ncpus of them, the same; else NULL
 *
 * Return: 0; -EINVAL for a config out of its ranges.
 */
int irqchip_model_init(struct irqchip_model *m, struct lapic_model *lapics, const struct irqchip_model_config *config);

/**
 * irqchip_model_get - what the models hold
 * @ret: mode, nlapics, ioapic, pics, pit, lines and clock.cpu_clock_offset (now) are set; of mode none also what the
 *       LAPICs know is set in lapics, an array of ncpus: other members, events that KVM holds among them, stay, and
 *       pending NMIs and SMIs of both are joined
 * @ret_pit: what struct pit_state has no place for, or NULL
 *
 * While no vCPU runs. mp_state, halted and wait_for_sipi agree. Return: 0; -EBUSY when a vCPU has not taken its INIT or
 * start-up IPI: irqchip_model_events() first.
 */
int irqchip_model_get(struct irqchip_model *m, struct irqchip_state *ret, struct pit_model_extra *ret_pit);

/**
 * irqchip_model_set - go on from a state
 * @s: times are on clock.cpu_clock_offset where that is known, else on ops->now_ns; what is unknown is as after reset.
 *     lines are the levels; routes are not looked at
 * @pit: of the irqchip_model_get() that @s comes from, or NULL
 * @reterr: which chip cannot represent what
 *
 * While no vCPU runs. Split: after the LAPICs in the kernel are restored, because pins whose request waits are sent. Events
 * that KVM_SET_VCPU_EVENTS carries (NMI, SMI, exceptions, an injected interrupt) are the CPU's and not taken; mp_state and
 * halted are.
 *
 * Return: 0; -EOPNOTSUPP or -EINVAL, and then nothing changed.
 */
int irqchip_model_set(struct irqchip_model *m, const struct irqchip_state *s, const struct pit_model_extra *pit,
		      struct irqs_error *reterr);

/* irqchip_model_check - only the checks of irqchip_model_set(). */
int irqchip_model_check(const struct irqchip_model *m, const struct irqchip_state *s, const struct pit_model_extra *pit,
			struct irqs_error *reterr);

/* irqchip_model_lapic - a LAPIC, for lapic_model_rdmsr(), lapic_model_wrmsr(), lapic_model_cr8() and so on. Not in split. */
struct lapic_model *irqchip_model_lapic(struct irqchip_model *m, unsigned int cpu);

/* irqchip_model_ioapic - the IOAPIC, to read its entries: ioapic_model_pin(). Callbacks may use it, too. */
const struct ioapic_model *irqchip_model_ioapic(const struct irqchip_model *m);

/* ---- what devices do: any thread ---- */

/**
 * irqchip_model_line - a device sets the level of a GSI
 *
 * Its pins take the level; messages are sent each time that @level is true, as KVM_IRQ_LINE does. Nothing for a GSI
 * without routes.
 */
void irqchip_model_line(struct irqchip_model *m, uint32_t gsi, bool level);

/* irqchip_model_msi - a device's write to the interrupt address range; see apic_bus_msi(), split: ops->msi. */
int irqchip_model_msi(struct irqchip_model *m, uint64_t address, uint32_t data);

/* irqchip_model_expired - the time told to ops->arm() has come. */
void irqchip_model_expired(struct irqchip_model *m, unsigned int timer);

/* irqchip_model_eoi - split: KVM_EXIT_IOAPIC_EOI. */
void irqchip_model_eoi(struct irqchip_model *m, uint8_t vector);

/* ---- what the guest's instructions do: the vCPU's thread ---- */

/**
 * irqchip_model_pio/irqchip_model_mmio - an access to a port, or to memory
 * @data: @size bytes, little-endian; a read fills them
 *
 * Return: whether it is one of ours: PICs, ELCR, PIT, port B; this CPU's LAPIC page, the IOAPIC's window.
 */
bool irqchip_model_pio(struct irqchip_model *m, uint16_t port, bool write, void *data, unsigned int size);
bool irqchip_model_mmio(struct irqchip_model *m, unsigned int cpu, uint64_t address, bool write, void *data,
			unsigned int size);

/* irqchip_model_halt - the CPU executed HLT. Not in split. */
void irqchip_model_halt(struct irqchip_model *m, unsigned int cpu);

/* ---- what a vCPU does next: the vCPU's thread ---- */

struct irqchip_events {
	bool init; /* first: reset the CPU's registers as INIT does; the LAPIC's are */
	int sipi;  /* then: start at this page in real mode; -1: no */
	bool nmi, smi;
};

/* irqchip_model_events - take what came for a CPU; false when there is nothing. Not in split. */
bool irqchip_model_events(struct irqchip_model *m, unsigned int cpu, struct irqchip_events *ret);

/**
 * irqchip_model_waits - whether the CPU sleeps: it waits for a start-up IPI, or is halted and stays so
 * @interruptible: it takes interrupts: kvm_run.if_flag of the exit at which it halted
 *
 * An interrupt that can be taken ends a HLT; irqchip_model_events() did so for NMI and SMI. Not in split.
 */
bool irqchip_model_waits(struct irqchip_model *m, unsigned int cpu, bool interruptible);

/* irqchip_model_pending - whether the CPU gets an interrupt from here as soon as it takes one. */
bool irqchip_model_pending(const struct irqchip_model *m, unsigned int cpu);

/**
 * irqchip_model_acknowledge - the CPU takes an interrupt: the PICs' before the LAPIC's, as KVM does it
 *
 * Return: the vector, for KVM_INTERRUPT; -1 when there is none.
 */
int irqchip_model_acknowledge(struct irqchip_model *m, unsigned int cpu);

/*
 * irqchip_model_vector - split: what irqchip_model_acknowledge() would give now, or -1. KVM_INTERRUPT can refuse it
 * (EEXIST: it still has one), so acknowledge afterwards.
 */
int irqchip_model_vector(const struct irqchip_model *m);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The local APIC and everything that an interrupt of one CPU can be in. Manual: Intel SDM volume 3A,
 * chapter 11. Registers are kept as KVM_GET_LAPIC gives them: 32 bits at offset / 16.
 *
 * All functions are pure; none looks at the known bits unless it says so.
 */
#ifndef IRQSHIFT_APIC_LAPIC_H
#define IRQSHIFT_APIC_LAPIC_H

#include "apic/reg.h"

/* Offsets in the register page (SDM 3A table 11-1; include/uapi/linux/kvm.h struct kvm_lapic_state). */
#define LAPIC_ID      0x020
#define LAPIC_LVR     0x030
#define LAPIC_TPR     0x080
#define LAPIC_APR     0x090
#define LAPIC_PPR     0x0a0
#define LAPIC_EOI     0x0b0
#define LAPIC_RRD     0x0c0
#define LAPIC_LDR     0x0d0
#define LAPIC_DFR     0x0e0
#define LAPIC_SVR     0x0f0
#define LAPIC_ISR     0x100
#define LAPIC_TMR     0x180
#define LAPIC_IRR     0x200
#define LAPIC_ESR     0x280
#define LAPIC_LVTCMCI 0x2f0
#define LAPIC_ICR     0x300
#define LAPIC_ICR2    0x310
#define LAPIC_LVTT    0x320
#define LAPIC_LVTTHMR 0x330
#define LAPIC_LVTPC   0x340
#define LAPIC_LVT0    0x350
#define LAPIC_LVT1    0x360
#define LAPIC_LVTERR  0x370
#define LAPIC_TMICT   0x380
#define LAPIC_TMCCT   0x390
#define LAPIC_TDCR    0x3e0
#define LAPIC_SELF    0x3f0

#define LAPIC_SVR_ENABLE       UINT32_C(0x100)
#define LAPIC_SVR_NO_BROADCAST UINT32_C(0x1000)
#define LAPIC_LVR_NO_BROADCAST (UINT32_C(1) << 24)
#define LAPIC_LVT_MASKED       (UINT32_C(1) << 16)
#define LAPIC_BASE_BSP         UINT64_C(0x100)
#define LAPIC_BASE_X2APIC      UINT64_C(0x400)
#define LAPIC_BASE_ENABLE      UINT64_C(0x800)

/* mp_state, include/uapi/linux/kvm.h */
enum lapic_mp_state {
	LAPIC_MP_RUNNABLE,
	LAPIC_MP_UNINITIALIZED,
	LAPIC_MP_INIT_RECEIVED,
	LAPIC_MP_HALTED,
	LAPIC_MP_SIPI_RECEIVED,
};

enum lapic_timer_mode { LAPIC_TIMER_ONE_SHOT, LAPIC_TIMER_PERIODIC, LAPIC_TIMER_TSC_DEADLINE,
		       LAPIC_TIMER_RESERVED };

/* delivery_mode of LVT entries, ICR and IOAPIC entries */
enum lapic_delivery {
	LAPIC_FIXED,
	LAPIC_LOWEST_PRIORITY,
	LAPIC_SMI,
	LAPIC_DELIVERY_3,
	LAPIC_NMI,
	LAPIC_INIT,
	LAPIC_STARTUP,
	LAPIC_EXTINT,
};

/*
 * Whose arithmetic a running timer follows: a period is TMICT ticks, or TMICT + 1 in QEMU's userspace
 * model.
 */
enum lapic_timer_model { LAPIC_TIMER_KVM, LAPIC_TIMER_QEMU };

struct lapic_state {
	uint64_t known[REG_KNOWN_WORDS]; /* first: see apic/reg.h */
	uint32_t regs[64];               /* by offset / 16 */
	uint64_t apic_base;              /* IA32_APIC_BASE */
	uint64_t cr8;
	/* APIC ID at reset, all 32 bits; the instance of the stream's section */
	uint32_t initial_id;
	uint8_t esr_pending; /* errors that the next write of ESR will show */

	/* The timer as QEMU keeps it: absolute virtual time in ns. */
	int32_t count_shift; /* ticks are 1 << count_shift ns */
	int64_t initial_count_load_time;
	int64_t next_time;
	int64_t timer_expiry; /* -1: not armed */
	/* The timer as irqshift moves it. */
	uint64_t timer_remaining_ns; /* until the next interrupt; unknown when none will come */

	/* A userspace model's wait for a start-up IPI. */
	int32_t wait_for_sipi;
	int32_t apic_sipi_vector;

	/* Events (struct kvm_vcpu_events) and the run state. */
	uint32_t mp_state;
	uint32_t sipi_vector;
	int32_t interrupt_injected; /* vector acknowledged but not taken yet; -1: none */
	int32_t exception_nr;       /* -1: none */
	uint8_t soft_interrupt, has_error_code;
	uint32_t error_code;
	uint8_t nmi_injected, nmi_pending, nmi_masked;
	uint8_t exception_pending, exception_injected, exception_has_payload;
	uint8_t triple_fault;
	uint8_t interrupt_shadow;
	uint8_t smm, smm_inside_nmi, smi_pending, latched_init;
	uint64_t exception_payload;
	uint32_t halted, interrupt_request; /* QEMU's own */
	uint64_t eflags;
	uint32_t hflags, hflags2;

	/* Time. */
	uint64_t tsc, tsc_adjust, tsc_deadline;
	int64_t tsc_khz;

	/* Services of KVM that the guest uses. */
	uint64_t system_time_msr, wall_clock_msr, async_pf_en_msr, async_pf_int_msr, pv_eoi_en_msr,
		steal_time_msr, poll_control_msr;
};

/* Fields of the section `apic`, in stream order (QEMU hw/intc/apic_common.c). */
enum lapic_vms {
	LAPIC_VMS_APICBASE, LAPIC_VMS_ID, LAPIC_VMS_ARB_ID, LAPIC_VMS_TPR, LAPIC_VMS_SPURIOUS_VEC,
	LAPIC_VMS_LOG_DEST, LAPIC_VMS_DEST_MODE, LAPIC_VMS_ISR, LAPIC_VMS_TMR, LAPIC_VMS_IRR, LAPIC_VMS_LVT,
	LAPIC_VMS_ESR, LAPIC_VMS_ICR, LAPIC_VMS_DIVIDE_CONF, LAPIC_VMS_COUNT_SHIFT, LAPIC_VMS_INITIAL_COUNT,
	LAPIC_VMS_LOAD_TIME, LAPIC_VMS_NEXT_TIME, LAPIC_VMS_TIMER_EXPIRY, LAPIC_VMS_NR
};

enum lapic_sipi_vms { LAPIC_SIPI_VMS_VECTOR, LAPIC_SIPI_VMS_WAIT, LAPIC_SIPI_VMS_NR };

extern const struct vms_desc lapic_vms_desc, lapic_sipi_vms_desc;
extern const struct vms_field lapic_vms_fields[LAPIC_VMS_NR], lapic_sipi_vms_fields[LAPIC_SIPI_VMS_NR];
extern const struct reg_chip lapic_chip;

/* lapic_reg - the register at a page offset. */
static inline uint32_t lapic_reg(const struct lapic_state *s, uint16_t offset)
{
	return s->regs[offset / 16 % 64];
}

/* lapic_set_reg - write the state of the register at a page offset and mark it known. */
void lapic_set_reg(struct lapic_state *s, uint16_t offset, uint32_t value);

/* lapic_reg_known - whether the source carried the register at a page offset. */
bool lapic_reg_known(const struct lapic_state *s, uint16_t offset);

/*
 * lapic_member - the row of a member that is no register, by its row name ("mp_state"); never fails for
 * one.
 */
const struct reg_row *lapic_member(const char *name);

/**
 * lapic_from_tree - a state from a section `apic`
 * @section: section `apic`, from whichever kind of irqchip
 * @ret: receives the state; what the section does not carry is unknown
 * @reterr: what was wrong, and where
 *
 * Return: 0 or -EBADMSG.
 */
int lapic_from_tree(const struct vms_node *section, struct lapic_state *ret, struct irqs_error *reterr);

/**
 * lapic_add_tree - add what another section of the same CPU carries: `cpu`, `cpu_common`
 *
 * As lapic_from_tree(), but what @section does not carry stays as it is in @s.
 */
int lapic_add_tree(const struct vms_node *section, struct lapic_state *s, struct irqs_error *reterr);

/**
 * lapic_to_tree - write what is known into the fields of a section `apic`, `cpu` or `cpu_common`
 *
 * See reg_to_tree(). Fields and subsections that the section lacks are not added.
 */
int lapic_to_tree(const struct lapic_state *s, struct vms_node *section, struct irqs_error *reterr);

/* lapic_divide - by what TDCR divides the bus clock: 1 to 128. */
unsigned int lapic_divide(uint32_t tdcr);

/* lapic_count_shift - the logarithm of that: 0 to 7. */
unsigned int lapic_count_shift(uint32_t tdcr);

/* lapic_bank_highest - the highest vector set in the bank at @offset (LAPIC_ISR, _TMR, _IRR), or -1. */
int lapic_bank_highest(const struct lapic_state *s, uint16_t offset);

/* lapic_bank_test/lapic_bank_set/lapic_bank_clear - one vector in a bank. */
bool lapic_bank_test(const struct lapic_state *s, uint16_t offset, uint8_t vector);
void lapic_bank_set(struct lapic_state *s, uint16_t offset, uint8_t vector);
void lapic_bank_clear(struct lapic_state *s, uint16_t offset, uint8_t vector);

/* lapic_ppr - the processor priority that follows from TPR and ISR (SDM 3A 11.8.3.1). */
uint8_t lapic_ppr(const struct lapic_state *s);

/* lapic_enabled - enabled by the APIC base and by SVR. */
bool lapic_enabled(const struct lapic_state *s);

/* lapic_x2apic - enabled and in x2APIC mode. */
bool lapic_x2apic(const struct lapic_state *s);

/**
 * lapic_deliverable - the vector that this LAPIC would give its CPU now
 *
 * Return: the highest requested vector if its class is above the processor priority's; -1 when there is
 * none, or when the LAPIC is disabled. Whether the CPU takes interrupts (IF, shadow) is not looked at.
 */
int lapic_deliverable(const struct lapic_state *s);

/*
 * lapic_accepts_pic - whether INTR of the PIC reaches this CPU: LINT0 is ExtINT and unmasked, or the APIC
 * is off.
 */
bool lapic_accepts_pic(const struct lapic_state *s);

/**
 * lapic_unacknowledge - take back that a vector was given to the CPU: from ISR to IRR
 *
 * Return: whether it was in service; if not, nothing changes.
 */
bool lapic_unacknowledge(struct lapic_state *s, uint8_t vector);

/* lapic_id - the APIC ID that messages are matched against; in x2APIC mode initial_id when that is known. */
uint32_t lapic_id(const struct lapic_state *s);

/* lapic_match_physical/lapic_match_logical - whether a message to @dest is for this LAPIC (SDM 3A 11.6.2). */
bool lapic_match_physical(const struct lapic_state *s, uint32_t dest);
bool lapic_match_logical(const struct lapic_state *s, uint32_t dest);

/* lapic_timer_mode - of the LVT timer entry. */
enum lapic_timer_mode lapic_timer_mode(const struct lapic_state *s);

/* lapic_timer_period_ns - TMICT, or TMICT + 1, bus cycles of 1 ns times the divide; 0 when TMICT is 0. */
uint64_t lapic_timer_period_ns(const struct lapic_state *s, enum lapic_timer_model model);

/**
 * lapic_timer_sample - set timer_remaining_ns and TMCCT from the load time at a given time
 * @s: TMICT, TDCR, LVTT and initial_count_load_time must be known
 * @now_ns: virtual time, on the clock of initial_count_load_time
 * @model: whose load time it is
 *
 * timer_remaining_ns becomes unknown when no interrupt will come: TMICT is 0, a one-shot has fired, or the
 * timer is in TSC-deadline mode. A masked timer goes on counting.
 *
 * Return: whether it is running.
 */
bool lapic_timer_sample(struct lapic_state *s, int64_t now_ns, enum lapic_timer_model model);

/**
 * lapic_timer_rebase - set the four timer fields of QEMU's section so that the timer continues
 * @s: timer_remaining_ns known: that long until the interrupt; unknown: none will come
 * @now_ns: the target's virtual time
 * @model: who will run it
 *
 * Sets count_shift, initial_count_load_time, next_time and timer_expiry. A remaining time longer than a
 * period is cut to a period.
 */
void lapic_timer_rebase(struct lapic_state *s, int64_t now_ns, enum lapic_timer_model model);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's x86 `cpu` section (version 12) and `cpu_common`: every field, so that a stream without vmdescription
 * can be read. The interrupt state in them has rows in apic/lapic.h. Layout: read out of the VMState tables
 * of QEMU 7.2 and 10.0 and of real streams.
 */
#ifndef IRQSHIFT_APIC_CPU_H
#define IRQSHIFT_APIC_CPU_H

#include <stdbool.h>

#include "vmstate/describe.h"

/* Fields of the section `cpu`, in stream order. */
enum cpu_vms {
	CPU_VMS_REGS, CPU_VMS_EIP, CPU_VMS_EFLAGS, CPU_VMS_HFLAGS,
	CPU_VMS_FPUC, CPU_VMS_FPUS, CPU_VMS_FPTAG, CPU_VMS_FPREGS_FORMAT, CPU_VMS_FPREGS,
	CPU_VMS_SEGS, CPU_VMS_LDT, CPU_VMS_TR, CPU_VMS_GDT, CPU_VMS_IDT,
	CPU_VMS_SYSENTER_CS, CPU_VMS_SYSENTER_ESP, CPU_VMS_SYSENTER_EIP,
	CPU_VMS_CR0, CPU_VMS_CR2, CPU_VMS_CR3, CPU_VMS_CR4, CPU_VMS_DR, CPU_VMS_A20_MASK,
	CPU_VMS_MXCSR, CPU_VMS_XMM,
	CPU_VMS_EFER, CPU_VMS_STAR, CPU_VMS_LSTAR, CPU_VMS_CSTAR, CPU_VMS_FMASK, CPU_VMS_KERNELGSBASE,
	CPU_VMS_SMBASE, CPU_VMS_PAT, CPU_VMS_HFLAGS2, CPU_VMS_VM_HSAVE, CPU_VMS_VM_VMCB, CPU_VMS_TSC_OFFSET,
	CPU_VMS_INTERCEPT, CPU_VMS_INTERCEPT_CR_READ, CPU_VMS_INTERCEPT_CR_WRITE, CPU_VMS_INTERCEPT_DR_READ,
	CPU_VMS_INTERCEPT_DR_WRITE, CPU_VMS_INTERCEPT_EXCEPTIONS, CPU_VMS_V_TPR,
	CPU_VMS_MTRR_FIXED, CPU_VMS_MTRR_DEFTYPE, CPU_VMS_MTRR_VAR,
	CPU_VMS_INTERRUPT_INJECTED, CPU_VMS_MP_STATE, CPU_VMS_TSC, CPU_VMS_EXCEPTION_NR,
	CPU_VMS_SOFT_INTERRUPT, CPU_VMS_NMI_INJECTED, CPU_VMS_NMI_PENDING, CPU_VMS_HAS_ERROR_CODE,
	CPU_VMS_SIPI_VECTOR, CPU_VMS_MCG_CAP, CPU_VMS_MCG_STATUS, CPU_VMS_MCG_CTL, CPU_VMS_MCE_BANKS,
	CPU_VMS_TSC_AUX, CPU_VMS_SYSTEM_TIME_MSR, CPU_VMS_WALL_CLOCK_MSR,
	CPU_VMS_XCR0, CPU_VMS_XSTATE_BV, CPU_VMS_YMMH,
	CPU_VMS_NR
};

/* Fields of the section `cpu_common`. */
enum cpu_common_vms { CPU_COMMON_VMS_HALTED, CPU_COMMON_VMS_INTERRUPT_REQUEST, CPU_COMMON_VMS_NR };

/* Fields of cpu/exception_info. */
enum cpu_exception_vms {
	CPU_EXCEPTION_VMS_PENDING, CPU_EXCEPTION_VMS_INJECTED, CPU_EXCEPTION_VMS_HAS_PAYLOAD,
	CPU_EXCEPTION_VMS_PAYLOAD, CPU_EXCEPTION_VMS_NR
};

extern const struct vms_desc cpu_vms_desc, cpu_common_vms_desc;
extern const struct vms_field cpu_vms_fields[CPU_VMS_NR], cpu_common_vms_fields[CPU_COMMON_VMS_NR];

/* Subsections that rows of the LAPIC point into; each of the others is in cpu_subs. */
extern const struct vms_desc cpu_exception_info_desc, cpu_async_pf_msr_desc, cpu_async_pf_int_msr_desc,
	cpu_pv_eoi_msr_desc, cpu_steal_time_msr_desc, cpu_poll_control_msr_desc, cpu_tsc_adjust_desc,
	cpu_tscdeadline_desc, cpu_tsc_khz_desc, cpu_triple_fault_desc;
extern const struct vms_field cpu_exception_info_fields[CPU_EXCEPTION_VMS_NR], cpu_async_pf_msr_fields[1],
	cpu_async_pf_int_msr_fields[1], cpu_pv_eoi_msr_fields[1], cpu_steal_time_msr_fields[1],
	cpu_poll_control_msr_fields[1], cpu_tsc_adjust_fields[1], cpu_tscdeadline_fields[1],
	cpu_tsc_khz_fields[1], cpu_triple_fault_fields[1];

/* What a subsection of `cpu` stands for. */
enum cpu_sub_class {
	CPU_SUB_INERT,    /* a value that nothing outside KVM looks at */
	CPU_SUB_REGISTER, /* registers that the target's CPU must have */
	CPU_SUB_TIMER,    /* time: a deadline or the TSC */
	CPU_SUB_EVENT,    /* an event on its way */
	CPU_SUB_PARAVIRT, /* the guest uses a service of KVM */
	CPU_SUB_HYPERV,   /* the guest uses a Hyper-V enlightenment of KVM */
	CPU_SUB_XEN,      /* the guest runs on KVM's Xen emulation */
	CPU_SUB_NESTED,   /* the guest runs guests of its own under KVM */
	CPU_SUB_TCG,      /* only an emulated CPU writes it */
};

/* Where a subsection was seen. */
enum cpu_sub_seen {
	CPU_SUB_QEMU_7_2,   /* in 7.2 and in 10.0 */
	CPU_SUB_QEMU_10_0,  /* in 10.0, not in 7.2; the releases between were not looked at */
	CPU_SUB_PATCH,      /* in published patches only */
};

struct cpu_sub {
	const struct vms_desc *desc;
	enum cpu_sub_class kind;
	enum cpu_sub_seen seen;
	const char *needed; /* when QEMU writes it */
	const char *tcg;    /* what QEMU's TCG does with it */
	const char *report; /* one sentence for a report */
};

/* In stream order, NULL desc last. */
extern const struct cpu_sub cpu_subs[];

/* cpu_find_sub - the row of a subsection ("cpu/tsc_khz"), or NULL. */
const struct cpu_sub *cpu_find_sub(const char *name);

/* cpu_sub_class_name - a word for a report. */
const char *cpu_sub_class_name(enum cpu_sub_class kind);

/* Bits of cpu_common.interrupt_request (QEMU, CPU_INTERRUPT_*). */
#define CPU_INTERRUPT_HARD UINT32_C(0x0002) /* the LAPIC or the PIC has a vector for this CPU */
#define CPU_INTERRUPT_POLL UINT32_C(0x0010)
#define CPU_INTERRUPT_HALT UINT32_C(0x0020)
#define CPU_INTERRUPT_SMI  UINT32_C(0x0040)
#define CPU_INTERRUPT_VIRQ UINT32_C(0x0100)
#define CPU_INTERRUPT_NMI  UINT32_C(0x0200)
#define CPU_INTERRUPT_INIT UINT32_C(0x0400)
#define CPU_INTERRUPT_SIPI UINT32_C(0x0800)
#define CPU_INTERRUPT_MCE  UINT32_C(0x1000)
#define CPU_INTERRUPT_TPR  UINT32_C(0x2000)

/* Bits of env.hflags and env.hflags2 that matter to interrupts or that TCG does not rebuild. */
#define CPU_HF_INHIBIT_IRQ (UINT32_C(1) << 3) /* the shadow of STI or MOV SS */
#define CPU_HF_SMM         (UINT32_C(1) << 19)
#define CPU_HF_GUEST       (UINT32_C(1) << 21)
#define CPU_HF_SMAP        (UINT32_C(1) << 23)
#define CPU_HF_UMIP        (UINT32_C(1) << 27)
#define CPU_HF_AVX_EN      (UINT32_C(1) << 28)
#define CPU_HF2_GIF        (UINT32_C(1) << 0) /* clear: SVM holds all interrupts back */
#define CPU_HF2_NMI        (UINT32_C(1) << 2) /* an NMI is being served */
#define CPU_EFLAGS_IF      (UINT32_C(1) << 9)

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fields of `cpu` and `cpu_common`. The subsections of `cpu` are in cpu_subs.c. */
#include "apic/cpu.h"

#include "apic/cpu_descs.h"
#include "apic/reg.h"

#define U8(n)  { .name = (n), .type = "uint8" }
#define U16(n) { .name = (n), .type = "uint16" }
#define U32(n) { .name = (n), .type = "uint32" }
#define U64(n) { .name = (n), .type = "uint64" }
#define I32(n) { .name = (n), .type = "int32" }
#define ARRAY(n, t, c) { .name = (n), .type = (t), .count = (c) }
#define STRUCT(n, d)   { .name = (n), .type = "struct", .desc = (d) }
#define STRUCTS(n, c, d) { .name = (n), .type = "struct", .count = (c), .desc = (d) }

#define DESC(n, v, table) { .name = (n), .version = (v), .minimum_version = (v), .fields = (table), \
			    .nfields = REG_ARRAY_SIZE(table) }

/* 64-bit mantissa, 16-bit exponent, in a struct that QEMU has only while it saves and loads. */
static const struct vms_field fpreg_tmp_fields[] = { U64("tmp_mant"), U16("tmp_exp") };
static const struct vms_desc fpreg_tmp_desc = DESC("fpreg_tmp", 0, fpreg_tmp_fields);
static const struct vms_field fpreg_fields[] = {
	{ .name = "tmp", .type = "tmp", .desc = &fpreg_tmp_desc },
};
static const struct vms_desc fpreg_desc = DESC("fpreg", 0, fpreg_fields);

static const struct vms_field segment_fields[] = { U32("selector"), U64("base"), U32("limit"), U32("flags") };
static const struct vms_desc segment_desc = DESC("segment", 1, segment_fields);

static const struct vms_field xmm_fields[] = { U64("_q_ZMMReg[0]"), U64("_q_ZMMReg[1]") };
static const struct vms_desc xmm_desc = DESC("xmm_reg", 1, xmm_fields);

static const struct vms_field ymmh_fields[] = { U64("_q_ZMMReg[2]"), U64("_q_ZMMReg[3]") };
static const struct vms_desc ymmh_desc = DESC("ymmh_reg", 1, ymmh_fields);

static const struct vms_field mtrr_fields[] = { U64("base"), U64("mask") };
static const struct vms_desc mtrr_desc = DESC("mtrr_var", 1, mtrr_fields);

const struct vms_field cpu_vms_fields[CPU_VMS_NR] = {
	[CPU_VMS_REGS] = ARRAY("env.regs", "uint64", 16),
	[CPU_VMS_EIP] = U64("env.eip"),
	[CPU_VMS_EFLAGS] = U64("env.eflags"),
	[CPU_VMS_HFLAGS] = U32("env.hflags"),
	[CPU_VMS_FPUC] = U16("env.fpuc"),
	[CPU_VMS_FPUS] = U16("env.fpus_vmstate"),
	[CPU_VMS_FPTAG] = U16("env.fptag_vmstate"),
	[CPU_VMS_FPREGS_FORMAT] = U16("env.fpregs_format_vmstate"),
	[CPU_VMS_FPREGS] = STRUCTS("env.fpregs", 8, &fpreg_desc),
	[CPU_VMS_SEGS] = STRUCTS("env.segs", 6, &segment_desc),
	[CPU_VMS_LDT] = STRUCT("env.ldt", &segment_desc),
	[CPU_VMS_TR] = STRUCT("env.tr", &segment_desc),
	[CPU_VMS_GDT] = STRUCT("env.gdt", &segment_desc),
	[CPU_VMS_IDT] = STRUCT("env.idt", &segment_desc),
	[CPU_VMS_SYSENTER_CS] = U32("env.sysenter_cs"),
	[CPU_VMS_SYSENTER_ESP] = U64("env.sysenter_esp"),
	[CPU_VMS_SYSENTER_EIP] = U64("env.sysenter_eip"),
	[CPU_VMS_CR0] = U64("env.cr[0]"),
	[CPU_VMS_CR2] = U64("env.cr[2]"),
	[CPU_VMS_CR3] = U64("env.cr[3]"),
	[CPU_VMS_CR4] = U64("env.cr[4]"),
	[CPU_VMS_DR] = ARRAY("env.dr", "uint64", 8),
	[CPU_VMS_A20_MASK] = I32("env.a20_mask"),
	[CPU_VMS_MXCSR] = U32("env.mxcsr"),
	/* Two fields are called env.xmm_regs: QEMU numbers them. */
	[CPU_VMS_XMM] = STRUCTS("env.xmm_regs[0]", 16, &xmm_desc),
	[CPU_VMS_EFER] = U64("env.efer"),
	[CPU_VMS_STAR] = U64("env.star"),
	[CPU_VMS_LSTAR] = U64("env.lstar"),
	[CPU_VMS_CSTAR] = U64("env.cstar"),
	[CPU_VMS_FMASK] = U64("env.fmask"),
	[CPU_VMS_KERNELGSBASE] = U64("env.kernelgsbase"),
	[CPU_VMS_SMBASE] = U32("env.smbase"),
	[CPU_VMS_PAT] = U64("env.pat"),
	[CPU_VMS_HFLAGS2] = U32("env.hflags2"),
	[CPU_VMS_VM_HSAVE] = U64("env.vm_hsave"),
	[CPU_VMS_VM_VMCB] = U64("env.vm_vmcb"),
	[CPU_VMS_TSC_OFFSET] = U64("env.tsc_offset"),
	[CPU_VMS_INTERCEPT] = U64("env.intercept"),
	[CPU_VMS_INTERCEPT_CR_READ] = U16("env.intercept_cr_read"),
	[CPU_VMS_INTERCEPT_CR_WRITE] = U16("env.intercept_cr_write"),
	[CPU_VMS_INTERCEPT_DR_READ] = U16("env.intercept_dr_read"),
	[CPU_VMS_INTERCEPT_DR_WRITE] = U16("env.intercept_dr_write"),
	[CPU_VMS_INTERCEPT_EXCEPTIONS] = U32("env.intercept_exceptions"),
	[CPU_VMS_V_TPR] = U8("env.v_tpr"),
	[CPU_VMS_MTRR_FIXED] = ARRAY("env.mtrr_fixed", "uint64", 11),
	[CPU_VMS_MTRR_DEFTYPE] = U64("env.mtrr_deftype"),
	[CPU_VMS_MTRR_VAR] = STRUCTS("env.mtrr_var", 8, &mtrr_desc),
	[CPU_VMS_INTERRUPT_INJECTED] = I32("env.interrupt_injected"),
	[CPU_VMS_MP_STATE] = U32("env.mp_state"),
	[CPU_VMS_TSC] = U64("env.tsc"),
	[CPU_VMS_EXCEPTION_NR] = I32("env.exception_nr"),
	[CPU_VMS_SOFT_INTERRUPT] = U8("env.soft_interrupt"),
	[CPU_VMS_NMI_INJECTED] = U8("env.nmi_injected"),
	[CPU_VMS_NMI_PENDING] = U8("env.nmi_pending"),
	[CPU_VMS_HAS_ERROR_CODE] = U8("env.has_error_code"),
	[CPU_VMS_SIPI_VECTOR] = U32("env.sipi_vector"),
	[CPU_VMS_MCG_CAP] = U64("env.mcg_cap"),
	[CPU_VMS_MCG_STATUS] = U64("env.mcg_status"),
	[CPU_VMS_MCG_CTL] = U64("env.mcg_ctl"),
	[CPU_VMS_MCE_BANKS] = ARRAY("env.mce_banks", "uint64", 40),
	[CPU_VMS_TSC_AUX] = U64("env.tsc_aux"),
	[CPU_VMS_SYSTEM_TIME_MSR] = U64("env.system_time_msr"),
	[CPU_VMS_WALL_CLOCK_MSR] = U64("env.wall_clock_msr"),
	[CPU_VMS_XCR0] = { .name = "env.xcr0", .type = "uint64", .since = 12 },
	[CPU_VMS_XSTATE_BV] = { .name = "env.xstate_bv", .type = "uint64", .since = 12 },
	[CPU_VMS_YMMH] = { .name = "env.xmm_regs[1]", .type = "struct", .count = 16, .since = 12,
			   .desc = &ymmh_desc },
};

const struct vms_desc cpu_vms_desc = {
	.name = "cpu",
	.version = 12,
	.minimum_version = 11,
	.fields = cpu_vms_fields,
	.nfields = CPU_VMS_NR,
	.subsections = cpu_sub_descs,
};

/* cpu_common, QEMU hw/core/cpu-system.c */
static const struct vms_field exception_index_fields[] = { I32("exception_index") };
static const struct vms_desc exception_index_desc =
	DESC("cpu_common/exception_index", 1, exception_index_fields);

static const struct vms_field crash_occurred_fields[] = { { .name = "crash_occurred", .type = "bool" } };
static const struct vms_desc crash_occurred_desc = DESC("cpu_common/crash_occurred", 1,
							crash_occurred_fields);

static const struct vms_desc *const cpu_common_subs[] = { &exception_index_desc, &crash_occurred_desc, NULL };

const struct vms_field cpu_common_vms_fields[CPU_COMMON_VMS_NR] = {
	[CPU_COMMON_VMS_HALTED] = U32("halted"),
	[CPU_COMMON_VMS_INTERRUPT_REQUEST] = U32("interrupt_request"),
};

const struct vms_desc cpu_common_vms_desc = {
	.name = "cpu_common",
	.version = 1,
	.minimum_version = 1,
	.fields = cpu_common_vms_fields,
	.nfields = CPU_COMMON_VMS_NR,
	.subsections = cpu_common_subs,
};

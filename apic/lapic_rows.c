/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the local APIC. Manual: Intel SDM volume 3A, chapter 11; KVM ABI: include/uapi/linux/kvm.h. */
#include <linux/kvm.h>

#include "apic/cpu.h"
#include "apic/lapic.h"
#include "apic/lapic_rows.h"

const struct vms_field lapic_vms_fields[LAPIC_VMS_NR] = {
	[LAPIC_VMS_APICBASE] = { .name = "apicbase", .type = "uint32" },
	[LAPIC_VMS_ID] = { .name = "id", .type = "uint8" },
	[LAPIC_VMS_ARB_ID] = { .name = "arb_id", .type = "uint8" },
	[LAPIC_VMS_TPR] = { .name = "tpr", .type = "uint8" },
	[LAPIC_VMS_SPURIOUS_VEC] = { .name = "spurious_vec", .type = "uint32" },
	[LAPIC_VMS_LOG_DEST] = { .name = "log_dest", .type = "uint8" },
	[LAPIC_VMS_DEST_MODE] = { .name = "dest_mode", .type = "uint8" },
	[LAPIC_VMS_ISR] = { .name = "isr", .type = "uint32", .count = 8 },
	[LAPIC_VMS_TMR] = { .name = "tmr", .type = "uint32", .count = 8 },
	[LAPIC_VMS_IRR] = { .name = "irr", .type = "uint32", .count = 8 },
	[LAPIC_VMS_LVT] = { .name = "lvt", .type = "uint32", .count = 6 },
	[LAPIC_VMS_ESR] = { .name = "esr", .type = "uint32" },
	[LAPIC_VMS_ICR] = { .name = "icr", .type = "uint32", .count = 2 },
	[LAPIC_VMS_DIVIDE_CONF] = { .name = "divide_conf", .type = "uint32" },
	[LAPIC_VMS_COUNT_SHIFT] = { .name = "count_shift", .type = "int32" },
	[LAPIC_VMS_INITIAL_COUNT] = { .name = "initial_count", .type = "uint32" },
	[LAPIC_VMS_LOAD_TIME] = { .name = "initial_count_load_time", .type = "int64" },
	[LAPIC_VMS_NEXT_TIME] = { .name = "next_time", .type = "int64" },
	[LAPIC_VMS_TIMER_EXPIRY] = { .name = "timer_expiry", .type = "int64" },
};

const struct vms_field lapic_sipi_vms_fields[LAPIC_SIPI_VMS_NR] = {
	[LAPIC_SIPI_VMS_VECTOR] = { .name = "sipi_vector", .type = "int32" },
	[LAPIC_SIPI_VMS_WAIT] = { .name = "wait_for_sipi", .type = "int32" },
};

const struct vms_desc lapic_sipi_vms_desc = {
	.name = "apic_sipi",
	.version = 1,
	.minimum_version = 1,
	.fields = lapic_sipi_vms_fields,
	.nfields = LAPIC_SIPI_VMS_NR,
};

static const struct vms_desc *const lapic_subs[] = { &lapic_sipi_vms_desc, NULL };

const struct vms_desc lapic_vms_desc = {
	.name = "apic",
	.version = 3,
	.minimum_version = 3,
	.fields = lapic_vms_fields,
	.nfields = LAPIC_VMS_NR,
	.subsections = lapic_subs,
};

static const char *const delivery_modes[] = { "fixed", "lowest", "SMI", NULL, "NMI", "INIT", "startup",
					     "ExtINT" };
static const char *const dest_modes[] = { "physical", "logical" };
static const char *const shorthands[] = { "none", "self", "all", "others" };
static const char *const trigger_modes[] = { "edge", "level" };
static const char *const polarities[] = { "high", "low" };
static const char *const levels[] = { "deassert", "assert" };
static const char *const timer_modes[] = { "one-shot", "periodic", "TSC-deadline" };
static const char *const dfr_models[] = { [0] = "cluster", [15] = "flat" };
static const char *const mp_states[] = { "runnable", "uninitialized", "INIT received", "halted",
					"SIPI received" };

#define VECTOR          { .name = "vector", .lsb = 0, .width = 8 }
#define DELIVERY        { .name = "delivery_mode", .lsb = 8, .width = 3, REG_VALUES(delivery_modes) }
#define DELIVERY_STATUS { .name = "delivery_status", .lsb = 12, .width = 1 }
#define MASK            { .name = "mask", .lsb = 16, .width = 1 }

static const struct reg_field id_fields[] = { { .name = "apic_id", .lsb = 24, .width = 8 } };
static const struct reg_field lvr_fields[] = {
	{ .name = "version", .lsb = 0, .width = 8 },
	{ .name = "max_lvt", .lsb = 16, .width = 8 },
	{ .name = "eoi_broadcast_suppression", .lsb = 24, .width = 1 },
};
static const struct reg_field priority_fields[] = {
	{ .name = "subclass", .lsb = 0, .width = 4 },
	{ .name = "class", .lsb = 4, .width = 4 },
};
static const struct reg_field ldr_fields[] = { { .name = "logical_id", .lsb = 24, .width = 8 } };
static const struct reg_field dfr_fields[] = { { .name = "model", .lsb = 28, .width = 4,
						REG_VALUES(dfr_models) } };
static const struct reg_field svr_fields[] = {
	VECTOR,
	{ .name = "enable", .lsb = 8, .width = 1 },
	{ .name = "focus_check_disabled", .lsb = 9, .width = 1 },
	{ .name = "suppress_eoi_broadcast", .lsb = 12, .width = 1 },
};
static const struct reg_field esr_fields[] = {
	{ .name = "send_checksum", .lsb = 0, .width = 1 },
	{ .name = "receive_checksum", .lsb = 1, .width = 1 },
	{ .name = "send_accept", .lsb = 2, .width = 1 },
	{ .name = "receive_accept", .lsb = 3, .width = 1 },
	{ .name = "redirectable_ipi", .lsb = 4, .width = 1 },
	{ .name = "send_illegal_vector", .lsb = 5, .width = 1 },
	{ .name = "receive_illegal_vector", .lsb = 6, .width = 1 },
	{ .name = "illegal_register", .lsb = 7, .width = 1 },
};
static const struct reg_field icr_fields[] = {
	VECTOR, DELIVERY,
	{ .name = "dest_mode", .lsb = 11, .width = 1, REG_VALUES(dest_modes) },
	DELIVERY_STATUS,
	{ .name = "level", .lsb = 14, .width = 1, REG_VALUES(levels) },
	{ .name = "trigger_mode", .lsb = 15, .width = 1, REG_VALUES(trigger_modes) },
	{ .name = "shorthand", .lsb = 18, .width = 2, REG_VALUES(shorthands) },
};
static const struct reg_field icr2_fields[] = { { .name = "destination", .lsb = 24, .width = 8 } };
static const struct reg_field lvtt_fields[] = {
	VECTOR, DELIVERY_STATUS, MASK,
	{ .name = "timer_mode", .lsb = 17, .width = 2, REG_VALUES(timer_modes) },
};
static const struct reg_field lvt_fields[] = { VECTOR, DELIVERY, DELIVERY_STATUS, MASK };
static const struct reg_field lint_fields[] = {
	VECTOR, DELIVERY, DELIVERY_STATUS,
	{ .name = "polarity", .lsb = 13, .width = 1, REG_VALUES(polarities) },
	{ .name = "remote_irr", .lsb = 14, .width = 1 },
	{ .name = "trigger_mode", .lsb = 15, .width = 1, REG_VALUES(trigger_modes) },
	MASK,
};
static const struct reg_field lvterr_fields[] = { VECTOR, DELIVERY_STATUS, MASK };
static const struct reg_field tdcr_fields[] = {
	{ .name = "divide_low", .lsb = 0, .width = 2 },
	{ .name = "divide_high", .lsb = 3, .width = 1 },
};
static const struct reg_field self_fields[] = { VECTOR };

static const struct reg_field base_fields[] = {
	{ .name = "bsp", .lsb = 8, .width = 1 },
	{ .name = "x2apic", .lsb = 10, .width = 1 },
	{ .name = "enable", .lsb = 11, .width = 1 },
	{ .name = "base", .lsb = 12, .width = 40 },
};
static const struct reg_field mp_state_fields[] = {
	{ .name = "state", .lsb = 0, .width = 32, REG_VALUES(mp_states) },
};

static const struct reg_field request_fields[] = {
	{ .name = "hard", .lsb = 1, .width = 1 }, { .name = "poll", .lsb = 4, .width = 1 },
	{ .name = "halt", .lsb = 5, .width = 1 }, { .name = "smi", .lsb = 6, .width = 1 },
	{ .name = "virq", .lsb = 8, .width = 1 }, { .name = "nmi", .lsb = 9, .width = 1 },
	{ .name = "init", .lsb = 10, .width = 1 }, { .name = "sipi", .lsb = 11, .width = 1 },
	{ .name = "mce", .lsb = 12, .width = 1 }, { .name = "tpr", .lsb = 13, .width = 1 },
};
static const struct reg_field hflags_fields[] = {
	{ .name = "cpl", .lsb = 0, .width = 2 }, { .name = "inhibit_irq", .lsb = 3, .width = 1 },
	{ .name = "cs32", .lsb = 4, .width = 1 }, { .name = "ss32", .lsb = 5, .width = 1 },
	{ .name = "addseg", .lsb = 6, .width = 1 }, { .name = "pe", .lsb = 7, .width = 1 },
	{ .name = "tf", .lsb = 8, .width = 1 }, { .name = "mp", .lsb = 9, .width = 1 },
	{ .name = "em", .lsb = 10, .width = 1 }, { .name = "ts", .lsb = 11, .width = 1 },
	{ .name = "iopl", .lsb = 12, .width = 2 }, { .name = "lma", .lsb = 14, .width = 1 },
	{ .name = "cs64", .lsb = 15, .width = 1 }, { .name = "rf", .lsb = 16, .width = 1 },
	{ .name = "vm", .lsb = 17, .width = 1 }, { .name = "ac", .lsb = 18, .width = 1 },
	{ .name = "smm", .lsb = 19, .width = 1 }, { .name = "svme", .lsb = 20, .width = 1 },
	{ .name = "guest", .lsb = 21, .width = 1 }, { .name = "osfxsr", .lsb = 22, .width = 1 },
	{ .name = "smap", .lsb = 23, .width = 1 }, { .name = "iobpt", .lsb = 24, .width = 1 },
	{ .name = "mpx_en", .lsb = 25, .width = 1 }, { .name = "mpx_iu", .lsb = 26, .width = 1 },
	{ .name = "umip", .lsb = 27, .width = 1 }, { .name = "avx_en", .lsb = 28, .width = 1 },
};
static const struct reg_field hflags2_fields[] = {
	{ .name = "gif", .lsb = 0, .width = 1 }, { .name = "hif", .lsb = 1, .width = 1 },
	{ .name = "nmi_masked", .lsb = 2, .width = 1 }, { .name = "vintr", .lsb = 3, .width = 1 },
	{ .name = "smm_inside_nmi", .lsb = 4, .width = 1 },
	{ .name = "mpx_preserve", .lsb = 5, .width = 1 }, { .name = "npt", .lsb = 6, .width = 1 },
	{ .name = "ignne", .lsb = 7, .width = 1 }, { .name = "vgif", .lsb = 8, .width = 1 },
};

#define PAGE(off, n)                                                                                  \
	.offset = (off), .stride = 16, .width = 4, .count = (n),                                      \
	.at = offsetof(struct lapic_state, regs) + (off) / 16 * 4, .step = 4, .size = 4, .bit = (off) / 16, \
	.abi_at = (off), .abi_step = 16, .abi_size = 4
#define KVM_PAGE(n) .kvm = #n, .abi = REG_ABI_LAPIC
#define EVENT(m)    REG_KVM(REG_ABI_EVENTS, kvm_vcpu_events, m), .manual = "KVM_GET_VCPU_EVENTS"
#define MEMBER(m, known) \
	.offset = REG_NO_OFFSET, .width = sizeof(((struct lapic_state *)0)->m), \
	REG_AT(struct lapic_state, m, known)
#define APIC(f) .desc = &lapic_vms_desc, .vms = &lapic_vms_fields[LAPIC_VMS_##f]
#define SIPI(f) .desc = &lapic_vms_desc, .sub = &lapic_sipi_vms_desc, \
		.vms = &lapic_sipi_vms_fields[LAPIC_SIPI_VMS_##f]
#define CPU(f) .desc = &cpu_vms_desc, .vms = &cpu_vms_fields[CPU_VMS_##f]
#define CPU_SUB(id, i) .desc = &cpu_vms_desc, .sub = &cpu_##id##_desc, .vms = &cpu_##id##_fields[i]
#define COMMON(f) .desc = &cpu_common_vms_desc, .vms = &cpu_common_vms_fields[CPU_COMMON_VMS_##f]

static const struct reg_row lapic_rows[] = {
	{ .name = "ID", .text = "local APIC ID", PAGE(LAPIC_ID, 1), APIC(ID),
	  .guest_read = "x2APIC: the 32-bit ID", .rsvd = 0x00ffffff, REG_FIELDS(id_fields),
	  .vms_shift = 24, KVM_PAGE(APIC_ID), .manual = "SDM 3A 11.4.6" },
	{ .name = "LVR", .text = "version", PAGE(LAPIC_LVR, 1), .storage = REG_DERIVED,
	  .from = "the host: LVT entries, and EOI broadcast suppression only with a userspace IOAPIC",
	  .reset = 0x00050014, .ro = 0x01ff00ff, .rsvd = 0xfe00ff00, REG_FIELDS(lvr_fields),
	  KVM_PAGE(APIC_LVR), .manual = "SDM 3A 11.4.8" },
	{ .name = "TPR", .text = "task priority", PAGE(LAPIC_TPR, 1), APIC(TPR), .rsvd = 0xffffff00,
	  REG_FIELDS(priority_fields), KVM_PAGE(APIC_TASKPRI), .manual = "SDM 3A 11.8.3.1" },
	{ .name = "APR", .text = "arbitration priority", PAGE(LAPIC_APR, 1), APIC(ARB_ID), .ro = 0xff,
	  .rsvd = 0xffffff00, REG_FIELDS(priority_fields), KVM_PAGE(APIC_ARBPRI),
	  .manual = "SDM 3A 11.6.2.4" },
	{ .name = "PPR", .text = "processor priority", PAGE(LAPIC_PPR, 1), .storage = REG_DERIVED,
	  .from = "TPR and ISR", .ro = 0xff, .rsvd = 0xffffff00, REG_FIELDS(priority_fields),
	  KVM_PAGE(APIC_PROCPRI), .manual = "SDM 3A 11.8.3.1" },
	{ .name = "EOI", .text = "end of interrupt", PAGE(LAPIC_EOI, 1), .storage = REG_ACTION,
	  .guest_read = "write only", KVM_PAGE(APIC_EOI), .manual = "SDM 3A 11.8.5" },
	{ .name = "RRD", .text = "remote read", PAGE(LAPIC_RRD, 1), .ro = 0xffffffff,
	  KVM_PAGE(APIC_RRR), .manual = "SDM 3A table 11-1" },
	{ .name = "LDR", .text = "logical destination", PAGE(LAPIC_LDR, 1), APIC(LOG_DEST),
	  .guest_read = "x2APIC: derived from the ID, 32 bits", .rsvd = 0x00ffffff,
	  REG_FIELDS(ldr_fields), .vms_shift = 24, KVM_PAGE(APIC_LDR), .manual = "SDM 3A 11.6.2.2" },
	{ .name = "DFR", .text = "destination format", PAGE(LAPIC_DFR, 1), APIC(DEST_MODE),
	  .guest_read = "x2APIC: no such register", .reset = 0xffffffff, .rsvd = 0x0fffffff,
	  REG_FIELDS(dfr_fields), .vms_shift = 28, .vms_fill = 0x0fffffff, KVM_PAGE(APIC_DFR),
	  .manual = "SDM 3A 11.6.2.2" },
	{ .name = "SVR", .text = "spurious interrupt vector", PAGE(LAPIC_SVR, 1), APIC(SPURIOUS_VEC),
	  .reset = 0xff, .rsvd = 0xffffec00, REG_FIELDS(svr_fields), KVM_PAGE(APIC_SPIV),
	  .manual = "SDM 3A 11.9" },
	{ .name = "ISR", .text = "in service", PAGE(LAPIC_ISR, 8), APIC(ISR), .ro = 0xffffffff,
	  .format = REG_VECTORS, KVM_PAGE(APIC_ISR), .manual = "SDM 3A 11.8.4" },
	{ .name = "TMR", .text = "trigger mode: level", PAGE(LAPIC_TMR, 8), APIC(TMR),
	  .ro = 0xffffffff, .format = REG_VECTOR_FLAGS, KVM_PAGE(APIC_TMR), .manual = "SDM 3A 11.8.4" },
	{ .name = "IRR", .text = "requested", PAGE(LAPIC_IRR, 8), APIC(IRR), .ro = 0xffffffff,
	  .format = REG_VECTORS, KVM_PAGE(APIC_IRR), .manual = "SDM 3A 11.8.4" },
	{ .name = "ESR", .text = "error status", PAGE(LAPIC_ESR, 1), APIC(ESR),
	  .guest_read = "what was latched by the last write", .rsvd = 0xffffff00,
	  REG_FIELDS(esr_fields), KVM_PAGE(APIC_ESR), .manual = "SDM 3A 11.5.3" },
	{ .name = "LVTCMCI", .text = "LVT corrected machine check", PAGE(LAPIC_LVTCMCI, 1),
	  .reset = 0x10000, .ro = 0x1000, .rsvd = 0xfffee800, REG_FIELDS(lvt_fields),
	  KVM_PAGE(APIC_LVTCMCI), .manual = "SDM 3A 11.5.1" },
	{ .name = "ICR", .text = "interrupt command", PAGE(LAPIC_ICR, 1), APIC(ICR),
	  .guest_read = "x2APIC: one 64-bit register with ICR2 on top", .ro = 0x1000,
	  .rsvd = 0xfff32000, REG_FIELDS(icr_fields), KVM_PAGE(APIC_ICR), .manual = "SDM 3A 11.6.1" },
	{ .name = "ICR2", .text = "interrupt command, destination", PAGE(LAPIC_ICR2, 1), APIC(ICR),
	  .guest_read = "x2APIC: 32-bit destination", .rsvd = 0x00ffffff, REG_FIELDS(icr2_fields),
	  .vms_base = 1, KVM_PAGE(APIC_ICR2), .manual = "SDM 3A 11.6.1" },
	{ .name = "LVTT", .text = "LVT timer", PAGE(LAPIC_LVTT, 1), APIC(LVT), .reset = 0x10000,
	  .ro = 0x1000, .rsvd = 0xfff8ef00, REG_FIELDS(lvtt_fields), KVM_PAGE(APIC_LVTT),
	  .manual = "SDM 3A 11.5.1" },
	{ .name = "LVTTHMR", .text = "LVT thermal sensor", PAGE(LAPIC_LVTTHMR, 1), APIC(LVT),
	  .reset = 0x10000, .ro = 0x1000, .rsvd = 0xfffee800, REG_FIELDS(lvt_fields), .vms_base = 1,
	  KVM_PAGE(APIC_LVTTHMR), .manual = "SDM 3A 11.5.1" },
	{ .name = "LVTPC", .text = "LVT performance counter", PAGE(LAPIC_LVTPC, 1), APIC(LVT),
	  .reset = 0x10000, .ro = 0x1000, .rsvd = 0xfffee800, REG_FIELDS(lvt_fields), .vms_base = 2,
	  KVM_PAGE(APIC_LVTPC), .manual = "SDM 3A 11.5.1" },
	{ .name = "LVT0", .text = "LVT LINT0", PAGE(LAPIC_LVT0, 1), APIC(LVT), .reset = 0x10000,
	  .ro = 0x5000, .rsvd = 0xfffe0800, REG_FIELDS(lint_fields), .vms_base = 3, KVM_PAGE(APIC_LVT0),
	  .manual = "SDM 3A 11.5.1" },
	{ .name = "LVT1", .text = "LVT LINT1", PAGE(LAPIC_LVT1, 1), APIC(LVT), .reset = 0x10000,
	  .ro = 0x5000, .rsvd = 0xfffe0800, REG_FIELDS(lint_fields), .vms_base = 4, KVM_PAGE(APIC_LVT1),
	  .manual = "SDM 3A 11.5.1" },
	{ .name = "LVTERR", .text = "LVT error", PAGE(LAPIC_LVTERR, 1), APIC(LVT), .reset = 0x10000,
	  .ro = 0x1000, .rsvd = 0xfffeef00, REG_FIELDS(lvterr_fields), .vms_base = 5,
	  KVM_PAGE(APIC_LVTERR), .manual = "SDM 3A 11.5.1" },
	{ .name = "TMICT", .text = "timer initial count", PAGE(LAPIC_TMICT, 1), APIC(INITIAL_COUNT),
	  .guest_read = "TSC-deadline mode: 0", .format = REG_DEC, KVM_PAGE(APIC_TMICT),
	  .manual = "SDM 3A 11.5.4" },
	{ .name = "TMCCT", .text = "timer current count", PAGE(LAPIC_TMCCT, 1), .storage = REG_DERIVED,
	  .from = "TMICT, TDCR and the time since TMICT was written; QEMU never reads it",
	  .ro = 0xffffffff, .format = REG_DEC, KVM_PAGE(APIC_TMCCT), .manual = "SDM 3A 11.5.4" },
	{ .name = "TDCR", .text = "timer divide configuration", PAGE(LAPIC_TDCR, 1), APIC(DIVIDE_CONF),
	  .rsvd = 0xfffffff4, REG_FIELDS(tdcr_fields), KVM_PAGE(APIC_TDCR), .manual = "SDM 3A 11.5.4" },
	{ .name = "SELF_IPI", .text = "self IPI", PAGE(LAPIC_SELF, 1), .storage = REG_ACTION,
	  .guest_read = "write only; x2APIC only", .rsvd = 0xffffff00, REG_FIELDS(self_fields),
	  KVM_PAGE(APIC_SELF_IPI), .manual = "SDM 3A 11.12.11" },
	{ .name = "apic_base", .text = "IA32_APIC_BASE", MEMBER(apic_base, LAPIC_KNOWN_APIC_BASE),
	  APIC(APICBASE), .reset = 0xfee00800, .rsvd = 0xfff00000000002ff, REG_FIELDS(base_fields),
	  REG_KVM(REG_ABI_SREGS, kvm_sregs, apic_base), .manual = "SDM 3A 11.4.4" },
	{ .name = "cr8", .text = "task priority as CR8 shows it", MEMBER(cr8, LAPIC_KNOWN_CR8),
	  .storage = REG_DERIVED, .from = "TPR, bits 4 to 7; without a LAPIC in the kernel it stands alone",
	  .rsvd = ~UINT64_C(15), REG_KVM(REG_ABI_SREGS, kvm_sregs, cr8), .manual = "SDM 3A 11.8.6" },
	{ .name = "initial_id", .text = "APIC ID at reset, the instance of the section",
	  MEMBER(initial_id, LAPIC_KNOWN_INITIAL_ID), .storage = REG_DERIVED, .from = "the machine",
	  .kvm = "vcpu id", .abi = REG_ABI_VCPU_ID, .abi_size = 4, .manual = "SDM 3A 11.12.5" },
	{ .name = "esr_pending", .text = "errors that the next write of ESR will show",
	  MEMBER(esr_pending, LAPIC_KNOWN_ESR_PENDING), REG_FIELDS(esr_fields),
	  .guest_read = "not readable", .manual = "SDM 3A 11.5.3" },
	{ .name = "count_shift", .text = "logarithm of the timer's divide",
	  MEMBER(count_shift, LAPIC_KNOWN_COUNT_SHIFT), APIC(COUNT_SHIFT), .storage = REG_DERIVED,
	  .from = "TDCR", .format = REG_DEC, .is_signed = true, .manual = "SDM 3A 11.5.4" },
	{ .name = "initial_count_load_time", .text = "when TMICT was loaded",
	  MEMBER(initial_count_load_time, LAPIC_KNOWN_LOAD_TIME), APIC(LOAD_TIME),
	  .storage = REG_DERIVED, .from = "TMCCT, and the section's time base", .format = REG_NS,
	  .is_signed = true, .manual = "QEMU hw/intc/apic_common.c" },
	{ .name = "next_time", .text = "when the count ends next",
	  MEMBER(next_time, LAPIC_KNOWN_NEXT_TIME), APIC(NEXT_TIME), .storage = REG_DERIVED,
	  .from = "the load time, TMICT and TDCR", .format = REG_NS, .is_signed = true,
	  .manual = "QEMU hw/intc/apic_common.c" },
	{ .name = "timer_expiry", .text = "when the timer interrupts, -1: not armed",
	  MEMBER(timer_expiry, LAPIC_KNOWN_TIMER_EXPIRY), APIC(TIMER_EXPIRY), .storage = REG_DERIVED,
	  .from = "next_time and the LVT mask", .format = REG_NS, .is_signed = true,
	  .manual = "QEMU hw/intc/apic_common.c" },
	{ .name = "timer_remaining", .text = "until the next timer interrupt",
	  MEMBER(timer_remaining_ns, LAPIC_KNOWN_TIMER_REMAINING), .storage = REG_DERIVED,
	  .from = "TMCCT and TDCR, or the load time", .format = REG_NS, .manual = "SDM 3A 11.5.4" },
	{ .name = "wait_for_sipi", .text = "a userspace model waits for a start-up IPI",
	  MEMBER(wait_for_sipi, LAPIC_KNOWN_WAIT_FOR_SIPI), SIPI(WAIT), .storage = REG_IN_FLIGHT,
	  .from = "INIT was received, no start-up IPI yet", .format = REG_DEC, .is_signed = true,
	  .manual = "SDM 3A 9.4.3" },
	{ .name = "apic_sipi_vector", .text = "vector of a start-up IPI, userspace model",
	  MEMBER(apic_sipi_vector, LAPIC_KNOWN_APIC_SIPI_VECTOR), SIPI(VECTOR),
	  .storage = REG_IN_FLIGHT, .from = "a start-up IPI", .format = REG_DEC, .is_signed = true,
	  .manual = "SDM 3A 9.4.3" },
	{ .name = "mp_state", .text = "run state", MEMBER(mp_state, LAPIC_KNOWN_MP_STATE),
	  CPU(MP_STATE), REG_FIELDS(mp_state_fields), REG_KVM(REG_ABI_MP_STATE, kvm_mp_state, mp_state),
	  .manual = "KVM_GET_MP_STATE" },
	{ .name = "sipi_vector", .text = "vector of a start-up IPI",
	  MEMBER(sipi_vector, LAPIC_KNOWN_SIPI_VECTOR), CPU(SIPI_VECTOR), .storage = REG_IN_FLIGHT,
	  .from = "a start-up IPI that no CPU took yet", EVENT(sipi_vector) },
	{ .name = "interrupt_injected", .text = "vector acknowledged but not taken, -1: none",
	  MEMBER(interrupt_injected, LAPIC_KNOWN_INTERRUPT_INJECTED), CPU(INTERRUPT_INJECTED),
	  .storage = REG_IN_FLIGHT, .from = "ISR, or isr of a PIC, has it already",
	  .reset = 0xffffffff, .format = REG_DEC, .is_signed = true,
	  EVENT(interrupt.nr), .abi_if = 1 + offsetof(struct kvm_vcpu_events, interrupt.injected) },
	{ .name = "exception_nr", .text = "exception on its way, -1: none",
	  MEMBER(exception_nr, LAPIC_KNOWN_EXCEPTION_NR), CPU(EXCEPTION_NR), .storage = REG_IN_FLIGHT,
	  .from = "an exception that was raised and not taken", .reset = 0xffffffff, .format = REG_DEC,
	  .is_signed = true, EVENT(exception.nr),
	  .abi_any = { 1 + offsetof(struct kvm_vcpu_events, exception.injected),
		       1 + offsetof(struct kvm_vcpu_events, exception.pending) } },
	{ .name = "soft_interrupt", .text = "the injected interrupt is an INT instruction",
	  MEMBER(soft_interrupt, LAPIC_KNOWN_SOFT_INTERRUPT), CPU(SOFT_INTERRUPT),
	  .storage = REG_IN_FLIGHT, .from = "interrupt_injected",
	  EVENT(interrupt.soft) },
	{ .name = "has_error_code", .text = "the exception has an error code",
	  MEMBER(has_error_code, LAPIC_KNOWN_HAS_ERROR_CODE), CPU(HAS_ERROR_CODE),
	  .storage = REG_IN_FLIGHT, .from = "exception_nr; the code itself is not in a QEMU stream",
	  EVENT(exception.has_error_code) },
	{ .name = "error_code", .text = "the exception's error code",
	  MEMBER(error_code, LAPIC_KNOWN_ERROR_CODE), .storage = REG_IN_FLIGHT, .from = "exception_nr",
	  EVENT(exception.error_code) },
	{ .name = "nmi_injected", .text = "an NMI was acknowledged but not taken",
	  MEMBER(nmi_injected, LAPIC_KNOWN_NMI_INJECTED), CPU(NMI_INJECTED), .storage = REG_IN_FLIGHT,
	  .from = "an NMI", EVENT(nmi.injected) },
	{ .name = "nmi_pending", .text = "an NMI waits", MEMBER(nmi_pending, LAPIC_KNOWN_NMI_PENDING),
	  CPU(NMI_PENDING), .storage = REG_IN_FLIGHT, .from = "an NMI",
	  EVENT(nmi.pending) },
	{ .name = "nmi_masked", .text = "an NMI is being served",
	  MEMBER(nmi_masked, LAPIC_KNOWN_NMI_MASKED), .storage = REG_DERIVED,
	  .from = "hflags2 of a QEMU stream", EVENT(nmi.masked) },
	{ .name = "exception_pending", .text = "the exception can still be intercepted",
	  MEMBER(exception_pending, LAPIC_KNOWN_EXCEPTION_PENDING),
	  CPU_SUB(exception_info, CPU_EXCEPTION_VMS_PENDING), .storage = REG_IN_FLIGHT,
	  .from = "exception_nr", EVENT(exception.pending) },
	{ .name = "exception_injected", .text = "the exception can no longer be intercepted",
	  MEMBER(exception_injected, LAPIC_KNOWN_EXCEPTION_INJECTED),
	  CPU_SUB(exception_info, CPU_EXCEPTION_VMS_INJECTED), .storage = REG_IN_FLIGHT,
	  .from = "exception_nr", EVENT(exception.injected) },
	{ .name = "exception_has_payload", .text = "CR2 or DR6 is not written yet",
	  MEMBER(exception_has_payload, LAPIC_KNOWN_EXCEPTION_HAS_PAYLOAD),
	  CPU_SUB(exception_info, CPU_EXCEPTION_VMS_HAS_PAYLOAD), .storage = REG_IN_FLIGHT,
	  .from = "exception_nr", EVENT(exception_has_payload) },
	{ .name = "exception_payload", .text = "what CR2 or DR6 will be",
	  MEMBER(exception_payload, LAPIC_KNOWN_EXCEPTION_PAYLOAD),
	  CPU_SUB(exception_info, CPU_EXCEPTION_VMS_PAYLOAD), .storage = REG_IN_FLIGHT,
	  .from = "exception_nr", EVENT(exception_payload) },
	{ .name = "triple_fault", .text = "a shutdown is pending",
	  MEMBER(triple_fault, LAPIC_KNOWN_TRIPLE_FAULT), CPU_SUB(triple_fault, 0),
	  .storage = REG_IN_FLIGHT, .from = "a third fault",
	  EVENT(triple_fault.pending) },
	{ .name = "interrupt_shadow",
	  .text = "STI or MOV SS holds interrupts back for one instruction",
	  MEMBER(interrupt_shadow, LAPIC_KNOWN_INTERRUPT_SHADOW), .storage = REG_DERIVED,
	  .from = "hflags of a QEMU stream that TCG wrote; KVM's is not carried",
	  EVENT(interrupt.shadow) },
	{ .name = "smm", .text = "the CPU is in system management mode", MEMBER(smm, LAPIC_KNOWN_SMM),
	  .storage = REG_DERIVED, .from = "hflags of a QEMU stream", EVENT(smi.smm) },
	{ .name = "smi_pending", .text = "an SMI waits", MEMBER(smi_pending, LAPIC_KNOWN_SMI_PENDING),
	  .storage = REG_IN_FLIGHT, .from = "interrupt_request of a QEMU stream",
	  EVENT(smi.pending) },
	{ .name = "smm_inside_nmi", .text = "the SMI came while an NMI was being served",
	  MEMBER(smm_inside_nmi, LAPIC_KNOWN_SMM_INSIDE_NMI), .storage = REG_DERIVED,
	  .from = "hflags2 of a QEMU stream", EVENT(smi.smm_inside_nmi) },
	{ .name = "latched_init", .text = "an INIT waits",
	  MEMBER(latched_init, LAPIC_KNOWN_LATCHED_INIT), .storage = REG_IN_FLIGHT,
	  .from = "interrupt_request of a QEMU stream", EVENT(smi.latched_init) },
	{ .name = "halted", .text = "QEMU's CPU thread sleeps until an interrupt",
	  MEMBER(halted, LAPIC_KNOWN_HALTED), COMMON(HALTED), .format = REG_DEC,
	  .manual = "QEMU hw/core/cpu-system.c" },
	{ .name = "interrupt_request", .text = "QEMU's own requests to its CPU",
	  MEMBER(interrupt_request, LAPIC_KNOWN_INTERRUPT_REQUEST), COMMON(INTERRUPT_REQUEST),
	  .storage = REG_DERIVED,
	  .from = "LAPIC and PIC (HARD); NMI, SMI, INIT, SIPI are kept only here", .rsvd = 0xffffc08d,
	  REG_FIELDS(request_fields), .manual = "QEMU hw/core/cpu-system.c" },
	{ .name = "eflags", .text = "flags; IF is bit 9", MEMBER(eflags, LAPIC_KNOWN_EFLAGS),
	  CPU(EFLAGS), .reset = 2, REG_KVM(REG_ABI_REGS, kvm_regs, rflags), .manual = "SDM 1 3.4.3" },
	{ .name = "hflags", .text = "QEMU's hidden CPU flags", MEMBER(hflags, LAPIC_KNOWN_HFLAGS),
	  CPU(HFLAGS), .rsvd = 0xe0000004, REG_FIELDS(hflags_fields),
	  .manual = "QEMU target/i386/cpu.h" },
	{ .name = "hflags2", .text = "more of them", MEMBER(hflags2, LAPIC_KNOWN_HFLAGS2),
	  CPU(HFLAGS2), .rsvd = 0xfffffe00, REG_FIELDS(hflags2_fields),
	  .manual = "QEMU target/i386/cpu.h" },
	{ .name = "tsc",
	  .text = "time stamp counter when the VM stopped; TCG keeps it in timer.cpu_ticks_offset",
	  MEMBER(tsc, LAPIC_KNOWN_TSC), CPU(TSC), .format = REG_DEC, REG_MSR(0x10),
	  .manual = "SDM 3B 18.17" },
	{ .name = "tsc_adjust", .text = "IA32_TSC_ADJUST", MEMBER(tsc_adjust, LAPIC_KNOWN_TSC_ADJUST),
	  CPU_SUB(tsc_adjust, 0), REG_MSR(0x3b), .manual = "SDM 3B 18.17.3" },
	{ .name = "tsc_deadline", .text = "IA32_TSC_DEADLINE",
	  MEMBER(tsc_deadline, LAPIC_KNOWN_TSC_DEADLINE), CPU_SUB(tscdeadline, 0), .format = REG_DEC,
	  REG_MSR(0x6e0), .manual = "SDM 3A 11.5.4.1" },
	{ .name = "tsc_khz", .text = "TSC frequency in kHz", MEMBER(tsc_khz, LAPIC_KNOWN_TSC_KHZ),
	  CPU_SUB(tsc_khz, 0), .format = REG_DEC, .is_signed = true, .kvm = "KVM_GET_TSC_KHZ", .abi = REG_ABI_TSC_KHZ, .abi_size = 8,
	  .manual = "KVM_GET_TSC_KHZ" },
	{ .name = "system_time_msr", .text = "kvmclock: where the guest reads its time",
	  MEMBER(system_time_msr, LAPIC_KNOWN_SYSTEM_TIME_MSR), CPU(SYSTEM_TIME_MSR),
	  REG_MSR(0x4b564d01), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "wall_clock_msr", .text = "kvmclock: where the guest reads the wall clock",
	  MEMBER(wall_clock_msr, LAPIC_KNOWN_WALL_CLOCK_MSR), CPU(WALL_CLOCK_MSR),
	  REG_MSR(0x4b564d00), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "async_pf_en_msr", .text = "asynchronous page faults",
	  MEMBER(async_pf_en_msr, LAPIC_KNOWN_ASYNC_PF_EN_MSR), CPU_SUB(async_pf_msr, 0),
	  REG_MSR(0x4b564d02), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "async_pf_int_msr", .text = "asynchronous page faults: the vector",
	  MEMBER(async_pf_int_msr, LAPIC_KNOWN_ASYNC_PF_INT_MSR), CPU_SUB(async_pf_int_msr, 0),
	  REG_MSR(0x4b564d06), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "pv_eoi_en_msr", .text = "paravirtual EOI",
	  MEMBER(pv_eoi_en_msr, LAPIC_KNOWN_PV_EOI_EN_MSR), CPU_SUB(pv_eoi_msr, 0),
	  REG_MSR(0x4b564d04), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "steal_time_msr", .text = "steal time",
	  MEMBER(steal_time_msr, LAPIC_KNOWN_STEAL_TIME_MSR), CPU_SUB(steal_time_msr, 0),
	  REG_MSR(0x4b564d03), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
	{ .name = "poll_control_msr", .text = "host-side polling before a halt",
	  MEMBER(poll_control_msr, LAPIC_KNOWN_POLL_CONTROL_MSR), CPU_SUB(poll_control_msr, 0),
	  .reset = 1, REG_MSR(0x4b564d05), .manual = "Linux Documentation/virt/kvm/x86/msr.rst" },
};

const struct reg_chip lapic_chip = {
	.name = "local APIC",
	.line = "LINT",
	.rows = lapic_rows,
	.nrows = REG_ARRAY_SIZE(lapic_rows),
	.state_size = sizeof(struct lapic_state),
};

_Static_assert(LAPIC_KNOWN_NR <= 64 * REG_KNOWN_WORDS, "every row needs its known bit");
_Static_assert(offsetof(struct lapic_state, known) == 0, "apic/reg.c finds the known bits there");

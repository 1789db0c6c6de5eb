/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The subsections of `cpu`: what each holds, when it is written, what it means elsewhere. */
#include <string.h>

#include "apic/cpu.h"
#include "apic/cpu_descs.h"
#include "apic/reg.h"

#define U8(n)  { .name = (n), .type = "uint8" }
#define U16(n) { .name = (n), .type = "uint16" }
#define U32(n) { .name = (n), .type = "uint32" }
#define U64(n) { .name = (n), .type = "uint64" }
#define I64(n) { .name = (n), .type = "int64" }
#define ARRAY(n, t, c) { .name = (n), .type = (t), .count = (c) }
#define STRUCTS(n, c, d) { .name = (n), .type = "struct", .count = (c), .desc = (d) }

#define DESC(n, table) { .name = (n), .version = 1, .minimum_version = 1, .fields = (table), \
			 .nfields = REG_ARRAY_SIZE(table) }
#define DESC_SUBS(n, table, subs) { .name = (n), .version = 1, .minimum_version = 1, .fields = (table), \
				    .nfields = REG_ARRAY_SIZE(table), .subsections = (subs) }

/* Those that rows of the LAPIC point into. */
const struct vms_field cpu_exception_info_fields[CPU_EXCEPTION_VMS_NR] = {
	[CPU_EXCEPTION_VMS_PENDING] = U8("env.exception_pending"),
	[CPU_EXCEPTION_VMS_INJECTED] = U8("env.exception_injected"),
	[CPU_EXCEPTION_VMS_HAS_PAYLOAD] = U8("env.exception_has_payload"),
	[CPU_EXCEPTION_VMS_PAYLOAD] = U64("env.exception_payload"),
};
const struct vms_desc cpu_exception_info_desc = DESC("cpu/exception_info", cpu_exception_info_fields);

const struct vms_field cpu_async_pf_msr_fields[1] = { U64("env.async_pf_en_msr") };
const struct vms_desc cpu_async_pf_msr_desc = DESC("cpu/async_pf_msr", cpu_async_pf_msr_fields);

const struct vms_field cpu_async_pf_int_msr_fields[1] = { U64("env.async_pf_int_msr") };
const struct vms_desc cpu_async_pf_int_msr_desc = DESC("cpu/async_pf_int_msr", cpu_async_pf_int_msr_fields);

const struct vms_field cpu_pv_eoi_msr_fields[1] = { U64("env.pv_eoi_en_msr") };
const struct vms_desc cpu_pv_eoi_msr_desc = DESC("cpu/async_pv_eoi_msr", cpu_pv_eoi_msr_fields);

const struct vms_field cpu_steal_time_msr_fields[1] = { U64("env.steal_time_msr") };
const struct vms_desc cpu_steal_time_msr_desc = DESC("cpu/steal_time_msr", cpu_steal_time_msr_fields);

const struct vms_field cpu_poll_control_msr_fields[1] = { U64("env.poll_control_msr") };
const struct vms_desc cpu_poll_control_msr_desc = DESC("cpu/poll_control_msr", cpu_poll_control_msr_fields);

const struct vms_field cpu_tsc_adjust_fields[1] = { U64("env.tsc_adjust") };
const struct vms_desc cpu_tsc_adjust_desc = DESC("cpu/msr_tsc_adjust", cpu_tsc_adjust_fields);

const struct vms_field cpu_tscdeadline_fields[1] = { U64("env.tsc_deadline") };
const struct vms_desc cpu_tscdeadline_desc = DESC("cpu/msr_tscdeadline", cpu_tscdeadline_fields);

const struct vms_field cpu_tsc_khz_fields[1] = { I64("env.tsc_khz") };
const struct vms_desc cpu_tsc_khz_desc = DESC("cpu/tsc_khz", cpu_tsc_khz_fields);

const struct vms_field cpu_triple_fault_fields[1] = { U8("env.triple_fault_pending") };
const struct vms_desc cpu_triple_fault_desc = DESC("cpu/triple_fault", cpu_triple_fault_fields);

/* One 64-bit or 32-bit field each. */
#define SINGLE(id, n, field)                                     \
	static const struct vms_field id##_fields[] = { field }; \
	static const struct vms_desc id##_desc = DESC(n, id##_fields)

SINGLE(misc_enable, "cpu/msr_ia32_misc_enable", U64("env.msr_ia32_misc_enable"));
SINGLE(feature_control, "cpu/msr_ia32_feature_control", U64("env.msr_ia32_feature_control"));
SINGLE(hv_vapic, "cpu/msr_hyperv_vapic", U64("env.msr_hv_vapic"));
SINGLE(hv_time, "cpu/msr_hyperv_time", U64("env.msr_hv_tsc"));
SINGLE(hv_crash, "cpu/msr_hyperv_crash", ARRAY("env.msr_hv_crash_params", "uint64", 5));
SINGLE(hv_runtime, "cpu/msr_hyperv_runtime", U64("env.msr_hv_runtime"));
SINGLE(xss, "cpu/xss", U64("env.xss"));
SINGLE(umwait, "cpu/umwait", U32("env.umwait"));
SINGLE(smi_count, "cpu/msr_smi_count", U64("env.msr_smi_count"));
SINGLE(pkru, "cpu/pkru", U32("env.pkru"));
SINGLE(pkrs, "cpu/pkrs", U32("env.pkrs"));
SINGLE(spec_ctrl, "cpu/spec_ctrl", U64("env.spec_ctrl"));
SINGLE(tsc_scale, "cpu/amd_tsc_scale_msr", U64("env.amd_tsc_scale_msr"));
SINGLE(mcg_ext_ctl, "cpu/mcg_ext_ctl", U64("env.mcg_ext_ctl"));
SINGLE(virt_ssbd, "cpu/virt_ssbd", U64("env.virt_ssbd"));
SINGLE(svm_guest, "cpu/svm_guest", U32("env.int_ctl"));
SINGLE(tsx_ctrl, "cpu/msr_tsx_ctrl", U32("env.tsx_ctrl"));
SINGLE(sgx, "cpu/intel_sgx", ARRAY("env.msr_ia32_sgxlepubkeyhash", "uint64", 4));
SINGLE(pdptrs, "cpu/pdptrs", ARRAY("env.pdptrs", "uint64", 4));
SINGLE(hwcr, "cpu/msr_hwcr", U64("env.msr_hwcr"));
SINGLE(pl0_ssp, "cpu/msr_pl0_ssp", U64("env.pl0_ssp"));

static const struct vms_field fpop_fields[] = { U16("env.fpop"), U64("env.fpip"), U64("env.fpdp") };
static const struct vms_desc fpop_desc = DESC("cpu/fpop_ip_dp", fpop_fields);

static const struct vms_field pmu_fields[] = {
	U64("env.msr_fixed_ctr_ctrl"), U64("env.msr_global_ctrl"), U64("env.msr_global_status"),
	U64("env.msr_global_ovf_ctrl"), ARRAY("env.msr_fixed_counters", "uint64", 3),
	ARRAY("env.msr_gp_counters", "uint64", 18), ARRAY("env.msr_gp_evtsel", "uint64", 18),
};
static const struct vms_desc pmu_desc = DESC("cpu/msr_architectural_pmu", pmu_fields);

static const struct vms_field bnd_fields[] = { U64("lb"), U64("ub") };
static const struct vms_desc bnd_desc = DESC("bnd_regs", bnd_fields);
static const struct vms_field mpx_fields[] = {
	STRUCTS("env.bnd_regs", 4, &bnd_desc), U64("env.bndcs_regs.cfgu"), U64("env.bndcs_regs.sts"),
	U64("env.msr_bndcfgs"),
};
static const struct vms_desc mpx_desc = DESC("cpu/mpx", mpx_fields);

static const struct vms_field hv_hypercall_fields[] = { U64("env.msr_hv_guest_os_id"),
							U64("env.msr_hv_hypercall") };
static const struct vms_desc hv_hypercall_desc = DESC("cpu/msr_hyperv_hypercall", hv_hypercall_fields);

static const struct vms_field hv_synic_fields[] = {
	U64("env.msr_hv_synic_control"), U64("env.msr_hv_synic_evt_page"), U64("env.msr_hv_synic_msg_page"),
	ARRAY("env.msr_hv_synic_sint", "uint64", 16),
};
static const struct vms_desc hv_synic_desc = DESC("cpu/msr_hyperv_synic", hv_synic_fields);

static const struct vms_field hv_stimer_fields[] = {
	ARRAY("env.msr_hv_stimer_config", "uint64", 4), ARRAY("env.msr_hv_stimer_count", "uint64", 4),
};
static const struct vms_desc hv_stimer_desc = DESC("cpu/msr_hyperv_stimer", hv_stimer_fields);

static const struct vms_field hv_reenlightenment_fields[] = {
	U64("env.msr_hv_reenlightenment_control"), U64("env.msr_hv_tsc_emulation_control"),
	U64("env.msr_hv_tsc_emulation_status"),
};
static const struct vms_desc hv_reenlightenment_desc =
	DESC("cpu/msr_hyperv_reenlightenment", hv_reenlightenment_fields);

static const struct vms_field zmmh_fields[] = { U64("_q_ZMMReg[4]"), U64("_q_ZMMReg[5]"), U64("_q_ZMMReg[6]"),
						U64("_q_ZMMReg[7]") };
static const struct vms_desc zmmh_desc = DESC("zmmh_reg", zmmh_fields);
static const struct vms_field hi16_zmm_fields[] = {
	U64("_q_ZMMReg[0]"), U64("_q_ZMMReg[1]"), U64("_q_ZMMReg[2]"), U64("_q_ZMMReg[3]"),
	U64("_q_ZMMReg[4]"), U64("_q_ZMMReg[5]"), U64("_q_ZMMReg[6]"), U64("_q_ZMMReg[7]"),
};
static const struct vms_desc hi16_zmm_desc = DESC("hi16_zmm_reg", hi16_zmm_fields);
static const struct vms_field avx512_fields[] = {
	ARRAY("env.opmask_regs", "uint64", 8),
	STRUCTS("env.xmm_regs[0]", 16, &zmmh_desc),
	STRUCTS("env.xmm_regs[1]", 16, &hi16_zmm_desc),
};
static const struct vms_desc avx512_desc = DESC("cpu/avx512", avx512_fields);

static const struct vms_field intel_pt_fields[] = {
	U64("env.msr_rtit_ctrl"), U64("env.msr_rtit_status"), U64("env.msr_rtit_output_base"),
	U64("env.msr_rtit_output_mask"), U64("env.msr_rtit_cr3_match"),
	ARRAY("env.msr_rtit_addrs", "uint64", 8),
};
static const struct vms_desc intel_pt_desc = DESC("cpu/intel_pt", intel_pt_fields);

static const struct vms_field svm_npt_fields[] = { U64("env.nested_cr3"), U32("env.nested_pg_mode") };
static const struct vms_desc svm_npt_desc = DESC("cpu/svn_npt", svm_npt_fields);

static const struct vms_field vmcs12_fields[] = { ARRAY("data.vmx[0].vmcs12", "uint8", 4096) };
static const struct vms_desc vmcs12_desc = DESC("cpu/kvm_nested_state/vmx/vmcs12", vmcs12_fields);
static const struct vms_field shadow_vmcs12_fields[] = { ARRAY("data.vmx[0].shadow_vmcs12", "uint8", 4096) };
static const struct vms_desc shadow_vmcs12_desc =
	DESC("cpu/kvm_nested_state/vmx/shadow_vmcs12", shadow_vmcs12_fields);
static const struct vms_desc *const nested_vmx_subs[] = { &vmcs12_desc, &shadow_vmcs12_desc, NULL };
static const struct vms_field nested_vmx_fields[] = { U64("hdr.vmx.vmxon_pa"), U64("hdr.vmx.vmcs12_pa"),
						      U16("hdr.vmx.smm.flags") };
static const struct vms_desc nested_vmx_desc =
	DESC_SUBS("cpu/kvm_nested_state/vmx", nested_vmx_fields, nested_vmx_subs);
static const struct vms_field nested_svm_fields[] = { U64("hdr.svm.vmcb_pa"),
						      ARRAY("data.svm[0].vmcb12", "uint8", 4096) };
static const struct vms_desc nested_svm_desc = DESC("cpu/kvm_nested_state/svm", nested_svm_fields);
static const struct vms_desc *const kvm_nested_subs[] = { &nested_vmx_desc, &nested_svm_desc, NULL };
static const struct vms_field kvm_nested_fields[] = { U16("flags"), U16("format"), U32("size") };
static const struct vms_desc kvm_nested_desc =
	DESC_SUBS("cpu/kvm_nested_state", kvm_nested_fields, kvm_nested_subs);
static const struct vms_field nested_fields[] = {
	{ .name = "env.nested_state", .type = "struct", .desc = &kvm_nested_desc },
};
static const struct vms_desc nested_desc = DESC("cpu/nested_state", nested_fields);

static const struct vms_field xen_fields[] = {
	U64("env.xen_vcpu_info_gpa"), U64("env.xen_vcpu_info_default_gpa"), U64("env.xen_vcpu_time_info_gpa"),
	U64("env.xen_vcpu_runstate_gpa"), U8("env.xen_vcpu_callback_vector"),
	ARRAY("env.xen_virq", "uint16", 24),
	U64("env.xen_singleshot_timer_ns"), U64("env.xen_periodic_timer_period"),
};
static const struct vms_desc xen_desc = DESC("cpu/xen_vcpu", xen_fields);

static const struct vms_field xfd_fields[] = { U64("env.msr_xfd"), U64("env.msr_xfd_err") };
static const struct vms_desc xfd_desc = DESC("cpu/msr_xfd", xfd_fields);

static const struct vms_field fred_fields[] = {
	U64("env.fred_rsp0"), U64("env.fred_rsp1"), U64("env.fred_rsp2"), U64("env.fred_rsp3"),
	U64("env.fred_stklvls"), U64("env.fred_ssp1"), U64("env.fred_ssp2"), U64("env.fred_ssp3"),
	U64("env.fred_config"),
};
static const struct vms_desc fred_desc = DESC("cpu/fred", fred_fields);

static const struct vms_field amx_fields[] = { ARRAY("env.xtilecfg", "uint8", 64),
					       ARRAY("env.xtiledata", "uint8", 8192) };
static const struct vms_desc amx_desc = DESC("cpu/intel_amx_xtile", amx_fields);

static const struct vms_field lbr_record_fields[] = { U64("from"), U64("to"), U64("info") };
static const struct vms_desc lbr_record_desc = DESC("lbr_records_var", lbr_record_fields);
static const struct vms_field arch_lbr_fields[] = { U64("env.msr_lbr_ctl"), U64("env.msr_lbr_depth"),
						    STRUCTS("env.lbr_records", 32, &lbr_record_desc) };
static const struct vms_desc arch_lbr_desc = DESC("cpu/arch_lbr", arch_lbr_fields);

static const struct vms_field shstk_fields[] = { U64("env.pl1_ssp"), U64("env.pl2_ssp"), U64("env.pl3_ssp"),
						 U64("env.int_ssp_table"), U64("env.guest_ssp") };
static const struct vms_desc shstk_desc = DESC("cpu/cet_shstk", shstk_fields);
static const struct vms_desc *const cet_subs[] = { &shstk_desc, NULL };
static const struct vms_field cet_fields[] = { U64("env.u_cet"), U64("env.s_cet") };
static const struct vms_desc cet_desc = DESC_SUBS("cpu/cet", cet_fields, cet_subs);

const struct vms_desc *const cpu_sub_descs[] = {
	&cpu_exception_info_desc, &cpu_async_pf_msr_desc, &cpu_async_pf_int_msr_desc,
	&cpu_pv_eoi_msr_desc, &cpu_steal_time_msr_desc, &cpu_poll_control_msr_desc, &fpop_desc,
	&cpu_tsc_adjust_desc, &cpu_tscdeadline_desc, &misc_enable_desc, &feature_control_desc,
	&pmu_desc, &mpx_desc, &hv_hypercall_desc, &hv_vapic_desc, &hv_time_desc, &hv_crash_desc,
	&hv_runtime_desc, &hv_synic_desc, &hv_stimer_desc, &hv_reenlightenment_desc, &avx512_desc,
	&xss_desc, &umwait_desc, &cpu_tsc_khz_desc, &smi_count_desc, &pkru_desc, &pkrs_desc,
	&spec_ctrl_desc, &tsc_scale_desc, &mcg_ext_ctl_desc, &intel_pt_desc, &virt_ssbd_desc,
	&svm_npt_desc, &svm_guest_desc, &nested_desc, &xen_desc, &tsx_ctrl_desc, &sgx_desc,
	&pdptrs_desc, &xfd_desc, &hwcr_desc, &fred_desc, &amx_desc, &arch_lbr_desc,
	&cpu_triple_fault_desc, &pl0_ssp_desc, &cet_desc, NULL,
};

#define SUB(d, c, s, n, t, r) \
	{ .desc = &d##_desc, .kind = CPU_SUB_##c, .seen = CPU_SUB_##s, .needed = (n), .tcg = (t), \
	  .report = (r) }

const struct cpu_sub cpu_subs[] = {
	SUB(cpu_exception_info, EVENT, QEMU_7_2, "an exception is pending in a nested guest",
	    "loaded, ignored",
	    "an exception waits for a nested guest"),
	SUB(cpu_async_pf_msr, PARAVIRT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest may be told of a page that is not there yet: only KVM does that"),
	SUB(cpu_async_pf_int_msr, PARAVIRT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the vector by which KVM says that a missing page has come"),
	SUB(cpu_pv_eoi_msr, PARAVIRT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest may end an interrupt by a bit in its memory, which only KVM looks at"),
	SUB(cpu_steal_time_msr, PARAVIRT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest reads from its memory how long it did not run: the number stands still without KVM"),
	SUB(cpu_poll_control_msr, INERT, QEMU_7_2, "the MSR is not 1", "loaded, ignored",
	    "whether KVM may poll before it halts the CPU; an emulated CPU sends 0, as nothing set it"),
	SUB(fpop, REGISTER, QEMU_7_2, "one of the three is not 0", "loaded, used",
	    "the last FPU opcode and its addresses"),
	SUB(cpu_tsc_adjust, TIMER, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest wrote its TSC: the MSR that says by how much reads 0 under TCG"),
	SUB(cpu_tscdeadline, TIMER, QEMU_7_2, "a deadline is armed", "loaded, the timer is lost",
	    "a timer interrupt is due at a value of the TSC: TCG has no such timer"),
	SUB(misc_enable, REGISTER, QEMU_7_2, "not the default", "loaded, used",
	    "IA32_MISC_ENABLE differs from its default"),
	SUB(feature_control, REGISTER, QEMU_7_2, "the MSR is not 0", "loaded, used",
	    "IA32_FEATURE_CONTROL: VMX, SGX or LMCE are locked on or off"),
	SUB(pmu, REGISTER, QEMU_7_2, "a counter or its control is not 0", "loaded, ignored",
	    "performance counters are in use: they stand still under TCG"),
	SUB(mpx, REGISTER, QEMU_7_2, "a bound register is not 0", "loaded, used where the CPU has MPX",
	    "MPX bounds are in use"),
	SUB(hv_hypercall, HYPERV, QEMU_7_2, "the guest named itself or enabled the page", "loaded, ignored",
	    "the guest runs on the Hyper-V interface: its hypercalls fail without KVM"),
	SUB(hv_vapic, HYPERV, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest has a Hyper-V APIC assist page"),
	SUB(hv_time, HYPERV, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the guest's clock is the Hyper-V reference TSC page: nobody updates it without KVM"),
	SUB(hv_crash, INERT, QEMU_7_2, "a crash parameter is not 0", "loaded, ignored",
	    "the guest left a Hyper-V crash message"),
	SUB(hv_runtime, HYPERV, QEMU_7_2, "the counter is not 0", "loaded, ignored",
	    "the guest reads its run time from a Hyper-V MSR"),
	SUB(hv_synic, HYPERV, QEMU_7_2, "one of its MSRs is not 0", "loaded, ignored",
	    "the guest takes messages and events from the Hyper-V interrupt controller"),
	SUB(hv_stimer, HYPERV, QEMU_7_2, "a timer is configured", "loaded, the timers are lost",
	    "the guest's timers are Hyper-V timers: they never fire without KVM"),
	SUB(hv_reenlightenment, HYPERV, QEMU_7_2, "one of its MSRs is not 0",
	    "refused unless the TSC frequency is fixed",
	    "the guest asked to be told when the TSC frequency changes"),
	SUB(avx512, REGISTER, QEMU_7_2, "a register is not 0", "loaded, kept, no instruction uses it",
	    "AVX-512 registers hold values: TCG has no AVX-512"),
	SUB(xss, REGISTER, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "supervisor state components are enabled"),
	SUB(umwait, REGISTER, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "the limit of UMWAIT is set"),
	SUB(cpu_tsc_khz, TIMER, QEMU_7_2, "the frequency is known and the machine type saves it",
	    "loaded, kept",
	    "the TSC frequency that the guest measured or was told"),
	SUB(smi_count, INERT, QEMU_7_2, "the count is not 0", "loaded, ignored",
	    "how many SMIs there were"),
	SUB(pkru, REGISTER, QEMU_7_2, "the register is not 0", "loaded, used",
	    "user protection keys are in use"),
	SUB(pkrs, REGISTER, QEMU_7_2, "the MSR is not 0", "loaded, used",
	    "supervisor protection keys are in use"),
	SUB(spec_ctrl, INERT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "speculation controls are set: they change no result"),
	SUB(tsc_scale, NESTED, QEMU_7_2, "the CPU has SVM TSC scaling", "loaded, used by nested SVM",
	    "the TSC ratio for the guest's own guests"),
	SUB(mcg_ext_ctl, INERT, QEMU_7_2, "LMCE is on", "loaded, kept",
	    "local machine checks are enabled"),
	SUB(intel_pt, REGISTER, QEMU_7_2, "an MSR is not 0", "loaded, ignored",
	    "processor trace is in use"),
	SUB(virt_ssbd, INERT, QEMU_7_2, "the MSR is not 0", "loaded, ignored",
	    "a speculation control is set: it changes no result"),
	SUB(svm_npt, NESTED, QEMU_7_2, "nested paging is on", "loaded, used",
	    "the CPU runs a nested SVM guest with nested paging"),
	SUB(svm_guest, TCG, QEMU_7_2, "TCG and the field is not 0", "loaded, used",
	    "virtual interrupt control of a nested SVM guest that TCG runs"),
	SUB(nested, NESTED, QEMU_7_2, "VMXON was executed, or SVM state is there", "refused",
	    "the guest runs guests of its own, and KVM holds their state"),
	SUB(xen, XEN, QEMU_10_0, "KVM emulates Xen", "refused where QEMU has no KVM, else ignored",
	    "the guest's events and timers are KVM's Xen emulation"),
	SUB(tsx_ctrl, INERT, QEMU_7_2, "the CPU has the MSR", "loaded, ignored",
	    "whether TSX is off: TCG has no TSX"),
	SUB(sgx, INERT, QEMU_7_2, "the CPU has SGX launch control", "loaded, ignored",
	    "the key hash of SGX launch control"),
	SUB(pdptrs, REGISTER, QEMU_7_2, "KVM says that they are valid",
	    "loaded, ignored: reloaded from memory",
	    "the four PAE entries that CR3 was loaded with"),
	SUB(xfd, REGISTER, QEMU_7_2, "the CPU has XFD", "loaded, ignored", "extended feature disable"),
	SUB(hwcr, INERT, QEMU_10_0, "the MSR is not 0", "loaded, kept", "AMD hardware configuration"),
	SUB(fred, REGISTER, QEMU_10_0, "the CPU has FRED", "loaded, ignored",
	    "event delivery by FRED: TCG has none"),
	SUB(amx, REGISTER, QEMU_7_2, "the CPU has AMX", "loaded, ignored", "AMX tiles: TCG has none"),
	SUB(arch_lbr, INERT, QEMU_7_2, "the CPU has architectural LBRs", "loaded, ignored",
	    "records of the last branches"),
	SUB(cpu_triple_fault, EVENT, QEMU_7_2, "a triple fault is pending", "loaded, lost",
	    "the CPU is about to shut down"),
	SUB(pl0_ssp, REGISTER, PATCH, "the MSR is not 0", "loaded, ignored",
	    "the supervisor's shadow stack"),
	SUB(cet, REGISTER, PATCH, "the CPU has CET", "loaded, ignored",
	    "control-flow enforcement: TCG has none"),
	{ .desc = NULL },
};

const struct cpu_sub *cpu_find_sub(const char *name)
{
	for (const struct cpu_sub *s = cpu_subs; s->desc; s++)
		if (!strcmp(s->desc->name, name))
			return s;
	return NULL;
}

const char *cpu_sub_class_name(enum cpu_sub_class kind)
{
	static const char *const names[] = {
		[CPU_SUB_INERT] = "inert",
		[CPU_SUB_REGISTER] = "register",
		[CPU_SUB_TIMER] = "timer",
		[CPU_SUB_EVENT] = "event",
		[CPU_SUB_PARAVIRT] = "paravirtual",
		[CPU_SUB_HYPERV] = "Hyper-V",
		[CPU_SUB_XEN] = "Xen",
		[CPU_SUB_NESTED] = "nested",
		[CPU_SUB_TCG] = "emulated",
	};

	return (size_t)kind < REG_ARRAY_SIZE(names) ? names[kind] : "?";
}

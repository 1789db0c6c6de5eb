/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the vCPUs of a running VM show in struct kvm_run, through a mapping: the VM is not stopped. */
#include <inttypes.h>
#include <string.h>

#include "apic/abi.h"
#include "cli/cli.h"
#include "cli/look.h"
#include "kvm/find.h"
#include "kvm/runmap.h"

/* Those of x86, Documentation/virt/kvm/api.rst section 5. */
static const char *const exits[] = {
	[KVM_EXIT_UNKNOWN] = "UNKNOWN, or in the guest",
	[KVM_EXIT_EXCEPTION] = "EXCEPTION",
	[KVM_EXIT_IO] = "IO",
	[KVM_EXIT_HYPERCALL] = "HYPERCALL",
	[KVM_EXIT_DEBUG] = "DEBUG",
	[KVM_EXIT_HLT] = "HLT",
	[KVM_EXIT_MMIO] = "MMIO",
	[KVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
	[KVM_EXIT_SHUTDOWN] = "SHUTDOWN",
	[KVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
	[KVM_EXIT_INTR] = "INTR",
	[KVM_EXIT_SET_TPR] = "SET_TPR",
	[KVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
	[KVM_EXIT_NMI] = "NMI",
	[KVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
	[KVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
	[KVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
	[KVM_EXIT_HYPERV] = "HYPERV",
	[KVM_EXIT_X86_RDMSR] = "X86_RDMSR",
	[KVM_EXIT_X86_WRMSR] = "X86_WRMSR",
};

static const char *exit_name(uint32_t reason)
{
	return reason < REG_ARRAY_SIZE(exits) && exits[reason] ? exits[reason] : "of another kind";
}

/* The rows that are known by it; KVM writes all three structures where the VMM asked for them at each exit. */
static void take_rows(const struct kvm_runmap_view *v, struct lapic_state *ret)
{
	memset(ret, 0, sizeof(*ret));
	reg_set(lapic_member("apic_base"), ret, 0, v->apic_base);
	reg_set(lapic_member("cr8"), ret, 0, v->cr8);
	if (v->synced & KVM_SYNC_X86_REGS)
		abi_get(&lapic_chip, REG_ABI_REGS, &v->regs, ret);
	if (v->synced & KVM_SYNC_X86_SREGS)
		abi_get(&lapic_chip, REG_ABI_SREGS, &v->sregs, ret);
	if (v->synced & KVM_SYNC_X86_EVENTS)
		abi_get(&lapic_chip, REG_ABI_EVENTS, &v->events, ret);
}

static void print_view(const struct kvm_found_vcpu *vcpu, const struct kvm_runmap_view *v, const struct reg_out *out)
{
	struct lapic_state s;

	take_rows(v, &s);
	reg_emit_styled(out, REG_HEADING, "vCPU %" PRIu32, vcpu->id);
	reg_emit(out, " (descriptor %d): last exit %" PRIu32 " (%s), interrupts %s%s\n", vcpu->fd, v->exit_reason,
		 exit_name(v->exit_reason), v->interrupts_on ? "on" : "off", v->ready ? ", takes one now" : "");
	reg_print(&lapic_chip, &s, NULL, out);
}

static int peek_vcpu(pid_t pid, const struct kvm_found_vcpu *vcpu, const struct reg_out *out, struct irqs_error *reterr)
{
	struct kvm_runmap map = { 0 };
	struct kvm_runmap_view view;
	int rc = kvm_runmap_open(pid, vcpu->fd, &map, reterr);

	if (rc)
		return rc;
	kvm_runmap_read(&map, &view);
	kvm_runmap_close(&map);
	print_view(vcpu, &view, out);
	return 0;
}

int look_peek(pid_t pid, int vm, const struct reg_out *out)
{
	struct irqs_error err = { 0 };
	struct kvm_found found;
	int rc = kvm_find(pid, &found, &err);

	for (unsigned int i = 0; !rc && i < found.nvcpus; i++)
		if (found.vcpus[i].vm == vm || found.vcpus[i].vm < 0)
			rc = peek_vcpu(pid, &found.vcpus[i], out, &err);
	kvm_found_deinit(&found);
	return rc ? cli_fail(&err, NULL) : IRQS_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vCPU's registers out of one VM and into another; INIT and SIPI. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "apic/abi.h"
#include "tests/vmm/engine.h"

#define HYPERV_MSRS UINT32_C(0x40000000)
#define KEPT_BY_INIT UINT64_C(0x60000000) /* CR0.CD and NW: SDM 3A table 9-1 */

static int call(struct kvm_side *side, unsigned int cpu, unsigned long request, const void *arg, const char *what,
		struct irqs_error *reterr)
{
	return ioctl(side->vcpus[cpu], request, arg) < 0 ? irqs_fail_errno(reterr, errno, "vcpu[%u]: %s", cpu, what) : 0;
}

static bool has(const struct kvm_side *side, long cap)
{
	return ioctl(side->vm, KVM_CHECK_EXTENSION, cap) > 0;
}

/* Those that kvm_gather() and kvm_restore() carry, in an order that matters; and those of services that CPUID hides. */
static bool carried(uint32_t index)
{
	const struct reg_row *row = NULL;

	if ((index & ~UINT32_C(0x1ff)) == HYPERV_MSRS)
		return true;
	while ((row = abi_msr(&lapic_chip, row)))
		if (row->abi_at == index)
			return true;
	return false;
}

static struct kvm_msr_list *msr_list(int system)
{
	struct kvm_msr_list ask = { 0 }, *list;

	ioctl(system, KVM_GET_MSR_INDEX_LIST, &ask);
	list = calloc(1, sizeof(*list) + ask.nmsrs * sizeof(list->indices[0]));
	if (!list)
		return NULL;
	list->nmsrs = ask.nmsrs;
	if (!ioctl(system, KVM_GET_MSR_INDEX_LIST, list))
		return list;
	free(list);
	return NULL;
}

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

/* One by one: some of the list are not there for this vCPU. */
static int get_msrs(struct kvm_side *side, unsigned int cpu, struct cpu_state *ret, struct irqs_error *reterr)
{
	struct kvm_msr_list *list = msr_list(side->vmm->system);

	ret->msrs = list ? calloc(1, sizeof(*ret->msrs) + list->nmsrs * sizeof(ret->msrs->entries[0])) : NULL;
	if (!ret->msrs) {
		free(list);
		return irqs_fail_nomem(reterr);
	}
	for (uint32_t i = 0; i < list->nmsrs; i++) {
		struct one_msr m = { .head.nmsrs = 1, .entry.index = list->indices[i] };

		if (!carried(list->indices[i]) && ioctl(side->vcpus[cpu], KVM_GET_MSRS, &m) == 1)
			ret->msrs->entries[ret->msrs->nmsrs++] = m.entry;
	}
	free(list);
	return 0;
}

/* Read-only ones have the same value already. */
static int set_msrs(struct kvm_side *side, unsigned int cpu, const struct cpu_state *s, struct irqs_error *reterr)
{
	for (uint32_t i = 0; i < s->msrs->nmsrs; i++) {
		struct one_msr m = { .head.nmsrs = 1, .entry.index = s->msrs->entries[i].index };

		if (ioctl(side->vcpus[cpu], KVM_GET_MSRS, &m) == 1 && m.entry.data == s->msrs->entries[i].data)
			continue;
		m.entry.data = s->msrs->entries[i].data;
		if (ioctl(side->vcpus[cpu], KVM_SET_MSRS, &m) != 1)
			return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "vcpu[%u]: MSR 0x%x does not take 0x%llx", cpu,
					 m.entry.index, m.entry.data);
	}
	return 0;
}

int cpu_state_get(struct kvm_side *side, unsigned int cpu, struct cpu_state *ret, struct irqs_error *reterr)
{
	int rc;

	memset(ret, 0, sizeof(*ret));
	rc = call(side, cpu, KVM_GET_REGS, &ret->regs, "KVM_GET_REGS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_GET_SREGS, &ret->sregs, "KVM_GET_SREGS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_GET_DEBUGREGS, &ret->debugregs, "KVM_GET_DEBUGREGS", reterr);
	if (!rc && has(side, KVM_CAP_XCRS))
		rc = call(side, cpu, KVM_GET_XCRS, &ret->xcrs, "KVM_GET_XCRS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_GET_XSAVE, &ret->xsave, "KVM_GET_XSAVE", reterr);
	return rc ? rc : get_msrs(side, cpu, ret, reterr);
}

/* Before kvm_restore(), which sets the APIC base and what is on its way into the CPU. */
int cpu_state_set(struct kvm_side *side, unsigned int cpu, const struct cpu_state *s, struct irqs_error *reterr)
{
	struct kvm_sregs sregs = s->sregs, now = { 0 };
	int rc = call(side, cpu, KVM_GET_SREGS, &now, "KVM_GET_SREGS", reterr);

	sregs.apic_base = now.apic_base;
	memset(sregs.interrupt_bitmap, 0, sizeof(sregs.interrupt_bitmap));
	if (!rc)
		rc = call(side, cpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_SET_REGS, &s->regs, "KVM_SET_REGS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_SET_DEBUGREGS, &s->debugregs, "KVM_SET_DEBUGREGS", reterr);
	if (!rc && has(side, KVM_CAP_XCRS))
		rc = call(side, cpu, KVM_SET_XCRS, &s->xcrs, "KVM_SET_XCRS", reterr);
	if (!rc)
		rc = call(side, cpu, KVM_SET_XSAVE, &s->xsave, "KVM_SET_XSAVE", reterr);
	return rc ? rc : set_msrs(side, cpu, s, reterr);
}

void cpu_state_deinit(struct cpu_state *s)
{
	free(s->msrs);
	s->msrs = NULL;
}

/* SDM 3A table 9-1; what is on its way into the CPU is gone, too. */
int cpu_reset(struct kvm_side *side, unsigned int cpu)
{
	struct vmm *v = side->vmm;
	struct kvm_sregs now, sregs = v->reset_sregs;
	struct kvm_vcpu_events events;
	int fd = side->vcpus[cpu];

	if (ioctl(fd, KVM_GET_SREGS, &now) || ioctl(fd, KVM_GET_VCPU_EVENTS, &events))
		return -errno;
	sregs.apic_base = now.apic_base;
	sregs.cr0 = (sregs.cr0 & ~KEPT_BY_INIT) | (now.cr0 & KEPT_BY_INIT);
	events.interrupt.injected = 0;
	events.interrupt.shadow = 0;
	events.exception.injected = events.exception.pending = 0;
	events.nmi.injected = events.nmi.pending = events.nmi.masked = 0;
	events.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) || ioctl(fd, KVM_SET_REGS, &v->reset_regs) ||
	    ioctl(fd, KVM_SET_VCPU_EVENTS, &events))
		return -errno;
	return 0;
}

int cpu_start(struct kvm_side *side, unsigned int cpu, uint8_t page)
{
	struct kvm_sregs sregs;
	struct kvm_regs regs = side->vmm->reset_regs;

	if (ioctl(side->vcpus[cpu], KVM_GET_SREGS, &sregs))
		return -errno;
	sregs.cs.selector = (uint16_t)(page << 8);
	sregs.cs.base = (uint64_t)page << 12;
	regs.rip = 0;
	if (ioctl(side->vcpus[cpu], KVM_SET_SREGS, &sregs) || ioctl(side->vcpus[cpu], KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

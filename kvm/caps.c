/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/caps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/tsc.h"
#include "kvm/extensions_priv.h"

/* More leaves than any CPU has. */
#define MAX_LEAVES 512

static const struct {
	int extension;
	enum caps_bit bit;
} extensions[] = {
	{ KVM_CAP_IRQCHIP, CAPS_IRQCHIP_KERNEL },
	{ KVM_CAP_SPLIT_IRQCHIP, CAPS_IRQCHIP_SPLIT },
	{ KVM_CAP_PIT2, CAPS_PIT2 },
	{ KVM_CAP_PIT_STATE2, CAPS_PIT_STATE2 },
	{ KVM_CAP_REINJECT_CONTROL, CAPS_REINJECT_CONTROL },
	{ KVM_CAP_X2APIC_API, CAPS_X2APIC_API },
	{ KVM_CAP_X86_APIC_BUS_CYCLES_NS, CAPS_APIC_BUS_CYCLES },
	{ KVM_CAP_VCPU_EVENTS, CAPS_VCPU_EVENTS },
	{ KVM_CAP_MP_STATE, CAPS_MP_STATE },
	{ KVM_CAP_ADJUST_CLOCK, CAPS_ADJUST_CLOCK },
	{ KVM_CAP_IRQ_ROUTING, CAPS_IRQ_ROUTING },
	{ KVM_CAP_SIGNAL_MSI, CAPS_SIGNAL_MSI },
	{ KVM_CAP_TSC_DEADLINE_TIMER, CAPS_KVM_TSC_DEADLINE },
	{ KVM_CAP_TSC_CONTROL, CAPS_KVM_TSC_SCALING },
	{ KVM_CAP_ASYNC_PF, CAPS_KVM_ASYNC_PF },
	{ KVM_CAP_HYPERV_SYNIC, CAPS_KVM_HYPERV_SYNIC },
	{ KVM_CAP_XEN_HVM, CAPS_KVM_XEN },
	{ KVM_CAP_NESTED_STATE, CAPS_KVM_NESTED_STATE },
	{ KVM_CAP_X86_TRIPLE_FAULT_EVENT, CAPS_KVM_TRIPLE_FAULT },
	{ KVM_CAP_EXCEPTION_PAYLOAD, CAPS_KVM_EXCEPTION_PAYLOAD },
	{ KVM_CAP_X86_SMM, CAPS_KVM_SMM },
};

enum cpuid_register {
	EAX,
	ECX,
	EDX,
};

/* Bits of KVM_GET_SUPPORTED_CPUID (Intel SDM vol. 2, CPUID; Documentation/virt/kvm/x86/cpuid.rst). */
static const struct {
	uint32_t leaf;
	enum cpuid_register reg;
	unsigned int lsb;
	enum caps_bit bit;
} leaves[] = {
	{ 0x00000001, ECX, 21, CAPS_KVM_X2APIC },
	{ 0x80000007, EDX, 8, CAPS_KVM_INVARIANT_TSC },
	{ 0x40000001, EAX, 3, CAPS_KVM_CLOCK }, /* the MSRs of KVM_FEATURE_CLOCKSOURCE2 */
	{ 0x40000001, EAX, 5, CAPS_KVM_STEAL_TIME },
	{ 0x40000001, EAX, 6, CAPS_KVM_PV_EOI },
};

static void note_leaf(struct caps *c, const struct kvm_cpuid_entry2 *e)
{
	const uint32_t regs[] = { [EAX] = e->eax, [ECX] = e->ecx, [EDX] = e->edx };

	for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++)
		if (leaves[i].leaf == e->function && (regs[leaves[i].reg] >> leaves[i].lsb & 1))
			caps_set(c, leaves[i].bit);
}

static int ask_cpuid(int fd, struct caps *c, struct irqs_error *reterr)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + MAX_LEAVES * sizeof(cpuid->entries[0]));
	int rc = 0;

	if (!cpuid)
		return irqs_fail_nomem(reterr);
	cpuid->nent = MAX_LEAVES;
	if (ioctl(fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		rc = irqs_fail_errno(reterr, errno, "KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < cpuid->nent && !rc; i++)
		note_leaf(c, &cpuid->entries[i]);
	free(cpuid);
	return rc;
}

/* What a vCPU has to which nobody has given a rate. Return: 0 when it does not say. */
static uint64_t ask_tsc(int fd)
{
	int vm, vcpu, khz = 0;

	if (ioctl(fd, KVM_CHECK_EXTENSION, KVM_CAP_GET_TSC_KHZ) <= 0)
		return 0;
	vm = ioctl(fd, KVM_CREATE_VM, 0);
	vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu >= 0) {
		khz = ioctl(vcpu, KVM_GET_TSC_KHZ, 0);
		close(vcpu);
	}
	if (vm >= 0)
		close(vm);
	return khz > 0 ? (uint64_t)khz : 0;
}

static int ask(int fd, struct caps *c, struct irqs_error *reterr)
{
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);

	if (version != KVM_API_VERSION)
		return version < 0 ? irqs_fail_errno(reterr, errno, "KVM_GET_API_VERSION")
				   : irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL,
					       "KVM has API version %d, not %d", version, KVM_API_VERSION);
	caps_set(c, CAPS_KVM);
	/* A userspace irqchip is what there is without any KVM_CREATE_IRQCHIP. */
	caps_set(c, CAPS_IRQCHIP_OFF);
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (ioctl(fd, KVM_CHECK_EXTENSION, extensions[i].extension) > 0)
			caps_set(c, extensions[i].bit);
	c->tsc_khz = ask_tsc(fd);
	return ask_cpuid(fd, c, reterr);
}

static void note_system(struct caps *c)
{
	struct utsname u;
	const char *text = NULL;
	char line[200];

	if (!uname(&u)) {
		snprintf(line, sizeof(line), "%.60s %.120s", u.sysname, u.release);
		text = caps_string(c, line);
	}
	c->source = "host";
	c->version = text ? text : "";
}

int kvm_caps_probe(const char *device, struct caps *ret, struct irqs_error *reterr)
{
	int fd = open(device ? device : "/dev/kvm", O_RDWR | O_CLOEXEC), rc;

	caps_init(ret);
	note_system(ret);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO)) {
		ret->tsc_khz = tsc_measure_khz();
		return 0;
	}
	if (fd < 0) {
		rc = irqs_fail_errno(reterr, errno, "cannot open %s", device ? device : "/dev/kvm");
		caps_deinit(ret);
		return rc;
	}
	rc = ask(fd, ret, reterr);
	close(fd);
	if (rc)
		caps_deinit(ret);
	else if (!ret->tsc_khz)
		ret->tsc_khz = tsc_measure_khz();
	return rc;
}

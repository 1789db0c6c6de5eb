/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tells KVM to do something: lines, messages, routes, set-up. Structures: include/uapi/linux/kvm.h */
#include "kvm/decode_priv.h"

#include <inttypes.h>
#include <linux/kvm.h>
#include <string.h>

#include "kvm/extensions_priv.h"

/* SDM 3A 11.11.1 */
#define MSI_REGION 0xfee
#define MSI_LOGICAL 0x4
#define MSI_REDIRECT 0x8
#define MSI_DATA_LEVEL 0x8000

#define CAP(id)                              \
	{                                    \
		KVM_CAP_##id, "KVM_CAP_" #id \
	}

static const struct {
	uint32_t cap;
	const char *name;
} caps[] = {
	CAP(SPLIT_IRQCHIP),
	CAP(X2APIC_API),
	CAP(X86_APIC_BUS_CYCLES_NS),
	CAP(HYPERV_SYNIC),
	CAP(HYPERV_SYNIC2),
	CAP(X86_DISABLE_EXITS),
	CAP(EXCEPTION_PAYLOAD),
	CAP(X86_TRIPLE_FAULT_EVENT),
	CAP(X86_USER_SPACE_MSR),
	CAP(MAX_VCPU_ID),
};

static const char *const route_chips[] = { "PIC master", "PIC slave", "IOAPIC" };

/* Message data, LVT entries and the ICR share their low bits, and the names of these. */
static const char *delivery(uint32_t data)
{
	const struct reg_row *icr = reg_find_name(&lapic_chip, "ICR");

	for (unsigned int f = 0; f < icr->nfields; f++) {
		uint64_t mode = reg_field_get(&icr->fields[f], data);

		if (!strcmp(icr->fields[f].name, "delivery_mode") && mode < icr->fields[f].nvalues &&
		    icr->fields[f].values[mode])
			return icr->fields[f].values[mode];
	}
	return "reserved mode";
}

/* The upper half of the address holds bits 8 to 31 of an x2APIC destination (api.rst, KVM_CAP_X2APIC_API). */
static void print_msi(const struct reg_out *out, uint64_t address, uint32_t data)
{
	uint32_t dest = (uint32_t)(address >> 12 & 0xff) | ((uint32_t)(address >> 32) & 0xffffff00);

	reg_emit(out, "address 0x%" PRIx64 " data 0x%" PRIx32, address, data);
	if ((address >> 20 & 0xfff) != MSI_REGION) {
		reg_emit(out, ": not an address of LAPICs\n");
		return;
	}
	reg_emit(out, ": vector %" PRIu32 " %s %s, %s %" PRIu32 "%s\n", data & 0xff, delivery(data),
		 data & MSI_DATA_LEVEL ? "level" : "edge", address & MSI_LOGICAL ? "logical" : "physical", dest,
		 address & MSI_REDIRECT ? ", redirectable" : "");
}

static void print_signal_msi(const struct kvm_call *call, const struct reg_out *out)
{
	struct kvm_msi m;

	memcpy(&m, call->arg, sizeof(m));
	reg_emit(out, "  message ");
	print_msi(out, (uint64_t)m.address_hi << 32 | m.address_lo, m.data);
	if (call->returned && call->result >= 0)
		reg_emit(out, "  %s\n", call->result ? "delivered" : "blocked by the guest");
}

static void print_irq_line(const struct kvm_call *call, const struct reg_out *out)
{
	struct kvm_irq_level l;

	memcpy(&l, call->arg, sizeof(l));
	if (call->request == (uint32_t)KVM_IRQ_LINE_STATUS && call->returned)
		/* the answer stands where the GSI was */
		reg_emit(out, "  status %" PRId32 ": %s\n", l.status,
			 l.status < 0 ? "ignored, masked or not routed" : l.status ? "delivered"
										   : "coalesced");
	else
		reg_emit(out, "  GSI %" PRIu32 " %s\n", l.irq, l.level ? "high" : "low");
}

static void print_interrupt(const struct kvm_call *call, const struct reg_out *out)
{
	reg_emit(out, "  vector %" PRIu32 "\n", decode_u32(call->arg));
}

static void print_route(const struct kvm_irq_routing_entry *e, const struct reg_out *out)
{
	reg_emit(out, "  GSI %-3" PRIu32 " -> ", e->gsi);
	switch (e->type) {
	case KVM_IRQ_ROUTING_IRQCHIP:
		if (e->u.irqchip.irqchip < REG_ARRAY_SIZE(route_chips))
			reg_emit(out, "%s", route_chips[e->u.irqchip.irqchip]);
		else
			reg_emit(out, "chip %" PRIu32, e->u.irqchip.irqchip);
		reg_emit(out, " pin %" PRIu32 "\n", e->u.irqchip.pin);
		break;
	case KVM_IRQ_ROUTING_MSI:
		print_msi(out, (uint64_t)e->u.msi.address_hi << 32 | e->u.msi.address_lo, e->u.msi.data);
		break;
	case KVM_IRQ_ROUTING_HV_SINT:
		reg_emit(out, "Hyper-V vCPU %" PRIu32 " SINT %" PRIu32 "\n", e->u.hv_sint.vcpu, e->u.hv_sint.sint);
		break;
	default:
		reg_emit(out, "type %" PRIu32 "\n", e->type);
	}
}

static void print_routes(const struct kvm_call *call, const struct reg_out *out)
{
	unsigned int n = decode_entries(call);
	struct kvm_irq_routing_entry e;

	for (unsigned int i = 0; i < n; i++) {
		memcpy(&e, (const uint8_t *)call->arg + sizeof(struct kvm_irq_routing) + i * sizeof(e), sizeof(e));
		print_route(&e, out);
	}
	if (!n)
		reg_emit(out, "  no routes\n");
}

static void print_irqfd(const struct kvm_call *call, const struct reg_out *out)
{
	struct kvm_irqfd f;

	memcpy(&f, call->arg, sizeof(f));
	reg_emit(out, "  eventfd %" PRIu32 " %s GSI %" PRIu32, f.fd,
		 f.flags & KVM_IRQFD_FLAG_DEASSIGN ? "no longer raises" : "raises", f.gsi);
	if (f.flags & KVM_IRQFD_FLAG_RESAMPLE)
		reg_emit(out, ", EOI is told to eventfd %" PRIu32, f.resamplefd);
	reg_emit(out, "\n");
}

static void print_reinject(const struct kvm_call *call, const struct reg_out *out)
{
	reg_emit(out, "  PIT ticks that the guest missed are %s\n", *(const uint8_t *)call->arg ? "made up for" : "lost");
}

static void print_create_pit(const struct kvm_call *call, const struct reg_out *out)
{
	uint32_t flags = decode_u32(call->arg);

	reg_emit(out, "  flags 0x%" PRIx32 "%s\n", flags, flags & KVM_PIT_SPEAKER_DUMMY ? " speaker port" : "");
}

static void print_enable_cap(const struct kvm_call *call, const struct reg_out *out)
{
	struct kvm_enable_cap c;

	memcpy(&c, call->arg, sizeof(c));
	reg_emit(out, "  capability %" PRIu32, c.cap);
	for (size_t i = 0; i < REG_ARRAY_SIZE(caps); i++)
		if (caps[i].cap == c.cap)
			reg_emit(out, " %s", caps[i].name);
	reg_emit(out, ", arguments");
	for (size_t i = 0; i < REG_ARRAY_SIZE(c.args); i++)
		reg_emit(out, " 0x%" PRIx64, (uint64_t)c.args[i]);
	reg_emit(out, "\n");
}

static void print_address(const struct kvm_call *call, const struct reg_out *out)
{
	reg_emit(out, "  address 0x%" PRIx64 "\n", decode_u64(call->arg));
}

static const struct {
	uint32_t request;
	void (*print)(const struct kvm_call *call, const struct reg_out *out);
} messages[] = {
	{ (uint32_t)KVM_IRQ_LINE, print_irq_line },
	{ (uint32_t)KVM_IRQ_LINE_STATUS, print_irq_line },
	{ (uint32_t)KVM_SIGNAL_MSI, print_signal_msi },
	{ (uint32_t)KVM_INTERRUPT, print_interrupt },
	{ (uint32_t)KVM_SET_GSI_ROUTING, print_routes },
	{ (uint32_t)KVM_IRQFD, print_irqfd },
	{ (uint32_t)KVM_REINJECT_CONTROL, print_reinject },
	{ (uint32_t)KVM_CREATE_PIT2, print_create_pit },
	{ (uint32_t)KVM_ENABLE_CAP, print_enable_cap },
	{ (uint32_t)KVM_SET_VAPIC_ADDR, print_address },
};

void decode_message(const struct kvm_ioctl *io, const struct kvm_call *call, const struct reg_out *out)
{
	for (size_t i = 0; i < REG_ARRAY_SIZE(messages); i++)
		if (messages[i].request == io->request)
			messages[i].print(call, out);
	if (io->arg == KVM_ARG_VALUE)
		reg_emit(out, "  value %" PRIu64 "\n", decode_u64(call->arg));
	else if (io->arg == KVM_ARG_NONE)
		reg_emit(out, "  no argument\n");
}

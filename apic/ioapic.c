/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the IOAPIC. Manual: Intel 82093AA data sheet; EOI register: ICH7 data sheet 10.5. */
#include "apic/ioapic.h"

#include <linux/kvm.h>
#include <string.h>

const struct vms_field ioapic_vms_fields[IOAPIC_VMS_NR] = {
	[IOAPIC_VMS_ID] = { .name = "id", .type = "uint8" },
	[IOAPIC_VMS_IOREGSEL] = { .name = "ioregsel", .type = "uint8" },
	[IOAPIC_VMS_UNUSED] = { .name = "unused", .type = "unused_buffer", .size = 8, .since = 2 },
	[IOAPIC_VMS_IRR] = { .name = "irr", .type = "uint32", .since = 2 },
	[IOAPIC_VMS_REDIRTBL] = { .name = "ioredtbl", .type = "uint64", .count = IOAPIC_PINS },
};

const struct vms_desc ioapic_vms_desc = {
	.name = "ioapic",
	.version = 3,
	.minimum_version = 1,
	.fields = ioapic_vms_fields,
	.nfields = IOAPIC_VMS_NR,
};

static const char *const delivery_modes[] = { "fixed", "lowest", "SMI", NULL, "NMI", "INIT", NULL, "ExtINT" };
static const char *const dest_modes[] = { "physical", "logical" };
static const char *const trigger_modes[] = { "edge", "level" };
static const char *const polarities[] = { "high", "low" };

static const struct reg_field id_fields[] = { { .name = "id", .lsb = 24, .width = 4 } };
static const struct reg_field version_fields[] = {
	{ .name = "version", .lsb = 0, .width = 8 },
	{ .name = "max_entry", .lsb = 16, .width = 8 },
};
static const struct reg_field rte_fields[] = {
	{ .name = "vector", .lsb = 0, .width = 8 },
	{ .name = "delivery_mode", .lsb = 8, .width = 3, REG_VALUES(delivery_modes) },
	{ .name = "dest_mode", .lsb = 11, .width = 1, REG_VALUES(dest_modes) },
	{ .name = "delivery_status", .lsb = 12, .width = 1 },
	{ .name = "polarity", .lsb = 13, .width = 1, REG_VALUES(polarities) },
	{ .name = "remote_irr", .lsb = 14, .width = 1 },
	{ .name = "trigger_mode", .lsb = 15, .width = 1, REG_VALUES(trigger_modes) },
	{ .name = "mask", .lsb = 16, .width = 1 },
	{ .name = "destination", .lsb = 56, .width = 8 },
};

enum ioapic_known {
	KNOWN_ID, KNOWN_VERSION, KNOWN_ARB, KNOWN_IOREGSEL, KNOWN_IRR, KNOWN_BASE,
	KNOWN_RTE, /* and the next 23 */
};

#define MEMBER(m, known) \
	.width = sizeof(((struct ioapic_state *)0)->m), REG_AT(struct ioapic_state, m, known)
#define VMS(f) .desc = &ioapic_vms_desc, .vms = &ioapic_vms_fields[IOAPIC_VMS_##f]
#define KVM(m) REG_KVM(REG_ABI_IOAPIC, kvm_ioapic_state, m)

static const struct reg_row ioapic_rows[] = {
	{ .name = "ID", .text = "IOAPIC ID", .offset = IOAPIC_ID, MEMBER(id, KNOWN_ID), VMS(ID),
	  .vms_shift = 24, .rsvd = 0xf0ffffff, REG_FIELDS(id_fields), KVM(id), .abi_shift = 24,
	  .manual = "82093AA 3.2.1" },
	{ .name = "VER", .text = "version", .offset = IOAPIC_VER, MEMBER(version, KNOWN_VERSION),
	  .storage = REG_DERIVED, .from = "the machine: 0x11 in the kernel, 0x20 or 0x11 in QEMU",
	  .reset = 0x00170011, .ro = 0x00ff00ff, .rsvd = 0xff00ff00, REG_FIELDS(version_fields),
	  .manual = "82093AA 3.2.2" },
	{ .name = "ARB", .text = "arbitration ID", .offset = IOAPIC_ARB, MEMBER(arb, KNOWN_ARB),
	  .storage = REG_DERIVED, .from = "ID", .ro = 0x0f000000, .rsvd = 0xf0ffffff, REG_FIELDS(id_fields),
	  .manual = "82093AA 3.2.3" },
	{ .name = "RTE", .text = "redirection entry", .offset = IOAPIC_RTE, .stride = 2, .width = 8,
	  REG_ARRAY_AT(struct ioapic_state, redirtbl, IOAPIC_PINS, KNOWN_RTE), VMS(REDIRTBL),
	  .reset = 0x10000,
	  .ro = 0x5000, .rsvd = 0x00fffffffffe0000, REG_FIELDS(rte_fields),
	  .guest_read = "two 32-bit registers, the low half first", .kvm = "kvm_ioapic_state.redirtbl", .abi = REG_ABI_IOAPIC,
	  .abi_at = offsetof(struct kvm_ioapic_state, redirtbl), .abi_step = 8, .abi_size = 8,
	  .manual = "82093AA 3.2.4" },
	{ .name = "IOREGSEL", .text = "selected register", .offset = REG_NO_OFFSET,
	  MEMBER(ioregsel, KNOWN_IOREGSEL), VMS(IOREGSEL), .guest_read = "at offset 0 of the window",
	  KVM(ioregsel), .manual = "82093AA 3.1.1" },
	{ .name = "irr", .text = "requested, not delivered", .offset = REG_NO_OFFSET, MEMBER(irr, KNOWN_IRR),
	  VMS(IRR), .format = REG_LINES, KVM(irr),
	  .guest_read = "not readable", .manual = "QEMU hw/intc/ioapic_common.c" },
	{ .name = "EOI", .text = "end of interrupt, version 0x20 only", .offset = REG_NO_OFFSET, .width = 4,
	  .count = 1, .storage = REG_ACTION, .guest_read = "write only, at offset 0x40 of the window",
	  .manual = "ICH7 10.5.5" },
	{ .name = "base_address", .text = "where it is mapped", .offset = REG_NO_OFFSET,
	  MEMBER(base_address, KNOWN_BASE), .reset = 0xfec00000, KVM(base_address),
	  .manual = "82093AA 3.0" },
};

const struct reg_chip ioapic_chip = {
	.name = "IOAPIC",
	.line = "pin",
	.rows = ioapic_rows,
	.nrows = REG_ARRAY_SIZE(ioapic_rows),
	.state_size = sizeof(struct ioapic_state),
};

_Static_assert(offsetof(struct ioapic_state, known) == 0, "apic/reg.c finds the known bits there");

int ioapic_from_tree(const struct vms_node *section, struct ioapic_state *ret, struct irqs_error *reterr)
{
	struct ioapic_state s;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = reg_from_tree(&ioapic_chip, section, &s, reterr);
	if (!rc)
		*ret = s;
	return rc;
}

int ioapic_to_tree(const struct ioapic_state *s, struct vms_node *section, struct irqs_error *reterr)
{
	return reg_to_tree(&ioapic_chip, s, section, reterr);
}

unsigned int ioapic_delivery(uint64_t rte)
{
	return rte >> 8 & 7;
}

uint8_t ioapic_dest(uint64_t rte)
{
	return (uint8_t)(rte >> 56);
}

uint32_t ioapic_serviceable(const struct ioapic_state *s)
{
	uint32_t pins = 0;

	for (unsigned int i = 0; i < IOAPIC_PINS; i++) {
		uint64_t rte = s->redirtbl[i];
		bool in_service = rte & IOAPIC_RTE_LEVEL && rte & IOAPIC_RTE_REMOTE_IRR;

		if (s->irr >> i & 1 && !(rte & IOAPIC_RTE_MASKED) && !in_service)
			pins |= UINT32_C(1) << i;
	}
	return pins;
}

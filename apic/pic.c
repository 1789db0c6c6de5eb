/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the 8259A and its priority rules. */
#include "apic/pic.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

const struct vms_field pic_vms_fields[PIC_VMS_NR] = {
	[PIC_VMS_LAST_IRR] = { .name = "last_irr", .type = "uint8" },
	[PIC_VMS_IRR] = { .name = "irr", .type = "uint8" },
	[PIC_VMS_IMR] = { .name = "imr", .type = "uint8" },
	[PIC_VMS_ISR] = { .name = "isr", .type = "uint8" },
	[PIC_VMS_PRIORITY_ADD] = { .name = "priority_add", .type = "uint8" },
	[PIC_VMS_IRQ_BASE] = { .name = "irq_base", .type = "uint8" },
	[PIC_VMS_READ_REG_SELECT] = { .name = "read_reg_select", .type = "uint8" },
	[PIC_VMS_POLL] = { .name = "poll", .type = "uint8" },
	[PIC_VMS_SPECIAL_MASK] = { .name = "special_mask", .type = "uint8" },
	[PIC_VMS_INIT_STATE] = { .name = "init_state", .type = "uint8" },
	[PIC_VMS_AUTO_EOI] = { .name = "auto_eoi", .type = "uint8" },
	[PIC_VMS_ROTATE_ON_AUTO_EOI] = { .name = "rotate_on_auto_eoi", .type = "uint8" },
	[PIC_VMS_SFNM] = { .name = "special_fully_nested_mode", .type = "uint8" },
	[PIC_VMS_INIT4] = { .name = "init4", .type = "uint8" },
	[PIC_VMS_SINGLE_MODE] = { .name = "single_mode", .type = "uint8" },
	[PIC_VMS_ELCR] = { .name = "elcr", .type = "uint8" },
};

static const struct vms_field ltim_fields[] = { { .name = "ltim", .type = "uint8" } };

const struct vms_desc pic_ltim_vms_desc = {
	.name = "i8259/ltim", .version = 1, .minimum_version = 1, .fields = ltim_fields, .nfields = 1,
};

static const struct vms_desc *const pic_subs[] = { &pic_ltim_vms_desc, NULL };

const struct vms_desc pic_vms_desc = {
	.name = "i8259",
	.version = 1,
	.minimum_version = 1,
	.fields = pic_vms_fields,
	.nfields = PIC_VMS_NR,
	.subsections = pic_subs,
};

static const char *const init_states[] = { "ready", "wants ICW2", "wants ICW3", "wants ICW4" };
static const struct reg_field init_fields[] = {
	{ .name = "init", .lsb = 0, .width = 8, REG_VALUES(init_states) },
};

enum pic_known {
	KNOWN_IRR, KNOWN_IMR, KNOWN_ISR, KNOWN_ELCR, KNOWN_LAST_IRR, KNOWN_PRIORITY_ADD, KNOWN_IRQ_BASE,
	KNOWN_READ_REG_SELECT, KNOWN_POLL, KNOWN_SPECIAL_MASK, KNOWN_INIT_STATE, KNOWN_AUTO_EOI,
	KNOWN_ROTATE, KNOWN_SFNM, KNOWN_INIT4, KNOWN_SINGLE_MODE, KNOWN_LTIM, KNOWN_ELCR_MASK,
};

/* The chip has two ports and a command language, no register space. */
#define MEMBER(m, known) .offset = REG_NO_OFFSET, .width = 1, REG_AT(struct pic_state, m, known)
#define VMS(f) .desc = &pic_vms_desc, .vms = &pic_vms_fields[PIC_VMS_##f]
#define KVM(m) REG_KVM(REG_ABI_PIC, kvm_pic_state, m)

static const struct reg_row pic_rows[] = {
	{ .name = "irr", .text = "requested", MEMBER(irr, KNOWN_IRR), VMS(IRR), .format = REG_LINES,
	  .guest_read = "OCW3 selects it", KVM(irr), .manual = "8259A, interrupt request register" },
	{ .name = "imr", .text = "masked", MEMBER(imr, KNOWN_IMR), VMS(IMR), .format = REG_LINE_FLAGS,
	  KVM(imr),
	  .manual = "8259A, OCW1" },
	{ .name = "isr", .text = "in service", MEMBER(isr, KNOWN_ISR), VMS(ISR), .format = REG_LINES,
	  .guest_read = "OCW3 selects it", KVM(isr), .manual = "8259A, in-service register" },
	{ .name = "elcr", .text = "level-triggered", MEMBER(elcr, KNOWN_ELCR), VMS(ELCR),
	  .format = REG_LINE_FLAGS, .guest_read = "ports 0x4d0, 0x4d1", KVM(elcr), .manual = "PIIX, ELCR" },
	{ .name = "last_irr", .text = "line is high", MEMBER(last_irr, KNOWN_LAST_IRR), VMS(LAST_IRR),
	  .format = REG_LINE_FLAGS, .guest_read = "not readable", KVM(last_irr),
	  .manual = "8259A, edge sense latch" },
	{ .name = "priority_add", .text = "line of highest priority",
	  MEMBER(priority_add, KNOWN_PRIORITY_ADD),
	  VMS(PRIORITY_ADD), .format = REG_DEC, .guest_read = "not readable", KVM(priority_add),
	  .manual = "8259A, OCW2 rotation" },
	{ .name = "irq_base", .text = "vector of line 0", MEMBER(irq_base, KNOWN_IRQ_BASE), VMS(IRQ_BASE),
	  .guest_read = "not readable", KVM(irq_base), .manual = "8259A, ICW2" },
	{ .name = "read_reg_select", .text = "a read gives isr",
	  MEMBER(read_reg_select, KNOWN_READ_REG_SELECT),
	  VMS(READ_REG_SELECT), .format = REG_DEC, KVM(read_reg_select), .manual = "8259A, OCW3" },
	{ .name = "poll", .text = "poll command waits", MEMBER(poll, KNOWN_POLL), VMS(POLL),
	  .format = REG_DEC,
	  KVM(poll), .manual = "8259A, poll command" },
	{ .name = "special_mask", .text = "special mask mode", MEMBER(special_mask, KNOWN_SPECIAL_MASK),
	  VMS(SPECIAL_MASK), .format = REG_DEC, KVM(special_mask), .manual = "8259A, special mask mode" },
	{ .name = "init_state", .text = "initialisation", MEMBER(init_state, KNOWN_INIT_STATE),
	  VMS(INIT_STATE),
	  REG_FIELDS(init_fields), KVM(init_state), .manual = "8259A, initialization sequence" },
	{ .name = "auto_eoi", .text = "automatic end of interrupt", MEMBER(auto_eoi, KNOWN_AUTO_EOI),
	  VMS(AUTO_EOI), .format = REG_DEC, KVM(auto_eoi), .manual = "8259A, ICW4" },
	{ .name = "rotate_on_auto_eoi", .text = "and rotate", MEMBER(rotate_on_auto_eoi, KNOWN_ROTATE),
	  VMS(ROTATE_ON_AUTO_EOI), .format = REG_DEC, KVM(rotate_on_auto_eoi), .manual = "8259A, OCW2" },
	{ .name = "special_fully_nested_mode", .text = "special fully nested mode",
	  MEMBER(special_fully_nested_mode, KNOWN_SFNM), VMS(SFNM), .format = REG_DEC,
	  KVM(special_fully_nested_mode), .manual = "8259A, ICW4" },
	{ .name = "init4", .text = "ICW4 is expected", MEMBER(init4, KNOWN_INIT4), VMS(INIT4),
	  .format = REG_DEC,
	  KVM(init4), .manual = "8259A, ICW1" },
	{ .name = "single_mode", .text = "no slave: ICW3 is not expected",
	  MEMBER(single_mode, KNOWN_SINGLE_MODE),
	  VMS(SINGLE_MODE), .format = REG_DEC, .manual = "8259A, ICW1" },
	{ .name = "ltim", .text = "all lines level-triggered", MEMBER(ltim, KNOWN_LTIM), .format = REG_DEC,
	  .desc = &pic_vms_desc, .sub = &pic_ltim_vms_desc, .vms = &ltim_fields[0], .manual = "8259A, ICW1" },
	{ .name = "elcr_mask", .text = "lines that ELCR can change", MEMBER(elcr_mask, KNOWN_ELCR_MASK),
	  .storage = REG_DERIVED, .from = "the machine: 0xf8 master, 0xde slave", .format = REG_LINE_FLAGS,
	  KVM(elcr_mask), .manual = "PIIX, ELCR" },
};

const struct reg_chip pic_chip = {
	.name = "PIC",
	.line = "IRQ",
	.rows = pic_rows,
	.nrows = REG_ARRAY_SIZE(pic_rows),
	.state_size = sizeof(struct pic_state),
};

_Static_assert(offsetof(struct pic_state, known) == 0, "apic/reg.c finds the known bits there");

int pic_from_tree(const struct vms_node *section, struct pic_state *ret, struct irqs_error *reterr)
{
	struct pic_state s;
	int rc;

	memset(&s, 0, sizeof(s));
	rc = reg_from_tree(&pic_chip, section, &s, reterr);
	if (!rc)
		*ret = s;
	return rc;
}

int pic_to_tree(const struct pic_state *s, struct vms_node *section, struct irqs_error *reterr)
{
	return reg_to_tree(&pic_chip, s, section, reterr);
}

/* 0 is the highest priority; 8 when no line is set. */
static unsigned int best_priority(const struct pic_state *s, uint8_t lines)
{
	unsigned int p = 0;

	while (p < 8 && !(lines >> ((p + s->priority_add) & 7) & 1))
		p++;
	return p;
}

static int pending_of(const struct pic_state *s, uint8_t irr, bool master)
{
	unsigned int want = best_priority(s, irr & (uint8_t)~s->imr);
	uint8_t serving = s->isr;

	if (s->special_mask)
		serving &= (uint8_t)~s->imr;
	if (s->special_fully_nested_mode && master)
		serving &= (uint8_t)~(1 << PIC_CASCADE);
	if (want >= best_priority(s, serving))
		return -1;
	return (int)((want + s->priority_add) & 7);
}

int pic_pending(const struct pic_state *s, bool master)
{
	return pending_of(s, s->irr, master);
}

int pic_pair_pending(const struct pic_state pics[2])
{
	int slave = pic_pending(&pics[PIC_SLAVE], false);
	uint8_t irr = pics[PIC_MASTER].irr;
	int line;

	if (slave >= 0)
		irr |= 1 << PIC_CASCADE;
	line = pending_of(&pics[PIC_MASTER], irr, true);
	if (line != PIC_CASCADE)
		return line;
	/* The slave answers line 7 when it no longer knows why it asked. */
	return 8 + (slave >= 0 ? slave : 7);
}

bool pic_pair_intr(const struct pic_state pics[2])
{
	return pic_pair_pending(pics) >= 0;
}

uint8_t pic_pair_vector(const struct pic_state pics[2], unsigned int irq)
{
	return (uint8_t)(pics[irq / 8 & 1].irq_base + irq % 8);
}

/* The line of @vector, if the chip has it in service, or keeps no record of that. */
static int served_line(const struct pic_state *s, uint8_t vector)
{
	uint8_t line = (uint8_t)(vector - s->irq_base);

	if (line > 7)
		return -1;
	if (s->auto_eoi)
		return s->imr >> line & 1 ? -1 : line;
	return s->isr >> line & 1 ? line : -1;
}

static void reopen(struct pic_state *s, unsigned int line)
{
	s->isr &= (uint8_t)~(1 << line);
	s->irr |= (uint8_t)(1 << line);
}

int pic_pair_unacknowledge(struct pic_state pics[2], uint8_t vector)
{
	int line = served_line(&pics[PIC_MASTER], vector);

	if (line >= 0 && line != PIC_CASCADE) {
		reopen(&pics[PIC_MASTER], (unsigned int)line);
		return line;
	}
	line = served_line(&pics[PIC_SLAVE], vector);
	if (line < 0)
		return -ENOENT;
	reopen(&pics[PIC_SLAVE], (unsigned int)line);
	reopen(&pics[PIC_MASTER], PIC_CASCADE);
	return 8 + line;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The register tables: one row per register, one table per chip. Reading a section, writing one, printing,
 * comparing, checking and documenting a chip all walk the same rows.
 *
 * A state struct starts with its known bits: a register that the source did not carry is not zero, it is
 * unknown. Nothing here allocates; every function may be called from any thread on states of its own.
 */
#ifndef IRQSHIFT_APIC_REG_H
#define IRQSHIFT_APIC_REG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmstate/describe.h"
#include "vmstate/tree.h"

/* The row is no register in the chip's register space: state that the guest cannot address. */
#define REG_NO_OFFSET UINT16_MAX

/* "Now" is not known. */
#define REG_NO_TIME INT64_MIN

/* Words of known bits at the start of every state struct. */
#define REG_KNOWN_WORDS 2

enum reg_storage {
	REG_STORED,    /* the state is the value */
	REG_DERIVED,   /* follows from other state: see from */
	REG_IN_FLIGHT, /* an event on its way: see from */
	REG_ACTION,    /* writing it does something, nothing is kept */
};

/* What of the KVM ABI carries a row: a structure of <linux/kvm.h>, or a register read alone. */
enum reg_abi {
	REG_ABI_NONE,
	REG_ABI_LAPIC,    /* struct kvm_lapic_state */
	REG_ABI_REGS,     /* struct kvm_regs */
	REG_ABI_SREGS,    /* struct kvm_sregs */
	REG_ABI_EVENTS,   /* struct kvm_vcpu_events */
	REG_ABI_MP_STATE, /* struct kvm_mp_state */
	REG_ABI_MSR,      /* a model-specific register; abi_at is its index */
	REG_ABI_TSC_KHZ,  /* KVM_GET_TSC_KHZ, KVM_SET_TSC_KHZ */
	REG_ABI_VCPU_ID,  /* given at KVM_CREATE_VCPU */
	REG_ABI_IOAPIC,   /* struct kvm_ioapic_state */
	REG_ABI_PIC,      /* struct kvm_pic_state */
	REG_ABI_PIT,      /* struct kvm_pit_state2 */
	REG_ABI_CLOCK,    /* struct kvm_clock_data */
};

enum reg_format {
	REG_HEX,
	REG_DEC,          /* signed when the row is */
	REG_NS,           /* nanoseconds */
	REG_VECTORS,      /* one bit per vector: a place where an interrupt can be */
	REG_VECTOR_FLAGS, /* one bit per vector: a property of the vector */
	REG_LINES,        /* one bit per line: a place where a request can be */
	REG_LINE_FLAGS,   /* one bit per line: a property of the line */
};

/* A bit field of a register. */
struct reg_field {
	const char *name;
	uint8_t lsb, width;
	uint8_t nvalues;
	const char *const *values; /* names by value, NULL for one without a name; or NULL */
};

struct reg_row {
	const char *name;
	const char *text; /* what it is */

	/* The guest's view. */
	uint16_t offset;  /* in the chip's register space, or REG_NO_OFFSET */
	uint16_t stride;  /* from one element of a bank to the next */
	uint8_t width;    /* bytes */
	uint8_t count;    /* elements of a bank; 1 for a single register */
	uint64_t reset;
	uint64_t ro;      /* bits that a write does not change */
	uint64_t rsvd;    /* bits without a meaning */
	uint64_t w1c;     /* bits cleared by writing 1 */
	const struct reg_field *fields; /* by rising lsb; together with rsvd they cover the register */
	uint8_t nfields;
	enum reg_format format;
	const char *guest_read; /* what the guest reads where that differs from the state, or NULL */

	enum reg_storage storage;
	const char *from; /* of what a derived row follows, or what an in-flight row is; or NULL */

	/* Where it is in the state struct. */
	uint16_t at;      /* byte offset of element 0 */
	uint16_t step;    /* bytes from one element to the next */
	uint8_t size;     /* bytes of an element */
	bool is_signed;
	uint8_t bit;      /* known bit of element 0; the others follow */

	/* Its names outside. */
	const char *kvm;              /* in the KVM ABI, or NULL */
	enum reg_abi abi;             /* what carries it there; REG_ABI_NONE: nothing, or it follows from others */
	uint32_t abi_at;              /* byte offset of element 0 in it, or the index of the MSR */
	uint16_t abi_step;            /* bytes from one element to the next */
	uint8_t abi_size;             /* bytes of an element */
	uint8_t abi_shift;            /* it holds the register shifted right by so many bits */
	uint8_t abi_if;               /* 1 + offset of the byte that is 0 when the row's value is -1; or 0 */
	uint8_t abi_any[2];           /* 1 + offsets of bytes that have rows: the value counts when one is set, else it is -1 */
	const struct vms_desc *desc;  /* section of the QEMU stream that carries it, or NULL */
	const struct vms_desc *sub;   /* subsection of desc that holds vms; NULL: desc itself */
	const struct vms_field *in;   /* array of structs that holds vms, element by element; NULL: none */
	const struct vms_field *vms;  /* the field */
	uint8_t vms_base;             /* first element, when the field is an array */
	uint8_t vms_shift;            /* the field holds the register shifted right by so many bits ... */
	uint32_t vms_fill;            /* ... and these are the bits that fell off */
	const char *manual;           /* section of the manual, or file of the interface's definition */
};

struct reg_chip {
	const char *name;
	const char *line; /* what a bit of REG_LINES is called: "IRQ", "pin" */
	const struct reg_row *rows; /* by rising offset, REG_NO_OFFSET last */
	uint16_t nrows;
	size_t state_size;
};

#define REG_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The bit field table of a row. */
#define REG_FIELDS(table) .fields = (table), .nfields = REG_ARRAY_SIZE(table)

/* The names of a field's values. */
#define REG_VALUES(table) .values = (table), .nvalues = REG_ARRAY_SIZE(table)

/* A member of a state struct as the place of a row. */
#define REG_AT(type, member, known) \
	.at = offsetof(type, member), .size = sizeof(((type *)0)->member), .count = 1, .bit = (known)

/* An array member of a state struct as the place of a bank of @n. */
#define REG_ARRAY_AT(type, member, n, known)                                                        \
	.at = offsetof(type, member), .size = sizeof(((type *)0)->member[0]),                       \
	.step = sizeof(((type *)0)->member[0]), .count = (n), .bit = (known)

/* A member of a structure of <linux/kvm.h>, whose header the table includes, as a row's place in the KVM ABI. */
#define REG_KVM(carrier, type, member)                                         \
	.kvm = #type "." #member, .abi = (carrier), .abi_at = offsetof(struct type, member), \
	.abi_size = sizeof(((struct type *)0)->member)

/* A model-specific register as a row's place in the KVM ABI. */
#define REG_MSR(index) .kvm = "MSR " #index, .abi = REG_ABI_MSR, .abi_at = (index), .abi_size = 8

/* reg_mask - the bits of a register of the row's width. */
uint64_t reg_mask(const struct reg_row *row);

/* reg_get/reg_set - element @i of a row in a state; setting makes it known and cuts to the member's size. */
uint64_t reg_get(const struct reg_row *row, const void *state, unsigned int i);
void reg_set(const struct reg_row *row, void *state, unsigned int i, uint64_t value);

/* reg_known/reg_forget - whether the source carried element @i; make it unknown. */
bool reg_known(const struct reg_row *row, const void *state, unsigned int i);
void reg_forget(const struct reg_row *row, void *state, unsigned int i);

/* reg_field_get/reg_field_set - a bit field out of, or replaced in, a register value. */
uint64_t reg_field_get(const struct reg_field *f, uint64_t value);
uint64_t reg_field_set(const struct reg_field *f, uint64_t value, uint64_t field);

/* reg_find - the row at an offset of the register space, or NULL; @ret_i receives the element. */
const struct reg_row *reg_find(const struct reg_chip *chip, uint16_t offset, unsigned int *ret_i);

/* reg_find_name - the row with that name, or NULL. */
const struct reg_row *reg_find_name(const struct reg_chip *chip, const char *name);

/**
 * reg_path - where the QEMU stream keeps element @i of a row, below its section
 *
 * Return: @buf, "" when the stream has no such field.
 */
char *reg_path(const struct reg_row *row, unsigned int i, char *buf, size_t size);

/* reg_state_reset - all rows at their reset value, known where @known says so; the rest of the state zero. */
void reg_state_reset(const struct reg_chip *chip, void *state, bool known);

/**
 * reg_from_tree - read what a section carries of a chip
 * @chip: table
 * @section: any section of the machine; rows of other sections stay as they are
 * @state: receives the values and their known bits; changed on success only
 * @reterr: IRQS_MALFORMED with the path
 *
 * Return: 0; -EBADMSG when the section carries no row of this chip, or a value that the register cannot hold.
 */
int reg_from_tree(const struct reg_chip *chip, const struct vms_node *section, void *state,
		  struct irqs_error *reterr);

/**
 * reg_to_tree - write the known rows into the fields that a section has
 * @chip: table
 * @state: values and known bits
 * @section: a section; fields, arrays and subsections that it lacks are not added
 * @reterr: IRQS_REFUSED with the path
 *
 * Bits of a field that the register has no room for keep their value.
 *
 * Return: 0; -EBADMSG when the section has no field of this chip; -EOPNOTSUPP when a value does not fit its
 * field, and then nothing was written.
 */
int reg_to_tree(const struct reg_chip *chip, const void *state, struct vms_node *section,
		struct irqs_error *reterr);

#endif

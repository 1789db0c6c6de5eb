/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/event.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "kvm_eoi" without the group's name in front. */
#define FIELD_NAME(field) #field,
#define ROW(NAME, point, args)                                              \
	[IRQSHIFT_EVENT_##NAME] = {                                         \
		.tracepoint = #point,                                       \
		.name = &#point[sizeof("kvm_") - 1],                        \
		.nfields = sizeof(struct irq_event_##NAME) / sizeof(__u64), \
		.fields = { args },                                         \
	},

const struct irq_event_row irq_event_rows[IRQSHIFT_EVENT_TYPES] = { IRQSHIFT_EVENTS(ROW, FIELD_NAME) };

#define NO_FIELD(field)
#define FITS(NAME, point, args) \
	_Static_assert(sizeof(struct irq_event_##NAME) <= sizeof(__u64[IRQSHIFT_EVENT_ARGS]), "more than arg[] holds");
IRQSHIFT_EVENTS(FITS, NO_FIELD)
_Static_assert(IRQSHIFT_EVENT_TYPES < 64, "the types are bits of a u64");

static bool is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && !memcmp(word, text, len);
}

int irq_event_find(const char *tracepoint, size_t len)
{
	for (int i = 0; i < IRQSHIFT_EVENT_TYPES; i++)
		if (is_word(irq_event_rows[i].tracepoint, tracepoint, len))
			return i;
	return -1;
}

int irq_event_arg(unsigned int type, const char *field, size_t len)
{
	for (unsigned int i = 0; type < IRQSHIFT_EVENT_TYPES && i < irq_event_rows[type].nfields; i++)
		if (is_word(irq_event_rows[type].fields[i], field, len))
			return (int)i;
	return -1;
}

#define MODE_FIXED 0u
#define MODE_LOWEST 1u
#define MODE_STARTUP 6u

bool irq_event_delivered(uint64_t dm)
{
	return (dm >> 8 & 7) == MODE_FIXED || (dm >> 8 & 7) == MODE_LOWEST;
}

const char *irq_delivery_name(unsigned int mode)
{
	static const char *const names[] = { "fixed", "lowest priority", "SMI", "reserved", "NMI", "INIT", "startup", "ExtINT" };

	return names[mode & 7];
}

const char *irq_linux_vector(unsigned int vector)
{
	/* arch/x86/include/asm/irq_vectors.h */
	switch (vector) {
	case 0x20:
		return "IRQ move clean-up";
	case 0xec:
		return "local timer";
	case 0xf3:
		return "hypervisor callback";
	case 0xf6:
		return "irq work";
	case 0xf7:
		return "x86 platform IPI";
	case 0xf8:
		return "reboot";
	case 0xfa:
		return "thermal";
	case 0xfb:
		return "call function";
	case 0xfc:
		return "call one CPU";
	case 0xfd:
		return "reschedule";
	case 0xfe:
		return "error";
	case 0xff:
		return "spurious";
	default:
		return NULL;
	}
}

static const char *trigger(uint64_t level)
{
	return level ? "level" : "edge";
}

/* One function per shape of an event; each gets the event and the buffer. */

static void say_accept(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_APIC_ACCEPT_IRQ *a = irq_event_args(e, APIC_ACCEPT_IRQ);
	unsigned int mode = a->dm >> 8 & 7;
	const char *posted = e->type == IRQSHIFT_EVENT_APICV_ACCEPT_IRQ ? ", posted" : "";

	if (irq_event_delivered(a->dm))
		snprintf(buf, size, "LAPIC %u accepts vector %u, %s, %s%s", (uint32_t)a->apicid, (uint8_t)a->vec,
			 irq_delivery_name(mode), trigger(a->tm), posted);
	else if (mode == MODE_STARTUP)
		snprintf(buf, size, "LAPIC %u accepts startup %u", (uint32_t)a->apicid, (uint8_t)a->vec);
	else
		snprintf(buf, size, "LAPIC %u accepts %s%s", (uint32_t)a->apicid, irq_delivery_name(mode), posted);
}

static void say_eoi(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_EOI *a = irq_event_args(e, EOI);
	const char *how = e->type == IRQSHIFT_EVENT_PV_EOI ? " in memory" : "";

	if ((int64_t)a->vector < 0)
		snprintf(buf, size, "LAPIC %u: EOI%s with nothing in service", (uint32_t)a->apicid, how);
	else
		snprintf(buf, size, "LAPIC %u: EOI%s of vector %u", (uint32_t)a->apicid, how, (uint8_t)a->vector);
}

static void say_line(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_SET_IRQ *a = irq_event_args(e, SET_IRQ);

	if (a->level <= 1)
		snprintf(buf, size, "GSI %u %s", (uint32_t)a->gsi, a->level ? "high" : "low");
	else
		snprintf(buf, size, "GSI %u level %d", (uint32_t)a->gsi, (int)a->level);
}

static void say_pic(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_PIC_SET_IRQ *a = irq_event_args(e, PIC_SET_IRQ);
	unsigned int pin = a->pin & 7;

	snprintf(buf, size, "PIC %s IRQ %u: %s%s%s", a->chip ? "slave" : "master", pin + (a->chip ? 8 : 0),
		 trigger(a->elcr >> pin & 1), a->imr >> pin & 1 ? ", masked" : "", a->coalesced ? ", coalesced" : "");
}

/* A redirection entry and a message's data have these bits alike. */
static void say_entry(const char *what, uint64_t e, bool logical, uint32_t dest, const char *more, char *buf, size_t size)
{
	snprintf(buf, size, "%s: vector %u, %s, %s, to %s %u%s", what, (uint8_t)e, irq_delivery_name(e >> 8 & 7),
		 trigger(e >> 15 & 1), logical ? "logical" : "physical", dest, more);
}

static void say_ioapic(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_IOAPIC_SET_IRQ *a = irq_event_args(e, IOAPIC_SET_IRQ);
	char what[32], more[32];

	snprintf(what, sizeof(what), "IOAPIC pin %d", (int)a->pin);
	snprintf(more, sizeof(more), "%s%s", a->e >> 16 & 1 ? ", masked" : "", a->coalesced ? ", coalesced" : "");
	say_entry(what, a->e, a->e >> 11 & 1, (uint32_t)(a->e >> 56), more, buf, size);
}

static void say_delayed(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_IOAPIC_DELAYED_EOI *a = irq_event_args(e, IOAPIC_DELAYED_EOI);

	say_entry("IOAPIC holds a line that does not go down", a->e, a->e >> 11 & 1, (uint32_t)(a->e >> 56), "", buf, size);
}

static void say_msi(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_MSI_SET_IRQ *a = irq_event_args(e, MSI_SET_IRQ);
	uint32_t dest = (uint8_t)(a->address >> 12) | ((uint32_t)(a->address >> 32) & 0xffffff00);

	say_entry("message", a->data, a->address >> 2 & 1, dest, "", buf, size);
}

static void say_ipi(const struct irqshift_event *e, char *buf, size_t size)
{
	static const char *const to[] = { NULL, "to itself", "to all", "to all others" };
	const struct irq_event_APIC_IPI *a = irq_event_args(e, APIC_IPI);
	unsigned int shorthand = a->icr_low >> 18 & 3, mode = a->icr_low >> 8 & 7;
	char dest[32], named[48];

	snprintf(dest, sizeof(dest), "to %s %u", a->icr_low >> 11 & 1 ? "logical" : "physical", (uint32_t)a->dest_id);
	if (irq_event_delivered(a->icr_low))
		snprintf(named, sizeof(named), "vector %u, %s", (uint8_t)a->icr_low, irq_delivery_name(mode));
	else
		snprintf(named, sizeof(named), "%s", irq_delivery_name(mode));
	snprintf(buf, size, "IPI: %s, %s, %s, %s", named, trigger(a->icr_low >> 15 & 1),
		 a->icr_low >> 14 & 1 ? "assert" : "de-assert", to[shorthand] ? to[shorthand] : dest);
}

static void say_inject(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_INJ_VIRQ *a = irq_event_args(e, INJ_VIRQ);

	snprintf(buf, size, "CPU takes vector %u%s%s", (uint8_t)a->vector, a->reinjected ? ", once more" : "",
		 a->soft ? ", by an INT instruction" : "");
}

static void say_ack(const struct irqshift_event *e, char *buf, size_t size)
{
	static const char *const chips[] = { "PIC master", "PIC slave", "IOAPIC" };
	const struct irq_event_ACK_IRQ *a = irq_event_args(e, ACK_IRQ);

	snprintf(buf, size, "%s pin %u: EOI has reached it", a->irqchip < 3 ? chips[a->irqchip] : "unknown chip",
		 (uint32_t)a->pin);
}

static void say_wait(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_WAIT_LAPIC_EXPIRE *a = irq_event_args(e, WAIT_LAPIC_EXPIRE);
	int64_t delta = (int64_t)a->delta;

	snprintf(buf, size, "vCPU %u enters %" PRIu64 " TSC cycles %s its timer", (uint32_t)a->vcpu_id,
		 delta < 0 ? -(uint64_t)delta : (uint64_t)delta, delta < 0 ? "before" : "after");
}

static void say_hv_timer(const struct irqshift_event *e, char *buf, size_t size)
{
	const struct irq_event_HV_TIMER_STATE *a = irq_event_args(e, HV_TIMER_STATE);

	snprintf(buf, size, "vCPU %u: timer in %s", (uint32_t)a->vcpu_id, a->hv_timer_in_use ? "the processor" : "software");
}

void irq_event_text(const struct irqshift_event *e, char *buf, size_t size)
{
	static void (*const says[IRQSHIFT_EVENT_TYPES])(const struct irqshift_event *, char *, size_t) = {
		[IRQSHIFT_EVENT_SET_IRQ] = say_line,
		[IRQSHIFT_EVENT_PIC_SET_IRQ] = say_pic,
		[IRQSHIFT_EVENT_IOAPIC_SET_IRQ] = say_ioapic,
		[IRQSHIFT_EVENT_IOAPIC_DELAYED_EOI] = say_delayed,
		[IRQSHIFT_EVENT_MSI_SET_IRQ] = say_msi,
		[IRQSHIFT_EVENT_APIC_IPI] = say_ipi,
		[IRQSHIFT_EVENT_APIC_ACCEPT_IRQ] = say_accept,
		[IRQSHIFT_EVENT_APICV_ACCEPT_IRQ] = say_accept,
		[IRQSHIFT_EVENT_INJ_VIRQ] = say_inject,
		[IRQSHIFT_EVENT_EOI] = say_eoi,
		[IRQSHIFT_EVENT_PV_EOI] = say_eoi,
		[IRQSHIFT_EVENT_ACK_IRQ] = say_ack,
		[IRQSHIFT_EVENT_WAIT_LAPIC_EXPIRE] = say_wait,
		[IRQSHIFT_EVENT_HV_TIMER_STATE] = say_hv_timer,
	};

	if (e->type < IRQSHIFT_EVENT_TYPES && says[e->type])
		says[e->type](e, buf, size);
	else
		snprintf(buf, size, "event %u", e->type);
}

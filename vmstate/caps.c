/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/caps.h"

#include <errno.h>
#include <string.h>

const struct caps_row caps_rows[] = {
	{ "native-format", CAPS_NATIVE_FORMAT, "reads and writes the native format" },
	{ "json-format", CAPS_JSON_FORMAT, "reads and writes the tree as JSON" },
	{ "vmdescription", CAPS_VMDESCRIPTION, "a stream says what is in it" },
	{ "section-footers", CAPS_SECTION_FOOTERS, "a section says where it ends" },
	{ "configuration-section", CAPS_CONFIGURATION, "a stream names its machine type" },
	{ "mapped-ram", CAPS_MAPPED_RAM, "RAM at fixed offsets of a file" },
	{ "multifd", CAPS_MULTIFD, "RAM through several channels" },
	{ "xbzrle", CAPS_XBZRLE, "pages as differences" },
	{ "postcopy-ram", CAPS_POSTCOPY_RAM, "RAM behind the switch-over" },
	{ "compress", CAPS_COMPRESS, "compressed pages" },
	{ "ignore-shared", CAPS_IGNORE_SHARED, "shared RAM is not sent" },
	{ "switchover-ack", CAPS_SWITCHOVER_ACK, "the destination agrees to the switch-over" },
	{ "kvm", CAPS_KVM, "KVM runs the CPU" },
	{ "tcg", CAPS_TCG, "QEMU's emulation runs the CPU" },
	{ "irqchip-kernel", CAPS_IRQCHIP_KERNEL, "all interrupt controllers in the kernel" },
	{ "irqchip-split", CAPS_IRQCHIP_SPLIT, "LAPIC in the kernel, the rest in user space" },
	{ "irqchip-off", CAPS_IRQCHIP_OFF, "KVM runs the CPU, all controllers in user space" },
	{ "pit2", CAPS_PIT2, "a PIT in the kernel" },
	{ "pit-state2", CAPS_PIT_STATE2, "the kernel's PIT knows the HPET's legacy mode" },
	{ "reinject-control", CAPS_REINJECT_CONTROL, "lost PIT ticks can be left lost" },
	{ "x2apic-api", CAPS_X2APIC_API, "APIC ids of 32 bits in the kernel's LAPIC state" },
	{ "apic-bus-cycles", CAPS_APIC_BUS_CYCLES, "the frequency of the kernel's APIC timer can be set" },
	{ "vcpu-events", CAPS_VCPU_EVENTS, "events on their way into a vCPU can be read and set" },
	{ "mp-state", CAPS_MP_STATE, "halted and waiting vCPUs can be read and set" },
	{ "adjust-clock", CAPS_ADJUST_CLOCK, "kvmclock can be read and set" },
	{ "irq-routing", CAPS_IRQ_ROUTING, "GSIs can be routed" },
	{ "signal-msi", CAPS_SIGNAL_MSI, "a message can be sent to the LAPICs" },
	{ "kvm-x2apic", CAPS_KVM_X2APIC, "a guest under KVM may be in x2APIC mode" },
	{ "kvm-tsc-deadline", CAPS_KVM_TSC_DEADLINE, "a guest under KVM may use the TSC deadline" },
	{ "kvm-invariant-tsc", CAPS_KVM_INVARIANT_TSC, "the host's TSC runs at one rate" },
	{ "kvm-tsc-scaling", CAPS_KVM_TSC_SCALING, "a guest keeps its TSC frequency on a host with another" },
	{ "kvmclock", CAPS_KVM_CLOCK, "a guest may use kvmclock" },
	{ "kvm-pv-eoi", CAPS_KVM_PV_EOI, "a guest may use paravirtual EOI" },
	{ "kvm-steal-time", CAPS_KVM_STEAL_TIME, "a guest may ask for stolen time" },
	{ "kvm-async-pf", CAPS_KVM_ASYNC_PF, "a guest may use asynchronous page faults" },
	{ "kvm-hyperv-synic", CAPS_KVM_HYPERV_SYNIC, "a guest may use Hyper-V's synthetic interrupts" },
	{ "kvm-xen", CAPS_KVM_XEN, "a guest may run on KVM's Xen emulation" },
	{ "kvm-nested-state", CAPS_KVM_NESTED_STATE, "a guest's own guests can be read and set" },
	{ "kvm-triple-fault", CAPS_KVM_TRIPLE_FAULT, "a pending triple fault can be read and set" },
	{ "kvm-exception-payload", CAPS_KVM_EXCEPTION_PAYLOAD,
	  "a pending exception keeps what belongs to it" },
	{ "kvm-smm", CAPS_KVM_SMM, "a guest may be in system management mode" },
	{ "tcg-x2apic", CAPS_TCG_X2APIC, "a guest under TCG may be in x2APIC mode" },
	{ "tcg-tsc-deadline", CAPS_TCG_TSC_DEADLINE, "a guest under TCG may use the TSC deadline" },
	{ "pic-ltim", CAPS_PIC_LTIM, "the emulated PIC knows level-triggered mode (subsection i8259/ltim)" },
	{ 0 },
};

/* QEMU's names of migration capabilities that change what is in a stream. */
static const struct {
	const char *name;
	enum caps_bit bit;
} migration_bits[] = {
	{ "mapped-ram", CAPS_MAPPED_RAM },
	{ "multifd", CAPS_MULTIFD },
	{ "xbzrle", CAPS_XBZRLE },
	{ "postcopy-ram", CAPS_POSTCOPY_RAM },
	{ "compress", CAPS_COMPRESS },
	{ "x-ignore-shared", CAPS_IGNORE_SHARED },
	{ "switchover-ack", CAPS_SWITCHOVER_ACK },
};

/* What takes a QEMU and a kernel, and what the kernel alone decides. */
#define BOTH_FIRST CAPS_KVM
#define KERNEL_FIRST CAPS_PIT2
#define KERNEL_LAST CAPS_KVM_SMM

static uint64_t bits_between(unsigned int first, unsigned int last)
{
	uint64_t mask = 0;

	for (unsigned int bit = first; bit <= last; bit++)
		mask |= CAPS_MASK(bit);
	return mask;
}

void caps_init(struct caps *c)
{
	*c = (struct caps){ .source = "", .version = "" };
	arena_init(&c->arena);
}

void caps_deinit(struct caps *c)
{
	arena_deinit(&c->arena);
	caps_init(c);
}

void caps_set(struct caps *c, enum caps_bit bit)
{
	c->word |= CAPS_MASK(bit);
}

bool caps_has(const struct caps *c, enum caps_bit bit)
{
	return c->word & CAPS_MASK(bit);
}

const struct caps_row *caps_find_name(const char *name)
{
	for (const struct caps_row *r = caps_rows; r->name; r++)
		if (!strcmp(r->name, name))
			return r;
	return NULL;
}

const struct caps_row *caps_find_bit(unsigned int bit)
{
	for (const struct caps_row *r = caps_rows; r->name; r++)
		if ((unsigned int)r->bit == bit)
			return r;
	return NULL;
}

const char *caps_string(struct caps *c, const char *text)
{
	return arena_strndup(&c->arena, text, strlen(text));
}

int caps_list_add(struct caps *c, struct caps_list *list, const char *name)
{
	const char *copy = caps_string(c, name);

	if (list->count == list->capacity) {
		size_t n = list->capacity ? list->capacity * 2 : 32;
		const char **more = arena_alloc(&c->arena, n * sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (list->count)
			memcpy(more, list->names, list->count * sizeof(*more));
		list->names = more;
		list->capacity = n;
	}
	if (!copy)
		return -ENOMEM;
	list->names[list->count++] = copy;
	return 0;
}

int caps_set_migration(struct caps *c, const char *name)
{
	for (size_t i = 0; i < sizeof(migration_bits) / sizeof(migration_bits[0]); i++)
		if (!strcmp(name, migration_bits[i].name))
			caps_set(c, migration_bits[i].bit);
	return caps_list_add(c, &c->migration, name);
}

static bool list_has(const struct caps_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->names[i], name))
			return true;
	return false;
}

static int intersect(struct caps *c, const struct caps_list *a, const struct caps_list *b,
		     struct caps_list *ret)
{
	int rc = 0;

	for (size_t i = 0; i < a->count && !rc; i++)
		if (list_has(b, a->names[i]))
			rc = caps_list_add(c, ret, a->names[i]);
	return rc;
}

static bool is_older(const struct caps *a, const struct caps *b)
{
	return a->qemu_major < b->qemu_major ||
	       (a->qemu_major == b->qemu_major && a->qemu_minor < b->qemu_minor);
}

int caps_common(const struct caps *a, const struct caps *b, struct caps *ret, struct irqs_error *reterr)
{
	const struct caps *older = is_older(a, b) ? a : b;

	caps_init(ret);
	ret->word = a->word & b->word;
	ret->source = "common";
	if (a->qemu_major && b->qemu_major) {
		ret->qemu_major = older->qemu_major;
		ret->qemu_minor = older->qemu_minor;
	}
	ret->tsc_khz = a->tsc_khz == b->tsc_khz ? a->tsc_khz : 0;
	if (!intersect(ret, &a->machines, &b->machines, &ret->machines) &&
	    !intersect(ret, &a->migration, &b->migration, &ret->migration))
		return 0;
	caps_deinit(ret);
	return irqs_fail_nomem(reterr);
}

static int copy_list(struct caps *c, const struct caps_list *from, struct caps_list *ret)
{
	int rc = 0;

	for (size_t i = 0; i < from->count && !rc; i++)
		rc = caps_list_add(c, ret, from->names[i]);
	return rc;
}

int caps_combine(const struct caps *qemu, const struct caps *host, struct caps *ret,
		 struct irqs_error *reterr)
{
	uint64_t kernel = bits_between(KERNEL_FIRST, KERNEL_LAST);
	uint64_t both = bits_between(BOTH_FIRST, KERNEL_FIRST - 1) & ~CAPS_MASK(CAPS_TCG);

	caps_init(ret);
	ret->word = (qemu->word & ~kernel & ~both) | (qemu->word & host->word & both);
	if (caps_has(ret, CAPS_KVM))
		ret->word |= host->word & kernel;
	ret->source = "qemu on host";
	ret->qemu_major = qemu->qemu_major;
	ret->qemu_minor = qemu->qemu_minor;
	ret->tsc_khz = host->tsc_khz ? host->tsc_khz : qemu->tsc_khz;
	ret->version = caps_string(ret, qemu->version);
	if (ret->version && !copy_list(ret, &qemu->machines, &ret->machines) &&
	    !copy_list(ret, &qemu->migration, &ret->migration))
		return 0;
	caps_deinit(ret);
	return irqs_fail_nomem(reterr);
}

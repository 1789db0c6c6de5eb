// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kvm_host.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/preempt.h>
#include <linux/trace_events.h>
#include <linux/tracepoint.h>
#include <linux/uaccess.h>

#include "events.h"
#include "module.h"
#include "subscription.h"

struct kvm_lapic;

/*
 * What KVM gives the tracepoint of each row: TP_PROTO of arch/x86/kvm/trace.h and include/trace/events/kvm.h, the same from
 * 6.0 to 6.18. The names are those of the fields, and VALUE() makes of a parameter what the tracepoint makes of it.
 */
#define PARAMETERS_kvm_set_irq unsigned int gsi, int level, int irq_source_id
#define PARAMETERS_kvm_pic_set_irq u8 chip, u8 pin, u8 elcr, u8 imr, bool coalesced
#define PARAMETERS_kvm_ioapic_set_irq u64 e, int pin, bool coalesced
#define PARAMETERS_kvm_ioapic_delayed_eoi_inj u64 e
#define PARAMETERS_kvm_msi_set_irq u64 address, u64 data
#define PARAMETERS_kvm_apic_ipi u32 icr_low, u32 dest_id
#define PARAMETERS_kvm_apic_accept_irq u32 apicid, u16 dm, u16 tm, u8 vec
#define PARAMETERS_kvm_apicv_accept_irq u32 apicid, u16 dm, u16 tm, u8 vec
#define PARAMETERS_kvm_inj_virq unsigned int vector, bool soft, bool reinjected
#define PARAMETERS_kvm_eoi struct kvm_lapic *apicid, int vector
#define PARAMETERS_kvm_pv_eoi struct kvm_lapic *apicid, int vector
#define PARAMETERS_kvm_ack_irq unsigned int irqchip, unsigned int pin
#define PARAMETERS_kvm_wait_lapic_expire unsigned int vcpu_id, s64 delta
#define PARAMETERS_kvm_hv_timer_state unsigned int vcpu_id, unsigned int hv_timer_in_use

/*
 * The tracepoint shows the id of the vCPU that the LAPIC is of. struct kvm_lapic is KVM's own, but an EOI is the doing of
 * the vCPU that the task has loaded, and a loaded vCPU has its preempt notifier on the task. That the notifier is a vCPU's
 * shows in its pointing to this very LAPIC; reading that must not fault if it is somebody else's.
 */
static u64 of_lapic(struct kvm_lapic *apic)
{
	struct kvm_lapic *own;
	struct kvm_vcpu *vcpu;

	if (!in_task())
		return IRQSHIFT_VCPU_UNKNOWN;
	hlist_for_each_entry(vcpu, &current->preempt_notifiers, preempt_notifier.link)
		if (get_kernel_nofault(own, &vcpu->arch.apic) == 0 && own == apic)
			return vcpu->vcpu_id;
	return IRQSHIFT_VCPU_UNKNOWN;
}

#define VALUE(field) (__same_type(field, struct kvm_lapic *) ? of_lapic((void *)(uintptr_t)(field)) : (u64)(field)),

#define PROBE(name, tracepoint, values)                                         \
	static void probe_##tracepoint(void *unused, PARAMETERS_##tracepoint)   \
	{                                                                       \
		const u64 arg[] = { values };                                   \
                                                                                \
		BUILD_BUG_ON(ARRAY_SIZE(arg) > IRQSHIFT_EVENT_ARGS);            \
		subscription_note(IRQSHIFT_EVENT_##name, arg, ARRAY_SIZE(arg)); \
	}
IRQSHIFT_EVENTS(PROBE, VALUE)

#define FIELD(name) #name,
#define FIELDS(name, tracepoint, fields) static const char *const fields_##tracepoint[] = { fields NULL };
IRQSHIFT_EVENTS(FIELDS, FIELD)

/* One of the rows. The tracepoint is NULL while there is none, or none that fits. */
struct source {
	const char *name;
	const char *const *fields;
	void *probe;
	struct tracepoint *tracepoint;
	bool hooked;
};

#define SOURCE(name, tracepoint, fields) \
	[IRQSHIFT_EVENT_##name] = { #tracepoint, fields_##tracepoint, probe_##tracepoint },
static struct source sources[IRQSHIFT_EVENT_TYPES] = { IRQSHIFT_EVENTS(SOURCE, FIELD) };

static DEFINE_MUTEX(lock); /* of sources and wanted */
static u64 wanted;

static int update(struct source *s)
{
	bool hook = s->tracepoint && (wanted & BIT_ULL(s - sources));
	int ret = 0;

	if (hook == s->hooked)
		return 0;
	if (hook)
		ret = tracepoint_probe_register(s->tracepoint, s->probe, NULL);
	else
		tracepoint_probe_unregister(s->tracepoint, s->probe, NULL);
	s->hooked = hook && !ret;
	return ret;
}

int events_hook(u64 events)
{
	int ret, first = 0;
	struct source *s;

	mutex_lock(&lock);
	wanted = events;
	for (s = sources; s < sources + ARRAY_SIZE(sources); s++) {
		ret = update(s);
		first = first ?: ret;
	}
	mutex_unlock(&lock);
	return first;
}

u64 irqshift_events_there(void)
{
	unsigned int i;
	u64 there = 0;

	mutex_lock(&lock);
	for (i = 0; i < ARRAY_SIZE(sources); i++)
		if (sources[i].tracepoint)
			there |= BIT_ULL(i);
	mutex_unlock(&lock);
	return there;
}

static bool has_fields(const struct trace_event_fields *field, const char *const *names)
{
	for (; field->type && *names; field++, names++)
		if (field->type == TRACE_FUNCTION_TYPE || strcmp(field->name, *names) != 0)
			return false;
	return !field->type && !*names;
}

/* A probe is called with what the kernel has, whatever the probe was compiled for: it has to be what the row says. */
static bool fits(const struct source *s, const struct tracepoint *tracepoint, const struct module *module)
{
	const struct trace_event_call *call;
	unsigned int i;

	for (i = 0; i < module->num_trace_events; i++) {
		call = module->trace_events[i];
		if ((call->flags & TRACE_EVENT_FL_TRACEPOINT) && call->tp == tracepoint)
			return call->class->fields_array && has_fields(call->class->fields_array, s->fields);
	}
	return false;
}

static struct source *source_of(const struct tracepoint *tracepoint)
{
	struct source *s;

	for (s = sources; s < sources + ARRAY_SIZE(sources); s++)
		if (strcmp(s->name, tracepoint->name) == 0)
			return s;
	return NULL;
}

static void tracepoint_came(struct tracepoint *tracepoint, const struct module *module)
{
	struct source *s = source_of(tracepoint);
	int ret;

	if (!s || s->tracepoint || !fits(s, tracepoint, module))
		return;
	s->tracepoint = tracepoint;
	ret = update(s);
	if (ret)
		pr_warn("irqshift: %s cannot be hooked: %d\n", s->name, ret);
}

static void tracepoint_goes(const struct tracepoint *tracepoint)
{
	struct source *s = source_of(tracepoint);

	if (!s || s->tracepoint != tracepoint)
		return;
	if (s->hooked)
		tracepoint_probe_unregister(s->tracepoint, s->probe, NULL);
	s->tracepoint = NULL;
	s->hooked = false;
}

/* Called for all modules that there are when it is registered, and again when it is unregistered. */
static int modules_changed(struct notifier_block *block, unsigned long state, void *data)
{
	const struct module *module = ((const struct tp_module *)data)->mod;
	struct tracepoint *tracepoint;
	unsigned int i;

	if (!str_has_prefix(module->name, "kvm"))
		return NOTIFY_OK;
	mutex_lock(&lock);
	for (i = 0; i < module->num_tracepoints; i++) {
		tracepoint = tracepoint_ptr_deref(&module->tracepoints_ptrs[i]);
		if (state == MODULE_STATE_COMING)
			tracepoint_came(tracepoint, module);
		else if (state == MODULE_STATE_GOING)
			tracepoint_goes(tracepoint);
	}
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block modules = { .notifier_call = modules_changed };

int irqshift_events_init(void)
{
	return register_tracepoint_module_notifier(&modules);
}

void irqshift_events_exit(void)
{
	unregister_tracepoint_module_notifier(&modules);
	tracepoint_synchronize_unregister();
}

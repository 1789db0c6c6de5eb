/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filters/domain_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "libvirt-domain"

/* For which targets. */
enum {
	ON_TCG = 1,
	ON_KVM = 2,
	ON_MOVE = 4, /* either, when the other kind of CPU ran it */
};

/*
 * An element that does not fit as it is. Without @set_attr the element goes; without @set_value the attribute goes.
 * The first group is looked for below <domain>, that of the CPU below a cookie as well.
 */
struct rule {
	const char *path;         /* elements below the root, "features/kvm" */
	const char *attr, *value; /* only where this attribute has this value; NULL: any. @value NULL: where it is there */
	const char *set_attr, *set_value;
	unsigned int targets;
	enum report_cost cost;
	const char *why;
};

static const struct rule rules[] = {
	{ "", "type", "kvm", "type", "qemu", ON_TCG, COST_LOSSLESS, "QEMU's own CPU emulation runs it" },
	{ "", "type", "qemu", "type", "kvm", ON_KVM, COST_LOSSLESS, "KVM runs it" },
	{ "features/kvm", NULL, NULL, NULL, NULL, ON_TCG, COST_LOSSLESS, "switches of KVM, which does not run it" },
	{ "features/tcg", NULL, NULL, NULL, NULL, ON_KVM, COST_LOSSLESS,
	  "switches of QEMU's CPU emulation, which does not run it" },
	{ "features/pvspinlock", NULL, NULL, NULL, NULL, ON_TCG, COST_LOSSLESS,
	  "a service of KVM; the entries of the CPUs say what of it the guest uses" },
	{ "features/hyperv", NULL, NULL, NULL, NULL, ON_TCG, COST_APPROXIMATE,
	  "QEMU has Hyper-V's interfaces only with KVM; the entries of the CPUs say what of it the guest uses" },
	{ "features/xen", NULL, NULL, NULL, NULL, ON_TCG, COST_LOSSLESS, "QEMU emulates Xen only with KVM" },
	{ "features/apic", "eoi", NULL, "eoi", NULL, ON_TCG, COST_LOSSLESS,
	  "a service of KVM; the entries of the CPUs say what of it the guest uses" },
	{ "clock/timer", "name", "kvmclock", NULL, NULL, ON_TCG, COST_APPROXIMATE,
	  "only KVM has this clock; the entry of the section kvmclock says how the guest's time goes on" },
	{ "clock/timer", "name", "hypervclock", NULL, NULL, ON_TCG, COST_APPROXIMATE,
	  "only KVM has this clock; the entries of the CPUs say whether the guest uses it" },
	{ "clock/timer", "name", "tsc", NULL, NULL, ON_TCG, COST_APPROXIMATE,
	  "the TSC runs at the rate that QEMU gives it" },
	{ "launchSecurity", NULL, NULL, NULL, NULL, ON_TCG, COST_FATAL,
	  "its memory is encrypted, and only KVM runs such a guest" },
};

static const struct rule cpu_rules[] = {
	{ "cpu", "mode", "host-passthrough", "mode", "maximum", ON_TCG, COST_APPROXIMATE,
	  "there is no host CPU to pass through; what the guest uses of it beyond QEMU's greatest CPU fails" },
	{ "cpu", "check", "full", "check", "none", ON_MOVE, COST_APPROXIMATE,
	  "the other kind of host has not all features of this CPU: libvirt would refuse it, QEMU leaves them out" },
	{ "cpu", "check", "partial", "check", "none", ON_TCG, COST_APPROXIMATE,
	  "libvirt would compare it with the host's CPU, which does not run it" },
	{ "cpu/maxphysaddr", NULL, NULL, NULL, NULL, ON_TCG, COST_APPROXIMATE, "QEMU's CPU has 40 bits of address" },
};

/* The next element with the path's first name, behind @prev among @parent's children. */
static xmlNode *next_child(xmlNode *parent, xmlNode *prev, const char *name, size_t len)
{
	xmlNode *n = prev ? prev->next : parent->children;

	while (n && !domain_is_element(n, name, len))
		n = n->next;
	return n;
}

static char *get_attr(const xmlNode *n, const char *attr)
{
	return (char *)xmlGetNoNsProp(n, (const xmlChar *)attr);
}

/* "domain.clock.timer[kvmclock]", as the report names sections. */
static void name_path(const struct domain_run *r, const char *path, const char *name, const char *attr, char *buf, size_t size)
{
	snprintf(buf, size, "%s%s%s%s%s%s%s%s", r->root, *path ? "." : "", path, name ? "[" : "", name ? name : "",
		 name ? "]" : "", attr ? "." : "", attr ? attr : "");
	for (char *p = buf; *p && *p != '['; p++)
		if (*p == '/')
			*p = '.';
}

static void drop_element(xmlNode *n)
{
	xmlNode *space = n->prev;

	/* with the indentation in front of it */
	if (space && xmlIsBlankNode(space)) {
		xmlUnlinkNode(space);
		xmlFreeNode(space);
	}
	xmlUnlinkNode(n);
	xmlFreeNode(n);
}

static void set_attr(struct domain_run *r, xmlNode *n, const char *attr, const char *value)
{
	if (value && !xmlSetProp(n, (const xmlChar *)attr, (const xmlChar *)value))
		r->failed = true;
	if (!value)
		xmlUnsetProp(n, (const xmlChar *)attr);
}

static void apply(struct domain_run *r, const struct rule *rule, xmlNode *n, const char *value)
{
	enum report_action action = rule->set_value ? REPORT_DERIVED : REPORT_DROPPED;
	bool named = rule->attr && !strcmp(rule->attr, "name");
	char path[160];

	name_path(r, rule->path, named ? rule->value : NULL, rule->set_attr, path, sizeof(path));
	if (rule->cost == COST_FATAL)
		action = REPORT_REFUSED;
	report_add(r->report, NAME, action, rule->cost, path, named ? NULL : value, rule->set_value, "%s", rule->why);
	r->changed = true;
	if (rule->set_attr)
		set_attr(r, n, rule->set_attr, rule->set_value);
	else
		drop_element(n);
}

static void apply_where_it_fits(struct domain_run *r, const struct rule *rule, xmlNode *n)
{
	char *value = rule->attr ? get_attr(n, rule->attr) : NULL;

	if (!rule->attr || (value && (!rule->value || !strcmp(value, rule->value))))
		apply(r, rule, n, value);
	xmlFree(value);
}

/* @rest: what is left of the rule's path. */
static void run_rule(struct domain_run *r, const struct rule *rule, xmlNode *n, const char *rest)
{
	size_t len = strcspn(rest, "/");
	xmlNode *child, *next;

	if (!*rest) {
		apply_where_it_fits(r, rule, n);
		return;
	}
	for (child = next_child(n, NULL, rest, len); child; child = next) {
		next = next_child(n, child, rest, len);
		run_rule(r, rule, child, rest + len + (rest[len] == '/'));
	}
}

static void run_rules(struct domain_run *r, const struct rule *list, size_t count)
{
	unsigned int target = (profile_is_kvm(r->to) ? ON_KVM : ON_TCG) | (r->moves ? ON_MOVE : 0);

	for (size_t i = 0; i < count; i++)
		if (list[i].targets & target)
			run_rule(r, &list[i], xmlDocGetRootElement(r->doc), list[i].path);
}

static xmlNode *find(xmlNode *n, const char *name)
{
	return n ? next_child(n, NULL, name, strlen(name)) : NULL;
}

static bool attr_is(const xmlNode *n, const char *attr, const char *value)
{
	char *v = n ? get_attr(n, attr) : NULL;
	bool is = v && !strcmp(v, value);

	xmlFree(v);
	return is;
}

/* libvirt wants a split irqchip for interrupt remapping, whoever runs the guest. */
static bool remaps_interrupts(xmlNode *domain)
{
	xmlNode *devices = find(domain, "devices");
	xmlNode *iommu = find(devices, "iommu");

	return attr_is(find(iommu, "driver"), "intremap", "on");
}

/* The value of <ioapic driver=...> on the target; NULL: the element says nothing there. */
static const char *ioapic_driver(const struct domain_run *r, xmlNode *domain)
{
	if (r->to->kind == PROFILE_KVM)
		return "kvm";
	if (r->to->kind == PROFILE_KVM_SPLIT || remaps_interrupts(domain))
		return "qemu";
	return NULL;
}

static void add_ioapic(struct domain_run *r, xmlNode *domain, const char *driver)
{
	xmlNode *features = find(domain, "features"), *ioapic;

	if (!features)
		features = xmlNewChild(domain, NULL, (const xmlChar *)"features", NULL);
	ioapic = features ? xmlNewChild(features, NULL, (const xmlChar *)"ioapic", NULL) : NULL;
	if (!ioapic) {
		r->failed = true;
		return;
	}
	set_attr(r, ioapic, "driver", driver);
	r->changed = true;
	report_add(r->report, NAME, REPORT_SYNTHESISED, COST_LOSSLESS, "domain.features.ioapic.driver", NULL, driver,
		   "PIC, IOAPIC and PIT are QEMU's on the target, the LAPICs KVM's");
}

static void place_irqchip(struct domain_run *r)
{
	xmlNode *domain = xmlDocGetRootElement(r->doc), *ioapic = find(find(domain, "features"), "ioapic");
	const char *driver = ioapic_driver(r, domain);
	const char *why = driver ? "where the target has IOAPIC, PIC and PIT" : "says where KVM has the IOAPIC";
	char *old = ioapic ? get_attr(ioapic, "driver") : NULL;

	if (r->to->kind == PROFILE_KVM_OFF) {
		report_add(r->report, NAME, REPORT_REFUSED, COST_FATAL, "domain.features.ioapic", NULL, NULL,
			   "libvirt has no word for KVM with all interrupt controllers in user space");
	} else if (ioapic && !driver) {
		report_add(r->report, NAME, REPORT_DROPPED, COST_LOSSLESS, "domain.features.ioapic.driver", old, NULL, "%s", why);
		drop_element(ioapic);
		r->changed = true;
	} else if (ioapic && (!old || strcmp(old, driver) != 0)) {
		report_add(r->report, NAME, REPORT_DERIVED, COST_LOSSLESS, "domain.features.ioapic.driver", old, driver, "%s",
			   why);
		set_attr(r, ioapic, "driver", driver);
		r->changed = true;
	} else if (!ioapic && driver && r->to->kind == PROFILE_KVM_SPLIT) {
		add_ioapic(r, domain, driver);
	}
	xmlFree(old);
}

/* A program that is KVM and nothing else, as Debian's /usr/bin/kvm is. */
static void choose_emulator(struct domain_run *r)
{
	static const char qemu[] = "/usr/bin/qemu-system-x86_64";
	xmlNode *emulator = find(find(xmlDocGetRootElement(r->doc), "devices"), "emulator");
	char *path = emulator ? (char *)xmlNodeGetContent(emulator) : NULL;
	const char *slash = path ? strrchr(path, '/') : NULL;

	if (slash && !strcmp(slash, "/kvm") && !profile_is_kvm(r->to)) {
		report_add(r->report, NAME, REPORT_DERIVED, COST_LOSSLESS, "domain.devices.emulator", path, qemu,
			   "this program asks for KVM");
		xmlNodeSetContent(emulator, (const xmlChar *)qemu);
		r->changed = true;
	}
	xmlFree(path);
}

static void convert_domain(struct domain_run *r)
{
	const xmlNode *domain = xmlDocGetRootElement(r->doc);

	r->moves = attr_is(domain, "type", "kvm") != profile_is_kvm(r->to);
	if (!attr_is(domain, "type", "kvm") && !attr_is(domain, "type", "qemu"))
		report_add(r->report, NAME, REPORT_REFUSED, COST_FATAL, "domain.type", NULL, NULL,
			   "neither KVM nor QEMU's own emulation ran it");
	run_rules(r, rules, sizeof(rules) / sizeof(rules[0]));
	place_irqchip(r);
	choose_emulator(r);
	run_rules(r, cpu_rules, sizeof(cpu_rules) / sizeof(cpu_rules[0]));
}

static void convert_cookie(struct domain_run *r)
{
	run_rules(r, cpu_rules, sizeof(cpu_rules) / sizeof(cpu_rules[0]));
}

static int convert(struct domain_run *r, char **text, void (*how)(struct domain_run *r), struct irqs_error *reterr)
{
	char *converted = NULL;
	int rc = domain_parse(r, *text, reterr);

	r->changed = false;
	if (!rc) {
		how(r);
		converted = r->changed ? domain_print(r) : NULL;
		if ((r->changed && !converted) || r->failed || !report_ok(r->report))
			rc = irqs_fail_nomem(reterr);
	}
	xmlFreeDoc(r->doc);
	if (!rc && converted) {
		free(*text);
		*text = converted;
	} else {
		free(converted);
	}
	return rc;
}

int domain_convert(struct domain_text *d, const struct profile *to, struct report *report, struct irqs_error *reterr)
{
	struct domain_run r = { .root = "domain", .to = to, .report = report };
	int rc = convert(&r, &d->xml, convert_domain, reterr);

	r.root = "cookie";
	return rc || !d->cookie ? rc : convert(&r, &d->cookie, convert_cookie, reterr);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "filters/profile_caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a host must be able to, in the order in which kinds are tried. */
static const struct {
	enum profile_kind kind;
	uint64_t needs;
} kinds[] = {
	{ PROFILE_KVM, CAPS_MASK(CAPS_KVM) | CAPS_MASK(CAPS_IRQCHIP_KERNEL) },
	{ PROFILE_KVM_SPLIT, CAPS_MASK(CAPS_KVM) | CAPS_MASK(CAPS_IRQCHIP_SPLIT) },
	{ PROFILE_KVM_OFF, CAPS_MASK(CAPS_KVM) | CAPS_MASK(CAPS_IRQCHIP_OFF) },
	{ PROFILE_TCG, CAPS_MASK(CAPS_TCG) },
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t needs_of(enum profile_kind kind)
{
	for (size_t i = 0; i < NKINDS; i++)
		if (kinds[i].kind == kind)
			return kinds[i].needs;
	return UINT64_MAX;
}

static int refuse(const struct caps *c, const struct profile *p, struct irqs_error *reterr)
{
	uint64_t missing = needs_of(p->kind) & ~c->word;
	const struct caps_row *row = caps_rows;
	char name[64];

	while (row->name && !(missing & CAPS_MASK(row->bit)))
		row++;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			 "that host cannot be %s: it lacks %s (%s)",
			 profile_format(p, name, sizeof(name)), row->name ? row->name : "?",
			 row->name ? row->meaning : "?");
}

int profile_from_caps(const struct caps *c, const char *kind, struct profile *ret, struct irqs_error *reterr)
{
	struct profile p = { .kind = PROFILE_TCG };
	int rc = kind ? profile_parse(kind, &p, reterr) : 0;

	if (rc)
		return rc;
	if (!kind) {
		size_t i = 0;

		while (i < NKINDS && (c->word & kinds[i].needs) != kinds[i].needs)
			i++;
		if (i == NKINDS)
			return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
					 "the capabilities do not say what kind of host it is: name one");
		p.kind = kinds[i].kind;
	} else if (c->word && (c->word & needs_of(p.kind)) != needs_of(p.kind)) {
		return refuse(c, &p, reterr);
	}
	/* What was written behind the kind is a wish of the user, and wins. */
	if (!p.qemu_major) {
		p.qemu_major = c->qemu_major;
		p.qemu_minor = c->qemu_minor;
	}
	p.stated = c->word != 0;
	p.tsc_khz = c->tsc_khz;
	p.x2apic = profile_caps_x2apic(c, p.kind);
	p.tsc_deadline = profile_caps_tsc_deadline(c, p.kind);
	*ret = p;
	return 0;
}

bool profile_caps_x2apic(const struct caps *c, enum profile_kind kind)
{
	if (kind == PROFILE_TCG)
		return caps_has(c, CAPS_TCG_X2APIC);
	return kind != PROFILE_KVM_OFF && caps_has(c, CAPS_KVM_X2APIC);
}

bool profile_caps_tsc_deadline(const struct caps *c, enum profile_kind kind)
{
	if (kind == PROFILE_TCG)
		return caps_has(c, CAPS_TCG_TSC_DEADLINE);
	return kind != PROFILE_KVM_OFF && caps_has(c, CAPS_KVM_TSC_DEADLINE);
}

int profile_to_caps(const struct profile *p, struct caps *ret, struct irqs_error *reterr)
{
	static const enum caps_bit streams[] = { CAPS_VMDESCRIPTION, CAPS_SECTION_FOOTERS,
						 CAPS_CONFIGURATION };
	bool kvm = profile_is_kvm(p);
	char source[80], name[64];

	caps_init(ret);
	snprintf(source, sizeof(source), "profile %s", profile_format(p, name, sizeof(name)));
	ret->source = caps_string(ret, source);
	if (!ret->source) {
		caps_deinit(ret);
		return irqs_fail_nomem(reterr);
	}
	ret->qemu_major = p->qemu_major;
	ret->qemu_minor = p->qemu_minor;
	ret->word = needs_of(p->kind);
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		caps_set(ret, streams[i]);
	if (profile_has_x2apic(p))
		caps_set(ret, kvm ? CAPS_KVM_X2APIC : CAPS_TCG_X2APIC);
	if (profile_has_tsc_deadline(p))
		caps_set(ret, kvm ? CAPS_KVM_TSC_DEADLINE : CAPS_TCG_TSC_DEADLINE);
	if (kvm)
		caps_set(ret, CAPS_KVM_CLOCK);
	return 0;
}

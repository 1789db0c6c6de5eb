/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of host, their names and what each can hold. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apic/registry.h"
#include "filters/profile.h"

/* The oldest QEMU that irqshift was tried with. */
#define OLDEST_MAJOR 7
#define OLDEST_MINOR 2

/* The first QEMU whose emulated LAPIC has x2APIC mode: commits b2101358e591 and b5ee0468e9d2. */
#define TCG_X2APIC_MAJOR 9

/* QEMU 10.0 says "KVM does not support userspace APIC" for every PC machine. */
#define NO_KVM_OFF_MAJOR 10

static const struct kind {
	const char *name;
	bool kvm, kernel_lapic, kernel_ioapic, tsc_deadline;
} kinds[] = {
	[PROFILE_KVM] = { "kvm", true, true, true, true },
	[PROFILE_KVM_SPLIT] = { "kvm-split", true, true, false, true },
	[PROFILE_KVM_OFF] = { "kvm-off", true, false, false, false },
	[PROFILE_TCG] = { "tcg", false, false, false, false },
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool parse_number(const char **s, unsigned int *ret)
{
	char *end;
	unsigned long v;

	if (!isdigit((unsigned char)**s))
		return false;
	errno = 0;
	v = strtoul(*s, &end, 10);
	if (errno || v > 999)
		return false;
	*s = end;
	*ret = (unsigned int)v;
	return true;
}

/* "MAJOR.MINOR", and a ".MICRO" that changes nothing. */
static bool parse_version(const char *s, struct profile *ret)
{
	unsigned int micro;

	if (!parse_number(&s, &ret->qemu_major) || *s++ != '.' || !parse_number(&s, &ret->qemu_minor))
		return false;
	if (*s == '.') {
		s++;
		if (!parse_number(&s, &micro))
			return false;
	}
	return !*s && ret->qemu_major;
}

int profile_parse(const char *text, struct profile *ret, struct irqs_error *reterr)
{
	static const char suffix[] = "@qemu-";
	size_t len = strcspn(text, "@");
	struct profile p = { 0 };

	for (size_t i = 0; i < NKINDS; i++) {
		if (strlen(kinds[i].name) != len || strncmp(kinds[i].name, text, len) != 0)
			continue;
		p.kind = (enum profile_kind)i;
		if (text[len]) {
			if (strncmp(text + len, suffix, sizeof(suffix) - 1) != 0 ||
			    !parse_version(text + len + sizeof(suffix) - 1, &p))
				return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
						 "profile %s: a version is written @qemu-MAJOR.MINOR", text);
		}
		*ret = p;
		return 0;
	}
	return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
			 "no such profile: %s: there are kvm, kvm-split, kvm-off, tcg, each with "
			 "@qemu-MAJOR.MINOR or without",
			 text);
}

char *profile_format(const struct profile *p, char *buf, size_t size)
{
	if (p->qemu_major)
		snprintf(buf, size, "%s@qemu-%u.%u", kinds[p->kind].name, p->qemu_major, p->qemu_minor);
	else
		snprintf(buf, size, "%s", kinds[p->kind].name);
	return buf;
}

bool profile_is_kvm(const struct profile *p)
{
	return kinds[p->kind].kvm;
}

bool profile_kernel_lapic(const struct profile *p)
{
	return kinds[p->kind].kernel_lapic;
}

bool profile_kernel_ioapic(const struct profile *p)
{
	return kinds[p->kind].kernel_ioapic;
}

bool profile_has_x2apic(const struct profile *p)
{
	if (p->stated)
		return p->x2apic;
	if (p->kind == PROFILE_TCG)
		return profile_at_least(p, TCG_X2APIC_MAJOR, 0);
	return kinds[p->kind].kernel_lapic;
}

bool profile_has_tsc_deadline(const struct profile *p)
{
	if (p->stated)
		return p->tsc_deadline;
	return kinds[p->kind].tsc_deadline;
}

bool profile_exists(const struct profile *p)
{
	return p->kind != PROFILE_KVM_OFF || !profile_at_least(p, NO_KVM_OFF_MAJOR, 0);
}

bool profile_at_least(const struct profile *p, unsigned int major, unsigned int minor)
{
	unsigned int have_major = p->qemu_major ? p->qemu_major : OLDEST_MAJOR;
	unsigned int have_minor = p->qemu_major ? p->qemu_minor : OLDEST_MINOR;

	return have_major > major || (have_major == major && have_minor >= minor);
}

const char *profile_section_type(const struct profile *p, const char *name)
{
	const struct apic_chip *chip = apic_find_chip(name);
	bool kernel;

	if (!chip || !chip->kernel_type || strcmp(chip->name, name) != 0)
		return NULL;
	kernel = strcmp(name, "apic") ? profile_kernel_ioapic(p) : profile_kernel_lapic(p);
	return kernel ? chip->kernel_type : chip->name;
}

int profile_name_sections(struct vms_tree *t, const struct profile *p)
{
	for (struct vms_node *s = vms_first_child(t->machine); s; s = s->next) {
		const char *type = s->kind == VMS_SECTION ? profile_section_type(p, s->name) : NULL;
		int rc;

		if (!type || (s->type && !strcmp(s->type, type)))
			continue;
		rc = vms_set_type(t, s, type);
		if (rc)
			return rc;
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Profiles: what kind of host a stream comes from or goes to, and what that host can hold. */
#ifndef IRQSHIFT_FILTERS_PROFILE_H
#define IRQSHIFT_FILTERS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmstate/tree.h"

/* Where the interrupt controllers live. */
enum profile_kind {
	PROFILE_KVM,       /* all in the kernel (kernel-irqchip=on) */
	PROFILE_KVM_SPLIT, /* LAPIC in the kernel, the rest in user space (kernel-irqchip=split) */
	PROFILE_KVM_OFF,   /* KVM runs the CPU, all controllers in user space (kernel-irqchip=off) */
	PROFILE_TCG,       /* QEMU's emulation */
};

struct profile {
	enum profile_kind kind;
	unsigned int qemu_major, qemu_minor; /* 0, 0: not stated; the oldest QEMU we know (7.2) is assumed */
	/* A host that said what it can (filters/profile_caps.h) is believed over the rules for its kind. */
	bool stated, x2apic, tsc_deadline;
	uint64_t tsc_khz; /* rate of the TSC that a guest has there by default; 0: not stated */
};

/**
 * profile_parse - "kvm", "kvm-split", "kvm-off", "tcg", each optionally "@qemu-MAJOR.MINOR"
 * @text: the name
 * @ret: receives the profile
 * @reterr: IRQS_USAGE, with the names that exist
 *
 * Return: 0 or -EINVAL.
 */
int profile_parse(const char *text, struct profile *ret, struct irqs_error *reterr);

/* profile_format - the name that profile_parse() takes. Return: @buf. */
char *profile_format(const struct profile *p, char *buf, size_t size);

/* Per kind: the one table that everything asks. */
bool profile_is_kvm(const struct profile *p);        /* the CPU runs under KVM */
bool profile_kernel_lapic(const struct profile *p);  /* the LAPIC is in the kernel */
bool profile_kernel_ioapic(const struct profile *p); /* IOAPIC, PIC pair and PIT are in the kernel */
bool profile_has_x2apic(const struct profile *p);    /* a guest may be in x2APIC mode there */
bool profile_has_tsc_deadline(const struct profile *p);
/* profile_exists - whether there is such a host: QEMU 10.0 has no kvm-off any more. */
bool profile_exists(const struct profile *p);
/* profile_at_least - whether its QEMU is MAJOR.MINOR or newer (not stated: 7.2). */
bool profile_at_least(const struct profile *p, unsigned int major, unsigned int minor);

/**
 * profile_detect - which kind of host saved this machine, from the evidence in the tree
 * @machine: as read, sections still with their stream names
 * @ret: receives the profile (QEMU version not stated)
 * @evidence: receives one sentence that says why, for the report
 * @size: bytes in @evidence
 *
 * Return: 0; -EBADMSG when there is no interrupt controller to judge by.
 */
int profile_detect(const struct vms_node *machine, struct profile *ret, char *evidence, size_t size,
		   struct irqs_error *reterr);

/* profile_section_type - the irqshift type of a stream's section ("apic") on that host; NULL: it has none. */
const char *profile_section_type(const struct profile *p, const char *name);

/* profile_name_sections - give apic, ioapic, i8259, i8254 sections the irqshift type of that profile. */
int profile_name_sections(struct vms_tree *t, const struct profile *p);

#endif

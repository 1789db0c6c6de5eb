/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a kind of host can is written as bits, and bits say which kinds a host can be. */
#ifndef IRQSHIFT_FILTERS_PROFILE_CAPS_H
#define IRQSHIFT_FILTERS_PROFILE_CAPS_H

#include <stdbool.h>

#include "base/error.h"
#include "filters/profile.h"
#include "vmstate/caps.h"

/**
 * profile_from_caps - the profile of a host that said what it can
 * @c: its capabilities
 * @kind: name of the kind to be used there ("tcg"), or NULL: the first of kvm, kvm-split, kvm-off, tcg that
 *        it can
 * @ret: receives the profile, with the QEMU version that was stated; changed on success only
 * @reterr: IRQS_REFUSED when the host cannot be that; IRQS_USAGE when @kind is needed, or is none
 *
 * A host that said nothing can be named any kind, of the oldest version: the old protocol.
 *
 * Return: 0, -EOPNOTSUPP, -EINVAL.
 */
int profile_from_caps(const struct caps *c, const char *kind, struct profile *ret, struct irqs_error *reterr);

/**
 * profile_to_caps - what a named profile can by our own rules
 * @p: profile
 * @ret: receives it; release with caps_deinit()
 *
 * Return: 0 or -ENOMEM.
 */
int profile_to_caps(const struct profile *p, struct caps *ret, struct irqs_error *reterr);

/* profile_caps_x2apic/profile_caps_tsc_deadline - whether a guest may use it on a host of that kind. */
bool profile_caps_x2apic(const struct caps *c, enum profile_kind kind);
bool profile_caps_tsc_deadline(const struct caps *c, enum profile_kind kind);

#endif

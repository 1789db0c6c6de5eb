/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The quirks of a model, which say where KVM's chip is not as the manual says: each is to be one of this KVM. */
#ifndef TESTS_KVM_DIFF_QUIRKS_H
#define TESTS_KVM_DIFF_QUIRKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* docs/userspace.md has the same lists. */
struct deviation {
	uint32_t quirk;
	const char *kvm, *manual;
};

/* One sequence on both sides; whether a model with @quirks agrees. @say: print it when it does not. */
typedef bool diff_sequence(uint64_t seed, uint32_t quirks, bool say);

/* diff_quirks - without any one of @tried, a model that has all of @list differs within @most sequences. */
void diff_quirks(const struct deviation *list, size_t n, uint32_t tried, diff_sequence *sequence, unsigned int most);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/diff_quirks.h"

#include <criterion/criterion.h>

#include "tests/kvm/diff_random.h"

void diff_quirks(const struct deviation *list, size_t n, uint32_t tried, diff_sequence *sequence, unsigned int most)
{
	uint64_t seed = diff_seed();
	uint32_t all = 0;

	for (size_t d = 0; d < n; d++)
		all |= list[d].quirk;
	for (size_t d = 0; d < n; d++) {
		unsigned int i = 0;

		if (!(list[d].quirk & tried))
			continue;
		while (i < most && sequence(seed + i, all & ~list[d].quirk, false))
			i++;
		cr_expect(i < most, "KVM does as the manual says (%s), so this is wrong: %s", list[d].manual, list[d].kvm);
	}
}

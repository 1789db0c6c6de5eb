/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rate of this host's TSC: the same however often it is measured, and what the kernel says where it says it. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/tsc.h"

#define TRIES 5

Test(tsc, measurements_agree)
{
	uint64_t known = 0;
	unsigned int n = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		uint64_t khz = tsc_measure_khz();

		if (!khz)
			continue; /* this one was disturbed, and says so */
		cr_expect(khz > 62000 && khz < 100000000, "%" PRIu64 " kHz", khz);
		if (n++)
			cr_expect(llabs((long long)(khz - known)) <= (long long)(known / 250000 + 1), "%" PRIu64 " kHz, then %" PRIu64, known,
				  khz);
		known = khz;
	}
	if (!n)
		cr_skip_test("the TSC of this host does not run evenly, or it has none");
}

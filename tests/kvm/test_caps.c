/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rate of the TSC that KVM says a guest has: that of the host, as it can be measured. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/tsc.h"
#include "kvm/caps.h"
#include "tests/kvm/vm.h"

TestSuite(kvm_caps, .init = vm_have_kvm, .timeout = 60);

Test(kvm_caps, the_rate_of_the_tsc_is_the_host_s)
{
	struct irqs_error err = { .text = "" };
	uint64_t measured = tsc_measure_khz();
	struct caps c;

	cr_assert_eq(kvm_caps_probe(NULL, &c, &err), 0, "%s", err.text);
	cr_assert(caps_has(&c, CAPS_KVM) && c.tsc_khz);
	if (!measured)
		cr_skip_test("the TSC of this host does not run evenly just now");
	/* a kernel may have calibrated its clock a little wrong, and knows no better */
	cr_expect(llabs((long long)(c.tsc_khz - measured)) <= (long long)(measured / 1000), "KVM: %" PRIu64 " kHz, measured: %" PRIu64,
		  c.tsc_khz, measured);
	caps_deinit(&c);
}

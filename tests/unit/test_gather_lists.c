/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A gather by lists and one by single ioctls: the same state, the same order, the same errors. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_kvm.h"
#include "kvm/gather.h"

static struct fake_kvm one, many; /* by single ioctls, by lists */

static struct irqchip_state state_of(unsigned int n)
{
	return (struct irqchip_state){ .lapics = calloc(n, sizeof(struct lapic_state)) };
}

static int gather(struct fake_kvm *f, const struct kvm_gather_options *options, struct irqchip_state *s,
		  struct irqs_error *err)
{
	struct kvm_probe probe = fake_probe(f->port.nvcpus);
	int rc;

	fake_forget(f);
	*err = (struct irqs_error){ .status = IRQS_DONE };
	rc = kvm_gather(&f->port, &probe, options, s, err);
	s->clock.cpu_clock_offset = 0; /* the time of this host */
	return rc;
}

static void expect_same(const struct irqchip_state *a, const struct irqchip_state *b)
{
	cr_expect_eq(a->nlapics, b->nlapics);
	cr_expect_eq(memcmp(a->lapics, b->lapics, a->nlapics * sizeof(a->lapics[0])), 0);
	cr_expect_eq(memcmp(&a->ioapic, &b->ioapic, sizeof(a->ioapic)), 0);
	cr_expect_eq(memcmp(a->pics, b->pics, sizeof(a->pics)), 0);
	cr_expect_eq(memcmp(&a->pit, &b->pit, sizeof(a->pit)), 0);
	cr_expect_eq(memcmp(&a->clock, &b->clock, sizeof(a->clock)), 0);
}

static void compare(unsigned int n, const struct kvm_gather_options *options)
{
	struct irqchip_state a = state_of(n), b = state_of(n);
	struct irqs_error ea, eb;
	int ra = gather(&one, options, &a, &ea), rb = gather(&many, options, &b, &eb);

	cr_expect_eq(ra, rb, "%u vCPUs: %d, by lists %d", n, ra, rb);
	cr_expect_str_eq(ea.text, eb.text);
	expect_same(&a, &b);
	free(a.lapics);
	free(b.lapics);
}

static void open_both(unsigned int n)
{
	fake_open(&one, n, false);
	fake_open(&many, n, true);
}

static void close_both(void)
{
	fake_close(&one);
	fake_close(&many);
}

Test(gather_lists, the_state_is_that_of_single_ioctls)
{
	static const unsigned int counts[] = { 1, 2, 64, 127, 128, 129, 255, 256, 257, 300 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		open_both(counts[i]);
		for (uint64_t seed = 1; seed < 4; seed++) {
			one.seed = many.seed = seed;
			compare(counts[i], NULL);
			cr_expect_gt(many.nlists, 0);
			cr_expect_eq(one.nlists, 0);
		}
		close_both();
	}
}

Test(gather_lists, every_vcpu_is_asked_in_the_one_order_that_loses_nothing)
{
	static const unsigned long order[] = { KVM_GET_MP_STATE, KVM_GET_IRQCHIP, KVM_GET_PIT2, KVM_GET_SREGS, KVM_GET_REGS,
					       KVM_GET_TSC_KHZ, KVM_GET_MSRS, KVM_GET_LAPIC, KVM_GET_MSRS, KVM_GET_CLOCK,
					       KVM_GET_VCPU_EVENTS };
	const unsigned int n = 130;
	struct irqchip_state s = state_of(n);
	struct irqs_error err;

	open_both(n);
	many.lvtt = 2U << 17 | 0x40;
	cr_assert_eq(gather(&many, NULL, &s, &err), 0);
	for (uint32_t vcpu = 0; vcpu < n; vcpu++) {
		size_t step = 0;

		for (size_t i = 0; i < many.ncalls; i++) {
			const struct fake_call *c = &many.calls[i];

			if (c->vcpu != vcpu && c->vcpu != FAKE_VM)
				continue;
			while (step < sizeof(order) / sizeof(order[0]) && order[step] != c->request)
				step++;
			cr_assert_lt(step, sizeof(order) / sizeof(order[0]), "vcpu %u: 0x%lx too late", vcpu, c->request);
			/* the chips are three, all other ioctls are made once */
			step += c->request != KVM_GET_IRQCHIP;
		}
		cr_assert_eq(step, sizeof(order) / sizeof(order[0]));
	}
	free(s.lapics);
	close_both();
}

/* mp_state, registers, deadlines and events for each 128 vCPUs; the chips. The clock is alone. */
Test(gather_lists, a_step_is_one_list_for_128_vcpus)
{
	const unsigned int n = 256;
	struct irqchip_state s = state_of(n);
	struct irqs_error err;
	unsigned int alone = 0;

	open_both(n);
	many.lvtt = 2U << 17 | 0x40;
	cr_assert_eq(gather(&many, NULL, &s, &err), 0);
	cr_expect_eq(many.nlists, 4 * 2 + 1);
	for (size_t i = 0; i < many.ncalls; i++)
		alone += !many.calls[i].list;
	cr_expect_eq(alone, 1);
	free(s.lapics);
	close_both();
}

static void fail_both(struct fake_failure failure)
{
	one.failures[0] = many.failures[0] = failure;
}

Test(gather_lists, what_fails_is_named_as_by_single_ioctls)
{
	static const struct {
		unsigned long request;
		unsigned int count;
		const char *name;
		bool vm;
	} cases[] = {
		{ KVM_GET_MP_STATE, 0, "KVM_GET_MP_STATE", false },
		{ KVM_GET_SREGS, 0, "KVM_GET_SREGS", false },
		{ KVM_GET_REGS, 0, "KVM_GET_REGS", false },
		{ KVM_GET_MSRS, 0, "KVM_GET_MSRS", false },
		{ KVM_GET_MSRS, 1, "KVM_GET_MSRS 0x6e0", false },
		{ KVM_GET_LAPIC, 0, "KVM_GET_LAPIC", false },
		{ KVM_GET_VCPU_EVENTS, 0, "KVM_GET_VCPU_EVENTS", false },
		{ KVM_GET_IRQCHIP, 0, "KVM_GET_IRQCHIP", true },
		{ KVM_GET_PIT2, 0, "KVM_GET_PIT2", true },
		{ KVM_GET_CLOCK, 0, "KVM_GET_CLOCK", true },
	};
	static const uint32_t vcpus[] = { 0, 1, 127, 128, 133 };
	static const int errors[] = { -EPERM, -ESRCH, -EIO };
	const struct kvm_gather_options partial = { .partial = true };
	const unsigned int n = 134;
	struct irqchip_state s = state_of(n);

	open_both(n);
	one.lvtt = many.lvtt = 2U << 17 | 0x40;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		for (size_t v = 0; v < sizeof(vcpus) / sizeof(vcpus[0]); v++) {
			for (size_t e = 0; e < sizeof(errors) / sizeof(errors[0]); e++) {
				struct irqs_error err;
				char name[64];

				fail_both((struct fake_failure){ cases[c].request, cases[c].vm ? FAKE_VM : vcpus[v], cases[c].count, errors[e] });
				compare(n, NULL);
				compare(n, &partial);
				cr_expect_eq(gather(&many, &partial, &s, &err), errors[e] == -ESRCH ? -ESRCH : 0);
				cr_expect_eq(gather(&many, NULL, &s, &err), errors[e]);
				snprintf(name, sizeof(name), "vcpu[%u]: %s: ", vcpus[v], cases[c].name);
				cr_expect_not_null(strstr(err.text, name + (cases[c].vm ? strcspn(name, "K") : 0)), "%s: %s",
						   name, err.text);
			}
		}
	}
	free(s.lapics);
	close_both();
}

/* The second read of the deadlines is a list of its own, behind the registers of all: of two failures the first is named. */
Test(gather_lists, of_two_failures_that_of_the_lower_vcpu_is_named)
{
	open_both(8);
	one.lvtt = many.lvtt = 2U << 17 | 0x40;
	fail_both((struct fake_failure){ KVM_GET_SREGS, 4, 0, -EPERM });
	for (uint32_t vcpu = 0; vcpu < 8; vcpu++) {
		struct irqchip_state s = state_of(8);
		struct irqs_error err;

		one.failures[1] = many.failures[1] = (struct fake_failure){ KVM_GET_MSRS, vcpu, 1, -EIO };
		compare(8, NULL);
		gather(&many, NULL, &s, &err);
		cr_expect_not_null(strstr(err.text, vcpu < 4 ? "KVM_GET_MSRS 0x6e0" : "vcpu[4]: KVM_GET_SREGS"), "%s", err.text);
		free(s.lapics);
	}
	close_both();
}

Test(gather_lists, a_register_that_some_vcpus_lack_is_passed_by_and_the_lapic_comes_behind)
{
	const unsigned int n = 67;

	open_both(n);
	one.lvtt = many.lvtt = 2U << 17 | 0x40;
	for (uint32_t msr = 0x10; msr <= 0x6e0; msr += 0x6e0 - 0x10) {
		one.no_msr = many.no_msr = msr;
		compare(n, NULL);
		for (uint32_t vcpu = 0; vcpu < n; vcpu++) {
			size_t msrs = 0, page = 0;

			for (size_t i = 0; i < many.ncalls; i++) {
				if (many.calls[i].vcpu == vcpu && many.calls[i].request == KVM_GET_LAPIC)
					page = i;
				if (many.calls[i].vcpu == vcpu && many.calls[i].request == KVM_GET_MSRS && many.calls[i].count > 1)
					msrs = i;
			}
			cr_expect_gt(page, msrs, "vcpu %u without 0x%x", vcpu, msr);
		}
	}
	close_both();
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities: the bits that were given, what two sides have in common, and capabilities as a profile. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filters/profile_caps.h"
#include "kvm/caps.h"
#include "stream/caps_json.h"
#include "tests/unit/text_fd.h"

/* A bit keeps its number and its meaning: lines are added here, and none is ever changed. */
static const struct {
	unsigned int bit;
	const char *name;
} given[] = {
	{ 0, "native-format" },
	{ 1, "json-format" },
	{ 2, "vmdescription" },
	{ 3, "section-footers" },
	{ 4, "configuration-section" },
	{ 5, "mapped-ram" },
	{ 6, "multifd" },
	{ 7, "xbzrle" },
	{ 8, "postcopy-ram" },
	{ 9, "compress" },
	{ 10, "ignore-shared" },
	{ 11, "switchover-ack" },
	{ 16, "kvm" },
	{ 17, "tcg" },
	{ 18, "irqchip-kernel" },
	{ 19, "irqchip-split" },
	{ 20, "irqchip-off" },
	{ 21, "pit2" },
	{ 22, "pit-state2" },
	{ 23, "reinject-control" },
	{ 24, "x2apic-api" },
	{ 25, "apic-bus-cycles" },
	{ 26, "vcpu-events" },
	{ 27, "mp-state" },
	{ 28, "adjust-clock" },
	{ 29, "irq-routing" },
	{ 30, "signal-msi" },
	{ 32, "kvm-x2apic" },
	{ 33, "kvm-tsc-deadline" },
	{ 34, "kvm-invariant-tsc" },
	{ 35, "kvm-tsc-scaling" },
	{ 36, "kvmclock" },
	{ 37, "kvm-pv-eoi" },
	{ 38, "kvm-steal-time" },
	{ 39, "kvm-async-pf" },
	{ 40, "kvm-hyperv-synic" },
	{ 41, "kvm-xen" },
	{ 42, "kvm-nested-state" },
	{ 43, "kvm-triple-fault" },
	{ 44, "kvm-exception-payload" },
	{ 45, "kvm-smm" },
	{ 48, "tcg-x2apic" },
	{ 49, "tcg-tsc-deadline" },
	{ 52, "pic-ltim" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

Test(caps, a_bit_keeps_its_number_and_name)
{
	size_t n = 0;

	for (const struct caps_row *r = caps_rows; r->name; r++, n++) {
		cr_assert_lt(n, COUNT(given), "%s is new: give it a line in this test", r->name);
		cr_expect_eq((unsigned int)r->bit, given[n].bit, "%s", r->name);
		cr_expect_str_eq(r->name, given[n].name);
		cr_expect(r->meaning && r->meaning[0]);
	}
	cr_expect_eq(n, COUNT(given));
}

static int load(const char *text, struct caps *ret, struct irqs_error *reterr)
{
	int fd = text_fd(text), rc = caps_load(ret, fd, reterr);

	close(fd);
	return rc;
}

Test(caps, a_side_that_says_nothing_has_the_word_zero)
{
	static const char *const silent[] = { "", "{}", "{\"irqshift-caps\": 1}",
					      "{\"something\": \"else\"}" };
	struct caps a, b, common;

	caps_init(&a);
	a.word = UINT64_MAX;
	for (size_t i = 0; i < COUNT(silent); i++) {
		cr_assert_eq(load(silent[i], &b, NULL), 0, "%s", silent[i]);
		cr_assert_eq(caps_common(&a, &b, &common, NULL), 0);
		cr_expect_eq(common.word, 0, "%s", silent[i]);
		caps_deinit(&common);
		caps_deinit(&b);
	}
	caps_deinit(&a);
}

static void fill(struct caps *c, uint64_t word, unsigned int major, unsigned int minor, const char *machine)
{
	caps_init(c);
	c->word = word;
	c->source = "test";
	c->qemu_major = major;
	c->qemu_minor = minor;
	cr_assert_eq(caps_list_add(c, &c->machines, "pc-i440fx-7.2"), 0);
	cr_assert_eq(caps_list_add(c, &c->machines, machine), 0);
}

Test(caps, common_is_the_intersection_of_everything)
{
	struct caps a, b, common;

	fill(&a, 0x30005, 10, 0, "pc-q35-10.0");
	fill(&b, 0x10006, 7, 2, "pc-q35-7.2");
	cr_assert_eq(caps_common(&a, &b, &common, NULL), 0);
	cr_expect_eq(common.word, 0x10004);
	cr_expect_eq(common.qemu_major, 7);
	cr_expect_eq(common.qemu_minor, 2);
	cr_assert_eq(common.machines.count, 1);
	cr_expect_str_eq(common.machines.names[0], "pc-i440fx-7.2");
	caps_deinit(&common);
	caps_deinit(&a);
	caps_deinit(&b);
}

Test(caps, json_reads_as_it_was_written_with_bits_of_the_future)
{
	struct caps a, b;
	char *text;

	fill(&a, UINT64_C(0x8000000000030005), 10, 1, "pc-q35-10.0");
	cr_assert_eq(caps_set_migration(&a, "mapped-ram"), 0);
	a.tsc_khz = 2299998;
	text = caps_json(&a);
	cr_assert_eq(load(text, &b, NULL), 0);
	cr_expect_eq(b.tsc_khz, 2299998);
	cr_expect_eq(b.word, a.word);
	cr_expect(caps_has(&b, CAPS_MAPPED_RAM));
	cr_expect_eq(b.qemu_major, 10);
	cr_expect_eq(b.qemu_minor, 1);
	cr_expect_eq(b.machines.count, 2);
	cr_expect_str_eq(b.migration.names[0], "mapped-ram");
	free(text);
	caps_deinit(&a);
	caps_deinit(&b);
}

Test(caps, files_that_contradict_themselves_are_refused)
{
	static const char *const bad[] = {
		"[]",
		"{\"irqshift-caps\": 2}",
		"{\"irqshift-caps\": 1, \"word\": 5}",
		"{\"irqshift-caps\": 1, \"word\": \"0x\"}",
		"{\"irqshift-caps\": 1, \"word\": \"-1\"}",
		"{\"irqshift-caps\": 1, \"word\": \"0x1ffffffffffffffff\"}",
		"{\"irqshift-caps\": 1, \"word\": \"0x1\", \"names\": [\"tcg\"]}",
		"{\"irqshift-caps\": 1, \"qemu\": [10]}",
		"{\"irqshift-caps\": 1, \"machines\": [1]}",
		"{\"irqshift-caps\": 1, \"tsc-khz\": 0}",
		"{\"irqshift-caps\": 1, \"tsc-khz\": -1}",
		"{\"irqshift-caps\": 1, \"tsc-khz\": 100000001}",
		"{\"irqshift-caps\": 1, \"tsc-khz\": 2.5}",
		"{\"irqshift-caps\": 1, \"tsc-khz\": \"fast\"}",
	};
	struct caps c;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct irqs_error err = { .status = IRQS_DONE };

		cr_expect_eq(load(bad[i], &c, &err), -EBADMSG, "%s", bad[i]);
		cr_expect_eq(err.status, IRQS_MALFORMED, "%s", bad[i]);
	}
}

Test(caps, the_rate_of_the_tsc_is_common_when_it_is_one)
{
	struct caps a, b, c;
	struct profile p;
	char *text;

	fill(&a, CAPS_MASK(CAPS_TCG), 10, 0, "x");
	fill(&b, CAPS_MASK(CAPS_TCG), 10, 0, "y");
	text = caps_json(&a);
	cr_expect(text && !strstr(text, "tsc-khz"), "not stated: %s", text);
	free(text);
	a.tsc_khz = 2299998;
	cr_assert_eq(caps_common(&a, &b, &c, NULL), 0);
	cr_expect_eq(c.tsc_khz, 0);
	caps_deinit(&c);
	b.tsc_khz = 2299998;
	cr_assert_eq(caps_common(&a, &b, &c, NULL), 0);
	cr_expect_eq(c.tsc_khz, 2299998);
	caps_deinit(&c);
	/* the kernel knows it better than who measured it */
	b.tsc_khz = 2299999;
	cr_assert_eq(caps_combine(&a, &b, &c, NULL), 0);
	cr_expect_eq(c.tsc_khz, 2299999);
	caps_deinit(&c);
	b.tsc_khz = 0;
	cr_assert_eq(caps_combine(&a, &b, &c, NULL), 0);
	cr_expect_eq(c.tsc_khz, 2299998);
	caps_deinit(&c);
	cr_assert_eq(profile_from_caps(&a, NULL, &p, NULL), 0);
	cr_expect_eq(p.tsc_khz, 2299998);
	caps_deinit(&a);
	caps_deinit(&b);
}

Test(caps, a_qemu_on_a_host_has_what_takes_both)
{
	struct caps qemu, host, c;

	fill(&qemu,
	     CAPS_MASK(CAPS_KVM) | CAPS_MASK(CAPS_TCG) | CAPS_MASK(CAPS_IRQCHIP_SPLIT) |
		     CAPS_MASK(CAPS_MULTIFD),
	     10, 0, "x");
	fill(&host,
	     CAPS_MASK(CAPS_KVM) | CAPS_MASK(CAPS_IRQCHIP_OFF) | CAPS_MASK(CAPS_IRQCHIP_SPLIT) |
		     CAPS_MASK(CAPS_X2APIC_API),
	     0, 0, "y");
	cr_assert_eq(caps_combine(&qemu, &host, &c, NULL), 0);
	cr_expect_eq(c.word, qemu.word | CAPS_MASK(CAPS_X2APIC_API));
	caps_deinit(&c);
	host.word = 0;
	cr_assert_eq(caps_combine(&qemu, &host, &c, NULL), 0);
	cr_expect_eq(c.word, CAPS_MASK(CAPS_TCG) | CAPS_MASK(CAPS_MULTIFD));
	caps_deinit(&c);
	caps_deinit(&qemu);
	caps_deinit(&host);
}

/* ---- profiles ---- */

Test(caps, a_profile_becomes_bits_and_a_profile_again)
{
	static const char *const names[] = { "kvm", "kvm-split@qemu-10.0", "kvm-off@qemu-7.2", "tcg@qemu-7.2",
					     "tcg@qemu-9.0" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct profile p, again;
		struct caps c;
		char text[64];

		cr_assert_eq(profile_parse(names[i], &p, NULL), 0);
		cr_assert_eq(profile_to_caps(&p, &c, NULL), 0);
		cr_assert_eq(profile_from_caps(&c, NULL, &again, NULL), 0, "%s", names[i]);
		cr_expect_str_eq(profile_format(&again, text, sizeof(text)), names[i]);
		cr_expect_eq(profile_caps_x2apic(&c, p.kind), profile_has_x2apic(&p), "%s", names[i]);
		cr_expect_eq(profile_caps_tsc_deadline(&c, p.kind), profile_has_tsc_deadline(&p), "%s",
			     names[i]);
		caps_deinit(&c);
	}
}

Test(caps, a_host_is_refused_what_it_cannot_be)
{
	struct irqs_error err = { .text = "" };
	struct profile p;
	struct caps c;

	fill(&c, CAPS_MASK(CAPS_TCG), 10, 0, "x");
	cr_expect_eq(profile_from_caps(&c, "kvm", &p, &err), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "lacks kvm"), "%s", err.text);
	cr_assert_eq(profile_from_caps(&c, "tcg", &p, NULL), 0);
	cr_expect_eq(p.qemu_major, 10);
	cr_assert_eq(profile_from_caps(&c, "tcg@qemu-9.1", &p, NULL), 0);
	cr_expect_eq(p.qemu_minor, 1);
	caps_deinit(&c);
}

Test(caps, a_silent_host_can_be_named_anything_of_the_oldest_version)
{
	struct profile p;
	struct caps c;

	caps_init(&c);
	cr_expect_eq(profile_from_caps(&c, NULL, &p, NULL), -EINVAL);
	cr_assert_eq(profile_from_caps(&c, "tcg", &p, NULL), 0);
	cr_expect_eq(p.qemu_major, 0);
	cr_expect_not(profile_has_x2apic(&p));
}

Test(caps, a_host_without_kvm_answers_with_nothing_of_it)
{
	struct caps c;

	cr_assert_eq(kvm_caps_probe("/dev/no-such-kvm", &c, NULL), 0);
	cr_expect_eq(c.word, 0);
	cr_expect_str_eq(c.source, "host");
	caps_deinit(&c);
}

Test(caps, what_is_no_kvm_is_an_error)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct caps c;

	cr_expect_lt(kvm_caps_probe("/dev/null", &c, &err), 0);
	cr_expect_eq(err.status, IRQS_SYSTEM);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A libvirt domain's XML for another kind of host: what is changed, what is said of it, and what is left alone. */
#include "filters/domain.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result {
	struct domain_text d;
	const char *text; /* of the domain */
	struct report report;
	struct irqs_error err;
	int rc;
};

static struct result convert_both(const char *xml, const char *cookie, const char *to)
{
	struct result r = { .d = { strdup(xml), cookie ? strdup(cookie) : NULL } };
	struct profile p;

	cr_assert_eq(profile_parse(to, &p, NULL), 0);
	report_init(&r.report);
	r.rc = domain_convert(&r.d, &p, &r.report, &r.err);
	r.text = r.d.xml;
	return r;
}

static struct result convert(const char *xml, const char *to)
{
	return convert_both(xml, NULL, to);
}

static void release(struct result *r)
{
	free(r->d.xml);
	free(r->d.cookie);
	report_deinit(&r->report);
}

static const struct report_entry *find_entry(const struct result *r, const char *path)
{
	for (size_t i = 0; i < r->report.count; i++)
		if (!strcmp(r->report.entries[i].path, path))
			return &r->report.entries[i];
	return NULL;
}

static const char guest[] =
	"<domain type='kvm'>\n"
	"  <name>a&amp;b</name>\n"
	"  <features>\n"
	"    <acpi/>\n"
	"    <apic eoi='on'/>\n"
	"    <kvm><hidden state='on'/></kvm>\n"
	"    <hyperv mode='custom'><relaxed state='on'/></hyperv>\n"
	"    <pvspinlock state='on'/>\n"
	"    <ioapic driver='kvm'/>\n"
	"  </features>\n"
	"  <cpu mode='host-passthrough' check='none' migratable='on'><maxphysaddr mode='emulate' bits='48'/></cpu>\n"
	"  <clock offset='utc'>\n"
	"    <timer name='rtc' tickpolicy='catchup'/>\n"
	"    <timer name='kvmclock' present='yes'/>\n"
	"    <timer name='hypervclock' present='yes'/>\n"
	"    <timer name='tsc' frequency='2000000000'/>\n"
	"  </clock>\n"
	"  <devices><emulator>/usr/bin/kvm</emulator></devices>\n"
	"</domain>\n";

Test(domain, all_that_only_kvm_has_goes_for_tcg_and_each_change_is_told)
{
	static const char *const paths[] = {
		"domain.type",
		"domain.features.kvm",
		"domain.features.hyperv",
		"domain.features.pvspinlock",
		"domain.features.apic.eoi",
		"domain.features.ioapic.driver",
		"domain.clock.timer[kvmclock]",
		"domain.clock.timer[hypervclock]",
		"domain.clock.timer[tsc]",
		"domain.cpu.mode",
		"domain.cpu.maxphysaddr",
		"domain.devices.emulator",
	};
	static const char *const gone[] = { "kvm", "hyperv", "pvspinlock", "eoi", "ioapic", "tsc", "passthrough",
					    "maxphysaddr" };
	struct result r = convert(guest, "tcg");

	cr_assert_eq(r.rc, 0, "%s", r.err.text);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		cr_expect(find_entry(&r, paths[i]), "no entry for %s", paths[i]);
	cr_expect_eq(r.report.count, sizeof(paths) / sizeof(paths[0]));
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		cr_expect(!strstr(r.text, gone[i]), "%s is still in\n%s", gone[i], r.text);
	cr_expect(strstr(r.text, "<domain type=\"qemu\">"), "%s", r.text);
	cr_expect(strstr(r.text, "<name>a&amp;b</name>"), "%s", r.text);
	cr_expect(strstr(r.text, "mode=\"maximum\" check=\"none\" migratable=\"on\""), "%s", r.text);
	cr_expect(strstr(r.text, "<timer name=\"rtc\" tickpolicy=\"catchup\"/>"), "%s", r.text);
	cr_expect(strstr(r.text, "<emulator>/usr/bin/qemu-system-x86_64</emulator>"), "%s", r.text);
	cr_expect_eq(report_worst(&r.report), COST_APPROXIMATE);
	release(&r);
}

Test(domain, values_are_told_old_and_new)
{
	struct result r = convert(guest, "tcg");
	const struct report_entry *e = find_entry(&r, "domain.type");

	cr_assert(e);
	cr_expect_str_eq(e->old_value, "kvm");
	cr_expect_str_eq(e->new_value, "qemu");
	cr_expect_eq(e->action, REPORT_DERIVED);
	e = find_entry(&r, "domain.features.ioapic.driver");
	cr_assert(e);
	cr_expect_str_eq(e->old_value, "kvm");
	cr_expect_null(e->new_value);
	cr_expect_eq(e->action, REPORT_DROPPED);
	release(&r);
}

Test(domain, what_fits_already_is_the_same_text)
{
	static const char *const fit[] = {
		"<domain type='qemu'><features><tcg><tb-cache>128</tb-cache></tcg></features></domain>",
		"<domain  type='qemu' >\n <!-- a comment --></domain>",
	};

	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++) {
		struct result r = convert(fit[i], "tcg");

		cr_assert_eq(r.rc, 0, "%s", r.err.text);
		cr_expect_str_eq(r.text, fit[i]);
		cr_expect_eq(r.report.count, 0);
		release(&r);
	}
}

Test(domain, a_second_conversion_changes_nothing)
{
	static const char *const targets[] = { "tcg", "kvm", "kvm-split" };

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct result r = convert(guest, targets[i]), again = convert(r.text, targets[i]);

		cr_assert_eq(again.rc, 0, "%s", again.err.text);
		cr_expect_str_eq(again.text, r.text, "%s", targets[i]);
		cr_expect_eq(again.report.count, 0, "%s: %s", targets[i], again.report.count ? again.report.entries[0].path : "");
		release(&again);
		release(&r);
	}
}

Test(domain, the_irqchip_s_place_follows_the_target)
{
	static const struct {
		const char *xml, *to, *want;
	} cases[] = {
		{ "<domain type='qemu'/>", "kvm", "<domain type=\"kvm\"/>\n" },
		{ "<domain type='qemu'/>", "kvm-split", "<domain type=\"kvm\"><features><ioapic driver=\"qemu\"/></features></domain>\n" },
		{ "<domain type='kvm'><features><ioapic driver='kvm'/></features></domain>", "kvm-split",
		  "<domain type=\"kvm\"><features><ioapic driver=\"qemu\"/></features></domain>\n" },
		{ "<domain type='kvm'><features><ioapic driver='qemu'/></features></domain>", "kvm",
		  "<domain type=\"kvm\"><features><ioapic driver=\"kvm\"/></features></domain>\n" },
		{ "<domain type='kvm'><features><ioapic driver='qemu'/></features></domain>", "tcg",
		  "<domain type=\"qemu\"><features/></domain>\n" },
		/* libvirt demands it for interrupt remapping */
		{ "<domain type='kvm'><features><ioapic driver='qemu'/></features><devices><iommu model='intel'>"
		  "<driver intremap='on'/></iommu></devices></domain>",
		  "tcg",
		  "<domain type=\"qemu\"><features><ioapic driver=\"qemu\"/></features><devices><iommu model=\"intel\">"
		  "<driver intremap=\"on\"/></iommu></devices></domain>\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r = convert(cases[i].xml, cases[i].to);

		cr_assert_eq(r.rc, 0, "%s", r.err.text);
		cr_expect_str_eq(r.text, cases[i].want, "case %zu: %s", i, r.text);
		release(&r);
	}
}

Test(domain, what_the_target_cannot_be_told_is_refused)
{
	struct result off = convert(guest, "kvm-off");
	struct result hvf = convert("<domain type='hvf'/>", "kvm");
	struct result sev = convert("<domain type='kvm'><launchSecurity type='sev'/></domain>", "tcg");
	const struct report_entry *e = find_entry(&off, "domain.features.ioapic");

	cr_assert(e);
	cr_expect(e->action == REPORT_REFUSED && e->cost == COST_FATAL);
	e = find_entry(&sev, "domain.launchSecurity");
	cr_assert(e);
	cr_expect(e->action == REPORT_REFUSED && e->cost == COST_FATAL);
	e = find_entry(&hvf, "domain.type");
	cr_assert(e);
	cr_expect(e->action == REPORT_REFUSED && e->cost == COST_FATAL);
	release(&hvf);
	release(&off);
	release(&sev);
}

Test(domain, a_cpu_that_is_compared_with_the_host_is_not_any_more)
{
	static const char cookie[] = "<cookie>\n  <cpu mode='custom' match='exact' check='full'>\n"
				     "    <model fallback='forbid'>qemu64</model>\n  </cpu>\n  <slirpHelper/>\n</cookie>\n";
	static const char kvm[] = "<domain type='kvm'><cpu check='full'/></domain>";
	static const char tcg[] = "<domain type='qemu'><cpu check='full'/></domain>";
	struct result there = convert_both(kvm, cookie, "tcg"), back = convert_both(tcg, cookie, "kvm-split");
	struct result stays = convert_both(kvm, cookie, "kvm");
	struct result partial = convert("<domain type='qemu'><cpu check='partial'/></domain>", "kvm");

	cr_assert_eq(there.rc, 0, "%s", there.err.text);
	cr_expect(strstr(there.d.cookie, "check=\"none\""), "%s", there.d.cookie);
	cr_expect(find_entry(&there, "cookie.cpu.check"));
	cr_expect(find_entry(&there, "domain.cpu.check"));
	cr_expect(strstr(back.d.cookie, "check=\"none\""), "%s", back.d.cookie);
	cr_expect_str_eq(stays.d.cookie, cookie);
	cr_expect_str_eq(stays.d.xml, kvm);
	cr_expect(strstr(partial.text, "check='partial'") || strstr(partial.text, "check=\"partial\""), "%s", partial.text);
	release(&there);
	release(&back);
	release(&stays);
	release(&partial);
}

Test(domain, tcg_s_own_switches_go_for_kvm)
{
	struct result r = convert("<domain type='qemu'><features><tcg/><acpi/></features></domain>", "kvm");

	cr_expect_str_eq(r.text, "<domain type=\"kvm\"><features><acpi/></features></domain>\n");
	release(&r);
}

/* -- what comes from outside -- */

Test(domain, what_is_no_domain_is_told_by_line)
{
	static const struct {
		const char *xml, *text;
	} cases[] = {
		{ "", "line" },
		{ "<domain>\n<a>\n</domain>", "line 3" },
		{ "<network/>", "another name" },
		{ "<domain type='kvm'", "line 1" },
		{ "<domain/><domain/>", "line 1" },
		{ "<!DOCTYPE d [<!ENTITY a \"aaaa\">]>\n<domain type='&a;'/>", "document type" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct result r = convert(cases[i].xml, "tcg");

		cr_expect_eq(r.rc, -EBADMSG, "case %zu", i);
		cr_expect_str_eq(r.text, cases[i].xml);
		cr_expect(strstr(r.err.text, cases[i].text), "case %zu: %s", i, r.err.text);
		cr_expect_str_eq(r.err.path, "domain");
		release(&r);
	}
}

Test(domain, a_cookie_that_is_no_xml_is_told)
{
	static const char *const cookies[] = { "<!DOCTYPE c><cookie/>", "<cookie", "<domain type='kvm'/>" };

	for (size_t i = 0; i < sizeof(cookies) / sizeof(cookies[0]); i++) {
		struct result r = convert_both(guest, cookies[i], "tcg");

		cr_expect_eq(r.rc, -EBADMSG);
		cr_expect_str_eq(r.err.path, "cookie");
		release(&r);
	}
}

Test(domain, a_text_that_claims_another_encoding_is_read_as_what_it_is)
{
	/* In UTF-7, UTF-16 and the like a document type could hide from the search for one. */
	struct result r = convert("<?xml version='1.0' encoding='UTF-7'?><domain type='kvm'>+ADw-</domain>", "tcg");

	cr_assert_eq(r.rc, 0, "%s", r.err.text);
	cr_expect_str_eq(r.text, "<domain type=\"qemu\">+ADw-</domain>\n");
	release(&r);
}

Test(domain, nesting_without_end_is_refused)
{
	size_t depth = 100000;
	char *xml = malloc(depth * 3 + 32);
	struct result r;

	cr_assert(xml);
	memcpy(xml, "<domain>", 8);
	for (size_t i = 0; i < depth; i++)
		memcpy(xml + 8 + 3 * i, "<a>", 3);
	xml[8 + 3 * depth] = '\0';
	r = convert(xml, "tcg");
	cr_expect_eq(r.rc, -EBADMSG);
	release(&r);
	free(xml);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What real QEMUs say of themselves: capabilities over QMP, schemas by -dump-vmstate. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tsc.h"
#include "stream/qemu_caps.h"
#include "stream/schema_json.h"

/* A command line that scripts/qemu-env prints as NAME='...'; "" where there is no such QEMU. */
static const char *find_qemu(const char *name)
{
	static char line[4096];
	FILE *in = popen("scripts/qemu-env", "r");
	const char *found = "";

	cr_assert(in);
	while (fgets(line, sizeof(line), in)) {
		char *end = strrchr(line, '\'');

		if (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != '=')
			continue;
		if (end > line + strlen(name) + 2) {
			*end = '\0';
			found = line + strlen(name) + 2;
		}
		break;
	}
	pclose(in);
	return found;
}

static void probe(const char *name, struct caps *ret)
{
	struct qemu_run_options opt = { .binary = find_qemu(name) };
	struct irqs_error err = { .text = "" };

	if (!opt.binary[0])
		cr_skip_test("no %s here", name);
	cr_assert_eq(qemu_caps_probe(&opt, ret, &err), 0, "%s", err.text);
}

static bool lists(const struct caps_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->names[i], name))
			return true;
	return false;
}

Test(qemu_caps, qemu_7_2_has_no_x2apic_under_tcg)
{
	struct caps c;

	probe("QEMU_7_2", &c);
	cr_expect_eq(c.qemu_major, 7);
	cr_expect_eq(c.qemu_minor, 2);
	cr_expect(c.tsc_khz > 62000 || !tsc_measure_khz(), "a host whose TSC can be measured");
	cr_expect(caps_has(&c, CAPS_TCG));
	cr_expect_not(caps_has(&c, CAPS_TCG_X2APIC));
	cr_expect_not(caps_has(&c, CAPS_TCG_TSC_DEADLINE));
	cr_expect_not(caps_has(&c, CAPS_MAPPED_RAM));
	cr_expect(caps_has(&c, CAPS_COMPRESS));
	cr_expect(lists(&c.machines, "pc-i440fx-7.2"));
	cr_expect_not(lists(&c.machines, "pc-i440fx-10.0"));
	caps_deinit(&c);
}

Test(qemu_caps, qemu_10_0_has_x2apic_under_tcg)
{
	struct caps c;

	probe("QEMU_10_0", &c);
	cr_expect_eq(c.qemu_major, 10);
	cr_expect(caps_has(&c, CAPS_TCG_X2APIC));
	cr_expect_not(caps_has(&c, CAPS_TCG_TSC_DEADLINE));
	cr_expect(caps_has(&c, CAPS_MAPPED_RAM));
	cr_expect_not(caps_has(&c, CAPS_COMPRESS));
	cr_expect(lists(&c.machines, "pc-i440fx-7.2"));
	cr_expect(lists(&c.migration, "mapped-ram"));
	caps_deinit(&c);
}

Test(qemu_caps, a_schema_comes_out_of_a_qemu_and_agrees_with_itself)
{
	struct qemu_run_options opt = { .binary = find_qemu("QEMU_7_2") };
	struct irqs_error err = { .text = "" };
	struct schema_findings f;
	struct schema s;
	int fd;

	if (!opt.binary[0])
		cr_skip_test("no QEMU_7_2 here");
	fd = qemu_run_dump(&opt, "pc-i440fx-7.2", &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	cr_assert_eq(schema_load(&s, fd, &err), 0, "%s", err.text);
	close(fd);
	cr_expect_str_eq(s.machine, "pc-i440fx-7.2");
	cr_expect(schema_find(&s, "kvm-ioapic"));
	schema_findings_init(&f);
	cr_assert_eq(schema_check(&s, &s, &f), 0);
	cr_expect_eq(f.count, 0);
	schema_findings_deinit(&f);
	schema_deinit(&s);
}

Test(qemu_caps, a_machine_type_that_qemu_does_not_have_is_told_in_its_words)
{
	struct qemu_run_options opt = { .binary = find_qemu("QEMU_7_2") };
	struct irqs_error err = { .text = "" };

	if (!opt.binary[0])
		cr_skip_test("no QEMU_7_2 here");
	cr_expect_lt(qemu_run_dump(&opt, "no-such-machine", &err), 0);
	cr_expect(strstr(err.text, "unsupported machine type") || strstr(err.text, "no-such-machine"), "%s",
		  err.text);
}

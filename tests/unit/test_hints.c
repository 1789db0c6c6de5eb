/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compat hints: the configuration wins, what is missing is the default, the rest is ignored and said. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/hints_json.h"
#include "tests/unit/text_fd.h"
#include "vmstate/hints.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const char hints_text[] =
	"{\"irqshift-hints\": 1, \"devices\": {\"machine\": {\"type\": \"pc-i440fx-7.2\"},"
	"\"ioapic\": {\"version\": \"0x11\"}, \"apic[1]\": {\"x2apic\": \"yes\"}, \"hpet\": {\"state-version\": 2}}}";

static const char config_text[] =
	"{\"devices\": {\"ioapic\": {\"version\": \"0x20\"}, \"apic\": {}, \"apic[1]\": {}, \"machine\": {\"cpus\": 2}}}";

static void load(const char *text, bool config, struct hints *ret)
{
	struct irqs_error err = { .text = "" };
	int fd = text_fd(text), rc = (config ? hints_load_config : hints_load)(ret, fd, &err);

	cr_assert_eq(rc, 0, "%s", err.text);
	close(fd);
}

struct lines {
	char text[4096];
};

static int note(void *ctx, const struct hint *e, enum hint_origin origin)
{
	struct lines *l = ctx;
	size_t used = strlen(l->text);

	snprintf(l->text + used, sizeof(l->text) - used, "%s %s.%s=%s\n", hints_origin_name(origin),
		 e->device, e->key, e->value);
	return 0;
}

Test(hints, each_value_comes_from_where_it_should)
{
	static const char *const wanted[] = {
		"hint machine.type=pc-i440fx-7.2\n",
		"config machine.cpus=2\n",
		"default machine.host-kind=",
		"default stream.footers=yes\n",
		"config ioapic.version=0x20\n",
		"overridden ioapic.version=0x11\n",
		"hint apic[1].x2apic=yes\n",
		"default apic.x2apic=no\n",
		"default apic.state-version=the newest\n",
		"ignored hpet.state-version=2\n",
	};
	struct lines l = { .text = "" };
	struct hints config, h;

	load(config_text, true, &config);
	load(hints_text, false, &h);
	cr_assert_eq(hints_apply(&config, &h, note, &l), 0);
	for (size_t i = 0; i < COUNT(wanted); i++)
		cr_expect(strstr(l.text, wanted[i]), "no %s in\n%s", wanted[i], l.text);
	cr_expect_not(strstr(l.text, "hint ioapic.version"));
	cr_expect_not(strstr(l.text, "hint hpet"));
	hints_deinit(&config);
	hints_deinit(&h);
}

Test(hints, a_value_is_the_configurations_then_a_hint_then_the_default)
{
	enum hint_origin origin;
	struct hints config, h;

	load(config_text, true, &config);
	load(hints_text, false, &h);
	cr_expect_str_eq(hints_value(&config, &h, "ioapic", "version", &origin), "0x20");
	cr_expect_eq(origin, HINT_CONFIG);
	cr_expect_str_eq(hints_value(NULL, &h, "ioapic", "version", &origin), "0x11");
	cr_expect_eq(origin, HINT_HINT);
	cr_expect_str_eq(hints_value(NULL, NULL, "ioapic", "version", &origin), "0x20");
	cr_expect_eq(origin, HINT_DEFAULT);
	cr_expect_str_eq(hints_value(&config, &h, "hpet", "state-version", &origin), "the newest");
	cr_expect_eq(origin, HINT_DEFAULT);
	cr_expect_null(hints_value(&config, &h, "ioapic", "no-such-key", &origin));
	hints_deinit(&config);
	hints_deinit(&h);
}

Test(hints, json_reads_as_it_was_written)
{
	struct hints h, again;
	char *once, *twice;

	load(hints_text, false, &h);
	once = hints_json(&h);
	load(once, false, &again);
	twice = hints_json(&again);
	cr_expect_str_eq(once, twice);
	free(once);
	free(twice);
	hints_deinit(&h);
	hints_deinit(&again);
}

Test(hints, no_file_at_all_is_no_hints)
{
	struct hints h;

	load("", false, &h);
	cr_expect_eq(h.count, 0);
	hints_deinit(&h);
}

Test(hints, what_is_no_hints_is_refused)
{
	static const char *const bad[] = {
		"[]",
		"{}",
		"{\"irqshift-hints\": 2, \"devices\": {}}",
		"{\"irqshift-hints\": 1}",
		"{\"irqshift-hints\": 1, \"devices\": {\"a\": 1}}",
		"{\"irqshift-hints\": 1, \"devices\": {\"a\": {\"k\": []}}}",
	};
	struct hints h;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct irqs_error err = { .status = IRQS_DONE };
		int fd = text_fd(bad[i]);

		cr_expect_eq(hints_load(&h, fd, &err), -EBADMSG, "%s", bad[i]);
		cr_expect_eq(err.status, IRQS_MALFORMED, "%s", bad[i]);
		close(fd);
	}
}

static struct vms_node *add_section(struct vms_tree *t, const char *name, const char *type, uint32_t instance)
{
	struct vms_node *s = vms_node_create(t, VMS_SECTION, name, type);

	cr_assert(s);
	s->instance = instance;
	s->version = 3;
	vms_append(t->machine, s);
	return s;
}

Test(hints, a_machine_gives_away_what_its_configuration_does_not_say)
{
	struct vms_node *apic;
	struct vms_tree t;
	struct hints h;

	cr_assert_eq(vms_tree_init(&t, NULL), 0);
	apic = add_section(&t, "apic", "kvm-apic", 1);
	cr_assert(vms_add_int(&t, apic, "apicbase", "uint32", 0));
	cr_assert(vms_add_int(&t, apic, "id", "uint8", 0));
	cr_assert_eq(vms_set(apic, "apicbase", 0xfee00c00, NULL), 0);
	add_section(&t, "ioapic", "kvm-ioapic", 0);
	hints_init(&h);
	cr_assert_eq(hints_from_machine(&h, t.machine, NULL), 0);
	cr_expect_str_eq(hints_get(&h, "apic[1]", "x2apic"), "yes");
	cr_expect_str_eq(hints_get(&h, "apic", "id-layout"), "other");
	cr_expect_str_eq(hints_get(&h, "apic[1]", "state-version"), "3");
	cr_expect_str_eq(hints_get(&h, "ioapic", "version"), "0x11");
	cr_expect_null(hints_get(&h, "cpu", "tsc-khz"));
	hints_deinit(&h);
	vms_tree_deinit(&t);
}

Test(hints, too_many_are_refused)
{
	struct hints h;
	int rc = 0;

	hints_init(&h);
	for (int i = 0; i <= HINTS_MAX && !rc; i++)
		rc = hints_add(&h, "apic", "key", "value", NULL);
	cr_expect_eq(rc, -EINVAL);
	cr_expect_eq(h.count, HINTS_MAX);
	hints_deinit(&h);
}

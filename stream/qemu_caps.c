/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/qemu_caps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/tsc.h"
#include "stream/qmp.h"

/* What the emulated CPU with everything in it has. */
static const struct {
	const char *property;
	enum caps_bit bit;
} cpu_bits[] = {
	{ "x2apic", CAPS_TCG_X2APIC },
	{ "tsc-deadline", CAPS_TCG_TSC_DEADLINE },
};

static bool at_least(const struct caps *c, unsigned int major, unsigned int minor)
{
	return c->qemu_major > major || (c->qemu_major == major && c->qemu_minor >= minor);
}

static int note_version(struct caps *c, const json_t *version, struct irqs_error *reterr)
{
	json_int_t major = 0, minor = 0, micro = 0;
	const char *package = json_string_value(json_object_get(version, "package"));
	char text[160];

	if (json_unpack((json_t *)version, "{s:{s:I, s:I, s:I}}", "qemu", "major", &major, "minor", &minor,
			"micro", &micro))
		return irqs_fail(reterr, IRQS_MALFORMED, IRQS_NO_OFFSET, NULL,
				 "QEMU does not say its version");
	c->qemu_major = (unsigned int)major;
	c->qemu_minor = (unsigned int)minor;
	snprintf(text, sizeof(text), "%d.%d.%d%s%s%s", (int)major, (int)minor, (int)micro,
		 package && package[0] ? " (" : "", package ? package : "", package && package[0] ? ")" : "");
	c->version = caps_string(c, text);
	if (c->version)
		return 0;
	c->version = "";
	return irqs_fail_nomem(reterr);
}

static int add_names(struct caps *c, struct qmp *q, const char *command, const char *key,
		     struct irqs_error *reterr)
{
	json_t *list = NULL;
	const json_t *item;
	bool machines = !strcmp(key, "name");
	size_t i;
	int rc = qmp_command(q, command, NULL, &list, reterr);

	if (rc)
		return rc;
	json_array_foreach(list, i, item) {
		const char *name = json_string_value(json_object_get(item, key));

		if (name && (machines ? caps_list_add(c, &c->machines, name) : caps_set_migration(c, name))) {
			rc = irqs_fail_nomem(reterr);
			break;
		}
	}
	json_decref(list);
	return rc;
}

static int ask_kvm(struct caps *c, struct qmp *q, struct irqs_error *reterr)
{
	json_t *answer = NULL;
	int rc = qmp_command(q, "query-kvm", NULL, &answer, reterr);

	if (!rc && json_is_true(json_object_get(answer, "present"))) {
		caps_set(c, CAPS_KVM);
		caps_set(c, CAPS_IRQCHIP_KERNEL);
		caps_set(c, CAPS_IRQCHIP_SPLIT);
		/* 7.2 does it, 10.0 says "KVM does not support userspace APIC"; nobody looked between. */
		if (!at_least(c, 10, 0))
			caps_set(c, CAPS_IRQCHIP_OFF);
	}
	json_decref(answer);
	return rc;
}

static int ask_cpu(struct caps *c, struct qmp *q, struct irqs_error *reterr)
{
	json_t *arguments = json_pack("{s:s, s:{s:s}}", "type", "full", "model", "name", "max"),
	       *answer = NULL;
	const json_t *props;
	int rc = qmp_command(q, "query-cpu-model-expansion", arguments, &answer, reterr);

	if (rc)
		return rc;
	props = json_object_get(json_object_get(answer, "model"), "props");
	for (size_t i = 0; i < sizeof(cpu_bits) / sizeof(cpu_bits[0]); i++)
		if (json_is_true(json_object_get(props, cpu_bits[i].property)))
			caps_set(c, cpu_bits[i].bit);
	json_decref(answer);
	return 0;
}

static int ask(struct caps *c, struct qmp *q, bool tcg, struct irqs_error *reterr)
{
	int rc = note_version(c, q->version, reterr);

	if (!rc)
		rc = ask_kvm(c, q, reterr);
	if (!rc)
		rc = add_names(c, q, "query-machines", "name", reterr);
	if (!rc)
		rc = add_names(c, q, "query-migrate-capabilities", "capability", reterr);
	if (!rc && tcg) {
		caps_set(c, CAPS_TCG);
		rc = ask_cpu(c, q, reterr);
	}
	if (rc)
		return rc;
	/* In every machine type of 2.4 and later. */
	if (at_least(c, 2, 4)) {
		caps_set(c, CAPS_VMDESCRIPTION);
		caps_set(c, CAPS_SECTION_FOOTERS);
		caps_set(c, CAPS_CONFIGURATION);
	}
	/* In 10.0, not in 7.2; the releases between were not looked at. */
	if (at_least(c, 10, 0))
		caps_set(c, CAPS_PIC_LTIM);
	return 0;
}

static int probe(const struct qemu_run_options *opt, bool tcg, struct caps *ret, struct irqs_error *reterr)
{
	const char *args[] = { "-S", "-M", "none", "-nodefaults", "-no-user-config",
			       "-display", "none", "-qmp", "stdio", tcg ? "-accel" : NULL,
			       "tcg", NULL };
	struct qemu_child child;
	struct qmp q;
	char complaint[200];
	int rc = qemu_child_start(&child, opt, args, -1, reterr);

	if (rc)
		return rc;
	rc = qmp_open(&q, child.talk, child.talk, qemu_child_left_ms(&child), reterr);
	if (!rc) {
		rc = ask(ret, &q, tcg, reterr);
		if (!rc)
			qmp_command(&q, "quit", NULL, NULL, NULL);
		qmp_close(&q);
	}
	if (rc == -EPIPE)
		rc = irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "it is gone: %s",
			       qemu_child_complaint(&child, complaint, sizeof(complaint)));
	qemu_child_stop(&child);
	return rc;
}

int qemu_caps_probe(const struct qemu_run_options *opt, struct caps *ret, struct irqs_error *reterr)
{
	int rc;

	caps_init(ret);
	rc = probe(opt, true, ret, reterr);
	if (rc == -EIO) {
		caps_deinit(ret);
		rc = probe(opt, false, ret, reterr);
	}
	if (rc) {
		caps_deinit(ret);
		return rc;
	}
	ret->source = "qemu";
	ret->tsc_khz = tsc_measure_khz();
	return 0;
}

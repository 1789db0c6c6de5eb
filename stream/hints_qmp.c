/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/hints_qmp.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MACHINE_PATH "/machine"
#define TYPE_SUFFIX "-machine"

/* Interrupt controllers are at most that far below /machine; more objects than that are not looked at. */
#define WALK_DEPTH 3
#define WALK_MAX 512

enum place {
	PLACE_NONE,  /* not there */
	PLACE_OTHER, /* of another accelerator */
	PLACE_USER,
	PLACE_KERNEL,
};

/* QEMU's types, the section each of them saves, and where the device lives. */
static const struct chip {
	const char *type, *section;
	enum place place;
} chips[] = {
	{ "ioapic", "ioapic", PLACE_USER },
	{ "kvm-ioapic", "ioapic", PLACE_KERNEL },
	{ "isa-i8259", "i8259", PLACE_USER },
	{ "kvm-i8259", "i8259", PLACE_KERNEL },
	{ "isa-pit", "i8254", PLACE_USER },
	{ "kvm-pit", "i8254", PLACE_KERNEL },
	{ "hpet", "hpet", PLACE_NONE },
};

#define NCHIPS (sizeof(chips) / sizeof(chips[0]))

struct gather {
	struct hints *h;
	struct qmp *q;
	enum place lapic, chips;
	unsigned int walked, pics;
	struct irqs_error *reterr;
};

/* An answer, or NULL in @ret where QEMU has none. */
static int ask(struct gather *g, const char *command, json_t *arguments, json_t **ret)
{
	struct irqs_error err = { 0 };
	int rc;

	*ret = NULL;
	rc = qmp_command(g->q, command, arguments, ret, &err);
	if (rc == -EOPNOTSUPP)
		return 0;
	if (rc && g->reterr)
		*g->reterr = err;
	return rc;
}

static int get(struct gather *g, const char *path, const char *property, json_t **ret)
{
	json_t *arguments = json_pack("{s:s, s:s}", "path", path, "property", property);

	*ret = NULL;
	/* A name that is no UTF-8 cannot be asked for. */
	return arguments ? ask(g, "qom-get", arguments, ret) : 0;
}

/* @otherwise where it is not there or no number. */
static int get_integer(struct gather *g, const char *path, const char *property, int64_t otherwise, int64_t *ret)
{
	json_t *v;
	int rc = get(g, path, property, &v);

	*ret = json_is_integer(v) ? json_integer_value(v) : otherwise;
	json_decref(v);
	return rc;
}

/* "" where it is not there, no text, or too long. */
static int get_text(struct gather *g, const char *path, const char *property, char *buf, size_t size)
{
	json_t *v;
	int rc = get(g, path, property, &v), len;

	len = snprintf(buf, size, "%s", json_is_string(v) ? json_string_value(v) : "");
	if (len < 0 || (size_t)len >= size)
		buf[0] = '\0';
	json_decref(v);
	return rc;
}

/* ---- the machine ---- */

static int add_machine(struct gather *g)
{
	char type[256];
	size_t len;
	int rc = get_text(g, MACHINE_PATH, "type", type, sizeof(type));

	len = strlen(type);
	if (rc || len <= strlen(TYPE_SUFFIX) || strcmp(type + len - strlen(TYPE_SUFFIX), TYPE_SUFFIX) != 0)
		return rc;
	type[len - strlen(TYPE_SUFFIX)] = '\0';
	return hints_add(g->h, HINTS_MACHINE, "type", type, g->reterr);
}

static int add_vmdescription(struct gather *g)
{
	json_t *v;
	int rc = get(g, MACHINE_PATH, "suppress-vmdesc", &v);

	if (!rc && json_is_boolean(v))
		rc = hints_add(g->h, HINTS_STREAM, "vmdescription", json_is_true(v) ? "no" : "yes", g->reterr);
	json_decref(v);
	return rc;
}

/* Who emulates what, by the names of profiles; NULL: these answers do not tell. */
static const char *host_kind(const struct gather *g, const json_t *kvm)
{
	if (json_is_false(kvm)) {
		if (g->lapic == PLACE_USER || (g->lapic == PLACE_NONE && g->chips == PLACE_USER))
			return "tcg";
		return NULL;
	}
	if (g->chips == PLACE_KERNEL)
		return "kvm";
	if (g->lapic == PLACE_KERNEL)
		return g->chips == PLACE_USER ? "kvm-split" : NULL;
	return json_is_true(kvm) && g->lapic == PLACE_USER ? "kvm-off" : NULL;
}

static int add_host_kind(struct gather *g)
{
	const char *kind;
	json_t *answer;
	int rc = ask(g, "query-kvm", NULL, &answer);

	if (rc)
		return rc;
	kind = host_kind(g, json_object_get(answer, "enabled"));
	if (kind)
		rc = hints_add(g->h, HINTS_MACHINE, "host-kind", kind, g->reterr);
	json_decref(answer);
	return rc;
}

/* ---- CPUs and their LAPICs ---- */

/* What is known of the ids so far. */
struct layout {
	unsigned int lapics;
	bool unknown, other;
};

/* The LAPIC of one CPU. Of old machine types the instance of its section is a count, else the first APIC id. */
static int add_lapic(struct gather *g, const char *cpu, struct layout *l)
{
	char path[512], type[64], device[32];
	int64_t first, id;
	json_t *legacy;
	uint32_t instance;
	int rc = get_text(g, cpu, "lapic", path, sizeof(path));

	if (rc || !path[0])
		return rc;
	rc = get_text(g, path, "type", type, sizeof(type));
	if (rc)
		return rc;
	g->lapic = !strcmp(type, "kvm-apic") ? PLACE_KERNEL : !strcmp(type, "apic") ? PLACE_USER
										    : PLACE_OTHER;
	rc = get(g, path, "legacy-instance-id", &legacy);
	if (!rc)
		rc = get_integer(g, cpu, "apic-id", -1, &first);
	if (!rc)
		rc = get_integer(g, path, "id", -1, &id);
	if (!rc && (!json_is_boolean(legacy) || first < 0 || first >= UINT32_MAX || id < 0)) {
		l->unknown = true;
	} else if (!rc) {
		instance = json_is_true(legacy) ? l->lapics : (uint32_t)first;
		l->other |= (id & 0xff) != (instance & 0xff);
		if (instance)
			snprintf(device, sizeof(device), "apic[%" PRIu32 "]", instance);
		else
			snprintf(device, sizeof(device), "apic");
		rc = hints_add(g->h, device, NULL, NULL, g->reterr);
	}
	l->lapics++;
	json_decref(legacy);
	return rc;
}

static int add_tsc(struct gather *g, const char *cpu)
{
	char text[24];
	int64_t hz;
	int rc = get_integer(g, cpu, "tsc-frequency", 0, &hz);

	if (rc || hz < 1000)
		return rc;
	snprintf(text, sizeof(text), "%" PRId64, hz / 1000);
	return hints_add(g->h, "cpu", "tsc-khz", text, g->reterr);
}

static int add_cpus(struct gather *g)
{
	struct layout l = { 0 };
	json_t *cpus, *cpu;
	size_t i;
	int rc = ask(g, "query-cpus-fast", NULL, &cpus);

	json_array_foreach(cpus, i, cpu) {
		const char *path = json_string_value(json_object_get(cpu, "qom-path"));

		if (rc)
			break;
		l.unknown |= !path;
		if (path && !i)
			rc = add_tsc(g, path);
		if (path && !rc)
			rc = add_lapic(g, path, &l);
	}
	json_decref(cpus);
	if (rc || !l.lapics || l.unknown)
		return rc;
	return hints_add(g->h, "apic", "id-layout", l.other ? "other" : "instance", g->reterr);
}

/* ---- the other interrupt controllers ---- */

static int add_ioapic(struct gather *g, const char *path, enum place place)
{
	char text[24];
	int64_t version = -1;
	int rc;

	if (place == PLACE_KERNEL)
		return hints_add(g->h, "ioapic", "version", HINTS_KERNEL_IOAPIC_VERSION, g->reterr);
	rc = hints_add(g->h, "ioapic", NULL, NULL, g->reterr);
	if (!rc)
		rc = get_integer(g, path, "version", -1, &version);
	if (rc || version < 0)
		return rc;
	snprintf(text, sizeof(text), "0x%" PRIx64, version);
	return hints_add(g->h, "ioapic", "version", text, g->reterr);
}

static int add_chip(struct gather *g, const struct chip *c, const char *path, const char *name)
{
	/* A second IOAPIC has another name; which section is its is not said. */
	if (!strcmp(c->section, "ioapic") && strcmp(name, "ioapic") != 0)
		return 0;
	if (c->place > g->chips)
		g->chips = c->place;
	if (!strcmp(c->section, "ioapic"))
		return add_ioapic(g, path, c->place);
	if (!strcmp(c->section, "i8259") && g->pics++)
		return hints_add(g->h, "i8259[1]", NULL, NULL, g->reterr);
	return hints_add(g->h, c->section, NULL, NULL, g->reterr);
}

/* The type in "child<type>"; "" for what is no child. */
static void child_type(const char *text, char *buf, size_t size)
{
	size_t len = strlen(text);

	buf[0] = '\0';
	if (len < 7 || strncmp(text, "child<", 6) != 0 || text[len - 1] != '>' || len - 7 >= size)
		return;
	memcpy(buf, text + 6, len - 7);
	buf[len - 7] = '\0';
}

/* What has no devices of the board below it, and there are many of. */
static bool is_leaf(const char *name, const char *type)
{
	return !strcmp(type, "irq") || !strcmp(type, "memory-region") || !strncmp(name, "peripheral", 10);
}

/* One object below @path. */
static int visit(struct gather *g, const char *path, const json_t *item, char *buf, size_t size, bool *ret_deeper)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *kind = json_string_value(json_object_get(item, "type"));
	char type[128] = "";
	int len;

	*ret_deeper = false;
	if (kind)
		child_type(kind, type, sizeof(type));
	if (!name || !type[0] || is_leaf(name, type))
		return 0;
	len = snprintf(buf, size, "%s/%s", path, name);
	if (len < 0 || (size_t)len >= size)
		return 0;
	for (size_t i = 0; i < NCHIPS; i++)
		if (!strcmp(chips[i].type, type))
			return add_chip(g, &chips[i], buf, name);
	*ret_deeper = true;
	return 0;
}

static int walk(struct gather *g, const char *path, unsigned int depth)
{
	char below[512];
	json_t *list, *item;
	size_t i;
	int rc;

	if (depth == WALK_DEPTH || g->walked++ >= WALK_MAX)
		return 0;
	rc = ask(g, "qom-list", json_pack("{s:s}", "path", path), &list);
	json_array_foreach(list, i, item) {
		bool deeper;

		if (rc)
			break;
		rc = visit(g, path, item, below, sizeof(below), &deeper);
		if (!rc && deeper)
			rc = walk(g, below, depth + 1);
	}
	json_decref(list);
	return rc;
}

int hints_from_qmp(struct hints *h, struct qmp *q, struct irqs_error *reterr)
{
	struct gather g = { .h = h, .q = q, .reterr = reterr };
	int rc = add_machine(&g);

	if (!rc)
		rc = add_vmdescription(&g);
	if (!rc)
		rc = add_cpus(&g);
	if (!rc)
		rc = walk(&g, MACHINE_PATH, 0);
	return rc ? rc : add_host_kind(&g);
}

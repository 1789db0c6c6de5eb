/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vmstate/hints.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct hint_row hint_rows[] = {
	{ HINTS_MACHINE, "type", "the configuration's", "machine type that the stream names" },
	{ HINTS_MACHINE, "host-kind", "found from the state", "profile of the host that saved it" },
	{ HINTS_STREAM, "footers", "yes", "sections end with a footer" },
	{ HINTS_STREAM, "vmdescription", "yes", "the stream says what is in it" },
	{ "apic", "id-layout", "instance",
	  "what the instance of an apic section is: \"instance\": its APIC id" },
	{ "apic*", "x2apic", "no", "the guest was in x2APIC mode" },
	{ "ioapic*", "version", "0x20", "version register of the IOAPIC, which no stream carries" },
	{ "cpu", "tsc-khz", "the host's", "frequency of the guest's TSC" },
	{ "*", "state-version", "the newest", "version of the section" },
	{ "*", "section-id", "in order", "number of the section in the stream" },
	{ 0 },
};

#define APIC_BASE_X2APIC (UINT64_C(1) << 10)

void hints_init(struct hints *h)
{
	*h = (struct hints){ 0 };
	arena_init(&h->arena);
}

void hints_deinit(struct hints *h)
{
	arena_deinit(&h->arena);
	hints_init(h);
}

static const char *copy(struct hints *h, const char *text)
{
	return arena_strndup(&h->arena, text, strlen(text));
}

int hints_add(struct hints *h, const char *device, const char *key, const char *value,
	      struct irqs_error *reterr)
{
	struct hint *e;

	if (h->count >= HINTS_MAX)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, device, "more than %d hints", HINTS_MAX);
	if (h->count == h->capacity) {
		size_t n = h->capacity ? h->capacity * 2 : 64;
		struct hint *more = arena_alloc(&h->arena, n * sizeof(*more));

		if (!more)
			return irqs_fail_nomem(reterr);
		if (h->count)
			memcpy(more, h->entries, h->count * sizeof(*more));
		h->entries = more;
		h->capacity = n;
	}
	e = &h->entries[h->count];
	/* Most entries name the device of the one before. */
	e->device = h->count && !strcmp(e[-1].device, device) ? e[-1].device : copy(h, device);
	e->key = key ? copy(h, key) : NULL;
	e->value = key && value ? copy(h, value) : NULL;
	if (!e->device || (key && (!e->key || !e->value)))
		return irqs_fail_nomem(reterr);
	h->count++;
	return 0;
}

const char *hints_get(const struct hints *h, const char *device, const char *key)
{
	for (size_t i = 0; i < h->count; i++) {
		const struct hint *e = &h->entries[i];

		if (e->key && !strcmp(e->key, key) && !strcmp(e->device, device))
			return e->value;
	}
	return NULL;
}

bool hints_has_device(const struct hints *h, const char *device)
{
	if (!strcmp(device, HINTS_MACHINE) || !strcmp(device, HINTS_STREAM))
		return true;
	for (size_t i = 0; i < h->count; i++)
		if (!strcmp(h->entries[i].device, device))
			return true;
	return false;
}

static const struct hint_row *find_row(const char *device, const char *key)
{
	for (const struct hint_row *r = hint_rows; r->device; r++)
		if (!strcmp(r->key, key) && !fnmatch(r->device, device, 0))
			return r;
	return NULL;
}

const char *hints_value(const struct hints *config, const struct hints *h, const char *device,
			const char *key, enum hint_origin *ret_origin)
{
	enum hint_origin origin = HINT_CONFIG;
	const char *value = config ? hints_get(config, device, key) : NULL;

	if (!value) {
		origin = HINT_HINT;
		value = h && (!config || hints_has_device(config, device)) ? hints_get(h, device, key) : NULL;
	}
	if (!value) {
		const struct hint_row *row = find_row(device, key);

		origin = HINT_DEFAULT;
		value = row ? row->otherwise : NULL;
	}
	if (ret_origin)
		*ret_origin = origin;
	return value;
}

/* Whether @i is the first entry of its device. */
static bool first_of_device(const struct hints *h, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!strcmp(h->entries[k].device, h->entries[i].device))
			return false;
	return true;
}

/* What is said of one device, by whichever side. */
static int apply_device(const struct hints *config, const struct hints *h, const char *device,
			int (*tell)(void *ctx, const struct hint *hint, enum hint_origin origin), void *ctx)
{
	bool pseudo = !strcmp(device, HINTS_MACHINE) || !strcmp(device, HINTS_STREAM);
	int rc = 0;

	for (size_t i = 0; i < config->count && !rc; i++)
		if (config->entries[i].key && !strcmp(config->entries[i].device, device))
			rc = tell(ctx, &config->entries[i], HINT_CONFIG);
	for (size_t i = 0; i < h->count && !rc; i++) {
		const struct hint *e = &h->entries[i];

		if (e->key && !strcmp(e->device, device))
			rc = tell(ctx, e, hints_get(config, device, e->key) ? HINT_OVERRIDDEN : HINT_HINT);
	}
	for (const struct hint_row *r = hint_rows; r->device && !rc; r++) {
		const struct hint e = { .device = device, .key = r->key, .value = r->otherwise };

		/* What holds for any device holds for no pseudo device. */
		if (fnmatch(r->device, device, 0) || (pseudo && !strcmp(r->device, "*")) ||
		    hints_get(config, device, r->key) || hints_get(h, device, r->key))
			continue;
		rc = tell(ctx, &e, HINT_DEFAULT);
	}
	return rc;
}

int hints_apply(const struct hints *config, const struct hints *h,
		int (*tell)(void *ctx, const struct hint *hint, enum hint_origin origin), void *ctx)
{
	static const char *const always[] = { HINTS_MACHINE, HINTS_STREAM };
	int rc = 0;

	for (size_t i = 0; i < 2 && !rc; i++)
		rc = apply_device(config, h, always[i], tell, ctx);
	for (size_t i = 0; i < config->count && !rc; i++) {
		const char *device = config->entries[i].device;

		if (strcmp(device, HINTS_MACHINE) && strcmp(device, HINTS_STREAM) &&
		    first_of_device(config, i))
			rc = apply_device(config, h, device, tell, ctx);
	}
	for (size_t i = 0; i < h->count && !rc; i++)
		if (h->entries[i].key && !hints_has_device(config, h->entries[i].device))
			rc = tell(ctx, &h->entries[i], HINT_IGNORED);
	return rc;
}

const char *hints_origin_name(enum hint_origin origin)
{
	static const char *const names[] = {
		[HINT_CONFIG] = "config",
		[HINT_HINT] = "hint",
		[HINT_DEFAULT] = "default",
		[HINT_OVERRIDDEN] = "overridden",
		[HINT_IGNORED] = "ignored",
	};

	return names[origin];
}

char *hints_device_name(const struct vms_node *section, char *buf, size_t size)
{
	if (section->instance)
		snprintf(buf, size, "%s[%" PRIu32 "]", section->name, section->instance);
	else
		snprintf(buf, size, "%s", section->name);
	return buf;
}

int hints_add_devices(struct hints *h, const struct vms_node *machine, struct irqs_error *reterr)
{
	const struct vms_node *s = NULL;
	char name[300];
	int rc = 0;

	while (!rc && (s = vms_next_section(machine, s, NULL)))
		rc = hints_add(h, hints_device_name(s, name, sizeof(name)), NULL, NULL, reterr);
	return rc;
}

static int add_number(struct hints *h, const char *device, const char *key, uint64_t value,
		      struct irqs_error *reterr)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return hints_add(h, device, key, text, reterr);
}

static int from_section(struct hints *h, const struct vms_node *s, struct irqs_error *reterr)
{
	char device[300];
	int rc;

	hints_device_name(s, device, sizeof(device));
	rc = add_number(h, device, "state-version", s->version, reterr);
	if (!rc && !strcmp(s->name, "apic") && vms_get_or(s, "apicbase", 0) & APIC_BASE_X2APIC)
		rc = hints_add(h, device, "x2apic", "yes", reterr);
	if (!rc && !strcmp(s->name, "ioapic") && s->type && !strcmp(s->type, "kvm-ioapic"))
		rc = hints_add(h, device, "version", HINTS_KERNEL_IOAPIC_VERSION, reterr);
	return rc;
}

/* Whether the instance of every apic section is the id in it. */
static bool instances_are_ids(const struct vms_node *machine)
{
	const struct vms_node *s = NULL;

	while ((s = vms_next_section(machine, s, "apic")))
		if (vms_get_or(s, "id", s->instance) != (s->instance & 0xff))
			return false;
	return true;
}

int hints_from_machine(struct hints *h, const struct vms_node *machine, struct irqs_error *reterr)
{
	const struct vms_node *s = vms_find_section(machine, "cpu", 0);
	uint64_t khz = s ? vms_get_or(s, "cpu/tsc_khz.env.tsc_khz", 0) : 0;
	int rc = 0;

	if (machine->name[0])
		rc = hints_add(h, HINTS_MACHINE, "type", machine->name, reterr);
	if (!rc && vms_next_section(machine, NULL, "apic"))
		rc = hints_add(h, "apic", "id-layout", instances_are_ids(machine) ? "instance" : "other",
			       reterr);
	if (!rc && khz)
		rc = add_number(h, "cpu", "tsc-khz", khz, reterr);
	for (s = NULL; !rc && (s = vms_next_section(machine, s, NULL));)
		rc = from_section(h, s, reterr);
	return rc;
}

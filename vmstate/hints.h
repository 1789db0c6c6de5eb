/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compat hints: what a saved machine was that its configuration does not say. They are kept apart from the
 * configuration and opaque to whoever carries them. A missing hint means the default; the configuration wins
 * over a hint; a hint for a device that is not in the configuration is ignored, and that is reported.
 *
 * A device is named as in a path: "ioapic", "apic[1]", and "machine" and "stream", which are always there.
 */
#ifndef IRQSHIFT_VMSTATE_HINTS_H
#define IRQSHIFT_VMSTATE_HINTS_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "vmstate/tree.h"

#define HINTS_MACHINE "machine"
#define HINTS_STREAM "stream"

/* The version register of the kernel's IOAPIC (arch/x86/kvm/ioapic.h, IOAPIC_VERSION_ID). */
#define HINTS_KERNEL_IOAPIC_VERSION "0x11"

/* More are refused: a bound against hostile input. */
#define HINTS_MAX 32768

struct hint {
	const char *device;
	const char *key; /* NULL: the device is there, nothing more is said */
	const char *value;
};

/* Hints, or a configuration: the same form. */
struct hints {
	struct hint *entries;
	size_t count;
	/* private: */
	size_t capacity;
	struct arena arena;
};

/* A key that this version knows. */
struct hint_row {
	const char *device; /* glob (fnmatch(3)) */
	const char *key;
	const char *otherwise; /* the default, in words where it is no value */
	const char *meaning;
};

/* NULL device last. */
extern const struct hint_row hint_rows[];

enum hint_origin {
	HINT_CONFIG,     /* the configuration says it */
	HINT_HINT,       /* a hint says it */
	HINT_DEFAULT,    /* neither does */
	HINT_OVERRIDDEN, /* a hint that the configuration won over */
	HINT_IGNORED,    /* a hint for a device that is not there */
};

/* hints_init/hints_deinit - none. */
void hints_init(struct hints *h);
void hints_deinit(struct hints *h);

/**
 * hints_add - one more hint
 * @h: hints
 * @device: copied
 * @key: copied; NULL: only that the device is there
 * @value: copied
 *
 * A key that is there already is not looked for: the first one counts. Return: 0; -EINVAL above HINTS_MAX;
 * -ENOMEM.
 */
int hints_add(struct hints *h, const char *device, const char *key, const char *value,
	      struct irqs_error *reterr);

/* hints_get - the value, or NULL. */
const char *hints_get(const struct hints *h, const char *device, const char *key);

/* hints_has_device - whether anything is said of it; "machine" and "stream" are always there. */
bool hints_has_device(const struct hints *h, const char *device);

/**
 * hints_value - what holds for a key
 * @config: configuration, or NULL
 * @h: hints, or NULL
 * @device: device
 * @key: key
 * @ret_origin: receives who said so; may be NULL
 *
 * Return: the value of the configuration, else of the hints, else the default of hint_rows, else NULL.
 */
const char *hints_value(const struct hints *config, const struct hints *h, const char *device,
			const char *key, enum hint_origin *ret_origin);

/**
 * hints_apply - hints under a configuration, each value with its origin
 * @config: configuration
 * @h: hints
 * @tell: called for every key of every device of the configuration, and for every hint that does not hold; a
 *        value other than 0 ends it
 * @ctx: handed to @tell
 *
 * Return: 0, or what @tell returned.
 */
int hints_apply(const struct hints *config, const struct hints *h,
		int (*tell)(void *ctx, const struct hint *hint, enum hint_origin origin), void *ctx);

/* hints_origin_name - "config", "hint", "default", "overridden", "ignored". */
const char *hints_origin_name(enum hint_origin origin);

/* hints_device_name - how a section is named here. Return: @buf. */
char *hints_device_name(const struct vms_node *section, char *buf, size_t size);

/* hints_add_devices - the sections of a machine, as a configuration of them. Return: as hints_add(). */
int hints_add_devices(struct hints *h, const struct vms_node *machine, struct irqs_error *reterr);

/**
 * hints_from_machine - what a tree gives away: machine type, version of each section, APIC id layout, x2APIC
 * mode, TSC frequency, and the IOAPIC's version where the section's irqshift type says who emulates it
 * @h: hints, added to
 * @machine: sections may have their irqshift type
 *
 * Return: as hints_add().
 */
int hints_from_machine(struct hints *h, const struct vms_node *machine, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compat hints and configurations in files, and the hints that only a stream has. */
#ifndef IRQSHIFT_STREAM_HINTS_JSON_H
#define IRQSHIFT_STREAM_HINTS_JSON_H

#include <stddef.h>

#include "base/error.h"
#include "stream/qemu.h"
#include "vmstate/hints.h"

/* The version of the form. */
#define HINTS_FORM_VERSION 1

/* hints_json - the JSON text, allocated with malloc(). Return: NULL when out of memory. */
char *hints_json(const struct hints *h);

/**
 * hints_load - read what hints_json() wrote
 * @ret: receives them; release with hints_deinit()
 * @fd: the file; empty: no hints
 *
 * Return: 0; -EBADMSG when it is something else, or of a newer form; -ENOMEM; -errno.
 */
int hints_load(struct hints *ret, int fd, struct irqs_error *reterr);

/**
 * hints_load_config - read a configuration
 * @ret: receives it; release with hints_deinit()
 * @fd: JSON: {"devices": {DEVICE: {KEY: VALUE}}}, values are text, numbers, true or false
 *
 * Return: as hints_load().
 */
int hints_load_config(struct hints *ret, int fd, struct irqs_error *reterr);

/**
 * hints_from_stream - those of hints_from_machine(), how the stream is made, and the number of each section
 * @h: hints, added to
 * @s: as read
 *
 * Return: as hints_add().
 */
int hints_from_stream(struct hints *h, const struct qemu_stream *s, struct irqs_error *reterr);

/* hints_applied_json - what hints_apply() tells, allocated with malloc(). Return: NULL when out of memory. */
char *hints_applied_json(const struct hints *config, const struct hints *h);

#endif

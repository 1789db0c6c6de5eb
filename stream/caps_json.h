/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Capabilities in a file, to be carried to the other side. */
#ifndef IRQSHIFT_STREAM_CAPS_JSON_H
#define IRQSHIFT_STREAM_CAPS_JSON_H

#include "base/error.h"
#include "vmstate/caps.h"

/* The version of the form. */
#define CAPS_FORM_VERSION 1

/* caps_json - the JSON text, allocated with malloc(). Return: NULL when out of memory. */
char *caps_json(const struct caps *c);

/**
 * caps_load - read what caps_json() wrote
 * @ret: receives it; release with caps_deinit()
 * @fd: the file; one that is empty, or an object that does not speak of capabilities, says nothing: word zero
 *
 * Bits that this version does not know are kept. Return: 0; -EBADMSG when word and names disagree, or for a
 * newer form; -ENOMEM; -errno.
 */
int caps_load(struct caps *ret, int fd, struct irqs_error *reterr);

#endif

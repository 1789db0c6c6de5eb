/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A section as JSON: in the form of QEMU's vmdescription, or the same with the values in it. */
#ifndef IRQSHIFT_STREAM_SECTION_JSON_H
#define IRQSHIFT_STREAM_SECTION_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "vmstate/tree.h"

/**
 * section_json - one section
 * @section: the section
 * @values: add the values: "value" (an integer, or hexadecimal text of raw bytes), "values" (an array of
 *          them), "elements" (an array of structs, in place of the "struct" of the first), and the section's
 *          irqshift "type". A 64-bit unsigned integer above 2^63 - 1 is written as text.
 *
 * Return: a new object in QEMU's order of keys, or NULL when out of memory.
 */
json_t *section_json(const struct vms_node *section, bool values);

#endif

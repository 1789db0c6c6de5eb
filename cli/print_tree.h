/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree as text: any section, field by field. */
#ifndef IRQSHIFT_CLI_PRINT_TREE_H
#define IRQSHIFT_CLI_PRINT_TREE_H

#include <stdio.h>

#include "vmstate/tree.h"

/* print_fields - the fields and subsections of a section, one line each, indented by structure. */
void print_fields(const struct vms_node *section, FILE *out);

/* print_element - one value: an integer in decimal and hexadecimal, or the start of a buffer. */
void print_element(const struct vms_node *n, uint32_t element, FILE *out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small machines and the rules that run over them. */
#ifndef IRQSHIFT_TESTS_RULES_BOX_H
#define IRQSHIFT_TESTS_RULES_BOX_H

#include "filters/rules.h"
#include "machine.h"

/* box_init - a machine without sections. Release with machine_deinit(). */
void box_init(struct machine *m);

struct vms_node *box_section(struct machine *m, const char *type, uint32_t instance, uint32_t version);

/* box_int - an integer; @count 0: a plain one. The first element gets @value, the others one more each. */
struct vms_node *box_int(struct machine *m, struct vms_node *parent, const char *name, const char *type,
			 uint32_t count, uint64_t value);
struct vms_node *box_struct(struct machine *m, struct vms_node *parent, const char *name);
/* box_array - an array of @count structs without fields. */
struct vms_node *box_array(struct machine *m, struct vms_node *parent, const char *name, uint32_t count);
struct vms_node *box_bytes(struct machine *m, struct vms_node *parent, const char *name, const char *type,
			   const void *data, uint32_t size);

/* box_load - rules out of a text with ' for ". The test fails when it does not load. */
struct rules *box_load(const char *text);
/* box_rule - rules with one rule; @rule is what follows the reason in it: "'section': 'dev', 'do': [...]". */
struct rules *box_rule(const char *rule, const char *back);
/* box_file - rules out of a file of the sources. */
struct rules *box_file(const char *path);

/* box_apply - run only these rules, in a direction, with a fresh report. Return: as filter_convert(). */
int box_apply(struct machine *m, struct rules *r, enum rules_direction direction);
int box_apply_allow(struct machine *m, struct rules *r, enum rules_direction direction, enum report_cost allow);
/* box_run - box_rule() applied forward and released. */
int box_run(struct machine *m, const char *rule);

/* box_names - the fields of a node, in order, joined by spaces. */
const char *box_names(const struct vms_node *n);

/* read_whole - a file, terminated, allocated with malloc(). */
char *read_whole(const char *path, size_t *ret_size);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visitors that tell: print a state, compare it with one that was saved, list a description's schema. */
#ifndef IRQSHIFT_VMSTATE_VISIT_REPORT_H
#define IRQSHIFT_VMSTATE_VISIT_REPORT_H

#include "vmstate/diff.h"
#include "vmstate/visit.h"
#include "vmstate/visit_tree.h"

struct visit_print {
	struct visitor v;
	/* private: */
	int (*line)(void *ctx, const char *path, const char *text);
	void *ctx;
};

/**
 * visit_print_init - print by saving
 * @p: visitor; nothing to release
 * @line: called for each field, with its values: signed ones in decimal, others in hexadecimal, arrays with
 *        blanks between, raw bytes as hexadecimal digits, strings in quotes; and for each section and
 *        subsection, with its version. A value other than 0 ends the walk and is what it returns
 * @ctx: handed to @line
 */
void visit_print_init(struct visit_print *p, int (*line)(void *ctx, const char *path, const char *text),
		      void *ctx);

/* Saves into a tree of its own. */
struct visit_compare {
	struct visit_tree_out out; /* out.v is the visitor */
	/* private: */
	struct vms_tree tree;
};

/* visit_compare_init/visit_compare_deinit - compare what is now saved. Return: 0 or -ENOMEM. */
int visit_compare_init(struct visit_compare *c, struct irqs_error *reterr);
void visit_compare_deinit(struct visit_compare *c);

/**
 * visit_compare_finish - after the save: every difference to an older save
 * @with: the section to compare with
 * @found: as for vms_diff(); its b is the state of now
 *
 * Return: 0; what @found returned; -EINVAL when nothing was saved.
 */
int visit_compare_finish(const struct visit_compare *c, const struct vms_node *with,
			 int (*found)(void *ctx, const struct vms_difference *d), void *ctx);

struct visit_schema {
	struct visitor v;
	/* private: */
	int (*row)(void *ctx, const char *path, const struct visit_item *item);
	void *ctx;
};

/**
 * visit_schema_init - a visitor for vms_schema()
 * @row: called for each section, subsection, struct, array and field. An array of structs shows its first
 *       element, a partial array its largest length, a list one element. A value other than 0 ends the walk
 * @ctx: handed to @row
 */
void visit_schema_init(struct visit_schema *s,
		       int (*row)(void *ctx, const char *path, const struct visit_item *item), void *ctx);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of an irqchip as text: all of it, or what changed. */
#ifndef IRQSHIFT_CLI_IRQCHIP_H
#define IRQSHIFT_CLI_IRQCHIP_H

#include "apic/print.h"

/* A choice of sections: by name, type, or either with "[instance]"; @count 0 is all of them. */
struct cli_choice {
	char **names;
	int count;
};

/* cli_chosen - whether a section is wanted. @type may be NULL. */
bool cli_chosen(const struct cli_choice *choice, const char *name, const char *type, uint32_t instance);

/**
 * print_irqchip - the chips that are there and chosen, decoded; without a choice, what belongs to none as well
 *
 * Return: how many were printed.
 */
unsigned int print_irqchip(const struct irqchip_state *s, const struct cli_choice *choice, const struct reg_out *out);

/*
 * print_tree_json - a snapshot's tree as JSON, without the sections that are not chosen, which are taken out of it.
 * Return: the exit status.
 */
int print_tree_json(struct vms_node *machine, const struct cli_choice *choice);

enum diff_what {
	DIFF_ALL,
	/* Rows that only one side knows are not differences: the two were made by different means. They are counted. */
	DIFF_SHARED,
	/* Two looks at one machine: what runs by itself (clocks, counts, what is derived) is no difference. */
	DIFF_EVENTS,
};

/**
 * diff_irqchips - what differs, in words, a line each
 *
 * Return: the number of lines that tell a difference.
 */
unsigned int diff_irqchips(const struct irqchip_state *a, const struct irqchip_state *b,
			   const struct cli_choice *choice, enum diff_what what, const struct reg_out *out);

#endif

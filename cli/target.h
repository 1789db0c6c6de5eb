/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tells convert and check of the two hosts, beside the names of profiles. */
#ifndef IRQSHIFT_CLI_TARGET_H
#define IRQSHIFT_CLI_TARGET_H

#include "filters/profile.h"
#include "vmstate/tree.h"

/**
 * target_parse - a host as the user names it
 * @text: "tcg@qemu-7.2"; "FILE", what `caps --json` wrote there; or "KIND:FILE", that host as this kind. A
 *        name with '/' or '.' that is no profile is a file
 * @ret: receives the profile
 * @reterr: what was wrong
 *
 * Return: 0; -EINVAL; -EOPNOTSUPP when the host of the file cannot be that kind; another -errno.
 */
int target_parse(const char *text, struct profile *ret, struct irqs_error *reterr);

/* What compat hints said. */
struct target_hints {
	bool has_kind;
	struct profile from;     /* kind of host that saved the machine */
	unsigned int ignored;    /* hints for devices that the machine has not */
	char first_ignored[160]; /* the device of the first one */
};

/**
 * target_hints - read a file of hints against a machine
 * @path: what `hints dump` wrote
 * @machine: the tree
 * @ret: receives what they say
 * @reterr: what was wrong
 *
 * Return: 0, -EBADMSG, -errno.
 */
int target_hints(const char *path, const struct vms_node *machine, struct target_hints *ret,
		 struct irqs_error *reterr);

#endif

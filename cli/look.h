/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One look at the irqchip of a VM in another process. */
#ifndef IRQSHIFT_CLI_LOOK_H
#define IRQSHIFT_CLI_LOOK_H

#include <stdio.h>

#include "apic/print.h"
#include "base/error.h"
#include "kvm/attach.h"

#define LOOK_ONLY_VM (-1)

struct look {
	struct irqchip_state state;
	struct kvm_attach_result result;
	unsigned int unfinished; /* vCPUs that were met in the middle of an instruction */
};

/**
 * look_choose_vm - which VM of a process is meant
 * @vm: its index, or LOOK_ONLY_VM; receives the index
 * @who: what errors call the process
 *
 * Return: 0; an exit status after the error was printed: IRQS_USAGE without a VM, without the one that is meant, or when
 * there are several to choose from, which are listed then.
 */
int look_choose_vm(pid_t pid, int *vm, const char *who);

/**
 * look_take - stop the process, gather, let it go on
 * @ret: ends with irqchip_deinit()
 *
 * Return: 0, or the exit status after the error was printed.
 */
int look_take(pid_t pid, unsigned int vm, const char *who, struct look *ret);

/* look_tell_stop - say for how long it was stopped. */
void look_tell_stop(const struct look *l, const char *who, FILE *out);

/* look_warn - say, on standard error, what of the state is doubtful. */
void look_warn(const struct look *l, const char *who);

/**
 * look_peek - print what a VM shows without a stop (kvm/runmap.h)
 *
 * Of several VMs all vCPUs are printed: without a stop it cannot be told whose they are.
 *
 * Return: the exit status.
 */
int look_peek(pid_t pid, int vm, const struct reg_out *out);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A batch, apart from how it gets to the module: tests have a module of their own. */
#ifndef IRQSHIFT_KVM_BATCH_PRIV_H
#define IRQSHIFT_KVM_BATCH_PRIV_H

#include <sys/types.h>

#include "kvm/batch.h"
#include "kvm/module/uapi.h"

#define BATCH_PARTS_MAX 8

/*
 * A way to the module.
 * @parts: how many of those side by side are worth it here, at most BATCH_PARTS_MAX
 * @submit: one IRQSHIFT_URING_*, in @nparts parts that are run side by side, part i from entry @at[i] up to @at[i + 1]. Return:
 *          the completion's res, the last one below 0 with several; entries of a part that was not run keep their result
 */
struct batch_engine {
	unsigned int parts;
	int (*submit)(struct batch_engine *engine, uint32_t op, struct irqshift_entry *entries, const uint32_t *at,
		      unsigned int nparts);
	void (*close)(struct batch_engine *engine);
};

/* batch_new - Return: a batch that owns the engine, or NULL. */
struct kvm_batch *batch_new(struct batch_engine *engine);

/* batch_check - is the module behind the engine the one of uapi.h? Return: 0 or -EPROTO or what submit() says. */
int batch_check(struct batch_engine *engine);

/* batch_uring - an engine on /dev/irqshift. Return: 0 or -errno, as kvm_batch_open(). */
int batch_uring(struct batch_engine **ret, struct irqs_error *reterr);

#endif

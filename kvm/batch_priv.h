/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A batch, apart from how it gets to the module: tests have a module of their own. */
#ifndef IRQSHIFT_KVM_BATCH_PRIV_H
#define IRQSHIFT_KVM_BATCH_PRIV_H

#include <sys/types.h>

#include "kvm/batch.h"
#include "kvm/module/uapi.h"

#define BATCH_HELPERS_MAX 7

/*
 * A way to the module.
 * @helpers: how many workers can run a part of a gather beside the caller, at most BATCH_HELPERS_MAX
 * @submit: one IRQSHIFT_URING_*, in a gather helped by @nhelpers workers; number i begins at entry @first[i], and takes from
 *          there what nobody has taken yet, as the caller does from entry 0 on. Return: the res of the caller's own
 *          completion, when all have ended; an entry that nobody has run to its end has -ECANCELED or -EINPROGRESS
 */
struct batch_engine {
	unsigned int helpers;
	int (*submit)(struct batch_engine *engine, uint32_t op, struct irqshift_entry *entries, uint32_t count,
		      const uint32_t *first, unsigned int nhelpers);
	void (*close)(struct batch_engine *engine);
};

/* batch_new - Return: a batch that owns the engine, or NULL. */
struct kvm_batch *batch_new(struct batch_engine *engine);

/* batch_check - is the module behind the engine the one of uapi.h? Return: 0 or -EPROTO or what submit() says. */
int batch_check(struct batch_engine *engine);

/* batch_uring - an engine on /dev/irqshift. Return: 0 or -errno, as kvm_batch_open(). */
int batch_uring(struct batch_engine **ret, struct irqs_error *reterr);

#endif

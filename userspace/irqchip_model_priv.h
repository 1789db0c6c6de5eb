/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of the machine's model. */
#ifndef IRQSHIFT_USERSPACE_IRQCHIP_MODEL_PRIV_H
#define IRQSHIFT_USERSPACE_IRQCHIP_MODEL_PRIV_H

#include "userspace/irqchip_model.h"

/* irqchip_settle - what one chip's callback could not do at once: after each call of the PICs. */
void irqchip_settle(struct irqchip_model *m);

/* irqchip_is_split - whether the LAPICs are in the kernel. */
static inline bool irqchip_is_split(const struct irqchip_model *m)
{
	return m->config.mode == IRQCHIP_SPLIT;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A restore whose differences are remembered, and what must be the same afterwards. */
#ifndef IRQSHIFT_TESTS_KVM_CAME_BACK_H
#define IRQSHIFT_TESTS_KVM_CAME_BACK_H

#include "kvm/restore.h"
#include "vm.h"

#define DIFFERENCES_MAX 4096

struct differences {
	struct kvm_difference all[DIFFERENCES_MAX];
	unsigned int n, wrong;
};

/* came_back_note - for options.differs, with a struct differences. */
void came_back_note(void *arg, const struct kvm_difference *d);

/* came_back_find - the difference reported of an element of a row, or NULL. */
const struct kvm_difference *came_back_find(const struct differences *d, const char *chip, unsigned int index,
					    const struct reg_row *row, unsigned int element);

/*
 * came_back - restore @s into @vm, gather, and expect every known row of a structure of the KVM ABI to be what it was,
 * or to be reported as derived or moved.
 */
void came_back(struct vm *vm, const struct irqchip_state *s, struct differences *d, const char *what);

#endif

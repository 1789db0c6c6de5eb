/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_USERSPACE_KNOWN_PRIV_H
#define IRQSHIFT_USERSPACE_KNOWN_PRIV_H

#include "apic/reg.h"

/* known_rows - put what is known in @from into @to; all else of @to stays. */
static inline void known_rows(const struct reg_chip *chip, const void *from, void *to)
{
	for (unsigned int r = 0; r < chip->nrows; r++)
		for (unsigned int i = 0; i < chip->rows[r].count; i++)
			if (reg_known(&chip->rows[r], from, i))
				reg_set(&chip->rows[r], to, i, reg_get(&chip->rows[r], from, i));
}

#endif

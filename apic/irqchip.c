/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "apic/irqchip.h"

const char *irqchip_mode_name(enum irqchip_mode mode)
{
	static const char *const names[] = { "none", "split", "full" };

	return (unsigned int)mode < REG_ARRAY_SIZE(names) ? names[mode] : "?";
}

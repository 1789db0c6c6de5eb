/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Private to cpu.c and cpu_subs.c. */
#ifndef IRQSHIFT_APIC_CPU_DESCS_H
#define IRQSHIFT_APIC_CPU_DESCS_H

#include "vmstate/describe.h"

/* The subsections of `cpu` in stream order, NULL last. */
extern const struct vms_desc *const cpu_sub_descs[];

#endif

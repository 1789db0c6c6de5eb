/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What saving and loading a snapshot share. */
#ifndef IRQSHIFT_APIC_SNAPSHOT_PRIV_H
#define IRQSHIFT_APIC_SNAPSHOT_PRIV_H

#include "apic/snapshot.h"

/* The first section: what belongs to no chip. */
struct snapshot_head {
	uint32_t mode;
	uint32_t cpus, chips; /* sections that follow: a snapshot that lost one is not whole */
	uint32_t lines;
	uint32_t nroutes;
	struct irq_route *routes;
};

extern const struct vms_desc snapshot_head_desc;

/* Longer than any row's name. */
#define SNAPSHOT_FIELD_SIZE 48

/* snapshot_has_field - whether a row is kept at all. */
bool snapshot_has_field(const struct reg_row *row);

/* snapshot_field_name/snapshot_field_type - a row's field: its name in lower case, the type of its state. */
const char *snapshot_field_name(const struct reg_row *row, char buf[SNAPSHOT_FIELD_SIZE]);
const char *snapshot_field_type(const struct reg_row *row);

/* snapshot_check_ids - no two CPUs may have one id. Return: 0, or irqs_fail() with @status. */
int snapshot_check_ids(const struct irqchip_state *s, enum irqs_status status, struct irqs_error *reterr);

#endif

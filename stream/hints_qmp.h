/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compat hints of a machine that runs: what its QEMU says of it. Nothing is asked that changes anything. */
#ifndef IRQSHIFT_STREAM_HINTS_QMP_H
#define IRQSHIFT_STREAM_HINTS_QMP_H

#include "base/error.h"
#include "stream/qmp.h"
#include "vmstate/hints.h"

/**
 * hints_from_qmp - the hints that a stream of this machine would give, as far as QEMU says them
 * @h: hints, added to
 * @q: connected
 *
 * Machine type, kind of host, vmdescription, APIC ids and their layout, TSC frequency, the IOAPIC's version, and
 * which of ioapic, i8259, i8254, hpet are there. What QEMU does not know or refuses to say is no hint. What only
 * the guest's state tells (x2APIC mode) and what only a stream has (versions, numbers of sections) is not here.
 *
 * Return: 0; as qmp_command() when the connection fails; as hints_add().
 */
int hints_from_qmp(struct hints *h, struct qmp *q, struct irqs_error *reterr);

#endif

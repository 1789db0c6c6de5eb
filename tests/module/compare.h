/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module's events against the kernel's own records of the same tracepoints. */
#ifndef IRQSHIFT_TESTS_MODULE_COMPARE_H
#define IRQSHIFT_TESTS_MODULE_COMPARE_H

#include "subscriber.h"

/* compare_events - for qsort(3): an order that depends on the content alone. */
int compare_events(const void *a, const void *b);

/*
 * compare_with_tracefs - ends the subscription and trace_start(), both begun before whatever happened and once it is over, and fails
 * the test unless the two have the same records. Says how many of each kind.
 */
void compare_with_tracefs(struct subscriber *s);

#endif

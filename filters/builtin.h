/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The built-in filters; filters/engine.c lists them in the order in which they like to run. */
#ifndef IRQSHIFT_FILTERS_BUILTIN_H
#define IRQSHIFT_FILTERS_BUILTIN_H

#include "filters/filter.h"

extern const struct filter filter_host, filter_types;           /* types.c */
extern const struct filter filter_kvmclock, filter_icount;      /* clock.c */
extern const struct filter filter_tsc;                          /* tsc.c */
extern const struct filter filter_x2apic, filter_tsc_deadline;  /* modes.c */
extern const struct filter filter_cpu_state, filter_hflags;     /* cpustate.c, hflags.c */
extern const struct filter filter_nested;                       /* nested.c */
extern const struct filter filter_subsections, filter_paravirt; /* subsections.c, paravirt.c */
extern const struct filter filter_newer;                        /* newer.c */
extern const struct filter filter_unack;                        /* unack.c */
extern const struct filter filter_exceptions;                   /* exceptions.c */
extern const struct filter filter_directed_eoi, filter_visible; /* visible.c */
extern const struct filter filter_pic;                          /* pic.c */
extern const struct filter filter_remote_irr, filter_ioapic;    /* ioapic.c */
extern const struct filter filter_lapic_timer;                  /* lapic_timer.c */
extern const struct filter filter_pit;                          /* pit.c */
extern const struct filter filter_mp_state;                     /* mpstate.c */
extern const struct filter filter_requests;                     /* requests.c */

#endif

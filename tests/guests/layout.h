/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers that the assembler and the C sources of the guest share. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define MAX_CPUS 8
#define STACK_SIZE 4096

#define SEL_CODE 0x08
#define SEL_DATA 0x10

/* Where a SIPI with vector AP_PAGE >> 12 starts a processor. */
#define AP_PAGE 0x8000

#endif

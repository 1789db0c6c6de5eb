/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Polled output on COM1, and COM1's transmitter interrupt as a level source. */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include "cpu.h"

/* con_init - 8n1 with FIFO, no interrupts; @debugcon also copies every character to port 0xe9. */
void con_init(bool debugcon);

void con_text(const char *text);
void con_number(u64 value);

/* con_field - " name=value". */
void con_field(const char *name, u64 value);

/* con_line_raise - Raise COM1's interrupt line: the transmitter is empty and says so. */
void con_line_raise(void);

/* con_line_lower - Lower COM1's interrupt line. */
void con_line_lower(void);

#endif

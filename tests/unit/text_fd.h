/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text as a file. */
#ifndef IRQSHIFT_TESTS_UNIT_TEXT_FD_H
#define IRQSHIFT_TESTS_UNIT_TEXT_FD_H

/* text_fd - a descriptor at the start of a file in memory, or -1. */
int text_fd(const char *text);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the command line (-append). */
#ifndef GUEST_WORDS_H
#define GUEST_WORDS_H

#include "cpu.h"

/* words_init - Keep @line, the multiboot command line; NULL is an empty one. */
void words_init(const char *line);

/* words_have - Is @word there, as a whole word? */
bool words_have(const char *word);

/* words_number - The number behind "@name=", or @otherwise. @name ends in '='. */
u32 words_number(const char *name, u32 otherwise);

#endif

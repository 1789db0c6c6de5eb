/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files that are part of the program. Where they are, the Makefile says. */
#include "cli/demo.h"

#ifndef DEMO_GUEST
#define DEMO_GUEST "build/tests/guests/guest.elf"
#endif
#define DEMO_STREAM "tests/data/demo-kvm.stream"

/* NAME, hidden, is the bytes of a file, and NAME_size their number. */
#define EMBED(name, file)                                                                                       \
	__asm__(".pushsection .rodata\n.balign 16\n.globl " #name ", " #name "_size\n.hidden " #name ", " #name \
		"_size\n" #name ": .incbin \"" file "\"\n1: .balign 8\n" #name "_size: .quad 1b - " #name       \
		"\n.popsection\n")

EMBED(demo_guest, DEMO_GUEST);
EMBED(demo_stream, DEMO_STREAM);

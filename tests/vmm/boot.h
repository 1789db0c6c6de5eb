/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A Multiboot kernel in the memory of a machine: its segments, its modules, and the information that it finds at ebx.
 * Multiboot 0.6.96, section 3.3.
 */
#ifndef TESTS_VMM_BOOT_H
#define TESTS_VMM_BOOT_H

#include "tests/vmm/image.h"

struct boot_module {
	const char *text; /* its name and its arguments, as given to --initrd */
	const uint8_t *data;
	size_t size;
};

struct boot {
	const uint8_t *file; /* what @image describes */
	const struct image *image;
	const char *command_line; /* with the kernel's name at the front */
	const struct boot_module *modules;
	unsigned int nmodules;
};

/**
 * boot_load - fill a machine's memory
 * @b: what to load
 * @memory: from guest-physical 0 on, all zeros
 * @size: of it in bytes, at most 4 GiB
 * @ret_info: address of the information
 * @reterr: what does not fit
 *
 * Modules go on pages above the kernel, the information to the first pages from 0x9000 on that the kernel leaves free,
 * else above the modules. Information of the machine: memory size and map, command line, modules, loader.
 *
 * Return: 0; -EOPNOTSUPP when the memory is too small.
 */
int boot_load(const struct boot *b, uint8_t *memory, uint64_t size, uint32_t *ret_info, struct irqs_error *reterr);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Multiboot kernels as files, made by hand, for the tests to spoil. */
#ifndef TESTS_UNIT_VMM_KERNEL_H
#define TESTS_UNIT_VMM_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_SIZE 0x1100U      /* bytes of the file */
#define KERNEL_HEADER 0x100U     /* Multiboot header in it */
#define KERNEL_TABLE 0x40U       /* program headers, two of them */
#define KERNEL_TEXT 0x1000U      /* what is loaded, 0x100 bytes */
#define KERNEL_ADDRESS 0x100000U /* where to; the entry is 0x10 further on */
#define KERNEL_BSS 0x300000U     /* the other segment, 0x2000 bytes of which none are in the file */

/* kernel_elf - an executable of 32 or 64 bits; the text is its offsets, 0 to 0xff. */
void kernel_elf(uint8_t file[KERNEL_SIZE], bool wide);

/* kernel_addresses - no ELF file; from the header's place on it goes to KERNEL_ADDRESS, with 0x1000 bytes behind. */
void kernel_addresses(uint8_t file[KERNEL_SIZE]);

/* kernel_put - a little-endian number of 2, 4 or 8 bytes in it. */
void kernel_put(uint8_t *file, size_t at, unsigned int width, uint64_t value);

/* kernel_field - an address of the Multiboot header, by its offset in it. */
void kernel_field(uint8_t *file, unsigned int offset, uint32_t value);

#endif

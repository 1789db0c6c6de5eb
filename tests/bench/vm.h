/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM that never ran, and medians, for measurements of reading its state. */
#ifndef TESTS_BENCH_VM_H
#define TESTS_BENCH_VM_H

#include <stddef.h>
#include <stdint.h>

/* make_vm - with KVM's irqchip and PIT and @n vCPUs, whose descriptors and identifiers are filled in. Return: below 0 without. */
int make_vm(unsigned int n, int *vcpus, uint32_t *ids);

/* must - what was allocated; ends the program where nothing was. */
void *must(void *p);

/* median - sorts @v. */
double median(double *v, size_t n);

#endif

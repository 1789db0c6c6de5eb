/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IRQSHIFT_KVM_TEXT_PRIV_H
#define IRQSHIFT_KVM_TEXT_PRIV_H

#include <stdint.h>
#include <sys/types.h>

/* text_find_syscall - a SYSCALL instruction in the code of another process, vdso first. Return: 0, -ENOENT, -errno. */
int text_find_syscall(pid_t pid, uint64_t *ret);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Would the seccomp filters of a thread let a system call through? They are read and run here, on the same input that the
 * kernel would give them, because asking by trying may kill the process.
 */
#ifndef IRQSHIFT_KVM_SECCOMP_PRIV_H
#define IRQSHIFT_KVM_SECCOMP_PRIV_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct seccomp_filters {
	struct sock_fprog *programs;
	unsigned int n;
};

/**
 * seccomp_read - the filters of a thread that this thread has stopped by ptrace
 *
 * Return: 0; -EACCES without CAP_SYS_ADMIN; other -errno.
 */
int seccomp_read(pid_t tid, struct seccomp_filters *ret);

/* seccomp_run - what one filter returns: SECCOMP_RET_*; SECCOMP_RET_KILL_PROCESS for what is no filter. */
uint32_t seccomp_run(const struct sock_fprog *program, const struct seccomp_data *data);

/* seccomp_allows - whether all of them return SECCOMP_RET_ALLOW or SECCOMP_RET_LOG. */
bool seccomp_allows(const struct seccomp_filters *filters, const struct seccomp_data *data);

void seccomp_deinit(struct seccomp_filters *filters);

#endif

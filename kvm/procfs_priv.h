/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc says of a process and of its threads. */
#ifndef IRQSHIFT_KVM_PROCFS_PRIV_H
#define IRQSHIFT_KVM_PROCFS_PRIV_H

#include <stddef.h>
#include <sys/types.h>

/* procfs_status - a number of /proc/PID/task/TID/status: procfs_status(pid, tid, "Seccomp"). Return: it, or -errno. */
long procfs_status(pid_t pid, pid_t tid, const char *key);

/* procfs_comm - a thread's name without its newline; "" when it is gone. */
void procfs_comm(pid_t pid, pid_t tid, char *buf, size_t size);

/* procfs_runs_user_code - not a worker of the kernel (io_uring, vhost), not a zombie. */
int procfs_runs_user_code(pid_t pid, pid_t tid);

/* procfs_cannot_stop - waits in the kernel for what no signal ends: state D. */
int procfs_cannot_stop(pid_t pid, pid_t tid);

/* procfs_cpu - the CPU that a thread ran on last, or -errno. */
int procfs_cpu(pid_t pid, pid_t tid);

/*
 * procfs_memory - a process's memory, for reading and writing: the proof of the right to ptrace(2) it, for the kernel module.
 * Return: a descriptor, or -errno: -ESRCH where there is no such process.
 */
int procfs_memory(pid_t pid);

/**
 * procfs_numbers - the entries of a folder that are numbers: of /proc/PID/fd, of /proc/PID/task
 * @ret: receives an array in ascending order; free()
 *
 * Return: their count, or -errno.
 */
int procfs_numbers(const char *folder, int **ret);

#endif

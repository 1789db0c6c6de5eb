/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which tasks work for a VM, and which vCPU each one runs: by the names that VMMs and the kernel give them. */
#ifndef IRQSHIFT_KVM_EVENT_THREADS_H
#define IRQSHIFT_KVM_EVENT_THREADS_H

#include <stddef.h>
#include <sys/types.h>

#include "kvm/recording.h"

/* event_vcpu_of - the vCPU in a thread's name: "CPU 3/KVM", "fc_vcpu 3", "vcpu3", "crosvm_vcpu3". Return: it, or -1. */
int event_vcpu_of(const char *comm);

/**
 * event_threads - the threads of a process, then the kernel's threads that have its number in their names: kvm-pit/PID,
 * vhost-PID
 * @ret: receives them; free()
 * @ret_process: how many of them are the process's own
 *
 * Return: their count, or -errno.
 */
ssize_t event_threads(pid_t pid, struct recording_thread **ret, size_t *ret_process);

#endif

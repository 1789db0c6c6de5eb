/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A VM whose lines, messages and PIT interrupt it all the time, and whose vCPUs then interrupt each other. */
#ifndef IRQSHIFT_TESTS_MODULE_BUSY_VM_H
#define IRQSHIFT_TESTS_MODULE_BUSY_VM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define BUSY_VCPUS 4
#define BUSY_VECTOR 0x31 /* to itself */
#define BUSY_PEER_VECTOR 0x32
#define BUSY_MSI_VECTOR 0x33

struct busy_vm {
	int fd, vcpus[BUSY_VCPUS];
	unsigned int nvcpus;
	void *runs[BUSY_VCPUS];
	unsigned char *memory;
	pthread_t threads[BUSY_VCPUS], raiser;
	unsigned int started;
	_Atomic bool stop;
};

/* busy_vm_open - no test's assertions, so that it may be used in a child; 0 or -errno. Nothing runs yet. */
int busy_vm_open(struct busy_vm *vm, unsigned int nvcpus);

/* busy_vm_run - threads for its vCPUs and one that raises lines and messages; busy_vm_halt ends them. */
int busy_vm_run(struct busy_vm *vm);
void busy_vm_halt(struct busy_vm *vm);

void busy_vm_close(struct busy_vm *vm);

/* What a child says of its VM; in memory that both share. */
struct busy_child {
	pid_t pid;
	_Atomic bool ready, failed;
	int fd, vcpus[BUSY_VCPUS];
	unsigned int nvcpus;
};

/* busy_child_new/busy_child_free - the shared memory, of any number of children after each other. */
struct busy_child *busy_child_new(void);
void busy_child_free(struct busy_child *child);

/* busy_child_start - a process with such a VM that runs until it is killed; 0 once it runs, or -errno. */
int busy_child_start(struct busy_child *child, unsigned int nvcpus);

/* busy_child_get - a descriptor of the child in this process: pidfd_getfd(2); or -errno. */
int busy_child_get(const struct busy_child *child, int fd);

/* busy_child_mem - /proc/PID/mem of the child for reading and writing; or -errno. */
int busy_child_mem(const struct busy_child *child);

#endif

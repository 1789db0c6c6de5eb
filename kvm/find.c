/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/find.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/find_priv.h"
#include "kvm/procfs_priv.h"

#define LINK_VM "anon_inode:kvm-vm"
#define LINK_VCPU "anon_inode:kvm-vcpu:"
#define LINK_SYSTEM "/dev/kvm"

static int denied(pid_t pid, int err, struct irqs_error *reterr)
{
	if (err != EACCES && err != EPERM)
		return irqs_fail_errno(reterr, err, "process %d", (int)pid);
	return irqs_fail_errno(reterr, err, "process %d: its descriptors are for its own user and for CAP_SYS_PTRACE",
			       (int)pid);
}

static int one_more(void *array, unsigned int n, size_t size)
{
	void **at = array;
	void *more = realloc(*at, (n + 1) * size);

	if (!more)
		return -ENOMEM;
	*at = more;
	memset((char *)more + n * size, 0, size);
	return 0;
}

/* Return: 1 when both descriptors are of one open file, 0, or -errno. */
static int same_file(pid_t pid, int a, int b)
{
	long rc = syscall(SYS_kcmp, pid, pid, KCMP_FILE, (unsigned long)a, (unsigned long)b);

	return rc < 0 ? -errno : rc == 0;
}

static int find_vm(struct kvm_found *found, int fd, unsigned int *ret)
{
	for (unsigned int i = 0; i < found->nvms; i++) {
		int same = same_file(found->pid, found->vms[i].fd, fd);

		if (same)
			return *ret = i, same < 0 ? same : 0;
	}
	if (one_more(&found->vms, found->nvms, sizeof(*found->vms)))
		return -ENOMEM;
	found->vms[found->nvms].fd = fd;
	*ret = found->nvms++;
	return 0;
}

static int find_vcpu(struct kvm_found *found, int fd, uint32_t id, unsigned int *ret)
{
	for (unsigned int i = 0; i < found->nvcpus; i++) {
		int same = found->vcpus[i].id == id ? same_file(found->pid, found->vcpus[i].fd, fd) : 0;

		if (same)
			return *ret = i, same < 0 ? same : 0;
	}
	if (one_more(&found->vcpus, found->nvcpus, sizeof(*found->vcpus)))
		return -ENOMEM;
	found->vcpus[found->nvcpus] = (struct kvm_found_vcpu){ fd, id, -1 };
	*ret = found->nvcpus++;
	return 0;
}

static int add_fd(struct kvm_found *found, int fd)
{
	struct kvm_found_fd entry = { .fd = fd };
	char path[64], link[64];
	unsigned int id;
	ssize_t n;
	int rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)found->pid, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : -errno;
	link[n] = '\0';
	if (!strcmp(link, LINK_VM)) {
		entry.kind = KVM_FD_VM;
		rc = find_vm(found, fd, &entry.index);
	} else if (sscanf(link, LINK_VCPU "%u", &id) == 1) {
		entry.kind = KVM_FD_VCPU;
		rc = find_vcpu(found, fd, id, &entry.index);
	} else if (strcmp(link, LINK_SYSTEM) != 0) {
		return 0;
	}
	if (rc)
		return rc;
	if (one_more(&found->fds, found->nfds, sizeof(*found->fds)))
		return -ENOMEM;
	found->fds[found->nfds++] = entry;
	return 0;
}

static int add_thread(struct kvm_found *found, pid_t tid)
{
	struct kvm_found_thread *thread;

	if (!procfs_runs_user_code(found->pid, tid))
		return 0;
	if (one_more(&found->threads, found->nthreads, sizeof(*found->threads)))
		return -ENOMEM;
	thread = &found->threads[found->nthreads++];
	thread->tid = tid;
	thread->seccomp = (int)procfs_status(found->pid, tid, "Seccomp");
	procfs_comm(found->pid, tid, thread->comm, sizeof(thread->comm));
	return 0;
}

static int for_numbers(struct kvm_found *found, const char *folder, int (*add)(struct kvm_found *, int))
{
	char path[64];
	int *numbers, n, rc = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)found->pid, folder);
	n = procfs_numbers(path, &numbers);
	if (n < 0)
		return n == -ENOENT ? -ESRCH : n;
	for (int i = 0; i < n && !rc; i++)
		rc = add(found, numbers[i]);
	free(numbers);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	const struct kvm_found_vcpu *x = a, *y = b;

	return x->id != y->id ? (x->id > y->id) - (x->id < y->id) : (x->fd > y->fd) - (x->fd < y->fd);
}

/* The descriptors were entered in the order of their numbers: their indices change with the order of the vCPUs. */
static void sort_vcpus(struct kvm_found *found)
{
	if (!found->nvcpus)
		return;
	for (unsigned int i = 0; i < found->nfds; i++)
		if (found->fds[i].kind == KVM_FD_VCPU)
			found->fds[i].index = (unsigned int)found->vcpus[found->fds[i].index].fd;
	qsort(found->vcpus, found->nvcpus, sizeof(*found->vcpus), by_id);
	for (unsigned int i = 0; i < found->nfds; i++)
		for (unsigned int v = 0; found->fds[i].kind == KVM_FD_VCPU && v < found->nvcpus; v++)
			if (found->vcpus[v].fd == (int)found->fds[i].index) {
				found->fds[i].index = v;
				break;
			}
}

static int find(pid_t pid, bool threads, struct kvm_found *ret, struct irqs_error *reterr)
{
	struct kvm_found found = { .pid = pid };
	int rc = for_numbers(&found, "fd", add_fd);

	if (!rc && threads)
		rc = for_numbers(&found, "task", add_thread);
	if (rc) {
		kvm_found_deinit(&found);
		return denied(pid, -rc, reterr);
	}
	sort_vcpus(&found);
	for (unsigned int i = 0; i < found.nvcpus; i++)
		found.vcpus[i].vm = found.nvms == 1 ? 0 : -1;
	*ret = found;
	return 0;
}

int kvm_find(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr)
{
	return find(pid, true, ret, reterr);
}

int find_descriptors(pid_t pid, struct kvm_found *ret, struct irqs_error *reterr)
{
	return find(pid, false, ret, reterr);
}

void kvm_found_deinit(struct kvm_found *found)
{
	free(found->fds);
	free(found->vms);
	free(found->vcpus);
	free(found->threads);
	memset(found, 0, sizeof(*found));
}

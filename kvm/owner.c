/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/owner_priv.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEBUGFS "/sys/kernel/debug"
#define PAGE 4096
#define RING_PAGE 2 /* KVM_COALESCED_MMIO_PAGE_OFFSET of arch/x86/include/uapi/asm/kvm.h */
#define PFN_MASK ((UINT64_C(1) << 55) - 1)

/* The frame of the page that a vCPU shares with its VM; 0 when it cannot be told. */
static uint64_t ring_frame(int pidfd, int pagemap, int fd)
{
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	uint64_t entry = 0;
	volatile const char *page;

	if (copy < 0)
		return 0;
	page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, copy, RING_PAGE * PAGE);
	close(copy);
	if (page == MAP_FAILED)
		return 0;
	(void)page[0];
	if (pread(pagemap, &entry, sizeof(entry), (off_t)((uintptr_t)page / PAGE * sizeof(entry))) != sizeof(entry))
		entry = 0;
	munmap((void *)page, PAGE);
	return entry & PFN_MASK;
}

/* Frames of all vCPUs; 0 for those that cannot be told. */
static void ring_frames(const struct kvm_found *found, uint64_t *frames)
{
	int pidfd = (int)syscall(SYS_pidfd_open, found->pid, 0);
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	for (unsigned int i = 0; pidfd >= 0 && pagemap >= 0 && i < found->nvcpus; i++)
		frames[i] = ring_frame(pidfd, pagemap, found->vcpus[i].fd);
	if (pidfd >= 0)
		close(pidfd);
	if (pagemap >= 0)
		close(pagemap);
}

/* What debugfs says of one VM: its folder. The process part is the thread that created the VM. */
static bool vm_folder(const struct kvm_found *found, unsigned int vm, const char *debugfs, char *path, size_t size)
{
	char kvm[256];
	const struct dirent *entry;
	unsigned int hits = 0;
	DIR *dir;

	snprintf(kvm, sizeof(kvm), "%s/kvm", debugfs);
	dir = opendir(kvm);
	while (dir && (entry = readdir(dir))) {
		char task[64];
		int pid, fd;

		if (sscanf(entry->d_name, "%d-%d", &pid, &fd) != 2 || fd != found->vms[vm].fd)
			continue;
		snprintf(task, sizeof(task), "/proc/%d/task/%d", (int)found->pid, pid);
		if (pid != found->pid && access(task, F_OK))
			continue;
		if (snprintf(path, size, "%s/%s", kvm, entry->d_name) < (int)size)
			hits++;
	}
	if (dir)
		closedir(dir);
	return hits == 1;
}

/* The thread that ran vCPU @id of the VM last: 0 for none so far, -1 when there is no such vCPU. */
static int last_thread(const char *folder, uint32_t id)
{
	char path[512];
	int tid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/vcpu%u", folder, id);
	if (access(path, F_OK))
		return -1;
	snprintf(path, sizeof(path), "%s/vcpu%u/pid", folder, id);
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%d", &tid) != 1)
			tid = 0;
		fclose(f);
	}
	return tid;
}

/* Does what is known of vCPU @i speak against the VM of @folder? @proof: set when it speaks for it. */
static bool fits(const struct kvm_found *found, unsigned int i, const char *folder, const struct owner_run *runs,
		 unsigned int nruns, bool *proof)
{
	int tid = last_thread(folder, found->vcpus[i].id);

	for (unsigned int r = 0; tid >= 0 && r < nruns; r++) {
		if (runs[r].vcpu == i && runs[r].tid != tid)
			return false;
		*proof |= runs[r].vcpu == i;
	}
	return tid >= 0;
}

/* The only VM that nothing speaks against for any vCPU that shares @i's page. A thread runs one vCPU of one VM: proof. */
static int only_vm(const struct kvm_found *found, const uint64_t *frames, unsigned int i, const char *debugfs,
		   const struct owner_run *runs, unsigned int nruns)
{
	int one = -1, proven = -1;
	unsigned int nfits = 0, nproofs = 0;

	for (unsigned int vm = 0; vm < found->nvms; vm++) {
		bool all = true, proof = false;
		char folder[300];

		if (!vm_folder(found, vm, debugfs, folder, sizeof(folder)))
			return -1;
		for (unsigned int j = 0; j < found->nvcpus && all; j++)
			if (j == i || (frames[i] && frames[i] == frames[j]))
				all = fits(found, j, folder, runs, nruns, &proof);
		if (!all)
			continue;
		one = (int)vm;
		nfits++;
		if (proof) {
			proven = (int)vm;
			nproofs++;
		}
	}
	return nproofs == 1 ? proven : nfits == 1 ? one
						  : -1;
}

/* vCPUs with one page are of one VM: what is known of one holds for all. */
static void spread(struct kvm_found *found, const uint64_t *frames)
{
	for (unsigned int i = 0; i < found->nvcpus; i++)
		for (unsigned int j = 0; j < found->nvcpus && found->vcpus[i].vm < 0; j++)
			if (frames[i] && frames[i] == frames[j])
				found->vcpus[i].vm = found->vcpus[j].vm;
}

void owner_resolve(struct kvm_found *found, const struct owner_run *runs, unsigned int nruns, const char *debugfs)
{
	uint64_t *frames = calloc(found->nvcpus + 1, sizeof(*frames));

	if (!frames)
		return;
	ring_frames(found, frames);
	for (unsigned int i = 0; i < found->nvcpus; i++)
		if (found->vcpus[i].vm < 0)
			found->vcpus[i].vm = only_vm(found, frames, i, debugfs ? debugfs : DEBUGFS, runs, nruns);
	spread(found, frames);
	free(frames);
}

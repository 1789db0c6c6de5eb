/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/runmap.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* struct kvm_run with its synced registers is within the first page; the next ones are for PIO and coalesced MMIO. */
#define RUN_BYTES 4096
_Static_assert(sizeof(struct kvm_run) <= RUN_BYTES, "struct kvm_run in one page");

static int take_fd(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), copy, err;

	if (pidfd < 0)
		return -errno;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	err = errno;
	close(pidfd);
	return copy < 0 ? -err : copy;
}

int kvm_runmap_open(pid_t pid, int fd, struct kvm_runmap *ret, struct irqs_error *reterr)
{
	int copy = take_fd(pid, fd), err;
	void *run;

	if (copy < 0)
		return irqs_fail_errno(reterr, -copy, "process %d: descriptor %d", (int)pid, fd);
	run = mmap(NULL, RUN_BYTES, PROT_READ, MAP_SHARED, copy, 0);
	err = errno;
	close(copy);
	if (run == MAP_FAILED)
		return irqs_fail_errno(reterr, err, "process %d: mapping descriptor %d", (int)pid, fd);
	ret->run = run;
	return 0;
}

void kvm_runmap_read(const struct kvm_runmap *map, struct kvm_runmap_view *ret)
{
	const volatile struct kvm_run *run = map->run;

	*ret = (struct kvm_runmap_view){
		.exit_reason = run->exit_reason,
		.interrupts_on = run->if_flag,
		.ready = run->ready_for_interrupt_injection,
		.cr8 = run->cr8,
		.apic_base = run->apic_base,
		.synced = run->kvm_valid_regs,
		.regs = run->s.regs.regs,
		.sregs = run->s.regs.sregs,
		.events = run->s.regs.events,
	};
}

void kvm_runmap_close(struct kvm_runmap *map)
{
	if (map->run)
		munmap((void *)map->run, RUN_BYTES);
	map->run = NULL;
}

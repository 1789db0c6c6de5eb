/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/attach_state_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/extensions_priv.h"
#include "kvm/procfs_priv.h"

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static int ask_module(struct attach_state *s)
{
	struct kvm_netlink_info info;
	int rc = kvm_netlink_open(&s->nl, NULL);

	if (!rc)
		rc = kvm_netlink_info(s->nl, &info, NULL);
	if (!rc && !(info.features & IRQSHIFT_FEATURE_STATE))
		rc = -EOPNOTSUPP;
	return rc;
}

int attach_state_open(struct attach_state *s, pid_t pid)
{
	int rc;

	*s = (struct attach_state){ .mem = -1, .pidfd = -1, .system = -1 };
	rc = ask_module(s);
	if (!rc) {
		s->mem = procfs_memory(pid);
		s->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		s->system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
		rc = s->mem < 0 ? s->mem : s->pidfd < 0 ? -EACCES
							: 0;
	}
	if (rc)
		attach_state_close(s);
	return rc;
}

/* A descriptor is ours from its first use on: a VM has more vCPUs than a process may have descriptors. */
static int our_fd(struct attach_state *s, const struct kvm_port_call *c)
{
	unsigned int i = c->target == KVM_TARGET_VM ? 0 : 1 + c->vcpu;

	if (s->ours[i] < 0) {
		int fd = (int)syscall(SYS_pidfd_getfd, s->pidfd, i ? s->vcpu_fds[i - 1] : s->vm_fd, 0);

		if (fd < 0)
			return -errno;
		s->ours[i] = fd;
	}
	return s->ours[i];
}

static int try_it(struct attach_state *s)
{
	struct kvm_clock_data clock;
	struct kvm_port_call c = { .target = KVM_TARGET_VM, .request = KVM_GET_CLOCK, .arg = &clock, .size = sizeof(clock) };
	int rc = attach_state_list(s, &c, 1);

	return rc ? rc : c.result;
}

int attach_state_begin(struct attach_state *s, int vm_fd, const int *vcpu_fds, unsigned int nvcpus)
{
	int rc = -ENOMEM;

	s->vm_fd = vm_fd;
	s->vcpu_fds = vcpu_fds;
	s->nours = nvcpus + 1;
	s->ours = malloc(s->nours * sizeof(*s->ours));
	for (unsigned int i = 0; s->ours && i < s->nours; i++)
		s->ours[i] = -1;
	if (s->ours)
		rc = try_it(s);
	s->answered = 0;
	if (rc < 0)
		attach_state_close(s);
	return rc < 0 ? rc : 0;
}

static int some(struct attach_state *s, struct kvm_port_call *calls, size_t n)
{
	int fds[IRQSHIFT_STATE_ENTRIES_MAX], rc;

	for (size_t i = 0; i < n; i++) {
		fds[i] = our_fd(s, &calls[i]);
		if (fds[i] < 0)
			return fds[i];
	}
	rc = kvm_netlink_state(s->nl, s->mem, fds, calls, n, NULL);
	if (!rc)
		s->answered += (unsigned int)n;
	return rc;
}

int attach_state_list(struct attach_state *s, struct kvm_port_call *calls, size_t n)
{
	int rc = 0;

	for (size_t at = 0; at < n && !rc; at += IRQSHIFT_STATE_ENTRIES_MAX)
		rc = some(s, calls + at, n - at < IRQSHIFT_STATE_ENTRIES_MAX ? n - at : IRQSHIFT_STATE_ENTRIES_MAX);
	return rc;
}

enum does { NOTHING,
	    GET,
	    SET };

bool attach_state_reads(const struct kvm_port_call *c)
{
	switch (c->request) {
#define CASE(name, on, does, structure) \
	case name:                      \
		return does == GET;
		IRQSHIFT_COMMANDS(CASE)
#undef CASE
	default:
		return false;
	}
}

bool attach_state_other_way(int result)
{
	return result == -EOPNOTSUPP || result == -ECANCELED;
}

int attach_state_extension(const struct attach_state *s, unsigned long cap)
{
	int rc = ioctl(s->system, KVM_CHECK_EXTENSION, cap);

	return rc < 0 ? -errno : rc;
}

void attach_state_close(struct attach_state *s)
{
	int fds[] = { s->mem, s->pidfd, s->system };

	kvm_netlink_close(s->nl);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (unsigned int i = 0; s->ours && i < s->nours; i++)
		if (s->ours[i] >= 0)
			close(s->ours[i]);
	free(s->ours);
	*s = (struct attach_state){ .mem = -1, .pidfd = -1, .system = -1, .answered = s->answered };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/own.h"

#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "kvm/batch.h"

/* Ignored by default: a copy that slips through harms nobody. */
#define SETTLE_SIGNAL SIGURG

/* sigset_t as the kernel has it. */
#define KERNEL_SIGSET 8

static int own_call(struct kvm_port *port, enum kvm_target target, unsigned int vcpu, unsigned long request, void *arg,
		    size_t size)
{
	const struct kvm_own *own = (const struct kvm_own *)port;
	int fd = target == KVM_TARGET_VM ? own->vm : own->vcpus[vcpu];
	int rc = ioctl(fd, request, arg);

	(void)size;
	return rc < 0 ? -errno : rc;
}

void kvm_own_init(struct kvm_own *own, int vm, const int *vcpus, const uint32_t *ids, unsigned int nvcpus)
{
	*own = (struct kvm_own){
		.port = { .call = own_call, .vcpu_ids = ids, .nvcpus = nvcpus },
		.vm = vm,
		.vcpus = vcpus,
	};
}

static void own_batch(struct kvm_port *port, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	const struct kvm_own *own = (const struct kvm_own *)port;

	kvm_batch_list(own->batch, port, own->vm, own->vcpus, calls, n, mode);
}

void kvm_own_use(struct kvm_own *own, struct kvm_batch *batch)
{
	own->batch = batch;
	own->port.batch = batch ? own_batch : NULL;
}

/* All blocked in KVM_RUN but the one signal. */
static int set_mask(int fd)
{
	struct {
		struct kvm_signal_mask head;
		uint64_t set;
	} __attribute__((packed)) mask;

	mask.head.len = KERNEL_SIGSET;
	mask.set = ~(UINT64_C(1) << (SETTLE_SIGNAL - 1));
	return ioctl(fd, KVM_SET_SIGNAL_MASK, &mask) < 0 ? -errno : 0;
}

static int run_interrupted(int fd)
{
	struct timespec none = { 0 };
	sigset_t set;
	int rc = 0;

	pthread_kill(pthread_self(), SETTLE_SIGNAL);
	if (ioctl(fd, KVM_RUN, 0) == 0)
		rc = -EALREADY;
	else if (errno != EINTR)
		rc = -errno;
	sigemptyset(&set);
	sigaddset(&set, SETTLE_SIGNAL);
	sigtimedwait(&set, NULL, &none);
	return rc;
}

int kvm_own_settle(struct kvm_port *port, unsigned int vcpu)
{
	int fd = ((const struct kvm_own *)port)->vcpus[vcpu], rc;
	sigset_t set, old;

	sigemptyset(&set);
	sigaddset(&set, SETTLE_SIGNAL);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	rc = set_mask(fd);
	if (!rc) {
		rc = run_interrupted(fd);
		ioctl(fd, KVM_SET_SIGNAL_MASK, NULL);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine from its beginning to its end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/vmm/engine.h"

#define PAGE 4096
#define MULTIBOOT_LOADED 0x2badb002

/* ---- making one ---- */

static int check(const struct vmm_config *c, struct irqs_error *reterr)
{
	if (c->ncpus && c->ncpus <= VMM_MAX_CPUS && c->memory >= 1 << 20 && c->memory <= VMM_MAX_MEMORY &&
	    !(c->memory % PAGE) && c->mode <= VMM_USERSPACE)
		return 0;
	irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%u CPUs, %llu bytes of memory: out of range", c->ncpus,
		  (unsigned long long)c->memory);
	return -EINVAL;
}

static void init_locks(struct vmm *v)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&v->lock, NULL);
	pthread_mutex_init(&v->move_lock, NULL);
	pthread_mutex_init(&v->clock_lock, NULL);
	pthread_cond_init(&v->parked_cond, NULL);
	pthread_cond_init(&v->go_cond, NULL);
	pthread_cond_init(&v->timer_cond, &monotonic);
	for (unsigned int i = 0; i < v->config.ncpus; i++) {
		v->cpus[i].vmm = v;
		v->cpus[i].index = i;
		pthread_cond_init(&v->cpus[i].wake, NULL);
	}
	pthread_condattr_destroy(&monotonic);
}

static int fill(struct vmm *v, struct irqs_error *reterr)
{
	int rc;

	v->system = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (v->system < 0)
		return irqs_fail_errno(reterr, errno, "/dev/kvm");
	v->memory = mmap(NULL, v->config.memory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (v->memory == MAP_FAILED) {
		v->memory = NULL;
		return irqs_fail_errno(reterr, errno, "the guest's memory");
	}
	v->cpuid = kvm_side_cpuid(v, reterr);
	if (!v->cpuid)
		return -ENOMEM;
	rc = kvm_side_open(v, v->config.mode, &v->side, reterr);
	if (rc)
		return rc;
	if (ioctl(v->side->vcpus[0], KVM_GET_REGS, &v->reset_regs) || ioctl(v->side->vcpus[0], KVM_GET_SREGS, &v->reset_sregs))
		return irqs_fail_errno(reterr, errno, "registers after power-on");
	return 0;
}

int vmm_create(const struct vmm_config *c, struct vmm **ret, struct irqs_error *reterr)
{
	struct vmm *v;
	int rc = check(c, reterr);

	if (rc)
		return rc;
	v = calloc(1, sizeof(*v));
	if (!v)
		return irqs_fail_nomem(reterr);
	v->config = *c;
	v->system = -1;
	v->clock_offset = timer_host_ns();
	v->stopped_at = -1;
	init_locks(v);
	timer_clear(v);
	rc = fill(v, reterr);
	if (rc)
		vmm_destroy(v);
	else
		*ret = v;
	return rc;
}

void vmm_destroy(struct vmm *v)
{
	if (!v)
		return;
	kvm_side_close(v->side);
	free(v->cpuid);
	if (v->memory)
		munmap(v->memory, v->config.memory);
	if (v->system >= 0)
		close(v->system);
	free(v);
}

void *vmm_memory(struct vmm *v)
{
	return v->memory;
}

uint64_t vmm_memory_size(const struct vmm *v)
{
	return v->config.memory;
}

static struct kvm_segment flat(uint8_t type, uint16_t selector)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX, .selector = selector, .type = type, .present = 1, .db = 1, .s = 1, .g = 1
	};
}

int vmm_set_entry(struct vmm *v, uint32_t eip, uint32_t ebx)
{
	struct kvm_regs regs = { .rip = eip, .rax = MULTIBOOT_LOADED, .rbx = ebx, .rflags = 2 };
	struct kvm_sregs s;
	int fd = v->side->vcpus[0];

	if (ioctl(fd, KVM_GET_SREGS, &s))
		return -errno;
	s.cs = flat(0xb, 8);
	s.ds = s.es = s.fs = s.gs = s.ss = flat(3, 16);
	s.cr0 = (s.cr0 & ~UINT64_C(0xe0000000)) | 1;
	return ioctl(fd, KVM_SET_SREGS, &s) || ioctl(fd, KVM_SET_REGS, &regs) ? -errno : 0;
}

/* ---- running ---- */

static void ignore(int signal)
{
	(void)signal;
}

static int start(struct vmm *v, struct irqs_error *reterr)
{
	struct sigaction kick = { .sa_handler = ignore };
	int rc;

	sigaction(VMM_KICK, &kick, NULL);
	rc = pthread_create(&v->timer_thread, NULL, timer_thread, v);
	if (rc)
		return irqs_fail_errno(reterr, rc, "a thread");
	while (v->alive < v->config.ncpus) {
		rc = pthread_create(&v->cpus[v->alive].thread, NULL, vcpu_thread, &v->cpus[v->alive]);
		if (rc)
			return irqs_fail_errno(reterr, rc, "a thread");
		v->alive++;
	}
	return 0;
}

int vmm_run(struct vmm *v, struct irqs_error *reterr)
{
	struct irqs_error err = { 0 };
	unsigned int n;
	int rc;

	pthread_mutex_lock(&v->lock);
	rc = start(v, &err);
	n = v->alive;
	if (rc)
		vmm_fail(v, rc, &err);
	pthread_mutex_unlock(&v->lock);
	for (unsigned int i = 0; i < n; i++)
		pthread_join(v->cpus[i].thread, NULL);
	pthread_join(v->timer_thread, NULL);
	if (v->code < 0 && reterr)
		*reterr = v->error;
	return v->code;
}

static void end(struct vmm *v, int code)
{
	if (v->quit)
		return;
	v->quit = true;
	v->code = code;
	pthread_cond_broadcast(&v->timer_cond);
	for (unsigned int i = 0; i < v->config.ncpus; i++)
		vcpu_kick(v, i);
}

void vmm_fail(struct vmm *v, int code, const struct irqs_error *error)
{
	if (!v->quit && error)
		v->error = *error;
	end(v, code);
}

void vmm_quit(struct vmm *v, int code)
{
	pthread_mutex_lock(&v->lock);
	end(v, code);
	pthread_mutex_unlock(&v->lock);
}

void vmm_line(struct vmm *v, unsigned int gsi, bool level)
{
	if (gsi >= VMM_LINES)
		return;
	pthread_mutex_lock(&v->lock);
	v->lines = level ? v->lines | UINT32_C(1) << gsi : v->lines & ~(UINT32_C(1) << gsi);
	kvm_side_line(v->side, gsi, level);
	pthread_mutex_unlock(&v->lock);
}

enum vmm_mode vmm_mode(const struct vmm *v)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&v->lock;
	enum vmm_mode mode;

	pthread_mutex_lock(lock);
	mode = v->side->mode;
	pthread_mutex_unlock(lock);
	return mode;
}

/* ---- standing still ---- */

void clock_stop(struct vmm *v)
{
	pthread_mutex_lock(&v->clock_lock);
	v->stopped_at = timer_host_ns() - v->clock_offset;
	pthread_mutex_unlock(&v->clock_lock);
}

void clock_start(struct vmm *v, int64_t host_ns)
{
	pthread_mutex_lock(&v->clock_lock);
	if (v->stopped_at >= 0) {
		v->clock_offset = host_ns - v->stopped_at;
		v->started_at = host_ns;
	}
	v->stopped_at = -1;
	pthread_mutex_unlock(&v->clock_lock);
}

uint64_t clock_started(struct vmm *v)
{
	int64_t ns;

	pthread_mutex_lock(&v->clock_lock);
	ns = v->stopped_at >= 0 ? 0 : timer_host_ns() - v->started_at;
	pthread_mutex_unlock(&v->clock_lock);
	return (uint64_t)ns;
}

void vmm_stop(struct vmm *v)
{
	pthread_mutex_lock(&v->lock);
	v->stopping = true;
	for (unsigned int i = 0; i < v->config.ncpus; i++)
		vcpu_kick(v, i);
	while (v->parked < v->alive)
		pthread_cond_wait(&v->parked_cond, &v->lock);
	clock_stop(v);
}

void vmm_go(struct vmm *v)
{
	clock_start(v, timer_host_ns());
	v->stopping = false;
	pthread_cond_broadcast(&v->go_cond);
	pthread_cond_broadcast(&v->timer_cond);
	pthread_mutex_unlock(&v->lock);
}

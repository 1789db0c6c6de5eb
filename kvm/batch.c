/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kvm/batch_priv.h"
#include "kvm/extensions_priv.h"

/* A submission costs about as much as this many ioctls. */
#define WORTH_IT 4
/* And to have a part of it run by somebody else, as much as this many. */
#define PART_MIN 64

/* Parts that lost time are left alone for so many lists, and twice as many each time. */
#define PAUSE_MIN 16
#define PAUSE_MAX 1024

/* What an ioctl takes in lists that can be cut, in one part and in several: what is faster shows when both were tried. */
struct pace {
	uint64_t whole_ps, cut_ps;
	unsigned int pause, left; /* lists that are not cut: the last time, and still */
};

struct kvm_batch {
	struct batch_engine *engine;
	struct pace pace;
	pid_t owner; /* of the ring */
	struct irqshift_entry *entries;
	size_t room;
};

struct kvm_batch *batch_new(struct batch_engine *engine)
{
	struct kvm_batch *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->engine = engine;
	b->owner = getpid();
	return b;
}

/* A descriptor that is none: nothing is run, and the answer stands where it has to. */
int batch_check(struct batch_engine *engine)
{
	struct kvm_mp_state mp;
	struct irqshift_entry e = {
		.fd = -1,
		.command = KVM_GET_MP_STATE,
		.data = (uintptr_t)&mp,
		.size = sizeof(mp),
		.result = 1,
	};
	const uint32_t at[] = { 0, 1 };
	int rc = engine->submit(engine, IRQSHIFT_URING_GATHER, &e, at, 1);

	if (rc < 0)
		return rc == -EINVAL ? -EPROTO : rc;
	return rc || e.result != -EBADF ? -EPROTO : 0;
}

int kvm_batch_open(struct kvm_batch **ret, struct irqs_error *reterr)
{
	struct batch_engine *engine;
	int rc;

	*ret = NULL;
	rc = batch_uring(&engine, reterr);
	if (rc)
		return rc;
	rc = batch_check(engine);
	if (rc)
		rc = irqs_fail_errno(reterr, -rc, "/dev/" IRQSHIFT_DEVICE_NAME ": a batch");
	else if (!(*ret = batch_new(engine)))
		rc = irqs_fail_nomem(reterr);
	if (rc)
		engine->close(engine);
	return rc;
}

void kvm_batch_close(struct kvm_batch *b)
{
	if (!b)
		return;
	b->engine->close(b->engine);
	free(b->entries);
	free(b);
}

enum does { NOTHING,
	    GET,
	    SET };

/* What the module may be asked. */
static enum does does(const struct kvm_port_call *c)
{
	switch (c->request) {
#define CASE(name, on, what, structure) \
	case name:                      \
		return what;
		IRQSHIFT_COMMANDS(CASE)
#undef CASE
	default:
		return NOTHING;
	}
}

static bool fits(const struct kvm_port_call *c, enum kvm_list_mode mode)
{
	enum does what = does(c);

	if (what == NOTHING || (what == SET && mode == KVM_LIST_ALL))
		return false;
	if (c->request == KVM_GET_MSRS || c->request == KVM_SET_MSRS)
		return ((const struct kvm_msrs *)c->arg)->nmsrs <= IRQSHIFT_MSRS_MAX;
	return true;
}

static bool all_fit(const struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode)
{
	for (size_t i = 0; i < n; i++)
		if (!fits(&calls[i], mode))
			return false;
	return true;
}

static bool make_room(struct kvm_batch *b, size_t n)
{
	struct irqshift_entry *more;

	if (n <= b->room)
		return true;
	more = realloc(b->entries, n * sizeof(*more));
	if (!more)
		return false;
	b->entries = more;
	b->room = n;
	return true;
}

static struct irqshift_entry entry_of(const struct kvm_port_call *c, int vm, const int *vcpus)
{
	return (struct irqshift_entry){
		.fd = c->target == KVM_TARGET_VM ? vm : vcpus[c->vcpu],
		.command = (uint32_t)c->request,
		.data = c->size ? (uintptr_t)c->arg : 0,
		.size = (uint32_t)c->size,
		.result = -ECANCELED,
	};
}

/* What may come of the module and not of the ioctl: that is made then. They only read, so twice is no harm. */
static bool ask_again(int result)
{
	return result == -EPERM || result == -EINVAL || result == -EFAULT || result == -ECANCELED || result == -EOPNOTSUPP;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/*
 * How many parts are worth it: side by side they are faster by the number of CPUs where those are idle, and slower where
 * they are not, for then the list is done when the last of its workers has had its turn.
 */
static unsigned int worth(struct kvm_batch *b, uint32_t n)
{
	unsigned int most = n / PART_MIN < b->engine->parts ? n / PART_MIN : b->engine->parts;

	if (most < 2 || !b->pace.whole_ps)
		return 1;
	if (b->pace.left) {
		b->pace.left--;
		return 1;
	}
	return most;
}

static void learn(struct pace *p, unsigned int parts, uint32_t n, uint64_t ns)
{
	uint64_t ps = ns * 1000 / n + 1;

	if (n < 2 * PART_MIN)
		return;
	if (parts == 1) {
		p->whole_ps = p->whole_ps ? (p->whole_ps + ps) / 2 : ps;
		return;
	}
	p->cut_ps = ps;
	if (p->cut_ps < p->whole_ps) {
		p->pause = 0;
		return;
	}
	p->pause = p->pause ? 2 * p->pause : PAUSE_MIN;
	if (p->pause > PAUSE_MAX)
		p->pause = PAUSE_MAX;
	p->left = p->pause;
}

/* A list is cut between two vCPUs, and not at all where the VM is in it. Return: how many parts. */
static unsigned int cut(const struct kvm_port_call *calls, uint32_t n, unsigned int wanted, uint32_t *at)
{
	unsigned int parts = 0;
	uint32_t last = 0;

	at[0] = 0;
	for (uint32_t i = 0; i < n && wanted > 1; i++) {
		if (calls[i].target == KVM_TARGET_VM || (i && calls[i].vcpu < calls[i - 1].vcpu)) {
			parts = 0;
			break;
		}
		if (i && calls[i].vcpu != calls[i - 1].vcpu && parts + 1 < wanted && i - last >= n / wanted)
			at[++parts] = last = i;
	}
	at[++parts] = n;
	return parts;
}

/* Return: whether the module has answered. */
static bool by_module(struct kvm_batch *b, int vm, const int *vcpus, struct kvm_port_call *calls, size_t n,
		      enum kvm_list_mode mode)
{
	uint32_t op = mode == KVM_LIST_ALL ? IRQSHIFT_URING_GATHER : IRQSHIFT_URING_RESTORE, at[BATCH_PARTS_MAX + 1];
	unsigned int nparts = cut(calls, (uint32_t)n, mode == KVM_LIST_ALL ? worth(b, (uint32_t)n) : 1, at);
	uint64_t begin = now_ns();
	int rc;

	for (size_t i = 0; i < n; i++)
		b->entries[i] = entry_of(&calls[i], vm, vcpus);
	rc = b->engine->submit(b->engine, op, b->entries, at, nparts);
	/* Of several parts, one that was run is no reason to begin anew: the others' entries say that they were not. */
	if (rc < 0 && nparts == 1)
		return false;
	learn(&b->pace, nparts, (uint32_t)n, now_ns() - begin);
	for (size_t i = 0; i < n; i++)
		calls[i].result = b->entries[i].result;
	return true;
}

static void some(struct kvm_batch *b, struct kvm_port *port, int vm, const int *vcpus, struct kvm_port_call *calls, size_t n,
		 enum kvm_list_mode mode)
{
	if (!by_module(b, vm, vcpus, calls, n, mode)) {
		kvm_list_loop(port, calls, n, mode);
		return;
	}
	for (size_t i = 0; i < n && mode == KVM_LIST_ALL; i++)
		if (ask_again(calls[i].result))
			kvm_list_loop(port, &calls[i], 1, mode);
}

/* None failed: else what follows is not made. */
static bool all_done(const struct kvm_port_call *calls, size_t n)
{
	return !n || !kvm_port_call_failed(&calls[n - 1]);
}

void kvm_batch_list(struct kvm_batch *b, struct kvm_port *port, int vm, const int *vcpus, struct kvm_port_call *calls,
		    size_t n, enum kvm_list_mode mode)
{
	size_t at = 0, step = n < IRQSHIFT_BATCH_MAX ? n : IRQSHIFT_BATCH_MAX;

	if (!b || n < WORTH_IT || b->owner != getpid() || !all_fit(calls, n, mode) || !make_room(b, step)) {
		kvm_list_loop(port, calls, n, mode);
		return;
	}
	for (; at < n && (mode == KVM_LIST_ALL || all_done(calls, at)); at += step) {
		if (step > n - at)
			step = n - at;
		some(b, port, vm, vcpus, calls + at, step, mode);
	}
	for (; at < n; at++)
		calls[at].result = -ECANCELED;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "kvm/batch_priv.h"
#include "kvm/extensions_priv.h"

/* A submission costs about as much as this many ioctls. */
#define WORTH_IT 4
/* To wake a helper and to send it home, as much as this many. */
#define PART_MIN 64

/*
 * Helpers are faster where CPUs are idle, and slower where they are not: the list is done when the last of them has had its
 * turn. So both ways are tried, and the one that was faster is taken, by the median of a few: single ones say little.
 */
#define SAMPLES 5
#define OTHER_WAY_EVERY 8

enum way { ALONE,
	   HELPED,
	   WAYS };

/* Of lists that begin with the same ioctl. @took: ps for each ioctl of the last lists. */
struct pace {
	unsigned long request;
	unsigned int lists, tried[WAYS];
	uint64_t took[WAYS][SAMPLES];
};

#define PACES 8

struct kvm_batch {
	struct batch_engine *engine;
	struct pace paces[PACES];
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
	int rc = engine->submit(engine, IRQSHIFT_URING_GATHER, &e, 1, NULL, 0);

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
	return result == -EPERM || result == -EINVAL || result == -EFAULT || result == -ECANCELED || result == -EINPROGRESS ||
	       result == -EOPNOTSUPP;
}

/* Of different vCPUs, the order is nobody's business; of the VM, it is. */
static bool by_vcpu(const struct kvm_port_call *calls, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (calls[i].target == KVM_TARGET_VM || (i && calls[i].vcpu < calls[i - 1].vcpu))
			return false;
	return true;
}

/* The helpers begin at equal distances, each at the first entry of a vCPU. Return: how many. */
static unsigned int place(const struct batch_engine *engine, const struct kvm_port_call *calls, uint32_t n, uint32_t *first)
{
	unsigned int most = n / PART_MIN, placed = 0;

	if (most > engine->helpers + 1)
		most = engine->helpers + 1;
	if (most < 2 || !by_vcpu(calls, n))
		return 0;
	for (uint32_t i = n / most; i < n && placed + 1 < most; i++)
		if (i >= (placed + 1) * (n / most) && calls[i].vcpu != calls[i - 1].vcpu)
			first[placed++] = i;
	return placed;
}

/* More kinds of lists than there are places do not occur; if they did, some would share one. */
static struct pace *pace_of(struct kvm_batch *b, unsigned long request)
{
	unsigned int i = 0;

	while (i < PACES - 1 && b->paces[i].lists && b->paces[i].request != request)
		i++;
	b->paces[i].request = request;
	return &b->paces[i];
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t usual(const struct pace *p, enum way way)
{
	uint64_t took[SAMPLES];

	memcpy(took, p->took[way], sizeof(took));
	qsort(took, SAMPLES, sizeof(took[0]), by_size);
	return took[SAMPLES / 2];
}

static enum way choose(struct pace *p)
{
	enum way better;

	p->lists++;
	if (p->tried[HELPED] < SAMPLES)
		return HELPED;
	if (p->tried[ALONE] < SAMPLES)
		return ALONE;
	better = usual(p, HELPED) < usual(p, ALONE) ? HELPED : ALONE;
	return p->lists % OTHER_WAY_EVERY ? better : better == HELPED ? ALONE
								      : HELPED;
}

/* Of a gather that helpers can be of use to. Return: as submit(); *@nhelpers is how many there were. */
static int submit_gather(struct kvm_batch *b, const struct kvm_port_call *calls, uint32_t n, unsigned int *nhelpers)
{
	uint32_t first[BATCH_HELPERS_MAX];
	unsigned int could = place(b->engine, calls, n, first);
	struct pace *p = could ? pace_of(b, calls[0].request) : NULL;
	enum way way = p ? choose(p) : ALONE;
	int64_t begin = monotonic_ns();
	int rc;

	*nhelpers = way == HELPED ? could : 0;
	rc = b->engine->submit(b->engine, IRQSHIFT_URING_GATHER, b->entries, n, first, *nhelpers);
	if (p)
		p->took[way][p->tried[way]++ % SAMPLES] = (uint64_t)(monotonic_ns() - begin) * 1000 / n;
	return rc;
}

/* Return: whether the module has answered. */
static bool by_module(struct kvm_batch *b, int vm, const int *vcpus, struct kvm_port_call *calls, size_t n,
		      enum kvm_list_mode mode)
{
	unsigned int nhelpers = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		b->entries[i] = entry_of(&calls[i], vm, vcpus);
	if (mode == KVM_LIST_ALL)
		rc = submit_gather(b, calls, (uint32_t)n, &nhelpers);
	else
		rc = b->engine->submit(b->engine, IRQSHIFT_URING_RESTORE, b->entries, (uint32_t)n, NULL, 0);
	/* What a helper has run counts: the entries say it. */
	if (rc < 0 && !nhelpers)
		return false;
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

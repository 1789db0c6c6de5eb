/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of /dev/irqshift by io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "kvm/batch_priv.h"

#define DEVICE "/dev/" IRQSHIFT_DEVICE_NAME

struct uring {
	struct batch_engine engine; /* first */
	struct io_uring ring;
	int device;
	bool broken; /* something is left in the ring that nobody waits for: it is not used any more */
};

/* liburing 2.3 has no helper for it. The payload is where a longer SQE would go on. */
static void prepare(struct io_uring_sqe *sqe, int device, uint32_t op, const struct irqshift_batch *payload)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = device;
	sqe->cmd_op = op;
	memcpy((char *)sqe + offsetof(struct io_uring_sqe, cmd), payload, sizeof(*payload));
}

/* The caller's own command; those of helpers are numbered from 1. And of asking one to stop. */
#define OWN 0
#define STOP (BATCH_HELPERS_MAX + 1)

/* How long a helper may still be at its last entry; to be put to sleep and woken takes longer. */
#define SPIN_NS 20000

/* What is out: commands that have not answered, @left of them and of the requests to stop. */
struct wait {
	int own;
	unsigned int left;
	bool out[BATCH_HELPERS_MAX + 1];
};

static void take_cqe(struct uring *u, struct wait *w, const struct io_uring_cqe *cqe)
{
	if (cqe->user_data == OWN)
		w->own = cqe->res;
	if (cqe->user_data < STOP)
		w->out[cqe->user_data] = false;
	w->left--;
	io_uring_cqe_seen(&u->ring, (struct io_uring_cqe *)cqe);
}

/* submit_all - what was prepared, @n of it. Return: how many the kernel has; with others left the ring is of no use any more. */
static unsigned int submit_all(struct uring *u, unsigned int n, unsigned int wait)
{
	int rc;

	do
		rc = io_uring_submit_and_wait(&u->ring, wait);
	while (rc == -EINTR);
	/* What is left there has addresses that will mean something else. */
	u->broken = rc != (int)n;
	return rc > 0 ? (unsigned int)rc : 0;
}

/* A helper whose turn has not come need not be waited for: all is done. One that is at work ends by itself. */
static void stop_helpers(struct uring *u, struct wait *w)
{
	unsigned int n = 0;

	for (unsigned int i = OWN + 1; i < STOP; i++) {
		struct io_uring_sqe *sqe = w->out[i] ? io_uring_get_sqe(&u->ring) : NULL;

		if (!sqe)
			continue;
		io_uring_prep_cancel64(sqe, i, 0);
		sqe->user_data = STOP;
		n++;
	}
	w->left += submit_all(u, n, 1);
}

static bool answers_soon(struct uring *u)
{
	int64_t until = monotonic_ns() + SPIN_NS;

	while (!io_uring_cq_ready(&u->ring))
		if (monotonic_ns() > until)
			return false;
	return true;
}

/* The entries are the module's until all have answered: a signal does not end the waiting. */
static void wait_for(struct uring *u, struct wait *w)
{
	bool stopped = u->broken;
	struct io_uring_cqe *cqe;
	int rc;

	while (w->left) {
		rc = io_uring_peek_cqe(&u->ring, &cqe);
		if (rc && !stopped && !w->out[OWN]) {
			if (answers_soon(u))
				continue;
			stopped = true;
			stop_helpers(u, w);
			continue;
		}
		if (rc)
			rc = io_uring_wait_cqe(&u->ring, &cqe);
		if (!rc)
			take_cqe(u, w, cqe);
		else if (rc != -EINTR && rc != -EAGAIN)
			break;
	}
	u->broken = u->broken || w->left;
}

/* The helpers' commands first: those are handed to workers, and then the caller's own is run in here. */
static int submit(struct batch_engine *engine, uint32_t op, struct irqshift_entry *entries, uint32_t count,
		  const uint32_t *first, unsigned int nhelpers)
{
	struct uring *u = (struct uring *)engine;
	struct wait w = { .own = -EIO };

	if (u->broken)
		return -EIO;
	for (unsigned int i = 0; i <= nhelpers; i++) {
		const bool own = i == nhelpers;
		const struct irqshift_batch payload = {
			.entries = (uintptr_t)entries,
			.count = count,
			.flags = IRQSHIFT_BATCH_INLINE | (nhelpers ? IRQSHIFT_BATCH_SHARED : 0),
			.first = (uint16_t)(own ? 0 : first[i]),
		};
		struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

		if (!sqe) {
			u->broken = true;
			return -EIO;
		}
		prepare(sqe, u->device, op, &payload);
		sqe->user_data = own ? OWN : i + 1;
		sqe->flags = own ? 0 : IOSQE_ASYNC;
		w.out[sqe->user_data] = true;
	}
	w.left = submit_all(u, nhelpers + 1, 0);
	wait_for(u, &w);
	return w.own;
}

static void uring_close(struct batch_engine *engine)
{
	struct uring *u = (struct uring *)engine;

	io_uring_queue_exit(&u->ring);
	close(u->device);
	free(u);
}

static bool has_commands(struct io_uring *ring)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
	bool has = probe && io_uring_opcode_supported(probe, IORING_OP_URING_CMD);

	io_uring_free_probe(probe);
	return has;
}

static int open_ring(struct uring *u, struct irqs_error *reterr)
{
	int rc = io_uring_queue_init(BATCH_HELPERS_MAX + 1, &u->ring, 0);

	if (rc)
		return irqs_fail_errno(reterr, -rc, "io_uring");
	if (has_commands(&u->ring))
		return 0;
	io_uring_queue_exit(&u->ring);
	return irqs_fail_errno(reterr, ENOSYS, "io_uring: commands of drivers");
}

/* One for each CPU that the caller may run on besides the one that it is on. */
static unsigned int helpers(void)
{
	cpu_set_t cpus;
	unsigned int n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (unsigned int)CPU_COUNT(&cpus);

	return n > BATCH_HELPERS_MAX ? BATCH_HELPERS_MAX : n - 1;
}

int batch_uring(struct batch_engine **ret, struct irqs_error *reterr)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return irqs_fail_nomem(reterr);
	u->engine = (struct batch_engine){ helpers(), submit, uring_close };
	u->device = open(DEVICE, O_RDWR | O_CLOEXEC);
	rc = u->device < 0 ? irqs_fail_errno(reterr, errno, DEVICE) : open_ring(u, reterr);
	if (!rc) {
		*ret = &u->engine;
		return 0;
	}
	if (u->device >= 0)
		close(u->device);
	free(u);
	return rc;
}

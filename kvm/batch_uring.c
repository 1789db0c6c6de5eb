/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of /dev/irqshift by io_uring. */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The entries are the module's until it has answered: a signal does not end the waiting. */
static int wait_for_one(struct uring *u)
{
	struct io_uring_cqe *cqe;
	int rc;

	do
		rc = io_uring_wait_cqe(&u->ring, &cqe);
	while (rc == -EINTR || rc == -EAGAIN);
	if (rc) {
		u->broken = true;
		return rc;
	}
	rc = cqe->res;
	io_uring_cqe_seen(&u->ring, cqe);
	return rc;
}

static int wait_for(struct uring *u, unsigned int n)
{
	int res = 0;

	for (unsigned int i = 0; i < n && !u->broken; i++) {
		int one = wait_for_one(u);

		res = one < 0 ? one : res;
		if (n == 1)
			return one;
	}
	return res;
}

/* All but the last are handed to workers, and then the last is run in here. */
static int submit(struct batch_engine *engine, uint32_t op, struct irqshift_entry *entries, const uint32_t *at,
		  unsigned int nparts)
{
	struct uring *u = (struct uring *)engine;
	int rc;

	for (unsigned int i = 0; i < nparts; i++) {
		const struct irqshift_batch payload = {
			.entries = (uintptr_t)(entries + at[i]),
			.count = at[i + 1] - at[i],
			.flags = IRQSHIFT_BATCH_INLINE,
		};
		struct io_uring_sqe *sqe = u->broken ? NULL : io_uring_get_sqe(&u->ring);

		if (!sqe)
			return -EIO;
		prepare(sqe, u->device, op, &payload);
		if (i + 1 < nparts)
			sqe->flags = IOSQE_ASYNC;
	}
	do
		rc = io_uring_submit(&u->ring);
	while (rc == -EINTR);
	/* What is left there has addresses that will mean something else. */
	if (rc != (int)nparts)
		u->broken = true;
	return rc > 0 ? wait_for(u, (unsigned int)rc) : rc ? rc
							   : -EIO;
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
	int rc = io_uring_queue_init(BATCH_PARTS_MAX, &u->ring, 0);

	if (rc)
		return irqs_fail_errno(reterr, -rc, "io_uring");
	if (has_commands(&u->ring))
		return 0;
	io_uring_queue_exit(&u->ring);
	return irqs_fail_errno(reterr, ENOSYS, "io_uring: commands of drivers");
}

/* As many as there are CPUs for them. */
static unsigned int parts(void)
{
	cpu_set_t cpus;
	int n = sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : CPU_COUNT(&cpus);

	return n < BATCH_PARTS_MAX ? (unsigned int)n : BATCH_PARTS_MAX;
}

int batch_uring(struct batch_engine **ret, struct irqs_error *reterr)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc;

	if (!u)
		return irqs_fail_nomem(reterr);
	u->engine = (struct batch_engine){ parts(), submit, uring_close };
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

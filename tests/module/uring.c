/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "uring.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "apic/reg.h"

/* liburing 2.3 has no names for these: the payload, and the flags of the command. */
#define PAYLOAD 48
#define COMMAND_FIXED 1U

void uring_command(struct io_uring_sqe *sqe, int device, uint32_t op, const struct irqshift_batch *batch)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = device;
	sqe->off = op; /* cmd_op and a pad that is 0 */
	memcpy((char *)sqe + PAYLOAD, batch, sizeof(*batch));
}

void uring_fix(struct io_uring_sqe *sqe, uint16_t index)
{
	sqe->rw_flags = COMMAND_FIXED;
	sqe->buf_index = index;
}

int uring_wait(struct io_uring *ring)
{
	struct __kernel_timespec limit = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;
	int rc = io_uring_wait_cqe_timeout(ring, &cqe, &limit);

	if (rc < 0)
		return rc;
	rc = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return rc;
}

int uring_run(struct io_uring *ring)
{
	int rc = io_uring_submit(ring);

	return rc < 0 ? rc : uring_wait(ring);
}

int uring_batch(struct io_uring *ring, int device, uint32_t op, struct irqshift_entry *entries, uint32_t count, uint16_t inl,
		unsigned int flags)
{
	const struct irqshift_batch batch = { .entries = (uintptr_t)entries, .count = count, .flags = inl };
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		return -EBUSY;
	uring_command(sqe, device, op, &batch);
	sqe->flags = (uint8_t)flags;
	return uring_run(ring);
}

static const struct {
	uint32_t command, size;
} commands[] = {
#define ROW(name, on, does, structure) { name, sizeof(structure) },
	IRQSHIFT_COMMANDS(ROW)
#undef ROW
};

uint32_t uring_size(uint32_t command, uint32_t nmsrs)
{
	if (command == KVM_GET_TSC_KHZ)
		return 0;
	for (size_t i = 0; i < REG_ARRAY_SIZE(commands); i++)
		if (commands[i].command == command)
			return commands[i].size + (command == KVM_GET_MSRS || command == KVM_SET_MSRS ? nmsrs * (uint32_t)sizeof(struct kvm_msr_entry) : 0);
	return 0;
}

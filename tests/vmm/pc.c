/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/pc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/vmm/board.h"

#define PAGE 4096U

struct pc {
	struct vmm *vmm;
	struct board board;
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
};

static int64_t host_now(void *ctx)
{
	return pc_now_ns(ctx);
}

static void host_line(void *ctx, unsigned int gsi, bool level)
{
	const struct pc *pc = ctx;

	vmm_line(pc->vmm, gsi, level);
}

static void host_quit(void *ctx, int status)
{
	pc_quit(ctx, status);
}

static void host_put(void *ctx, uint8_t byte)
{
	const struct pc *pc = ctx;

	pc->put(pc->ctx, byte);
}

/* KVM forgets a page whose protection changes, and faults it in anew. */
static void host_flush_page(void *ctx, uint32_t address)
{
	const struct pc *pc = ctx;
	uint8_t *page = (uint8_t *)vmm_memory(pc->vmm) + address / PAGE * PAGE;

	if (address / PAGE >= vmm_memory_size(pc->vmm) / PAGE)
		return;
	mprotect(page, PAGE, PROT_READ);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

int pc_create(const struct pc_config *c, struct pc **ret, struct irqs_error *reterr)
{
	struct pc *pc = calloc(1, sizeof(*pc));
	const struct host host = {
		.now_ns = host_now,
		.line = host_line,
		.quit = host_quit,
		.put = host_put,
		.flush_page = host_flush_page,
		.ctx = pc,
	};
	int rc;

	if (!pc)
		return irqs_fail_nomem(reterr);
	rc = vmm_create(&(struct vmm_config){ .mode = c->mode,
					      .ncpus = c->ncpus,
					      .memory = c->memory,
					      .io = { .pio = board_pio, .mmio = board_mmio, .ctx = &pc->board },
					      .x2apic = c->x2apic },
			&pc->vmm, reterr);
	if (rc) {
		free(pc);
		return rc;
	}
	pc->put = c->put;
	pc->ctx = c->ctx;
	board_init(&pc->board, &host, c->memory, c->ncpus, c->time);
	*ret = pc;
	return 0;
}

void pc_destroy(struct pc *pc)
{
	if (!pc)
		return;
	board_deinit(&pc->board);
	vmm_destroy(pc->vmm);
	free(pc);
}

int pc_boot(struct pc *pc, const struct boot *b, struct irqs_error *reterr)
{
	uint32_t info;
	int rc = boot_load(b, vmm_memory(pc->vmm), vmm_memory_size(pc->vmm), &info, reterr);

	if (rc)
		return rc;
	rc = vmm_set_entry(pc->vmm, b->image->entry, info);
	return rc ? irqs_fail_errno(reterr, -rc, "entry of the boot processor") : 0;
}

int pc_run(struct pc *pc, struct irqs_error *reterr)
{
	int rc = board_start(&pc->board);

	if (rc)
		return irqs_fail_errno(reterr, -rc, "thread of the clock");
	return vmm_run(pc->vmm, reterr);
}

void pc_quit(struct pc *pc, int status)
{
	vmm_quit(pc->vmm, status);
}

int pc_move(struct pc *pc, enum vmm_mode to, struct irqs_error *reterr)
{
	return vmm_move(pc->vmm, to, reterr);
}

enum vmm_mode pc_mode(const struct pc *pc)
{
	return vmm_mode(pc->vmm);
}

int64_t pc_now_ns(const struct pc *pc)
{
	return vmm_now_ns(pc->vmm);
}

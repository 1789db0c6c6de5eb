/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A PC: engine, devices and loader of the example VMM together, for a program that brings options and an output. */
#ifndef TESTS_VMM_PC_H
#define TESTS_VMM_PC_H

#include "tests/vmm/boot.h"
#include "tests/vmm/vmm.h"

struct pc;

struct pc_config {
	enum vmm_mode mode;
	unsigned int ncpus;
	uint64_t memory; /* bytes, see struct vmm_config */
	bool x2apic;
	int64_t time; /* what its clock shows at first, seconds since 1970, UTC */
	/* A byte that the guest prints, one at a time, from any thread. May call pc_quit(). */
	void (*put)(void *ctx, uint8_t byte);
	void *ctx;
};

/**
 * pc_create - a machine as after power-on
 * @ret: release with pc_destroy()
 *
 * Return: as vmm_create(); -ENOMEM.
 */
int pc_create(const struct pc_config *c, struct pc **ret, struct irqs_error *reterr);
void pc_destroy(struct pc *pc);

/* pc_boot - load a kernel, and begin with it. @b is needed no more afterwards. Return: as boot_load(). */
int pc_boot(struct pc *pc, const struct boot *b, struct irqs_error *reterr);

/* pc_run/pc_quit/pc_move/pc_mode/pc_now_ns - as vmm_run() and its sisters. */
int pc_run(struct pc *pc, struct irqs_error *reterr);
void pc_quit(struct pc *pc, int status);
int pc_move(struct pc *pc, enum vmm_mode to, struct irqs_error *reterr);
enum vmm_mode pc_mode(const struct pc *pc);
int64_t pc_now_ns(const struct pc *pc);

#endif

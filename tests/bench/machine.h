/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A machine as KVM saves it, for measurements. Whatever goes wrong ends the program. */
#ifndef TESTS_BENCH_MACHINE_H
#define TESTS_BENCH_MACHINE_H

#include <stdint.h>

#include "vmstate/describe.h"

/* A section as it was saved. */
struct saved {
	const struct vms_desc *desc;
	uint32_t instance;
	uint8_t *data;
	uint64_t size;
	char *entry; /* of the vmdescription */
};

struct machine {
	struct saved *sections;
	size_t count;
};

/*
 * machine_save - a machine of @cpus, in x2APIC mode
 *
 * Every 4th CPU has an interrupt that was acknowledged and not taken, the last quarter waits for its start-up IPI,
 * the others halt; the timers of all but the waiting ones run.
 */
void machine_save(struct machine *m, uint32_t cpus);
void machine_free(struct machine *m);

/* machine_stream - a memfd with the machine as a QEMU stream, with its vmdescription and without RAM. */
int machine_stream(const struct machine *m);

/* die - say what failed, and end. @err may be NULL. */
_Noreturn void die(const char *what, const struct irqs_error *err);

#endif

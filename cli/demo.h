/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of `irqshift demo`: a guest with four interrupt sources, what it prints, and how that is shown. */
#ifndef IRQSHIFT_CLI_DEMO_H
#define IRQSHIFT_CLI_DEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/vmm/vmm.h"

#define DEMO_SOURCES 4

/* What the guest tells of a source. */
struct demo_count {
	uint32_t count;    /* interrupts taken */
	uint32_t expected; /* by its clock */
	uint32_t gap_us;   /* the longest between two of them, since the line before */
};

/* A line of the guest. */
struct demo_line {
	struct demo_count source[DEMO_SOURCES];
	uint32_t errors;     /* interrupts that were lost, doubled or not its own */
	char last_error[32]; /* a word, "none" at first */
};

struct demo_source {
	const char *word; /* the guest's name for it, and what turns it on */
	const char *title;
	uint32_t period_us;
	bool lapic; /* of a LAPIC; the others are of the PIT or the RTC, and come by the PICs */
};

extern const struct demo_source demo_sources[DEMO_SOURCES];

/* The guest's kernel, and a stream that QEMU saved of it; both are part of the program. */
extern const uint8_t demo_guest[], demo_stream[];
extern const uint64_t demo_guest_size, demo_stream_size;

/* demo_parse - a line without its end. Return: whether it was one of those with counts. */
bool demo_parse(const char *line, struct demo_line *ret);

/* demo_late_us - by how much an interrupt came late that came a gap after the one before. */
uint32_t demo_late_us(unsigned int source, uint32_t gap_us);

/* A table, as it is shown. */
struct demo_table {
	struct demo_line line;
	uint32_t late_us[DEMO_SOURCES]; /* the longest since the last move */
	enum vmm_mode mode;
};

/* demo_mode_name - where the controllers are, in words. */
const char *demo_mode_name(enum vmm_mode mode);

/* demo_print - the table, DEMO_TABLE_LINES lines. @live: over what is on a terminal there. */
#define DEMO_TABLE_LINES (DEMO_SOURCES + 1)
void demo_print(const struct demo_table *t, bool live, FILE *out);

/* demo_live - run the guest and move it. Return: the exit status; -1 when there is no KVM that could, which it said. */
int demo_live(double seconds, bool plain);

/* demo_recorded - convert the recorded stream before the user's eyes. Return: the exit status. */
int demo_recorded(void);

#endif

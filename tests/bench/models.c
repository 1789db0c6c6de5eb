/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * models: accesses per second of the emulated chips alone, without the exit of a vCPU, and what a timer interrupt costs
 * from pit_model_expired() to the vector that a vCPU injects. The best of ROUNDS rounds each, which other load disturbs
 * least.
 */
#include <stdio.h>
#include <time.h>

#include "userspace/pic_model.h"
#include "userspace/pit_model.h"

enum { ROUNDS = 7,
       TIMES = 200000 };

struct machine {
	struct pic_model pic;
	struct pit_model pit;
	int64_t now;
	unsigned int vectors;
};

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void on_intr(void *opaque, bool level)
{
	(void)opaque;
	(void)level;
}

static int64_t on_now(void *opaque)
{
	return ((struct machine *)opaque)->now;
}

static void on_arm(void *opaque, int64_t at_ns)
{
	(void)opaque;
	(void)at_ns;
}

static void on_tick(void *opaque)
{
	struct machine *m = opaque;

	pic_model_set_line(&m->pic, 0, true);
	pic_model_set_line(&m->pic, 0, false);
}

static const struct pic_model_ops pic_ops = { .intr = on_intr };
static const struct pit_model_ops pit_ops = { .now_ns = on_now, .arm = on_arm, .tick = on_tick };

static void setup(struct machine *m)
{
	static const uint8_t words[][2] = {
		{ 0x20, 0x11 },
		{ 0x21, 0x30 },
		{ 0x21, 0x04 },
		{ 0x21, 0x01 },
		{ 0xa0, 0x11 },
		{ 0xa1, 0x38 },
		{ 0xa1, 0x02 },
		{ 0xa1, 0x01 },
	};

	m->now = 0;
	pic_model_init(&m->pic, &pic_ops, m, 0);
	pit_model_init(&m->pit, &pit_ops, m, PIT_COALESCE, 0);
	for (size_t i = 0; i < REG_ARRAY_SIZE(words); i++)
		pic_model_write(&m->pic, words[i][0], 1, words[i][1]);
	pit_model_write(&m->pit, 0x43, 1, 0x34);
	pit_model_write(&m->pit, 0x40, 1, 0xa9);
	pit_model_write(&m->pit, 0x40, 1, 0x04);
}

static void read_mask(struct machine *m)
{
	m->vectors += pic_model_read(&m->pic, 0x21, 1);
}

static void write_mask(struct machine *m)
{
	pic_model_write(&m->pic, 0x21, 1, 0x00);
}

static void end_of_interrupt(struct machine *m)
{
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

/* A line of the slave, its vector, both EOIs. */
static void interrupt(struct machine *m)
{
	pic_model_set_line(&m->pic, 12, true);
	pic_model_set_line(&m->pic, 12, false);
	m->vectors += pic_model_ack(&m->pic);
	pic_model_write(&m->pic, 0xa0, 1, 0x20);
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

static void read_counter(struct machine *m)
{
	m->now += 1000;
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
}

static void latch_and_read(struct machine *m)
{
	m->now += 1000;
	pit_model_write(&m->pit, 0x43, 1, 0x00);
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
	m->vectors += pit_model_read(&m->pit, 0x40, 1);
}

static void read_port_b(struct machine *m)
{
	m->now += 1000;
	m->vectors += pit_model_read(&m->pit, 0x61, 1);
}

static void timer_interrupt(struct machine *m)
{
	m->now += 1000152;
	pit_model_expired(&m->pit);
	m->vectors += pic_model_intr(&m->pic) ? pic_model_ack(&m->pic) : 0;
	pic_model_write(&m->pic, 0x20, 1, 0x20);
}

static const struct {
	const char *name;
	void (*run)(struct machine *m);
	unsigned int accesses; /* port accesses in it */
} rows[] = {
	{ "PIC: read the mask", read_mask, 1 },
	{ "PIC: write the mask", write_mask, 1 },
	{ "PIC: EOI", end_of_interrupt, 1 },
	{ "PIC: line 12, vector, two EOIs", interrupt, 2 },
	{ "PIT: read a running count", read_counter, 1 },
	{ "PIT: latch, two reads", latch_and_read, 3 },
	{ "PIT: read port 0x61", read_port_b, 1 },
	{ "timer: expiry to vector, EOI", timer_interrupt, 1 },
};

static double best_ns(void (*run)(struct machine *m))
{
	double best = 0;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct machine m;
		double start, ns;

		setup(&m);
		start = now_s();
		for (unsigned int i = 0; i < TIMES; i++)
			run(&m);
		ns = (now_s() - start) * 1e9 / TIMES;
		if (!round || ns < best)
			best = ns;
	}
	return best;
}

int main(void)
{
	printf("%-34s %10s %16s\n", "models alone", "ns", "accesses/s");
	for (size_t i = 0; i < REG_ARRAY_SIZE(rows); i++) {
		double ns = best_ns(rows[i].run);

		printf("%-34s %10.1f %16.0f\n", rows[i].name, ns, rows[i].accesses * 1e9 / ns);
	}
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The demo's guest in the example VMM: one thread runs it, another moves it and shows what it says. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/demo.h"
#include "tests/vmm/pc.h"

#define MEMORY (UINT64_C(32) << 20)
#define NCPUS 2
#define NS_PER_S INT64_C(1000000000)
#define FIRST_LINE_S 20 /* so long a guest may take to come up, on a slow machine */

/* One may be due when a line is printed; and KVM begins a period of the PIT anew, whenever it is put there or taken. */
#define SLACK 3

/* One word for each source, a line ten times a second, and some patience: late is shown, and no error. */
#define WORDS "demo lapic oneshot pit rtc print_us=100000 lost=1000 early=5"

static const enum vmm_mode way[] = { VMM_KERNEL, VMM_SPLIT, VMM_USERSPACE, VMM_KERNEL };

#define STEPS (sizeof(way) / sizeof(way[0]))

struct demo {
	struct pc *pc;
	bool live;
	pthread_t runner;
	char text[512]; /* the guest's line so far */
	size_t used;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t changed;
	struct demo_table table;
	unsigned int lines;
	unsigned int gaps;   /* periods in which a source did not come, though it came again */
	uint32_t longest_us; /* of a wait for one */
	bool ended;
	int rc;
	struct irqs_error err;
};

/* ---- from the threads of the machine ---- */

static void take_line(struct demo *d)
{
	struct demo_line line;

	if (!demo_parse(d->text, &line))
		return;
	pthread_mutex_lock(&d->lock);
	d->table.line = line;
	for (unsigned int i = 0; i < DEMO_SOURCES; i++) {
		uint32_t late = demo_late_us(i, line.source[i].gap_us);

		if (late > d->table.late_us[i])
			d->table.late_us[i] = late;
		if (late > d->longest_us)
			d->longest_us = late;
		d->gaps += late / demo_sources[i].period_us;
	}
	d->lines++;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

static void put(void *ctx, uint8_t byte)
{
	struct demo *d = ctx;

	if (byte != '\n') {
		if (d->used < sizeof(d->text) - 1)
			d->text[d->used++] = (char)byte;
		return;
	}
	d->text[d->used] = '\0';
	d->used = 0;
	take_line(d);
}

static void *run_guest(void *arg)
{
	struct demo *d = arg;
	struct irqs_error err = { .status = IRQS_SYSTEM };
	int rc = pc_run(d->pc, &err);

	pthread_mutex_lock(&d->lock);
	d->ended = true;
	d->rc = rc;
	d->err = err;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* ---- the show ---- */

static struct timespec after(double seconds)
{
	struct timespec t;
	int64_t ns;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns = t.tv_nsec + (int64_t)(seconds * (double)NS_PER_S);
	t.tv_sec += ns / NS_PER_S;
	t.tv_nsec = ns % NS_PER_S;
	return t;
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / (double)NS_PER_S;
}

/* Show each line that comes until then, or until there are @lines. Return: whether the guest still runs. */
static bool watch(struct demo *d, double seconds, unsigned int lines)
{
	struct timespec until = after(seconds);
	unsigned int shown = 0;
	bool runs;

	pthread_mutex_lock(&d->lock);
	while (!d->ended && d->lines < lines && pthread_cond_timedwait(&d->changed, &d->lock, &until) != ETIMEDOUT) {
		if (d->live && d->lines != shown)
			demo_print(&d->table, true, stdout);
		shown = d->lines;
	}
	runs = !d->ended;
	pthread_mutex_unlock(&d->lock);
	return runs;
}

/* The last of a mode, which stays on the screen. */
static void print_table(struct demo *d)
{
	pthread_mutex_lock(&d->lock);
	demo_print(&d->table, d->live, stdout);
	pthread_mutex_unlock(&d->lock);
}

static void begin_table(const struct demo *d)
{
	for (unsigned int i = 0; d->live && i < DEMO_TABLE_LINES; i++)
		putchar('\n');
}

static int move(struct demo *d, enum vmm_mode from, enum vmm_mode to)
{
	struct irqs_error err = { .status = IRQS_SYSTEM };
	double begin = seconds_now();

	if (pc_move(d->pc, to, &err))
		return cli_fail(&err, demo_mode_name(to));
	printf("\n%s -> %s, in %.1f ms\n", demo_mode_name(from), demo_mode_name(to), (seconds_now() - begin) * 1000);
	pthread_mutex_lock(&d->lock);
	d->table.mode = to;
	memset(d->table.late_us, 0, sizeof(d->table.late_us));
	pthread_mutex_unlock(&d->lock);
	return IRQS_DONE;
}

static int show(struct demo *d, double seconds)
{
	int status = IRQS_DONE;

	if (watch(d, FIRST_LINE_S, 1) && !d->lines)
		fprintf(stderr, "%s: the guest says nothing\n", CLI_NAME);
	for (size_t i = 0; i < STEPS && !status; i++) {
		if (i)
			status = move(d, way[i - 1], way[i]);
		if (status)
			break;
		begin_table(d);
		if (!watch(d, seconds, UINT32_MAX))
			status = IRQS_SYSTEM;
		print_table(d);
	}
	return status;
}

/* A source that is not where the guest's clock says. Return: how many there are. */
static unsigned int print_wrong(const struct demo_line *line)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < DEMO_SOURCES; i++) {
		int64_t off = (int64_t)line->source[i].count - line->source[i].expected;

		if (off <= SLACK && off >= -SLACK)
			continue;
		printf("%s: off by %" PRId64 "\n", demo_sources[i].title, off);
		n++;
	}
	return n;
}

/* Return: the exit status. Ticks that fall together while the guest waits for a CPU say nothing of the moves. */
static int judge(const struct demo *d)
{
	const struct demo_line *line = &d->table.line;
	unsigned int wrong;

	putchar('\n');
	wrong = print_wrong(line);
	if (!wrong && !line->errors) {
		printf("The guest has all of its interrupts, and none twice.\n");
		return IRQS_DONE;
	}
	if (line->errors)
		printf("The guest counted %" PRIu32 " errors; the last: %s.\n", line->errors, line->last_error);
	if (d->gaps > SLACK)
		printf("This host was too busy to tell: the guest waited for up to %.0f ms.\n", d->longest_us / 1000.0);
	return IRQS_SYSTEM;
}

static int run_demo(struct demo *d, double seconds)
{
	int rc = pthread_create(&d->runner, NULL, run_guest, d), status;

	if (rc) {
		irqs_fail_errno(&d->err, rc, "thread of the guest");
		return cli_fail(&d->err, NULL);
	}
	status = show(d, seconds);
	pc_quit(d->pc, 0);
	pthread_join(d->runner, NULL);
	if (d->rc < 0)
		return cli_fail(&d->err, "the guest");
	return status ? status : judge(d);
}

static int boot(struct pc *pc, struct irqs_error *err)
{
	struct image image;
	const struct boot b = { .file = demo_guest, .image = &image, .command_line = WORDS };
	int rc = image_parse(demo_guest, demo_guest_size, &image, err);

	return rc ? rc : pc_boot(pc, &b, err);
}

static bool wants_live(bool plain)
{
	const char *term = getenv("TERM");

	return !plain && isatty(STDOUT_FILENO) && !(term && !strcmp(term, "dumb"));
}

static int start(struct demo *d, struct irqs_error *err)
{
	const struct pc_config c = {
		.mode = way[0],
		.ncpus = NCPUS,
		.memory = MEMORY,
		.time = time(NULL),
		.put = put,
		.ctx = d,
	};
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC), rc;

	if (fd < 0)
		return irqs_fail_errno(err, errno, "/dev/kvm");
	close(fd);
	rc = pc_create(&c, &d->pc, err);
	return rc ? rc : boot(d->pc, err);
}

int demo_live(double seconds, bool plain)
{
	struct demo d = { .live = wants_live(plain), .table.mode = way[0] };
	struct irqs_error err = { .status = IRQS_SYSTEM };
	pthread_condattr_t monotonic;
	int status = -1;

	pthread_mutex_init(&d.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&d.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (start(&d, &err)) {
		cli_fail(&err, NULL);
	} else {
		printf("A guest with two CPUs under KVM. Its interrupt controllers move while it runs:\n\n");
		status = run_demo(&d, seconds);
	}
	pc_destroy(d.pc);
	pthread_cond_destroy(&d.changed);
	pthread_mutex_destroy(&d.lock);
	return status;
}

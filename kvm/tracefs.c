/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/monotonic.h"
#include "kvm/tracefs_priv.h"

/* Of the first pid namespace (include/linux/proc_ns.h): the tasks that events name are numbered there. */
#define INIT_PID_NAMESPACE 0xeffffffcu

#define BUFFER_KIB 2048u /* on each CPU */
#define EVENT_BYTES 48u  /* about, in the ring buffer */
#define ROUND_NS 25000000L
#define RESCAN_NS UINT64_C(1000000000)
/*
 * An event gets its time before it is in the buffer. What is younger than this waits for the next round, so that no
 * other CPU's buffer can have an older one.
 */
#define SETTLE_NS UINT64_C(2000000)
/* In one round; a CPU with more is read on in the next. */
#define PAGES_A_ROUND 64u

struct buffer {
	int fd;
	unsigned int cpu;
	uint64_t lost;    /* of which it is not known yet what event is behind them */
	uint64_t counted; /* of the kernel's own count */
};

struct watcher {
	struct event_source source; /* first */
	struct trace_instance instance;
	struct trace_tasks tasks;
	struct trace_table table;
	struct buffer *buffers;
	unsigned int nbuffers;
	uint8_t *page;
	size_t page_size;
	struct trace_queue queue;
	uint64_t rescanned;
	bool all, stopped, drained;
};

/* ---- reading ---- */

static int hold(void *ctx, const struct irqshift_event *e)
{
	struct watcher *w = ctx;
	struct irqshift_event of_process = *e;

	of_process.pid = trace_tasks_pid(&w->tasks, e->tid);
	return trace_queue_put(&w->queue, &of_process);
}

/* What the kernel overwrote or had no room for on a CPU since the beginning. */
static uint64_t overruns(const struct watcher *w, const struct buffer *b)
{
	static const char *const counters[] = { "overrun: ", "commit overrun: ", "dropped events: " };
	char file[64], text[2048];
	uint64_t total = 0;

	snprintf(file, sizeof(file), "per_cpu/cpu%u/stats", b->cpu);
	if (trace_read(&w->instance, file, text, sizeof(text)) < 0)
		return b->counted;
	for (size_t c = 0; c < 3; c++) {
		const char *at = strstr(text, counters[c]);

		/* "commit overrun: " ends as the first one does, and comes behind it. */
		total += at ? strtoull(at + strlen(counters[c]), NULL, 10) : 0;
	}
	return total;
}

/*
 * @most: what a page says of itself; UINT64_MAX: it has no room to. The kernel's count is ahead of the page: what is more
 * than that belongs to a later one.
 */
static void count_lost(const struct watcher *w, struct buffer *b, uint64_t most)
{
	uint64_t total = overruns(w, b), n = total > b->counted ? total - b->counted : 0;

	n = n < most ? n : most;
	b->lost += n;
	b->counted += n;
}

/* What came of a page, from the event @first on. */
static int take_page(struct watcher *w, struct buffer *b, const struct trace_page *got, size_t first, bool cut)
{
	int rc = 0;

	if (got->missed)
		count_lost(w, b, got->missed);
	/* Half a record is none of ours to mend: it counts as lost. */
	b->lost += got->bad + cut;
	if (!b->lost || w->queue.n == first)
		return 0;
	rc = trace_queue_hole(&w->queue, w->queue.events[first].time, b->lost);
	b->lost = 0;
	return rc;
}

/* Return: 0, or -errno; @until: what is older than that has been read. */
static int read_buffer(struct watcher *w, struct buffer *b, uint64_t *until)
{
	struct trace_page got;
	unsigned int pages = 0;
	ssize_t n;
	int rc;

	while (pages < PAGES_A_ROUND && (n = read(b->fd, w->page, w->page_size)) != 0) {
		size_t first = w->queue.n;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		rc = trace_page_decode(&w->table, w->page, (size_t)n, b->cpu, hold, w, &got);
		if (rc != -ENOMEM)
			rc = take_page(w, b, &got, first, rc != 0);
		if (rc)
			return rc;
		pages++;
	}
	if (pages == PAGES_A_ROUND && w->queue.n && w->queue.events[w->queue.n - 1].time < *until)
		*until = w->queue.events[w->queue.n - 1].time;
	return 0;
}

/* Behind the last event. */
static uint64_t lost_at_the_end(struct watcher *w)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < w->nbuffers; i++) {
		count_lost(w, &w->buffers[i], UINT64_MAX);
		n += w->buffers[i].lost;
		w->buffers[i].lost = 0;
	}
	return n;
}

/* All buffers once. Return: 0 or -errno; @ret has what is in order. */
static int round_of(struct watcher *w, struct event_batch *ret, struct irqs_error *reterr)
{
	uint64_t until = (uint64_t)monotonic_ns() - SETTLE_NS;
	size_t before;
	int rc = 0;

	trace_queue_forget_given(&w->queue);
	before = w->queue.n;
	for (unsigned int i = 0; i < w->nbuffers && !rc; i++)
		rc = read_buffer(w, &w->buffers[i], &until);
	if (!rc)
		rc = trace_queue_sort(&w->queue);
	if (rc)
		return irqs_fail_errno(reterr, -rc, "tracefs: cannot read the events");
	trace_queue_give(&w->queue, w->stopped ? UINT64_MAX : until, ret);
	/* At the end nothing new can come: all of it is in order. */
	w->drained = w->stopped && w->queue.n == before && !ret->count;
	if (w->drained)
		ret->lost += lost_at_the_end(w);
	return 0;
}

static int rescan(struct watcher *w, struct irqs_error *reterr)
{
	uint64_t now = (uint64_t)monotonic_ns();
	int rc;

	if (w->all || w->stopped || now - w->rescanned < RESCAN_NS)
		return 0;
	w->rescanned = now;
	rc = trace_tasks_update(&w->tasks, &w->instance, reterr);
	return rc == -ESRCH ? 0 : rc;
}

static int read_events(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr)
{
	struct watcher *w = (struct watcher *)s;
	const struct timespec wait = { .tv_nsec = ROUND_NS };
	uint64_t end = (uint64_t)monotonic_ns() + (uint64_t)(timeout_ms > 0 ? timeout_ms : 0) * 1000000u;
	int rc;

	if (w->drained)
		return -ENODATA;
	do {
		rc = rescan(w, reterr);
		if (!rc)
			rc = round_of(w, ret, reterr);
		if (rc || ret->count || ret->lost || w->stopped || (uint64_t)monotonic_ns() >= end)
			return rc;
	} while (!nanosleep(&wait, NULL));
	return 0;
}

static int stop(struct event_source *s, struct irqs_error *reterr)
{
	struct watcher *w = (struct watcher *)s;

	w->stopped = true;
	return trace_write(&w->instance, "events/enable", "0", false, reterr);
}

static void close_watcher(struct event_source *s)
{
	struct watcher *w = (struct watcher *)s;

	for (unsigned int i = 0; i < w->nbuffers; i++)
		close(w->buffers[i].fd);
	trace_instance_remove(&w->instance);
	free(w->buffers);
	free(w->tasks.tasks);
	free(w->page);
	trace_queue_deinit(&w->queue);
	free(w);
}

/* ---- opening ---- */

/* In another pid namespace the numbers in events are not those of /proc here. */
static int check_namespace(struct irqs_error *reterr)
{
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) || st.st_ino == INIT_PID_NAMESPACE)
		return 0;
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
			 "tracefs numbers tasks as the host does: not in a pid namespace of its own");
}

static int open_buffers(struct watcher *w, struct irqs_error *reterr)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	char file[64];

	w->buffers = calloc((size_t)(ncpus > 0 ? ncpus : 1), sizeof(*w->buffers));
	w->page_size = w->table.layout.data.offset + w->table.layout.data.size;
	w->page = malloc(w->page_size);
	if (!w->buffers || !w->page)
		return irqs_fail_nomem(reterr);
	for (long cpu = 0; cpu < ncpus; cpu++) {
		int fd;

		snprintf(file, sizeof(file), "per_cpu/cpu%ld/trace_pipe_raw", cpu);
		fd = openat(w->instance.dir, file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			w->buffers[w->nbuffers++] = (struct buffer){ .fd = fd, .cpu = (unsigned int)cpu };
		else if (errno != ENOENT)
			return irqs_fail_errno(reterr, errno, "tracefs: %s", file);
	}
	return 0;
}

static int follow(struct watcher *w, const struct event_scope *scope, struct irqs_error *reterr)
{
	int rc;

	w->tasks.pid = scope->pid;
	w->all = scope->all;
	w->rescanned = (uint64_t)monotonic_ns();
	if (w->all)
		return 0;
	rc = trace_write(&w->instance, "options/event-fork", "1", false, reterr);
	if (!rc)
		rc = trace_tasks_update(&w->tasks, &w->instance, reterr);
	for (unsigned int i = 0; i < scope->ntasks && !rc; i++)
		rc = trace_tasks_add(&w->tasks, &w->instance, scope->tasks[i], false, reterr);
	return rc;
}

static int enable(struct watcher *w, struct irqs_error *reterr)
{
	char file[96];
	int rc = 0;

	for (unsigned int type = 0; type < IRQSHIFT_EVENT_TYPES && !rc; type++) {
		if (!w->table.formats[type].there)
			continue;
		w->source.there |= UINT64_C(1) << type;
		snprintf(file, sizeof(file), "events/kvm/%s/enable", irq_event_rows[type].tracepoint);
		rc = trace_write(&w->instance, file, "1", false, reterr);
	}
	return rc;
}

static int set_up(struct watcher *w, const struct event_scope *scope, struct irqs_error *reterr)
{
	unsigned int kib = scope->buffer ? scope->buffer / 1024 * EVENT_BYTES + scope->buffer % 1024 * EVENT_BYTES / 1024 + 1 : BUFFER_KIB;
	char size[16];
	int rc = check_namespace(reterr);

	if (!rc)
		rc = trace_instance_make(&w->instance, reterr);
	if (!rc)
		rc = trace_table_read(&w->instance, &w->table, reterr);
	if (!rc)
		rc = trace_write(&w->instance, "trace_clock", "mono", false, reterr);
	snprintf(size, sizeof(size), "%u", kib);
	if (!rc)
		rc = trace_write(&w->instance, "buffer_size_kb", size, false, reterr);
	if (!rc)
		rc = open_buffers(w, reterr);
	if (!rc)
		rc = follow(w, scope, reterr);
	return rc ? rc : enable(w, reterr);
}

int tracefs_open(const struct event_scope *scope, struct event_source **ret, struct irqs_error *reterr)
{
	static const struct event_source_ops ops = { .read = read_events, .stop = stop, .close = close_watcher };
	struct watcher *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return irqs_fail_nomem(reterr);
	w->instance = (struct trace_instance){ .tracefs = -1, .dir = -1 };
	w->source = (struct event_source){ .ops = &ops, .name = "tracefs" };
	rc = set_up(w, scope, reterr);
	if (rc) {
		close_watcher(&w->source);
		return rc;
	}
	w->source.less = w->all ? "events of other VMs are shown as well" : "what other tasks and the host's interrupts raise for the VM is not shown";
	*ret = &w->source;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What `irqshift monitor` reads and writes. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/monitor.h"
#include "kvm/event_module.h"
#include "kvm/tracefs.h"

/* ---- the source ---- */

static int open_live(struct watch *w, struct irqs_error *err)
{
	const char *source = w->o->source;
	struct irqs_error first = { 0 };
	int rc = -ENOENT;

	watch_catch_signals();
	if (strcmp(source, "tracefs") != 0 && !(w->o->scope.ntasks && !strcmp(source, "auto")))
		rc = module_open(&w->o->scope, &w->source, &first);
	if (!rc || !strcmp(source, "module")) {
		*err = first;
		return rc;
	}
	rc = tracefs_open(&w->o->scope, &w->source, err);
	/* A module that is there and says no is the better reason. */
	if (rc && first.status && strcmp(source, "auto") == 0 && first.status != IRQS_SYSTEM)
		*err = first;
	return rc;
}

static int open_recording(struct watch *w, struct irqs_error *err)
{
	int rc;

	w->input_fd = cli_open_file(w->o->replay, err);
	if (w->input_fd < 0)
		return w->input_fd;
	rc = recording_open(recording_read_fd, &w->input_fd, &w->recording, err);
	if (!rc)
		w->source = &w->recording->source;
	return rc;
}

/* What the source does not show, for a person. */
static void tell(const struct watch *w)
{
	const char *between = "this kernel does not have ";

	if (w->recording) {
		if (w->recording->note[0])
			fprintf(stderr, "%s: %s: recorded from %s\n", CLI_NAME, w->who, w->recording->note);
		return;
	}
	fprintf(stderr, "%s: %s: by %s", CLI_NAME, w->who, w->source->name);
	if (w->source->less)
		fprintf(stderr, ": %s", w->source->less);
	fputc('\n', stderr);
	if (w->source->there == IRQ_EVENTS_ALL)
		return;
	fprintf(stderr, "%s: %s: ", CLI_NAME, w->who);
	for (unsigned int i = 0; i < IRQSHIFT_EVENT_TYPES; i++) {
		if (w->source->there >> i & 1)
			continue;
		fprintf(stderr, "%s%s", between, irq_event_rows[i].tracepoint);
		between = ", ";
	}
	fputc('\n', stderr);
}

/* ---- the outputs ---- */

static void emit(void *file, const char *text)
{
	fputs(text, file);
}

static int open_record(struct watch *w, struct irqs_error *err)
{
	char note[128];

	if (!strcmp(w->o->record, "-"))
		w->record_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		w->record_fd = open(w->o->record, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (w->record_fd < 0)
		return irqs_fail_errno(err, errno, "cannot write it");
	snprintf(note, sizeof(note), "%s by %s", w->who, w->source->name);
	return recording_begin(&w->writer, recording_write_fd, &w->record_fd, w->source->there,
			       w->recording ? w->recording->note : note, err);
}

static int open_timeline(struct watch *w, struct irqs_error *err)
{
	if (!strcmp(w->o->perfetto, "-"))
		w->timeline = fdopen(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), "w");
	else
		w->timeline = fopen(w->o->perfetto, "we");
	if (!w->timeline)
		return irqs_fail_errno(err, errno, "cannot write it");
	if (perfetto_begin(emit, w->timeline, w->monitor, &w->perfetto))
		return irqs_fail_nomem(err);
	if (w->o->linux_names)
		perfetto_name_vectors(w->perfetto, irq_linux_vector);
	return 0;
}

int watch_open(struct watch *w, const struct watch_options *o)
{
	struct irqs_error err = { 0 };
	int rc;

	*w = (struct watch){ .o = o, .input_fd = -1, .record_fd = -1 };
	snprintf(w->who, sizeof(w->who), o->replay ? "recording" : "process %d", (int)o->pid);
	rc = monitor_create(&o->monitor, &w->monitor) ? irqs_fail_nomem(&err) : 0;
	if (!rc)
		rc = o->replay ? open_recording(w, &err) : open_live(w, &err);
	if (rc)
		return cli_fail(&err, o->replay ? o->replay : w->who);
	if (o->record && open_record(w, &err))
		return cli_fail(&err, o->record);
	if (o->perfetto && open_timeline(w, &err))
		return cli_fail(&err, o->perfetto);
	rc = o->replay ? 0 : watch_threads(w, &err);
	if (rc)
		return cli_fail(&err, w->who);
	tell(w);
	return IRQS_DONE;
}

static int close_record(struct watch *w)
{
	struct irqs_error err = { 0 };
	int rc = recording_end(&w->writer, &err);

	if (close(w->record_fd) && !rc)
		rc = irqs_fail_errno(&err, errno, "cannot write it");
	return rc ? cli_fail(&err, w->o->record) : IRQS_DONE;
}

static int close_timeline(struct watch *w)
{
	struct irqs_error err = { 0 };
	bool failed;

	perfetto_end(w->perfetto);
	failed = ferror(w->timeline) != 0;
	if (!fclose(w->timeline) && !failed)
		return IRQS_DONE;
	irqs_fail(&err, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "cannot write all of it");
	return cli_fail(&err, w->o->perfetto);
}

int watch_close(struct watch *w, int status)
{
	if (w->perfetto) {
		int rc = close_timeline(w);

		status = status ? status : rc;
	}
	if (w->record_fd >= 0) {
		int rc = close_record(w);

		status = status ? status : rc;
	}
	event_source_close(w->source);
	cli_close_file(w->input_fd);
	monitor_destroy(w->monitor);
	free(w->threads);
	return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interrupt events of a running VM, of whatever VMM. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/monitor.h"

#define TASKS_MAX 64
#define SECONDS_MAX 1e9

struct arguments {
	struct watch_options o;
	pid_t tasks[TASKS_MAX];
};

static bool parse_number(const char *text, unsigned long max, unsigned long *ret)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	return !errno && *text >= '0' && *text <= '9' && !*end && *ret > 0 && *ret <= max;
}

static bool parse_seconds(const char *text, uint64_t *ret)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || end == text || !(seconds >= 0.001) || seconds > SECONDS_MAX)
		return false;
	*ret = (uint64_t)(seconds * 1e9);
	return true;
}

/* "perfetto=FILE", or "perfetto" with FILE as the next argument. */
static bool take_export(struct arguments *a, const char *value, int argc, char **argv)
{
	const char *name = "perfetto";

	if (!strncmp(value, name, strlen(name)) && value[strlen(name)] == '=')
		a->o.perfetto = value + strlen(name) + 1;
	else if (!strcmp(value, name) && optind < argc)
		a->o.perfetto = argv[optind++];
	else
		return false;
	return *a->o.perfetto != '\0';
}

static bool take_pid(unsigned long number, struct arguments *a, bool task)
{
	if (!task)
		a->o.pid = a->o.scope.pid = (pid_t)number;
	else if (a->o.scope.ntasks < TASKS_MAX)
		a->tasks[a->o.scope.ntasks++] = (pid_t)number;
	else
		return false;
	return true;
}

static bool take_option(struct arguments *a, int c, const char *value, int argc, char **argv)
{
	unsigned long number = 0;

	switch (c) {
	case 'p':
	case 't':
		return parse_number(value, INT32_MAX, &number) && take_pid(number, a, c == 't');
	case 'r':
		a->o.replay = value;
		return true;
	case 'R':
		a->o.record = value;
		return true;
	case 'x':
		return take_export(a, value, argc, argv);
	case 's':
		a->o.source = value;
		return !strcmp(value, "auto") || !strcmp(value, "module") || !strcmp(value, "tracefs");
	case 'i':
		return parse_seconds(value, &a->o.interval_ns);
	case 'd':
		return parse_seconds(value, &a->o.duration_ns);
	case 'n':
		return parse_number(value, UINT32_MAX, &a->o.count);
	case 'S':
		if (!parse_number(value, UINT32_MAX, &number))
			return false;
		a->o.monitor.storm_rate = number;
		return true;
	case 'b':
		if (!parse_number(value, 1u << 24, &number))
			return false;
		a->o.scope.buffer = (unsigned int)number;
		return true;
	case 'a':
		return a->o.scope.all = true;
	case 'j':
		return a->o.json = true;
	case 'e':
		return a->o.events = true;
	case 'l':
		return a->o.linux_names = true;
	default:
		return false;
	}
}

static int check(struct arguments *a)
{
	struct watch_options *o = &a->o;
	bool record = o->record && !strcmp(o->record, "-"), timeline = o->perfetto && !strcmp(o->perfetto, "-");

	if (!o->pid == !o->replay)
		return cli_usage(&cmd_monitor, "either --pid or --replay is needed");
	if (o->replay && (o->scope.all || o->scope.ntasks || o->scope.buffer || o->duration_ns || strcmp(o->source, "auto") != 0))
		return cli_usage(&cmd_monitor, "--replay goes without --source, --task, --all, --buffer and --duration");
	if (o->scope.all && o->scope.ntasks)
		return cli_usage(&cmd_monitor, "--task is one of those that --all shows");
	if (record && timeline)
		return cli_usage(&cmd_monitor, "only one of --record and --export can be standard output");
	o->quiet = record || timeline;
	o->scope.tasks = a->tasks;
	return 0;
}

static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option longs[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "replay", required_argument, NULL, 'r' },
		{ "record", required_argument, NULL, 'R' },
		{ "export", required_argument, NULL, 'x' },
		{ "source", required_argument, NULL, 's' },
		{ "task", required_argument, NULL, 't' },
		{ "all", no_argument, NULL, 'a' },
		{ "interval", required_argument, NULL, 'i' },
		{ "duration", required_argument, NULL, 'd' },
		{ "count", required_argument, NULL, 'n' },
		{ "storm", required_argument, NULL, 'S' },
		{ "buffer", required_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "events", no_argument, NULL, 'e' },
		{ "linux", no_argument, NULL, 'l' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == '?' || c == ':')
			return cli_usage(&cmd_monitor, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
		if (!take_option(a, c, optarg, argc, argv))
			return cli_usage(&cmd_monitor, "%s: not possible", argv[optind - 1]);
	}
	if (optind != argc)
		return cli_usage(&cmd_monitor, "%s: not an option", argv[optind]);
	return check(a);
}

static int run(int argc, char **argv)
{
	struct arguments a = { .o = { .source = "auto" } };
	struct watch w;
	int status = parse(argc, argv, &a);

	if (status)
		return status;
	status = watch_open(&w, &a.o);
	if (!status)
		status = watch_run(&w);
	return watch_close(&w, status);
}

const struct cli_command cmd_monitor = {
	.name = "monitor",
	.run = run,
	.usage = "--pid PID | --replay FILE [OPTION]...",
	.summary = "show the interrupts of a running VM, of whatever VMM, as they happen",
	.help = "  --pid PID       the process; nothing of it is stopped\n"
		"  --replay FILE   events that were recorded, instead\n"
		"  --interval S    a table every so many seconds (1); of a recording: by its own time\n"
		"  --duration S    end after so many seconds\n"
		"  --count N       end after so many tables\n"
		"  --events        a line for each event instead of the tables\n"
		"  --json          tables and events as JSON, one object on a line\n"
		"  --record FILE   write the events, as they come\n"
		"  --export perfetto=FILE\n"
		"                  write a timeline for ui.perfetto.dev\n"
		"  --storm N       call it a storm from so many interrupts a second on (20000)\n"
		"  --linux         the guest is Linux: name the vectors that it has for itself\n"
		"  --source WHICH  module, tracefs, or auto: the module where it is loaded\n"
		"  --task TID      show what this task raises, too; tracefs only; may be given again\n"
		"  --all           show what anybody raises, for other VMs too\n"
		"  --buffer N      events that may wait to be read, on each CPU with tracefs\n"
		"\nUntil the process ends, or SIGINT, SIGTERM or SIGHUP comes; then a table of all of it is printed.\n"
		"'-' as FILE is standard input or output, without tables then. The module needs CAP_PERFMON and the right\n"
		"to ptrace the process, tracefs needs root.\n",
};

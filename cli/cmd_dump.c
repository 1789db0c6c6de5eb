/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The irqchip of a running VM, of whatever VMM. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apic/snapshot.h"
#include "cli/cli.h"
#include "cli/irqchip.h"
#include "cli/look.h"
#include "stream/native.h"
#include "stream/output.h"
#include "stream/tree_json.h"

struct options {
	pid_t pid;
	int vm; /* LOOK_ONLY_VM until it is chosen */
	const char *save, *color;
	bool json, peek;
	double watch; /* seconds; 0: once */
	struct cli_choice choice;
	struct reg_out out;
	char who[32]; /* what errors call the process */
};

/* ---- outputs ---- */

static int write_text(int fd, char *text, struct irqs_error *reterr)
{
	size_t len = text ? strlen(text) : 0, done = 0;
	int rc = text ? 0 : irqs_fail_nomem(reterr);

	while (done < len && !rc) {
		ssize_t n = write(fd, text + done, len - done);

		if (n < 0 && errno != EINTR)
			rc = irqs_fail_errno(reterr, errno, "write");
		done += n > 0 ? (size_t)n : 0;
	}
	free(text);
	return rc;
}

static int save_tree(const struct options *o, const struct vms_tree *t)
{
	struct irqs_error err = { 0 };
	struct output out;
	int rc = output_open(&out, o->save, 0600, &err);

	if (rc)
		return cli_fail(&err, o->save);
	rc = o->json ? write_text(out.fd, tree_json(t->machine), &err) : native_write_tree(out.fd, t->machine, 0, &err);
	if (rc)
		output_abort(&out);
	else
		rc = output_commit(&out, &err);
	return rc ? cli_fail(&err, o->save) : IRQS_DONE;
}

static int as_tree(const struct options *o, const struct look *l)
{
	struct irqs_error err = { 0 };
	struct vms_tree t;
	int rc = vms_tree_init(&t, &err), status;

	if (rc)
		return cli_fail(&err, o->who);
	rc = snapshot_to_tree(&l->state, &t, &err);
	if (rc)
		status = cli_fail(&err, o->who);
	else
		status = o->save ? save_tree(o, &t) : print_tree_json(t.machine, &o->choice);
	vms_tree_deinit(&t);
	return status;
}

static int as_text(const struct options *o, const struct look *l)
{
	if (print_irqchip(&l->state, &o->choice, &o->out) || !o->choice.count)
		return IRQS_DONE;
	fprintf(stderr, "%s: %s: %s: no such section\n", CLI_NAME, o->who, o->choice.names[0]);
	return IRQS_USAGE;
}

static int dump_once(const struct options *o)
{
	struct look l;
	int status = look_take(o->pid, (unsigned int)o->vm, o->who, &l);

	if (status)
		return status;
	if (!o->save && !o->json)
		look_tell_stop(&l, o->who, stdout);
	else if (isatty(STDERR_FILENO))
		look_tell_stop(&l, o->who, stderr);
	look_warn(&l, o->who);
	status = o->save || o->json ? as_tree(o, &l) : as_text(o, &l);
	irqchip_deinit(&l.state);
	return status;
}

/* ---- watching ---- */

static void wait_seconds(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void tell_time(const struct reg_out *out)
{
	struct timespec now;
	struct tm tm;
	char text[16];

	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	strftime(text, sizeof(text), "%H:%M:%S", &tm);
	reg_emit_styled(out, REG_HEADING, "%s.%03ld", text, now.tv_nsec / 1000000);
	reg_emit(out, "\n");
}

static void say_nothing(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* The time comes first, but only when there is a difference. */
static void tell_changes(const struct options *o, const struct look *before, const struct look *now)
{
	const struct reg_out quiet = { .emit = say_nothing };

	if (!diff_irqchips(&before->state, &now->state, &o->choice, DIFF_EVENTS, &quiet))
		return;
	tell_time(&o->out);
	diff_irqchips(&before->state, &now->state, &o->choice, DIFF_EVENTS, &o->out);
}

/* All once, then what changed. Ends when the VM does, or with a signal. */
static int watch(const struct options *o)
{
	struct look before = { 0 }, now;
	bool first = true;
	int status = look_take(o->pid, (unsigned int)o->vm, o->who, &now);

	while (!status) {
		if (first)
			status = as_text(o, &now);
		else
			tell_changes(o, &before, &now);
		irqchip_deinit(&before.state);
		before = now;
		first = false;
		if (!status && fflush(stdout))
			status = IRQS_SYSTEM;
		if (status)
			break;
		wait_seconds(o->watch);
		status = look_take(o->pid, (unsigned int)o->vm, o->who, &now);
	}
	irqchip_deinit(&before.state);
	return status;
}

/* ---- options ---- */

static bool parse_number(const char *text, long max, long *ret)
{
	char *end;

	errno = 0;
	*ret = strtol(text, &end, 10);
	return !errno && end != text && !*end && *ret >= 0 && *ret <= max;
}

static bool parse_seconds(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end != text && !*end && *ret >= 0.01 && *ret <= 86400;
}

/* Return: whether the value is one. */
static bool take_option(struct options *o, int c, const char *value)
{
	long n;

	switch (c) {
	case 'p':
		if (!parse_number(value, INT32_MAX, &n) || !n)
			return false;
		o->pid = (pid_t)n;
		return true;
	case 'v':
		if (!parse_number(value, 1 << 20, &n))
			return false;
		o->vm = (int)n;
		return true;
	case 'w':
		o->watch = 1;
		return !value || parse_seconds(value, &o->watch);
	case 's':
		o->save = value;
		return true;
	case 'c':
		return cli_out_init(&o->out, value);
	case 'j':
		o->json = true;
		return true;
	default:
		o->peek = true;
		return true;
	}
}

static int check_options(const struct options *o)
{
	if (!o->pid)
		return cli_usage(&cmd_dump, "--pid is missing");
	if (o->watch > 0 && (o->save || o->json))
		return cli_usage(&cmd_dump, "--watch prints for people: it goes with neither --save nor --json");
	if (o->peek && (o->save || o->json || o->watch > 0 || o->choice.count))
		return cli_usage(&cmd_dump, "--peek goes with --pid, --vm and --color only");
	if (o->save && o->choice.count)
		return cli_usage(&cmd_dump, "--save writes all sections");
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "vm", required_argument, NULL, 'v' },
		{ "save", required_argument, NULL, 's' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "json", no_argument, NULL, 'j' },
		{ "peek", no_argument, NULL, 'k' },
		{ "color", required_argument, NULL, 'c' },
		{ 0 },
	};
	double seconds;
	int c;

	cli_out_init(&o->out, NULL);
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		/* Also as an argument of its own: no section is called by a number. */
		if (c == 'w' && !optarg && optind < argc && parse_seconds(argv[optind], &seconds))
			optarg = argv[optind++];
		if (c == '?' || c == ':')
			return cli_usage(&cmd_dump, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
		if (!take_option(o, c, optarg))
			return cli_usage(&cmd_dump, "%s: not possible", argv[optind - 1]);
	}
	o->choice = (struct cli_choice){ argv + optind, argc - optind };
	return check_options(o);
}

static int run(int argc, char **argv)
{
	struct options o = { .vm = LOOK_ONLY_VM };
	int status;

	opterr = 0;
	status = parse(argc, argv, &o);
	if (status)
		return status;
	snprintf(o.who, sizeof(o.who), "process %d", (int)o.pid);
	status = look_choose_vm(o.pid, &o.vm, o.who);
	if (status)
		return status;
	if (o.peek)
		return look_peek(o.pid, o.vm, &o.out);
	return o.watch > 0 ? watch(&o) : dump_once(&o);
}

const struct cli_command cmd_dump = {
	.name = "dump",
	.run = run,
	.usage = "--pid PID [--vm N] [--save FILE] [--json] [--watch [SECONDS]] [--peek] [--color WHEN] [SECTION]...",
	.summary = "print or save the interrupt controllers of a running VM, of whatever VMM",
	.help = "  --pid PID     the process; it is stopped for some milliseconds, and goes on as it was\n"
		"  --vm N        which of its VMs, when there are several\n"
		"  SECTION       only these: \"apic\", \"apic[1]\", \"kvm-ioapic\", \"i8259\", \"i8254\", \"clock\"\n"
		"  --save FILE   write a snapshot, in the native format\n"
		"  --json        print it as JSON, for jq; with --save: write it as JSON\n"
		"  --watch       look again every second, or every so many SECONDS, and print what changed\n"
		"  --peek        only what can be seen without stopping the process\n" CLI_COLOR_HELP
		"\nThe right to ptrace the process is needed. What cannot be read of it is left out.\n",
};

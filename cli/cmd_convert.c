/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/through.h"
#include "cli/twin.h"
#include "stream/output.h"

struct options {
	struct cli_conversion_options conversion;
	const char *output, *vmdesc, *input, *recover;
	bool json, in_place;
};

static void list_filters(void)
{
	const struct filter *f;

	for (size_t i = 0; (f = filter_builtin(i)); i++)
		printf("%-18s %s\n", f->name, f->summary);
}

static bool is_stdio(const char *path)
{
	return path && !strcmp(path, "-");
}

/* Return: -1 to go on, else the exit status. */
static int check_options(const struct options *o)
{
	if (o->recover) {
		if (strcmp(o->recover, "finish") != 0 && strcmp(o->recover, "undo") != 0)
			return cli_usage(&cmd_convert, "--recover=%s: finish or undo", o->recover);
		if (o->conversion.to || o->output || o->in_place)
			return cli_usage(&cmd_convert, "--recover goes with a file alone");
		return -1;
	}
	if (!o->conversion.to)
		return cli_usage(&cmd_convert, "--to is missing");
	if (!o->output && !o->in_place)
		return cli_usage(&cmd_convert, "-o is missing");
	if (o->output && o->in_place)
		return cli_usage(&cmd_convert, "-o and --in-place: where to?");
	if (o->in_place && is_stdio(o->input))
		return cli_usage(&cmd_convert, "standard input cannot be converted in place");
	if (o->json && is_stdio(o->output))
		return cli_usage(&cmd_convert, "--json and -o - both want standard output");
	return -1;
}

/* Return: -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		CLI_CONVERSION_OPTIONS,
		CLI_TSC_KHZ_OPTION,
		CLI_REPORT_OPTIONS,
		{ "vmdesc", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "in-place", no_argument, NULL, 'i' },
		{ "recover", optional_argument, NULL, 'R' },
		{ "json", no_argument, NULL, 'j' },
		{ "list-filters", no_argument, NULL, 'l' },
		{ 0 },
	};
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":o:v", longs, NULL)) >= 0) {
		switch (c) {
		case 'd':
			o->vmdesc = optarg;
			break;
		case 'o':
			o->output = optarg;
			break;
		case 'i':
			o->in_place = true;
			break;
		case 'R':
			o->recover = optarg ? optarg : "finish";
			break;
		case 'j':
			o->json = true;
			break;
		case 'l':
			list_filters();
			return IRQS_DONE;
		default:
			status = cli_conversion_option(&cmd_convert, c, argc, argv, &o->conversion);
			if (status >= 0)
				return status;
		}
	}
	if (argc - optind != 1 && (o->recover || (o->conversion.to && (o->output || o->in_place))))
		return cli_usage(&cmd_convert, "one input is needed");
	o->input = argv[optind];
	return check_options(o);
}

/* @p: the input's own file, to be changed; NULL: another is written. */
static int write_stream(struct cli_input *in, const char *path, struct in_place *p)
{
	struct irqs_error err = { 0 };
	struct output out;
	int rc;

	if (p) {
		rc = in_place_write(p, &in->stream, &err);
		return rc ? cli_fail(&err, in->path) : 0;
	}
	rc = output_open(&out, path, in->mode, &err);
	if (rc)
		return cli_fail(&err, NULL);
	rc = in->is_image ? cli_image_write(in, out.fd, &err) : qemu_stream_write(&in->stream, out.fd, &err);
	if (rc) {
		output_abort(&out);
		return cli_fail(&err, path);
	}
	rc = output_commit(&out, &err);
	return rc ? cli_fail(&err, NULL) : 0;
}

/* What was done, as it was asked for. Return: 0 or the exit status. */
static int tell(const struct cli_conversion *c, const struct options *o)
{
	if (o->json && cli_print_report_json(c, stdout))
		return IRQS_SYSTEM;
	return cli_tell_report(c, &o->conversion);
}

static int convert(struct cli_input *in, const struct options *o, struct in_place *p)
{
	struct cli_conversion c;
	int status = cli_convert(in, &o->conversion, &c), rc;

	if (status != IRQS_DONE && status != IRQS_REFUSED)
		return status;
	if (status == IRQS_REFUSED)
		cli_fail(&c.error, in->path);
	rc = tell(&c, o);
	if (!rc && !status)
		rc = write_stream(in, o->output, p);
	cli_conversion_deinit(&c);
	return status ? status : rc;
}

static int convert_in_place(const struct options *o)
{
	struct irqs_error err = { 0 };
	struct cli_input in;
	struct in_place p;
	int status, rc = in_place_open(&p, o->input, &err);

	if (rc) {
		cli_name_recovery(rc, o->input, &err);
		return cli_fail(&err, o->input);
	}
	status = cli_open_in_place(&in, &p, o->input, o->vmdesc);
	if (!status) {
		status = convert(&in, o, &p);
		cli_close(&in);
	}
	in_place_close(&p);
	return status;
}

/* A file that was cut short is not replaced: the journal beside it would be taken for one of the new file. */
static int guard_output(const char *path)
{
	struct irqs_error err = { 0 };
	int fd = is_stdio(path) ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), rc;

	if (fd < 0)
		return 0;
	rc = in_place_guard(fd, path, &err);
	close(fd);
	if (!rc)
		return 0;
	cli_name_recovery(rc, path, &err);
	return cli_fail(&err, path);
}

static int convert_to_file(const struct options *o)
{
	struct cli_input in;
	int status = guard_output(o->output);

	if (!status)
		status = cli_open_stream(&in, o->input, o->vmdesc);
	if (!status) {
		status = convert(&in, o, NULL);
		cli_close(&in);
	}
	return status;
}

/* RAM goes through, nothing is kept. */
static int convert_through(const struct options *o)
{
	struct through t;
	size_t twin_size = 0;
	char *twin = NULL;
	int status = o->vmdesc ? cli_read_twin(o->vmdesc, &twin, &twin_size) : 0, rc;

	if (!status)
		status = through_init(&t, &o->conversion, twin, twin_size, false);
	if (!status) {
		status = through_carry(&t, o->input, o->output);
		rc = t.converted ? tell(&t.conversion, o) : 0;
		status = status ? status : rc;
		through_deinit(&t);
	}
	free(twin);
	return status;
}

static int run(int argc, char **argv)
{
	struct options o = { 0 };
	int status = parse(argc, argv, &o);

	if (status < 0 && o.recover)
		status = cli_recover(o.input, o.recover);
	else if (status < 0 && o.in_place)
		status = convert_in_place(&o);
	else if (status < 0)
		status = through_is_wanted(o.input, o.output) ? convert_through(&o) : convert_to_file(&o);
	free(o.conversion.filters);
	return status;
}

const struct cli_command cmd_convert = {
	.name = "convert",
	.run = run,
	.usage = "[--from P] --to P [OPTION]... -o OUT|--in-place IN",
	.summary = "turn a stream of one kind of host into one that another kind loads",
	.help = "  -o, --output F  output; '-' is standard output. A file is complete or absent, never in\n"
		"                  between; from a pipe to a pipe RAM goes through, and the output ends early\n"
		"                  when the state is refused\n"
		"  --in-place      change IN itself: only what differs is written, the RAM stays where it is. Killed at\n"
		"                  any moment, IN is whole, or IN.irqshift-journal beside it makes it whole:\n"
		"  --recover[=finish|undo]\n"
		"                  finish, or undo, a conversion in place of IN that was cut short; goes with IN alone\n"
		"  --list-filters  print the filters and leave\n"
		"  --json          print the report as JSON\n" CLI_CONVERSION_HELP CLI_TSC_KHZ_HELP CLI_REPORT_HELP
		"  --vmdesc F      take the vmdescription from F (a stream of a twin machine, or the JSON)\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdlib.h>

#include "cli/cli.h"

static int check(struct cli_input *in, const struct cli_conversion_options *opt, bool json)
{
	struct cli_conversion c;
	int status = cli_convert(in, opt, &c);

	if (status != IRQS_DONE && status != IRQS_REFUSED)
		return status;
	if (!json)
		cli_print_report(&c, stdout);
	else if (cli_print_report_json(&c, stdout))
		status = IRQS_SYSTEM;
	if (status == IRQS_REFUSED)
		cli_fail(&c.error, in->path);
	cli_conversion_deinit(&c);
	return status;
}

/* Without a target: is the state as it is in order? */
static int lint(const char *path, const char *vmdesc, bool json, const struct reg_out *out)
{
	struct cli_input in;
	int status = cli_open(&in, path, vmdesc);

	if (status)
		return status;
	status = cli_lint(&in, json, out);
	cli_close(&in);
	return status;
}

/* Options that say how to convert mean nothing without a target. */
static const char *without_target(const struct cli_conversion_options *opt)
{
	if (opt->from)
		return "--from";
	if (opt->hints)
		return "--hints";
	if (opt->filters)
		return "--filter";
	if (opt->tsc_khz)
		return "--tsc-khz";
	return opt->allow_lossy ? "--allow" : NULL;
}

static int run_with(int argc, char **argv, struct cli_conversion_options *opt)
{
	static const struct option longs[] = {
		CLI_CONVERSION_OPTIONS,
		CLI_TSC_KHZ_OPTION,
		{ "vmdesc", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "color", required_argument, NULL, 'c' },
		{ 0 },
	};
	const char *vmdesc = NULL, *color = NULL;
	struct reg_out out;
	struct cli_input in;
	bool json = false;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		switch (c) {
		case 'd':
			vmdesc = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'c':
			color = optarg;
			break;
		default:
			status = cli_conversion_option(&cmd_check, c, argc, argv, opt);
			if (status >= 0)
				return status;
		}
	}
	if (!opt->to && without_target(opt))
		return cli_usage(&cmd_check, "%s means nothing without --to", without_target(opt));
	if (!cli_out_init(&out, color))
		return cli_usage(&cmd_check, "--color %s: auto, always or never", color);
	if (argc - optind != 1)
		return cli_usage(&cmd_check, "one input is needed");
	if (!opt->to)
		return lint(argv[optind], vmdesc, json, &out);
	status = cli_open_stream(&in, argv[optind], vmdesc);
	if (status)
		return status;
	status = check(&in, opt, json);
	cli_close(&in);
	return status;
}

static int run(int argc, char **argv)
{
	struct cli_conversion_options opt = { 0 };
	int status = run_with(argc, argv, &opt);

	free(opt.filters);
	return status;
}

const struct cli_command cmd_check = {
	.name = "check",
	.run = run,
	.usage = "[[--from P] --to P [--allow lossy] [--filter F]...] [--vmdesc F] [--json] [--color WHEN] IN",
	.summary = "say what is wrong with an interrupt state, or whether a stream would survive a conversion",
	.help = "Without --to, IN is a stream or a snapshot, and each line is what is wrong with it and what the\n"
		"guest will feel; exit status 3 when something in it cannot be. With --to:\n\n" CLI_CONVERSION_HELP CLI_TSC_KHZ_HELP
		"\nIn both cases:\n\n"
		"  --vmdesc F    take the vmdescription from F (a stream of a twin machine, or the JSON)\n"
		"  --json        print the findings or the report as JSON\n" CLI_COLOR_HELP,
};

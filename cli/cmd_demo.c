/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/demo.h"

#define LONGEST_S 3600

static bool seconds(const char *text, double *ret)
{
	char *end;

	*ret = strtod(text, &end);
	return end != text && !*end && *ret > 0 && *ret <= LONGEST_S;
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "plain", no_argument, NULL, 'p' },
		{ "recorded", no_argument, NULL, 'r' },
		{ NULL, 0, NULL, 0 },
	};
	bool plain = false, recorded = false;
	double each = 3;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (c) {
		case 's':
			if (!seconds(optarg, &each))
				return cli_usage(&cmd_demo, "--seconds %s: not more than 0, up to %d", optarg, LONGEST_S);
			break;
		case 'p':
			plain = true;
			break;
		case 'r':
			recorded = true;
			break;
		case ':':
			return cli_usage(&cmd_demo, "%s needs a value", argv[optind - 1]);
		default:
			return cli_usage(&cmd_demo, "%s: no such option", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return cli_usage(&cmd_demo, "%s: no such argument", argv[optind]);
	if (recorded)
		return demo_recorded();
	status = demo_live(each, plain);
	if (status >= 0)
		return status;
	fprintf(stderr, "%s: no guest can run here; what follows is recorded\n", CLI_NAME);
	return demo_recorded();
}

const struct cli_command cmd_demo = {
	.name = "demo",
	.run = run,
	.usage = "[--seconds S] [--plain] [--recorded]",
	.summary = "a guest that moves between the irqchips before your eyes",
	.help = "  --seconds S  time in each of kernel, split, userspace and kernel again (3)\n"
		"  --plain      a table for each, in plain text, as when standard output is no terminal\n"
		"  --recorded   convert a recorded stream instead, as where there is no KVM\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The options that say how to convert, for every command that does. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "vmstate/caps.h"

static bool parse_khz(const char *text, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 10);
	return !errno && *text >= '0' && *text <= '9' && !*end && *ret && *ret <= CAPS_TSC_KHZ_MAX;
}

/* There are never more filters than arguments: the list ends with NULL. */
static int add_filter(const char ***filters, int argc, const char *value)
{
	const char **last;

	if (!*filters)
		*filters = calloc((size_t)argc, sizeof(char *));
	if (!*filters)
		return -ENOMEM;
	for (last = *filters; *last; last++)
		;
	*last = value;
	return 0;
}

int cli_conversion_option(const struct cli_command *cmd, int c, int argc, char **argv, struct cli_conversion_options *opt)
{
	switch (c) {
	case 'f':
		opt->from = optarg;
		return -1;
	case 't':
		opt->to = optarg;
		return -1;
	case 'F':
		return add_filter(&opt->filters, argc, optarg) ? cli_usage(cmd, "out of memory") : -1;
	case 'H':
		opt->hints = optarg;
		return -1;
	case 'a':
		if (strcmp(optarg, "lossy") != 0)
			return cli_usage(cmd, "--allow %s: only 'lossy' can be allowed", optarg);
		opt->allow_lossy = true;
		return -1;
	case 'T':
		if (!parse_khz(optarg, &opt->tsc_khz))
			return cli_usage(cmd, "--tsc-khz %s: not a rate in kHz", optarg);
		return -1;
	case 'r':
		opt->report = optarg;
		return -1;
	case 'v':
		opt->verbose = true;
		return -1;
	default:
		return cli_usage(cmd, c == ':' ? "%s needs a value" : "%s: no such option", argv[optind - 1]);
	}
}

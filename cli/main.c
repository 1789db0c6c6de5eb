/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command: finds the subcommand and hands over. */
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

#ifndef IRQSHIFT_VERSION
#define IRQSHIFT_VERSION "unversioned"
#endif

static const struct cli_command *const commands[] = {
	&cmd_convert,
	&cmd_check,
	&cmd_proxy,
	&cmd_show,
	&cmd_diff,
	&cmd_caps,
	&cmd_schema,
	&cmd_hints,
	&cmd_decode,
	&cmd_domain,
	&cmd_list,
	&cmd_dump,
	&cmd_monitor,
	&cmd_restore,
	&cmd_demo,
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_overview(FILE *out)
{
	fprintf(out, "usage: %s COMMAND [OPTION]... FILE...\n\n", CLI_NAME);
	for (size_t i = 0; i < NCOMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\n'%s COMMAND --help' lists its options. Exit status: 0 done, 1 the system failed, 2 usage,\n"
		     "3 refused (the target cannot represent the state), 4 malformed input.\n",
		CLI_NAME);
}

static void print_help(const struct cli_command *cmd)
{
	printf("usage: %s %s %s\n\n%s\n\n%s", CLI_NAME, cmd->name, cmd->usage, cmd->summary, cmd->help);
}

int cli_usage(const struct cli_command *cmd, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", CLI_NAME);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (usage: %s %s %s)\n", CLI_NAME, cmd->name, cmd->usage);
	return IRQS_USAGE;
}

int cli_fail(const struct irqs_error *err, const char *file)
{
	char line[1024];

	irqs_error_format(err, file, line, sizeof(line));
	fprintf(stderr, "%s: %s\n", CLI_NAME, line);
	return err->status;
}

static int run(const struct cli_command *cmd, int argc, char **argv)
{
	int status;

	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			print_help(cmd);
			return IRQS_DONE;
		}
	}
	status = cmd->run(argc, argv);
	/* What standard output could not take is an error like any other. */
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "%s: standard output: write failed\n", CLI_NAME);
		return status ? status : IRQS_SYSTEM;
	}
	return status;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error with a message, not a silent death */
	if (argc < 2) {
		print_overview(stderr);
		return IRQS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_overview(stdout);
		return IRQS_DONE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("%s %s\n", CLI_NAME, IRQSHIFT_VERSION);
		return IRQS_DONE;
	}
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(argv[1], commands[i]->name))
			return run(commands[i], argc - 1, argv + 1);
	fprintf(stderr, "%s: %s: no such command ('%s --help' lists them)\n", CLI_NAME, argv[1], CLI_NAME);
	return IRQS_USAGE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/target.h"
#include "filters/domain.h"

/* As domain_convert() takes. */
#define XML_MAX ((size_t)16 << 20)

struct options {
	const char *to, *input;
	bool verbose;
};

/* Return: -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "to", required_argument, NULL, 't' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":v", longs, NULL)) >= 0) {
		if (c == 't')
			o->to = optarg;
		else if (c == 'v')
			o->verbose = true;
		else
			return cli_usage(&cmd_domain, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
	}
	if (!o->to)
		return cli_usage(&cmd_domain, "--to is missing");
	if (argc - optind > 1)
		return cli_usage(&cmd_domain, "one input is enough");
	o->input = optind < argc ? argv[optind] : "-";
	return -1;
}

static int read_text(const char *path, char **ret, struct irqs_error *reterr)
{
	size_t size;
	int fd = cli_open_file(path, reterr), rc;
	struct source src;

	if (fd < 0)
		return fd;
	rc = source_init(&src, fd, reterr);
	if (!rc) {
		size = src.size < XML_MAX ? (size_t)src.size : XML_MAX + 1;
		*ret = calloc(1, size + 1);
		rc = *ret ? source_read(&src, 0, *ret, size, reterr) : irqs_fail_nomem(reterr);
		if (!rc && strlen(*ret) != size)
			rc = irqs_fail(reterr, IRQS_MALFORMED, (int64_t)strlen(*ret), NULL, "a zero byte in a text");
		source_deinit(&src);
	}
	cli_close_file(fd);
	return rc;
}

static int convert(const struct options *o, const struct profile *to)
{
	struct domain_text text = { NULL, NULL };
	struct irqs_error err = { 0 };
	struct report report;
	int status, rc = read_text(o->input, &text.xml, &err);

	report_init(&report);
	if (!rc)
		rc = domain_convert(&text, to, &report, &err);
	if (!rc)
		rc = filter_judge(&report, 0, COST_APPROXIMATE, &err);
	if (o->verbose)
		cli_print_entries(&report, stderr);
	status = rc ? cli_fail(&err, o->input) : 0;
	if (!status && fputs(text.xml, stdout) == EOF)
		status = IRQS_SYSTEM;
	free(text.xml);
	report_deinit(&report);
	return status;
}

static int run(int argc, char **argv)
{
	struct irqs_error err = { 0 };
	struct options o = { 0 };
	struct profile to;
	int status = parse(argc, argv, &o);

	if (status >= 0)
		return status;
	return target_parse(o.to, &to, &err) ? cli_fail(&err, NULL) : convert(&o, &to);
}

const struct cli_command cmd_domain = {
	.name = "domain",
	.run = run,
	.usage = "--to P [-v] [XML]",
	.summary = "adapt a libvirt domain's XML to another kind of host",
	.help = "  XML            the domain, as 'virsh dumpxml' writes it; standard input when not given\n"
		"  --to P         kind of host that shall run it, as for 'convert'\n"
		"  -v, --verbose  print what is changed, and why, to standard error\n",
};

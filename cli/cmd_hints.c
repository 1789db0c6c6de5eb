/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <string.h>

#include "cli/cli.h"
#include "stream/hints_json.h"
#include "stream/hints_qmp.h"

/* For all that a QEMU is asked. */
#define QMP_TIMEOUT_MS 10000

static int collect(struct cli_input *in, struct hints *h, struct irqs_error *reterr)
{
	struct vms_tree *tree = &in->stream.tree;
	char evidence[256], name[64];
	struct profile p;
	int rc = 0;

	if (!profile_detect(tree->machine, &p, evidence, sizeof(evidence), NULL)) {
		if (profile_name_sections(tree, &p))
			return irqs_fail_nomem(reterr);
		rc = hints_add(h, HINTS_MACHINE, "host-kind", profile_format(&p, name, sizeof(name)), reterr);
	}
	return rc ? rc : hints_from_stream(h, &in->stream, reterr);
}

static int dump_running(const char *path)
{
	struct irqs_error err = { 0 };
	struct hints h;
	struct qmp q;
	int status;

	if (qmp_connect(&q, path, QMP_TIMEOUT_MS, &err))
		return cli_fail(&err, path);
	hints_init(&h);
	status = hints_from_qmp(&h, &q, &err) ? cli_fail(&err, path) : cli_print_text(hints_json(&h));
	hints_deinit(&h);
	qmp_close(&q);
	return status;
}

static int dump_saved(const char *path, const char *vmdesc)
{
	struct irqs_error err = { 0 };
	struct cli_input in;
	struct hints h;
	int status = cli_open_stream(&in, path, vmdesc);

	if (status)
		return status;
	hints_init(&h);
	status = collect(&in, &h, &err) ? cli_fail(&err, path) : cli_print_text(hints_json(&h));
	hints_deinit(&h);
	cli_close(&in);
	return status;
}

static int run_dump(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "qmp", required_argument, NULL, 'q' },
		{ "vmdesc", required_argument, NULL, 'd' },
		{ 0 },
	};
	const char *vmdesc = NULL, *qmp = NULL;
	int c;

	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'q')
			qmp = optarg;
		else if (c == 'd')
			vmdesc = optarg;
		else
			return cli_usage(&cmd_hints, "%s: %s", argv[optind - 1],
					 c == ':' ? "needs a value" : "no such option");
	}
	if (qmp && (vmdesc || argc != optind))
		return cli_usage(&cmd_hints, "--qmp asks a running machine: it goes with no stream and no --vmdesc");
	if (qmp)
		return dump_running(qmp);
	if (argc - optind != 1)
		return cli_usage(&cmd_hints, "one stream is needed");
	return dump_saved(argv[optind], vmdesc);
}

static int load(const char *path, int (*how)(struct hints *ret, int fd, struct irqs_error *reterr),
		struct hints *ret)
{
	struct irqs_error err = { 0 };
	int fd = cli_open_file(path, &err), rc = fd < 0 ? fd : how(ret, fd, &err);

	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

static int print_one(void *ctx, const struct hint *e, enum hint_origin origin)
{
	(void)ctx;
	printf("%-10s %s.%s: %s%s\n", hints_origin_name(origin), e->device, e->key, e->value,
	       origin == HINT_IGNORED      ? " (the configuration has no such device)"
	       : origin == HINT_OVERRIDDEN ? " (the configuration says otherwise)"
					   : "");
	return 0;
}

static int apply(const char *config_path, const char *hints_path, bool json)
{
	struct hints config, h;
	int status = load(config_path, hints_load_config, &config);

	if (status)
		return status;
	status = load(hints_path, hints_load, &h);
	if (!status) {
		if (json)
			status = cli_print_text(hints_applied_json(&config, &h));
		else
			hints_apply(&config, &h, print_one, NULL);
		hints_deinit(&h);
	}
	hints_deinit(&config);
	return status;
}

static int run_apply(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const char *config = NULL;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'c')
			config = optarg;
		else if (c == 'j')
			json = true;
		else
			return cli_usage(&cmd_hints, "%s: %s", argv[optind - 1],
					 c == ':' ? "needs a value" : "no such option");
	}
	if (!config)
		return cli_usage(&cmd_hints, "--config is missing");
	if (argc - optind != 1)
		return cli_usage(&cmd_hints, "one file with hints is needed");
	return apply(config, argv[optind], json);
}

static int run(int argc, char **argv)
{
	opterr = 0;
	if (argc > 1 && !strcmp(argv[1], "dump"))
		return run_dump(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "apply"))
		return run_apply(argc - 1, argv + 1);
	return cli_usage(&cmd_hints, "'dump' or 'apply' is needed");
}

const struct cli_command cmd_hints = {
	.name = "hints",
	.run = run,
	.usage = "dump [--vmdesc F] IN | dump --qmp SOCKET | apply --config CONFIG [--json] HINTS",
	.summary = "what a machine was that its configuration does not say",
	.help = "  dump IN         the hints of a stream, as JSON\n"
		"  --qmp SOCKET    dump only: of a running machine, asked over the QMP unix socket of its QEMU;\n"
		"                  nothing is changed\n"
		"  --vmdesc F      take the vmdescription from F (a stream of a twin machine, or the JSON)\n"
		"  apply HINTS     every value of a configuration's devices and where it comes from:\n"
		"                  the configuration, a hint, or neither (the default); hints for other\n"
		"                  devices are ignored and said to be\n"
		"  --config CONFIG JSON: {\"devices\": {\"ioapic\": {\"version\": \"0x20\"}, \"apic\": {}}}\n"
		"  --json          print it as JSON\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "apic/registry.h"
#include "cli/cli.h"
#include "stream/qemu_run.h"
#include "stream/schema_json.h"

/* In place of a file: what this program itself writes and reads. */
#define BUILTIN "builtin:"

static int load_builtin(struct schema *s, struct irqs_error *reterr)
{
	int rc = 0;

	schema_init(s, SCHEMA_REGISTRY);
	for (const struct apic_chip *c = apic_chips; c->name && !rc; c++)
		if (c->desc && !schema_find(s, c->desc->name))
			rc = schema_add_desc(s, c->desc, reterr);
	if (rc)
		schema_deinit(s);
	else
		schema_sort(s);
	return rc;
}

/* Return: 0, or the exit status after the error was printed. */
static int load(const char *path, struct schema *s)
{
	struct irqs_error err = { 0 };
	int fd, rc;

	if (!strcmp(path, BUILTIN)) {
		rc = load_builtin(s, &err);
		return rc ? cli_fail(&err, NULL) : 0;
	}
	fd = cli_open_file(path, &err);
	rc = fd < 0 ? fd : schema_load(s, fd, &err);
	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

/* Keeps only the devices that are named; the others stay in the arena. */
static int select_devices(struct schema *s, char **names, int n)
{
	size_t kept = 0;

	for (int i = 0; i < n; i++) {
		if (!schema_find(s, names[i])) {
			fprintf(stderr, "%s: %s: no such device\n", CLI_NAME, names[i]);
			return IRQS_USAGE;
		}
	}
	for (size_t i = 0; i < s->ndevices; i++) {
		bool wanted = !n;

		for (int k = 0; k < n; k++)
			wanted = wanted || !strcmp(names[k], s->devices[i].name);
		if (wanted)
			s->devices[kept++] = s->devices[i];
	}
	s->ndevices = kept;
	return 0;
}

static int load_qemu(const char *binary, const char *machine, struct schema *s)
{
	const struct qemu_run_options opt = { .binary = binary };
	struct irqs_error err = { 0 };
	int fd = qemu_run_dump(&opt, machine, &err), rc;

	rc = fd < 0 ? fd : schema_load(s, fd, &err);
	cli_close_file(fd);
	return rc ? cli_fail(&err, binary) : 0;
}

static int run_dump(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "qemu", required_argument, NULL, 'q' },
		{ "machine", required_argument, NULL, 'M' },
		{ "builtin", no_argument, NULL, 'b' },
		{ 0 },
	};
	const char *qemu = NULL, *machine = NULL;
	bool builtin = false;
	struct schema s;
	int c, status;

	while ((c = getopt_long(argc, argv, ":M:", longs, NULL)) >= 0) {
		if (c == 'q')
			qemu = optarg;
		else if (c == 'M')
			machine = optarg;
		else if (c == 'b')
			builtin = true;
		else
			return cli_usage(&cmd_schema, "%s: %s", argv[optind - 1],
					 c == ':' ? "needs a value" : "no such option");
	}
	if (machine && !qemu)
		return cli_usage(&cmd_schema, "-M is of no use without --qemu");
	if (qemu && builtin)
		return cli_usage(&cmd_schema, "--qemu and --builtin exclude each other");
	if (!qemu && !builtin && optind == argc)
		return cli_usage(&cmd_schema, "an input, --qemu or --builtin is needed");
	if (qemu)
		status = load_qemu(qemu, machine, &s);
	else
		status = load(builtin ? BUILTIN : argv[optind++], &s);
	if (status)
		return status;
	status = select_devices(&s, argv + optind, argc - optind);
	if (!status)
		status = cli_print_text(schema_json(&s));
	schema_deinit(&s);
	return status;
}

static void print_findings(const struct schema_findings *f, bool all)
{
	for (size_t i = 0; i < f->count; i++) {
		const struct schema_finding *e = &f->entries[i];

		if (e->severity == SCHEMA_NOTE && !all)
			continue;
		printf("%-8s %-20s %s", schema_severity_name(e->severity), schema_what_name(e->what),
		       e->path);
		if (e->old_text || e->new_text)
			printf(": %s -> %s", e->old_text ? e->old_text : "(not there)",
			       e->new_text ? e->new_text : "(not there)");
		printf("\n%29s %s%s\n", "", e->excused ? "known: " : "", e->why);
	}
	printf("%s: %zu errors, %zu warnings, %zu notes%s\n",
	       schema_count(f, SCHEMA_ERROR) ? "not compatible" : "compatible", schema_count(f, SCHEMA_ERROR),
	       schema_count(f, SCHEMA_WARNING), schema_count(f, SCHEMA_NOTE),
	       !all && schema_count(f, SCHEMA_NOTE) ? " (--all prints them)" : "");
}

static int compare(const struct schema *old, const struct schema *new, const struct schema_known_list *known,
		   bool all, bool json)
{
	struct schema_findings f;
	struct irqs_error err = { 0 };
	int status = IRQS_DONE;

	schema_findings_init(&f);
	if (schema_check(old, new, &f)) {
		irqs_fail_nomem(&err);
		status = cli_fail(&err, NULL);
	} else {
		schema_excuse(&f, known->entries, known->count);
		if (json)
			status = cli_print_text(schema_findings_json(&f));
		else
			print_findings(&f, all);
		if (!status && schema_count(&f, SCHEMA_ERROR))
			status = IRQS_REFUSED;
	}
	schema_findings_deinit(&f);
	return status;
}

static int load_known(const char *path, struct schema_known_list *known)
{
	struct irqs_error err = { 0 };
	int fd, rc;

	if (!path)
		return 0;
	fd = cli_open_file(path, &err);
	rc = fd < 0 ? fd : schema_known_load(known, fd, &err);
	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

static int check_files(const char *old_path, const char *new_path, const char *known_path, bool all,
		       bool json)
{
	struct schema_known_list known = { 0 };
	struct schema old, new;
	int status = load(old_path, &old);

	if (status)
		return status;
	status = load(new_path, &new);
	if (!status) {
		status = load_known(known_path, &known);
		if (!status) {
			status = compare(&old, &new, &known, all, json);
			if (known_path)
				schema_known_deinit(&known);
		}
		schema_deinit(&new);
	}
	schema_deinit(&old);
	return status;
}

static int run_check(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "known", required_argument, NULL, 'k' },
		{ "all", no_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	const char *known = NULL;
	bool all = false, json = false;
	int c;

	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'k')
			known = optarg;
		else if (c == 'a')
			all = true;
		else if (c == 'j')
			json = true;
		else
			return cli_usage(&cmd_schema, "%s: %s", argv[optind - 1],
					 c == ':' ? "needs a value" : "no such option");
	}
	if (argc - optind != 2)
		return cli_usage(&cmd_schema, "OLD and NEW are needed");
	return check_files(argv[optind], argv[optind + 1], known, all, json);
}

static int run(int argc, char **argv)
{
	opterr = 0;
	if (argc > 1 && !strcmp(argv[1], "dump"))
		return run_dump(argc - 1, argv + 1);
	if (argc > 1 && !strcmp(argv[1], "check"))
		return run_check(argc - 1, argv + 1);
	return cli_usage(&cmd_schema, "'dump' or 'check' is needed");
}

const struct cli_command cmd_schema = {
	.name = "schema",
	.run = run,
	.usage =
		"check [--known F] [--all] [--json] OLD NEW | dump [--qemu BIN [-M TYPE] | --builtin | IN] "
		"[DEVICE]...",
	.summary = "may NEW load what OLD saved? compare what two programs write of each device",
	.help = "  check OLD NEW  each a stream, a vmdescription, a file of 'qemu -dump-vmstate', the\n"
		"                 output of 'schema dump', or " BUILTIN
		" for this program; 3 when NEW cannot load it\n"
		"  --known F      known exceptions, each with its reason: JSON\n"
		"  --all          print notes as well: differences that the rules allow\n"
		"  --json         print the findings as JSON\n"
		"  dump           print the normal form, of all devices or those named\n"
		"  --qemu BIN     of this QEMU, by its -dump-vmstate\n"
		"  -M TYPE        machine type for that; its default when not given\n"
		"  --builtin      of this program\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <string.h>

#include "cli/cli.h"
#include "filters/profile_caps.h"
#include "kvm/caps.h"
#include "stream/caps_json.h"
#include "stream/qemu_caps.h"

/* Whom to ask; any one of them, or host and QEMU together. */
struct subject {
	bool host;
	const char *qemu, *profile, *file;
};

static int load_file(const char *path, struct caps *ret)
{
	struct irqs_error err = { 0 };
	int fd = cli_open_file(path, &err), rc = fd < 0 ? fd : caps_load(ret, fd, &err);

	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

static int ask_qemu(const char *binary, struct caps *ret)
{
	const struct qemu_run_options opt = { .binary = binary };
	struct irqs_error err = { 0 };

	return qemu_caps_probe(&opt, ret, &err) ? cli_fail(&err, binary) : 0;
}

static int ask_profile(const char *name, struct caps *ret)
{
	struct irqs_error err = { 0 };
	struct profile p;
	int rc = profile_parse(name, &p, &err);

	if (!rc)
		rc = profile_to_caps(&p, ret, &err);
	return rc ? cli_fail(&err, NULL) : 0;
}

static int ask_host(struct caps *ret)
{
	struct irqs_error err = { 0 };

	return kvm_caps_probe(NULL, ret, &err) ? cli_fail(&err, NULL) : 0;
}

static int ask_both(const char *binary, struct caps *ret)
{
	struct irqs_error err = { 0 };
	struct caps qemu, host;
	int status = ask_qemu(binary, &qemu);

	if (status)
		return status;
	status = ask_host(&host);
	if (!status) {
		if (caps_combine(&qemu, &host, ret, &err))
			status = cli_fail(&err, NULL);
		caps_deinit(&host);
	}
	caps_deinit(&qemu);
	return status;
}

static int ask(const struct subject *s, struct caps *ret)
{
	if (s->file)
		return load_file(s->file, ret);
	if (s->profile)
		return ask_profile(s->profile, ret);
	if (s->qemu)
		return s->host ? ask_both(s->qemu, ret) : ask_qemu(s->qemu, ret);
	return ask_host(ret);
}

static void print_list(const char *what, const struct caps_list *list)
{
	if (!list->count)
		return;
	printf("%s:", what);
	for (size_t i = 0; i < list->count; i++)
		printf(" %s", list->names[i]);
	putchar('\n');
}

static void print_caps(const struct caps *c)
{
	printf("0x%016" PRIx64 " %s%s%s\n", c->word, c->source[0] ? c->source : "(says nothing)",
	       c->version[0] ? ", " : "", c->version);
	for (unsigned int bit = 0; bit < 64; bit++) {
		const struct caps_row *row = caps_find_bit(bit);

		if (c->word & CAPS_MASK(bit))
			printf("  %2u %-22s %s\n", bit, row ? row->name : "(newer)",
			       row ? row->meaning : "a capability that this version does not know");
	}
	if (!c->word)
		printf("  nothing: the old protocol\n");
	if (c->tsc_khz)
		printf("TSC: %" PRIu64 " kHz\n", c->tsc_khz);
	print_list("machine types", &c->machines);
	print_list("migration capabilities", &c->migration);
}

static int show(const struct caps *c, bool json)
{
	if (json)
		return cli_print_text(caps_json(c));
	print_caps(c);
	return IRQS_DONE;
}

static int show_common(const struct caps *mine, const char *other_path, bool json)
{
	struct irqs_error err = { 0 };
	struct caps other, common;
	int status = load_file(other_path, &other);

	if (status)
		return status;
	if (caps_common(mine, &other, &common, &err)) {
		status = cli_fail(&err, NULL);
	} else {
		status = show(&common, json);
		caps_deinit(&common);
	}
	caps_deinit(&other);
	return status;
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "host", no_argument, NULL, 'h' },
		{ "qemu", required_argument, NULL, 'q' },
		{ "profile", required_argument, NULL, 'p' },
		{ "common", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	struct subject s = { 0 };
	const char *common = NULL;
	bool json = false;
	struct caps caps;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		switch (c) {
		case 'h':
			s.host = true;
			break;
		case 'q':
			s.qemu = optarg;
			break;
		case 'p':
			s.profile = optarg;
			break;
		case 'c':
			common = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			return cli_usage(&cmd_caps, "%s: %s", argv[optind - 1],
					 c == ':' ? "needs a value" : "no such option");
		}
	}
	if (argc - optind > 1)
		return cli_usage(&cmd_caps, "one file at most");
	s.file = optind < argc ? argv[optind] : NULL;
	if ((s.host || s.qemu) + (s.profile != NULL) + (s.file != NULL) > 1)
		return cli_usage(&cmd_caps, "only --host and --qemu go together");
	status = ask(&s, &caps);
	if (status)
		return status;
	status = common ? show_common(&caps, common, json) : show(&caps, json);
	caps_deinit(&caps);
	return status;
}

const struct cli_command cmd_caps = {
	.name = "caps",
	.run = run,
	.usage = "[--host] [--qemu BIN] | [--profile P] | [FILE] [--common OTHER] [--json]",
	.summary =
		"what this host, a QEMU or a profile can hold, and what two sides have in common",
	.help = "  --host          the KVM of this host (also when nothing is named)\n"
		"  --qemu BIN      a QEMU program; options may follow its name in the same argument.\n"
		"                  With --host: that QEMU on this host\n"
		"  --profile P     a kind of host, by our rules: \"tcg@qemu-7.2\"\n"
		"  FILE            what 'caps --json' wrote elsewhere; '-' is standard input\n"
		"  --common OTHER  only what the file OTHER has as well: what both sides then keep to.\n"
		"                  A side that says nothing has the word zero, the old protocol\n"
		"  --json          print it for the other side, or as a target of convert and check\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "kvm/decode.h"

/* More than any argument: 4096 routes. */
#define MAX_BYTES (256U << 10)

static void emit(void *ctx, const char *text)
{
	fputs(text, ctx);
}

static struct reg_out out_to(FILE *f)
{
	return (struct reg_out){ .emit = emit, .ctx = f };
}

/* ---- the ioctls by name ---- */

static const struct kvm_ioctl *find(const char *name)
{
	const struct kvm_ioctl *io = kvm_ioctl_find_name(name);
	char *end;
	unsigned long number;

	if (io)
		return io;
	errno = 0;
	number = strtoul(name, &end, 0);
	return errno || *end || end == name || number > UINT32_MAX ? NULL : kvm_ioctl_find((uint32_t)number);
}

static int unknown(const char *name)
{
	fprintf(stderr, "%s: %s: no ioctl that is known here; these are:", CLI_NAME, name);
	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++)
		fprintf(stderr, " %s", io->name);
	fputc('\n', stderr);
	return IRQS_USAGE;
}

static const char *target_name(const struct kvm_ioctl *io)
{
	return io->target == KVM_TARGET_VM ? "vm" : "vcpu";
}

static int list_json(void)
{
	json_t *ioctls = json_array(), *msrs = json_array(), *top;
	const struct reg_row *row = NULL;
	int rc = 0;

	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++)
		rc |= json_array_append_new(ioctls,
					    json_pack("{s:s, s:I, s:s, s:s, s:i, s:i, s:b}", "name", io->name, "request",
						      (json_int_t)io->request, "target", target_name(io), "arg",
						      kvm_arg_name(io->arg), "size", io->size, "entry", io->entry, "state",
						      io->chip || strstr(io->name, "IRQCHIP")));
	while ((row = abi_msr(&lapic_chip, row)))
		rc |= json_array_append_new(msrs, json_pack("{s:s, s:I}", "name", row->name, "index",
							    (json_int_t)row->abi_at));
	top = json_pack("{s:o, s:o}", "ioctls", ioctls, "msrs", msrs);
	if (!rc && top)
		rc = json_dumpf(top, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(top);
	return rc || !top ? IRQS_SYSTEM : IRQS_DONE;
}

static int list(bool json)
{
	if (json)
		return list_json();
	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++) {
		printf("%-22s 0x%08" PRIx32 " %-4s %-5s", io->name, io->request, target_name(io), kvm_arg_name(io->arg));
		if (io->entry)
			printf(" %" PRIu16 " + n * %" PRIu16, io->size, io->entry);
		else if (io->arg != KVM_ARG_NONE)
			printf(" %" PRIu16, io->size);
		putchar('\n');
	}
	return IRQS_DONE;
}

/* ---- bytes ---- */

/* Take hexadecimal digits for what they say, in place; space between bytes is no part of it. Return: 0 or -EBADMSG. */
static int unhex(char *text, size_t *len, struct irqs_error *reterr)
{
	size_t n = 0;

	for (size_t i = 0; i < *len; i++) {
		char pair[3] = { text[i], i + 1 < *len ? text[i + 1] : '\0', '\0' };

		if (isspace((unsigned char)text[i]))
			continue;
		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)i, NULL, "not two hexadecimal digits");
		text[n++] = (char)strtoul(pair, NULL, 16);
		i++;
	}
	*len = n;
	return 0;
}

static int read_all(int fd, char *buf, size_t size, size_t *ret_len, struct irqs_error *reterr)
{
	ssize_t n;

	for (*ret_len = 0; *ret_len < size; *ret_len += (size_t)n) {
		n = read(fd, buf + *ret_len, size - *ret_len);
		if (n < 0)
			return irqs_fail_errno(reterr, errno, "cannot read it");
		if (!n)
			return 0;
	}
	return irqs_fail(reterr, IRQS_MALFORMED, (int64_t)size, NULL, "longer than any argument");
}

/* A file with an argument, in memory that the caller frees. Return: 0, or the exit status after the error was printed. */
static int load(const char *path, bool hex, char **ret, size_t *ret_len)
{
	struct irqs_error err = { 0 };
	int fd = cli_open_file(path, &err), rc = fd;

	*ret = fd < 0 ? NULL : malloc(2 * MAX_BYTES);
	if (fd >= 0)
		rc = *ret ? read_all(fd, *ret, 2 * MAX_BYTES, ret_len, &err) : irqs_fail_nomem(&err);
	if (!rc && hex)
		rc = unhex(*ret, ret_len, &err);
	cli_close_file(fd);
	return rc ? cli_fail(&err, path) : 0;
}

/* ---- one argument ---- */

struct options {
	bool hex, returned;
	int result;
	const char *since;
};

static int print_diff(const struct kvm_call *before, const struct kvm_call *now, struct irqs_error *reterr)
{
	const struct reg_out out = out_to(stdout);
	unsigned int lines = 0;
	int rc = kvm_decode_diff(before, now, &out, &lines, reterr);

	if (!rc && !lines)
		puts("  no difference");
	return rc;
}

static int decode(const char *name, const char *path, const struct options *opt)
{
	const struct reg_out out = out_to(stdout);
	const struct kvm_ioctl *io = find(name);
	struct kvm_call now = { .returned = opt->returned, .result = opt->result }, before;
	struct irqs_error err = { 0 };
	char *bytes = NULL, *since = NULL;
	int status = 0, rc;

	if (!io)
		return unknown(name);
	now.request = io->request;
	if (io->arg != KVM_ARG_NONE)
		status = load(path, opt->hex, &bytes, &now.len);
	now.arg = bytes;
	before = now;
	if (!status && opt->since) {
		status = load(opt->since, opt->hex, &since, &before.len);
		before.arg = since;
	}
	if (!status) {
		rc = opt->since ? print_diff(&before, &now, &err) : kvm_decode(&now, &out, &err);
		if (rc)
			status = cli_fail(&err, path);
	}
	free(bytes);
	free(since);
	return status;
}

/* ---- many of them ---- */

/* "IOCTL RESULT BYTES [BYTES-BEFORE]": RESULT "-" for an argument before the call, BYTES "-" for none. */
static int decode_line(char *line, struct irqs_error *reterr)
{
	const struct reg_out out = out_to(stdout);
	char *word[4] = { NULL }, *rest;
	struct kvm_call call[2] = { { .request = 0 } };
	const struct kvm_ioctl *io;

	for (size_t i = 0; i < 4; i++)
		word[i] = strtok_r(i ? NULL : line, " \n", &rest);
	io = word[0] ? find(word[0]) : NULL;
	if (!io)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "no ioctl that is known here");
	if (!word[1] || !word[2])
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "IOCTL RESULT BYTES are needed");
	for (size_t i = 0; i < 2; i++) {
		char *bytes = word[2 + i];
		size_t len = !bytes || !strcmp(bytes, "-") ? 0 : strlen(bytes);
		int rc = unhex(bytes, &len, reterr);

		if (rc)
			return rc;
		call[i] = (struct kvm_call){ .request = io->request, .arg = bytes, .len = len, .returned = strcmp(word[1], "-") != 0, .result = atoi(word[1]) };
	}
	return call[1].len ? print_diff(&call[1], &call[0], reterr) : kvm_decode(&call[0], &out, reterr);
}

static int batch(void)
{
	char *line = NULL, text[512];
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		struct irqs_error err = { 0 };

		if (decode_line(line, &err)) {
			irqs_error_format(&err, NULL, text, sizeof(text));
			printf("? %s\n", text);
		}
		puts(".");
		fflush(stdout);
	}
	free(line);
	return IRQS_DONE;
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "hex", no_argument, NULL, 'x' },
		{ "result", required_argument, NULL, 'r' },
		{ "since", required_argument, NULL, 's' },
		{ "list", no_argument, NULL, 'l' },
		{ "json", no_argument, NULL, 'j' },
		{ "batch", no_argument, NULL, 'b' },
		{ 0 },
	};
	struct options opt = { .hex = false };
	bool listing = false, json = false, many = false;
	char *end;
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'x')
			opt.hex = true;
		else if (c == 's')
			opt.since = optarg;
		else if (c == 'l')
			listing = true;
		else if (c == 'j')
			json = true;
		else if (c == 'b')
			many = true;
		else if (c == 'r' && (opt.result = (int)strtol(optarg, &end, 0), *optarg && !*end))
			opt.returned = true;
		else if (c == 'r')
			return cli_usage(&cmd_decode, "%s: not a number", optarg);
		else
			return cli_usage(&cmd_decode, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
	}
	if (json && !listing)
		return cli_usage(&cmd_decode, "--json goes with --list");
	if (listing || many)
		return argc != optind ? cli_usage(&cmd_decode, "%s: not with --list or --batch", argv[optind])
		       : listing      ? list(json)
				      : batch();
	if (argc - optind < 1 || argc - optind > 2)
		return cli_usage(&cmd_decode, "the name of an ioctl is needed, and a file or '-'");
	return decode(argv[optind], argc - optind == 2 ? argv[optind + 1] : "-", &opt);
}

const struct cli_command cmd_decode = {
	.name = "decode",
	.run = run,
	.usage = "[--hex] [--result N] [--since F] IOCTL [FILE] | --batch | --list [--json]",
	.summary = "print the argument of an ioctl of KVM, the chips register by register",
	.help = "  IOCTL       its name, such as KVM_GET_LAPIC, or its number\n"
		"  FILE        the bytes at its third argument; '-' (default): standard input\n"
		"  --hex       they come as hexadecimal digits\n"
		"  --result N  they are what was there after the call, which returned N\n"
		"  --since F   print only what differs from the bytes in F\n"
		"  --batch     lines 'IOCTL RESULT BYTES [BYTES-BEFORE]' on standard input, the bytes in\n"
		"              hexadecimal, '-' for no result or no bytes; after what a line gives comes a\n"
		"              line '.', an error as a line '? what'\n"
		"  --list      the ioctls that are known: name, number, of what, what the argument is, bytes\n"
		"  --json      print the list as JSON\n",
};

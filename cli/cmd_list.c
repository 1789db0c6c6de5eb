/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The VMs on this host, of whatever VMM. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "kvm/vms.h"

struct options {
	const char *source; /* "auto", "module", "proc" */
	pid_t pid;          /* 0: of all processes */
	bool json;
	char who[32]; /* what messages call what was looked at */
};

/* ---- the sources ---- */

static int read_vms(const struct options *o, struct kvm_vms *ret, struct irqs_error *err)
{
	struct irqs_error first = { 0 };
	int rc = -ENOENT;

	if (strcmp(o->source, "proc") != 0)
		rc = kvm_vms_module(o->pid, ret, &first);
	if (!rc || !strcmp(o->source, "module")) {
		*err = first;
		return rc;
	}
	return kvm_vms_proc(o->pid, ret, err);
}

/* What the source does not tell, for a person. */
static void tell(const struct options *o, const struct kvm_vms *vms)
{
	fprintf(stderr, "%s: %s: by %s", CLI_NAME, o->who, vms->source);
	if (vms->less)
		fprintf(stderr, ": %s", vms->less);
	fputc('\n', stderr);
	if (vms->denied)
		fprintf(stderr, "%s: %s: %u process%s may not be looked at; CAP_SYS_PTRACE sees all\n", CLI_NAME, o->who, vms->denied,
			vms->denied == 1 ? "" : "es");
}

/* ---- for a person ---- */

/* A process is called what it likes: a terminal gets no controls of it. */
static void printable(const char *name, char *buf, size_t size)
{
	size_t n = 0;

	for (; name[n] && n + 1 < size; n++)
		buf[n] = name[n] >= ' ' && name[n] <= '~' ? name[n] : '?';
	buf[n] = '\0';
}

static const char *number(char buf[static 12], int n)
{
	snprintf(buf, 12, "%d", n);
	return buf;
}

static void print_row(const struct kvm_vms_vm *vm)
{
	char index[12], fd[12], vcpus[12], name[sizeof(vm->comm)];

	printable(vm->comm, name, sizeof(name));
	printf("%8d  %-15s  %3s  %4s  %-7s  %5s\n", (int)vm->pid, *name ? name : "?", vm->index < 0 ? "-" : number(index, vm->index),
	       vm->fd < 0 ? "-" : number(fd, vm->fd), vm->mode_known ? irqchip_mode_name(vm->mode) : "?",
	       vm->vcpus_known ? number(vcpus, (int)vm->nvcpus) : "?");
}

static void print_table(const struct kvm_vms *vms)
{
	printf("%8s  %-15s  %3s  %4s  %-7s  %5s\n", "PID", "NAME", "VM", "FD", "IRQCHIP", "vCPUs");
	for (unsigned int i = 0; i < vms->nvms; i++)
		print_row(&vms->vms[i]);
}

/* ---- for a program ---- */

static json_t *known(bool is, int n)
{
	return is ? json_integer(n) : json_null();
}

/* JSON has no bytes that are not UTF-8. */
static json_t *name_of(const struct kvm_vms_vm *vm)
{
	char name[sizeof(vm->comm)];
	json_t *o = *vm->comm ? json_string(vm->comm) : json_null();

	if (o)
		return o;
	printable(vm->comm, name, sizeof(name));
	return json_string(name);
}

static json_t *vcpus_of(const struct kvm_vms_vm *vm)
{
	json_t *list = json_array();

	if (!vm->vcpus_known) {
		json_decref(list);
		return json_null();
	}
	for (unsigned int i = 0; i < vm->nvcpus; i++)
		json_array_append_new(list, json_pack("{s:I, s:i}", "id", (json_int_t)vm->vcpus[i].id, "fd", vm->vcpus[i].fd));
	return list;
}

static int print_json(const struct kvm_vms *vms)
{
	json_t *list = json_array(), *top;
	char *text;

	for (unsigned int i = 0; i < vms->nvms; i++) {
		const struct kvm_vms_vm *vm = &vms->vms[i];

		json_array_append_new(list, json_pack("{s:i, s:o, s:o, s:o, s:o, s:o}", "pid", (int)vm->pid, "comm", name_of(vm), "vm",
						      known(vm->index >= 0, vm->index), "fd", known(vm->fd >= 0, vm->fd), "irqchip",
						      vm->mode_known ? json_string(irqchip_mode_name(vm->mode)) : json_null(), "vcpus",
						      vcpus_of(vm)));
	}
	top = json_pack("{s:s, s:I, s:o}", "source", vms->source, "denied", (json_int_t)vms->denied, "vms", list);
	text = top ? json_dumps(top, JSON_INDENT(1)) : NULL;
	json_decref(top);
	return cli_print_text(text);
}

/* ---- options ---- */

static bool take_option(struct options *o, int c, const char *value)
{
	char *end;
	long n;

	switch (c) {
	case 'p':
		errno = 0;
		n = strtol(value, &end, 10);
		if (errno || end == value || *end || n <= 0 || n > INT32_MAX)
			return false;
		o->pid = (pid_t)n;
		return true;
	case 's':
		o->source = value;
		return !strcmp(value, "auto") || !strcmp(value, "module") || !strcmp(value, "proc");
	default:
		o->json = true;
		return true;
	}
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "source", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == '?' || c == ':')
			return cli_usage(&cmd_list, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
		if (!take_option(o, c, optarg))
			return cli_usage(&cmd_list, "%s: not possible", argv[optind - 1]);
	}
	if (optind != argc)
		return cli_usage(&cmd_list, "%s: not an option", argv[optind]);
	if (o->pid)
		snprintf(o->who, sizeof(o->who), "process %d", (int)o->pid);
	return 0;
}

static int run(int argc, char **argv)
{
	struct options o = { .source = "auto", .who = "this host" };
	struct irqs_error err = { 0 };
	int status = parse(argc, argv, &o);
	struct kvm_vms vms;

	if (status)
		return status;
	if (read_vms(&o, &vms, &err))
		return cli_fail(&err, NULL);
	tell(&o, &vms);
	if (o.json)
		status = print_json(&vms);
	else
		print_table(&vms);
	kvm_vms_deinit(&vms);
	return status;
}

const struct cli_command cmd_list = {
	.name = "list",
	.run = run,
	.usage = "[--pid PID] [--source WHICH] [--json]",
	.summary = "list the VMs on this host, of whatever VMM: their processes, irqchips and vCPUs",
	.help = "  --pid PID       only those of this process\n"
		"  --source WHICH  module, proc, or auto: the module where it is loaded\n"
		"  --json          as JSON, with the identifiers and descriptors of the vCPUs\n"
		"\nNothing is stopped. VM is the number that 'dump --vm' takes. IRQCHIP is none (all controllers in user space),\n"
		"split (LAPICs in the kernel) or full (all in the kernel); /proc does not tell it: '?'. CAP_SYS_PTRACE sees the\n"
		"VMs of all processes, others those of processes that they may look at.\n",
};

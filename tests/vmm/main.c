/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmm: boots a Multiboot kernel under KVM, and moves its interrupt controllers while it runs. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "tests/vmm/file.h"
#include "tests/vmm/initrd.h"
#include "tests/vmm/mover.h"
#include "tests/vmm/options.h"
#include "tests/vmm/pc.h"

/* The files of the command line in memory. */
struct files {
	uint8_t *kernel;
	struct image image;
	char *command_line;
	struct initrd initrd;
	struct boot_module *modules;
	struct boot boot;
};

struct moves {
	struct pc *pc;
	unsigned int made, refused;
};

/* Odd exit statuses belong to the guest. */
static int fail(const struct irqs_error *err, const char *what)
{
	char line[1024];

	irqs_error_format(err, what, line, sizeof(line));
	fprintf(stderr, "vmm: %s\n", line);
	return (int)err->status * 2;
}

static void put(void *ctx, uint8_t byte)
{
	struct pc **m = ctx;
	ssize_t n;

	do
		n = write(STDOUT_FILENO, &byte, 1);
	while (n < 0 && errno == EINTR);
	if (n == 1)
		return;
	fprintf(stderr, "vmm: standard output: %s\n", strerror(errno));
	pc_quit(*m, IRQS_SYSTEM * 2);
}

static int load_kernel(const struct options *o, struct files *f, struct irqs_error *err)
{
	size_t size;
	int rc = file_read(o->kernel, &f->kernel, &size, err);

	if (!rc)
		rc = image_parse(f->kernel, size, &f->image, err);
	if (!rc && asprintf(&f->command_line, "%s %s", o->kernel, o->append) < 0) {
		f->command_line = NULL;
		rc = irqs_fail_nomem(err);
	}
	f->boot.file = f->kernel;
	f->boot.image = &f->image;
	f->boot.command_line = f->command_line;
	return rc;
}

static int load_modules(const struct options *o, struct files *f, struct irqs_error *err, const char **what)
{
	int rc = o->initrd ? initrd_parse(o->initrd, &f->initrd, err) : 0;

	*what = "--initrd";
	if (rc || !f->initrd.n)
		return rc;
	f->modules = calloc(f->initrd.n, sizeof(*f->modules));
	if (!f->modules)
		return irqs_fail_nomem(err);
	f->boot.modules = f->modules;
	for (unsigned int i = 0; i < f->initrd.n; i++) {
		uint8_t *data;

		*what = f->initrd.entries[i].file;
		rc = file_read(*what, &data, &f->modules[i].size, err);
		if (rc)
			return rc;
		f->modules[i].data = data;
		f->modules[i].text = f->initrd.entries[i].text;
		f->boot.nmodules++;
	}
	return 0;
}

static void free_files(struct files *f)
{
	for (unsigned int i = 0; i < f->boot.nmodules; i++)
		free((void *)f->modules[i].data);
	free(f->modules);
	initrd_free(&f->initrd);
	free(f->command_line);
	free(f->kernel);
}

static int move(void *ctx, enum vmm_mode from, enum vmm_mode to)
{
	struct moves *n = ctx;
	struct irqs_error err;
	int rc = pc_move(n->pc, to, &err);

	if (!rc) {
		n->made++;
		return 0;
	}
	n->refused++;
	fprintf(stderr, "vmm: %s to %s: %s\n", options_mode_name(from), options_mode_name(to), err.text);
	return rc;
}

static uint64_t new_seed(void)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed) || !seed)
		seed = (uint64_t)time(NULL);
	return seed;
}

static int run(struct pc *m, const struct options *o)
{
	struct moves moves = { .pc = m };
	const struct mover_config c = {
		.mode = o->mode,
		.every_ns = o->move_every_ns,
		.random = o->move_random,
		.seed = o->seed ? o->seed : new_seed(),
		.move = move,
		.ctx = &moves,
	};
	struct mover *mover = NULL;
	struct irqs_error err;
	int status;

	if (c.random)
		fprintf(stderr, "vmm: --seed %" PRIu64 "\n", c.seed);
	if (c.every_ns && mover_start(&c, &mover, &err))
		return fail(&err, NULL);
	status = pc_run(m, &err);
	mover_stop(mover);
	if (c.every_ns)
		fprintf(stderr, "vmm: %u moves, %u refused\n", moves.made, moves.refused);
	return status < 0 ? fail(&err, "the guest") : status;
}

static int run_files(const struct options *o, const struct files *f)
{
	struct pc *m = NULL;
	const struct pc_config c = {
		.mode = o->mode,
		.ncpus = o->ncpus,
		.memory = o->memory,
		.x2apic = o->x2apic,
		.time = time(NULL),
		.put = put,
		.ctx = &m,
	};
	struct irqs_error err;
	int status;

	if (pc_create(&c, &m, &err))
		return fail(&err, NULL);
	status = pc_boot(m, &f->boot, &err) ? fail(&err, o->kernel) : run(m, o);
	pc_destroy(m);
	return status;
}

int main(int argc, char **argv)
{
	struct files f = { 0 };
	const char *what = NULL;
	struct irqs_error err;
	struct options o;
	int status;

	signal(SIGPIPE, SIG_IGN);
	if (options_parse(argc, argv, &o, &err))
		return fail(&err, NULL);
	if (o.help)
		return fputs(options_help, stdout) < 0 || fflush(stdout) ? IRQS_SYSTEM * 2 : IRQS_DONE;
	if (load_kernel(&o, &f, &err))
		status = fail(&err, o.kernel);
	else if (load_modules(&o, &f, &err, &what))
		status = fail(&err, what);
	else
		status = run_files(&o, &f);
	free_files(&f);
	return status;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without KVM: a stream that was saved under it goes through the converter, as `irqshift convert -v` would take it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/demo.h"
#include "filters/profile.h"

#define TARGET "tcg@qemu-7.2"

/* A file in memory, by a name that can be opened. */
struct memory_file {
	int fd;
	char path[32];
};

static int open_file(struct memory_file *f, const char *name)
{
	struct irqs_error err;

	f->fd = memfd_create(name, MFD_CLOEXEC);
	snprintf(f->path, sizeof(f->path), "/proc/self/fd/%d", f->fd);
	if (f->fd >= 0)
		return IRQS_DONE;
	irqs_fail_errno(&err, errno, "file in memory");
	return cli_fail(&err, name);
}

static int write_recorded(int fd)
{
	struct irqs_error err;
	ssize_t n = write(fd, demo_stream, demo_stream_size);

	if (n == (ssize_t)demo_stream_size)
		return IRQS_DONE;
	irqs_fail_errno(&err, n < 0 ? errno : ENOSPC, "file in memory");
	return cli_fail(&err, "the recorded stream");
}

/* The converter, its report, and the result as a stream. */
static int convert(struct cli_input *in, int fd)
{
	const struct cli_conversion_options options = { .to = TARGET };
	struct irqs_error err = { .status = IRQS_SYSTEM };
	struct cli_conversion c;
	int status = cli_convert(in, &options, &c);

	if (status != IRQS_DONE && status != IRQS_REFUSED)
		return status;
	cli_print_report(&c, stdout);
	if (status)
		cli_fail(&c.error, "the recorded stream");
	else if (qemu_stream_write(&in->stream, fd, &err))
		status = cli_fail(&err, "the converted stream");
	cli_conversion_deinit(&c);
	return status;
}

/* The result is read again: for what it is taken, and whether anything in it is wrong. */
static int judge(struct cli_input *in)
{
	struct irqs_error err = { .status = IRQS_SYSTEM };
	char evidence[256], name[64];
	struct reg_out out;
	struct profile p;
	int status;

	if (profile_detect(in->stream.tree.machine, &p, evidence, sizeof(evidence), &err))
		return cli_fail(&err, "the converted stream");
	printf("\nRead again, it is of a machine under %s: %s.\n", profile_format(&p, name, sizeof(name)), evidence);
	cli_out_init(&out, NULL);
	status = cli_lint(in, false, &out);
	if (!status)
		printf("Nothing in it is wrong; a QEMU that emulates all of the machine goes on from it.\n");
	return status;
}

static int convert_file(const struct memory_file *from, const struct memory_file *to)
{
	struct cli_input in;
	int status = cli_open_stream(&in, from->path, NULL);

	if (status)
		return status;
	status = convert(&in, to->fd);
	cli_close(&in);
	if (!status)
		status = cli_open_stream(&in, to->path, NULL);
	if (status)
		return status;
	status = judge(&in);
	cli_close(&in);
	return status;
}

int demo_recorded(void)
{
	struct memory_file from = { .fd = -1 }, to = { .fd = -1 };
	int status = open_file(&from, "recorded");

	if (!status)
		status = open_file(&to, "converted");
	if (!status)
		status = write_recorded(from.fd);
	if (!status) {
		printf("A guest with two CPUs that QEMU 7.2 saved under KVM, and what it needs to go on where all is emulated:\n\n");
		status = convert_file(&from, &to);
	}
	if (from.fd >= 0)
		close(from.fd);
	if (to.fd >= 0)
		close(to.fd);
	return status;
}

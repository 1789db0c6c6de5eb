/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

int cli_open_file(const char *path, struct irqs_error *reterr)
{
	int fd, rc;

	if (!strcmp(path, "-"))
		return STDIN_FILENO;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "cannot open it");
	rc = in_place_guard(fd, path, reterr);
	if (!rc)
		return fd;
	close(fd);
	cli_name_recovery(rc, path, reterr);
	return rc;
}

void cli_close_file(int fd)
{
	if (fd > STDIN_FILENO)
		close(fd);
}

int cli_print_text(char *text)
{
	struct irqs_error err = { 0 };

	if (!text) {
		irqs_fail_nomem(&err);
		return cli_fail(&err, NULL);
	}
	fputs(text, stdout);
	if (text[0] && text[strlen(text) - 1] != '\n')
		putchar('\n');
	free(text);
	return IRQS_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

int cli_fail_in_place(int rc, const struct irqs_error *err, const char *path)
{
	char line[1024];

	if (rc != -EUCLEAN)
		return cli_fail(err, path);
	irqs_error_format(err, path, line, sizeof(line));
	fprintf(stderr, "%s: %s ('%s convert --recover %s' finishes it, '--recover=undo' undoes it)\n", CLI_NAME, line, CLI_NAME,
		path);
	return err->status;
}

int cli_recover(const char *path, const char *way)
{
	static const char *const says[] = {
		[IN_PLACE_NOTHING] = "nothing to recover: no conversion in place was cut short",
		[IN_PLACE_FINISHED] = "finished: it is the converted stream",
		[IN_PLACE_UNDONE] = "undone: it is the stream from before the conversion",
		[IN_PLACE_UNTOUCHED] = "nothing to undo: the journal was incomplete, and nothing had been written yet",
	};
	enum in_place_way which = way && !strcmp(way, "undo") ? IN_PLACE_UNDO : IN_PLACE_FINISH;
	struct irqs_error err = { 0 };
	enum in_place_outcome outcome;
	int rc = in_place_recover(path, which, &outcome, &err);

	if (rc)
		return cli_fail(&err, path);
	printf("%s: %s\n", path, says[outcome]);
	return IRQS_DONE;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

void cli_name_recovery(int rc, const char *path, struct irqs_error *err)
{
	size_t used = strlen(err->text);

	if (rc == -EUCLEAN)
		snprintf(err->text + used, sizeof(err->text) - used,
			 " ('%s convert --recover %s' finishes it, '--recover=undo' undoes it)", CLI_NAME, path);
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

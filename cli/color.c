/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Styles as colours of a terminal (ECMA-48 SGR). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static void emit(void *ctx, const char *text)
{
	fputs(text, ctx);
}

static void set_color(void *ctx, enum reg_style style)
{
	static const char *const codes[REG_STYLES] = {
		[REG_PLAIN] = "0",
		[REG_HEADING] = "1",
		[REG_NAME] = "36",
		[REG_SET] = "33",
		[REG_CHANGED] = "1;32",
		[REG_NOTED] = "36",
		[REG_SUSPICIOUS] = "33",
		[REG_IMPOSSIBLE] = "1;31",
	};

	fprintf(ctx, "\033[%sm", codes[style]);
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && !(term && !strcmp(term, "dumb"));
}

bool cli_out_init(struct reg_out *ret, const char *when)
{
	bool color = !when || !strcmp(when, "auto") ? wants_color() : !strcmp(when, "always");

	*ret = (struct reg_out){ .emit = emit, .ctx = stdout, .style = color ? set_color : NULL };
	return !when || !strcmp(when, "auto") || !strcmp(when, "always") || !strcmp(when, "never");
}

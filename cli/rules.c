/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The values of --filter: names of built-in filters, and files with rules. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "stream/json_file.h"

static bool ends_in(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len >= n && !memcmp(s + len - n, end, n);
}

/* "FILE", "FILE:forward" or "FILE:back". Return: the length of FILE. */
static size_t split_name(const char *arg, enum rules_direction *ret)
{
	static const char *const ends[] = { [RULES_FORWARD] = ":forward", [RULES_BACK] = ":back" };
	size_t len = strlen(arg);

	*ret = RULES_BY_HOSTS;
	for (int i = RULES_FORWARD; i <= RULES_BACK; i++) {
		if (!ends_in(arg, len, ends[i]))
			continue;
		*ret = (enum rules_direction)i;
		return len - strlen(ends[i]);
	}
	return len;
}

static bool is_file(const char *arg)
{
	enum rules_direction direction;

	return strchr(arg, '/') || ends_in(arg, split_name(arg, &direction), ".json");
}

static int load_text(const char *path, struct rules **ret, struct irqs_error *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	struct source src;
	char *text = NULL;
	size_t size = 0;

	if (fd < 0)
		return irqs_fail_errno(reterr, errno, "cannot open it");
	rc = source_init(&src, fd, reterr);
	if (!rc) {
		rc = json_file_text(&src, &text, &size, reterr);
		if (!rc)
			rc = rules_load(ret, text, size, reterr);
		free(text);
		source_deinit(&src);
	}
	close(fd);
	return rc;
}

static int load_file(struct cli_filters *f, const char *arg)
{
	struct irqs_error err = { 0 };
	enum rules_direction direction;
	struct rules *r = NULL;
	char *path = strndup(arg, split_name(arg, &direction));
	int rc = path ? load_text(path, &r, &err) : irqs_fail_nomem(&err);

	if (!rc) {
		f->extra[f->nrules] = rules_filter(r);
		f->rules[f->nrules++] = r;
		rc = rules_force(r, direction, &err);
	}
	if (rc)
		rc = cli_fail(&err, path ? path : arg);
	free(path);
	return rc;
}

int cli_filters_load(struct cli_filters *f, const char *const *args)
{
	size_t count = 0, nnames = 0;
	int status = 0;

	*f = (struct cli_filters){ 0 };
	while (args && args[count])
		count++;
	f->names = calloc(count + 1, sizeof(*f->names));
	f->extra = calloc(count + 1, sizeof(*f->extra));
	f->rules = calloc(count + 1, sizeof(*f->rules));
	if (!f->names || !f->extra || !f->rules) {
		struct irqs_error err;

		irqs_fail_nomem(&err);
		status = cli_fail(&err, NULL);
	}
	for (size_t i = 0; i < count && !status; i++) {
		if (is_file(args[i]))
			status = load_file(f, args[i]);
		else
			f->names[nnames++] = args[i];
	}
	if (!status && !nnames) {
		free(f->names);
		f->names = NULL;
	}
	if (status)
		cli_filters_unload(f);
	return status;
}

void cli_filters_unload(struct cli_filters *f)
{
	for (size_t i = 0; i < f->nrules; i++)
		rules_destroy(f->rules[i]);
	free(f->rules);
	free(f->extra);
	free(f->names);
	*f = (struct cli_filters){ 0 };
}

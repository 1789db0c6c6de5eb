/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "filters/profile_caps.h"
#include "stream/caps_json.h"
#include "stream/hints_json.h"

static int open_file(const char *path, struct irqs_error *reterr)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 ? fd : irqs_fail_errno(reterr, errno, "%s: cannot open it", path);
}

static int parse_caps(const char *path, const char *kind, struct profile *ret, struct irqs_error *reterr)
{
	struct caps caps;
	int fd = open_file(path, reterr), rc;

	if (fd < 0)
		return fd;
	rc = caps_load(&caps, fd, reterr);
	close(fd);
	if (rc)
		return rc;
	rc = profile_from_caps(&caps, kind, ret, reterr);
	caps_deinit(&caps);
	return rc;
}

int target_parse(const char *text, struct profile *ret, struct irqs_error *reterr)
{
	const char *colon = strchr(text, ':');
	char kind[32];

	if (!profile_parse(text, ret, NULL))
		return 0;
	if (colon && (size_t)(colon - text) < sizeof(kind)) {
		snprintf(kind, sizeof(kind), "%.*s", (int)(colon - text), text);
		if (!profile_parse(kind, ret, NULL))
			return parse_caps(colon + 1, kind, ret, reterr);
	}
	if (strchr(text, '/') || (strchr(text, '.') && !strchr(text, '@')))
		return parse_caps(text, NULL, ret, reterr);
	return profile_parse(text, ret, reterr);
}

static int count_ignored(void *ctx, const struct hint *hint, enum hint_origin origin)
{
	struct target_hints *t = ctx;

	if (origin != HINT_IGNORED)
		return 0;
	if (!t->ignored++)
		snprintf(t->first_ignored, sizeof(t->first_ignored), "%s", hint->device);
	return 0;
}

static int judge(const struct hints *h, const struct vms_node *machine, struct target_hints *ret,
		 struct irqs_error *reterr)
{
	enum hint_origin origin;
	const char *kind = hints_value(NULL, h, HINTS_MACHINE, "host-kind", &origin);
	struct hints config;
	int rc = 0;

	if (kind && origin == HINT_HINT) {
		rc = profile_parse(kind, &ret->from, reterr);
		ret->has_kind = !rc;
	}
	if (rc)
		return rc;
	hints_init(&config);
	rc = hints_add_devices(&config, machine, reterr);
	if (!rc)
		rc = hints_apply(&config, h, count_ignored, ret);
	hints_deinit(&config);
	return rc;
}

int target_hints(const char *path, const struct vms_node *machine, struct target_hints *ret,
		 struct irqs_error *reterr)
{
	struct hints h;
	int fd = open_file(path, reterr), rc;

	if (fd < 0)
		return fd;
	*ret = (struct target_hints){ .has_kind = false };
	rc = hints_load(&h, fd, reterr);
	close(fd);
	if (rc)
		return rc;
	rc = judge(&h, machine, ret, reterr);
	hints_deinit(&h);
	return rc;
}

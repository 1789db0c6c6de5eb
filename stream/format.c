/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/format.h"

#include <fnmatch.h>

enum stream_format stream_format_choose(const struct stream_format_rule *rules, size_t nrules,
					const char *machine, uint64_t capabilities)
{
	for (size_t i = 0; i < nrules; i++)
		if (!(rules[i].capabilities & ~capabilities) && !fnmatch(rules[i].machine, machine, 0))
			return rules[i].format;
	return STREAM_QEMU;
}

const char *stream_format_name(enum stream_format format)
{
	static const char *const names[] = {
		[STREAM_QEMU] = "qemu",
		[STREAM_NATIVE] = "native",
		[STREAM_JSON] = "json",
	};

	return names[format];
}

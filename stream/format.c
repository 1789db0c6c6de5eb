/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/format.h"

#include <fnmatch.h>
#include <string.h>

enum stream_format stream_format_choose(const struct stream_format_rule *rules, size_t nrules,
					const char *machine, uint64_t capabilities)
{
	for (size_t i = 0; i < nrules; i++)
		if (!(rules[i].capabilities & ~capabilities) && !fnmatch(rules[i].machine, machine, 0))
			return rules[i].format;
	return STREAM_QEMU;
}

enum stream_format stream_format_detect(const uint8_t *head, size_t len)
{
	static const uint8_t native[] = { 0xd9, 0xd9, 0xf7 };
	size_t i = 0;

	if (len >= sizeof(native) && !memcmp(head, native, sizeof(native)))
		return STREAM_NATIVE;
	while (i < len && strchr(" \t\r\n", head[i]) && head[i])
		i++;
	return i < len && head[i] == '{' ? STREAM_JSON : STREAM_QEMU;
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

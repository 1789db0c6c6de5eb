/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "words.h"

static const char *command_line = "";

void words_init(const char *line)
{
	if (line)
		command_line = line;
}

/* The text behind @prefix where a word starts with it, or 0. */
static const char *find(const char *prefix)
{
	const char *at = command_line;

	while (*at) {
		u32 i = 0;

		while (*at == ' ')
			at++;
		while (prefix[i] && at[i] == prefix[i])
			i++;
		if (!prefix[i] && (prefix[i - 1] == '=' || at[i] == ' ' || !at[i]))
			return at + i;
		while (*at && *at != ' ')
			at++;
	}
	return 0;
}

bool words_have(const char *word)
{
	return find(word) != 0;
}

u32 words_number(const char *name, u32 otherwise)
{
	const char *at = find(name);
	u32 value = 0;

	if (!at || *at < '0' || *at > '9')
		return otherwise;
	while (*at >= '0' && *at <= '9')
		value = value * 10 + (u32)(*at++ - '0');
	return value;
}

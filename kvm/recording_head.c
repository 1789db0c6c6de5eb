/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/recording_head_priv.h"

#include <string.h>

/* What is left of a line. */
struct words {
	const char *at, *end;
};

static bool next_word(struct words *w, const char **word, size_t *len)
{
	while (w->at < w->end && *w->at == ' ')
		w->at++;
	*word = w->at;
	while (w->at < w->end && *w->at != ' ')
		w->at++;
	*len = (size_t)(w->at - *word);
	return *len != 0;
}

static bool is(const char *word, size_t len, const char *what)
{
	return strlen(what) == len && !memcmp(word, what, len);
}

static bool parse_number(const char *word, size_t len, unsigned int *ret)
{
	*ret = 0;
	for (size_t i = 0; i < len; i++) {
		if (word[i] < '0' || word[i] > '9' || *ret > RECORDING_NUMBERS)
			return false;
		*ret = *ret * 10 + (unsigned int)(word[i] - '0');
	}
	return *ret < RECORDING_NUMBERS;
}

/* "N TRACEPOINT FIELD..." Return: whether it is one. */
static bool parse_event(struct words *w, struct recording_head *head)
{
	struct recording_kind_row *row;
	const char *word;
	unsigned int number;
	size_t len;

	if (!next_word(w, &word, &len) || !parse_number(word, len, &number) || head->rows[number].nfields ||
	    !next_word(w, &word, &len))
		return false;
	row = &head->rows[number];
	row->type = irq_event_find(word, len);
	if (row->type >= 0)
		head->there |= UINT64_C(1) << row->type;
	while (next_word(w, &word, &len)) {
		if (row->nfields == RECORDING_FIELDS)
			return false;
		row->args[row->nfields++] = row->type < 0 ? -1 : irq_event_arg((unsigned int)row->type, word, len);
	}
	return row->nfields != 0;
}

static void parse_absent(struct words *w, uint64_t *absent)
{
	const char *word;
	size_t len;
	int type = next_word(w, &word, &len) ? irq_event_find(word, len) : -1;

	if (type >= 0)
		*absent |= UINT64_C(1) << type;
}

static void parse_note(struct words *w, struct recording_head *head)
{
	size_t len;

	if (w->at < w->end)
		w->at++;
	len = (size_t)(w->end - w->at);
	len = len < sizeof(head->note) - 1 ? len : sizeof(head->note) - 1;
	/* For a terminal: no control characters. */
	for (size_t i = 0; i < len; i++)
		head->note[i] = (unsigned char)w->at[i] < ' ' || w->at[i] == 0x7f ? '?' : w->at[i];
	head->note[len] = '\0';
}

/* One line. Return: NULL, or what is wrong with it. */
static const char *parse_line(struct words *w, struct recording_head *head, bool *clock, uint64_t *absent)
{
	const char *word;
	size_t len;

	if (!next_word(w, &word, &len))
		return NULL;
	if (is(word, len, "clock")) {
		*clock = next_word(w, &word, &len) && is(word, len, "monotonic");
		return *clock ? NULL : "has another clock";
	}
	if (is(word, len, "event"))
		return parse_event(w, head) ? NULL : "has an event without a number of its own, a name, or fields";
	if (is(word, len, "absent"))
		parse_absent(w, absent);
	else if (is(word, len, "note"))
		parse_note(w, head);
	return NULL;
}

int recording_head_parse(const char *text, size_t len, int64_t offset, struct recording_head *ret,
			 struct irqs_error *reterr)
{
	const char *end = text + len, *wrong = NULL;
	uint64_t absent = 0;
	bool clock = false;

	*ret = (struct recording_head){ .there = 0 };
	while (text < end && !wrong) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct words w = { text, newline };

		wrong = newline ? parse_line(&w, ret, &clock, &absent) : "has a line without an end";
		text = newline ? newline + 1 : end;
	}
	if (!wrong && !clock)
		wrong = "does not say its clock";
	ret->there &= ~absent;
	return wrong ? irqs_fail(reterr, IRQS_MALFORMED, offset, NULL, "recorded events: the head %s", wrong) : 0;
}

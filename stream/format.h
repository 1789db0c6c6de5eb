/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which encoding a machine is written in: by its machine type and by what the two sides agreed on. */
#ifndef IRQSHIFT_STREAM_FORMAT_H
#define IRQSHIFT_STREAM_FORMAT_H

#include <stddef.h>
#include <stdint.h>

enum stream_format {
	STREAM_QEMU,   /* QEMU's migration stream: what every side understands */
	STREAM_NATIVE, /* stream/native.h */
	STREAM_JSON,   /* for people and programs, not for a transfer */
};

/* One line of a policy. */
struct stream_format_rule {
	const char *machine;   /* glob over machine types (fnmatch(3)), such as "pc-*-0.1?" */
	uint64_t capabilities; /* all of these bits must have been agreed on */
	enum stream_format format;
};

/**
 * stream_format_choose - the format of the first rule that fits
 * @rules: most special first
 * @nrules: how many
 * @machine: machine type
 * @capabilities: the intersection of what both sides can; 0 for a side that said nothing
 *
 * Return: STREAM_QEMU when no rule fits.
 */
enum stream_format stream_format_choose(const struct stream_format_rule *rules, size_t nrules,
					const char *machine, uint64_t capabilities);

/**
 * stream_format_detect - which encoding an input is in, by its first bytes
 * @head: the first bytes
 * @len: how many there are; 64 are enough
 *
 * Return: STREAM_NATIVE for its magic, STREAM_JSON for an object, else STREAM_QEMU, whose reader says what is
 * wrong with what is none of them.
 */
enum stream_format stream_format_detect(const uint8_t *head, size_t len);

/* stream_format_name - "qemu", "native", "json". */
const char *stream_format_name(enum stream_format format);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON out of a descriptor, with bounds and with errors that say where. */
#ifndef IRQSHIFT_STREAM_JSON_FILE_H
#define IRQSHIFT_STREAM_JSON_FILE_H

#include <jansson.h>
#include <stddef.h>

#include "base/error.h"
#include "stream/source.h"

/* A larger text is refused. */
#define JSON_FILE_MAX ((size_t)64 << 20)

/* json_file_text - all of @src as text, allocated with malloc(), not terminated. Return: 0 or -errno. */
int json_file_text(struct source *src, char **ret_text, size_t *ret_size, struct irqs_error *reterr);

/* json_file_parse - one JSON value. Return: 0; -EBADMSG with line and column; -ENOMEM. */
int json_file_parse(const char *text, size_t size, json_t **ret, struct irqs_error *reterr);

/* json_file_load - the JSON value that a descriptor holds. Return: 0 or -errno. */
int json_file_load(int fd, json_t **ret, struct irqs_error *reterr);

/**
 * json_file_number - a number of an object that fits 32 bits
 * @o: the object
 * @key: its key
 * @otherwise: when there is no such key
 * @ret: receives it
 * @path: for messages
 *
 * Return: 0 or -EBADMSG.
 */
int json_file_number(const json_t *o, const char *key, uint32_t otherwise, uint32_t *ret, const char *path,
		     struct irqs_error *reterr);

#endif

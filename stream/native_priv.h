/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The body of a section record of the native format: one CBOR map. */
#ifndef IRQSHIFT_STREAM_NATIVE_PRIV_H
#define IRQSHIFT_STREAM_NATIVE_PRIV_H

#include "base/error.h"
#include "stream/cbor_priv.h"
#include "vmstate/tree.h"

/* native_put_section - append a section; check @o->failed behind it. */
void native_put_section(struct cbor_out *o, const struct vms_node *section);

/**
 * native_get_section - a section from its bytes
 * @t: tree; the section becomes its last
 * @data: all of them, and nothing behind
 * @size: how many
 * @offset: of @data in the input, for messages and nodes
 * @ret: receives the section
 *
 * Return: 0, -EBADMSG, -ENOMEM.
 */
int native_get_section(struct vms_tree *t, const uint8_t *data, size_t size, uint64_t offset,
		       struct vms_node **ret, struct irqs_error *reterr);

/* A map whose pairs come in any order, each of known keys at most once. */
struct native_map {
	struct cbor_in at[10]; /* where the value of key i is; size 0: not there */
};

/**
 * native_get_map - take a map apart
 * @in: stands at the map; moved behind it
 * @keys: known keys, at most 10, ended by NULL
 * @ret: receives the places of their values
 *
 * Return: NULL, or what is wrong.
 */
const char *native_get_map(struct cbor_in *in, const char *const *keys, struct native_map *ret);

/* native_get_uint - an unsigned integer up to @max. Return: whether it is one. */
bool native_get_uint(const struct native_map *m, unsigned int key, uint64_t max, uint64_t *ret);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CBOR (RFC 8949) in memory: a writer that grows, and a cursor that reads item by item without a copy. Heads
 * are coded by libcbor. What the native format does not use is refused: items of indefinite length, tags,
 * single and half floats.
 */
#ifndef IRQSHIFT_STREAM_CBOR_PRIV_H
#define IRQSHIFT_STREAM_CBOR_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cbor_out {
	uint8_t *data;
	size_t size, capacity;
	bool failed; /* out of memory: what follows does nothing */
};

void cbor_out_init(struct cbor_out *o);
void cbor_out_deinit(struct cbor_out *o);

/* Each appends one item, or the head of one. */
void cbor_put_uint(struct cbor_out *o, uint64_t v);
void cbor_put_int(struct cbor_out *o, int64_t v);
void cbor_put_text(struct cbor_out *o, const char *s);
void cbor_put_text_len(struct cbor_out *o, const void *s, size_t len);
void cbor_put_bytes(struct cbor_out *o, const void *data, size_t len);
void cbor_put_array(struct cbor_out *o, size_t items);
void cbor_put_map(struct cbor_out *o, size_t pairs);
void cbor_put_null(struct cbor_out *o);
/* A double, from the 8 bytes of its big-endian IEEE 754 form: no bit of a NaN is lost. */
void cbor_put_double_be(struct cbor_out *o, const uint8_t be[8]);
/* Bytes that are CBOR already. */
void cbor_put_raw(struct cbor_out *o, const void *data, size_t len);

enum cbor_kind {
	CBOR_UINT,   /* value */
	CBOR_NEGINT, /* -1 - value */
	CBOR_BYTES,  /* data, value bytes */
	CBOR_TEXT,   /* data, value bytes */
	CBOR_ARRAY,  /* value items follow */
	CBOR_MAP,    /* value pairs follow */
	CBOR_DOUBLE, /* data: 8 bytes, big-endian */
	CBOR_NULL,
};

struct cbor_item {
	enum cbor_kind kind;
	uint64_t value;
	const uint8_t *data;
};

struct cbor_in {
	const uint8_t *data;
	size_t size, pos;
};

/* cbor_next - take one item, of an array or map the head only. Return: false, unmoved, when there is none. */
bool cbor_next(struct cbor_in *in, struct cbor_item *ret);

/* cbor_skip - take one item with all that is in it. Return: false for no CBOR, or nested deeper than 128. */
bool cbor_skip(struct cbor_in *in);

/* cbor_is_text - whether an item is that text. */
bool cbor_is_text(const struct cbor_item *item, const char *text);

/* cbor_is_utf8 - whether bytes may be put as text: UTF-8 without NUL. */
bool cbor_is_utf8(const uint8_t *s, size_t len);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/cbor_priv.h"

#include <cbor.h>
#include <stdlib.h>
#include <string.h>

#define DOUBLE_HEAD 0xfb
#define HEAD_MAX 9u
#define DEPTH_MAX 128u

/* ---- writing ---- */

void cbor_out_init(struct cbor_out *o)
{
	memset(o, 0, sizeof(*o));
}

void cbor_out_deinit(struct cbor_out *o)
{
	free(o->data);
	cbor_out_init(o);
}

static bool reserve(struct cbor_out *o, size_t len)
{
	size_t n = o->capacity ? o->capacity : 1024;
	uint8_t *more;

	if (o->failed || len <= o->capacity - o->size)
		return !o->failed;
	while (n - o->size < len)
		n *= 2;
	more = realloc(o->data, n);
	if (!more) {
		o->failed = true;
		return false;
	}
	o->data = more;
	o->capacity = n;
	return true;
}

void cbor_put_raw(struct cbor_out *o, const void *data, size_t len)
{
	if (!len || !reserve(o, len))
		return;
	memcpy(o->data + o->size, data, len);
	o->size += len;
}

static void put_head(struct cbor_out *o, size_t (*encode)(size_t, unsigned char *, size_t), size_t n)
{
	if (reserve(o, HEAD_MAX))
		o->size += encode(n, o->data + o->size, HEAD_MAX);
}

void cbor_put_uint(struct cbor_out *o, uint64_t v)
{
	if (reserve(o, HEAD_MAX))
		o->size += cbor_encode_uint(v, o->data + o->size, HEAD_MAX);
}

void cbor_put_int(struct cbor_out *o, int64_t v)
{
	if (v >= 0)
		cbor_put_uint(o, (uint64_t)v);
	else if (reserve(o, HEAD_MAX))
		o->size += cbor_encode_negint((uint64_t)(-1 - v), o->data + o->size, HEAD_MAX);
}

void cbor_put_text(struct cbor_out *o, const char *s)
{
	cbor_put_text_len(o, s, strlen(s));
}

void cbor_put_text_len(struct cbor_out *o, const void *s, size_t len)
{
	put_head(o, cbor_encode_string_start, len);
	cbor_put_raw(o, s, len);
}

void cbor_put_bytes(struct cbor_out *o, const void *data, size_t len)
{
	put_head(o, cbor_encode_bytestring_start, len);
	cbor_put_raw(o, data, len);
}

void cbor_put_array(struct cbor_out *o, size_t items)
{
	put_head(o, cbor_encode_array_start, items);
}

void cbor_put_map(struct cbor_out *o, size_t pairs)
{
	put_head(o, cbor_encode_map_start, pairs);
}

void cbor_put_null(struct cbor_out *o)
{
	if (reserve(o, HEAD_MAX))
		o->size += cbor_encode_null(o->data + o->size, HEAD_MAX);
}

void cbor_put_double_be(struct cbor_out *o, const uint8_t be[8])
{
	static const uint8_t head = DOUBLE_HEAD;

	cbor_put_raw(o, &head, 1);
	cbor_put_raw(o, be, 8);
}

/* ---- reading ---- */

/* What one call of libcbor's decoder found. */
struct found {
	struct cbor_item item;
	bool refused;
};

static void set(void *ctx, enum cbor_kind kind, uint64_t value, const uint8_t *data)
{
	((struct found *)ctx)->item = (struct cbor_item){ kind, value, data };
}

#define INT_CALLBACK(name, type, kind)      \
	static void name(void *ctx, type v) \
	{                                   \
		set(ctx, kind, v, NULL);    \
	}

INT_CALLBACK(found_u8, uint8_t, CBOR_UINT)
INT_CALLBACK(found_u16, uint16_t, CBOR_UINT)
INT_CALLBACK(found_u32, uint32_t, CBOR_UINT)
INT_CALLBACK(found_u64, uint64_t, CBOR_UINT)
INT_CALLBACK(found_n8, uint8_t, CBOR_NEGINT)
INT_CALLBACK(found_n16, uint16_t, CBOR_NEGINT)
INT_CALLBACK(found_n32, uint32_t, CBOR_NEGINT)
INT_CALLBACK(found_n64, uint64_t, CBOR_NEGINT)
INT_CALLBACK(found_array, size_t, CBOR_ARRAY)
INT_CALLBACK(found_map, size_t, CBOR_MAP)

static void found_bytes(void *ctx, cbor_data data, size_t len)
{
	set(ctx, CBOR_BYTES, len, data);
}

static void found_text(void *ctx, cbor_data data, size_t len)
{
	set(ctx, CBOR_TEXT, len, data);
}

static void found_double(void *ctx, double v)
{
	(void)v;
	set(ctx, CBOR_DOUBLE, 8, NULL);
}

static void found_null(void *ctx)
{
	set(ctx, CBOR_NULL, 0, NULL);
}

static void refuse(void *ctx)
{
	((struct found *)ctx)->refused = true;
}

static void refuse_tag(void *ctx, uint64_t tag)
{
	(void)tag;
	refuse(ctx);
}

static void refuse_float(void *ctx, float v)
{
	(void)v;
	refuse(ctx);
}

static void refuse_bool(void *ctx, bool v)
{
	(void)v;
	refuse(ctx);
}

bool cbor_next(struct cbor_in *in, struct cbor_item *ret)
{
	static const struct cbor_callbacks callbacks = {
		.uint8 = found_u8,
		.uint16 = found_u16,
		.uint32 = found_u32,
		.uint64 = found_u64,
		.negint8 = found_n8,
		.negint16 = found_n16,
		.negint32 = found_n32,
		.negint64 = found_n64,
		.byte_string = found_bytes,
		.string = found_text,
		.array_start = found_array,
		.map_start = found_map,
		.float8 = found_double,
		.null = found_null,
		.byte_string_start = refuse,
		.string_start = refuse,
		.indef_array_start = refuse,
		.indef_map_start = refuse,
		.indef_break = refuse,
		.undefined = refuse,
		.tag = refuse_tag,
		.float2 = refuse_float,
		.float4 = refuse_float,
		.boolean = refuse_bool,
	};
	struct found f = { .refused = false };
	struct cbor_decoder_result r;

	if (in->pos >= in->size)
		return false;
	r = cbor_stream_decode(in->data + in->pos, in->size - in->pos, &callbacks, &f);
	if (r.status != CBOR_DECODER_FINISHED || f.refused)
		return false;
	if (f.item.kind == CBOR_DOUBLE)
		f.item.data = in->data + in->pos + 1;
	in->pos += r.read;
	*ret = f.item;
	return true;
}

static bool skip(struct cbor_in *in, unsigned int depth)
{
	struct cbor_item item;
	uint64_t n;

	if (depth > DEPTH_MAX || !cbor_next(in, &item))
		return false;
	if (item.kind != CBOR_ARRAY && item.kind != CBOR_MAP)
		return true;
	n = item.value;
	if (n > in->size - in->pos) /* every item has a byte at least */
		return false;
	for (n *= item.kind == CBOR_MAP ? 2 : 1; n; n--)
		if (!skip(in, depth + 1))
			return false;
	return true;
}

bool cbor_skip(struct cbor_in *in)
{
	return skip(in, 0);
}

bool cbor_is_text(const struct cbor_item *item, const char *text)
{
	return item->kind == CBOR_TEXT && item->value == strlen(text) &&
	       !memcmp(item->data, text, item->value);
}

/* The bytes of the UTF-8 sequence at @s, 0 for what is none (RFC 3629). */
static size_t utf8_sequence(const uint8_t *s, size_t left)
{
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2
			  : c >> 4 == 14      ? 3
			  : c >> 3 == 30      ? 4
					      : 0;
	static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };

	if (!n || n > left)
		return 0;
	c &= n == 1 ? 0x7f : 0x7fu >> n;
	for (size_t i = 1; i < n; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	return c < least[n] || c > 0x10ffff || c >> 11 == 0x1b ? 0 : n;
}

bool cbor_is_utf8(const uint8_t *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_sequence(s + i, len - i);
		if (!n)
			return false;
	}
	return true;
}

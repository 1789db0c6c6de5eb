/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/return_path_priv.h"

#include "base/endian.h"

static void finish(struct return_path *r)
{
	switch (get_be(r->head, 2)) {
	case RETURN_PATH_SHUT:
		r->shut = true;
		r->shut_value = r->size == RETURN_PATH_SHUT_SIZE ? (uint32_t)get_be(r->head + RETURN_PATH_HEADER, 4) : 0;
		break;
	case RETURN_PATH_SWITCHOVER_ACK:
		r->switchover_ack = true;
		break;
	default:
		break;
	}
	r->have = r->size = 0;
}

void return_path_feed(struct return_path *r, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (r->have < sizeof(r->head))
			r->head[r->have] = data[i];
		r->have++;
		if (r->have == RETURN_PATH_HEADER)
			r->size = RETURN_PATH_HEADER + (uint32_t)get_be(r->head + 2, 2);
		if (r->have == r->size)
			finish(r);
	}
}

bool return_path_between(const struct return_path *r)
{
	return !r->have && !r->shut;
}

void return_path_put_shut(uint8_t ret[RETURN_PATH_SHUT_SIZE], uint32_t value)
{
	put_be(ret, 2, RETURN_PATH_SHUT);
	put_be(ret + 2, 2, RETURN_PATH_SHUT_SIZE - RETURN_PATH_HEADER);
	put_be(ret + RETURN_PATH_HEADER, 4, value);
}

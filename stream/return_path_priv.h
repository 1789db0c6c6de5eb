/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the destination of a live migration says to its source (migration/migration.c): looked at, never changed. */
#ifndef IRQSHIFT_STREAM_RETURN_PATH_PRIV_H
#define IRQSHIFT_STREAM_RETURN_PATH_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* enum mig_rp_message_type */
enum return_path_message {
	RETURN_PATH_SHUT = 1, /* be32: 0, or an error */
	RETURN_PATH_PONG = 2,
	RETURN_PATH_SWITCHOVER_ACK = 7,
};

/* A message has a be16 type, a be16 length, and so many bytes. */
#define RETURN_PATH_HEADER 4u
#define RETURN_PATH_SHUT_SIZE 8u

struct return_path {
	bool shut;           /* the last message came */
	uint32_t shut_value; /* with this */
	bool switchover_ack;
	/* private: */
	uint8_t head[RETURN_PATH_SHUT_SIZE];
	uint32_t have, size; /* of the message that is coming; size 0: its header is not complete */
};

/* return_path_feed - bytes as they come. */
void return_path_feed(struct return_path *r, const uint8_t *data, size_t len);

/* return_path_between - whether a message of our own may follow here. */
bool return_path_between(const struct return_path *r);

/* return_path_put_shut - the message with which a destination says that it failed. */
void return_path_put_shut(uint8_t ret[RETURN_PATH_SHUT_SIZE], uint32_t value);

#endif

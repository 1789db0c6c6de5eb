/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A reader of the module's events that keeps them all and the books of them. */
#ifndef IRQSHIFT_TESTS_MODULE_SUBSCRIBER_H
#define IRQSHIFT_TESTS_MODULE_SUBSCRIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "genl.h"

/*
 * @mem_fd: 0 for none. @events, @buffer: 0 for none. @rcvbuf: bytes of the socket's buffer; 0: 16 MiB
 */
struct subscriber_options {
	int mem_fd;
	uint64_t events;
	uint32_t buffer;
	bool group;
	int rcvbuf;
};

/*
 * @records: all that came, @n of them
 * @dropped: what the last message said; @total: what the one that ended it said
 * @wrong: messages whose SEQ is not what came plus what was dropped, or that hold no whole records
 */
struct subscriber {
	struct genl genl;
	struct irqshift_event *records;
	size_t n, room;
	uint64_t dropped, total;
	bool ended;
	unsigned int wrong;
};

/* subscriber_open - a socket; subscriber_ask - SUBSCRIBE on it. 0 or -errno. subscriber_close - the socket and the records. */
int subscriber_open(struct subscriber *s, const struct subscriber_options *options);
int subscriber_ask(struct subscriber *s, const struct subscriber_options *options);
void subscriber_close(struct subscriber *s);

/* subscriber_start - both; the test fails if it cannot. */
void subscriber_start(struct subscriber *s, const struct subscriber_options *options);

/*
 * subscribers_listen - reads for all of them for so long. subscribers_await - until @one has @count records, for 20 s at most, after
 * which the test fails; subscribers_await_type - until one of a type has come to it, for 60 s. subscribers_catch_up - until nothing has
 * come for 100 ms.
 */
void subscribers_listen(struct subscriber *const s[], unsigned int n, unsigned int ms);
void subscribers_await(struct subscriber *const s[], unsigned int n, const struct subscriber *one, size_t count);
void subscribers_await_type(struct subscriber *const s[], unsigned int n, const struct subscriber *one, unsigned int type);
void subscribers_catch_up(struct subscriber *const s[], unsigned int n);

/* subscriber_stop - UNSUBSCRIBE, with what comes before its answer; 0 or -errno. */
int subscriber_stop(struct subscriber *s);

/* subscriber_count - how many are of a type, or of any with IRQSHIFT_EVENT_TYPES. */
size_t subscriber_count(const struct subscriber *s, unsigned int type);

#endif

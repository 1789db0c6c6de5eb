/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "subscriber.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lab.h"

#define RCVBUF (16 << 20)

static void keep(struct subscriber *s, const uint8_t *records, size_t size)
{
	size_t n = size / sizeof(*s->records);

	s->wrong += size % sizeof(*s->records) != 0;
	if (s->n + n > s->room) {
		s->room = 2 * (s->n + n);
		s->records = realloc(s->records, s->room * sizeof(*s->records));
		cr_assert_not_null(s->records);
	}
	memcpy(s->records + s->n, records, n * sizeof(*s->records));
	s->n += n;
}

static void take(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	struct subscriber *s = arg;
	uint64_t seq = genl_u64(attributes, size, IRQSHIFT_A_SEQ);
	uint64_t dropped = genl_u64(attributes, size, IRQSHIFT_A_DROPPED);
	const uint8_t *records;
	size_t length;

	if (command != IRQSHIFT_GENL_EVENT)
		return;
	s->wrong += s->ended || seq != s->n + dropped || dropped < s->dropped;
	s->dropped = dropped;
	records = genl_find(attributes, size, IRQSHIFT_A_RECORDS, &length);
	if (records) {
		keep(s, records, length);
	} else {
		s->ended = true;
		s->total = seq;
	}
}

int subscriber_open(struct subscriber *s, const struct subscriber_options *options)
{
	int rcvbuf = options->rcvbuf ? options->rcvbuf : RCVBUF;
	int rc;

	memset(s, 0, sizeof(*s));
	rc = genl_open(&s->genl);
	if (rc)
		return rc;
	if (setsockopt(s->genl.fd, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf, sizeof(rcvbuf)))
		setsockopt(s->genl.fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	return 0;
}

int subscriber_ask(struct subscriber *s, const struct subscriber_options *options)
{
	static struct genl_message m;

	genl_begin(&s->genl, &m, IRQSHIFT_GENL_SUBSCRIBE, 0);
	if (options->mem_fd)
		genl_put_u32(&m, IRQSHIFT_A_MEM_FD, (uint32_t)options->mem_fd);
	if (options->events)
		genl_put_u64(&m, IRQSHIFT_A_EVENTS, options->events);
	if (options->buffer)
		genl_put_u32(&m, IRQSHIFT_A_BUFFER, options->buffer);
	if (options->group)
		genl_put(&m, IRQSHIFT_A_GROUP, NULL, 0);
	return genl_send(&s->genl, &m, take, s);
}

void subscriber_start(struct subscriber *s, const struct subscriber_options *options)
{
	int rc = subscriber_open(s, options);

	cr_assert_eq(rc, 0, "no socket: %s", strerror(-rc));
	rc = subscriber_ask(s, options);
	cr_assert_eq(rc, 0, "SUBSCRIBE: %s", strerror(-rc));
}

void subscriber_close(struct subscriber *s)
{
	genl_close(&s->genl);
	free(s->records);
	memset(s, 0, sizeof(*s));
}

void subscribers_listen(struct subscriber *const s[], unsigned int n, unsigned int ms)
{
	double end = lab_now() + ms * 1e-3;

	do
		for (unsigned int i = 0; i < n; i++)
			genl_listen(&s[i]->genl, 1, take, s[i]);
	while (lab_now() < end);
}

void subscribers_await(struct subscriber *const s[], unsigned int n, const struct subscriber *one, size_t count)
{
	double end = lab_now() + 20;

	while (one->n < count && lab_now() < end)
		subscribers_listen(s, n, 10);
	cr_assert_geq(one->n, count, "%zu events in 20 s, not %zu", one->n, count);
}

void subscribers_await_type(struct subscriber *const s[], unsigned int n, const struct subscriber *one, unsigned int type)
{
	double end = lab_now() + 60;

	while (!subscriber_count(one, type) && lab_now() < end)
		subscribers_listen(s, n, 20);
	cr_assert_gt(subscriber_count(one, type), 0, "nothing of type %u in 60 s, of %zu events", type, one->n);
}

void subscribers_catch_up(struct subscriber *const s[], unsigned int n)
{
	unsigned int came;

	do {
		came = 0;
		for (unsigned int i = 0; i < n; i++)
			came += (unsigned int)genl_listen(&s[i]->genl, 100, take, s[i]);
	} while (came);
}

int subscriber_stop(struct subscriber *s)
{
	static struct genl_message m;

	genl_begin(&s->genl, &m, IRQSHIFT_GENL_UNSUBSCRIBE, 0);
	return genl_send(&s->genl, &m, take, s);
}

size_t subscriber_count(const struct subscriber *s, unsigned int type)
{
	size_t count = 0;

	for (size_t i = 0; i < s->n; i++)
		count += type == IRQSHIFT_EVENT_TYPES || s->records[i].type == type;
	return count;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "genl.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADERS (NLMSG_HDRLEN + GENL_HDRLEN)

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

static void put_headers(struct genl *g, struct genl_message *m, uint16_t family, uint8_t command, uint16_t flags)
{
	struct nlmsghdr nl = { .nlmsg_type = family,
			       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags,
			       .nlmsg_seq = ++g->seq };
	struct genlmsghdr genl = { .cmd = command, .version = IRQSHIFT_GENL_VERSION };

	memset(m, 0, sizeof(*m));
	memcpy(m->bytes, &nl, sizeof(nl));
	memcpy(m->bytes + NLMSG_HDRLEN, &genl, sizeof(genl));
	m->length = HEADERS;
}

void genl_begin(struct genl *g, struct genl_message *m, uint8_t command, uint16_t flags)
{
	put_headers(g, m, g->family, command, flags);
}

void genl_put(struct genl_message *m, uint16_t type, const void *data, size_t size)
{
	struct nlattr a = { .nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + size) };

	if (m->length + NLA_HDRLEN + NLA_ALIGN(size) > sizeof(m->bytes))
		return;
	memcpy(m->bytes + m->length, &a, sizeof(a));
	if (size)
		memcpy(m->bytes + m->length + NLA_HDRLEN, data, size);
	m->length += NLA_HDRLEN + NLA_ALIGN(size);
}

void genl_put_u32(struct genl_message *m, uint16_t type, uint32_t value)
{
	genl_put(m, type, &value, sizeof(value));
}

void genl_put_u64(struct genl_message *m, uint16_t type, uint64_t value)
{
	genl_put(m, type, &value, sizeof(value));
}

size_t genl_nest(struct genl_message *m, uint16_t type)
{
	size_t at = m->length;

	genl_put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

void genl_nest_end(struct genl_message *m, size_t nest)
{
	struct nlattr a;

	if (nest + NLA_HDRLEN > m->length)
		return;
	memcpy(&a, m->bytes + nest, sizeof(a));
	a.nla_len = (uint16_t)(m->length - nest);
	memcpy(m->bytes + nest, &a, sizeof(a));
}

/* One message of a datagram; 1: the end of what belongs to @seq, with its error in @result. */
static int one_message(const struct nlmsghdr *nl, uint32_t seq, uint16_t family, genl_answer *answer, void *arg, int *result)
{
	const uint8_t *body = (const uint8_t *)nl + NLMSG_HDRLEN;

	if (nl->nlmsg_type == NLMSG_ERROR || nl->nlmsg_type == NLMSG_DONE) {
		if (nl->nlmsg_seq != seq)
			return 0;
		*result = 0;
		if (nl->nlmsg_len >= NLMSG_HDRLEN + sizeof(int))
			memcpy(result, body, sizeof(int));
		return 1;
	}
	if (nl->nlmsg_type == family && answer && nl->nlmsg_len >= HEADERS)
		answer(arg, body[0], body + GENL_HDRLEN, nl->nlmsg_len - HEADERS);
	return 0;
}

/* Reads one datagram; 1 when @seq came to its end in it, 0, or -errno: -ETIME nothing came. */
static int receive(struct genl *g, uint32_t seq, uint16_t family, int ms, genl_answer *answer, void *arg, int *result)
{
	static uint8_t datagram[1 << 17] __attribute__((aligned(8)));
	struct pollfd p = { .fd = g->fd, .events = POLLIN };
	int rc = poll(&p, 1, ms), ended = 0;
	size_t left;

	if (rc <= 0)
		return rc ? -errno : -ETIME;
	rc = (int)recv(g->fd, datagram, sizeof(datagram), 0);
	if (rc < 0)
		return errno == ENOBUFS ? 0 : -errno;
	left = (size_t)rc;
	for (const struct nlmsghdr *nl = (const void *)datagram; NLMSG_OK(nl, left); nl = NLMSG_NEXT(nl, left))
		ended |= one_message(nl, seq, family, answer, arg, result);
	return ended;
}

static int transact(struct genl *g, struct genl_message *m, uint16_t family, genl_answer *answer, void *arg)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr nl;
	int rc, result = 0;

	memcpy(&nl, m->bytes, sizeof(nl));
	if (!nl.nlmsg_len) {
		nl.nlmsg_len = (uint32_t)m->length;
		memcpy(m->bytes, &nl, sizeof(nl));
	}
	if (sendto(g->fd, m->bytes, m->length, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	do
		rc = receive(g, nl.nlmsg_seq, family, 10000, answer, arg, &result);
	while (!rc);
	return rc < 0 ? rc : result;
}

int genl_send(struct genl *g, struct genl_message *m, genl_answer *answer, void *arg)
{
	return transact(g, m, g->family, answer, arg);
}

int genl_listen(struct genl *g, int ms, genl_answer *answer, void *arg)
{
	int n = 0, ignored;

	while (receive(g, 0, g->family, n ? 0 : ms, answer, arg, &ignored) >= 0)
		n++;
	return n;
}

const uint8_t *genl_find(const uint8_t *attributes, size_t size, uint16_t type, size_t *length)
{
	struct nlattr a;

	for (size_t at = 0; at + NLA_HDRLEN <= size; at += NLA_ALIGN(a.nla_len)) {
		memcpy(&a, attributes + at, sizeof(a));
		if (a.nla_len < NLA_HDRLEN || a.nla_len > size - at)
			return NULL;
		if ((a.nla_type & NLA_TYPE_MASK) == type) {
			*length = a.nla_len - (size_t)NLA_HDRLEN;
			return attributes + at + NLA_HDRLEN;
		}
	}
	return NULL;
}

uint64_t genl_u64(const uint8_t *attributes, size_t size, uint16_t type)
{
	size_t length;
	uint64_t value = 0;
	const uint8_t *found = genl_find(attributes, size, type, &length);

	if (found)
		memcpy(&value, found, length < sizeof(value) ? length : sizeof(value));
	return value;
}

uint32_t genl_u32(const uint8_t *attributes, size_t size, uint16_t type)
{
	return (uint32_t)genl_u64(attributes, size, type);
}

static void learn_family(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	struct genl *g = arg;
	const uint8_t *groups, *group;
	size_t length;

	(void)command;
	g->family = (uint16_t)genl_u32(attributes, size, CTRL_ATTR_FAMILY_ID);
	groups = genl_find(attributes, size, CTRL_ATTR_MCAST_GROUPS, &length);
	group = groups ? genl_find(groups, length, 1, &length) : NULL;
	g->group = group ? genl_u32(group, length, CTRL_ATTR_MCAST_GRP_ID) : 0;
}

int genl_open(struct genl *g)
{
	static struct genl_message m;
	int rc;

	memset(g, 0, sizeof(*g));
	g->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (g->fd < 0)
		return -errno;
	put_headers(g, &m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 0);
	m.bytes[NLMSG_HDRLEN + 1] = 1; /* the controller's version */
	genl_put(&m, CTRL_ATTR_FAMILY_NAME, IRQSHIFT_GENL_NAME, sizeof(IRQSHIFT_GENL_NAME));
	rc = transact(g, &m, GENL_ID_CTRL, learn_family, g);
	if (!rc && !g->family)
		rc = -ENOENT;
	if (rc)
		close(g->fd);
	return rc;
}

void genl_close(struct genl *g)
{
	close(g->fd);
}

int genl_join(struct genl *g)
{
	return setsockopt(g->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &g->group, sizeof(g->group)) ? -errno : 0;
}

static void learn_events(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	(void)command;
	*(uint64_t *)arg = genl_u64(attributes, size, IRQSHIFT_A_EVENTS);
}

uint64_t genl_events_there(void)
{
	static struct genl_message m;
	struct genl g;
	uint64_t events = ~0ull; /* not 0 when nothing answers */

	cr_assert_eq(genl_open(&g), 0);
	genl_begin(&g, &m, IRQSHIFT_GENL_GET_INFO, 0);
	cr_assert_eq(genl_send(&g, &m, learn_events, &events), 0);
	genl_close(&g);
	return events;
}

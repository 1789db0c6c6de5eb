/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX "unix:"
#define TCP "tcp:"
#define BACKLOG 16

struct address {
	bool is_unix;
	struct sockaddr_un un;
	char host[256], port[32];
};

static int bad(const char *text, const char *why, struct irqs_error *reterr)
{
	return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%s: %s", text, why);
}

/* "HOST:PORT", "[V6]:PORT", ":PORT". */
static int parse_tcp(const char *text, const char *rest, struct address *a, struct irqs_error *reterr)
{
	const char *colon = strrchr(rest, ':');
	size_t len;

	if (!colon || !colon[1] || strlen(colon + 1) >= sizeof(a->port))
		return bad(text, "no port: tcp:HOST:PORT", reterr);
	len = (size_t)(colon - rest);
	if (len >= 2 && rest[0] == '[' && rest[len - 1] == ']') {
		rest++;
		len -= 2;
	}
	if (len >= sizeof(a->host))
		return bad(text, "a host name of impossible length", reterr);
	snprintf(a->host, sizeof(a->host), "%.*s", (int)len, rest);
	snprintf(a->port, sizeof(a->port), "%s", colon + 1);
	return 0;
}

static int parse(const char *text, struct address *a, struct irqs_error *reterr)
{
	memset(a, 0, sizeof(*a));
	if (!strncmp(text, TCP, strlen(TCP)))
		return parse_tcp(text, text + strlen(TCP), a, reterr);
	if (strncmp(text, UNIX, strlen(UNIX)) != 0)
		return bad(text, "no address: unix:PATH or tcp:HOST:PORT", reterr);
	text += strlen(UNIX);
	a->is_unix = true;
	a->un.sun_family = AF_UNIX;
	if (!*text || strlen(text) >= sizeof(a->un.sun_path))
		return bad(text, "a path of impossible length for a socket", reterr);
	snprintf(a->un.sun_path, sizeof(a->un.sun_path), "%s", text);
	return 0;
}

int address_check(const char *text, struct irqs_error *reterr)
{
	struct address a;

	return parse(text, &a, reterr);
}

static int unix_socket(const struct address *a, bool listening)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->un;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	if (listening)
		rc = bind(fd, sa, sizeof(a->un)) || listen(fd, BACKLOG) ? -errno : 0;
	else
		rc = connect(fd, sa, sizeof(a->un)) ? -errno : 0;
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

/* A socket file that a process left behind when it ended. */
static bool is_left_behind(const struct address *a)
{
	struct stat st;
	int fd;

	if (stat(a->un.sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = unix_socket(a, false);
	if (fd >= 0)
		close(fd);
	return fd == -ECONNREFUSED;
}

/* The bytes of a migration wait for nothing: what is written is sent. */
static void set_tcp(int fd)
{
	const int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static int tcp_socket(const struct addrinfo *ai, bool listening)
{
	const int on = 1;
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, ai->ai_protocol), rc;

	if (fd < 0)
		return -errno;
	if (listening) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		rc = bind(fd, ai->ai_addr, ai->ai_addrlen) || listen(fd, BACKLOG) ? -errno : 0;
	} else {
		rc = connect(fd, ai->ai_addr, ai->ai_addrlen) ? -errno : 0;
		set_tcp(fd);
	}
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

static int any_tcp_socket(const char *text, const struct address *a, bool listening, struct irqs_error *reterr)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = listening ? AI_PASSIVE : 0,
	};
	struct addrinfo *list;
	int rc = getaddrinfo(a->host[0] ? a->host : NULL, a->port, &hints, &list), fd = -EADDRNOTAVAIL;

	if (rc)
		return irqs_fail(reterr, IRQS_SYSTEM, IRQS_NO_OFFSET, NULL, "%s: %s", text, gai_strerror(rc));
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = tcp_socket(ai, listening);
	freeaddrinfo(list);
	return fd;
}

int address_listen(const char *text, struct irqs_error *reterr)
{
	struct address a;
	int rc = parse(text, &a, reterr), fd;

	if (rc)
		return rc;
	fd = a.is_unix ? unix_socket(&a, true) : any_tcp_socket(text, &a, true, reterr);
	if (fd == -EADDRINUSE && a.is_unix && is_left_behind(&a)) {
		unlink(a.un.sun_path);
		fd = unix_socket(&a, true);
	}
	if (fd < 0 && fd != -EIO)
		return irqs_fail_errno(reterr, -fd, "%s: cannot listen", text);
	return fd;
}

void address_forget(const char *text)
{
	struct address a;

	if (!parse(text, &a, NULL) && a.is_unix)
		unlink(a.un.sun_path);
}

int address_connect(const char *text, struct irqs_error *reterr)
{
	struct address a;
	int rc = parse(text, &a, reterr), fd;

	if (rc)
		return rc;
	fd = a.is_unix ? unix_socket(&a, false) : any_tcp_socket(text, &a, false, reterr);
	if (fd < 0 && fd != -EIO)
		return irqs_fail_errno(reterr, -fd, "%s: cannot connect", text);
	return fd;
}

int address_accept(int fd, struct irqs_error *reterr)
{
	int got = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (got < 0)
		return irqs_fail_errno(reterr, errno, "accept");
	set_tcp(got);
	return got;
}

static char *format_tcp(const struct sockaddr *sa, socklen_t len, char *buf, size_t size)
{
	char host[128], port[16];

	if (getnameinfo(sa, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(buf, size, "tcp:?");
	else
		snprintf(buf, size, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
	return buf;
}

char *address_format(int fd, char *buf, size_t size)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		snprintf(buf, size, "?");
	else if (sa.ss_family == AF_UNIX)
		snprintf(buf, size, UNIX "%s", ((struct sockaddr_un *)&sa)->sun_path);
	else
		format_tcp((struct sockaddr *)&sa, len, buf, size);
	return buf;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of sockets as QEMU's migrate command has them: "unix:PATH", "tcp:HOST:PORT". */
#ifndef IRQSHIFT_STREAM_ADDRESS_H
#define IRQSHIFT_STREAM_ADDRESS_H

#include <stddef.h>

#include "base/error.h"

/* address_check - whether @text is one. Return: 0 or -EINVAL. */
int address_check(const char *text, struct irqs_error *reterr);

/**
 * address_listen - a listening stream socket
 * @text: a socket that nobody listens on any more at a unix path is replaced; port 0 of TCP is any free port
 *
 * Return: a descriptor, or -errno.
 */
int address_listen(const char *text, struct irqs_error *reterr);

/* address_forget - remove the path of a unix socket that address_listen() made. */
void address_forget(const char *text);

/* address_connect - a connected stream socket. Return: a descriptor, or -errno. */
int address_connect(const char *text, struct irqs_error *reterr);

/* address_accept - the next connection of a listening socket. Return: a descriptor, or -errno. */
int address_accept(int fd, struct irqs_error *reterr);

/* address_format - what a socket is bound to, as above. Return: @buf. */
char *address_format(int fd, char *buf, size_t size);

#endif

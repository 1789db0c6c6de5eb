/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bare generic netlink, so that messages may be as wrong as a test wants them. */
#ifndef IRQSHIFT_TESTS_MODULE_GENL_H
#define IRQSHIFT_TESTS_MODULE_GENL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kvm/module/uapi.h"

#define GENL_ROOM 16384

struct genl {
	int fd;
	uint16_t family;
	uint32_t group, seq;
};

/* A message under construction; what does not fit is left out. */
struct genl_message {
	size_t length;
	uint8_t bytes[GENL_ROOM];
};

/* genl_open - a socket and the family's numbers; 0 or -errno: -ENOENT without the module. */
int genl_open(struct genl *g);
void genl_close(struct genl *g);

/* genl_begin - headers of a request to the family; @flags besides NLM_F_REQUEST and NLM_F_ACK. */
void genl_begin(struct genl *g, struct genl_message *m, uint8_t command, uint16_t flags);
void genl_put(struct genl_message *m, uint16_t type, const void *data, size_t size);
void genl_put_u32(struct genl_message *m, uint16_t type, uint32_t value);
void genl_put_u64(struct genl_message *m, uint16_t type, uint64_t value);
/* genl_nest - opens a nest, until genl_nest_end() with what it returned. */
size_t genl_nest(struct genl_message *m, uint16_t type);
void genl_nest_end(struct genl_message *m, size_t nest);

/* What is called with each message of the family that comes; @attributes are those behind the headers. */
typedef void genl_answer(void *arg, uint8_t command, const uint8_t *attributes, size_t size);

/*
 * genl_send - sends the message and reads until its acknowledgement, or the end of its dump, at most 10 s; the acknowledgement's
 * error, 0 or -errno; -ETIME: none came. genl_listen - what comes by itself within @ms; how many messages.
 */
int genl_send(struct genl *g, struct genl_message *m, genl_answer *answer, void *arg);
int genl_listen(struct genl *g, int ms, genl_answer *answer, void *arg);

/* genl_join - the multicast group; 0 or -errno. */
int genl_join(struct genl *g);

/* genl_find - the first attribute of a type; NULL without one. genl_u32, genl_u64 - the same as a number, 0 without one. */
const uint8_t *genl_find(const uint8_t *attributes, size_t size, uint16_t type, size_t *length);
uint32_t genl_u32(const uint8_t *attributes, size_t size, uint16_t type);
uint64_t genl_u64(const uint8_t *attributes, size_t size, uint16_t type);

/* genl_events_there - the events that GET_INFO names; a test ends where it is not answered. */
uint64_t genl_events_there(void);

#endif

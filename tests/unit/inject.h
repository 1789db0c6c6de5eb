/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is killed, or whose system call fails, at its n-th call: by ptrace, so that each n is one certain moment.
 */
#ifndef TESTS_UNIT_INJECT_H
#define TESTS_UNIT_INJECT_H

#include <stdbool.h>
#include <stddef.h>

enum inject_what {
	INJECT_NOTHING,
	INJECT_KILL_BEFORE,
	INJECT_KILL_AFTER,
	INJECT_ERROR, /* the call is not made and returns an error */
	INJECT_SHORT, /* a write writes half of its bytes */
};

struct injection {
	enum inject_what what;
	unsigned int at; /* which call, from 0 */
	int error;       /* for INJECT_ERROR */
	bool and_all_after;
	bool any_call; /* count every system call, not only those that change or sync files */
};

/* A call that changes or syncs a file. */
struct inject_call {
	const char *name;
	char path[256]; /* its file; of a link the new name */
};

struct injected {
	bool came; /* the program made that call */
	bool killed;
	int status;     /* exit status, unless it was killed */
	const char *at; /* name of the call, "a call" when it is of another kind */
};

#define INJECT_CALLS_MAX 128

/* Every call that changes or syncs a file, in their order. */
struct inject_trace {
	struct inject_call calls[INJECT_CALLS_MAX];
	size_t count;
};

/**
 * inject_run - run a program to its end or to the kill
 * @argv: program and arguments, NULL-terminated; its outputs are thrown away
 * @trace: receives the calls; may be NULL
 *
 * A test ends when the program cannot be traced.
 */
struct injected inject_run(const char *const *argv, const struct injection *injection, struct inject_trace *trace);

#endif

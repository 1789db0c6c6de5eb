/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Child processes of the tests: always under a time limit, never left behind. */
#ifndef TESTS_QEMU_PROCESS_H
#define TESTS_QEMU_PROCESS_H

#include <stddef.h>
#include <sys/types.h>

/**
 * process_start - Start a program under `timeout -k 2 LIMIT`.
 * @argv: program and arguments, NULL at the end, at most 60
 * @limit_s: seconds until SIGTERM; SIGKILL comes two seconds later
 * @output: file that takes standard output and standard error; truncated
 *
 * The child gets SIGTERM when this process dies.
 *
 * Return: the pid of timeout, or -errno.
 */
pid_t process_start(const char *const *argv, unsigned int limit_s, const char *output);

/**
 * process_wait - Wait for a process that process_start() started.
 * @wait_ms: 0 only looks
 *
 * Return: its exit status (0 to 255; 124 or 137 at the time limit), or -EAGAIN when it still runs.
 */
int process_wait(pid_t pid, unsigned int wait_ms);

/** process_end - End it, by force when it does not obey in three seconds, and reap it. */
void process_end(pid_t pid);

/** process_run - Start, and wait for the end. Return: the exit status or -errno. */
int process_run(const char *const *argv, unsigned int limit_s, const char *output);

/** sleep_ms - Sleep. */
void sleep_ms(unsigned int ms);

/** read_text - The whole of @path as a string that the caller frees; NULL when it cannot be read. */
char *read_text(const char *path);

#endif

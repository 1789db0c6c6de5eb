/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command as a user has it: run by a shell in a folder of the test's own, judged by its exit status and its words. */
#ifndef IRQSHIFT_TESTS_UNIT_CLI_RUN_H
#define IRQSHIFT_TESTS_UNIT_CLI_RUN_H

#include "apic/irqchip.h"

extern char cli_text[262144]; /* what was printed last, both outputs of cli_run() and cli_shell() */

/* cli_folder/cli_folder_remove - a new folder, for .init and .fini of a suite. Without one it is the top folder. */
void cli_folder(void);
void cli_folder_remove(void);

/* cli_path - where a file of the folder is; until the next call of any of these. */
const char *cli_path(const char *name);

/* cli_save - a snapshot of @s, in the native format, into the folder. */
void cli_save(const struct irqchip_state *s, const char *name);

/* cli_program - the command's file. */
const char *cli_program(void);

/* cli_capture - run a command of sh(1) from the top folder. Return: its exit status, -1 when a signal ended it. */
int cli_capture(const char *command);

/* cli_shell - run a line of bash in the folder, with $irqshift and $data (tests/data). Return: likewise. */
int cli_shell(const char *line);

/* cli_run - run "$irqshift ARGS" so. Return: likewise. */
int cli_run(const char *args);

/* cli_expect_line/cli_expect - run it; it is to exit with @status and to say @says. */
void cli_expect_line(const char *line, int status, const char *says);
void cli_expect(const char *args, int status, const char *says);

#endif

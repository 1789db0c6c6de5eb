/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vmdescription of a twin machine, out of a file. */
#ifndef IRQSHIFT_CLI_TWIN_H
#define IRQSHIFT_CLI_TWIN_H

#include <stddef.h>

/* cli_read_twin - read @path; *@ret is for free(). Return: 0, or the exit status after the error was printed. */
int cli_read_twin(const char *path, char **ret, size_t *size);

#endif

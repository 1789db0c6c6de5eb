/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/cli_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "apic/snapshot.h"
#include "stream/native.h"

char cli_text[262144];
static char folder[] = "/tmp/irqshift-cli-XXXXXX";
static bool made;

void cli_folder(void)
{
	made = mkdtemp(folder);
	cr_assert(made);
}

void cli_folder_remove(void)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", folder);
	cr_expect_eq(cli_capture(cmd), 0);
}

const char *cli_path(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", made ? folder : ".", name);
	return path;
}

void cli_save(const struct irqchip_state *s, const char *name)
{
	FILE *f = fopen(cli_path(name), "w");
	struct irqs_error err = { 0 };
	struct vms_tree t;

	cr_assert(f && !vms_tree_init(&t, NULL));
	cr_assert(!snapshot_to_tree(s, &t, &err), "%s", err.text);
	cr_assert(!native_write_tree(fileno(f), t.machine, 0, &err), "%s", err.text);
	fclose(f);
	vms_tree_deinit(&t);
}

const char *cli_program(void)
{
	const char *set = getenv("IRQSHIFT");

	return set ? set : "build/irqshift";
}

int cli_capture(const char *command)
{
	FILE *f = popen(command, "r");
	size_t used;
	int status;

	cr_assert(f);
	used = fread(cli_text, 1, sizeof(cli_text) - 1, f);
	cli_text[used] = '\0';
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void export_path(const char *name, const char *path)
{
	char *full = realpath(path, NULL);

	cr_assert(full, "no %s here: not in the top folder?", path);
	setenv(name, full, 1);
	free(full);
}

/* In the environment the line needs no quotes around it. */
int cli_shell(const char *line)
{
	export_path("irqshift", cli_program());
	export_path("data", "tests/data");
	setenv("folder", cli_path(""), 1);
	setenv("line", line, 1);
	return cli_capture("cd \"$folder\" && bash -c \"$line\" 2>&1");
}

int cli_run(const char *args)
{
	char line[1024];

	snprintf(line, sizeof(line), "\"$irqshift\" %s", args);
	return cli_shell(line);
}

void cli_expect_line(const char *line, int status, const char *says)
{
	int got = cli_shell(line);

	cr_expect_eq(got, status, "%s: exit %d, not %d: %s", line, got, status, cli_text);
	cr_expect(strstr(cli_text, says), "%s: \"%s\" is not in: %s", line, says, cli_text);
}

void cli_expect(const char *args, int status, const char *says)
{
	char line[1024];

	snprintf(line, sizeof(line), "\"$irqshift\" %s", args);
	cli_expect_line(line, status, says);
}

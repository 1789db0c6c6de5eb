/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An output is complete or absent. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "stream/output.h"

static char dir[] = "/tmp/irqshift-output-XXXXXX";
static char path[64];
static struct irqs_error err;

static void make_dir(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/out", dir);
}

static int count_files(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int n = 0;

	while ((e = readdir(d)))
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}

static void remove_dir(void)
{
	unlink(path);
	cr_expect_eq(rmdir(dir), 0, "something was left in %s", dir);
}

static void write_file(const char *text)
{
	FILE *f = fopen(path, "w");

	fputs(text, f);
	fclose(f);
}

static void expect_content(const char *text)
{
	char buf[64] = "";
	FILE *f = fopen(path, "r");

	cr_assert(f);
	cr_expect(fgets(buf, sizeof(buf), f));
	fclose(f);
	cr_expect_str_eq(buf, text);
}

TestSuite(output, .init = make_dir, .fini = remove_dir);

Test(output, has_no_name_before_the_commit)
{
	struct output o;

	cr_assert_eq(output_open(&o, path, 0600, &err), 0);
	cr_assert_eq(write(o.fd, "new", 3), 3);
	cr_expect_eq(count_files(), 0);
	cr_assert_eq(output_commit(&o, &err), 0);
	expect_content("new");
}

Test(output, replaces_an_existing_file_only_at_the_commit)
{
	struct output o;

	write_file("old");
	cr_assert_eq(output_open(&o, path, 0600, &err), 0);
	cr_assert_eq(write(o.fd, "new", 3), 3);
	expect_content("old");
	cr_assert_eq(output_commit(&o, &err), 0);
	expect_content("new");
	cr_expect_eq(count_files(), 1);
}

Test(output, abort_leaves_the_old_file_and_nothing_else)
{
	struct output o;

	write_file("old");
	cr_assert_eq(output_open(&o, path, 0600, &err), 0);
	cr_assert_eq(write(o.fd, "new", 3), 3);
	output_abort(&o);
	expect_content("old");
	cr_expect_eq(count_files(), 1);
}

Test(output, a_killed_process_leaves_nothing)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct output o;

		if (output_open(&o, path, 0600, NULL) || write(o.fd, "new", 3) != 3)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status));
	cr_expect_eq(count_files(), 0);
}

Test(output, a_missing_folder_is_a_system_error_that_names_the_file)
{
	struct output o;

	cr_expect_eq(output_open(&o, "/nonexistent/out", 0600, &err), -ENOENT);
	cr_expect_eq(err.status, IRQS_SYSTEM);
	cr_expect(strstr(err.text, "/nonexistent/out"));
}

Test(output, a_device_is_written_directly)
{
	struct output o;

	cr_assert_eq(output_open(&o, "/dev/null", 0600, &err), 0);
	cr_expect_eq(write(o.fd, "x", 1), 1);
	cr_expect_eq(output_commit(&o, &err), 0);
	cr_expect_eq(access("/dev/null", W_OK), 0);
}

Test(output, permissions_are_those_asked_for)
{
	struct output o;
	struct stat st;

	umask(022);
	cr_assert_eq(output_open(&o, path, 0640, &err), 0);
	cr_assert_eq(output_commit(&o, &err), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0640);
}

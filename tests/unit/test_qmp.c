/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP client against texts in place of a QEMU, and programs that are none. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stream/qemu_caps.h"
#include "stream/qemu_run.h"
#include "stream/qmp.h"

#define GREETING \
	"{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 22}}, \"capabilities\": []}}\r\n"
#define DONE "{\"return\": {}}\r\n"

/* All that this QEMU will ever say is there already; then it hangs up, or stays and says nothing. */
static int play(const char *text, bool stays, int *ret_other)
{
	int sv[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv), 0);
	cr_assert_eq(write(sv[1], text, strlen(text)), (ssize_t)strlen(text));
	*ret_other = sv[1];
	if (!stays)
		shutdown(sv[1], SHUT_WR);
	return sv[0];
}

Test(qmp, a_greeting_is_a_version)
{
	int other, fd = play(GREETING DONE, true, &other);
	struct qmp q;

	cr_assert_eq(qmp_open(&q, fd, fd, 1000, NULL), 0);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(q.version, "qemu"), "major")), 7);
	qmp_close(&q);
	close(fd);
	close(other);
}

Test(qmp, events_are_passed_over_and_answers_may_hold_large_numbers)
{
	int other, fd = play(GREETING DONE
			     "{\"event\": \"RESUME\"}\r\n{\"return\": {\"n\": 18446744073709551615}}\r\n",
			     true, &other);
	json_t *answer = NULL;
	struct qmp q;

	cr_assert_eq(qmp_open(&q, fd, fd, 1000, NULL), 0);
	cr_assert_eq(qmp_command(&q, "x", json_object(), &answer, NULL), 0);
	cr_expect(json_object_get(answer, "n"));
	json_decref(answer);
	qmp_close(&q);
	close(fd);
	close(other);
}

Test(qmp, an_error_of_qemu_is_told_in_its_words)
{
	int other, fd = play(GREETING DONE
			     "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no way\"}}\r\n",
			     true, &other);
	struct irqs_error err = { .text = "" };
	struct qmp q;

	cr_assert_eq(qmp_open(&q, fd, fd, 1000, NULL), 0);
	cr_expect_eq(qmp_command(&q, "migrate", NULL, NULL, &err), -EOPNOTSUPP);
	cr_expect(strstr(err.text, "migrate") && strstr(err.text, "no way"), "%s", err.text);
	qmp_close(&q);
	close(fd);
	close(other);
}

Test(qmp, what_is_no_qmp_is_an_error_of_its_own)
{
	static const struct {
		const char *text;
		bool stays;
		int rc;
	} bad[] = {
		{ "", false, -EPIPE },
		{ "", true, -ETIMEDOUT },
		{ "hello\n", true, -EBADMSG },
		{ "[]\n", true, -EBADMSG },
		{ "{}\n", true, -EBADMSG },
		{ "{\"QMP\": 1}\n", true, -EBADMSG },
		{ GREETING, false, -EPIPE },
		{ GREETING, true, -ETIMEDOUT },
	};
	struct qmp q;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int other, fd = play(bad[i].text, bad[i].stays, &other);

		cr_expect_eq(qmp_open(&q, fd, fd, 100, NULL), bad[i].rc, "%s", bad[i].text);
		close(fd);
		close(other);
	}
}

Test(qmp, no_socket_no_connection)
{
	char longer[200];
	struct qmp q;

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	cr_expect_eq(qmp_connect(&q, "/nonexistent/socket", 100, NULL), -ENOENT);
	cr_expect_eq(qmp_connect(&q, longer, 100, NULL), -EINVAL);
}

/* ---- programs ---- */

Test(qmp, a_program_that_is_not_there_is_said_so)
{
	const struct qemu_run_options opt = { .binary = "/nonexistent/qemu -L x", .limit = 5 };
	struct irqs_error err = { .text = "" };
	struct caps c;

	cr_expect_eq(qemu_caps_probe(&opt, &c, &err), -ENOENT);
	cr_expect_eq(qemu_run_dump(&opt, "pc", &err), -ENOENT);
}

Test(qmp, a_program_that_never_answers_is_killed_and_reaped)
{
	const struct qemu_run_options opt = { .binary = "tail -f /dev/null --", .limit = 1 };
	struct qemu_child c;
	const char *none[] = { NULL };
	pid_t pid;

	cr_assert_eq(qemu_child_start(&c, &opt, none, -1, NULL), 0);
	pid = c.pid;
	cr_expect_eq(qemu_child_wait(&c, NULL), -ETIMEDOUT);
	qemu_child_stop(&c);
	cr_expect_eq(kill(pid, 0), -1);
	cr_expect_eq(errno, ESRCH);
}

Test(qmp, a_program_that_fails_is_quoted)
{
	const struct qemu_run_options opt = { .binary = "ls", .limit = 5 };
	struct irqs_error err = { .text = "" };
	struct caps c;

	cr_expect_lt(qemu_caps_probe(&opt, &c, &err), 0);
	cr_expect(strstr(err.text, "ls"), "%s", err.text);
	cr_expect_lt(qemu_run_dump(&opt, NULL, &err), 0);
	cr_expect(strstr(err.text, "status 2"), "%s", err.text);
}

Test(qmp, a_program_that_dumps_nothing_is_an_error)
{
	const struct qemu_run_options opt = { .binary = "true", .limit = 5 };
	struct irqs_error err = { .text = "" };

	cr_expect_eq(qemu_run_dump(&opt, NULL, &err), -EIO);
	cr_expect(strstr(err.text, "nothing"), "%s", err.text);
}

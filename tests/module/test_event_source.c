/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module as a source of events, as `irqshift monitor` uses it. Roles: root user. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "busy_vm.h"
#include "kvm/event_module.h"
#include "lab.h"

static struct busy_child *vm;

static void make_bed(void)
{
	lab_have_module();
	vm = busy_child_new();
	cr_assert_eq(busy_child_start(vm, 1), 0);
}

static void end_all(void)
{
	if (vm)
		lab_kill(vm->pid);
}

static int open_it(struct event_scope scope, struct event_source **ret, struct irqs_error *err)
{
	*err = (struct irqs_error){ 0 };
	scope.pid = vm->pid;
	return module_open(&scope, ret, err);
}

/* Until so many of the process have come, for 20 s at most; how many did. */
static size_t read_events(struct event_source *s, size_t wanted)
{
	double end = lab_now() + 20;
	struct event_batch batch;
	size_t n = 0;

	while (n < wanted && lab_now() < end) {
		struct irqs_error err = { 0 };

		batch = (struct event_batch){ 0 };
		cr_assert_eq(event_source_read(s, 100, &batch, &err), 0, "%s", err.text);
		for (size_t i = 0; i < batch.count; i++)
			n += batch.events[i].pid == (uint32_t)vm->pid;
	}
	return n;
}

Test(event_source, events_of_a_process_come_until_it_is_stopped, .init = make_bed, .fini = end_all, .timeout = 60)
{
	struct event_batch batch = { 0 };
	struct event_source *s;
	struct irqs_error err;
	int rc = 0;

	lab_root_only();
	cr_assert_eq(open_it((struct event_scope){ 0 }, &s, &err), 0, "%s", err.text);
	cr_expect_str_eq(s->name, "module");
	cr_expect_geq(read_events(s, 100), 100);
	cr_expect_eq(event_source_stop(s, &err), 0, "%s", err.text);
	for (unsigned int i = 0; i < 1000 && !rc; i++)
		rc = event_source_read(s, 100, &batch, &err);
	cr_expect_eq(rc, -ENODATA, "%s", strerror(-rc));
	event_source_close(s);
}

/* It has a least and a most, and who asks for more or less gets these. */
Test(event_source, a_buffer_may_be_of_any_size, .init = make_bed, .fini = end_all, .timeout = 60)
{
	const unsigned int sizes[] = { 1, IRQSHIFT_BUFFER_MIN, 1000, IRQSHIFT_BUFFER_MAX, IRQSHIFT_BUFFER_MAX + 1, 1u << 24 };
	struct event_source *s;
	struct irqs_error err;

	lab_root_only();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		cr_assert_eq(open_it((struct event_scope){ .buffer = sizes[i] }, &s, &err), 0, "%u: %s", sizes[i], err.text);
		cr_expect_geq(read_events(s, 10), 10);
		event_source_close(s);
	}
}

Test(event_source, a_plain_user_is_told_why_there_are_none, .init = make_bed, .fini = end_all, .timeout = 60)
{
	struct event_source *s;
	struct irqs_error err;

	if (strcmp(lab_role(), "user") != 0)
		cr_skip_test("only for a plain user");
	cr_expect_eq(open_it((struct event_scope){ 0 }, &s, &err), -EPERM);
	cr_expect_neq(err.text[0], '\0');
	cr_expect_eq(open_it((struct event_scope){ .all = true }, &s, &err), -EPERM);
}

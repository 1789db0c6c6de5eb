/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command with recorded events: tables, JSON, a timeline, and what it says of recordings that are not whole. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cli_run.h"
#include "event_file.h"
#include "irq_events.h"

#define TICKS 400u

static struct event_file file;

static void write_file(const char *name, size_t len)
{
	FILE *f = fopen(cli_path(name), "w");

	cr_assert(f && fwrite(file.data, 1, len, f) == len && !fclose(f));
}

/* Four seconds of a guest: its timer a hundred times a second, a line once in a while. */
static void set_up(void)
{
	static const struct recording_thread threads[] = { { 11, 0, "CPU 0/KVM" }, { 20, -1, "kvm-pit/100" } };
	static struct irqshift_event events[TICKS * 6];
	struct event_maker guest = { EVENT_S, 11, 0 }, device = { EVENT_S, 20, 1 };
	struct event_batch batch = { events, 0, 5 };

	cli_folder();
	for (unsigned int i = 0; i < TICKS; i++) {
		guest.time = EVENT_S + i * 10 * EVENT_MS;
		events[batch.count++] = event_accept(&guest, 0, 0xec);
		events[batch.count++] = event_inject(&guest, 0xec, false);
		events[batch.count++] = event_eoi(&guest, 0, 0xec);
		if (i % 40)
			continue;
		device.time = guest.time;
		events[batch.count++] = event_line(&device, 10, 1);
		events[batch.count++] = event_accept(&device, 0, 0x41);
		events[batch.count++] = event_ioapic(&device, 10, 0x41, false, false);
	}
	event_file_record(&file, threads, 2, &batch, 1);
	write_file("guest.events", file.len);
}

TestSuite(cli_monitor, .init = set_up, .fini = cli_folder_remove);

Test(cli_monitor, a_recording_is_one_table_of_all_of_it)
{
	cli_expect("monitor --replay guest.events --linux", 0, "4.0 s, all: 1230 events, 5 lost");
	cr_expect(strstr(cli_text, "local timer"), "%s", cli_text);
	cr_expect(strstr(cli_text, "IOAPIC pin 10"), "%s", cli_text);
	cr_expect(strstr(cli_text, "5 events were lost"), "%s", cli_text);
	cli_expect("monitor --replay - <guest.events | grep -c '^   0'", 0, "2\n");
}

Test(cli_monitor, with_an_interval_tables_follow_its_own_time)
{
	cli_expect("monitor --replay guest.events --interval 1 | grep -c '^vCPU vector'", 0, "4\n");
	cli_expect("monitor --replay guest.events --interval 1 --count 1 | grep -c '^vCPU vector'", 0, "2\n");
	cli_expect("monitor --replay guest.events --interval 2 | grep -c ' 100.0 '", 0, "1\n");
}

Test(cli_monitor, json_has_the_numbers)
{
	json_error_t err;
	json_t *top, *row;

	cr_expect_eq(cli_run("monitor --replay guest.events --json 2>/dev/null"), 0);
	top = json_loads(cli_text, 0, &err);
	cr_assert(top, "%s: %s", err.text, cli_text);
	cr_expect_eq(json_integer_value(json_object_get(top, "events")), 1230);
	cr_expect_eq(json_integer_value(json_object_get(top, "lost")), 5);
	cr_expect_eq(json_array_size(json_object_get(top, "rows")), 2);
	row = json_array_get(json_object_get(top, "rows"), 1);
	cr_expect_eq(json_integer_value(json_object_get(row, "vector")), 0xec);
	cr_expect_eq(json_integer_value(json_object_get(row, "accepted")), TICKS);
	cr_expect_eq(json_integer_value(json_object_get(row, "lost")), 0);
	cr_expect_eq(json_integer_value(json_object_get(json_object_get(row, "accept_to_eoi_ns"), "max")), 2000);
	row = json_array_get(json_object_get(top, "rows"), 0);
	cr_expect(json_is_null(json_object_get(row, "lost")), "never injected: nothing is known");
	json_decref(top);
}

Test(cli_monitor, each_event_is_a_line)
{
	cli_expect("monitor --replay guest.events --events", 0, "0.000000 CPU 0/KVM            11   0  LAPIC 0 accepts vector 236");
	cr_expect(strstr(cli_text, "kvm-pit/100          20   1  GSI 10 high"), "%s", cli_text);
	cli_expect("monitor --replay guest.events --events --json | grep -c '\"event\":\"kvm_eoi\"'", 0, "400\n");
	cli_expect("monitor --replay guest.events --events --json 2>/dev/null | wc -l", 0, "1231\n");
}

Test(cli_monitor, a_replay_can_be_recorded_and_drawn)
{
	json_error_t err;
	json_t *top;

	cli_expect("monitor --replay guest.events --record copy.events", 0, "all");
	cli_expect_line("cmp guest.events copy.events && echo same", 0, "same");
	cli_expect("monitor --replay guest.events --export perfetto timeline.json", 0, "all");
	cli_expect("monitor --replay guest.events --export perfetto=- >other.json", 0, "");
	top = json_load_file(cli_path("other.json"), 0, &err);
	cr_assert(top, "%s", err.text);
	cr_expect_gt(json_array_size(json_object_get(top, "traceEvents")), 1230 + 400);
	json_decref(top);
	cli_expect_line("cmp timeline.json other.json && echo same", 0, "same");
	cli_expect("monitor --replay guest.events --linux --export perfetto=- | grep -o '\"vector 236, local timer\"' | sort -u", 0,
		   "\"vector 236, local timer\"");
}

Test(cli_monitor, what_is_not_whole_is_shown_up_to_there)
{
	write_file("cut.events", file.len - 1);
	cli_expect("monitor --replay cut.events", 4, "1230 events");
	cr_expect(strstr(cli_text, "cut short"), "%s", cli_text);
	file.data[8] = 2;
	write_file("newer.events", file.len);
	cli_expect("monitor --replay newer.events", 3, "version 2");
	cli_expect("monitor --replay /dev/null", 4, "magic");
	cli_expect("monitor --replay nowhere.events", 1, "cannot open");
	cli_expect("monitor --replay guest.events --record /dev/full", 1, "cannot write");
	cli_expect("monitor --replay guest.events --export perfetto=/dev/full", 1, "cannot write");
}

Test(cli_monitor, what_has_no_meaning_is_refused)
{
	cli_expect("monitor", 2, "--pid or --replay");
	cli_expect("monitor --pid 1 --replay x", 2, "--pid or --replay");
	cli_expect("monitor --pid 0", 2, "not possible");
	cli_expect("monitor --pid 1 --interval 0", 2, "not possible");
	cli_expect("monitor --pid 1 --interval nan", 2, "not possible");
	cli_expect("monitor --pid 1 --source dtrace", 2, "not possible");
	cli_expect("monitor --pid 1 --export dot=x", 2, "not possible");
	cli_expect("monitor --pid 1 --all --task 3", 2, "--all");
	cli_expect("monitor --replay x --duration 3", 2, "without");
	cli_expect("monitor --replay x --record - --export perfetto=-", 2, "only one");
	cli_expect("monitor --pid 1 x", 2, "not an option");
}

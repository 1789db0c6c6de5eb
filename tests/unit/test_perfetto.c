/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The timeline: JSON that a parser takes, tracks with names of their own, slices that do not overlap. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "apic/print.h"
#include "irq_events.h"
#include "kvm/perfetto.h"

static struct reg_buffer text;
static struct monitor *m;
static struct perfetto *p;
static struct event_maker guest, device;

static void set_up(void)
{
	reg_buffer_init(&text);
	cr_assert_eq(monitor_create(NULL, &m), 0);
	cr_assert_eq(perfetto_begin(reg_buffer_emit, &text, m, &p), 0);
	guest = (struct event_maker){ EVENT_S, 11, 0 };
	device = (struct event_maker){ EVENT_S, 20, 2 };
	monitor_name_thread(m, 11, 0);
}

static void tear_down(void)
{
	monitor_destroy(m);
	reg_buffer_deinit(&text);
}

TestSuite(perfetto, .init = set_up, .fini = tear_down);

static void see(struct irqshift_event e)
{
	monitor_event(m, &e);
	perfetto_event(p, &e);
	guest.time = device.time = e.time + EVENT_US + 1;
}

/* The document's events. */
static json_t *end(json_t **ret_top)
{
	json_error_t err;

	perfetto_end(p);
	*ret_top = json_loads(text.text, JSON_REJECT_DUPLICATES, &err);
	cr_assert(*ret_top, "line %d: %s", err.line, err.text);
	return json_object_get(*ret_top, "traceEvents");
}

static const char *phase(const json_t *e)
{
	return json_string_value(json_object_get(e, "ph"));
}

static double number(const json_t *e, const char *key)
{
	const json_t *v = json_object_get(e, key);

	cr_assert(json_is_number(v), "no number %s", key);
	return json_number_value(v);
}

/* The name of the track that an event is on. */
static const char *track(json_t *events, const json_t *of)
{
	json_t *e;
	size_t i;

	json_array_foreach(events, i, e)
		if (!strcmp(phase(e), "M") && !strcmp(json_string_value(json_object_get(e, "name")), "thread_name") &&
		    number(e, "tid") == number(of, "tid"))
			return json_string_value(json_object_get(json_object_get(e, "args"), "name"));
	return "";
}

Test(perfetto, an_interrupt_is_a_slice_on_a_track_of_its_vcpu)
{
	json_t *top, *events, *e;
	unsigned int slices = 0;
	size_t i;

	see(event_line(&device, 10, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 10, 0x41, true, false));
	see(event_inject(&guest, 0x41, false));
	see(event_eoi(&guest, 0, 0x41));
	events = end(&top);
	json_array_foreach(events, i, e) {
		if (strcmp(phase(e), "X") != 0)
			continue;
		slices++;
		cr_expect_str_eq(track(events, e), "vector 65");
		cr_expect_float_eq(number(e, "ts"), 1000001.001, 1e-6);
		cr_expect_float_eq(number(e, "dur"), 3.003, 1e-6);
		cr_expect_float_eq(number(json_object_get(e, "args"), "source_to_accept_us"), 1.001, 1e-6);
		cr_expect_float_eq(number(json_object_get(e, "args"), "accept_to_inject_us"), 2.002, 1e-6);
		cr_expect_float_eq(number(json_object_get(e, "args"), "inject_to_eoi_us"), 1.001, 1e-6);
		cr_expect_float_eq(number(json_object_get(e, "args"), "source_to_eoi_us"), 4.004, 1e-6);
		cr_expect_null(json_object_get(json_object_get(e, "args"), "behind_another_us"));
	}
	cr_expect_eq(slices, 1);
	json_decref(top);
}

Test(perfetto, each_event_is_an_instant_on_the_track_of_its_place)
{
	static const char *const tracks[] = { "GSI 10", "PIC IRQ 10", "IOAPIC pin 10", "messages and others", "thread of vCPU 0", "LAPIC 3",
					      "thread of vCPU 0", "LAPIC 0", "events missing" };
	json_t *top, *events, *e;
	size_t i, n = 0;

	see(event_line(&device, 10, 1));
	see(event_pic(&device, 10, false));
	see(event_ioapic(&device, 10, 0x41, true, false));
	see(event_msi(&device, 0x51));
	see(event_ipi(&guest, 0xfd));
	see(event_accept(&guest, 3, 0xfd));
	see(event_inject(&guest, 0xfd, false));
	see(event_eoi(&guest, 0, -1));
	perfetto_lost(p, EVENT_S, 3);
	events = end(&top);
	json_array_foreach(events, i, e)
		if (!strcmp(phase(e), "i")) {
			cr_assert_lt(n, 9);
			cr_expect_str_eq(track(events, e), tracks[n], "event %zu on %s", n, track(events, e));
			n++;
		}
	cr_expect_eq(n, 9);
	json_decref(top);
}

static void see_one_of_each(void)
{
	see(event_line(&device, 10, 1));
	see(event_line(&device, 5000, 1));
	see(event_pic(&device, 10, false));
	see(event_ioapic(&device, 10, 0x41, true, false));
	see(event_msi(&device, 0x51));
	see(event_accept(&guest, 3, 0xfd));
	see(event_accept(&guest, 0, 0x41));
	see(event_inject(&guest, 0x41, false));
	see(event_eoi(&guest, 0, 0x41));
	perfetto_lost(p, EVENT_S, 3);
}

/* Where a name is among those of its kind, in the order that the viewer shows. */
static double place_of(json_t *events, const char *kind, const char *name)
{
	char sort[32];
	json_t *e, *f;
	size_t i, k;

	snprintf(sort, sizeof(sort), "%s_sort_index", kind);
	json_array_foreach(events, i, e) {
		json_t *its = json_object_get(json_object_get(e, "args"), "name");

		if (strcmp(phase(e), "M") != 0 || !its || strcmp(json_string_value(its), name) != 0)
			continue;
		json_array_foreach(events, k, f)
			if (!strcmp(json_string_value(json_object_get(f, "name")), sort) && number(f, "pid") == number(e, "pid") &&
			    (!strcmp(kind, "process") || number(f, "tid") == number(e, "tid")))
				return number(json_object_get(f, "args"), "sort_index");
	}
	cr_assert_fail("no %s %s", kind, name);
	return 0;
}

Test(perfetto, what_is_missing_is_first_then_the_vcpus_then_a_group_for_each_chip)
{
	static const char *const groups[] = { "events missing", "vCPU 0", "vCPU 3", "lines", "IOAPIC", "PIC", "messages and others" };
	static const char *const tracks[] = { "thread of vCPU 0", "LAPIC 0", "vector 65" };
	json_t *top, *events;

	see_one_of_each();
	events = end(&top);
	for (size_t i = 1; i < sizeof(groups) / sizeof(groups[0]); i++)
		cr_expect_lt(place_of(events, "process", groups[i - 1]), place_of(events, "process", groups[i]), "%s", groups[i]);
	for (size_t i = 1; i < sizeof(tracks) / sizeof(tracks[0]); i++)
		cr_expect_lt(place_of(events, "thread", tracks[i - 1]), place_of(events, "thread", tracks[i]), "%s", tracks[i]);
	json_decref(top);
}

/* A thread that has a process's number is taken for its first. */
Test(perfetto, no_track_has_the_number_of_another_or_of_a_group)
{
	json_t *top, *events, *e, *numbers = json_object();
	size_t i, n = 0;
	char key[32];

	see_one_of_each();
	events = end(&top);
	json_array_foreach(events, i, e) {
		const char *name = json_string_value(json_object_get(e, "name"));

		if (strcmp(name, "process_name") != 0 && strcmp(name, "thread_name") != 0)
			continue;
		snprintf(key, sizeof(key), "%.0f", number(e, name[0] == 'p' ? "pid" : "tid"));
		cr_expect_null(json_object_get(numbers, key), "%s twice", key);
		json_object_set_new(numbers, key, json_true());
		n++;
	}
	cr_expect_gt(n, 12);
	json_decref(numbers);
	json_decref(top);
}

Test(perfetto, a_gsi_or_pin_that_cannot_be_is_not_drawn_as_another)
{
	json_t *top, *events, *e;
	size_t i, n = 0;

	see(event_line(&device, 5000, 1));
	see(event_ioapic(&device, 70, 0x41, true, false));
	events = end(&top);
	json_array_foreach(events, i, e)
		if (!strcmp(phase(e), "i")) {
			cr_expect_str_eq(track(events, e), "messages and others");
			n++;
		}
	cr_expect_eq(n, 2);
	json_decref(top);
}

Test(perfetto, slices_of_a_track_do_not_overlap_and_what_was_not_ended_is_there)
{
	json_t *top, *events, *e;
	double last = 0;
	size_t i, slices = 0, open = 0, behind = 0;

	for (unsigned int k = 0; k < 5; k++) {
		see(event_accept(&guest, 0, 0x41));
		see(event_inject(&guest, 0x41, false));
		see(event_accept(&guest, 0, 0x41));
		see(event_eoi(&guest, 0, 0x41));
		see(event_inject(&guest, 0x41, false));
		if (k < 4)
			see(event_eoi(&guest, 0, 0x41));
	}
	events = end(&top);
	json_array_foreach(events, i, e) {
		if (strcmp(phase(e), "X") != 0)
			continue;
		cr_expect_geq(number(e, "ts"), last - 1e-6);
		last = number(e, "ts") + number(e, "dur");
		slices++;
		behind += json_object_get(json_object_get(e, "args"), "behind_another_us") != NULL;
		open += json_is_false(json_object_get(json_object_get(e, "args"), "ended"));
	}
	cr_expect_eq(slices, 10);
	cr_expect_eq(open, 1);
	cr_expect_eq(behind, 5);
	json_decref(top);
}

/* Perfetto of before 2022 takes displayTimeUnit for the unit of the times, which are us. */
Test(perfetto, no_unit_is_said_that_a_viewer_could_take_for_that_of_the_times)
{
	json_t *top;

	end(&top);
	cr_expect_null(json_object_get(top, "displayTimeUnit"));
	json_decref(top);
}

Test(perfetto, whatever_the_events_are_it_is_json_and_each_track_is_named_once)
{
	json_t *top, *events, *e, *names = json_object();
	char key[32];
	size_t i;

	srand(7);
	for (unsigned int n = 0; n < 20000; n++) {
		struct irqshift_event any = { .time = (uint64_t)rand() << 20, .tid = (uint32_t)rand() % 30, .type = (uint16_t)(rand() % 16) };

		for (unsigned int k = 0; k < IRQSHIFT_EVENT_ARGS; k++)
			any.arg[k] = (uint64_t)rand() << rand() % 33;
		any.arg[0] %= n % 2 ? 5 : UINT64_MAX;
		monitor_event(m, &any);
		perfetto_event(p, &any);
	}
	events = end(&top);
	json_array_foreach(events, i, e) {
		cr_expect(strchr("MXi", phase(e)[0]));
		if (strcmp(json_string_value(json_object_get(e, "name")), "thread_name") != 0)
			continue;
		snprintf(key, sizeof(key), "%.0f", number(e, "tid"));
		cr_expect_null(json_object_get(names, key), "track %s twice", key);
		json_object_set_new(names, key, json_true());
	}
	json_decref(names);
	json_decref(top);
}

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

static const char *name_of(const json_t *e)
{
	const char *name = json_string_value(json_object_get(e, "name"));

	return name ? name : "";
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
		if (!strcmp(phase(e), "M") && !strcmp(name_of(e), "thread_name") &&
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
		if (strcmp(phase(e), "X") != 0 || strcmp(json_string_value(json_object_get(e, "cat")), "interrupt") != 0)
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
	static const char *const tracks[] = { "PIC IRQ 10", "IOAPIC pin 10", "messages and others", "thread of vCPU 0", "LAPIC 3",
					      "thread of vCPU 0", "LAPIC 0", "events missing" };
	json_t *top, *events, *e;
	size_t i, n = 0;

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
			cr_assert_lt(n, 8);
			cr_expect_str_eq(track(events, e), tracks[n], "event %zu on %s", n, track(events, e));
			n++;
		}
	cr_expect_eq(n, 8);
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
			if (!strcmp(name_of(f), sort) && number(f, "pid") == number(e, "pid") &&
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
		const char *name = name_of(e);

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

Test(perfetto, a_vector_that_has_a_name_is_called_by_it)
{
	json_t *top, *events;

	perfetto_name_vectors(p, irq_linux_vector);
	see(event_accept(&guest, 0, 0xec));
	see(event_inject(&guest, 0xec, false));
	see(event_eoi(&guest, 0, 0xec));
	see(event_accept(&guest, 0, 0x41));
	events = end(&top);
	place_of(events, "thread", "vector 236, local timer");
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

/* Beginnings and ends of "GSI 10 high", and what else there is of the line. */
struct line_drawn {
	double begin[4], end[4];
	size_t slices, others;
};

static void look_at_line(json_t *events, struct line_drawn *ret)
{
	json_t *e;
	size_t i;

	*ret = (struct line_drawn){ 0 };
	json_array_foreach(events, i, e) {
		if (strcmp(phase(e), "M") != 0 && strcmp(track(events, e), "GSI 10") != 0)
			continue;
		cr_assert_lt(ret->slices, 4);
		if (phase(e)[0] == 'X') {
			cr_expect_str_eq(name_of(e), "GSI 10 high");
			ret->begin[ret->slices] = number(e, "ts");
			ret->end[ret->slices++] = number(e, "ts") + number(e, "dur");
		} else {
			ret->others += phase(e)[0] == 'i';
		}
	}
}

Test(perfetto, a_line_is_a_slice_while_a_source_of_it_is_high)
{
	struct irqshift_event resample = event_line(&device, 10, 1);
	struct line_drawn line;
	json_t *top;

	resample.arg[irq_event_arg(IRQSHIFT_EVENT_SET_IRQ, "irq_source_id", 13)] = 1;
	see(event_line(&device, 10, 0));
	see(event_line(&device, 10, 1));
	see(event_line(&device, 10, 1));
	resample.time = device.time;
	see(resample);
	see(event_line(&device, 10, 0));
	resample.time = device.time;
	resample.arg[irq_event_arg(IRQSHIFT_EVENT_SET_IRQ, "level", 5)] = 0;
	see(resample);
	see(event_line(&device, 10, 1));
	see(event_eoi(&guest, 0, -1));
	look_at_line(end(&top), &line);
	cr_expect_eq(line.slices, 2, "the last one ends with the timeline");
	cr_expect_eq(line.others, 4, "what changes nothing");
	cr_expect_float_eq(line.end[0] - line.begin[0], 4 * 1.001, 1e-6);
	cr_expect_float_eq(line.end[1] - line.begin[1], 1.001, 1e-6);
	json_decref(top);
}

/* The arrows of one interrupt each, by the names of their tracks. */
static void expect_arrow(json_t *events, size_t nth, const char *from, const char *to)
{
	json_t *e, *f;
	size_t i, k, n = 0, ends = 0;

	json_array_foreach(events, i, e) {
		if (phase(e)[0] != 's' || n++ != nth)
			continue;
		cr_expect_str_eq(track(events, e), from);
		json_array_foreach(events, k, f)
			if (phase(f)[0] == 'f' && !strcmp(json_string_value(json_object_get(e, "id")), json_string_value(json_object_get(f, "id")))) {
				cr_expect_str_eq(track(events, f), to);
				cr_expect_str_eq(json_string_value(json_object_get(f, "bp")), "e");
				cr_expect_gt(number(f, "ts"), number(e, "ts"));
				ends++;
			}
		cr_expect_eq(ends, 1);
	}
	cr_expect_lt(nth, n, "there are %zu arrows", n);
}

static size_t arrows(json_t *events)
{
	json_t *e;
	size_t i, n = 0;

	json_array_foreach(events, i, e)
		n += phase(e)[0] == 's';
	return n;
}

static void serve(uint8_t vector)
{
	see(event_inject(&guest, vector, false));
	see(event_eoi(&guest, 0, vector));
}

Test(perfetto, an_arrow_leads_from_what_raised_it_to_each_interrupt)
{
	json_t *top, *events;

	see(event_line(&device, 10, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 10, 0x41, true, false));
	serve(0x41);
	see(event_msi(&device, 0x51));
	see(event_accept(&device, 0, 0x51));
	serve(0x51);
	see(event_ipi(&guest, 0x61));
	see(event_accept(&guest, 0, 0x61));
	serve(0x61);
	/* The own timer's. */
	see(event_accept(&guest, 0, 0x71));
	serve(0x71);
	events = end(&top);
	cr_expect_eq(arrows(events), 3);
	expect_arrow(events, 0, "GSI 10", "vector 65");
	expect_arrow(events, 1, "messages and others", "vector 81");
	expect_arrow(events, 2, "thread of vCPU 0", "vector 97");
	json_decref(top);
}

/* As a viewer finds it that takes the events by time, and those of one time in the order of the document. */
static size_t slices_at(json_t *events, const json_t *arrow, size_t nth)
{
	double ts = number(arrow, "ts");
	size_t i, n = 0;
	json_t *e;

	json_array_foreach(events, i, e)
		if (phase(e)[0] == 'X' && number(e, "tid") == number(arrow, "tid"))
			n += (number(e, "ts") < ts || (number(e, "ts") == ts && i < nth)) && ts < number(e, "ts") + number(e, "dur");
	return n;
}

Test(perfetto, both_ends_of_an_arrow_are_in_one_slice_whether_its_line_is_high_still_or_not)
{
	json_t *top, *events, *e;
	size_t i;

	see(event_line(&device, 10, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_inject(&guest, 0x41, false));
	see(event_line(&device, 10, 0));
	see(event_line(&device, 10, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_eoi(&guest, 0, 0x41));
	serve(0x41);
	events = end(&top);
	cr_expect_eq(arrows(events), 2);
	json_array_foreach(events, i, e)
		if (phase(e)[0] == 's' || phase(e)[0] == 'f')
			cr_expect_eq(slices_at(events, e, i), 1, "%s at %f", phase(e), number(e, "ts"));
	json_decref(top);
}

Test(perfetto, what_is_missing_is_a_slice_and_a_mark_and_ends_what_is_not_known)
{
	static const double holes[2][2] = { { 1000000, 1000500 }, { 1000501.001, 0 } };
	size_t i, slices = 0, marks = 0;
	json_t *top, *events, *e;
	struct line_drawn line;

	see(event_line(&device, 10, 1));
	monitor_lost(m, 3);
	perfetto_lost(p, EVENT_S + 500 * EVENT_US, 3);
	device.time = EVENT_S + 500 * EVENT_US;
	see(event_line(&device, 10, 1));
	see(event_eoi(&guest, 0, -1));
	monitor_lost(m, 4);
	perfetto_lost(p, 0, 4);
	events = end(&top);
	json_array_foreach(events, i, e) {
		if (!strncmp(phase(e), "M", 1) || strcmp(track(events, e), "events missing") != 0)
			continue;
		if (phase(e)[0] == 'X') {
			cr_expect_str_eq(name_of(e), slices ? "4 events lost" : "3 events lost");
			cr_expect_float_eq(number(e, "ts"), holes[slices % 2][0], 1e-6);
			cr_expect_float_eq(number(e, "dur"), slices ? 0 : holes[0][1] - holes[0][0], 1e-6);
			slices++;
		} else {
			cr_expect_str_eq(name_of(e), "events lost");
			cr_expect_str_eq(json_string_value(json_object_get(e, "s")), "g");
			cr_expect_float_eq(number(json_object_get(e, "args"), "events"), marks ? 4 : 3, 0);
			marks++;
		}
	}
	cr_expect_eq(slices, 2);
	cr_expect_eq(marks, 2);
	look_at_line(events, &line);
	cr_expect_eq(line.slices, 2);
	cr_expect_float_eq(line.end[0], 1000000, 1e-6, "as far as it is known");
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
		cr_expect(strchr("MXisf", phase(e)[0]));
		if (strcmp(name_of(e), "thread_name") != 0)
			continue;
		snprintf(key, sizeof(key), "%.0f", number(e, "tid"));
		cr_expect_null(json_object_get(names, key), "track %s twice", key);
		json_object_set_new(names, key, json_true());
	}
	json_decref(names);
	json_decref(top);
}

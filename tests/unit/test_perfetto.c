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
		cr_expect_float_eq(number(json_object_get(e, "args"), "raised"), 1000000, 1e-6);
		cr_expect_float_eq(number(json_object_get(e, "args"), "injected"), 1000003.003, 1e-6);
	}
	cr_expect_eq(slices, 1);
	cr_expect_str_eq(json_string_value(json_object_get(top, "displayTimeUnit")), "ns");
	json_decref(top);
}

Test(perfetto, each_event_is_an_instant_on_the_track_of_its_place)
{
	static const char *const tracks[] = { "GSI 10", "PIC IRQ 10", "IOAPIC pin 10", "messages and others", "vCPU 0", "LAPIC 3",
					      "vCPU 0", "LAPIC 0", "events missing" };
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

Test(perfetto, slices_of_a_track_do_not_overlap_and_what_was_not_ended_is_there)
{
	json_t *top, *events, *e;
	double last = 0;
	size_t i, slices = 0, open = 0;

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
		open += json_is_false(json_object_get(json_object_get(e, "args"), "ended"));
	}
	cr_expect_eq(slices, 10);
	cr_expect_eq(open, 1);
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

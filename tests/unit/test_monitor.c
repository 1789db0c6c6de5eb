/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event sequences as KVM makes them, and what they come to. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "irq_events.h"
#include "kvm/monitor.h"

#define GUEST 11u  /* the thread of vCPU 0 */
#define OTHER 12u  /* of vCPU 1 */
#define DEVICE 20u /* one that raises lines and messages */

static struct monitor *m;
static struct event_maker guest, other, device;

static void set_up(void)
{
	cr_assert_eq(monitor_create(NULL, &m), 0);
	guest = (struct event_maker){ EVENT_S, GUEST, 0 };
	other = (struct event_maker){ EVENT_S, OTHER, 1 };
	device = (struct event_maker){ EVENT_S, DEVICE, 2 };
}

static void tear_down(void)
{
	monitor_destroy(m);
}

TestSuite(monitor, .init = set_up, .fini = tear_down);

/* All makers' clocks are one. */
static void see(struct irqshift_event e)
{
	uint64_t next = e.time + EVENT_US;

	monitor_event(m, &e);
	guest.time = other.time = device.time = next;
}

static void wait_ns(uint64_t ns)
{
	guest.time = other.time = device.time = guest.time + ns;
}

static const struct monitor_row *row(uint32_t vcpu, unsigned int vector)
{
	const struct monitor_row *r = NULL;

	while ((r = monitor_next_row(m, r)) && (r->vcpu != vcpu || r->vector != vector))
		;
	cr_assert(r, "no row of vCPU %u, vector %u", vcpu, vector);
	return r;
}

/* One interrupt from the own timer, whole. */
static void timer(uint8_t vector, uint64_t wait, uint64_t service)
{
	see(event_accept(&guest, 0, vector));
	wait_ns(wait);
	see(event_inject(&guest, vector, false));
	wait_ns(service);
	see(event_eoi(&guest, 0, vector));
}

Test(monitor, interrupts_are_counted_and_measured_from_acceptance_to_eoi)
{
	monitor_name_thread(m, GUEST, 0);
	for (unsigned int i = 0; i < 100; i++)
		timer(0xec, 8 * EVENT_US, i == 99 ? EVENT_MS : 0);
	cr_expect_eq(row(0, 0xec)->accepted, 100);
	cr_expect_eq(row(0, 0xec)->injected, 100);
	cr_expect_eq(row(0, 0xec)->eois, 100);
	cr_expect_eq(row(0, 0xec)->origins[MONITOR_LOCAL], 100);
	cr_expect_eq(row(0, 0xec)->from_accept.min, 10 * EVENT_US);
	cr_expect_eq(row(0, 0xec)->from_accept.max, EVENT_MS + 10 * EVENT_US);
	cr_expect_eq(row(0, 0xec)->from_source.count, 0, "nothing told when the timer was due");
	cr_expect(monitor_judged(row(0, 0xec)));
	cr_expect_eq(row(0, 0xec)->lost, 0);
}

Test(monitor, a_line_is_measured_from_its_rise_and_leads_to_a_pin)
{
	see(event_eoi(&guest, 0, -1));
	see(event_line(&device, 10, 1));
	wait_ns(4 * EVENT_US);
	see(event_pic(&device, 10, false));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 10, 0x41, true, false));
	see(event_inject(&guest, 0x41, false));
	see(event_eoi(&guest, 0, 0x41));
	see(event_ack(&guest, KVM_IRQCHIP_IOAPIC, 10));
	cr_expect_eq(row(0, 0x41)->origins[MONITOR_LINE], 1);
	cr_expect_eq(row(0, 0x41)->pin, 10);
	cr_expect_eq(row(0, 0x41)->from_accept.max, 3 * EVENT_US);
	cr_expect_eq(row(0, 0x41)->from_source.max, 9 * EVENT_US);
	cr_expect_eq(monitor_ioapic_pin(m, 10)->raised, 1);
	cr_expect_eq(monitor_ioapic_pin(m, 10)->acked, 1);
	cr_expect_eq(monitor_pic_irq(m, 10)->raised, 1);
	see(event_line(&device, 10, 0));
	see(event_ioapic(&device, 10, 0x41, true, false));
	see(event_pic(&device, 10, false));
	cr_expect_eq(monitor_ioapic_pin(m, 10)->raised, 1, "a line that falls is no interrupt");
	cr_expect_eq(monitor_pic_irq(m, 10)->raised, 1, "whichever chip gets it first");
}

Test(monitor, messages_and_ipis_are_told_from_what_else_their_thread_accepts)
{
	see(event_eoi(&guest, 0, -1));
	see(event_msi(&device, 0x51));
	see(event_accept(&device, 1, 0x51));
	see(event_ipi(&guest, 0xfd));
	see(event_accept(&guest, 1, 0xfd));
	see(event_accept(&guest, 0, 0xec));
	see(event_line(&device, 24, 1));
	wait_ns(EVENT_MS);
	see(event_msi(&device, 0x61));
	see(event_accept(&device, 1, 0x61));
	see(event_eoi(&other, 1, 0x61));
	device.tid = 0;
	see(event_accept(&device, 1, 0x71));
	cr_expect_eq(row(1, 0x51)->origins[MONITOR_MSI], 1);
	cr_expect_eq(row(1, 0xfd)->origins[MONITOR_IPI], 1);
	cr_expect_eq(row(0, 0xec)->origins[MONITOR_LOCAL], 1);
	cr_expect_eq(row(1, 0x71)->origins[MONITOR_UNKNOWN], 1);
	cr_expect_geq(row(1, 0x61)->from_source.max, EVENT_MS, "a GSI that is routed to a message begins with the GSI");
}

Test(monitor, an_acceptance_while_one_waits_is_coalesced_and_while_one_is_served_is_not)
{
	monitor_name_thread(m, GUEST, 0);
	see(event_accept(&guest, 0, 0x50));
	see(event_accept(&guest, 0, 0x50));
	see(event_inject(&guest, 0x50, false));
	see(event_inject(&guest, 0x50, true));
	see(event_accept(&guest, 0, 0x50));
	see(event_eoi(&guest, 0, 0x50));
	see(event_inject(&guest, 0x50, false));
	see(event_eoi(&guest, 0, 0x50));
	cr_expect_eq(row(0, 0x50)->accepted, 3);
	cr_expect_eq(row(0, 0x50)->coalesced, 1);
	cr_expect_eq(row(0, 0x50)->injected, 2);
	cr_expect_eq(row(0, 0x50)->reinjected, 1);
	cr_expect_eq(row(0, 0x50)->eois, 2);
	cr_expect_eq(row(0, 0x50)->from_accept.count, 2);
}

Test(monitor, without_injections_one_that_is_ended_twice_was_queued)
{
	see(event_accept(&device, 0, 0x50));
	see(event_accept(&device, 0, 0x50));
	cr_expect_eq(row(0, 0x50)->coalesced, 1);
	see(event_eoi(&guest, 0, 0x50));
	see(event_eoi(&guest, 0, 0x50));
	cr_expect_eq(row(0, 0x50)->coalesced, 0);
	cr_expect_not(monitor_judged(row(0, 0x50)));
}

Test(monitor, what_is_posted_counts_once_and_is_not_judged)
{
	see(event_ipi(&guest, 0xfc));
	see(event_accept(&guest, 1, 0xfc));
	see(event_posted(&guest, 1, 0xfc));
	see(event_posted(&guest, 1, 0xfc));
	cr_expect_eq(row(1, 0xfc)->accepted, 2, "the second has no acceptance of its own before it");
	cr_expect_eq(row(1, 0xfc)->posted, 2);
	wait_ns(10 * EVENT_S);
	see(event_accept(&guest, 1, 0xfc));
	cr_expect_eq(row(1, 0xfc)->lost, 0);
	cr_expect_not(monitor_judged(row(1, 0xfc)));
}

Test(monitor, an_eoi_from_memory_is_one_eoi)
{
	timer(0xec, 0, 0);
	see(event_pv_eoi(&guest, 0, 0xec));
	cr_expect_eq(row(0, 0xec)->eois, 1);
	cr_expect_eq(row(0, 0xec)->pv_eois, 1);
	see(event_eoi(&guest, 0, -1));
	see(event_pv_eoi(&guest, 0, -1));
	cr_expect_eq(monitor_next_vcpu(m, NULL)->idle_eois, 1);
}

/* Vector 0x61 is in service and never ended; 0x51 waits behind it. */
static void lose_one(uint64_t wait)
{
	monitor_name_thread(m, GUEST, 0);
	see(event_accept(&device, 0, 0x61));
	see(event_inject(&guest, 0x61, false));
	see(event_accept(&device, 0, 0x51));
	wait_ns(wait);
	see(event_accept(&device, 1, 0x30));
}

Test(monitor, an_eoi_is_lost_when_it_holds_up_something_of_a_vcpu_that_lives)
{
	lose_one(EVENT_S);
	cr_expect_eq(row(0, 0x61)->lost, 0, "its thread has not been heard of");
	see(event_ipi(&guest, 0xfd));
	wait_ns(EVENT_S);
	see(event_accept(&device, 1, 0x30));
	cr_expect_eq(row(0, 0x61)->lost, 1);
	wait_ns(EVENT_S);
	see(event_ipi(&guest, 0xfd));
	cr_expect_eq(row(0, 0x61)->lost, 1, "once");
	cr_expect_eq(row(0, 0x51)->lost, 0);
	see(event_eoi(&guest, 0, 0x61));
	cr_expect_eq(row(0, 0x61)->lost, 0);
	cr_expect_eq(row(0, 0x61)->late, 1);
}

Test(monitor, an_eoi_that_holds_up_nothing_is_not_lost)
{
	monitor_name_thread(m, GUEST, 0);
	see(event_accept(&device, 0, 0x61));
	see(event_inject(&guest, 0x61, false));
	see(event_accept(&device, 0, 0x71)); /* a higher class waits for other reasons */
	for (unsigned int i = 0; i < 10; i++) {
		wait_ns(EVENT_S);
		see(event_ipi(&guest, 0xfd));
	}
	cr_expect_eq(row(0, 0x61)->lost, 0);
}

Test(monitor, what_was_ended_without_an_event_is_unseen_and_not_lost)
{
	monitor_name_thread(m, GUEST, 0);
	see(event_accept(&device, 0, 0x61));
	see(event_inject(&guest, 0x61, false));
	see(event_accept(&device, 0, 0x61));
	see(event_inject(&guest, 0x61, false));
	see(event_accept(&device, 0, 0x81));
	see(event_inject(&guest, 0x81, false));
	cr_expect_eq(row(0, 0x61)->unseen, 1);
	cr_expect_eq(row(0, 0x81)->unseen, 0, "a higher class interrupts a lower one");
	cr_expect_not(monitor_judged(row(0, 0x61)));
	cr_expect(monitor_judged(row(0, 0x81)));
}

Test(monitor, the_pic_passes_the_lapic_by)
{
	monitor_name_thread(m, GUEST, 0);
	see(event_accept(&device, 0, 0x61));
	see(event_inject(&guest, 0x61, false));
	see(event_inject(&guest, 0x30, false));
	cr_expect_eq(row(0, 0x61)->unseen, 0);
	cr_expect_eq(row(0, 0x30)->injected, 1);
	see(event_eoi(&guest, 0, 0x61));
	cr_expect_eq(row(0, 0x61)->from_accept.count, 1);
}

Test(monitor, init_and_lost_events_end_what_was_on_its_way_without_a_judgement)
{
	lose_one(0);
	see(event_accept_mode(&guest, 0, 5));
	wait_ns(2 * EVENT_S);
	see(event_ipi(&guest, 0xfd));
	wait_ns(EVENT_S);
	see(event_ipi(&guest, 0xfd));
	cr_expect_eq(row(0, 0x61)->lost, 0);
	cr_expect_eq(monitor_next_vcpu(m, NULL)->accepts[5], 1);
	see(event_accept(&device, 0, 0x61));
	monitor_lost(m, 7);
	wait_ns(EVENT_S);
	see(event_eoi(&guest, 0, 0x61));
	cr_expect_eq(row(0, 0x61)->from_accept.count, 0);
	cr_expect_eq(monitor_totals(m)->lost, 7);
}

Test(monitor, a_rate_above_the_threshold_is_a_storm_once)
{
	struct monitor_options options = { .storm_rate = 1000 };

	monitor_destroy(m);
	cr_assert_eq(monitor_create(&options, &m), 0);
	monitor_interval(m, guest.time);
	for (unsigned int i = 0; i < 1500; i++) {
		timer(0xec, 0, 0);
		wait_ns(497 * EVENT_US);
	}
	cr_expect_eq(row(0, 0xec)->storms, 1);
	cr_expect(row(0, 0xec)->storming);
	monitor_interval(m, guest.time);
	cr_expect_float_eq(row(0, 0xec)->rate, 2000, 1, "%f", row(0, 0xec)->rate);
	wait_ns(EVENT_S);
	monitor_interval(m, guest.time);
	cr_expect_not(row(0, 0xec)->storming);
	cr_expect_float_eq(row(0, 0xec)->rate, 0, 0.01);
	for (unsigned int i = 0; i < 90; i++) {
		timer(0xec, 0, 0);
		wait_ns(2 * EVENT_MS);
	}
	cr_expect_eq(row(0, 0xec)->storms, 1, "500 a second are none");
}

/* A level line that stays high: the IOAPIC delivers again at each EOI. */
static void deliver_again(unsigned int times)
{
	see(event_line(&device, 11, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 11, 0x41, true, false));
	for (unsigned int i = 0; i < times; i++) {
		see(event_inject(&guest, 0x41, false));
		see(event_eoi(&guest, 0, 0x41));
		see(event_ack(&guest, KVM_IRQCHIP_IOAPIC, 11));
		see(event_accept(&guest, 0, 0x41));
		wait_ns(EVENT_MS);
	}
}

Test(monitor, a_line_that_never_goes_down_is_a_storm_whatever_its_rate)
{
	monitor_name_thread(m, GUEST, 0);
	deliver_again(999);
	cr_expect_eq(row(0, 0x41)->redelivered, 999);
	cr_expect_eq(row(0, 0x41)->storms, 0);
	see(event_line(&device, 11, 1));
	see(event_accept(&device, 0, 0x41));
	deliver_again(1001);
	cr_expect_eq(row(0, 0x41)->storms, 1);
}

Test(monitor, a_line_that_kvm_holds_back_is_a_storm)
{
	monitor_name_thread(m, GUEST, 0);
	deliver_again(1);
	see(event_inject(&guest, 0x41, false));
	see(event_eoi(&guest, 0, 0x41));
	see(event_ack(&guest, KVM_IRQCHIP_IOAPIC, 11));
	see(event_held(&guest, 0x41));
	cr_expect_eq(row(0, 0x41)->storms, 1);
	cr_expect_eq(monitor_ioapic_pin(m, 11)->held, 1);
}

Test(monitor, a_line_that_rises_while_it_is_served_began_when_it_rose)
{
	monitor_name_thread(m, GUEST, 0);
	deliver_again(1);
	see(event_inject(&guest, 0x41, false));
	see(event_line(&device, 11, 0));
	see(event_ioapic(&device, 11, 0x41, true, false));
	see(event_line(&device, 11, 1));
	see(event_ioapic(&device, 11, 0x41, true, false));
	wait_ns(EVENT_S / 2);
	see(event_eoi(&guest, 0, 0x41));
	see(event_ack(&guest, KVM_IRQCHIP_IOAPIC, 11));
	see(event_accept(&guest, 0, 0x41));
	see(event_inject(&guest, 0x41, false));
	see(event_eoi(&guest, 0, 0x41));
	cr_expect_geq(row(0, 0x41)->from_source.max, EVENT_S / 2);
	cr_expect_lt(latency_quantile(&row(0, 0x41)->from_accept, 1), EVENT_MS);
}

struct heard {
	unsigned int count, pending;
	struct monitor_interrupt last;
};

static void hear(void *ctx, const struct monitor_interrupt *i)
{
	struct heard *h = ctx;

	h->count++;
	h->pending += !i->eoi;
	h->last = *i;
}

Test(monitor, a_hook_hears_of_each_interrupt_when_it_is_ended)
{
	struct heard h = { 0 };

	monitor_hook_interrupts(m, hear, &h);
	monitor_name_thread(m, GUEST, 0);
	timer(0x40, EVENT_US, EVENT_US);
	cr_expect_eq(h.count, 1);
	cr_expect_eq(h.last.inject - h.last.accept, 2 * EVENT_US);
	cr_expect_eq(h.last.eoi - h.last.inject, 2 * EVENT_US);
	see(event_accept(&guest, 0, 0x40));
	monitor_each_pending(m, hear, &h);
	cr_expect_eq(h.count, 2);
	cr_expect_eq(h.pending, 1);
}

static void serve(uint32_t vcpu, struct event_maker *thread, uint8_t vector)
{
	see(event_inject(thread, vector, false));
	see(event_eoi(thread, vcpu, vector));
}

Test(monitor, a_hook_hears_who_raised_it)
{
	struct heard h = { 0 };

	monitor_hook_interrupts(m, hear, &h);
	monitor_name_thread(m, GUEST, 0);
	monitor_name_thread(m, OTHER, 1);
	see(event_line(&device, 10, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 10, 0x41, false, false));
	serve(0, &guest, 0x41);
	cr_expect_eq(h.last.origin, MONITOR_LINE);
	cr_expect_eq(h.last.gsi, 10);
	see(event_line(&device, 30, 1));
	see(event_msi(&device, 0x51));
	see(event_accept(&device, 0, 0x51));
	serve(0, &guest, 0x51);
	cr_expect_eq(h.last.origin, MONITOR_MSI);
	cr_expect_eq(h.last.gsi, 30, "a GSI whose route is a message");
	see(event_msi(&device, 0x52));
	see(event_accept(&device, 0, 0x52));
	serve(0, &guest, 0x52);
	cr_expect_eq(h.last.gsi, -1);
	cr_expect_eq(h.last.raiser, -1, "no vCPU's thread");
	see(event_ipi(&guest, 0xfd));
	see(event_accept(&guest, 1, 0xfd));
	serve(1, &other, 0xfd);
	cr_expect_eq(h.last.origin, MONITOR_IPI);
	cr_expect_eq(h.last.raiser, 0);
	cr_expect_eq(h.last.gsi, -1);
	timer(0x40, EVENT_US, EVENT_US);
	cr_expect_eq(h.last.gsi, -1);
	cr_expect_eq(h.last.raiser, -1);
}

/* The thread of a device raises a line, and much later, while that is high still, sends a message of another. */
Test(monitor, a_message_after_a_line_that_a_chip_has_had_is_not_of_that_line)
{
	struct heard h = { 0 };

	monitor_hook_interrupts(m, hear, &h);
	monitor_name_thread(m, GUEST, 0);
	for (unsigned int chip = 0; chip < 2; chip++) {
		see(event_line(&device, 10, 1));
		if (chip)
			see(event_pic(&device, 10, false));
		else
			see(event_ioapic(&device, 10, 0x41, true, false));
		wait_ns(EVENT_S);
		see(event_msi(&device, 0x51));
		see(event_accept(&device, 0, 0x51));
		serve(0, &guest, 0x51);
		cr_expect_eq(h.last.origin, MONITOR_MSI);
		cr_expect_eq(h.last.gsi, -1);
		cr_expect_lt(h.last.accept - h.last.source, EVENT_MS);
	}
}

/* A line that rose while its entry was in service is delivered at the EOI: it is still the one that raised it. */
Test(monitor, a_hook_hears_of_the_line_that_waited_for_an_eoi)
{
	struct heard h = { 0 };

	monitor_hook_interrupts(m, hear, &h);
	monitor_name_thread(m, GUEST, 0);
	see(event_line(&device, 11, 1));
	see(event_accept(&device, 0, 0x41));
	see(event_ioapic(&device, 11, 0x41, true, false));
	see(event_inject(&guest, 0x41, false));
	see(event_line(&device, 11, 1));
	see(event_ioapic(&device, 11, 0x41, true, false));
	see(event_eoi(&guest, 0, 0x41));
	for (unsigned int i = 0; i < 2; i++) {
		see(event_ack(&guest, KVM_IRQCHIP_IOAPIC, 11));
		see(event_accept(&guest, 0, 0x41));
		serve(0, &guest, 0x41);
		cr_expect_eq(h.last.origin, MONITOR_LINE);
		cr_expect_eq(h.last.gsi, i ? -1 : 11, "then it stayed high, and nothing raised it");
	}
}

Test(monitor, random_events_keep_the_tables_bounded_and_the_sums_right)
{
	const char *given = getenv("IRQSHIFT_SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0) : 4711;
	uint64_t accepted = 0, rows = 0;
	struct monitor_totals before;

	fprintf(stderr, "seed %u\n", seed);
	srand(seed);
	for (unsigned int i = 0; i < 300000; i++) {
		struct irqshift_event e = { .time = (uint64_t)i * 1000 + (uint64_t)(rand() % 5000),
					    .tid = (uint32_t)rand() % 3000,
					    .type = (uint16_t)(rand() % (IRQSHIFT_EVENT_TYPES + 1)),
					    .cpu = (uint16_t)(rand() % 300) };

		for (unsigned int k = 0; k < IRQSHIFT_EVENT_ARGS; k++)
			e.arg[k] = (uint64_t)(rand() % 5000) << (rand() % 3 * 6);
		e.arg[0] = e.arg[0] % 4200;
		monitor_event(m, &e);
		if (i % 50000 == 0)
			monitor_lost(m, 1);
	}
	before = *monitor_totals(m);
	for (const struct monitor_row *r = NULL; (r = monitor_next_row(m, r)); rows++) {
		uint64_t origins = 0;

		for (unsigned int k = 0; k < MONITOR_ORIGINS; k++)
			origins += r->origins[k];
		cr_expect_eq(origins, r->accepted);
		cr_expect_leq(r->coalesced + r->from_accept.count, r->accepted);
		cr_expect_leq(r->from_accept.count, r->eois);
		cr_expect_leq(r->lost + r->late + r->unseen, r->injected);
		accepted += r->accepted;
	}
	cr_expect_eq(rows, MONITOR_ROWS_MAX);
	cr_expect_leq(accepted, before.by_type[IRQSHIFT_EVENT_APIC_ACCEPT_IRQ] + before.by_type[IRQSHIFT_EVENT_APICV_ACCEPT_IRQ]);
	cr_expect_eq(before.events, 300000);
	cr_expect_gt(before.untabled, 0);
}

Test(latency, quantiles_are_right_to_a_sixteenth)
{
	struct latency l = { 0 };

	cr_expect_eq(latency_quantile(&l, 500), 0);
	for (uint64_t i = 1; i <= 100000; i++)
		latency_add(&l, i * 37);
	for (unsigned int q = 1; q <= 1000; q += 37) {
		double want = 37.0 * 100 * q, got = (double)latency_quantile(&l, q);

		cr_expect(got > want * 15 / 16 && got < want * 17 / 16, "%u: %f, not %f", q, got, want);
	}
	cr_expect_eq(latency_quantile(&l, 1000), 3700000);
	cr_expect_eq(l.max, 3700000);
	latency_add(&l, UINT64_MAX / 2);
	cr_expect_eq(l.max, UINT64_MAX / 2);
	cr_expect_gt(latency_quantile(&l, 1000), 3700000);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command with snapshots for inputs, in both encodings, whole and damaged. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/registry.h"
#include "apic/snapshot.h"
#include "filters/profile.h"
#include "random_irqchip.h"
#include "stream/qemu.h"
#include "stream/tree_json.h"
#include "tests/unit/cli_run.h"

static void save_json(const struct irqchip_state *s, const char *name)
{
	FILE *f = fopen(cli_path(name), "w");
	struct irqs_error err;
	struct vms_tree t;
	char *out;

	cr_assert(f && !vms_tree_init(&t, NULL));
	cr_assert(!snapshot_to_tree(s, &t, &err), "%s", err.text);
	out = tree_json(t.machine);
	cr_assert(out && fputs(out, f) >= 0);
	free(out);
	fclose(f);
	vms_tree_deinit(&t);
}

/* A full irqchip with two CPUs, the same with one interrupt taken, and what a stream says of its machine. */
static void setup(void)
{
	struct lapic_state lapics[2];
	struct irqchip_state s = { .mode = IRQCHIP_FULL, .lapics = lapics, .nlapics = 2, .lines = 0x20 };
	struct irq_route route = { .gsi = 5, .chip = IRQ_ROUTE_IOAPIC, .pin = 5 };
	struct irqchip_part p;

	cli_folder();
	s.routes = &route;
	s.nroutes = 1;
	for (unsigned int i = 0; irqchip_part(&s, i, &p); i++)
		reg_state_reset(p.chip, p.state, true);
	lapics[1].initial_id = 1;
	lapic_bank_set(&lapics[1], LAPIC_IRR, 236);
	cli_save(&s, "a");
	save_json(&s, "a.json");
	lapic_bank_clear(&lapics[1], LAPIC_IRR, 236);
	lapic_bank_set(&lapics[1], LAPIC_ISR, 236);
	s.mode = IRQCHIP_SPLIT;
	lapic_set_reg(&lapics[0], LAPIC_TMICT, 2500000);
	lapic_set_reg(&lapics[0], LAPIC_TMCCT, 1600000);
	reg_set(lapic_member("timer_remaining"), &lapics[0], 0, 3200000);
	cli_save(&s, "b");
}

TestSuite(cli_snapshot, .init = setup, .fini = cli_folder_remove);

Test(cli_snapshot, show_decodes_both_encodings_alike)
{
	cli_expect_line("$irqshift show a", 0, "irqchip full (all in the kernel), 2 CPUs");
	cr_expect(strstr(cli_text, "GSI 5 -> IOAPIC pin 5"), "%s", cli_text);
	cr_expect(strstr(cli_text, "lines held high: GSI 5\n"), "%s", cli_text);
	cr_expect(strstr(cli_text, "\napic[1] (kvm-apic)\n"), "%s", cli_text);
	cr_expect(strstr(cli_text, "gives vector 236 to its CPU") || strstr(cli_text, "IRR                        236"), "%s",
		  cli_text);
	cli_expect_line("$irqshift show a > one && $irqshift show a.json > two && cmp one two && echo same", 0, "same");
	cli_expect_line("cat a | $irqshift show - > three && cmp one three && echo same", 0, "same");
	cli_expect_line("cat a.json | $irqshift show - > four && cmp one four && echo same", 0, "same");
}

Test(cli_snapshot, sections_are_chosen_by_name_type_and_instance)
{
	cli_expect_line("$irqshift show a 'kvm-apic[1]'", 0, "apic[1]");
	cr_expect_not(strstr(cli_text, "apic[0]"), "%s", cli_text);
	cli_expect_line("$irqshift show a i8259", 0, "PIC slave");
	cli_expect_line("$irqshift show a hpet", 2, "hpet: no such section");
	cli_expect_line("$irqshift show --raw a ioapic", 0, "rte: uint64 = [");
}

Test(cli_snapshot, its_json_can_be_loaded_again)
{
	cli_expect_line("$irqshift show --json a > out.json && cmp out.json a.json; $irqshift diff a out.json && echo nothing", 0,
			"nothing");
	cli_expect_line("$irqshift diff --json a out.json", 0, "[]");
}

Test(cli_snapshot, diff_says_in_words_what_happened)
{
	cli_expect_line("$irqshift diff a b", 0, "irqchip: full -> split");
	cr_expect(strstr(cli_text, "apic[1] vector 236 moved from IRR to ISR"), "%s", cli_text);
	cr_expect(strstr(cli_text, "apic[0] timer re-armed: 3.200 ms left"), "%s", cli_text);
	cr_expect_not(strstr(cli_text, "apic[1] timer re-armed"), "%s", cli_text);
	cli_expect_line("$irqshift diff --json a b", 0, "apic[1].isr[7]");
}

Test(cli_snapshot, a_stream_is_compared_by_what_both_know)
{
	struct irqchip_state s;
	struct qemu_stream q;
	struct irqs_error err;
	struct profile p;
	const struct qemu_read_options opt = { .find_desc = apic_find_desc };
	char why[256];
	int fd = open("tests/data/isapc-kvm.stream", O_RDONLY);

	cr_assert(!qemu_stream_read(&q, fd, &opt, &err), "%s", err.text);
	cr_assert(!profile_detect(q.tree.machine, &p, why, sizeof(why), &err) && !profile_name_sections(&q.tree, &p));
	cr_assert(!irqchip_from_stream(q.tree.machine, &s, &err), "%s", err.text);
	cli_save(&s, "same");
	s.pics[PIC_MASTER].imr ^= 1;
	reg_forget(reg_find_name(&pic_chip, "elcr"), &s.pics[PIC_MASTER], 0);
	cli_save(&s, "other");
	irqchip_deinit(&s);
	qemu_stream_deinit(&q);
	close(fd);
	cr_expect_eq(cli_shell("$irqshift diff $data/isapc-kvm.stream same"), 0);
	cr_expect_str_eq(cli_text, "");
	cli_expect_line("$irqshift diff $data/isapc-kvm.stream other", 0, "i8259[0] IRQ 0 ");
	cr_expect(strstr(cli_text, "not compared: 1 registers that only A has, 0 that only B has"), "%s", cli_text);
}

Test(cli_snapshot, what_needs_a_stream_says_so)
{
	cli_expect_line("$irqshift convert --from kvm --to tcg -o out a; test $? = 2 && test ! -e out && echo so", 0,
			"a snapshot of an irqchip, but a QEMU stream is needed");
	cr_expect(strstr(cli_text, "so"), "%s", cli_text);
	cli_expect_line("$irqshift hints dump a.json", 2, "a snapshot of an irqchip");
}

static uint8_t *slurp(const char *name, size_t *ret_size)
{
	uint8_t *data = malloc(1 << 20);
	FILE *f = fopen(cli_path(name), "r");

	cr_assert(f && data);
	*ret_size = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static int show_bytes(const uint8_t *data, size_t size)
{
	FILE *f = fopen(cli_path("damaged"), "w");

	cr_assert(f && fwrite(data, 1, size, f) == size);
	fclose(f);
	return cli_shell("$irqshift show damaged");
}

Test(cli_snapshot, a_truncated_one_is_malformed, .timeout = 120)
{
	static const char *const names[] = { "a", "a.json" };

	for (size_t n = 0; n < 2; n++) {
		size_t size;
		uint8_t *data = slurp(names[n], &size);

		for (size_t i = 0; i < 40; i++) {
			size_t cut = i < 8 ? i : i * (size - 2) / 39;
			int status = show_bytes(data, cut);

			cr_expect_eq(status, 4, "%s cut to %zu of %zu: exit %d: %s", names[n], cut, size, status, cli_text);
		}
		free(data);
	}
}

Test(cli_snapshot, a_flipped_bit_is_malformed, .timeout = 120)
{
	uint64_t seed = random_seed();
	size_t size;
	uint8_t *data = slurp("a", &size);

	for (unsigned int i = 0; i < 60; i++) {
		size_t at = i < 16 ? i : random_bits(&seed) % size;
		unsigned int bit = (unsigned int)(random_bits(&seed) % 8);
		int status;

		data[at] ^= (uint8_t)(1 << bit);
		status = show_bytes(data, size);
		cr_expect_eq(status, 4, "bit %u of byte %zu: exit %d: %s", bit, at, status, cli_text);
		data[at] ^= (uint8_t)(1 << bit);
	}
	free(data);
}

Test(cli_snapshot, bytes_behind_the_end_are_malformed)
{
	cli_expect_line("echo more >> a; $irqshift show a", 4, "something follows behind the end");
	cli_expect_line("echo more >> a.json; $irqshift show a.json", 4, "a.json");
}

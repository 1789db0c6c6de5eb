/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command with snapshots for inputs, in both encodings, whole and damaged. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "apic/registry.h"
#include "apic/snapshot.h"
#include "filters/profile.h"
#include "random_irqchip.h"
#include "stream/native.h"
#include "stream/qemu.h"
#include "stream/tree_json.h"

static char dir[] = "/tmp/irqshift-snapshot-XXXXXX";
static char text[65536];

/* Run a shell line with $irqshift, $stream and the test's folder as working directory. Return: its exit status. */
static int run(const char *line)
{
	const char *program = getenv("IRQSHIFT");
	char cmd[2048], *full = realpath(program ? program : "build/irqshift", NULL);
	char *stream = realpath("tests/data/isapc-kvm.stream", NULL);
	size_t used;
	FILE *f;

	cr_assert(full && stream, "no irqshift to run, or not in the top folder");
	snprintf(cmd, sizeof(cmd), "cd %s && irqshift='%s' stream='%s' && { %s ; } 2>&1", dir, full, stream, line);
	free(full);
	free(stream);
	f = popen(cmd, "r");
	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return WEXITSTATUS(pclose(f));
}

static void expect(const char *line, int status, const char *says)
{
	int got = run(line);

	cr_expect_eq(got, status, "%s: exit %d, not %d: %s", line, got, status, text);
	cr_expect(strstr(text, says), "%s: \"%s\" is not in: %s", line, says, text);
}

static FILE *create(const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f != NULL);
	return f;
}

static void save(const struct irqchip_state *s, const char *name, bool json)
{
	FILE *f = create(name);
	struct irqs_error err;
	struct vms_tree t;
	char *out;

	cr_assert(!vms_tree_init(&t, NULL));
	cr_assert(!snapshot_to_tree(s, &t, &err), "%s", err.text);
	if (json) {
		out = tree_json(t.machine);
		cr_assert(out && fputs(out, f) >= 0);
		free(out);
	} else {
		cr_assert(!native_write_tree(fileno(f), t.machine, 0, &err), "%s", err.text);
	}
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

	cr_assert(mkdtemp(dir));
	s.routes = &route;
	s.nroutes = 1;
	for (unsigned int i = 0; irqchip_part(&s, i, &p); i++)
		reg_state_reset(p.chip, p.state, true);
	lapics[1].initial_id = 1;
	lapic_bank_set(&lapics[1], LAPIC_IRR, 236);
	save(&s, "a", false);
	save(&s, "a.json", true);
	lapic_bank_clear(&lapics[1], LAPIC_IRR, 236);
	lapic_bank_set(&lapics[1], LAPIC_ISR, 236);
	s.mode = IRQCHIP_SPLIT;
	lapic_set_reg(&lapics[0], LAPIC_TMICT, 2500000);
	lapic_set_reg(&lapics[0], LAPIC_TMCCT, 1600000);
	reg_set(lapic_member("timer_remaining"), &lapics[0], 0, 3200000);
	save(&s, "b", false);
}

static void teardown(void)
{
	cr_expect_eq(run("cd / && rm -rf \"$OLDPWD\""), 0);
}

TestSuite(cli_snapshot, .init = setup, .fini = teardown);

Test(cli_snapshot, show_decodes_both_encodings_alike)
{
	expect("$irqshift show a", 0, "irqchip full (all in the kernel), 2 CPUs");
	cr_expect(strstr(text, "GSI 5 -> IOAPIC pin 5"), "%s", text);
	cr_expect(strstr(text, "lines held high: GSI 5\n"), "%s", text);
	cr_expect(strstr(text, "\napic[1] (kvm-apic)\n"), "%s", text);
	cr_expect(strstr(text, "gives vector 236 to its CPU") || strstr(text, "IRR                        236"), "%s",
		  text);
	expect("$irqshift show a > one && $irqshift show a.json > two && cmp one two && echo same", 0, "same");
	expect("cat a | $irqshift show - > three && cmp one three && echo same", 0, "same");
	expect("cat a.json | $irqshift show - > four && cmp one four && echo same", 0, "same");
}

Test(cli_snapshot, sections_are_chosen_by_name_type_and_instance)
{
	expect("$irqshift show a 'kvm-apic[1]'", 0, "apic[1]");
	cr_expect_not(strstr(text, "apic[0]"), "%s", text);
	expect("$irqshift show a i8259", 0, "PIC slave");
	expect("$irqshift show a hpet", 2, "hpet: no such section");
	expect("$irqshift show --raw a ioapic", 0, "rte: uint64 = [");
}

Test(cli_snapshot, its_json_can_be_loaded_again)
{
	expect("$irqshift show --json a > out.json && cmp out.json a.json; $irqshift diff a out.json && echo nothing", 0,
	       "nothing");
	expect("$irqshift diff --json a out.json", 0, "[]");
}

Test(cli_snapshot, diff_says_in_words_what_happened)
{
	expect("$irqshift diff a b", 0, "irqchip: full -> split");
	cr_expect(strstr(text, "apic[1] vector 236 moved from IRR to ISR"), "%s", text);
	cr_expect(strstr(text, "apic[0] timer re-armed: 3.200 ms left"), "%s", text);
	cr_expect_not(strstr(text, "apic[1] timer re-armed"), "%s", text);
	expect("$irqshift diff --json a b", 0, "apic[1].isr[7]");
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
	save(&s, "same", false);
	s.pics[PIC_MASTER].imr ^= 1;
	reg_forget(reg_find_name(&pic_chip, "elcr"), &s.pics[PIC_MASTER], 0);
	save(&s, "other", false);
	irqchip_deinit(&s);
	qemu_stream_deinit(&q);
	close(fd);
	cr_expect_eq(run("$irqshift diff $stream same"), 0);
	cr_expect_str_eq(text, "");
	expect("$irqshift diff $stream other", 0, "i8259[0] IRQ 0 ");
	cr_expect(strstr(text, "not compared: 1 registers that only A has, 0 that only B has"), "%s", text);
}

Test(cli_snapshot, what_needs_a_stream_says_so)
{
	expect("$irqshift convert --from kvm --to tcg -o out a; test $? = 2 && test ! -e out && echo so", 0,
	       "a snapshot of an irqchip, but a QEMU stream is needed");
	cr_expect(strstr(text, "so"), "%s", text);
	expect("$irqshift hints dump a.json", 2, "a snapshot of an irqchip");
}

static uint8_t *slurp(const char *name, size_t *ret_size)
{
	char path[256];
	uint8_t *data = malloc(1 << 20);
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	cr_assert(f && data);
	*ret_size = fread(data, 1, 1 << 20, f);
	fclose(f);
	return data;
}

static int show_bytes(const uint8_t *data, size_t size)
{
	FILE *f = create("damaged");

	cr_assert_eq(fwrite(data, 1, size, f), size);
	fclose(f);
	return run("$irqshift show damaged");
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

			cr_expect_eq(status, 4, "%s cut to %zu of %zu: exit %d: %s", names[n], cut, size, status, text);
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
		cr_expect_eq(status, 4, "bit %u of byte %zu: exit %d: %s", bit, at, status, text);
		data[at] ^= (uint8_t)(1 << bit);
	}
	free(data);
}

Test(cli_snapshot, bytes_behind_the_end_are_malformed)
{
	expect("echo more >> a; $irqshift show a", 4, "something follows behind the end");
	expect("echo more >> a.json; $irqshift show a.json", 4, "a.json");
}

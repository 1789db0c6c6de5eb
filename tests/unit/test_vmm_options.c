/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of the example VMM, and the round of its moves. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/vmm/mover.h"
#include "tests/vmm/options.h"

#define MAX_ARGS 20

/* Words between single spaces; getopt wants to write into the list, not into the words. */
static int parse(const char *line, struct options *ret, struct irqs_error *err)
{
	static char words[256];
	char *argv[MAX_ARGS + 1] = { (char *)"vmm" };
	int argc = 1;

	strcpy(words, line);
	for (char *w = strtok(words, " "); w && argc < MAX_ARGS; w = strtok(NULL, " "))
		argv[argc++] = w;
	return options_parse(argc, argv, ret, err);
}

Test(vmm_options, have_defaults)
{
	struct irqs_error err;
	struct options o;

	cr_assert(!parse("--kernel k", &o, &err));
	cr_expect(o.mode == VMM_KERNEL && o.ncpus == 1 && o.memory == UINT64_C(128) << 20);
	cr_expect(!o.move_every_ns && !o.move_random && !o.x2apic && !o.seed && !o.initrd && !o.help);
	cr_expect(!strcmp(o.kernel, "k") && !strcmp(o.append, ""));
}

Test(vmm_options, are_all_taken)
{
	struct irqs_error err;
	struct options o;

	cr_assert(!parse("--irqchip split --move-every 2.5 --smp 4 --mem 32 --kernel k --initrd i,j --append a", &o, &err));
	cr_expect(o.mode == VMM_SPLIT && o.move_every_ns == 2500000 && !o.move_random && o.ncpus == 4);
	cr_expect(o.memory == 32 << 20 && !strcmp(o.initrd, "i,j") && !strcmp(o.append, "a"));
	cr_assert(!parse("--kernel k --irqchip=userspace --move-every=10:random --seed 0x10 --x2apic", &o, &err));
	cr_expect(o.mode == VMM_USERSPACE && o.move_every_ns == 10000000 && o.move_random && o.seed == 16 && o.x2apic);
	cr_assert(!parse("--help", &o, &err));
	cr_expect(o.help);
}

Test(vmm_options, that_make_no_sense_are_named)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "", "no --kernel" },
		{ "--kernel", "argument is missing" },
		{ "--kernel k --bios b", "no such option" },
		{ "--kernel k more", "more: not an option" },
		{ "--kernel k --irqchip on", "--irqchip on" },
		{ "--kernel k --smp 0", "--smp 0" },
		{ "--kernel k --smp 65", "--smp 65" },
		{ "--kernel k --smp -1", "--smp -1" },
		{ "--kernel k --smp 2x", "--smp 2x" },
		{ "--kernel k --mem 0", "--mem 0" },
		{ "--kernel k --mem 3073", "--mem 3073" },
		{ "--kernel k --mem 99999999999999999999", "--mem" },
		{ "--kernel k --move-every 0", "--move-every 0" },
		{ "--kernel k --move-every -1", "--move-every -1" },
		{ "--kernel k --move-every nan", "--move-every nan" },
		{ "--kernel k --move-every 1:often", "--move-every 1:often" },
		{ "--kernel k --move-every :random", "--move-every :random" },
		{ "--kernel k --move-every 1e30", "--move-every 1e30" },
		{ "--kernel k --seed 0", "--seed 0" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct options o = { .kernel = "untouched" };
		struct irqs_error err = { .text = "" };

		cr_expect(parse(cases[i].line, &o, &err) == -EINVAL && err.status == IRQS_USAGE, "%s", cases[i].line);
		cr_expect(strstr(err.text, cases[i].text), "%s: %s", cases[i].line, err.text);
		cr_expect_str_eq(o.kernel, "untouched");
	}
}

Test(vmm_options, every_option_is_in_the_help)
{
	static const char *const names[] = { "irqchip", "move-every", "seed", "smp", "mem", "kernel", "initrd", "append", "x2apic", "help" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		cr_expect(strstr(options_help, names[i]), "%s", names[i]);
}

Test(vmm_mover, goes_each_of_the_six_ways_once_in_a_round_from_wherever_it_begins)
{
	for (unsigned int first = 0; first < 3; first++) {
		enum vmm_mode mode = (enum vmm_mode)first;
		unsigned int step = 0, seen[3][3] = { 0 };

		for (unsigned int i = 0; i < 60; i++) {
			enum vmm_mode next = mover_next(mode, &step);

			cr_assert(next != mode && next < 3);
			seen[mode][next]++;
			mode = next;
		}
		for (unsigned int from = 0; from < 3; from++)
			for (unsigned int to = 0; to < 3; to++)
				cr_expect(seen[from][to] == (from == to ? 0 : 10), "%u to %u: %u", from, to, seen[from][to]);
	}
}

struct walk {
	enum vmm_mode at;
	unsigned int moves, ways[3][3];
	bool wrong, refuse;
};

static int walk(void *ctx, enum vmm_mode from, enum vmm_mode to)
{
	struct walk *w = ctx;

	w->wrong |= from != w->at || to == from || (unsigned int)to > 2;
	__atomic_add_fetch(&w->moves, 1, __ATOMIC_RELAXED);
	if (w->refuse)
		return -EOPNOTSUPP;
	w->ways[from][to]++;
	w->at = to;
	return 0;
}

/* Until some moves were made, at most for ten seconds. */
static void walk_for(struct walk *w, bool random, unsigned int moves)
{
	const struct mover_config c = { .mode = VMM_SPLIT, .every_ns = 20000, .random = random, .seed = 1, .move = walk, .ctx = w };
	struct mover *m;
	struct irqs_error err;

	w->at = VMM_SPLIT;
	cr_assert(!mover_start(&c, &m, &err), "%s", err.text);
	for (unsigned int ms = 0; __atomic_load_n(&w->moves, __ATOMIC_RELAXED) < moves && ms < 10000; ms++)
		usleep(1000);
	mover_stop(m);
	cr_assert(!w->wrong && w->moves >= moves, "%u moves", w->moves);
}

Test(vmm_mover, moves_from_where_they_are_again_and_again)
{
	struct walk w = { 0 };

	walk_for(&w, false, 60);
	for (unsigned int from = 0; from < 3; from++)
		for (unsigned int to = 0; to < 3; to++)
			cr_expect(from == to || w.ways[from][to] >= 10);
}

Test(vmm_mover, finds_all_ways_at_random)
{
	struct walk w = { 0 };

	walk_for(&w, true, 200);
	for (unsigned int from = 0; from < 3; from++)
		for (unsigned int to = 0; to < 3; to++)
			cr_expect(from == to || w.ways[from][to], "%u to %u", from, to);
}

Test(vmm_mover, knows_that_a_move_was_refused)
{
	struct walk w = { .refuse = true };

	walk_for(&w, true, 20);
}

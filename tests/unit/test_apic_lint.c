/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each check finds what it is for, alone, and nothing in a healthy state. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "apic/registry.h"
#include "filters/profile.h"
#include "lint_machine.h"
#include "machine.h"
#include "stream/qemu.h"

/* What a run found: how often the check that was looked for, and the others by name. */
struct seen {
	const char *wanted;
	unsigned int hits;
	char others[2048];
};

static void note(void *ctx, const struct lint_finding *f)
{
	struct seen *s = ctx;
	size_t used = strlen(s->others);

	cr_expect(f->path[0] && f->text[0] && f->check->guest[0]);
	if (s->wanted && !strcmp(s->wanted, f->check->name))
		s->hits++;
	else
		snprintf(s->others + used, sizeof(s->others) - used, "\n%s %s: %s", f->check->name, f->path, f->text);
}

static struct seen run(const struct lint_machine *m, const char *wanted)
{
	struct seen s = { .wanted = wanted };

	lint_state(m, note, &s, NULL);
	return s;
}

static struct seen run_box(void (*change)(struct lint_box *b), const char *wanted)
{
	struct lint_box b;

	lint_box_init(&b);
	if (change)
		change(&b);
	return run(&b.m, wanted);
}

Test(apic_lint, a_healthy_machine_has_no_finding)
{
	struct seen s = run_box(NULL, NULL);

	cr_expect_str_empty(s.others, "%s", s.others);
}

Test(apic_lint, each_check_finds_its_state_and_no_other_does)
{
	for (const struct lint_case *c = lint_cases; c->check; c++) {
		struct seen s = run_box(c->breaks, c->check);

		cr_expect(s.hits == 1, "%s: found %u times", c->check, s.hits);
		cr_expect_str_empty(s.others, "%s: also%s", c->check, s.others);
	}
}

Test(apic_lint, each_check_spares_the_healthy_state_beside_it)
{
	for (const struct lint_case *c = lint_cases; c->check; c++) {
		struct seen s = run_box(c->spares, NULL);

		cr_expect_str_empty(s.others, "%s: the state beside it has%s", c->check, s.others);
	}
}

static bool has_case(const char *name)
{
	for (const struct lint_case *c = lint_cases; c->check; c++)
		if (!strcmp(c->check, name))
			return true;
	return false;
}

Test(apic_lint, every_check_has_a_case_a_name_of_its_own_and_words)
{
	const struct lint_check *c = NULL, *o;
	unsigned int n = 0;

	while ((c = lint_next_check(c))) {
		n++;
		cr_expect(has_case(c->name), "%s has no case in lint_machine.c", c->name);
		cr_expect(c->text && c->guest && c->run, "%s says nothing", c->name);
		for (o = lint_next_check(c); o; o = lint_next_check(o))
			cr_expect(strcmp(o->name, c->name) != 0, "two checks are called %s", c->name);
	}
	cr_expect(n >= 50, "only %u checks", n);
}

/* Calls back for each row that a check needs. */
static void each_need(const struct lint_check *c, void (*use)(const struct lint_check *, const struct reg_chip *,
							      const struct reg_row *))
{
	for (const char *word = c->needs; *word; word += strspn(word, " ")) {
		const struct reg_chip *chip = NULL;
		const struct reg_row *row = lint_need(word, &chip);

		cr_assert(row, "%s needs '%s', which is no register", c->name, word);
		use(c, chip, row);
		word += strcspn(word, " ");
	}
}

static void forget(struct lint_box *b, const struct reg_chip *chip, const struct reg_row *row)
{
	void *states[] = { &b->lapics[0], &b->lapics[1], &b->s.ioapic, &b->s.pics[0], &b->s.pics[1], &b->s.pit, &b->s.clock };
	static const struct reg_chip *const chips[] = { &lapic_chip, &lapic_chip, &ioapic_chip, &pic_chip, &pic_chip,
							&pit_chip, &clock_chip };

	for (size_t i = 0; i < REG_ARRAY_SIZE(states); i++)
		if (chips[i] == chip)
			reg_forget(row, states[i], 0);
}

static void blind(const struct lint_check *check, const struct reg_chip *chip, const struct reg_row *row)
{
	for (const struct lint_case *c = lint_cases; c->check; c++) {
		struct lint_box b;
		struct seen s;

		if (strcmp(c->check, check->name) != 0)
			continue;
		lint_box_init(&b);
		c->breaks(&b);
		forget(&b, chip, row);
		s = run(&b.m, check->name);
		cr_expect(!s.hits, "%s finds something without %s", check->name, row->name);
	}
}

Test(apic_lint, a_check_is_silent_without_a_register_that_it_needs)
{
	const struct lint_check *c = NULL;

	while ((c = lint_next_check(c)))
		each_need(c, blind);
}

Test(apic_lint, what_no_source_carried_has_no_finding)
{
	struct lapic_state lapics[2];
	struct irqchip_state s = { .lapics = lapics, .nlapics = 2 };
	struct lint_machine m = { .state = &s, .hpet = LINT_ABSENT, .smm = LINT_ABSENT };
	struct seen seen;

	/* values that would be faults, if they were known */
	memset(lapics, 0xa5, sizeof(lapics));
	memset(&s.ioapic, 0xa5, sizeof(s.ioapic));
	memset(s.pics, 0xa5, sizeof(s.pics));
	memset(&s.pit, 0xa5, sizeof(s.pit));
	for (unsigned int i = 0; i < 2; i++) {
		memset(lapics[i].known, 0, sizeof(lapics[i].known));
		memset(s.pics[i].known, 0, sizeof(s.pics[i].known));
	}
	memset(s.ioapic.known, 0, sizeof(s.ioapic.known));
	memset(s.pit.known, 0, sizeof(s.pit.known));
	seen = run(&m, NULL);
	cr_expect_str_empty(seen.others, "%s", seen.others);
}

Test(apic_lint, the_worst_severity_and_the_number_are_told)
{
	enum lint_severity worst = LINT_NOTE;
	struct seen s = { .wanted = NULL };
	struct lint_box b;

	lint_box_init(&b);
	b.lapics[0].triple_fault = 1;
	cr_expect(lint_state(&b.m, note, &s, &worst) == 1 && worst == LINT_NOTE);
	b.s.ioapic.redirtbl[9] |= IOAPIC_RTE_REMOTE_IRR;
	cr_expect(lint_state(&b.m, note, &s, &worst) == 2 && worst == LINT_IMPOSSIBLE);
}

static void note_path(void *ctx, const struct lint_finding *f)
{
	snprintf(ctx, sizeof(f->path) + sizeof(f->text) + 2, "%s: %s", f->path, f->text);
}

Test(apic_lint, a_finding_names_the_cpu_by_its_id_and_the_register)
{
	struct lint_box b;
	char text[sizeof(((struct lint_finding *)0)->path) + sizeof(((struct lint_finding *)0)->text) + 2] = "";

	lint_box_init(&b);
	b.lapics[1].initial_id = 5;
	lapic_bank_set(&b.lapics[1], LAPIC_ISR, 0x51);
	lint_state(&b.m, note_path, text, NULL);
	cr_expect_str_eq(text, "apic[5].isr: vector 81 is in service and PPR is only 0x00");
}

static void expect_clean_stream(const char *path)
{
	struct qemu_read_options opt = { .find_desc = apic_find_desc };
	struct qemu_stream stream;
	struct irqchip_state s;
	struct lint_machine m = { .state = &s };
	struct irqs_error err = { 0 };
	struct profile p;
	struct seen seen;
	int fd = open(path, O_RDONLY);

	cr_assert(fd >= 0, "%s: no such file", path);
	cr_assert(!qemu_stream_read(&stream, fd, &opt, &err), "%s: %s", path, err.text);
	if (!profile_detect(stream.tree.machine, &p, NULL, 0, NULL))
		cr_assert(!profile_name_sections(&stream.tree, &p));
	cr_assert(!irqchip_from_stream(stream.tree.machine, &s, &err), "%s: %s", path, err.text);
	cr_expect(s.nlapics >= 1);
	seen = run(&m, NULL);
	cr_expect_str_empty(seen.others, "%s:%s", path, seen.others);
	irqchip_deinit(&s);
	qemu_stream_deinit(&stream);
	close(fd);
}

Test(apic_lint, real_streams_have_no_finding)
{
	expect_clean_stream("tests/data/isapc-kvm.stream");
	expect_clean_stream("tests/data/virtio-blk-tcg.stream");
}

Test(apic_lint, idle_machines_of_every_kind_have_no_finding)
{
	static const enum profile_kind kinds[] = { PROFILE_KVM, PROFILE_KVM_SPLIT, PROFILE_KVM_OFF, PROFILE_TCG };

	for (size_t k = 0; k < REG_ARRAY_SIZE(kinds); k++) {
		struct irqchip_state s;
		struct lint_machine m = { .state = &s };
		struct machine machine;
		struct seen seen;

		machine_init(&machine, kinds[k], 4);
		machine_set(&machine, "i8254.channels[0].gate", 1);
		cr_assert(!irqchip_from_stream(machine.tree.machine, &s, NULL));
		seen = run(&m, NULL);
		cr_expect_str_empty(seen.others, "kind %zu:%s", k, seen.others);
		irqchip_deinit(&s);
		machine_deinit(&machine);
	}
}

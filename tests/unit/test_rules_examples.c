/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worked examples in filters/rules. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rules_box.h"
#include "stream/qemu.h"

#define VIRTIO_STREAM "tests/data/virtio-blk-tcg.stream"
#define KVM_STREAM "tests/data/isapc-kvm.stream"

static struct machine m;

static void close_machine(void)
{
	machine_deinit(&m);
}

TestSuite(rules_examples);
TestSuite(rules_machine, .fini = close_machine);

/* ---- virtio-blk-pci, split and merged ---- */

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	cr_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	return fd;
}

/* A stream after a run of rules over it; allocated with malloc(). */
static char *transformed(const char *data, size_t size, struct rules *r, enum rules_direction direction,
			 size_t *ret_size)
{
	static const char *const none[] = { NULL };
	const struct filter *extra[] = { rules_filter(r), NULL };
	struct filter_options opt = { .allow = COST_LOSSLESS, .only = none, .extra = extra };
	struct profile tcg = { .kind = PROFILE_TCG };
	int in = file_of(data, size), out = memfd_create("out", MFD_CLOEXEC);
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	struct report report;
	char *made;

	report_init(&report);
	cr_assert(!rules_force(r, direction, NULL));
	cr_assert(!qemu_stream_read(&s, in, NULL, &err), "%s", err.text);
	cr_assert(!filter_convert(&s.tree, &tcg, &tcg, &opt, &report, &err), "%s: %s", err.path, err.text);
	cr_assert(!qemu_stream_write(&s, out, &err), "%s", err.text);
	*ret_size = (size_t)lseek(out, 0, SEEK_END);
	made = malloc(*ret_size);
	cr_assert(made && pread(out, made, *ret_size, 0) == (ssize_t)*ret_size);
	report_deinit(&report);
	qemu_stream_deinit(&s);
	close(in);
	close(out);
	return made;
}

Test(rules_examples, virtio_blk_pci_is_split_and_merged_byte_for_byte)
{
	struct rules *r = box_file("filters/rules/virtio-blk-pci.json");
	struct irqs_error err = { 0 };
	struct qemu_stream s;
	struct vms_node *pci, *blk;
	size_t size, split_size, back_size;
	char *in = read_whole(VIRTIO_STREAM, &size), *split, *back;
	int fd;

	split = transformed(in, size, r, RULES_FORWARD, &split_size);
	fd = file_of(split, split_size);
	cr_assert(!qemu_stream_read(&s, fd, NULL, &err), "%s", err.text);
	pci = vms_find_section(s.tree.machine, "0000:00:03.0/virtio-pci", 0);
	blk = vms_find_section(s.tree.machine, "0000:00:03.0/virtio-blk", 0);
	cr_assert(pci && blk && pci->next == blk);
	cr_expect_str_eq(box_names(pci), "pci_version pci_config pci_irq_state msix_table msix_pba config_vector vectors "
					 "extra_state");
	cr_expect_str_eq(box_names(blk), "status isr queue_sel guest_features_low config_len config nqueues queues "
					 "requests common");
	/* Three queues, and a vector for each and one for the configuration. */
	cr_expect_eq(vms_get_or(blk, "nqueues", 0), 3);
	cr_expect_eq(vms_lookup(blk, "queues")->count, 3);
	cr_expect_eq(vms_get_or(blk, "queues[2].num", 0), 256);
	cr_expect_eq(vms_lookup(pci, "vectors")->count, 3);
	cr_expect_eq(vms_get_or(pci, "vectors[1]", 0), 0xffff);
	cr_expect_eq(vms_lookup(pci, "msix_table")->width, 64);
	cr_expect_eq(vms_lookup(pci, "extra_state.virtio_pci/modern_state.vqs")->count, 1024);
	cr_expect(vms_lookup(blk, "common.virtio/virtqueues.vq[1023].used"));
	qemu_stream_deinit(&s);
	close(fd);

	back = transformed(split, split_size, r, RULES_BACK, &back_size);
	cr_expect(split_size != size);
	cr_expect(back_size == size && !memcmp(in, back, size));
	free(in);
	free(split);
	free(back);
	rules_destroy(r);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 24;
}

/* New bytes for all fields but those that say how many others there are, or must have a value. */
static void scramble(struct vms_node *n, uint64_t *seed)
{
	static const char *const fixed[] = { "pci_version", "pci_config", "config_len", "nqueues", "requests" };

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!strcmp(n->name, fixed[i]))
			return;
	for (uint64_t i = 0; n->data && i < vms_size(n); i++)
		n->data[i] = (uint8_t)next_random(seed);
	for (struct vms_node *c = vms_first_child(n); c; c = c->next)
		scramble(c, seed);
}

Test(rules_examples, a_virtio_section_of_any_content_survives)
{
	struct rules *r = box_file("filters/rules/virtio-blk-pci.json");
	size_t size;
	char *in = read_whole(VIRTIO_STREAM, &size);
	int fd = file_of(in, size);

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct qemu_stream s;
		struct machine view = { 0 };
		uint64_t state = seed;
		char *before, *after;

		cr_assert(!qemu_stream_read(&s, fd, NULL, NULL));
		view.tree = s.tree;
		cr_assert(!box_apply(&view, r, RULES_FORWARD), "%s", view.err.text);
		scramble(vms_find_section(view.tree.machine, "0000:00:03.0/virtio-pci", 0), &state);
		scramble(vms_find_section(view.tree.machine, "0000:00:03.0/virtio-blk", 0), &state);
		before = machine_text(&view);
		cr_assert(!box_apply(&view, r, RULES_BACK), "seed %lu: %s", (unsigned long)seed, view.err.text);
		cr_assert(!box_apply(&view, r, RULES_FORWARD), "seed %lu: %s", (unsigned long)seed, view.err.text);
		after = machine_text(&view);
		cr_expect_str_eq(before, after, "seed %lu", (unsigned long)seed);
		free(before);
		free(after);
		report_deinit(&view.report);
		s.tree = view.tree;
		qemu_stream_deinit(&s);
	}
	close(fd);
	free(in);
	rules_destroy(r);
}

Test(rules_examples, a_virtio_section_that_the_layout_does_not_know_is_left_alone)
{
	static const struct {
		size_t at;
		uint8_t value;
		int rc;
		const char *says;
	} cases[] = {
		{ 400, 1, -EOPNOTSUPP, "refused (fatal): requests is 1, and the layout knows only 0: a virtio device" },
		{ 3, 3, -EOPNOTSUPP, "pci_version is 3" },
		{ 322, 0xff, -EBADMSG, "bytes are left behind the layout" },
		{ 380, 1, -EBADMSG, "its 45584 bytes end in queues" },
		{ 403, 'w', -EBADMSG, "bytes are left behind the layout, at byte 401" },
		{ 410, 'w', -EBADMSG, "the subsection at byte 401 is not in the layout" },
		{ 427, 9, -EBADMSG, "virtio/64bit_features has version 9, and the layout knows 1" },
	};
	struct rules *r = box_file("filters/rules/virtio-blk-pci.json");
	size_t size;
	char *in = read_whole(VIRTIO_STREAM, &size);
	int fd = file_of(in, size);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct machine view = { 0 };
		struct qemu_stream s;

		cr_assert(!qemu_stream_read(&s, fd, NULL, NULL));
		view.tree = s.tree;
		vms_lookup(view.tree.machine, "0000:00:02.0/virtio-blk.virtio")->data[cases[i].at] = cases[i].value;
		cr_expect_eq(box_apply(&view, r, RULES_FORWARD), cases[i].rc, "%s", cases[i].says);
		cr_expect(strstr(view.err.text, cases[i].says), "%s, not %s", view.err.text, cases[i].says);
		report_deinit(&view.report);
		s.tree = view.tree;
		qemu_stream_deinit(&s);
	}
	close(fd);
	free(in);
	rules_destroy(r);
}

/* ---- pvtimer 1.0 and 1.1 ---- */

static struct vms_node *pvtimer(uint64_t *seed)
{
	struct vms_node *s = box_section(&m, "pvtimer", 0, 1), *list;

	box_int(&m, s, "irq", "uint8", 0, next_random(seed) & 0xff);
	box_int(&m, s, "period_us", "uint32", 0, next_random(seed) & 0xffffffff);
	box_int(&m, s, "mode", "uint8", 0, next_random(seed) % 3);
	list = box_array(&m, s, "channels", (uint32_t)(next_random(seed) % 5 + 1));
	for (struct vms_node *e = vms_first_child(list); e; e = e->next) {
		box_int(&m, e, "limit", "uint64", 0, next_random(seed));
		box_int(&m, e, "count", "uint32", 0, next_random(seed) & 0xffffffff);
		box_int(&m, e, "gate", "bool", 0, next_random(seed) & 1);
	}
	return s;
}

Test(rules_examples, there_and_back_is_the_identity)
{
	struct rules *r = box_file("filters/rules/pvtimer-1.0-1.1.json");

	for (uint64_t seed = 1; seed <= 500; seed++) {
		char *before, *middle, *after, *again;
		uint64_t state = seed;

		box_init(&m);
		pvtimer(&state);
		before = machine_text(&m);
		cr_assert(!box_apply(&m, r, RULES_FORWARD), "seed %lu: %s", (unsigned long)seed, m.err.text);
		middle = machine_text(&m);
		cr_assert(!box_apply(&m, r, RULES_BACK), "seed %lu: %s", (unsigned long)seed, m.err.text);
		after = machine_text(&m);
		cr_assert(!box_apply(&m, r, RULES_FORWARD));
		again = machine_text(&m);
		cr_expect_str_eq(before, after, "seed %lu", (unsigned long)seed);
		cr_expect_str_eq(middle, again, "seed %lu", (unsigned long)seed);
		cr_expect(strcmp(before, middle) != 0);
		free(before);
		free(middle);
		free(after);
		free(again);
		close_machine();
	}
	rules_destroy(r);
}

static int run_between(struct rules *r, const char *from, const char *to, enum report_cost allow)
{
	static const char *const none[] = { NULL };
	const struct filter *extra[] = { rules_filter(r), NULL };
	struct filter_options opt = { .allow = allow, .only = none, .extra = extra };
	struct profile a, b;

	cr_assert(!profile_parse(from, &a, NULL) && !profile_parse(to, &b, NULL));
	report_deinit(&m.report);
	return filter_convert(&m.tree, &a, &b, &opt, &m.report, &m.err);
}

Test(rules_machine, the_hosts_decide_which_way_a_model_goes)
{
	struct rules *r = box_file("filters/rules/pvtimer-1.0-1.1.json");
	uint64_t seed = 1;
	struct vms_node *s;

	box_init(&m);
	s = pvtimer(&seed);
	cr_assert(!run_between(r, "kvm", "tcg@qemu-7.2", COST_LOSSLESS));
	cr_expect_eq(s->version, 1);
	cr_assert(!run_between(r, "kvm", "tcg@qemu-8.0", COST_LOSSLESS));
	cr_expect_eq(s->version, 2);
	cr_expect_str_eq(box_names(s), "vector period_ns mode generation channels counts");
	cr_expect_str_eq(machine_entry(&m, "pvtimer[0].generation")->why,
			 "1.1 counts how often the timer was set up; a machine that came from 1.0 starts at 0");
	cr_assert(!run_between(r, "tcg@qemu-10.0", "kvm@qemu-9.0", COST_LOSSLESS));
	cr_expect_eq(s->version, 2);
	cr_assert(!run_between(r, "tcg@qemu-10.0", "tcg@qemu-7.2", COST_LOSSLESS));
	cr_expect_eq(s->version, 1);
	cr_expect_str_eq(machine_entry(&m, "pvtimer[0].generation")->why, "1.0 has no place for the number of set-ups");
	report_deinit(&m.report);
	rules_destroy(r);
}

Test(rules_machine, what_1_0_cannot_say_is_refused_on_the_way_back)
{
	static const struct {
		const char *path;
		uint64_t value;
		const char *says;
	} cases[] = {
		{ "pvtimer.generation", 4, "it is 4 and should be 0: 1.0 has no place for the number of set-ups" },
		{ "pvtimer.period_ns", 1500, "0x5dc is no multiple of 1000: 1.0 says the same in other words" },
		{ "pvtimer.period_ns", UINT64_C(1000) << 32, "is out of the range of uint32" },
		{ "pvtimer.mode", 7, "there is no value for 7" },
	};
	struct rules *r = box_file("filters/rules/pvtimer-1.0-1.1.json");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t seed = 1;

		if (i)
			close_machine();
		box_init(&m);
		pvtimer(&seed);
		cr_assert(!box_apply(&m, r, RULES_FORWARD));
		machine_set(&m, cases[i].path, cases[i].value);
		cr_expect_eq(box_apply(&m, r, RULES_BACK), -EOPNOTSUPP, "%s", cases[i].says);
		cr_expect(strstr(m.err.text, cases[i].says), "%s, not %s", m.err.text, cases[i].says);
	}
	report_deinit(&m.report);
	rules_destroy(r);
}

/* ---- a newer pvtimer ---- */

static struct vms_node *newer(uint64_t slack, uint64_t batch)
{
	struct vms_node *s, *sub;

	box_init(&m);
	s = box_section(&m, "pvtimer", 0, 3);
	box_int(&m, s, "vector", "uint8", 0, 33);
	box_int(&m, s, "batch", "uint32", 0, batch);
	sub = vms_add_subsection(&m.tree, s, "pvtimer/slack", 1);
	box_int(&m, sub, "slack_ns", "uint64", 0, slack);
	return s;
}

Test(rules_machine, newer_state_goes_when_it_is_idle)
{
	struct rules *r = box_file("filters/rules/pvtimer-newer.json");
	struct vms_node *s = newer(0, 0);

	cr_assert(!run_between(r, "kvm@qemu-9.0", "tcg@qemu-10.0", COST_LOSSLESS));
	cr_expect_str_eq(box_names(s), "vector batch pvtimer/slack");
	cr_assert(!run_between(r, "kvm@qemu-9.0", "tcg@qemu-8.2", COST_LOSSLESS), "%s", m.err.text);
	cr_expect_str_eq(box_names(s), "vector");
	cr_expect_eq(s->version, 2);
	cr_expect_eq(machine_entry(&m, "pvtimer[0].pvtimer/slack")->action, REPORT_DROPPED);
	report_deinit(&m.report);
	rules_destroy(r);
}

Test(rules_machine, newer_state_in_use_is_refused)
{
	struct rules *r = box_file("filters/rules/pvtimer-newer.json");

	newer(1000, 0);
	cr_expect_eq(run_between(r, "tcg@qemu-9.0", "tcg", COST_APPROXIMATE), -EOPNOTSUPP);
	cr_expect(strstr(m.err.text, "refused (lossy): it must be == 0: the guest asked for a slack"), "%s", m.err.text);
	close_machine();
	newer(1000, 0);
	cr_expect_eq(run_between(r, "tcg@qemu-9.0", "tcg", COST_LOSSY), 0);
	close_machine();
	newer(1000000, 0);
	cr_expect_eq(run_between(r, "tcg@qemu-9.0", "tcg", COST_LOSSY), -EOPNOTSUPP);
	cr_expect_str_eq(m.err.path, "pvtimer[0].pvtimer/slack.slack_ns");
	cr_expect(strstr(m.err.text, "refused (fatal): it must be <= 0xc350"), "%s", m.err.text);
	close_machine();
	newer(0, 2);
	cr_expect_eq(run_between(r, "tcg@qemu-9.0", "tcg", COST_LOSSY), -EOPNOTSUPP);
	cr_expect_str_eq(m.err.path, "pvtimer[0].batch");
	report_deinit(&m.report);
	rules_destroy(r);
}

/* ---- kvm-apic to apic ---- */

/* Every entry of a run with only that built-in filter or only those rules, about sections "apic". */
static char *apic_entries(const char *from, const char *to, const char *only, const struct filter *rules)
{
	const char *const names[] = { only, NULL };
	const struct filter *extra[] = { rules, NULL };
	struct filter_options opt = { .allow = COST_LOSSLESS, .only = names, .extra = extra };
	struct profile a, b;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	cr_assert(out && !profile_parse(from, &a, NULL) && !profile_parse(to, &b, NULL));
	machine_init(&m, a.kind, 3);
	cr_assert(!filter_convert(&m.tree, &a, &b, &opt, &m.report, &m.err), "%s", m.err.text);
	for (size_t i = 0; i < m.report.count; i++) {
		const struct report_entry *e = &m.report.entries[i];

		if (strncmp(e->path, "apic[", 5) == 0)
			fprintf(out, "%s %d %d %s %s %s\n", e->path, e->action, e->cost, e->old_value, e->new_value, e->why);
	}
	for (struct vms_node *s = NULL; (s = vms_next_section(m.tree.machine, s, "apic"));)
		fprintf(out, "%s %u %s\n", s->name, s->instance, s->type);
	fclose(out);
	close_machine();
	return text;
}

Test(rules_examples, kvm_apic_becomes_apic_as_by_the_built_in_filter)
{
	static const char *const pairs[][2] = {
		{ "kvm", "tcg" },
		{ "kvm", "kvm-off" },
		{ "kvm-split", "tcg" },
		{ "tcg", "kvm" },
		{ "kvm-off", "kvm-split" },
		{ "kvm", "kvm-split" },
		{ "tcg", "kvm-off" },
	};
	struct rules *r = box_file("filters/rules/kvm-apic.json");

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		char *builtin = apic_entries(pairs[i][0], pairs[i][1], "types", NULL);
		char *rules = apic_entries(pairs[i][0], pairs[i][1], NULL, rules_filter(r));

		cr_expect_str_eq(builtin, rules, "%s to %s", pairs[i][0], pairs[i][1]);
		cr_expect(strstr(rules, "apic[2] ") || i >= 5, "%s", rules);
		free(builtin);
		free(rules);
	}
	rules_destroy(r);
}

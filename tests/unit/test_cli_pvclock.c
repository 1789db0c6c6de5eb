/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a guest's clock page: in a file in its place, in a stream from a pipe to a pipe by sending it once more. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filters/pvclock.h"
#include "stream/qemu_pages.h"
#include "stream/relay.h"
#include "tests/unit/cli_run.h"
#include "tests/unit/stream_check.h"

#define CLOCK_PAGE 0x7000u
#define CLOCK_AT 0x40u
#define SOURCE_KHZ 2100000u
#define TSC UINT64_C(1000000000000)
#define XBZRLE 0x40u

TestSuite(cli_pvclock, .init = cli_folder, .fini = cli_folder_remove, .timeout = 60);

/* What fails anywhere in a pipeline counts. */
static void expect(const char *line, int status, const char *says)
{
	char full[1024];

	snprintf(full, sizeof(full), "set -o pipefail; %s", line);
	cli_expect_line(full, status, says);
}

/* ---- the guest ---- */

struct guest {
	uint64_t address;                                            /* of its clock; 0: CLOCK_PAGE + CLOCK_AT */
	bool no_rate;                                                /* in the stream */
	void (*more)(struct stream_builder *b, const uint8_t *page); /* pages that come before and behind the clock's */
};

static void make_clock(struct pvclock *ret, uint8_t page[QEMU_PAGE_SIZE])
{
	*ret = (struct pvclock){ .version = 8, .tsc_timestamp = TSC - 1000, .system_time = 5000000000, .flags = 1 };
	pvclock_set_khz(ret, SOURCE_KHZ);
	memset(page, 0, QEMU_PAGE_SIZE);
	pvclock_put(ret, page + CLOCK_AT);
}

static void put_page(struct stream_builder *b, uint64_t at, const uint8_t *page)
{
	sb_be(b, 8, at | 8);
	sb_name(b, "pc.ram");
	sb_put(b, page, QEMU_PAGE_SIZE);
}

static void just_the_page(struct stream_builder *b, const uint8_t *page)
{
	put_page(b, CLOCK_PAGE, page);
}

/* A real stream of KVM with one more RAM section in front of its last one. */
static void add_pages(struct stream_builder *b, const uint8_t *data, size_t len, const struct guest *g)
{
	static const uint8_t footer[] = { QEMU_VM_SECTION_FOOTER, 0, 0, 0, 2 };
	static const uint8_t end[] = { QEMU_VM_SECTION_FOOTER, 0, 0, 0, 2, QEMU_VM_SECTION_END, 0, 0, 0, 2 };
	uint8_t page[QEMU_PAGE_SIZE + PVCLOCK_SIZE], *at = memmem(data, len, end, sizeof(end));
	struct pvclock clock;
	size_t head;

	cr_assert(at, "no end of the RAM");
	head = (size_t)(at - data) + sizeof(footer);
	make_clock(&clock, page);
	if (g->address) {
		memset(page, 0, sizeof(page));
		pvclock_put(&clock, page + g->address % QEMU_PAGE_SIZE);
	}
	sb_put(b, data, head);
	sb_put(b, "\2\0\0\0\2", 5);
	(g->more ? g->more : just_the_page)(b, page);
	sb_be(b, 8, 0x10);
	sb_put(b, footer, sizeof(footer));
	sb_put(b, data + head, len - head);
}

static void write_file(const char *name, const void *data, size_t len)
{
	FILE *f = fopen(cli_path(name), "w");

	cr_assert(f && fwrite(data, 1, len, f) == len && !fclose(f));
}

/* A file "in" of a guest that enabled its clock page. */
static void make_guest(const struct guest *g)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen("tests/data/isapc-kvm.stream", "r");
	struct stream_builder b;
	struct vms_node *cpu;
	struct opened o;
	uint8_t *out;
	size_t len;

	cr_assert(f);
	len = fread(data, 1, sizeof(data), f);
	fclose(f);
	sb_init(&b);
	add_pages(&b, data, len, g);
	cr_assert_eq(sc_open(&o, &b, NULL), 0, "%s", o.err.text);
	cpu = vms_find_section(o.s.tree.machine, "cpu", 0);
	cr_assert_eq(vms_set(cpu, "env.system_time_msr", (g->address ? g->address : CLOCK_PAGE + CLOCK_AT) | 1, &o.err), 0);
	cr_assert_eq(vms_set(cpu, "env.tsc", TSC, &o.err), 0);
	cr_assert_eq(vms_set(cpu, "cpu/tsc_khz.env.tsc_khz", SOURCE_KHZ, &o.err), 0);
	if (g->no_rate)
		vms_remove(vms_subsection(cpu, "cpu/tsc_khz"));
	out = sc_write(&o, &len);
	cr_assert(out, "%s", o.err.text);
	write_file("in", out, len);
	free(out);
	sc_close(&o);
	sb_deinit(&b);
}

/* The clock in a stream, as who loads it finds it; true when it is there. */
static bool read_clock(const char *name, uint64_t address, struct pvclock *ret)
{
	struct qemu_page page = { .offset = address & ~(uint64_t)(QEMU_PAGE_SIZE - 1) };
	uint8_t bytes[PVCLOCK_SIZE], *data;
	FILE *f = fopen(cli_path(name), "r");
	struct opened o;
	size_t len;

	cr_assert(f);
	data = sb_slurp(fileno(f), &len);
	fclose(f);
	cr_assert_eq(sc_open_bytes(&o, data, len, NULL), 0, "%s", o.err.text);
	cr_assert_eq(qemu_pages_find(&o.s, &page, 1, &o.err), 0, "%s", o.err.text);
	if (page.kind == QEMU_PAGE_PLAIN)
		cr_assert_eq(source_read(&o.s.source, page.at + address % QEMU_PAGE_SIZE, bytes, PVCLOCK_SIZE, &o.err), 0);
	pvclock_get(bytes, ret);
	sc_close(&o);
	free(data);
	return page.kind == QEMU_PAGE_PLAIN;
}

static void expect_repaired(const char *name, uint64_t khz)
{
	uint8_t page[QEMU_PAGE_SIZE];
	struct pvclock before, after;

	make_clock(&before, page);
	cr_assert(read_clock(name, CLOCK_PAGE + CLOCK_AT, &after), "%s: no clock", name);
	cr_expect_eq(pvclock_khz(&after), khz, "%s", name);
	cr_expect_eq(pvclock_time(&after, TSC), pvclock_time(&before, TSC), "%s", name);
	cr_expect_eq(after.version, before.version + (khz == SOURCE_KHZ ? 0 : 2), "%s", name);
}

/* ---- in a file ---- */

Test(cli_pvclock, convert_repairs_the_clock_page_and_says_so)
{
	make_guest(&(struct guest){ 0 });
	expect("$irqshift convert --to tcg --tsc-khz 3000000 -v -o out in", 0, "cpu[0].pvclock: 2100000 kHz -> 3000000 kHz");
	expect_repaired("out", 3000000);
	expect("$irqshift show --ram out", 0, "");
	/* as a file and in place the same */
	expect("$irqshift convert --to tcg --tsc-khz 3000000 --in-place in && cmp in out", 0, "");
}

Test(cli_pvclock, without_the_rate_no_ram_is_touched)
{
	make_guest(&(struct guest){ 0 });
	expect("$irqshift convert --to tcg -o out in", 0, "");
	expect_repaired("out", SOURCE_KHZ);
	expect("$irqshift convert --to tcg --tsc-khz 2100000 -v -o out in", 0, "has the scale of the target's TSC");
	expect_repaired("out", SOURCE_KHZ);
	expect("$irqshift convert --to kvm --tsc-khz 3000000 -v -o out in", 0, "KVM writes the guest's clock pages itself");
	expect("$irqshift convert --to tcg --tsc-khz fast -o out in", 2, "fast");
	expect("$irqshift convert --to tcg --tsc-khz 0 -o out in", 2, "not a rate");
	expect("$irqshift proxy --listen unix:a --connect unix:b --to tcg --tsc-khz -1", 2, "not a rate");
}

/* ---- from a pipe to a pipe ---- */

#define THROUGH "cat in | $irqshift convert --to tcg --tsc-khz 3000000 --report pipe.json -o - - | cat >pipe"
#define TO_FILE "$irqshift convert --to tcg --tsc-khz 3000000 --report file.json -o file in"

Test(cli_pvclock, a_pipe_gets_the_repair_and_the_report_of_the_file)
{
	make_guest(&(struct guest){ 0 });
	expect(TO_FILE " && " THROUGH " && cmp file.json pipe.json && grep -o '2100000 kHz' pipe.json", 0, "2100000 kHz");
	expect_repaired("file", 3000000);
	expect_repaired("pipe", 3000000);
	/* all else is alike: a page more, the header of a section, and its end */
	expect("$irqshift diff file pipe", 0, "");
	expect("echo $(($(stat -c %s pipe) - $(stat -c %s file) - 4096 - 8 - 7 - 5 - 8 - 5))", 0, "0\n");
	/* and repaired once more, it stays */
	expect("$irqshift convert --from kvm --to tcg --tsc-khz 3000000 -o again pipe", 0, "");
	expect("IRQSHIFT_TRANSPORT=plain; export IRQSHIFT_TRANSPORT; mv pipe first && " THROUGH " && cmp pipe first", 0, "");
}

Test(cli_pvclock, a_pipe_to_a_file_comes_out_as_the_file_does)
{
	make_guest(&(struct guest){ 0 });
	expect(TO_FILE " && cat in | $irqshift convert --to tcg --tsc-khz 3000000 -o out - && cmp file out", 0, "");
}

/* ---- the rate by the target's capabilities ---- */

/* A file of them, of a TCG with that rate; 0: it does not say. */
static void make_caps(const char *name, unsigned int khz)
{
	char json[200], rate[32] = "";

	if (khz)
		snprintf(rate, sizeof(rate), ", \"tsc-khz\": %u", khz);
	snprintf(json, sizeof(json), "{\"irqshift-caps\": 1, \"word\": \"0x20000\", \"qemu\": [7, 2]%s}", rate);
	write_file(name, json, strlen(json));
}

Test(cli_pvclock, the_target_s_capabilities_say_the_rate)
{
	make_guest(&(struct guest){ 0 });
	make_caps("caps.json", 3000000);
	expect("$irqshift convert --to ./caps.json --report file.json -v -o out in", 0,
	       "the rate of the target's TSC is taken from its capabilities; the source's is 2100000 kHz by cpu/tsc_khz in the stream");
	cr_expect(strstr(cli_text, "tsc_khz: 3000000 kHz"), "%s", cli_text);
	cr_expect(strstr(cli_text, "cpu[0].pvclock: 2100000 kHz -> 3000000 kHz"), "%s", cli_text);
	expect_repaired("out", 3000000);
	expect("cat in | $irqshift convert --to ./caps.json --report pipe.json -o - - | cat >pipe && cmp file.json pipe.json", 0, "");
	expect_repaired("pipe", 3000000);
	expect("$irqshift check --to ./caps.json in", 0, "cpu[0].pvclock: 2100000 kHz -> 3000000 kHz");
	expect("cp in place && $irqshift convert --to tcg:caps.json --in-place place && cmp place out", 0, "");
}

Test(cli_pvclock, the_option_wins_over_the_capabilities)
{
	make_guest(&(struct guest){ 0 });
	make_caps("caps.json", 3000000);
	expect("$irqshift convert --to ./caps.json --tsc-khz 2600000 -v -o out in", 0, "taken from --tsc-khz; its capabilities say 3000000 kHz");
	expect_repaired("out", 2600000);
	expect("$irqshift convert --to tcg --tsc-khz 2600000 -v -o out in", 0, "taken from --tsc-khz\n");
	expect("$irqshift convert --to ./caps.json --tsc-khz 2100000 -o out in", 0, "");
	expect_repaired("out", SOURCE_KHZ);
}

Test(cli_pvclock, the_same_rate_by_capabilities_leaves_the_ram_alone)
{
	make_guest(&(struct guest){ 0 });
	make_caps("caps.json", SOURCE_KHZ + 1);
	make_caps("silent.json", 0);
	expect("$irqshift convert --to ./caps.json -v -o out in", 0, "is that of the source's, 2100000 kHz by cpu/tsc_khz in the stream");
	expect_repaired("out", SOURCE_KHZ);
	expect("$irqshift convert --to ./silent.json -v -o out in", 0, "");
	cr_expect(!strstr(cli_text, " tsc_khz:"), "%s", cli_text);
	expect_repaired("out", SOURCE_KHZ);
	expect("$irqshift caps --json caps.json | grep tsc-khz", 0, "2100001");
	expect("$irqshift caps caps.json", 0, "TSC: 2100001 kHz");
	expect("$irqshift caps --common silent.json caps.json", 0, "");
	cr_expect(!strstr(cli_text, "TSC"), "%s", cli_text);
}

Test(cli_pvclock, a_source_that_does_not_say_its_rate_keeps_its_pages)
{
	make_guest(&(struct guest){ .no_rate = true });
	make_caps("caps.json", 3000000);
	expect("$irqshift convert --to ./caps.json -v -o out in", 0, "the stream does not say what the source's has");
	expect_repaired("out", SOURCE_KHZ);
	expect("$irqshift convert --to ./caps.json --tsc-khz 3000000 -v -o out in", 0, "taken from --tsc-khz");
	expect_repaired("out", 3000000);
}

Test(cli_pvclock, the_same_rate_sends_nothing_again)
{
	make_guest(&(struct guest){ 0 });
	expect("cat in | $irqshift convert --to tcg --tsc-khz 2100000 -v -o - - | cat >pipe", 0, "has the scale of the target's TSC");
	expect_repaired("pipe", SOURCE_KHZ);
	expect("$irqshift convert --to tcg -o file in; echo $(($(stat -c %s pipe) - $(stat -c %s file) - 5 - 8 - 5))", 0, "0\n");
	/* and where there is nothing to repair, the bytes are those without a rate */
	expect("cat in | $irqshift convert --to kvm --tsc-khz 3000000 -o - - | cat >kvm && $irqshift convert --to kvm -o file in && cmp kvm file", 0, "");
	expect("cat in | $irqshift convert --from tcg --to tcg --tsc-khz 3000000 -o - - | cat >tcg && $irqshift convert --from tcg --to tcg -o file in && "
	       "cmp tcg file",
	       0, "");
}

/* KVM wrote it again while the guest ran: the last one counts. */
static void written_again(struct stream_builder *b, const uint8_t *page)
{
	uint8_t old[QEMU_PAGE_SIZE];
	struct pvclock clock;

	memcpy(old, page, sizeof(old));
	pvclock_get(old + CLOCK_AT, &clock);
	clock.version -= 2;
	clock.tsc_timestamp -= UINT64_C(2100000000);
	pvclock_put(&clock, old + CLOCK_AT);
	put_page(b, CLOCK_PAGE, old);
	put_page(b, CLOCK_PAGE + 0x1000, old);
	put_page(b, CLOCK_PAGE, page);
}

Test(cli_pvclock, the_page_that_came_last_is_repaired)
{
	make_guest(&(struct guest){ .more = written_again });
	expect(TO_FILE " && " THROUGH, 0, "");
	expect_repaired("file", 3000000);
	expect_repaired("pipe", 3000000);
}

/* The same as a difference: the low byte of the version. */
static void written_as_difference(struct stream_builder *b, const uint8_t *page)
{
	uint8_t old[QEMU_PAGE_SIZE];

	memcpy(old, page, sizeof(old));
	old[CLOCK_AT] = 2;
	put_page(b, CLOCK_PAGE, old);
	sb_be(b, 8, CLOCK_PAGE | XBZRLE | 0x20);
	sb_be(b, 1, 1);
	sb_be(b, 2, 3);
	sb_put(b, (const uint8_t[]){ CLOCK_AT, 1, 8 }, 3);
}

Test(cli_pvclock, a_difference_to_the_page_is_known_in_a_pipe)
{
	make_guest(&(struct guest){ .more = written_as_difference });
	expect(THROUGH, 0, "");
	expect_repaired("pipe", 3000000);
	expect(TO_FILE " -v", 0, "XBZRLE");
}

static void unknown_difference(struct stream_builder *b, const uint8_t *page)
{
	(void)page;
	sb_be(b, 8, CLOCK_PAGE | XBZRLE);
	sb_name(b, "pc.ram");
	sb_be(b, 1, 1);
	sb_be(b, 2, 3);
	sb_put(b, (const uint8_t[]){ CLOCK_AT, 1, 8 }, 3);
}

Test(cli_pvclock, a_difference_to_what_is_not_known_is_refused_with_the_setting)
{
	make_guest(&(struct guest){ .more = unknown_difference });
	expect(THROUGH, 3, "set the capabilities xbzrle");
	expect("grep -o '\"verdict\": \"[a-z]*\"' pipe.json", 0, "refused");
	/* nothing of the devices went on */
	expect("grep -c apic pipe", 1, "0");
}

/* More pages that look like one than are kept. */
static void too_many(struct stream_builder *b, const uint8_t *page)
{
	for (unsigned int i = 0; i < RELAY_PAGES_MAX; i++)
		put_page(b, (16 + (uint64_t)i) * QEMU_PAGE_SIZE, page);
	put_page(b, CLOCK_PAGE, page);
}

static void just_enough(struct stream_builder *b, const uint8_t *page)
{
	for (unsigned int i = 1; i < RELAY_PAGES_MAX; i++)
		put_page(b, (16 + (uint64_t)i) * QEMU_PAGE_SIZE, page);
	put_page(b, CLOCK_PAGE, page);
}

Test(cli_pvclock, more_pages_like_it_than_are_kept_are_refused_in_a_pipe)
{
	make_guest(&(struct guest){ .more = too_many });
	expect(THROUGH, 3, "convert a saved stream");
	expect(TO_FILE, 0, "");
	expect_repaired("file", 3000000);
	make_guest(&(struct guest){ .more = just_enough });
	expect(THROUGH, 0, "");
	expect_repaired("pipe", 3000000);
}

Test(cli_pvclock, an_address_where_no_guest_has_it_is_refused_in_a_pipe)
{
	struct pvclock clock;

	make_guest(&(struct guest){ .address = CLOCK_PAGE + 0x44 });
	expect(THROUGH, 3, "no multiple of 32");
	expect(TO_FILE, 0, "");
	cr_expect(read_clock("file", CLOCK_PAGE + 0x44, &clock) && pvclock_khz(&clock) == 3000000);
}

static void another_page(struct stream_builder *b, const uint8_t *page)
{
	put_page(b, CLOCK_PAGE + 0x1000, page);
}

Test(cli_pvclock, a_page_that_is_not_there_is_told_in_both_ways)
{
	make_guest(&(struct guest){ .more = another_page });
	expect(TO_FILE " -v", 0, "not where its MSR says");
	expect(THROUGH " && cmp file.json pipe.json", 0, "");
	make_guest(&(struct guest){ .address = CLOCK_PAGE + 0xfe4 });
	expect(TO_FILE " -v", 0, "not where its MSR says");
	expect(THROUGH " && cmp file.json pipe.json", 0, "");
}

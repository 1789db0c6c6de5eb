/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* May NEW load what OLD saved: planted breakages, allowed changes, and the schemas of this project. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "apic/registry.h"
#include "stream/schema_json.h"
#include "tests/unit/text_fd.h"
#include "vmstate/schema_check.h"

#define FIELD_COUNT "{\"name\": \"count\", \"type\": \"uint32\", \"size\": 4}"
#define FIELD_LOAD "{\"name\": \"load\", \"type\": \"int64\", \"size\": 8}"
#define FIELD_FILL "{\"name\": \"unused\", \"type\": \"unused_buffer\", \"size\": 4}"
#define FIELD_A "{\"name\": \"a\", \"type\": \"uint16\", \"size\": 2}"
#define FIELD_B "{\"name\": \"b\", \"type\": \"uint16\", \"size\": 2}"
#define SUB_IRQ                                                                                                \
	"{\"name\": \"timer/irq\", \"version\": 1, \"minimum_version\": 1, \"needed\": \"yes\", \"fields\": [" \
	"{\"name\": \"pending\", \"type\": \"uint8\", \"size\": 1}]}"
#define DEVICE_RTC                                                                                       \
	",{\"device\": \"rtc\", \"state\": {\"name\": \"rtc\", \"version\": 1, \"minimum_version\": 1, " \
	"\"fields\": [{\"name\": \"ram\", \"type\": \"buffer\", \"size\": 128}]}}"

static const char base[] =
	"{\"irqshift-schema\": 1, \"source\": \"registry\", \"devices\": [\n"
	"{\"device\": \"timer\", \"state\": {\"name\": \"timer\", \"version\": 3, \"minimum_version\": 1, "
	"\"post_load\": \"yes\", \"fields\": [\n" FIELD_COUNT ",\n" FIELD_LOAD ",\n"
	"{\"name\": \"mode\", \"type\": \"uint8\", \"size\": 1, \"since\": 2},\n"
	"{\"name\": \"regs\", \"type\": \"uint32\", \"size\": 4, \"count\": 8},\n"
	"{\"name\": \"chan\", \"type\": \"struct\", \"count\": 2, \"struct\": {\"name\": \"chan\", \"version\": 1, "
	"\"minimum_version\": 1, \"fields\": [\n" FIELD_A ",\n" FIELD_B "]}},\n"
	"{\"name\": \"queue\", \"type\": \"uint64\", \"size\": 8, \"count\": 16, \"form\": \"partial\"},\n"
	"{\"name\": \"line\", \"type\": \"uint8\", \"size\": 1, \"derived\": true},\n"
	"{\"name\": \"limit\", \"type\": \"uint32\", \"size\": 4, \"immutable\": true}\n"
	"], \"subsections\": [" SUB_IRQ "]}}\n" DEVICE_RTC "]}";

/* NEW is OLD with one text in place of another, once or twice. */
struct change {
	const char *name, *find, *replace, *find2, *replace2;
	enum schema_what what;
	enum schema_severity severity;
	const char *path;
};

static const struct change breakages[] = {
	{ "a field is removed", FIELD_COUNT ",\n", "", NULL, NULL, SCHEMA_FIELD_REMOVED, SCHEMA_ERROR,
	  "timer.count" },
	{ "the last field of a struct is removed", ",\n" FIELD_B, "", NULL, NULL, SCHEMA_FIELD_REMOVED,
	  SCHEMA_ERROR, "timer.chan.b" },
	{ "two fields change places", FIELD_COUNT ",\n" FIELD_LOAD, FIELD_LOAD ",\n" FIELD_COUNT, NULL, NULL,
	  SCHEMA_FIELD_REORDERED, SCHEMA_ERROR, "timer.count" },
	{ "a field gets another sign", "\"count\", \"type\": \"uint32\"", "\"count\", \"type\": \"int32\"",
	  NULL, NULL, SCHEMA_RETYPED, SCHEMA_ERROR, "timer.count" },
	{ "a field gets another size", "\"buffer\", \"size\": 128", "\"buffer\", \"size\": 256", NULL, NULL,
	  SCHEMA_RESIZED, SCHEMA_ERROR, "rtc.ram" },
	{ "an array gets shorter", "\"count\": 8}", "\"count\": 6}", NULL, NULL, SCHEMA_ARRAY_LENGTH,
	  SCHEMA_ERROR, "timer.regs" },
	{ "a field is added and says it was always there", FIELD_LOAD,
	  FIELD_LOAD ",\n{\"name\": \"x\", \"type\": \"uint8\", \"size\": 1}", "\"version\": 3",
	  "\"version\": 4", SCHEMA_FIELD_UNVERSIONED, SCHEMA_ERROR, "timer.x" },
	{ "a field is added to the version that is out", FIELD_LOAD,
	  FIELD_LOAD ",\n{\"name\": \"x\", \"type\": \"uint8\", \"size\": 1, \"since\": 3}", NULL, NULL,
	  SCHEMA_FIELD_UNVERSIONED, SCHEMA_ERROR, "timer.x" },
	{ "a field is added and the version does not rise", FIELD_LOAD,
	  FIELD_LOAD ",\n{\"name\": \"x\", \"type\": \"uint8\", \"size\": 1, \"since\": 4}", NULL, NULL,
	  SCHEMA_SINCE_ABOVE_VERSION, SCHEMA_ERROR, "timer.x" },
	{ "a field is added to a struct", FIELD_B,
	  FIELD_B ",\n{\"name\": \"c\", \"type\": \"uint8\", \"size\": 1, \"since\": 2}",
	  "\"chan\", \"version\": 1", "\"chan\", \"version\": 2", SCHEMA_FIELD_IN_STRUCT, SCHEMA_ERROR,
	  "timer.chan.c" },
	{ "a field is no longer read from that version",
	  "\"mode\", \"type\": \"uint8\", \"size\": 1, \"since\": 2",
	  "\"mode\", \"type\": \"uint8\", \"size\": 1, \"since\": 4", "\"version\": 3", "\"version\": 4",
	  SCHEMA_SINCE_RAISED, SCHEMA_ERROR, "timer.mode" },
	{ "the version goes down", "\"version\": 3", "\"version\": 2", NULL, NULL, SCHEMA_VERSION_LOWERED,
	  SCHEMA_ERROR, "timer" },
	{ "the minimum rises above what OLD writes", "\"version\": 3, \"minimum_version\": 1",
	  "\"version\": 4, \"minimum_version\": 4", NULL, NULL, SCHEMA_MINIMUM_RAISED, SCHEMA_ERROR,
	  "timer" },
	{ "the minimum rises", "\"version\": 3, \"minimum_version\": 1",
	  "\"version\": 3, \"minimum_version\": 3", NULL, NULL, SCHEMA_MINIMUM_RAISED, SCHEMA_WARNING,
	  "timer" },
	{ "a subsection is removed", "\"subsections\": [" SUB_IRQ "]", "\"subsections\": []", NULL, NULL,
	  SCHEMA_SUBSECTION_REMOVED, SCHEMA_ERROR, "timer.timer/irq" },
	{ "a subsection is added that is always sent", SUB_IRQ,
	  SUB_IRQ ",{\"name\": \"timer/x\", \"version\": 1, \"needed\": \"no\", \"fields\": []}", NULL, NULL,
	  SCHEMA_SUBSECTION_UNNEEDED, SCHEMA_ERROR, "timer.timer/x" },
	{ "a subsection loses its test of need", "\"needed\": \"yes\"", "\"needed\": \"no\"", NULL, NULL,
	  SCHEMA_SUBSECTION_UNNEEDED, SCHEMA_ERROR, "timer.timer/irq" },
	{ "a subsection is added that no loader recognises", SUB_IRQ,
	  SUB_IRQ ",{\"name\": \"clock/x\", \"version\": 1, \"needed\": \"yes\", \"fields\": []}", NULL, NULL,
	  SCHEMA_SUBSECTION_NAME, SCHEMA_ERROR, "timer.clock/x" },
	{ "derived without a post_load", "\"post_load\": \"yes\"", "\"post_load\": \"no\"", NULL, NULL,
	  SCHEMA_DERIVED_UNSET, SCHEMA_ERROR, "timer.line" },
	{ "a partial array becomes a full one", ", \"form\": \"partial\"", "", NULL, NULL,
	  SCHEMA_FORM_CHANGED, SCHEMA_ERROR, "timer.queue" },
	{ "a field becomes a struct", FIELD_COUNT,
	  "{\"name\": \"count\", \"type\": \"struct\", \"struct\": {\"name\": \"c\", \"version\": 1, \"fields\": []}}",
	  NULL, NULL, SCHEMA_STRUCT_CHANGED, SCHEMA_ERROR, "timer.count" },
	{ "a field gets another name", "{\"name\": \"count\"", "{\"name\": \"number\"", NULL, NULL,
	  SCHEMA_FIELD_RENAMED, SCHEMA_ERROR, "timer.number" },
	{ "a field is cut into two", "\"buffer\", \"size\": 128}",
	  "\"buffer\", \"size\": 120}, {\"name\": \"x\", \"type\": \"uint64\", \"size\": 8}", NULL, NULL,
	  SCHEMA_FIELD_SPLIT, SCHEMA_WARNING, "rtc.ram" },
	{ "an immutable field is overwritten", ", \"immutable\": true", "", NULL, NULL,
	  SCHEMA_IMMUTABLE_CHANGED, SCHEMA_WARNING, "timer.limit" },
	{ "a device is removed", DEVICE_RTC, "", NULL, NULL, SCHEMA_DEVICE_REMOVED, SCHEMA_ERROR, "rtc" },
	{ "a section gets another name", "\"rtc\", \"version\"", "\"mc146818rtc\", \"version\"", NULL, NULL,
	  SCHEMA_SECTION_RENAMED, SCHEMA_ERROR, "rtc" },
};

static const struct change allowed[] = {
	{ "nothing", "", "", NULL, NULL, SCHEMA_NR_WHATS, SCHEMA_NOTE, "" },
	{ "a field of a new version", FIELD_LOAD,
	  FIELD_LOAD ",\n{\"name\": \"x\", \"type\": \"uint8\", \"size\": 1, \"since\": 4}", "\"version\": 3",
	  "\"version\": 4", SCHEMA_FIELD_ADDED, SCHEMA_NOTE, "timer.x" },
	{ "a field that becomes filler", FIELD_COUNT, FIELD_FILL, NULL, NULL, SCHEMA_FIELD_RETIRED,
	  SCHEMA_NOTE, "timer.count" },
	{ "a subsection with a test of need", SUB_IRQ,
	  SUB_IRQ ",{\"name\": \"timer/x\", \"version\": 1, \"needed\": \"yes\", \"fields\": []}", NULL, NULL,
	  SCHEMA_SUBSECTION_ADDED, SCHEMA_NOTE, "timer.timer/x" },
	{ "another device", DEVICE_RTC,
	  DEVICE_RTC ",{\"device\": \"x\", \"state\": {\"name\": \"x\", \"version\": 1, \"fields\": []}}",
	  NULL, NULL, SCHEMA_DEVICE_ADDED, SCHEMA_NOTE, "x" },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char *replaced(const char *text, const char *find, const char *replace)
{
	const char *at = strstr(text, find);
	char *out;

	cr_assert(at, "the schema has no %s", find);
	cr_assert(asprintf(&out, "%.*s%s%s", (int)(at - text), text, replace, at + strlen(find)) > 0);
	return out;
}

static void load_text(const char *text, struct schema *ret)
{
	struct irqs_error err = { .text = "" };
	int fd = text_fd(text), rc = schema_load(ret, fd, &err);

	cr_assert_eq(rc, 0, "%s: %s\n%s", err.path, err.text, text);
	close(fd);
}

static struct schema_findings check_texts(const char *old_text, const char *new_text)
{
	struct schema_findings f;
	struct schema old, new;

	schema_findings_init(&f);
	load_text(old_text, &old);
	load_text(new_text, &new);
	cr_assert_eq(schema_check(&old, &new, &f), 0);
	schema_deinit(&new);
	schema_deinit(&old);
	return f;
}

static struct schema_findings check_change(const struct change *c)
{
	char *once = replaced(base, c->find, c->replace),
	     *twice = c->find2 ? replaced(once, c->find2, c->replace2) : NULL;
	struct schema_findings f = check_texts(base, twice ? twice : once);

	free(once);
	free(twice);
	return f;
}

static bool has(const struct schema_findings *f, const struct change *c)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->entries[i].what == c->what && f->entries[i].severity == c->severity &&
		    !strcmp(f->entries[i].path, c->path))
			return true;
	return c->what == SCHEMA_NR_WHATS;
}

static const char *first(const struct schema_findings *f)
{
	return f->count ? schema_what_name(f->entries[0].what) : "nothing";
}

Test(schema, planted_breakages_are_found_with_their_path)
{
	cr_assert_geq(COUNT(breakages), 15);
	for (size_t i = 0; i < COUNT(breakages); i++) {
		const struct change *c = &breakages[i];
		struct schema_findings f = check_change(c);

		cr_expect(has(&f, c), "%s: found %s", c->name, first(&f));
		schema_findings_deinit(&f);
	}
}

Test(schema, one_breakage_is_one_error)
{
	for (size_t i = 0; i < COUNT(breakages); i++) {
		const struct change *c = &breakages[i];
		struct schema_findings f = check_change(c);

		cr_expect_leq(schema_count(&f, SCHEMA_ERROR), c->what == SCHEMA_SUBSECTION_NAME ? 2 : 1,
			      "%s: %zu errors", c->name, schema_count(&f, SCHEMA_ERROR));
		schema_findings_deinit(&f);
	}
}

Test(schema, allowed_changes_are_notes)
{
	for (size_t i = 0; i < COUNT(allowed); i++) {
		const struct change *c = &allowed[i];
		struct schema_findings f = check_change(c);

		cr_expect(has(&f, c), "%s: found %s", c->name, first(&f));
		cr_expect_eq(schema_count(&f, SCHEMA_ERROR) + schema_count(&f, SCHEMA_WARNING), 0, "%s: %s",
			     c->name, first(&f));
		schema_findings_deinit(&f);
	}
}

Test(schema, an_unchanged_pair_has_no_findings)
{
	struct schema_findings f = check_texts(base, base);

	cr_expect_eq(f.count, 0, "%s", first(&f));
	schema_findings_deinit(&f);
}

Test(schema, normal_form_reads_as_it_was_written)
{
	struct schema s, again;
	char *once, *twice;

	load_text(base, &s);
	once = schema_json(&s);
	load_text(once, &again);
	twice = schema_json(&again);
	cr_expect_str_eq(once, twice);
	free(once);
	free(twice);
	schema_deinit(&s);
	schema_deinit(&again);
}

Test(schema, a_known_exception_makes_a_note_with_its_reason)
{
	static const struct schema_known known[] = {
		{ .path = "timer.*", .what = "field-renamed", .old_text = "load", .reason = "another field" },
		{ .path = "timer.*",
		  .what = "field-renamed",
		  .old_text = "count",
		  .reason = "only its name" },
	};
	char *text = replaced(base, "{\"name\": \"count\"", "{\"name\": \"number\"");
	struct schema_findings f = check_texts(base, text);

	cr_assert_eq(schema_count(&f, SCHEMA_ERROR), 1);
	cr_expect_eq(schema_excuse(&f, known, COUNT(known)), 1);
	cr_expect_eq(schema_count(&f, SCHEMA_ERROR), 0);
	cr_expect_str_eq(f.entries[0].why, "only its name");
	free(text);
	schema_findings_deinit(&f);
}

Test(schema, exceptions_need_a_reason_and_a_name)
{
	static const char *const bad[] = {
		"[{\"path\": \"*\"}]",
		"[{\"path\": \"*\", \"reason\": \"\"}]",
		"[{\"reason\": \"because\"}]",
		"[{\"what\": \"no-such-finding\", \"reason\": \"because\"}]",
		"{}",
	};
	struct schema_known_list known;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct irqs_error err = { .status = IRQS_DONE };
		int fd = text_fd(bad[i]);

		cr_expect_lt(schema_known_load(&known, fd, &err), 0, "%s", bad[i]);
		cr_expect_eq(err.status, IRQS_MALFORMED, "%s", bad[i]);
		close(fd);
	}
}

Test(schema, what_is_no_schema_is_refused_by_name)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "", "neither JSON nor a stream" },
		{ "hello", "neither JSON nor a stream" },
		{ "{", "line 1" },
		{ "{}", "no schema" },
		{ "{\"irqshift-schema\": 2}", "only 1 is known" },
		{ "{\"irqshift-schema\": 1, \"source\": \"x\"}", "\"source\" is not known" },
		{ "{\"irqshift-schema\": 1, \"source\": \"stream\", \"devices\": [{\"device\": \"a\", \"state\": {}}]}",
		  "without \"name\"" },
		{ "{\"vmschkmachine\": {\"Name\": \"pc\"}, \"a\": {}}", "without a name" },
		{ "{\"devices\": [{\"name\": \"a\", \"vmsd_name\": \"a\", \"version\": -1, \"fields\": []}]}",
		  "no number" },
	};
	struct schema s;

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct irqs_error err = { .text = "" };
		int fd = text_fd(bad[i].text);

		cr_expect_lt(schema_load(&s, fd, &err), 0, "%s", bad[i].text);
		cr_expect(strstr(err.text, bad[i].says), "%s: %s", bad[i].text, err.text);
		close(fd);
	}
}

/* ---- what QEMU writes ---- */

Test(schema, a_dump_says_nothing_of_types_and_a_stream_nothing_of_tests)
{
	static const char dump[] =
		"{\"vmschkmachine\": {\"Name\": \"pc\"}, \"kvm-x\": {\"Name\": \"kvm-x\", \"version_id\": 2, "
		"\"minimum_version_id\": 1, \"Description\": {\"name\": \"x\", \"version_id\": 2, \"minimum_version_id\": 1, "
		"\"Fields\": [{\"field\": \"a\", \"version_id\": 0, \"field_exists\": false, \"size\": 4},"
		"{\"field\": \"a\", \"version_id\": 0, \"field_exists\": true, \"size\": 4},"
		"{\"field\": \"b\", \"version_id\": 2, \"field_exists\": false, \"size\": 8}],"
		"\"Subsections\": [{\"name\": \"x/s\", \"version_id\": 1, \"minimum_version_id\": 1, \"Fields\": []}]}}}";
	static const char stream[] =
		"{\"page_size\": 4096, \"devices\": [{\"name\": \"x\", \"instance_id\": 0, \"vmsd_name\": \"x\", \"version\": 2, "
		"\"fields\": [{\"name\": \"a\", \"type\": \"uint32 equal\", \"size\": 4},"
		"{\"name\": \"b\", \"index\": 0, \"type\": \"uint64\", \"size\": 8},"
		"{\"name\": \"b\", \"type\": \"uint64\", \"size\": 8}]},"
		"{\"name\": \"x\", \"instance_id\": 1, \"vmsd_name\": \"x\", \"version\": 2, "
		"\"fields\": [{\"name\": \"a\", \"type\": \"uint32\", \"size\": 4},"
		"{\"name\": \"b\", \"index\": 0, \"type\": \"uint64\", \"size\": 8},"
		"{\"name\": \"b\", \"index\": 1, \"type\": \"uint64\", \"size\": 8}],"
		"\"subsections\": [{\"vmsd_name\": \"x/s\", \"version\": 1, \"fields\": []}]}]}";
	struct schema_findings f = check_texts(stream, dump);
	struct schema s;

	cr_expect_eq(schema_count(&f, SCHEMA_ERROR) + schema_count(&f, SCHEMA_WARNING), 0, "%s", first(&f));
	schema_findings_deinit(&f);
	load_text(stream, &s);
	cr_expect_eq(s.ndevices, 1);
	cr_expect_str_eq(s.devices[0].desc->fields->type, "uint32");
	cr_expect_eq(s.devices[0].desc->fields->next->count, 2);
	cr_expect_str_eq(s.devices[0].desc->subsections->name, "x/s");
	schema_deinit(&s);
}

Test(schema, the_bytes_of_several_fields_can_become_one_filler)
{
	static const char old[] =
		"{\"vmschkmachine\": {}, \"x\": {\"Description\": {\"name\": \"x\", \"version_id\": 1, \"Fields\": ["
		"{\"field\": \"a\", \"size\": 4}, {\"field\": \"b\", \"size\": 4}, {\"field\": \"c\", \"size\": 1}]}}}";
	char *good = replaced(old, "{\"field\": \"a\", \"size\": 4}, {\"field\": \"b\", \"size\": 4}",
			      "{\"field\": \"unused\", \"size\": 8}");
	char *bad = replaced(old, "{\"field\": \"a\", \"size\": 4}, {\"field\": \"b\", \"size\": 4}",
			     "{\"field\": \"unused\", \"size\": 7}");
	struct schema_findings f = check_texts(old, good);

	cr_expect_eq(schema_count(&f, SCHEMA_ERROR) + schema_count(&f, SCHEMA_WARNING), 0, "%s", first(&f));
	cr_expect_eq(schema_count(&f, SCHEMA_NOTE), 2);
	schema_findings_deinit(&f);
	f = check_texts(old, bad);
	cr_expect_gt(schema_count(&f, SCHEMA_ERROR), 0);
	schema_findings_deinit(&f);
	free(good);
	free(bad);
}

/* ---- this project's own ---- */

static char *read_file(const char *path)
{
	static char buf[1 << 17];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	cr_assert_geq(n, 0, "%s cannot be read", path);
	close(fd);
	buf[n] = '\0';
	return buf;
}

static size_t count_descriptions(void)
{
	size_t n = 0;

	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		size_t same = 0;

		for (const struct apic_chip *d = apic_chips; d < c; d++)
			same += d->desc == c->desc;
		n += c->desc && !same;
	}
	return n;
}

Test(schema, descriptions_are_those_that_are_checked_in)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		struct schema s;
		char path[128], *text;

		if (!c->desc)
			continue;
		schema_init(&s, SCHEMA_REGISTRY);
		cr_assert_eq(schema_add_desc(&s, c->desc, NULL), 0);
		text = schema_json(&s);
		snprintf(path, sizeof(path), "tests/data/schema/%s.json", c->desc->name);
		cr_expect_str_eq(text, read_file(path), "the description of %s is not that of %s",
				 c->desc->name, path);
		free(text);
		schema_deinit(&s);
	}
}

Test(schema, descriptions_load_what_the_checked_in_ones_saved)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		struct schema_findings f;
		struct schema old, new;
		char path[128];

		if (!c->desc)
			continue;
		schema_findings_init(&f);
		schema_init(&new, SCHEMA_REGISTRY);
		cr_assert_eq(schema_add_desc(&new, c->desc, NULL), 0);
		snprintf(path, sizeof(path), "tests/data/schema/%s.json", c->desc->name);
		load_text(read_file(path), &old);
		cr_assert_eq(schema_check(&old, &new, &f), 0);
		cr_expect_eq(f.count, 0, "%s: %s", path, first(&f));
		schema_findings_deinit(&f);
		schema_deinit(&old);
		schema_deinit(&new);
	}
}

Test(schema, no_description_has_gone)
{
	glob_t g;

	cr_assert_eq(glob("tests/data/schema/*.json", 0, NULL, &g), 0);
	/* One of the files lists known exceptions. */
	cr_expect_eq(g.gl_pathc, count_descriptions() + 1);
	globfree(&g);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Mistakes in rules: each is named with its line and column; the published schema sees what a schema can see. */
#include <criterion/criterion.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_schema.h"
#include "rules_box.h"

#define SCHEMA "docs/rules.schema.json"

#define HEAD "{'irqshift-rules': 1, 'name': 'n', 'summary': 's',\n"
#define RULE "'section': 'dev', 'cost': 'lossless', 'why': 'w',\n"

/* Line 1 is HEAD, line 2 starts at "'forward'", line 3 at "'do'", behind RULE. */
#define DO(actions) HEAD "'forward': [{" RULE "'do': [" actions "]}]}"
#define BACK(actions) HEAD "'back': 'inverse', 'forward': [{" RULE "'do': [" actions "]}]}"
#define LAYOUT(fields) HEAD "'layouts': {'l': {'fields': [{'name': 'b', 'type': 'buffer', 'size': 4},\n" fields "]}},\n" \
			    "'forward': [{" RULE "'do': [{'drop': {}}]}]}"

/* Whether the schema sees the mistake too: not what depends on another place of the text. */
enum seen {
	SEEN,
	UNSEEN,
	NO_JSON,
};

static const struct {
	const char *text;
	enum seen seen;
	unsigned int line, column;
	const char *says;
} cases[] = {
	{ "", NO_JSON, 1, 0, "'[' or '{' expected" },
	{ "{'irqshift-rules': 1,\n 'name' 'x'}", NO_JSON, 2, 11, "':' expected near" },
	{ "{'irqshift-rules': 1,\n 'name': 'a', 'name': 'b'}", NO_JSON, 2, 20, "duplicate object key" },
	{ "[1]", SEEN, 1, 1, "an object is needed here" },
	{ " {'name': 'x'}", SEEN, 1, 2, "no rules: \"irqshift-rules\" is missing" },
	{ "{'irqshift-rules': 2}", SEEN, 1, 20, "irqshift-rules: version 2 of this form: only 1 is known" },
	{ "{'irqshift-rules': '1'}", SEEN, 1, 20, "a whole number from 1 to 65535" },
	{ "{'irqshift-rules': 1, 'name': 'n', 'summary': 's'}", SEEN, 1, 1, "\"forward\" is missing" },
	{ HEAD "'forward': [], 'extra\\n': 3}", SEEN, 2, 16, "extra?: no such key" },
	{ HEAD "'forward': []}", SEEN, 2, 12, "forward: a list of rules is needed here" },
	{ HEAD "'from': ['kvm', 'xen'], 'forward': []}", SEEN, 2, 17, "from[1]: no kind of host" },
	{ HEAD "'from': ['kvm@qemu~7.2'], 'forward': []}", SEEN, 2, 10, "from[0]: no kind of host" },
	{ HEAD "'from': ['*@qemu<7'], 'forward': []}", SEEN, 2, 10, "from[0]: no kind of host" },
	{ HEAD "'to': [], 'forward': []}", SEEN, 2, 7, "to: no host is in this list" },
	{ HEAD "'after': 'types', 'forward': []}", SEEN, 2, 10, "after: a list of texts is needed here" },
	{ "{'irqshift-rules': 1, 'name': 'A b', 'summary': 's', 'forward': []}", SEEN, 1, 31, "name: a name of small" },
	{ HEAD "'forward': [{'section': 'd', 'cost': 'free', 'why': 'w', 'do': [{'drop': {}}]}]}", SEEN, 2, 38,
	  "forward[0].cost: lossless, approximate, lossy or fatal is needed here" },
	{ HEAD "'forward': [{'cost': 'lossy', 'why': 'w', 'do': [{'drop': {}}]}]}", SEEN, 2, 13,
	  "forward[0]: \"section\" is missing" },
	{ HEAD "'forward': [{" RULE "'recurse': 1, 'do': [{'drop': {}}]}]}", SEEN, 3, 12, "recurse: true or false" },
	{ HEAD "'forward': [{" RULE "'instance': -1, 'do': [{'drop': {}}]}]}", SEEN, 3, 13, "from 0 to 4294967294" },
	{ HEAD "'forward': [{" RULE "'where': [{'field': 'x'}], 'do': [{'drop': {}}]}]}", SEEN, 3, 11,
	  "forward[0].where[0]: \"value\" is missing" },
	{ HEAD "'forward': [{" RULE "'where': [{'op': 'present', 'value': 1}], 'do': [{'drop': {}}]}]}", SEEN, 3, 29,
	  "\"present\" takes no value" },
	{ HEAD "'forward': [{" RULE "'where': [{'op': '=', 'value': 1}], 'do': [{'drop': {}}]}]}", SEEN, 3, 18,
	  "present or absent is needed here" },
	{ HEAD "'forward': [{" RULE "'where': [{'value': '1e3'}], 'do': [{'drop': {}}]}]}", SEEN, 3, 21, "a whole number" },
	{ HEAD "'forward': [{" RULE "'where': [{'value': 1.5}], 'do': [{'drop': {}}]}]}", SEEN, 3, 21, "a whole number" },
	{ HEAD "'forward': [{" RULE "'where': [{'in': 'x', 'value': 1}], 'do': [{'drop': {}}]}]}", UNSEEN, 3, 11,
	  "\"field\" is missing" },
	{ DO("{}"), SEEN, 3, 8, "forward[0].do[0]: no action is in this object" },
	{ DO("{'drop': {}}, {'drop': {}, 'set': {}}"), SEEN, 3, 35, "do[1].set: a second action in one object" },
	{ DO("{'burn': {}}"), SEEN, 3, 9, "forward[0].do[0].burn: no such key" },
	{ DO("{'drop': 'x'}"), SEEN, 3, 17, "drop: an object is needed here" },
	{ DO("{'drop': {'field': ''}}"), SEEN, 3, 27, "drop.field: a text is needed here" },
	{ DO("{'drop': {'field': 'x', 'count': 3}}"), SEEN, 3, 32, "\"type\" is missing: there is a field to make" },
	{ DO("{'rename': {'field': 'x'}}"), SEEN, 3, 19, "rename: \"to\" is missing" },
	{ DO("{'rename': {'field': 'x', 'section': 'y'}}"), SEEN, 3, 20, "rename.field: is for fields" },
	{ DO("{'rename': {'to': 'x', 'type': 'float'}}"), SEEN, 3, 39, "a type of integers is needed here" },
	{ DO("{'rename': {'to': 'x', 'multiply': 0}}"), SEEN, 3, 43, "from 1 to 2^63 - 1" },
	{ DO("{'rename': {'to': 'x', 'was_type': 'bool'}}"), SEEN, 3, 31, "\"type\" is missing" },
	{ DO("{'set': {'field': 'x'}}"), SEEN, 3, 16, "\"value\" is missing, or \"version\"" },
	{ DO("{'set': {'field': 'x', 'value': []}}"), SEEN, 3, 40, "no value is in this list" },
	{ DO("{'set': {'field': 'x', 'value': [1, true]}}"), SEEN, 3, 44, "set.value[1]: a whole number" },
	{ DO("{'set': {'field': 'x', 'value': '18446744073709551616'}}"), UNSEEN, 3, 40, "of 64 bits" },
	{ DO("{'set': {'field': 'x', 'value': 1, 'mask': 0}}"), UNSEEN, 3, 51, "a mask has at least one bit" },
	{ DO("{'set': {'value': 1, 'type': 'bool'}}"), SEEN, 3, 16, "\"field\" is missing" },
	{ DO("{'set': {'version': 1, 'value': 1}}"), SEEN, 3, 31, "set.value: no such key" },
	{ DO("{'set': {'version': 4294967296}}"), SEEN, 3, 28, "from 0 to 2147483647" },
	{ DO("{'move': {'field': 'x'}}"), SEEN, 3, 17, "move: \"to\" is missing" },
	{ DO("{'move': {'field': 'x[*].y', 'to': 'z'}}"), UNSEEN, 3, 43, "\"[*]\" is in both paths or in none" },
	{ DO("{'move': {'field': 'x[*].y', 'to': 'z[*].y'}}"), UNSEEN, 3, 43, "\"[*]\" is in both paths or in none" },
	{ DO("{'copy': {'field': 'x', 'to': 'y', 'was_after': 'z'}}"), SEEN, 3, 43, "copy.was_after: no such key" },
	{ DO("{'map': {'values': {}}}"), SEEN, 3, 27, "an object of old and new values" },
	{ DO("{'map': {'values': {'one': 1}}}"), SEEN, 3, 28, "a text with a number is needed here" },
	{ DO("{'map': {'values': {'1': 1, '0x1': 2}}}"), UNSEEN, 3, 36, "a second new value for the same old one" },
	{ DO("{'map': {'values': {'1': 1}, 'else': 'drop'}}"), SEEN, 3, 45, "\"keep\", \"refuse\" or a number" },
	{ DO("{'require': {'field': 'x', 'value': 0}}"), UNSEEN, 3, 9, "its cost is lossy or fatal" },
	{ DO("{'cost': 'fatal', 'require': {'all': []}}"), SEEN, 3, 45, "a list of conditions is needed here" },
	{ DO("{'split': {'parts': [{'name': 'x', 'version': 1}]}}"), SEEN, 3, 29, "parts[0]: \"fields\" is missing" },
	{ DO("{'unpack': {'field': 'x', 'layout': 'l'}}"), UNSEEN, 3, 44, "unpack.layout: no such layout" },
	{ HEAD "'forward': [{" RULE "'path': 'x', 'do': [{'rename': {'section': 'y'}}]}]}", UNSEEN, 3, 21,
	  "it changes whole sections" },
	{ LAYOUT("{'name': 'b', 'type': 'bool'}"), UNSEEN, 3, 10, "layouts.l.fields[1].name: a second field" },
	{ LAYOUT("{'name': 'c', 'type': 'raw'}"), UNSEEN, 3, 1, "a buffer has a \"size\", or a \"count\"" },
	{ LAYOUT("{'name': 'c', 'type': 'bool', 'size': 1}"), UNSEEN, 3, 31, "only a buffer has a size" },
	{ LAYOUT("{'name': 'c', 'type': 'struct', 'layout': 'l'}"), UNSEEN, 3, 43, "no such layout above this one" },
	{ LAYOUT("{'name': 'c', 'type': 'raw', 'count': {'field': 'b', 'at': 2, 'width': 4}}"), UNSEEN, 3, 39,
	  "this is behind the end of b" },
	{ LAYOUT("{'name': 'c', 'type': 'raw', 'count': {'field': 'd'}}"), UNSEEN, 3, 49, "above this one" },
	{ LAYOUT("{'name': 'c', 'type': 'raw', 'count': 70000}"), SEEN, 3, 39, "from 1 to 65536" },
	{ BACK("{'drop': {'field': 'x'}}"), UNSEEN, 3, 17, "do[0].drop: it has no inverse: \"was\" and \"type\"" },
	{ BACK("{'copy': {'field': 'x', 'to': 'y'}}"), UNSEEN, 3, 17, "copy: it has no inverse" },
	{ BACK("{'map': {'values': {'1': 2, '3': 2}}}"), UNSEEN, 3, 16, "map: it has no inverse: it makes two values one" },
	{ BACK("{'map': {'values': {'1': 2}, 'else': 'keep'}}"), UNSEEN, 3, 16, "map: it has no inverse: \"else\"" },
	{ BACK("{'set': {'field': 'x', 'value': 1}}"), UNSEEN, 3, 16, "set: it has no inverse: \"was\" is missing" },
	{ BACK("{'rename': {'field': 'a.b', 'to': 'c'}}"), UNSEEN, 3, 19, "\"was\" is missing: a '.' may be" },
	{ BACK("{'rename': {'field': 'a.b', 'to': 'c', 'was': 'd'}}"), UNSEEN, 3, 19, "does not end in \"was\"" },
	{ BACK("{'rename': {'field': 'a', 'to': 'c', 'type': 'bool'}}"), UNSEEN, 3, 19, "\"was_type\" is missing" },
	{ BACK("{'rename': {'section': 'a*'}}"), UNSEEN, 3, 19, "must be names without wildcards" },
	{ BACK("{'rename': {'section': 'a'}}, {'rename': {'section': 'b'}}"), UNSEEN, 3, 19, "renames the section twice" },
	{ HEAD "'back': 'inverse', 'forward': [{" RULE "'where': [{'field': 'a.b', 'value': 1}], "
	       "'do': [{'set': {'version': 1, 'was': 2}}, {'rename': {'field': 'a', 'to': 'c'}}]}]}",
	  UNSEEN, 3, 11,
	  "no inverse: what it asks for is changed by do[1]" },
	{ HEAD "'back': 'inverse', 'forward': [{" RULE "'path': 'x', 'do': [{'drop': {'was': 1}}]}]}", UNSEEN, 2, 32,
	  "only map, require and set have one" },
};

static char *quoted(const char *text)
{
	char *json = strdup(text);

	cr_assert(json);
	for (char *s = json; *s; s++)
		if (*s == '\'')
			*s = '"';
	return json;
}

Test(rules_errors, each_mistake_has_its_line_and_column)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *json = quoted(cases[i].text), where[64];
		struct irqs_error err = { 0 };
		struct rules *r = NULL;

		cr_expect_eq(rules_load(&r, json, strlen(json), &err), -EBADMSG, "%s", json);
		cr_expect(!r);
		cr_expect_eq(err.status, IRQS_MALFORMED);
		snprintf(where, sizeof(where), "line %u, column %u: ", cases[i].line, cases[i].column);
		cr_expect(!strncmp(err.text, where, strlen(where)) && strstr(err.text, cases[i].says),
			  "%s\n  should say \"%s%s\"\n  and says  \"%s\"", json, where, cases[i].says, err.text);
		free(json);
	}
}

static json_t *load_json(const char *path)
{
	json_error_t err;
	json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, &err);

	cr_assert(v, "%s: %s", path, err.text);
	return v;
}

Test(rules_errors, the_schema_sees_what_a_schema_can_see)
{
	json_t *schema = load_json(SCHEMA);
	char why[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *json = quoted(cases[i].text);
		json_t *v = json_loads(json, JSON_REJECT_DUPLICATES, NULL);

		cr_expect_eq(!v, cases[i].seen == NO_JSON, "%s", json);
		if (v)
			cr_expect_eq(json_schema_valid(schema, v, why, sizeof(why)), cases[i].seen == UNSEEN, "%s: %s",
				     json, why);
		json_decref(v);
		free(json);
	}
	json_decref(schema);
}

Test(rules_errors, every_example_is_valid_and_loads)
{
	json_t *schema = load_json(SCHEMA);
	char why[256];
	glob_t g;

	cr_assert_eq(glob("filters/rules/*.json", 0, NULL, &g), 0);
	cr_expect(g.gl_pathc >= 4);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		json_t *v = load_json(g.gl_pathv[i]);

		cr_expect(json_schema_valid(schema, v, why, sizeof(why)), "%s: %s", g.gl_pathv[i], why);
		json_decref(v);
		rules_destroy(box_file(g.gl_pathv[i]));
	}
	globfree(&g);
	json_decref(schema);
}

/* Every JSON text in the document that is a whole file of rules, an action or a rule is one. */
Test(rules_errors, the_examples_of_the_document_are_valid)
{
	json_t *schema = load_json(SCHEMA);
	size_t size, actions = 0, files = 0;
	char *text = read_whole("docs/rules.md", &size), *block = text, why[256];

	while ((block = strstr(block, "```json\n"))) {
		char *start = block + 8, *end = strstr(start, "```");
		json_t *v;

		cr_assert(end);
		v = json_loadb(start, (size_t)(end - start), JSON_REJECT_DUPLICATES, NULL);
		cr_assert(v, "no JSON: %.*s", (int)(end - start), start);
		if (json_object_get(v, "irqshift-rules")) {
			struct irqs_error err = { 0 };
			struct rules *r = NULL;

			cr_expect(!rules_load(&r, start, (size_t)(end - start), &err), "%.*s: %s", (int)(end - start), start,
				  err.text);
			rules_destroy(r);
			files++;
		} else {
			v = json_pack("{s:i, s:s, s:s, s:[{s:s, s:s, s:s, s:[o]}]}", "irqshift-rules", 1, "name", "n",
				      "summary", "s", "forward", "section", "x", "cost", "lossy", "why", "w", "do", v);
			actions++;
		}
		cr_expect(json_schema_valid(schema, v, why, sizeof(why)), "%.*s: %s", (int)(end - start), start, why);
		json_decref(v);
		block = end + 3;
	}
	cr_expect(files >= 1 && actions >= 11, "%zu files, %zu actions", files, actions);
	free(text);
	json_decref(schema);
}

Test(rules_errors, a_text_that_is_too_long_is_refused)
{
	char *text = malloc(RULES_TEXT_MAX + 1);
	struct irqs_error err = { 0 };
	struct rules *r = NULL;

	cr_assert(text);
	memset(text, ' ', RULES_TEXT_MAX + 1);
	cr_expect_eq(rules_load(&r, text, RULES_TEXT_MAX + 1, &err), -EBADMSG);
	cr_expect(strstr(err.text, "more than 1 MiB"), "%s", err.text);
	free(text);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as rules, applied both ways to a small machine whose raw field holds the rest of the input. */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "base/endian.h"
#include "filters/rules.h"

/* The input: two bytes of length, so much text, then the raw field. */
#define HEADER ((size_t)2)

static void seed_file(const char *folder, const char *name, const char *path)
{
	uint8_t buf[65536];
	FILE *f = fopen(path, "re");
	size_t len;

	if (!f)
		return;
	len = fread(buf + HEADER, 1, sizeof(buf) - HEADER - 64, f);
	fclose(f);
	put_be(buf, HEADER, len);
	memset(buf + HEADER + len, 1, 64);
	seed_write(folder, name, buf, HEADER + len + 64);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* With ' for ". */
	static const char *const texts[] = {
		"{'irqshift-rules': 1, 'name': 'n', 'summary': 's', 'layouts': {'e': {'fields': [{'name': "
		"'v', 'type': 'uint16'}, {'name': 'w', 'type': 'uint8'}]}, 'l': {'fields': [{'name': 'n', "
		"'type': 'uint8'}, {'name': 'q', 'type': 'struct', 'layout': 'e', 'count': {'field': 'n'}}, "
		"{'name': 'rest', 'type': 'buffer', 'size': 60}]}}, 'forward': [{'section': '*', 'cost': "
		"'lossless', 'why': 'w', 'do': [{'unpack': {'field': 'raw', 'layout': 'l'}}, {'move': "
		"{'field': 'q[*].v', 'to': 'v[*]', 'was_after': []}}, {'split': {'parts': [{'name': 'x$1', "
		"'version': 1, 'fields': ['*']}]}}]}], 'back': 'inverse'}",
		"{'irqshift-rules': 1, 'name': 'n', 'summary': 's', 'forward': [{'section': 'd?v', 'recurse': "
		"true, 'cost': 'lossy', 'why': 'w', 'where': [{'field': 'mode', 'op': '<', 'value': 9}], "
		"'do': [{'map': {'field': 'mode', 'values': {'2': 3}}}, {'copy': {'field': 'queues', 'to': "
		"'more'}}, {'require': {'field': 'irr', 'op': '&', 'value': 1}}, {'set': {'field': 'new', "
		"'type': 'int16', 'count': 3, 'value': -1, 'after': 'mode'}}, {'drop': {'field': 'irr'}}]}]}",
		"{'irqshift-rules': 1, 'name': 'n', 'summary': 's', 'forward': [{'section': 'dev', 'path': "
		"'*.num', 'recurse': true, 'cost': 'lossless', 'why': 'w', 'do': [{'set': {'value': 7, 'was': "
		"1, 'mask': 15}}]}, {'section': 'dev', 'cost': 'lossless', 'why': 'w', 'do': [{'rename': "
		"{'field': 'mode', 'to': 'm', 'type': 'uint32', 'was_type': 'uint8', 'multiply': 3}}, "
		"{'rename': {'section': 'ved'}}]}], 'back': 'inverse'}",
	};
	const char *folder = seed_folder(*argc, *argv);
	uint8_t buf[4096];

	if (!folder)
		return 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);
		char name[16];

		put_be(buf, HEADER, len);
		for (size_t k = 0; k < len; k++)
			buf[HEADER + k] = (uint8_t)(texts[i][k] == '\'' ? '"' : texts[i][k]);
		memset(buf + HEADER + len, 1, 64);
		snprintf(name, sizeof(name), "text-%zu", i);
		seed_write(folder, name, buf, HEADER + len + 64);
	}
	seed_file(folder, "virtio", "filters/rules/virtio-blk-pci.json");
	seed_file(folder, "pvtimer", "filters/rules/pvtimer-1.0-1.1.json");
	return 0;
}

static struct vms_node *add(struct vms_tree *t, struct vms_node *parent, enum vms_kind kind, const char *name)
{
	struct vms_node *n = vms_node_create(t, kind, name, kind == VMS_SECTION ? name : "struct");

	if (!n)
		abort();
	n->vmsd = n->name;
	vms_append(parent, n);
	return n;
}

/* A section with a field of every kind, and one more. */
static void make_machine(struct vms_tree *t, const uint8_t *data, size_t size)
{
	struct vms_node *dev, *list, *raw;

	if (vms_tree_init(t, NULL))
		abort();
	dev = add(t, t->machine, VMS_SECTION, "dev");
	dev->version = 1;
	vms_element_set(vms_add_int(t, dev, "mode", "uint8", 0), 0, 2);
	vms_add_int(t, dev, "irr", "uint32", 4);
	list = add(t, dev, VMS_ARRAY, "queues");
	list->array = true;
	list->count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct vms_node *e = add(t, list, VMS_STRUCT, "queues");

		e->index = i;
		vms_element_set(vms_add_int(t, e, "num", "uint16", 0), 0, i);
		vms_add_int(t, e, "vector", "int64", 0);
	}
	raw = add(t, dev, VMS_BYTES, "raw");
	raw->vmsd = NULL;
	raw->type = "buffer";
	raw->width = (uint32_t)size;
	raw->data = arena_alloc(&t->arena, size ? size : 1);
	if (!raw->data)
		abort();
	memcpy(raw->data, data, size);
	vms_add_int(t, vms_add_subsection(t, dev, "dev/extra", 1), "mode", "bool", 0);
	vms_add_int(t, add(t, t->machine, VMS_SECTION, "pvtimer"), "irq", "uint8", 0);
}

static void check_below(const struct vms_node *n)
{
	const struct vms_node *last = NULL;

	for (const struct vms_node *c = vms_first_child(n); c; c = c->next) {
		if (c->parent != n || c->prev != last || ((c->kind == VMS_INT || c->kind == VMS_BYTES) && !c->data))
			abort();
		check_below(c);
		last = c;
	}
	if (vms_last_child(n) != last)
		abort();
}

static void apply(struct rules *r, const uint8_t *data, size_t size)
{
	static const char *const none[] = { NULL };
	const struct filter *extra[] = { rules_filter(r), NULL };
	struct filter_options opt = { .allow = COST_LOSSY, .only = none, .extra = extra };
	struct profile tcg = { .kind = PROFILE_TCG };
	struct irqs_error err = { .status = IRQS_DONE };
	struct report report;
	struct vms_tree t;
	int rc;

	make_machine(&t, data, size);
	report_init(&report);
	if (rules_force(r, RULES_FORWARD, NULL))
		abort();
	rc = filter_convert(&t, &tcg, &tcg, &opt, &report, &err);
	if (rc && (err.status == IRQS_DONE || !err.text[0]))
		abort();
	check_below(t.machine);
	if (!rc && !rules_force(r, RULES_BACK, NULL)) {
		filter_convert(&t, &tcg, &tcg, &opt, &report, &err);
		check_below(t.machine);
	}
	report_deinit(&report);
	vms_tree_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct rules *r;
	size_t len;
	char *text;

	if (size < HEADER)
		return 0;
	len = (size_t)get_be(data, HEADER);
	data += HEADER;
	size -= HEADER;
	if (len > size)
		len = size;
	/* A copy of its own length: what reads behind the end is seen. */
	text = malloc(len ? len : 1);
	if (!text)
		return 0;
	memcpy(text, data, len);
	if (!rules_load(&r, text, len, &err)) {
		apply(r, data + len, size - len);
		rules_destroy(r);
	} else if (err.status != IRQS_MALFORMED || err.offset > (int64_t)len || strncmp(err.text, "line ", 5) != 0) {
		abort();
	}
	free(text);
	return 0;
}

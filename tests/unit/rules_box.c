/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rules_box.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void box_init(struct machine *m)
{
	memset(m, 0, sizeof(*m));
	cr_assert(!vms_tree_init(&m->tree, NULL));
	report_init(&m->report);
}

struct vms_node *box_section(struct machine *m, const char *type, uint32_t instance, uint32_t version)
{
	struct vms_node *n = vms_node_create(&m->tree, VMS_SECTION, type, type);

	cr_assert(n);
	n->vmsd = n->name;
	n->instance = instance;
	n->version = version;
	vms_append(m->tree.machine, n);
	return n;
}

struct vms_node *box_int(struct machine *m, struct vms_node *parent, const char *name, const char *type,
			 uint32_t count, uint64_t value)
{
	struct vms_node *n = vms_add_int(&m->tree, parent, name, type, count);

	cr_assert(n);
	for (uint32_t i = 0; i < n->count; i++)
		vms_element_set(n, i, value + i);
	return n;
}

struct vms_node *box_struct(struct machine *m, struct vms_node *parent, const char *name)
{
	struct vms_node *n = vms_node_create(&m->tree, VMS_STRUCT, name, "struct");

	cr_assert(n);
	n->vmsd = n->name;
	vms_append(parent, n);
	return n;
}

struct vms_node *box_array(struct machine *m, struct vms_node *parent, const char *name, uint32_t count)
{
	struct vms_node *n = vms_node_create(&m->tree, VMS_ARRAY, name, "struct");

	cr_assert(n);
	n->array = true;
	n->count = count;
	vms_append(parent, n);
	for (uint32_t i = 0; i < count; i++)
		box_struct(m, n, name)->index = i;
	return n;
}

struct vms_node *box_bytes(struct machine *m, struct vms_node *parent, const char *name, const char *type,
			   const void *data, uint32_t size)
{
	struct vms_node *n = vms_node_create(&m->tree, VMS_BYTES, name, type);

	cr_assert(n);
	n->width = size;
	n->data = arena_alloc(&m->tree.arena, size + 1);
	cr_assert(n->data);
	memcpy(n->data, data, size);
	vms_append(parent, n);
	return n;
}

struct rules *box_load(const char *text)
{
	char *json = strdup(text);
	struct irqs_error err = { 0 };
	struct rules *r = NULL;

	cr_assert(json);
	for (char *s = json; *s; s++)
		if (*s == '\'')
			*s = '"';
	cr_assert(!rules_load(&r, json, strlen(json), &err), "%s", err.text);
	free(json);
	return r;
}

struct rules *box_rule(const char *rule, const char *back)
{
	struct rules *r;
	char *text;

	cr_assert(asprintf(&text,
			   "{'irqshift-rules': 1, 'name': 'box', 'summary': 's', %s'forward': ["
			   "{'cost': 'lossless', 'why': 'because', %s}]}",
			   back, rule) > 0);
	r = box_load(text);
	free(text);
	return r;
}

char *read_whole(const char *path, size_t *ret_size)
{
	FILE *f = fopen(path, "re");
	long size;
	char *text;

	cr_assert(f, "%s: not in the top folder of the sources?", path);
	cr_assert(!fseek(f, 0, SEEK_END));
	size = ftell(f);
	rewind(f);
	text = malloc((size_t)size + 1);
	cr_assert(text && fread(text, 1, (size_t)size, f) == (size_t)size);
	text[size] = '\0';
	fclose(f);
	*ret_size = (size_t)size;
	return text;
}

struct rules *box_file(const char *path)
{
	struct irqs_error err = { 0 };
	struct rules *r = NULL;
	size_t size;
	char *text = read_whole(path, &size);

	cr_assert(!rules_load(&r, text, size, &err), "%s: %s", path, err.text);
	free(text);
	return r;
}

int box_apply_allow(struct machine *m, struct rules *r, enum rules_direction direction, enum report_cost allow)
{
	static const char *const none[] = { NULL };
	const struct filter *extra[] = { rules_filter(r), NULL };
	struct filter_options opt = { .allow = allow, .only = none, .extra = extra };
	struct profile tcg = { .kind = PROFILE_TCG };

	cr_assert(!rules_force(r, direction, NULL));
	report_deinit(&m->report);
	memset(&m->err, 0, sizeof(m->err));
	return filter_convert(&m->tree, &tcg, &tcg, &opt, &m->report, &m->err);
}

int box_apply(struct machine *m, struct rules *r, enum rules_direction direction)
{
	return box_apply_allow(m, r, direction, COST_APPROXIMATE);
}

int box_run(struct machine *m, const char *rule)
{
	struct rules *r = box_rule(rule, "");
	int rc = box_apply(m, r, RULES_FORWARD);

	/* The entries outlive the rules here: they keep a name that does. */
	for (size_t i = 0; i < m->report.count; i++)
		m->report.entries[i].filter = "box";
	rules_destroy(r);
	return rc;
}

const char *box_names(const struct vms_node *n)
{
	static char text[1024];
	size_t used = 0;

	text[0] = '\0';
	for (const struct vms_node *c = vms_first_child(n); c && used < sizeof(text); c = c->next)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", used ? " " : "", c->name);
	return text;
}

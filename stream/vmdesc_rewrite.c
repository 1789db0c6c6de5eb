/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vmdescription's text after edits of the tree. */
#include <stdlib.h>
#include <string.h>

#include "stream/section_json.h"
#include "stream/vmdesc.h"

/* A growing text. */
struct text {
	char *data;
	size_t size, capacity;
	bool failed;
};

static void put(struct text *t, const char *s, size_t len)
{
	if (t->failed)
		return;
	if (len > t->capacity - t->size) {
		size_t n = (t->size + len) * 2;
		char *more = realloc(t->data, n);

		if (!more) {
			t->failed = true;
			return;
		}
		t->data = more;
		t->capacity = n;
	}
	memcpy(t->data + t->size, s, len);
	t->size += len;
}

static void put_section(struct text *t, const struct vms_node *section)
{
	json_t *o = section_json(section, false);
	char *s = o ? json_dumps(o, 0) : NULL;

	if (s)
		put(t, s, strlen(s));
	else
		t->failed = true;
	free(s);
	json_decref(o);
}

static const struct vms_node *find_section(const struct vms_node *machine, const struct vms_node *hint,
					   const char *entry)
{
	const struct vms_node *start = hint ? hint->next : vms_first_child(machine), *n = start;

	do {
		if (n && n->codec == entry)
			return n;
		n = n ? n->next : vms_first_child(machine);
	} while (n != start);
	return NULL;
}

const struct vms_node *vmdesc_leading(const struct vms_node *machine)
{
	const struct vms_node *n = vms_first_child(machine);

	return n && n->codec && !strcmp(n->name, "configuration") ? n->next : n;
}

int vmdesc_rewrite(const char *text, size_t size, const struct vms_node *machine, char **ret_text,
		   size_t *ret_size, struct irqs_error *reterr)
{
	static const char separator[] = ", ";
	const struct vms_node *section = NULL;
	struct text out = { 0 };
	struct vmdesc d;
	bool first = true;
	int rc = vmdesc_init(&d, text, size, IRQS_NO_OFFSET, reterr);

	if (rc)
		return rc;
	put(&out, text, d.ndevices ? d.devices[0].start : size);
	for (const struct vms_node *n = vmdesc_leading(machine); n && !n->codec; n = n->next) {
		if (!first)
			put(&out, separator, sizeof(separator) - 1);
		first = false;
		put_section(&out, n);
	}
	for (size_t i = 0; i < d.ndevices; i++) {
		const struct vmdesc_device *dev = &d.devices[i];
		const struct vms_node *n = find_section(machine, section, text + dev->start);

		if (!n)
			continue;
		section = n;
		if (!first)
			put(&out, separator, sizeof(separator) - 1);
		first = false;
		if (n->reshaped)
			put_section(&out, n);
		else
			put(&out, text + dev->start, dev->end - dev->start);
		for (n = n->next; n && !n->codec; n = n->next) {
			put(&out, separator, sizeof(separator) - 1);
			put_section(&out, n);
		}
	}
	if (d.ndevices)
		put(&out, text + d.devices[d.ndevices - 1].end, size - d.devices[d.ndevices - 1].end);
	vmdesc_deinit(&d);
	if (out.failed) {
		free(out.data);
		return irqs_fail_nomem(reterr);
	}
	*ret_text = out.data;
	*ret_size = out.size;
	return 0;
}

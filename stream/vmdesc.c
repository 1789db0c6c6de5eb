/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/vmdesc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "stream/qemu.h"
#include "stream/section_json.h"

/* The end of the text: behind the last byte that is not padding, if that closes an object. 0: no vmdescription. */
static int text_end(struct source *src, uint64_t *ret, struct irqs_error *reterr)
{
	uint64_t end = src->size;

	*ret = 0;
	while (end) {
		uint64_t floor = end > SOURCE_PEEK_MAX ? end - SOURCE_PEEK_MAX : 0;
		const uint8_t *p;
		int rc = source_peek(src, floor, (size_t)(end - floor), &p, reterr);

		if (rc)
			return rc;
		while (end > floor && !p[end - floor - 1])
			end--;
		if (end == floor)
			continue;
		if (p[end - floor - 1] == '}')
			*ret = end;
		break;
	}
	return 0;
}

int vmdesc_find(struct source *src, uint64_t *ret_offset, size_t *ret_size, struct irqs_error *reterr)
{
	uint64_t end;
	int rc = text_end(src, &end, reterr);

	if (rc)
		return rc;
	for (size_t window = (size_t)1 << 20; end; window *= 4) {
		size_t len = end < window ? (size_t)end : window;
		uint64_t start = end - len;
		uint8_t *buf = malloc(len);

		if (!buf)
			return irqs_fail_nomem(reterr);
		rc = source_read(src, start, buf, len, reterr);
		for (size_t i = len > VMDESC_HEADER ? len - VMDESC_HEADER : 0; !rc && i-- > 0;) {
			size_t text = len - i - VMDESC_HEADER;

			if (buf[i] != QEMU_VM_VMDESCRIPTION || buf[i + VMDESC_HEADER] != '{' ||
			    get_be(buf + i + 1, 4) != text)
				continue;
			*ret_offset = start + i;
			*ret_size = text;
			free(buf);
			return 0;
		}
		free(buf);
		if (rc)
			return rc;
		if (!start || window >= VMDESC_MAX)
			break;
	}
	return -ENOENT;
}

static size_t skip_space(const char *s, size_t i, size_t end)
{
	while (i < end && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r'))
		i++;
	return i;
}

/*
 * The end of the JSON value at @i, found by its brackets alone. The value itself is judged when it is parsed.
 * Return: the offset behind it, or @end when it is not closed.
 */
static size_t skip_value(const char *s, size_t i, size_t end)
{
	size_t depth = 0;
	bool quoted = false;

	for (; i < end; i++) {
		if (quoted) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				quoted = false;
		} else if (s[i] == '"') {
			quoted = true;
		} else if (s[i] == '{' || s[i] == '[') {
			depth++;
		} else if (s[i] == '}' || s[i] == ']') {
			if (!depth)
				return i;
			if (!--depth)
				return i + 1;
		} else if (s[i] == ',' && !depth) {
			return i;
		}
	}
	return end;
}

/* The first element of "devices" in the outermost object, or @size. */
static size_t find_devices(const char *s, size_t size)
{
	static const char key[] = "\"devices\"";
	size_t i = skip_space(s, 0, size);

	if (i >= size || s[i] != '{')
		return size;
	for (i++; i < size; i++) {
		size_t start = skip_space(s, i, size), colon;

		if (start >= size || s[start] != '"')
			return size;
		for (colon = start + 1; colon < size && s[colon] != '"'; colon++)
			if (s[colon] == '\\')
				colon++;
		colon = skip_space(s, colon + 1, size);
		if (colon >= size || s[colon] != ':')
			return size;
		i = skip_space(s, colon + 1, size);
		if (size - start > sizeof(key) && !memcmp(s + start, key, sizeof(key) - 1))
			return i < size && s[i] == '[' ? i + 1 : size;
		i = skip_space(s, skip_value(s, i, size), size);
		if (i >= size || s[i] != ',')
			return size;
	}
	return size;
}

static int fail_json(int64_t offset, size_t at, const char *what, struct irqs_error *reterr)
{
	return irqs_fail(reterr, IRQS_MALFORMED, offset < 0 ? IRQS_NO_OFFSET : offset + (int64_t)at, "vmdescription",
			 "%s", what);
}

/*
 * Name and instance of a device entry: its first two keys, in every version of QEMU. Cheaper than parsing the
 * entry twice.
 */
static int read_identity(struct vmdesc_device *dev, const char *text, struct irqs_error *reterr, int64_t offset)
{
	static const char name_key[] = "\"name\":", instance_key[] = "\"instance_id\":";
	const char *entry = text + dev->start, *p;
	size_t len = dev->end - dev->start;
	json_t *name;

	p = memmem(entry, len, name_key, sizeof(name_key) - 1);
	if (!p)
		return fail_json(offset, dev->start, "a device without a name", reterr);
	p += sizeof(name_key) - 1;
	name = json_loadb(p, len - (size_t)(p - entry), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
	if (!json_is_string(name)) {
		json_decref(name);
		return fail_json(offset, dev->start, "a device without a name", reterr);
	}
	dev->name = strdup(json_string_value(name));
	json_decref(name);
	if (!dev->name)
		return irqs_fail_nomem(reterr);
	p = memmem(entry, len, instance_key, sizeof(instance_key) - 1);
	if (p)
		dev->instance = (uint32_t)strtoul(p + sizeof(instance_key) - 1, NULL, 10);
	return 0;
}

static int add_device(struct vmdesc *d, size_t *capacity, size_t start, size_t end, struct irqs_error *reterr,
		      int64_t offset)
{
	if (d->ndevices == *capacity) {
		size_t n = *capacity ? *capacity * 2 : 64;
		struct vmdesc_device *more = realloc(d->devices, n * sizeof(*more));

		if (!more)
			return irqs_fail_nomem(reterr);
		d->devices = more;
		*capacity = n;
	}
	d->devices[d->ndevices] = (struct vmdesc_device){ .start = start, .end = end };
	return read_identity(&d->devices[d->ndevices++], d->text, reterr, offset);
}

int vmdesc_init(struct vmdesc *d, const char *text, size_t size, int64_t offset, struct irqs_error *reterr)
{
	size_t i, capacity = 0;
	int rc = 0;

	*d = (struct vmdesc){ .text = text, .size = size };
	i = find_devices(text, size);
	if (i >= size)
		return fail_json(offset, 0, "it has no list of devices", reterr);
	i = skip_space(text, i, size);
	while (i < size && text[i] != ']' && !rc) {
		size_t end = skip_value(text, i, size);

		if (text[i] != '{' || end >= size) {
			rc = fail_json(offset, i, "its list of devices is broken", reterr);
			break;
		}
		rc = add_device(d, &capacity, i, end, reterr, offset);
		i = skip_space(text, end, size);
		if (i < size && text[i] == ',')
			i = skip_space(text, i + 1, size);
	}
	if (!rc && i >= size)
		rc = fail_json(offset, size, "its list of devices is not closed", reterr);
	if (rc)
		vmdesc_deinit(d);
	return rc;
}

void vmdesc_deinit(struct vmdesc *d)
{
	for (size_t i = 0; i < d->ndevices; i++)
		free(d->devices[i].name);
	free(d->devices);
	*d = (struct vmdesc){ 0 };
}

json_t *vmdesc_take(struct vmdesc *d, const char *name, uint32_t instance, const char **ret_text)
{
	for (size_t k = 0; k < d->ndevices; k++) {
		size_t i = (d->next + k) % d->ndevices;
		struct vmdesc_device *dev = &d->devices[i];

		if (dev->used || dev->instance != instance || strcmp(dev->name, name))
			continue;
		dev->used = true;
		d->next = i + 1;
		*ret_text = d->text + dev->start;
		return json_loadb(d->text + dev->start, dev->end - dev->start, 0, NULL);
	}
	return NULL;
}

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

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream/vmdesc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* An index under way. */
struct indexing {
	struct vmdesc *d;
	size_t devices_capacity, kinds_capacity;
	uint32_t recent[16]; /* kinds, the latest use first: a machine's CPUs are of a few, by turns */
	uint32_t nrecent;
	int64_t offset;
	struct irqs_error *reterr;
};

static int fail_device(const struct indexing *ix, size_t at, const char *what)
{
	return fail_json(ix->offset, at, what, ix->reterr);
}

/* Room for one more of @n elements of @size bytes. */
static bool make_room(void **array, size_t n, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 64;
	void *p;

	if (n < *capacity)
		return true;
	p = realloc(*array, more * size);
	if (!p)
		return false;
	*array = p;
	*capacity = more;
	return true;
}

/* What begins an entry. */
struct identity {
	const char *name;
	size_t len;
	uint32_t instance;
	size_t behind; /* offset of what follows; 0: it does not begin as every QEMU begins it */
};

/* @key, or else @end. */
static size_t skip_key(const char *s, size_t i, size_t end, const char *key)
{
	size_t len = strlen(key);

	i = skip_space(s, i, end);
	if (end - i < len || memcmp(s + i, key, len) != 0)
		return end;
	i = skip_space(s, i + len, end);
	return i < end && s[i] == ':' ? skip_space(s, i + 1, end) : end;
}

/* `{"name": "apic", "instance_id": 3`, the name in plain letters. */
static struct identity begin_entry(const char *s, size_t i, size_t end)
{
	struct identity id = { .behind = 0 };
	uint64_t instance = 0;
	size_t start;

	i = skip_key(s, i + 1, end, "\"name\"");
	if (i >= end || s[i] != '"')
		return id;
	for (start = ++i; i < end && s[i] >= ' ' && s[i] <= '~' && s[i] != '"' && s[i] != '\\';)
		i++;
	id.name = s + start;
	id.len = i - start;
	if (i >= end || s[i] != '"' || !id.len)
		return id;
	i = skip_space(s, i + 1, end);
	i = i < end && s[i] == ',' ? skip_key(s, i + 1, end, "\"instance_id\"") : end;
	for (start = i; i < end && s[i] >= '0' && s[i] <= '9' && instance <= UINT32_MAX; i++)
		instance = instance * 10 + (uint64_t)(s[i] - '0');
	if (i == start || i >= end || instance > UINT32_MAX)
		return id;
	id.instance = (uint32_t)instance;
	id.behind = i;
	return id;
}

/* Name and instance of an entry in any other spelling. */
static int read_identity(const struct indexing *ix, struct vmdesc_device *dev)
{
	static const char name_key[] = "\"name\":", instance_key[] = "\"instance_id\":";
	const char *entry = ix->d->text + dev->start, *p;
	size_t len = dev->end - dev->start;
	json_t *name;

	p = memmem(entry, len, name_key, sizeof(name_key) - 1);
	if (!p)
		return fail_device(ix, dev->start, "a device without a name");
	p += sizeof(name_key) - 1;
	name = json_loadb(p, len - (size_t)(p - entry), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, NULL);
	if (!json_is_string(name)) {
		json_decref(name);
		return fail_device(ix, dev->start, "a device without a name");
	}
	dev->name = strdup(json_string_value(name));
	json_decref(name);
	if (!dev->name)
		return irqs_fail_nomem(ix->reterr);
	p = memmem(entry, len, instance_key, sizeof(instance_key) - 1);
	if (p)
		dev->instance = (uint32_t)strtoul(p + sizeof(instance_key) - 1, NULL, 10);
	return 0;
}

/* The kind whose text stands at @at. Equal text closes the same brackets, so the entry ends where the kind does. */
static const struct vmdesc_kind *find_kind(struct indexing *ix, size_t at, uint32_t *ret)
{
	const struct vmdesc *d = ix->d;

	for (uint32_t i = 0; i < ix->nrecent; i++) {
		const struct vmdesc_kind *k = &d->kinds[ix->recent[i]];

		if (k->end - k->rest > d->size - at || memcmp(d->text + k->rest, d->text + at, k->end - k->rest) != 0)
			continue;
		*ret = ix->recent[i];
		memmove(ix->recent + 1, ix->recent, i * sizeof(ix->recent[0]));
		ix->recent[0] = *ret;
		return k;
	}
	return NULL;
}

/* The entry from @start to @end, which is like none before from @rest on. */
static int add_kind(struct indexing *ix, size_t start, size_t rest, size_t end, uint32_t *ret)
{
	struct vmdesc *d = ix->d;

	if (!make_room((void **)&d->kinds, d->nkinds, &ix->kinds_capacity, sizeof(d->kinds[0])))
		return irqs_fail_nomem(ix->reterr);
	*ret = (uint32_t)d->nkinds;
	d->kinds[d->nkinds++] = (struct vmdesc_kind){ .start = start, .rest = rest, .end = end };
	if (rest == start) /* its name is in it: no other can be like it */
		return 0;
	if (ix->nrecent < sizeof(ix->recent) / sizeof(ix->recent[0]))
		ix->nrecent++;
	memmove(ix->recent + 1, ix->recent, (ix->nrecent - 1) * sizeof(ix->recent[0]));
	ix->recent[0] = *ret;
	return 0;
}

/* The entry at @start. */
static int add_device(struct indexing *ix, size_t start)
{
	struct vmdesc *d = ix->d;
	struct identity id = begin_entry(d->text, start, d->size);
	struct vmdesc_device *dev;
	const struct vmdesc_kind *k;
	uint32_t kind = 0;

	if (!make_room((void **)&d->devices, d->ndevices, &ix->devices_capacity, sizeof(d->devices[0])))
		return irqs_fail_nomem(ix->reterr);
	dev = &d->devices[d->ndevices++];
	*dev = (struct vmdesc_device){ .start = start, .instance = id.instance };
	k = id.behind ? find_kind(ix, id.behind, &kind) : NULL;
	dev->end = k ? id.behind + (k->end - k->rest) : skip_value(d->text, start, d->size);
	if (d->text[start] != '{' || dev->end >= d->size)
		return fail_device(ix, start, "its list of devices is broken");
	if (!k && add_kind(ix, start, id.behind ? id.behind : start, dev->end, &kind))
		return -ENOMEM;
	dev->kind = kind;
	if (!id.behind)
		return read_identity(ix, dev);
	dev->name = strndup(id.name, id.len);
	return dev->name ? 0 : irqs_fail_nomem(ix->reterr);
}

int vmdesc_init(struct vmdesc *d, const char *text, size_t size, int64_t offset, struct irqs_error *reterr)
{
	struct indexing ix = { .d = d, .offset = offset, .reterr = reterr };
	size_t i;
	int rc = 0;

	*d = (struct vmdesc){ .text = text, .size = size };
	i = find_devices(text, size);
	if (i >= size)
		return fail_json(offset, 0, "it has no list of devices", reterr);
	i = skip_space(text, i, size);
	while (i < size && text[i] != ']' && !rc) {
		rc = add_device(&ix, i);
		i = skip_space(text, d->ndevices ? d->devices[d->ndevices - 1].end : i, size);
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
	for (size_t i = 0; i < d->nkinds; i++)
		json_decref(d->kinds[i].entry);
	free(d->devices);
	free(d->kinds);
	*d = (struct vmdesc){ 0 };
}

const json_t *vmdesc_entry(struct vmdesc *d, const struct vmdesc_device *dev)
{
	struct vmdesc_kind *k = &d->kinds[dev->kind];

	if (!k->parsed)
		k->entry = json_loadb(d->text + k->start, k->end - k->start, 0, NULL);
	k->parsed = true;
	return k->entry;
}

const struct vmdesc_device *vmdesc_take(struct vmdesc *d, const char *name, uint32_t instance)
{
	for (size_t k = 0; k < d->ndevices; k++) {
		size_t i = (d->next + k) % d->ndevices;
		struct vmdesc_device *dev = &d->devices[i];

		if (dev->used || dev->instance != instance || strcmp(dev->name, name))
			continue;
		dev->used = true;
		d->next = i + 1;
		return dev;
	}
	return NULL;
}

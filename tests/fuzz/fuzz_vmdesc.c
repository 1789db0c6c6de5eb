/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any text as a vmdescription, and any bytes behind it as the data of its devices. */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "stream/qemu_device.h"
#include "stream/vmdesc.h"

/* The input: two bytes of length, so much text, then data. */
#define HEADER ((size_t)2)

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const texts[] = {
		"{\"page_size\": 4096, \"devices\": []}",
		"{\"devices\": [{\"name\": \"a\", \"instance_id\": 1, \"vmsd_name\": \"a\", \"version\": 1, \"fields\": "
		"[{\"name\": \"x\", \"array_len\": 3, \"type\": \"uint16\", \"size\": 2}]}]}",
		"{\"configuration\": {\"fields\": [{\"name\": \"}]\"}]}, \"devices\": [{\"name\": \"\\u0061\", "
		"\"instance_id\": 0, \"fields\": [{\"name\": \"data\", \"type\": \"buffer\", \"size\": 7}]}]}",
	};
	const char *folder = seed_folder(*argc, *argv);
	struct stream_builder b;
	uint8_t buf[65536];

	if (!folder)
		return 0;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t len = strlen(texts[i]);
		char name[16];

		memset(buf, (int)i, sizeof(buf));
		put_be(buf, HEADER, len);
		memcpy(buf + HEADER, texts[i], len);
		snprintf(name, sizeof(name), "text-%zu", i);
		seed_write(folder, name, buf, HEADER + len + 20);
	}
	sb_init(&b);
	sb_everything(&b, true, true, 0);
	if (b.json.size + b.out.size + HEADER < sizeof(buf)) {
		size_t at = sb_find(&b, 0, "\4\0\0\0\3\4apic", 10) + 18;

		put_be(buf, HEADER, b.json.size);
		memcpy(buf + HEADER, b.json.data, b.json.size);
		memcpy(buf + HEADER + b.json.size, b.out.data + at, b.out.size - at);
		seed_write(folder, "everything", buf, HEADER + b.json.size + b.out.size - at);
	}
	sb_deinit(&b);
	return 0;
}

/* Reads the device @dev of the text from the data; then the text is made anew without it. */
static void read_device(struct vmdesc *d, const struct vmdesc_device *dev, struct source *src, bool twin)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct qemu_layouts layouts = { 0 };
	struct qemu_device_reader r = { .source = src, .twin = twin, .layouts = &layouts, .reterr = &err };
	struct vms_node *n;
	struct vms_tree t;
	size_t size;
	char *text;
	const struct vmdesc_device *taken = vmdesc_take(d, dev->name, dev->instance);
	const json_t *entry = taken ? vmdesc_entry(d, taken) : NULL;

	if (!entry)
		return;
	if (vms_tree_init(&t, NULL))
		abort();
	r.tree = &t;
	n = vms_node_create(&t, VMS_SECTION, dev->name, dev->name);
	if (!n)
		abort();
	n->codec = d->text + taken->start;
	n->instance = dev->instance;
	n->version = 1;
	vms_append(t.machine, n);
	if (!qemu_device_read(&r, entry, n)) {
		if (r.pos > src->size || vms_size(n) != r.pos)
			abort();
		n->reshaped = true;
		if (!vmdesc_rewrite(d->text, d->size, t.machine, &text, &size, &err))
			free(text);
	} else if (err.status == IRQS_DONE || err.offset > (int64_t)src->size) {
		abort();
	}
	qemu_layouts_deinit(&layouts);
	vms_tree_deinit(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err;
	struct source src;
	struct vmdesc d;
	size_t len;

	if (size < HEADER)
		return 0;
	len = (size_t)get_be(data, HEADER);
	data += HEADER;
	size -= HEADER;
	if (len > size)
		len = size;
	for (int twin = 0; twin < 2; twin++) {
		/* A copy of its own length: what reads behind the end is seen. */
		char *text = malloc(len ? len : 1);

		if (!text)
			return 0;
		memcpy(text, data, len);
		if (!vmdesc_init(&d, text, len, 0, &err)) {
			if (source_init(&src, file_of(data + len, size - len), &err))
				abort();
			for (size_t i = 0; i < d.ndevices && i < 16; i++)
				read_device(&d, &d.devices[i], &src, twin);
			source_deinit(&src);
			vmdesc_deinit(&d);
		} else if (err.status != IRQS_MALFORMED || err.offset > (int64_t)len) {
			abort();
		}
		free(text);
	}
	return 0;
}

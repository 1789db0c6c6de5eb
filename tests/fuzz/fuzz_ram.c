/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Any bytes as RAM sections, with every combination of capabilities. */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "stream/qemu_walk_priv.h"

enum { MAPPED = 1,
       IGNORE_SHARED = 2,
       POSTCOPY = 4 };

static void seed(const char *folder, const char *name, uint8_t mode, const struct stream_builder *b)
{
	uint8_t *p = malloc(b->out.size + 1);

	if (!p)
		abort();
	p[0] = mode;
	memcpy(p + 1, b->out.data, b->out.size);
	seed_write(folder, name, p, b->out.size + 1);
	free(p);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	struct stream_builder b;

	if (!folder)
		return 0;
	sb_init(&b);
	sb_everything(&b, true, true, 0);
	/* Without what is before the first word of the RAM. */
	b.out.size -= sb_find(&b, 0, "\3ram", 4) + 12;
	memmove(b.out.data, b.out.data + sb_find(&b, 0, "\3ram", 4) + 12, b.out.size);
	seed(folder, "encodings", 0, &b);
	sb_deinit(&b);
	for (uint8_t mode = 0; mode < 8; mode++) {
		char name[16];

		sb_init(&b);
		sb_be(&b, 8, 8192 | MEM_SIZE);
		sb_name(&b, "pc.ram");
		sb_be(&b, 8, 8192);
		if (mode & POSTCOPY)
			sb_be(&b, 8, 1 << 21);
		if (mode & IGNORE_SHARED)
			sb_be(&b, 8, 0xfffc0000);
		if (mode & MAPPED) {
			sb_be(&b, 4, 1);
			sb_be(&b, 8, 4096);
			sb_be(&b, 8, sb_offset(&b) + 16);
			sb_be(&b, 8, 1024);
			sb_pad(&b, 1024 + 8192 - sb_offset(&b));
		}
		sb_ram_zero(&b, 0, "pc.ram");
		sb_be(&b, 8, EOS);
		snprintf(name, sizeof(name), "mode-%u", mode);
		seed(folder, name, mode, &b);
		sb_deinit(&b);
	}
	return 0;
}

/* All sections of @src, each from its first word on: what a footer would be is not looked for. */
static void walk(struct source *src, uint8_t mode)
{
	struct irqs_error err = { 0 };
	struct qemu_ram ram = { 0 };
	struct qemu_walk w = {
		.size = src->size,
		.ram = &ram,
		.know_footers = true,
		.mode = {
			.mapped_ram = mode & MAPPED,
			.ignore_shared = mode & IGNORE_SHARED,
			.postcopy_advised = mode & POSTCOPY,
		},
		.reterr = &err,
	};

	for (;;) {
		uint64_t start = w.pos;

		memset(&err, 0, sizeof(err));
		qemu_ram_begin(&w);
		if (qemu_walk_section(&w, src)) {
			if (err.status == IRQS_DONE || err.offset > (int64_t)src->size || err.offset < 0)
				abort();
			break;
		}
		if (w.pos <= start || w.pos > src->size)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err;
	struct source src;

	if (!size)
		return 0;
	if (source_init(&src, file_of(data + 1, size - 1), &err))
		abort();
	walk(&src, data[0]);
	source_deinit(&src);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as what tracefs says: by the first byte as the text of a format, as that of the page's layout, or as a page in the
 * formats that are known. No more events than fit, each of a type that is known.
 */
#include "tests/fuzz/seeds.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/trace_pages.c"

enum kind {
	AS_PAGE,
	AS_FORMAT,
	AS_LAYOUT,
	KINDS,
};

static void seed(const char *folder, const char *name, enum kind kind, const void *data, size_t len)
{
	uint8_t buf[8192];

	buf[0] = (uint8_t)kind;
	memcpy(buf + 1, data, len);
	seed_write(folder, name, buf, len + 1);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	static const uint8_t args[16] = { 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
	struct trace_builder page;

	if (!folder)
		return 0;
	trace_page_begin(&page, 1000);
	trace_page_event(&page, 0, 94, 0, 77, args, 8);
	trace_page_head(&page, 30, 3);
	trace_page_word(&page, 2);
	trace_page_event(&page, 5, 95, 8, 77, args, 9);
	trace_page_head(&page, 29, 4);
	trace_page_word(&page, 4);
	trace_page_head(&page, 31, 4);
	trace_page_word(&page, 4);
	trace_page_event(&page, 5, 107, 8, 77, args, 13);
	trace_page_end(&page, 0);
	seed(folder, "page", AS_PAGE, page.bytes, page.len);
	seed(folder, "format", AS_FORMAT, trace_format_eoi, strlen(trace_format_eoi));
	seed(folder, "layout", AS_LAYOUT, trace_header_page, strlen(trace_header_page));
	return 0;
}

static int count(void *ctx, const struct irqshift_event *e)
{
	if (e->type >= IRQSHIFT_EVENT_TYPES)
		abort();
	++*(size_t *)ctx;
	return 0;
}

static void as_page(const struct trace_table *table, const uint8_t *data, size_t size)
{
	struct trace_page p;
	size_t n = 0;
	int rc = trace_page_decode(table, data, size, 1, count, &n, &p);

	/* A record has four bytes in front. */
	if ((rc && rc != -EBADMSG) || n != p.count || n > size / 4)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t page[4096];
	struct trace_layout layout;
	struct trace_table table;
	char *text;

	if (!size)
		return 0;
	trace_table_known(&table);
	if (data[0] % KINDS == AS_PAGE) {
		as_page(&table, data + 1, size - 1);
		return 0;
	}
	text = calloc(1, size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	if (data[0] % KINDS == AS_LAYOUT && !trace_parse_layout(text, &layout))
		table.layout = layout;
	for (unsigned int i = 0; data[0] % KINDS == AS_FORMAT && i < IRQSHIFT_EVENT_TYPES; i++)
		trace_parse_format(text, i, &table);
	/* What was taken must not lead anywhere. */
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i % 64 ? data[i % size] : 8);
	as_page(&table, page, sizeof(page));
	free(text);
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/unit/stream_builder.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/endian.h"
#include "stream/qemu.h"

enum {
	ZERO = 0x02,
	MEM_SIZE = 0x04,
	PAGE = 0x08,
	EOS = 0x10,
	CONTINUE = 0x20,
	XBZRLE = 0x40,
	COMPRESSED = 0x100,
	MULTIFD_FLUSH = 0x200,
};

#define KIB ((uint64_t)1024)

static void grow(struct sb_bytes *s, const void *data, size_t len)
{
	if (len > s->capacity - s->size) {
		s->capacity = (s->size + len) * 2;
		s->data = realloc(s->data, s->capacity);
		if (!s->data)
			abort();
	}
	if (len)
		memcpy(s->data + s->size, data, len);
	s->size += len;
}

static __attribute__((format(printf, 2, 3))) void json(struct stream_builder *b, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int n;

	if (b->muted)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		abort();
	grow(&b->json, text, (size_t)n);
}

void sb_init(struct stream_builder *b)
{
	*b = (struct stream_builder){ .footers = true, .next_id = 3, .ram_id = 2 };
	json(b, "{\"page_size\": 4096, \"devices\": [");
}

void sb_deinit(struct stream_builder *b)
{
	free(b->out.data);
	free(b->json.data);
	*b = (struct stream_builder){ 0 };
}

void sb_put(struct stream_builder *b, const void *data, size_t len)
{
	grow(&b->out, data, len);
}

void sb_be(struct stream_builder *b, size_t width, uint64_t v)
{
	uint8_t be[8];

	put_be(be, width, v);
	sb_put(b, be, width);
}

void sb_name(struct stream_builder *b, const char *name)
{
	sb_be(b, 1, strlen(name));
	sb_put(b, name, strlen(name));
}

size_t sb_offset(const struct stream_builder *b)
{
	return b->out.size;
}

void sb_header(struct stream_builder *b)
{
	sb_put(b, "QEVM", 4);
	sb_be(b, 4, 3);
}

void sb_config(struct stream_builder *b, const char *machine)
{
	sb_be(b, 1, QEMU_VM_CONFIGURATION);
	sb_be(b, 4, strlen(machine));
	sb_put(b, machine, strlen(machine));
}

static void config_subsection(struct stream_builder *b, const char *name)
{
	sb_be(b, 1, QEMU_VM_SUBSECTION);
	sb_name(b, name);
	sb_be(b, 4, 1);
}

void sb_config_page_bits(struct stream_builder *b, uint32_t bits)
{
	config_subsection(b, "configuration/target-page-bits");
	sb_be(b, 4, bits);
}

void sb_config_uuid(struct stream_builder *b)
{
	config_subsection(b, "configuration/uuid");
	sb_put(b, "0123456789abcdef", 16);
}

void sb_config_capabilities(struct stream_builder *b, uint32_t n, const char *const *names)
{
	config_subsection(b, "configuration/capabilities");
	sb_be(b, 4, n);
	for (uint32_t i = 0; i < n; i++)
		sb_name(b, names[i]);
}

void sb_command(struct stream_builder *b, uint16_t cmd, const void *data, uint16_t len)
{
	sb_be(b, 1, QEMU_VM_COMMAND);
	sb_be(b, 2, cmd);
	sb_be(b, 2, len);
	sb_put(b, data, len);
}

static void footer(struct stream_builder *b, uint32_t id)
{
	if (!b->footers)
		return;
	sb_be(b, 1, QEMU_VM_SECTION_FOOTER);
	sb_be(b, 4, id);
}

void sb_ram_start(struct stream_builder *b)
{
	sb_be(b, 1, QEMU_VM_SECTION_START);
	sb_be(b, 4, b->ram_id);
	sb_name(b, "ram");
	sb_be(b, 4, 0);
	sb_be(b, 4, 4);
}

void sb_ram_part(struct stream_builder *b)
{
	sb_be(b, 1, QEMU_VM_SECTION_PART);
	sb_be(b, 4, b->ram_id);
}

void sb_ram_end(struct stream_builder *b)
{
	sb_be(b, 1, QEMU_VM_SECTION_END);
	sb_be(b, 4, b->ram_id);
}

static void page_word(struct stream_builder *b, uint64_t address, const char *block, unsigned int flags)
{
	sb_be(b, 8, address | flags | (block ? 0 : CONTINUE));
	if (block)
		sb_name(b, block);
}

void sb_ram_zero(struct stream_builder *b, uint64_t address, const char *block)
{
	page_word(b, address, block, ZERO);
	sb_be(b, 1, 0);
}

void sb_ram_page(struct stream_builder *b, uint64_t address, const char *block, uint8_t fill)
{
	uint8_t page[4096];

	memset(page, fill, sizeof(page));
	page_word(b, address, block, PAGE);
	sb_put(b, page, sizeof(page));
}

void sb_ram_finish(struct stream_builder *b)
{
	sb_be(b, 8, EOS);
	footer(b, b->ram_id);
}

void sb_ram_setup(struct stream_builder *b, uint64_t size)
{
	sb_ram_start(b);
	sb_be(b, 8, size | MEM_SIZE);
	sb_name(b, "pc.ram");
	sb_be(b, 8, size);
	sb_ram_finish(b);
}

static struct sb_frame *top(struct stream_builder *b)
{
	if (!b->depth)
		abort();
	return &b->frame[b->depth - 1];
}

static void push(struct stream_builder *b, int kind)
{
	if (b->depth == SB_DEPTH)
		abort();
	b->frame[b->depth++] = (struct sb_frame){ .kind = kind, .start = b->out.size };
}

/* Closes the lists of the innermost frame. */
static struct sb_frame *pop(struct stream_builder *b)
{
	struct sb_frame *f = top(b);

	json(b, "]");
	b->depth--;
	return f;
}

/* The comma before an entry; a field behind subsections is a mistake of the test. */
static void next_field(struct stream_builder *b)
{
	struct sb_frame *f = top(b);

	if (f->subsections)
		abort();
	json(b, "%s", f->some ? ", " : "");
	f->some = true;
}

static void open_body(struct stream_builder *b, const char *vmsd, uint32_t version)
{
	json(b, "\"vmsd_name\": \"%s\", \"version\": %u, \"fields\": [", vmsd, version);
}

void sb_device(struct stream_builder *b, const char *name, uint32_t instance, const char *vmsd, uint32_t version)
{
	b->id = b->next_id++;
	sb_be(b, 1, QEMU_VM_SECTION_FULL);
	sb_be(b, 4, b->id);
	sb_name(b, name);
	sb_be(b, 4, instance);
	sb_be(b, 4, version);
	json(b, "%s{\"name\": \"%s\", \"instance_id\": %u, ", b->some_device ? ", " : "", name, instance);
	b->some_device = true;
	push(b, SB_DEVICE);
	if (vmsd)
		open_body(b, vmsd, version);
	else
		json(b, "\"fields\": [");
}

void sb_device_end(struct stream_builder *b)
{
	pop(b);
	json(b, "}");
	footer(b, b->id);
}

void sb_int(struct stream_builder *b, const char *name, const char *type, size_t width, uint64_t value)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", \"type\": \"%s\", \"size\": %zu}", name, type, width);
	sb_be(b, width, value);
}

void sb_array(struct stream_builder *b, const char *name, const char *type, size_t width, uint32_t n,
	      const uint64_t *values)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", \"array_len\": %u, \"type\": \"%s\", \"size\": %zu}", name, n, type, width);
	for (uint32_t i = 0; i < n; i++)
		sb_be(b, width, values[i]);
}

void sb_array_indexed(struct stream_builder *b, const char *name, const char *type, size_t width, uint32_t n,
		      const uint64_t *values)
{
	for (uint32_t i = 0; i < n; i++) {
		next_field(b);
		json(b, "{\"name\": \"%s\", \"index\": %u, \"type\": \"%s\", \"size\": %zu}", name, i, type, width);
		sb_be(b, width, values[i]);
	}
}

void sb_buffer(struct stream_builder *b, const char *name, const char *type, const void *data, size_t len)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", \"type\": \"%s\", \"size\": %zu}", name, type, len);
	sb_put(b, data, len);
}

void sb_qtailq(struct stream_builder *b, const char *name, uint32_t n)
{
	size_t start = b->out.size;

	next_field(b);
	json(b, "{\"name\": \"%s\", \"type\": \"qtailq\", ", name);
	for (uint32_t i = 0; i < n; i++) {
		sb_be(b, 1, 1);
		open_body(b, "element", 1);
		json(b, "{\"name\": \"id\", \"type\": \"uint32\", \"size\": 4}], ");
		sb_be(b, 4, 0xabc00000 + i);
	}
	sb_be(b, 1, 0);
	json(b, "\"size\": %zu}", b->out.size - start);
}

void sb_entry(struct stream_builder *b, const char *text)
{
	next_field(b);
	json(b, "%s", text);
}

void sb_struct(struct stream_builder *b, const char *name, int index, const char *vmsd, uint32_t version)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", ", name);
	if (index >= 0)
		json(b, "\"index\": %d, ", index);
	json(b, "\"type\": \"struct\", \"struct\": {");
	push(b, SB_STRUCT);
	open_body(b, vmsd, version);
}

void sb_struct_end(struct stream_builder *b)
{
	struct sb_frame *f = pop(b);

	json(b, "}, \"size\": %zu}", b->out.size - f->start);
}

void sb_struct_array(struct stream_builder *b, const char *name, uint32_t len, const char *vmsd, uint32_t version)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", \"array_len\": %u, \"type\": \"struct\", \"struct\": {", name, len);
	push(b, SB_STRUCT);
	open_body(b, vmsd, version);
}

void sb_struct_next(struct stream_builder *b)
{
	struct sb_frame *f = top(b);

	if (f->element_size)
		return;
	f->element_size = b->out.size - f->start;
	json(b, "]}, \"size\": %zu}", f->element_size);
	b->muted++;
}

void sb_struct_array_end(struct stream_builder *b)
{
	sb_struct_next(b);
	b->muted--;
	b->depth--;
}

void sb_tmp(struct stream_builder *b, const char *name, const char *vmsd, uint32_t version)
{
	next_field(b);
	json(b, "{\"name\": \"%s\", \"type\": \"tmp\", ", name);
	push(b, SB_TMP);
	open_body(b, vmsd, version);
}

void sb_tmp_end(struct stream_builder *b)
{
	struct sb_frame *f = pop(b);

	json(b, ", \"size\": %zu}", b->out.size - f->start);
}

void sb_subsection(struct stream_builder *b, const char *name, uint32_t version)
{
	struct sb_frame *f = top(b);

	json(b, "%s", f->subsections ? ", " : "], \"subsections\": [");
	f->subsections = true;
	sb_be(b, 1, QEMU_VM_SUBSECTION);
	sb_name(b, name);
	sb_be(b, 4, version);
	json(b, "{");
	push(b, SB_SUBSECTION);
	open_body(b, name, version);
}

void sb_subsection_end(struct stream_builder *b)
{
	pop(b);
	json(b, "}");
}

void sb_eof(struct stream_builder *b)
{
	sb_be(b, 1, QEMU_VM_EOF);
}

void sb_vmdesc(struct stream_builder *b)
{
	json(b, "]}");
	sb_be(b, 1, QEMU_VM_VMDESCRIPTION);
	sb_be(b, 4, b->json.size);
	sb_put(b, b->json.data, b->json.size);
}

void sb_pad(struct stream_builder *b, size_t len)
{
	while (len--)
		sb_be(b, 1, 0);
}

int sb_bytes_fd(const void *data, size_t len)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET))
		abort();
	return fd;
}

int sb_fd(const struct stream_builder *b)
{
	return sb_bytes_fd(b->out.data, b->out.size);
}

uint8_t *sb_slurp(int fd, size_t *ret_len)
{
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *p = malloc(size > 0 ? (size_t)size : 1);

	if (size < 0 || !p || pread(fd, p, (size_t)size, 0) != size)
		abort();
	*ret_len = (size_t)size;
	return p;
}

size_t sb_find(const struct stream_builder *b, size_t from, const void *needle, size_t len)
{
	const uint8_t *p = from < b->out.size ? memmem(b->out.data + from, b->out.size - from, needle, len) : NULL;

	if (!p)
		abort();
	return (size_t)(p - b->out.data);
}

void sb_prologue(struct stream_builder *b)
{
	sb_header(b);
	sb_config(b, "pc-test");
	sb_ram_setup(b, 64 * KIB);
	sb_ram_end(b);
	for (uint64_t a = 0; a < 64 * KIB; a += 4 * KIB)
		sb_ram_zero(b, a, a ? NULL : "pc.ram");
	sb_ram_finish(b);
}

static void every_ram_encoding(struct stream_builder *b)
{
	sb_ram_setup(b, 64 * KIB);
	sb_ram_part(b);
	sb_ram_zero(b, 0, "pc.ram");
	sb_ram_page(b, 4 * KIB, NULL, 0xa5);
	sb_ram_page(b, 8 * KIB, "pc.ram", 0x5a);
	sb_be(b, 8, MULTIFD_FLUSH);
	sb_ram_finish(b);
	sb_ram_end(b);
	page_word(b, 4 * KIB, NULL, XBZRLE);
	sb_be(b, 1, 1);
	sb_be(b, 2, 3);
	sb_put(b, "xyz", 3);
	page_word(b, 8 * KIB, "pc.ram", COMPRESSED);
	sb_be(b, 4, 11);
	sb_put(b, "0123456789a", 11);
	sb_ram_finish(b);
}

static void every_field_shape(struct stream_builder *b)
{
	static const uint64_t values[] = { 0, 1, 0x7f, UINT64_C(0xfedcba9876543210) };
	uint8_t raw[37];

	memset(raw, 0xc3, sizeof(raw));
	sb_device(b, "shapes", 0, "shapes", 7);
	sb_int(b, "flag", "bool", 1, 1);
	sb_int(b, "byte", "uint8", 1, 0xfe);
	sb_int(b, "half", "uint16", 2, 0xfedc);
	sb_int(b, "word", "uint32", 4, 0xfedcba98);
	sb_int(b, "quad", "uint64", 8, values[3]);
	sb_int(b, "sbyte", "int8", 1, 0xfe);
	sb_int(b, "shalf", "int16", 2, 0xfffe);
	sb_int(b, "sword", "int32", 4, 0xfffffffe);
	sb_int(b, "squad", "int64", 8, UINT64_MAX - 1);
	sb_int(b, "when", "timer", 8, UINT64_MAX);
	sb_int(b, "same", "uint32 equal", 4, 12);
	sb_int(b, "atmost", "int32 le", 4, 9);
	sb_array(b, "many", "uint16", 2, 4, values);
	sb_array(b, "one", "uint64", 8, 1, values + 3);
	sb_array_indexed(b, "each", "uint32", 4, 3, values);
	sb_buffer(b, "raw", "buffer", raw, sizeof(raw));
	sb_buffer(b, "gap", "unused_buffer", raw, 5);
	sb_buffer(b, "none", "nullptr", "0", 1);
	sb_qtailq(b, "list", 2);
	sb_struct(b, "inner", -1, "inner", 2);
	sb_int(b, "a", "uint32", 4, 5);
	sb_tmp(b, "tmp", "inner_tmp", 1);
	sb_int(b, "mant", "uint64", 8, 0x8000);
	sb_int(b, "exp", "uint16", 2, 0x3fff);
	sb_tmp_end(b);
	sb_subsection(b, "inner/more", 3);
	sb_int(b, "b", "uint16", 2, 6);
	sb_subsection(b, "inner/more/deep", 1);
	sb_int(b, "c", "uint8", 1, 7);
	sb_subsection_end(b);
	sb_subsection_end(b);
	sb_struct_end(b);
	sb_struct_array(b, "channels", 3, "channel", 1);
	for (unsigned int i = 0; i < 3; i++) {
		if (i)
			sb_struct_next(b);
		sb_int(b, "count", "int32", 4, 100 + i);
		sb_array(b, "pair", "uint8", 1, 2, values + 1);
	}
	sb_struct_array_end(b);
	sb_int(b, "channels[0].irq_disabled", "uint32", 4, 0x11);
	sb_struct(b, "queue", 0, "queue", 1);
	sb_int(b, "n", "uint32", 4, 40);
	sb_struct_end(b);
	sb_struct(b, "queue", 1, "queue", 1);
	sb_int(b, "n", "uint32", 4, 41);
	sb_subsection(b, "queue/full", 1);
	sb_int(b, "by", "uint8", 1, 2);
	sb_subsection_end(b);
	sb_struct_end(b);
	sb_subsection(b, "shapes/first", 1);
	sb_int(b, "x", "uint32", 4, 1);
	sb_subsection_end(b);
	sb_subsection(b, "shapes/second", 2);
	sb_int(b, "y", "uint32", 4, 2);
	sb_subsection_end(b);
	sb_device_end(b);
}

static void plain_devices(struct stream_builder *b)
{
	static const uint64_t irr[8] = { 0, 0, 0, 0xdead, 0, 0, 0, 1 };

	for (unsigned int i = 0; i < 2; i++) {
		sb_device(b, "apic", i, "apic", 3);
		sb_int(b, "apicbase", "uint32", 4, 0xfee00800 | !i << 8);
		sb_int(b, "id", "uint8", 1, i);
		sb_array(b, "irr", "uint32", 4, 8, irr);
		sb_int(b, "timer_expiry", "int64", 8, UINT64_MAX);
		if (i) {
			sb_subsection(b, "apic_sipi", 1);
			sb_int(b, "sipi_vector", "int32", 4, 0x10);
			sb_int(b, "wait_for_sipi", "int32", 4, 1);
			sb_subsection_end(b);
		}
		sb_device_end(b);
	}
	sb_device(b, "cpu", 0, "cpu", 12);
	sb_int(b, "env.tsc", "uint64", 8, 0x123456789a);
	sb_int(b, "env.eip", "uint64", 8, 0xfff0);
	sb_subsection(b, "cpu/tsc_khz", 1);
	sb_int(b, "env.tsc_khz", "int64", 8, 2000000);
	sb_subsection_end(b);
	sb_device_end(b);
	sb_device(b, "0000:00:01.0/old", 0, NULL, 1);
	sb_buffer(b, "data", "buffer", "an old device's bytes", 21);
	sb_device_end(b);
}

void sb_everything(struct stream_builder *b, bool footers, bool vmdesc, size_t pad)
{
	static const char *const caps[] = { "multifd", "xbzrle" };

	b->footers = footers;
	sb_header(b);
	sb_config(b, "pc-test-1.0");
	sb_config_page_bits(b, 12);
	sb_config_capabilities(b, 2, caps);
	sb_config_uuid(b);
	sb_command(b, 1, NULL, 0);
	sb_command(b, 2, "\0\0\0\1", 4);
	every_ram_encoding(b);
	sb_command(b, 11, NULL, 0);
	plain_devices(b);
	every_field_shape(b);
	sb_eof(b);
	if (vmdesc)
		sb_vmdesc(b);
	sb_pad(b, pad);
}

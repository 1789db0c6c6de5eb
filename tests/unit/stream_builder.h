/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Synthetic QEMU streams, built in memory: data and vmdescription grow side by side. A builder that runs out of
 * memory aborts: there is no test without its input. One thread at a time.
 */
#ifndef TESTS_UNIT_STREAM_BUILDER_H
#define TESTS_UNIT_STREAM_BUILDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_DEPTH 64

struct sb_bytes {
	uint8_t *data;
	size_t size, capacity;
};

/* A section, struct or subsection that is being filled. */
struct sb_frame {
	enum { SB_DEVICE,
	       SB_STRUCT,
	       SB_TMP,
	       SB_SUBSECTION } kind;
	size_t start;        /* of its data in the stream */
	size_t element_size; /* bytes of the first element, of an array of structs */
	bool some, subsections;
};

struct stream_builder {
	struct sb_bytes out, json;
	bool footers;     /* end sections with a footer; true at first */
	uint32_t next_id; /* section id of the next section */
	/* private: */
	uint32_t id, ram_id;
	bool some_device;
	unsigned int muted; /* above 0: data without description (elements of an array behind the first) */
	unsigned int depth;
	struct sb_frame frame[SB_DEPTH];
};

void sb_init(struct stream_builder *b);
void sb_deinit(struct stream_builder *b);

/* Raw pieces. sb_name() is a length byte and the name. sb_offset() is where the next byte goes. */
void sb_put(struct stream_builder *b, const void *data, size_t len);
void sb_be(struct stream_builder *b, size_t width, uint64_t v);
void sb_name(struct stream_builder *b, const char *name);
size_t sb_offset(const struct stream_builder *b);

/* The start of a stream; the configuration with its subsections. */
void sb_header(struct stream_builder *b);
void sb_config(struct stream_builder *b, const char *machine);
void sb_config_page_bits(struct stream_builder *b, uint32_t bits);
void sb_config_uuid(struct stream_builder *b);
void sb_config_capabilities(struct stream_builder *b, uint32_t n, const char *const *names);
void sb_command(struct stream_builder *b, uint16_t cmd, const void *data, uint16_t len);

/* RAM: a section header, words with their flags, then the end-of-section word and the footer. */
void sb_ram_start(struct stream_builder *b);
void sb_ram_part(struct stream_builder *b);
void sb_ram_end(struct stream_builder *b);
void sb_ram_zero(struct stream_builder *b, uint64_t address, const char *block);
void sb_ram_page(struct stream_builder *b, uint64_t address, const char *block, uint8_t fill);
void sb_ram_finish(struct stream_builder *b);
/* A start section that announces one block "pc.ram" of @size bytes. */
void sb_ram_setup(struct stream_builder *b, uint64_t size);

/* Devices. A NULL @vmsd makes an entry without one, as QEMU writes for a device that has no description. */
void sb_device(struct stream_builder *b, const char *name, uint32_t instance, const char *vmsd, uint32_t version);
void sb_device_end(struct stream_builder *b);
void sb_int(struct stream_builder *b, const char *name, const char *type, size_t width, uint64_t value);
void sb_array(struct stream_builder *b, const char *name, const char *type, size_t width, uint32_t n,
	      const uint64_t *values);
/* The same in index form: one entry for each element. */
void sb_array_indexed(struct stream_builder *b, const char *name, const char *type, size_t width, uint32_t n,
		      const uint64_t *values);
void sb_buffer(struct stream_builder *b, const char *name, const char *type, const void *data, size_t len);
/* A list whose entry repeats the keys "vmsd_name", "version" and "fields" for each of its @n elements. */
void sb_qtailq(struct stream_builder *b, const char *name, uint32_t n);
/* An entry of the vmdescription without any data: it says more than there is. */
void sb_entry(struct stream_builder *b, const char *json);
/* @index below 0: a plain struct. */
void sb_struct(struct stream_builder *b, const char *name, int index, const char *vmsd, uint32_t version);
void sb_struct_end(struct stream_builder *b);
/* An array of structs in array_len form: fill the first one, sb_struct_next(), fill the next ... */
void sb_struct_array(struct stream_builder *b, const char *name, uint32_t len, const char *vmsd, uint32_t version);
void sb_struct_next(struct stream_builder *b);
void sb_struct_array_end(struct stream_builder *b);
/* A struct written into the field's own entry (VMSTATE_WITH_TMP). */
void sb_tmp(struct stream_builder *b, const char *name, const char *vmsd, uint32_t version);
void sb_tmp_end(struct stream_builder *b);
void sb_subsection(struct stream_builder *b, const char *name, uint32_t version);
void sb_subsection_end(struct stream_builder *b);

/* The end mark; the vmdescription; trailing zeros. */
void sb_eof(struct stream_builder *b);
void sb_vmdesc(struct stream_builder *b);
void sb_pad(struct stream_builder *b, size_t len);

/* sb_fd - a new memfd with the bytes, at position 0; the caller closes it. */
int sb_fd(const struct stream_builder *b);
int sb_bytes_fd(const void *data, size_t len);
/* sb_slurp - the whole of a descriptor from its start; free() it. */
uint8_t *sb_slurp(int fd, size_t *ret_len);

/* A stream with every encoding and every field shape; @vmdesc and @footers leave parts out, @pad adds zeros. */
void sb_everything(struct stream_builder *b, bool footers, bool vmdesc, size_t pad);
/* Header, configuration, 64 KiB of RAM in zero pages: what most tests start with. */
void sb_prologue(struct stream_builder *b);
/* The offset of @needle in the stream, searched from @from; aborts when it is not there. */
size_t sb_find(const struct stream_builder *b, size_t from, const void *needle, size_t len);

#endif

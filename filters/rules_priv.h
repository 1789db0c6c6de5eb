/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Rules in memory. All of it lies in the arena of its struct rules and is immutable once loaded, but for the
 * direction. A name that may hold "$1" to "$9" is expanded when it is used.
 */
#ifndef IRQSHIFT_FILTERS_RULES_PRIV_H
#define IRQSHIFT_FILTERS_RULES_PRIV_H

#include <jansson.h>

#include "base/arena.h"
#include "filters/rules.h"

/* Names of sections and subsections have a length of one byte in a stream. */
#define RULES_NAME_MAX 255u
#define RULES_CAPTURES 9u
/* Layouts in layouts; real devices stay below ten. */
#define RULES_DEPTH_MAX 16u
/* What one run may add to a tree: rules that copy what they copied must end. */
#define RULES_MAX_NODES ((size_t)1 << 20)
#define RULES_MAX_BYTES ((size_t)64 << 20)

/* A whole number from -2^63 to 2^64 - 1; a negative one as its two's complement. */
struct rules_number {
	uint64_t bits;
	bool negative;
};

struct rules_strings {
	const char **items;
	size_t count;
};

/* A kind of host, "tcg@qemu>=9.0". */
struct rules_host {
	bool any_kind;
	enum profile_kind kind;
	char op[3]; /* "": any version */
	unsigned int major, minor;
};

struct rules_hosts {
	struct rules_host *items;
	size_t count; /* 0: every host */
};

enum rules_op {
	RULES_EQ,
	RULES_NE,
	RULES_AND, /* a bit of both is set */
	RULES_LT,
	RULES_LE,
	RULES_GT,
	RULES_GE,
	RULES_PRESENT,
	RULES_ABSENT,
};

struct rules_condition {
	const char *field; /* NULL: the matched node */
	const char *in;    /* another section, or NULL */
	enum rules_op op;
	struct rules_number value;
};

struct rules_conditions {
	struct rules_condition *items;
	size_t count;
};

/* How many elements a row of a layout has: ((field & mask) + add) * multiply / divide, rounded up. */
struct rules_count {
	uint32_t fixed;    /* without @field; 0: a plain field */
	const char *field; /* an earlier row of the same struct */
	uint32_t at;       /* byte in that row, if it is a buffer */
	uint32_t width;    /* bytes there */
	bool little_endian;
	uint64_t mask;
	uint32_t add, multiply, divide;
};

/* One row of a layout: what lies in a raw field. */
struct rules_row {
	const char *name, *type;
	uint32_t width; /* of an integer or of a buffer with a fixed size */
	bool is_int, is_signed;
	bool array; /* @count holds; a buffer: @count is its bytes */
	struct rules_count count;
	bool has_must;
	struct rules_number must;          /* the only value that is understood */
	const struct rules_layout *layout; /* of a struct */
};

struct rules_layout {
	const char *name;
	const char *vmsd;
	uint32_t version;
	struct rules_row *rows;
	size_t nrows;
	const struct rules_layout **subsections;
	size_t nsubsections;
	unsigned int depth; /* of the structs and subsections in it */
};

enum rules_verb {
	RULES_RENAME,
	RULES_DROP,
	RULES_SET,
	RULES_COPY,
	RULES_MOVE,
	RULES_MAP,
	RULES_REQUIRE,
	RULES_SPLIT,
	RULES_MERGE,
	RULES_UNPACK,
	RULES_PACK,
};

/* Where a field is put: behind the first of these that is there, else in front of its like; NULL: last. */
struct rules_place {
	struct rules_strings *after;
};

/* What an integer becomes on its way: value * multiply / divide. */
struct rules_change {
	const char *type, *was_type; /* NULL: as it is */
	uint64_t multiply, divide;   /* 1: not */
	bool round;
};

struct rules_pair {
	struct rules_number from, to;
};

enum rules_else {
	RULES_ELSE_REFUSE,
	RULES_ELSE_KEEP,
	RULES_ELSE_VALUE,
};

/* A section that is split off or merged back. */
struct rules_part {
	const char *name, *section, *vmsd; /* stream name, irqshift type, vmsd_name */
	uint32_t version;
	bool before; /* goes in front of the section it comes from */
	struct rules_strings fields;
};

struct rules_action {
	enum rules_verb verb;
	enum report_cost cost;
	const char *why, *why_back; /* the second, unless NULL, where the action is the inverse of a written one */
	bool optional;              /* a field that is not there is no mistake */
	size_t index;               /* in "do" of its rule, as written */
	const char *field;          /* NULL: the matched node */

	/* rename, copy, move */
	const char *to, *in;
	const char *name, *section, *vmsd; /* rename of a section */
	const char *was_name;              /* rename: what the inverse calls it */
	struct rules_place place, was_place;
	struct rules_change change;

	/* set, drop */
	bool has_version, has_was;
	struct rules_number *values; /* of set */
	size_t nvalues;
	struct rules_number was;
	uint64_t mask;
	const char *type; /* of a field that set makes; of the raw field of pack */
	uint32_t count;

	/* map */
	struct rules_pair *pairs;
	size_t npairs;
	enum rules_else otherwise;
	struct rules_number otherwise_value;

	/* require */
	struct rules_conditions conditions;

	/* split, merge */
	struct rules_part *parts;
	size_t nparts;
	struct rules_strings order;

	/* unpack, pack */
	const struct rules_layout *layout;
};

struct rules_rule {
	size_t index;                      /* in its list, as written */
	const char *list;                  /* "forward" or "back": where it is written */
	const char *section, *name, *path; /* patterns; the last two may be NULL */
	bool has_instance, recurse;
	uint32_t instance;
	struct rules_conditions where;
	struct rules_action *actions;
	size_t nactions;
};

struct rules_list {
	struct rules_rule *items;
	size_t count;
};

struct rules {
	struct arena arena;
	struct filter filter;
	const char *text; /* for the lines of messages */
	size_t size;
	struct rules_hosts from, to;
	struct rules_layout *layouts;
	size_t nlayouts;
	struct rules_list forward, back;
	bool two_way;
	enum rules_direction forced;
};

/* ---- rules_text.c: where in the text ---- */

/* A step from the outermost value inwards: a key, or an index where @key is NULL. */
struct rules_at {
	const struct rules_at *up; /* NULL: below the outermost value */
	const char *key;
	size_t index;
};

struct rules_position {
	size_t offset;
	unsigned int line, column; /* from 1, columns in characters */
};

/*
 * rules_text_find - where a value starts, or (@key) the key before it. A step that leads nowhere is left out:
 * the position is then that of the value around it. @text is valid JSON.
 */
void rules_text_find(const char *text, size_t size, const struct rules_at *at, bool key, struct rules_position *ret);

/* rules_text_path - "forward[0].do[1].set". Return: @buf. */
char *rules_text_path(const struct rules_at *at, char *buf, size_t size);

/* ---- rules_read.c: values out of JSON, with messages that say where ---- */

struct rules_reader {
	struct rules *rules;
	const char *text;
	size_t size;
	struct irqs_error *reterr;
};

int rules_mistake(struct rules_reader *r, const struct rules_at *at, bool key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Keys that an object may have; those marked '!' it must have. Return: 0 or -EBADMSG. */
int rules_keys(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *const *keys);

/* Each takes the value of @key below @o, or leaves @ret alone when there is none. Return: 0 or -errno. */
int rules_get_text(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		   const char **ret);
int rules_get_name(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		   const char **ret);
int rules_get_bool(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key, bool *ret);
int rules_get_u32(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key, uint32_t min,
		  uint32_t max, uint32_t *ret);
int rules_get_number(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		     struct rules_number *ret);
int rules_get_positive(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		       uint64_t *ret);
int rules_get_strings(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		      struct rules_strings *ret);
/* As rules_get_text(), for the name of one of @names; @ret receives its index. */
int rules_get_choice(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
		     const char *const *names, size_t *ret);
int rules_number(struct rules_reader *r, const json_t *v, const struct rules_at *at, struct rules_number *ret);
/* rules_parse_number - decimal, or hexadecimal behind "0x", with a sign or not. */
bool rules_parse_number(const char *s, struct rules_number *ret);
/* rules_array - @count zeroed elements in the arena. Return: NULL when out of memory. */
void *rules_array(struct rules_reader *r, size_t count, size_t size);

/* ---- rules_parse.c, rules_parse_action.c, rules_parse_layout.c, rules_inverse.c ---- */

int rules_parse(struct rules_reader *r, const json_t *root);

int rules_parse_layouts(struct rules_reader *r, const json_t *root);
const struct rules_layout *rules_find_layout(const struct rules *r, const char *name);
int rules_parse_conditions(struct rules_reader *r, const json_t *o, const struct rules_at *at, const char *key,
			   struct rules_conditions *ret);
int rules_parse_condition(struct rules_reader *r, const json_t *o, const struct rules_at *at,
			  struct rules_condition *ret);
/* rules_parse_cost - "cost", "why" and "why_back" into an action; what is not there stays. */
int rules_parse_cost(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *ret);
/* @ret has the cost and the reasons of its rule, which may be stated anew. */
int rules_parse_action(struct rules_reader *r, const json_t *o, const struct rules_at *at, struct rules_action *ret);
int rules_parse_hosts(struct rules_reader *r, const json_t *root, const char *key, struct rules_hosts *ret);
/* rules_invert - rules->back out of rules->forward. Return: 0; -EBADMSG naming what has no inverse; -ENOMEM. */
int rules_invert(struct rules_reader *r);

const char *rules_verb_name(enum rules_verb v);

/* ---- rules_match.c ---- */

/* The run of one rule over one section. */
struct rules_run {
	struct filter_run *run;
	const struct rules *rules;
	const struct rules_rule *rule;
	const struct rules_action *action;
	struct vms_node *section;
	const char *captured[RULES_CAPTURES]; /* what the wildcards of "section" stand for */
	size_t captured_len[RULES_CAPTURES];
	size_t nodes_left, bytes_left;
	int rc; /* of what returned NULL */
	struct irqs_error *reterr;
};

/* rules_glob - '*' any text, '?' one character, '\' takes away the meaning of the next. @c: for captures, or NULL. */
bool rules_glob(const char *pattern, const char *text, struct rules_run *c);
bool rules_section_matches(struct rules_run *c, const struct vms_node *section);
/* rules_expand - "$1" and so on. Return: @buf; NULL when it became too long, with rules_run.rc set. */
char *rules_expand(struct rules_run *c, const char *name, char buf[static RULES_NAME_MAX + 1]);
bool rules_holds(struct rules_run *c, const struct vms_node *n, const struct rules_condition *cond);
/* rules_other_section - the section "in" names, of the same instance, or NULL. */
struct vms_node *rules_other_section(struct rules_run *c, const char *in);
/* rules_compare - below 0, 0 or above 0, as the field's sign says. */
int rules_compare(uint64_t value, bool is_signed, const struct rules_number *n);

/* ---- rules_node.c: nodes and their places ---- */

/* A node, or one element of an array of integers. */
struct rules_target {
	struct vms_node *node;
	uint32_t first, count;
};

/* rules_find - what @path names below @n (NULL: @n itself). Return: whether there is such a thing. */
bool rules_find(struct vms_node *n, const char *path, struct rules_target *ret);
int rules_fail(struct rules_run *c, const struct vms_node *n, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* rules_full_path - path of @n with @field behind it. Return: @buf. */
char *rules_full_path(const struct vms_node *n, const char *field, char *buf, size_t size);
/* rules_report - an entry of the rule's cost and reason. */
void rules_report(struct rules_run *c, enum report_action action, const char *path, const char *old_value,
		  const char *new_value);
/* rules_refuse - an entry that ends the conversion unless @cost is allowed; what is wrong, then the rule's reason. */
void rules_refuse(struct rules_run *c, enum report_cost cost, const struct vms_node *n, const char *field,
		  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
char *rules_show(bool is_signed, uint64_t v, char *buf, size_t size);
/* rules_show_node - an integer, or what kind of thing it is. */
char *rules_show_node(const struct vms_node *n, char *buf, size_t size);

/* These return NULL on failure, with rules_run.rc set. */
struct vms_node *rules_node(struct rules_run *c, enum vms_kind kind, const char *name, const char *type);
struct vms_node *rules_clone(struct rules_run *c, const struct vms_node *n);
/* rules_data - the node's bytes, zeroed. Return: 0 or -errno. */
int rules_data(struct rules_run *c, struct vms_node *n, uint64_t size);
int rules_set_name(struct rules_run *c, struct vms_node *n, const char *name);
/* rules_put - into @parent at its place: fields before subsections. */
void rules_put(struct vms_node *parent, struct vms_node *n, const struct rules_place *place);
/* rules_parent - which node below @n a new field of that path goes into, and its name there. */
struct vms_node *rules_parent(struct vms_node *n, const char *path, const char **ret_name);
void rules_reshaped(struct vms_node *n);
/* rules_even - the elements of all arrays below @n still look alike. Return: 0 or -EBADMSG. */
int rules_even(struct rules_run *c, const struct vms_node *n);

/* ---- what the actions do: rules_act.c, rules_move.c, rules_sections.c, rules_layout.c ---- */

int rules_act(struct rules_run *c, struct vms_node *n);
int rules_act_move(struct rules_run *c, struct vms_node *n);
/* rules_converted - a copy of integers as the action's change says; values that do not fit are refused. */
struct vms_node *rules_converted(struct rules_run *c, const struct vms_node *n, uint32_t first, uint32_t count,
				 bool array, const char *name);
/* rules_movable - @path names a whole field, struct or subsection that may get another place or name. */
int rules_movable(struct rules_run *c, struct vms_node *n, const char *path, struct vms_node **ret);
/* rules_free_name - fails when @parent has a child of that name. */
int rules_free_name(struct rules_run *c, struct vms_node *parent, const char *name);
/* rules_fits - whether a field of that type and width can hold it, as a signed or as an unsigned value. */
bool rules_fits(const struct rules_number *v, const char *type, uint32_t width);
int rules_rename_section(struct rules_run *c, struct vms_node *n);
int rules_act_split(struct rules_run *c, struct vms_node *n);
int rules_act_merge(struct rules_run *c, struct vms_node *n);
int rules_act_unpack(struct rules_run *c, struct vms_node *n);
int rules_act_pack(struct rules_run *c, struct vms_node *n);

#endif

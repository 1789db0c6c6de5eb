/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of a description that is bound to a C struct:
 *
 *	static const struct vms_field timer_rows[] = {
 *		VMS_U32(struct timer, limit),
 *		VMS_ARRAY_OF(struct timer, compare, 4, U64),
 *		VMS_BOOL(struct timer, running, .since = 2, .flags = VMS_DERIVED),
 *	};
 *	static const struct vms_desc timer_desc = {
 *		.name = "timer", .version = 2, .minimum_version = 1, .state_size = sizeof(struct timer),
 *		VMS_ROWS(timer_rows), .post_load = timer_post_load,
 *	};
 *
 * @T is the struct, @m the member (also the field's name; it may be a path such as env.eip). A member that
 * has not exactly the type that the row says does not compile. What follows the arguments of a row goes into
 * its struct vms_field: .since, .until, .flags, .exists.
 *
 * Element types are named by tokens: BOOL, U8, U16, U32, U64, S8, S16, S32, S64, F64, TIMER.
 */
#ifndef IRQSHIFT_VMSTATE_ROWS_H
#define IRQSHIFT_VMSTATE_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmstate/describe.h"
#include "vmstate/map.h"

#define VMS_ROWS(table) .fields = (table), .nfields = sizeof(table) / sizeof((table)[0])

/* ---- one value ---- */

#define VMS_BOOL(T, m, ...) VMS_VALUE(T, m, BOOL, __VA_ARGS__)
#define VMS_U8(T, m, ...) VMS_VALUE(T, m, U8, __VA_ARGS__)
#define VMS_U16(T, m, ...) VMS_VALUE(T, m, U16, __VA_ARGS__)
#define VMS_U32(T, m, ...) VMS_VALUE(T, m, U32, __VA_ARGS__)
#define VMS_U64(T, m, ...) VMS_VALUE(T, m, U64, __VA_ARGS__)
#define VMS_S8(T, m, ...) VMS_VALUE(T, m, S8, __VA_ARGS__)
#define VMS_S16(T, m, ...) VMS_VALUE(T, m, S16, __VA_ARGS__)
#define VMS_S32(T, m, ...) VMS_VALUE(T, m, S32, __VA_ARGS__)
#define VMS_S64(T, m, ...) VMS_VALUE(T, m, S64, __VA_ARGS__)
#define VMS_F64(T, m, ...) VMS_VALUE(T, m, F64, __VA_ARGS__)
/* When a timer expires, an int64_t in nanoseconds of its clock; -1: not armed. */
#define VMS_TIMER(T, m, ...) VMS_VALUE(T, m, TIMER, __VA_ARGS__)

#define VMS_VALUE(T, m, token, ...)                                                                         \
	{                                                                                                   \
		.name = #m, VMS_TYPE(token), .bind = VMS_INLINE, VMS_AT(T, m, VMS_C_##token *), __VA_ARGS__ \
	}

/* ---- arrays of values: all @n elements; @a times @b; as many as the member @cm says, at most @n ---- */

#define VMS_ARRAY_OF(T, m, n, token, ...)                                      \
	{                                                                      \
		.name = #m, VMS_TYPE(token), .bind = VMS_INLINE, .count = (n), \
		VMS_AT(T, m, VMS_C_##token(*)[n]), __VA_ARGS__                 \
	}
#define VMS_ARRAY_2D(T, m, a, b, token, ...)                                         \
	{                                                                            \
		.name = #m, VMS_TYPE(token), .bind = VMS_INLINE, .count = (a) * (b), \
		VMS_AT(T, m, VMS_C_##token(*)[a][b]), __VA_ARGS__                    \
	}
#define VMS_PARTIAL(T, m, n, cm, token, ...)                                                     \
	{                                                                                        \
		.name = #m, VMS_TYPE(token), .bind = VMS_INLINE, .count = (n), VMS_COUNT(T, cm), \
		VMS_AT(T, m, VMS_C_##token(*)[n]), __VA_ARGS__                                   \
	}
/* The same where the member points to the elements; with VMS_ALLOC a partial array is allocated on load. */
#define VMS_POINTED_ARRAY(T, m, n, token, ...)                                  \
	{                                                                       \
		.name = #m, VMS_TYPE(token), .bind = VMS_POINTED, .count = (n), \
		VMS_AT(T, m, VMS_C_##token **), __VA_ARGS__                     \
	}
#define VMS_POINTED_PARTIAL(T, m, n, cm, token, ...)                                              \
	{                                                                                         \
		.name = #m, VMS_TYPE(token), .bind = VMS_POINTED, .count = (n), VMS_COUNT(T, cm), \
		VMS_AT(T, m, VMS_C_##token **), __VA_ARGS__                                       \
	}

/* ---- pointers, each NULL or to one value; see VMS_ALLOC ---- */

#define VMS_POINTER_TO(T, m, token, ...)                                                           \
	{                                                                                          \
		.name = #m, VMS_TYPE(token), .bind = VMS_POINTERS, VMS_AT(T, m, VMS_C_##token **), \
		__VA_ARGS__                                                                        \
	}
#define VMS_POINTERS_TO(T, m, n, token, ...)                                     \
	{                                                                        \
		.name = #m, VMS_TYPE(token), .bind = VMS_POINTERS, .count = (n), \
		VMS_AT(T, m, VMS_C_##token * (*)[n]), __VA_ARGS__                \
	}

/* ---- structs of type @S, described by @d (not a pointer) ---- */

#define VMS_STRUCT_IN(T, m, S, d, ...)                                                                \
	{                                                                                             \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_INLINE, VMS_AT(T, m, S *), __VA_ARGS__ \
	}
/* Saved and loaded as version @v of its description. */
#define VMS_STRUCT_VERSION(T, m, S, d, v, ...)                                                \
	{                                                                                     \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_INLINE, .struct_version = (v), \
		VMS_AT(T, m, S *), __VA_ARGS__                                                \
	}
#define VMS_STRUCT_ARRAY(T, m, n, S, d, ...)                                                                \
	{                                                                                                   \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_INLINE, .count = (n), VMS_AT(T, m, S(*)[n]), \
		__VA_ARGS__                                                                                 \
	}
#define VMS_STRUCT_PARTIAL(T, m, n, cm, S, d, ...)                                                     \
	{                                                                                              \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_INLINE, .count = (n), VMS_COUNT(T, cm), \
		VMS_AT(T, m, S(*)[n]), __VA_ARGS__                                                     \
	}
#define VMS_STRUCT_POINTED(T, m, n, cm, S, d, ...)                                                      \
	{                                                                                               \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_POINTED, .count = (n), VMS_COUNT(T, cm), \
		VMS_AT(T, m, S **), __VA_ARGS__                                                         \
	}
#define VMS_STRUCT_POINTER(T, m, S, d, ...)                                                              \
	{                                                                                                \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_POINTERS, VMS_AT(T, m, S **), __VA_ARGS__ \
	}
#define VMS_STRUCT_POINTERS(T, m, n, S, d, ...)                                        \
	{                                                                              \
		.name = #m, VMS_STRUCT_TYPE(S, d), .bind = VMS_POINTERS, .count = (n), \
		VMS_AT(T, m, S * (*)[n]), __VA_ARGS__                                  \
	}

/* ---- bytes and text ---- */

#define VMS_BUFFER(T, m, n, ...)                                                            \
	{                                                                                   \
		.name = #m, .type = "buffer", .size = (n), .step = (n), .bind = VMS_INLINE, \
		VMS_AT(T, m, uint8_t(*)[n]), __VA_ARGS__                                    \
	}
#define VMS_BUFFER_PARTIAL(T, m, n, cm, ...)                                                          \
	{                                                                                             \
		.name = #m, .type = "buffer", .size = 1, .step = 1, .bind = VMS_INLINE, .count = (n), \
		VMS_COUNT(T, cm), VMS_AT(T, m, uint8_t(*)[n]), __VA_ARGS__                            \
	}
/* Bit 0 is the lowest bit of element 0 of a uint64_t [(bits + 63) / 64]. */
#define VMS_BITMAP(T, m, bits, ...)                                           \
	{                                                                     \
		.name = #m, .type = "bitmap", .size = ((bits) + 63) / 64 * 8, \
		.step = ((bits) + 63) / 64 * 8, .bind = VMS_INLINE,           \
		VMS_AT(T, m, uint64_t(*)[((bits) + 63) / 64]), __VA_ARGS__    \
	}
/* A terminated string in a char [n]; malloc'ed ones, each of which may be NULL and is freed before a load. */
#define VMS_TEXT(T, m, n, ...)                                                                          \
	{                                                                                               \
		.name = #m, .type = "string", .step = (n), .bind = VMS_CHARS, VMS_AT(T, m, char(*)[n]), \
		__VA_ARGS__                                                                             \
	}
#define VMS_TEXT_POINTER(T, m, ...)                                                      \
	{                                                                                \
		.name = #m, .type = "string", .step = sizeof(char *), .bind = VMS_CHARP, \
		VMS_AT(T, m, char **), __VA_ARGS__                                       \
	}
#define VMS_TEXT_POINTERS(T, m, n, ...)                                                                \
	{                                                                                              \
		.name = #m, .type = "string", .step = sizeof(char *), .bind = VMS_CHARP, .count = (n), \
		VMS_AT(T, m, char *(*)[n]), __VA_ARGS__                                                \
	}
/* @n bytes that once had a meaning, or will have one: sent as zeros, ignored on arrival. */
#define VMS_UNUSED(n, ...)                                                                              \
	{                                                                                               \
		.name = "unused", .type = "unused_buffer", .size = (n), .bind = VMS_FILLER, __VA_ARGS__ \
	}

/* ---- lists of malloc'ed structs of type @S with the links @entry; empty before a load ---- */

#define VMS_TAILQ_OF(T, m, S, entry, d, ...)                                                         \
	{                                                                                            \
		.name = #m, .type = "qtailq", .desc = &(d), .bind = VMS_TAILQ, .step = sizeof(S),    \
		VMS_AT_AS(T, m, m.tqh_first, S **), VMS_ENTRY(S, entry, entry.tqe_next), __VA_ARGS__ \
	}
#define VMS_LIST_OF(T, m, S, entry, d, ...)                                                        \
	{                                                                                          \
		.name = #m, .type = "qlist", .desc = &(d), .bind = VMS_LIST, .step = sizeof(S),    \
		VMS_AT_AS(T, m, m.lh_first, S **), VMS_ENTRY(S, entry, entry.le_next), __VA_ARGS__ \
	}
/* A struct vms_map of malloc'ed values of type @S; keys are uint64_t, or structs described by @kd. */
#define VMS_MAP_OF(T, m, S, d, ...)                                                            \
	{                                                                                      \
		.name = #m, .type = "gtree", .desc = &(d), .bind = VMS_MAP, .step = sizeof(S), \
		VMS_AT(T, m, struct vms_map *), __VA_ARGS__                                    \
	}
#define VMS_MAP_BY(T, m, kd, S, d, ...)                                                        \
	{                                                                                      \
		.name = #m, .type = "gtree", .desc = &(d), .key_desc = &(kd), .bind = VMS_MAP, \
		.step = sizeof(S), VMS_AT(T, m, struct vms_map *), __VA_ARGS__                 \
	}

/*
 * A struct of type @S whose first member is `T *parent`: zeroed, its parent set, filled by the pre_save of
 * @d, saved; or loaded, and used up by the post_load of @d.
 */
#define VMS_WITH_TMP(T, S, d, ...)                                                                          \
	{                                                                                                   \
		.name = "tmp", .type = "tmp", .desc = &(d), .bind = VMS_TMP, .at = 0 * VMS_TMP_CHECK(T, S), \
		.step = sizeof(S), __VA_ARGS__                                                              \
	}

/* ---- what the rows are made of ---- */

#define VMS_TYPE(token) .type = VMS_N_##token, .size = VMS_SIZE_##token, .step = sizeof(VMS_C_##token)
#define VMS_STRUCT_TYPE(S, d) .type = "struct", .desc = &(d), .step = sizeof(S)
#define VMS_CHECK(expr, ptype) sizeof(_Generic((expr), ptype : 0))
#define VMS_AT(T, m, ptype) VMS_AT_AS(T, m, m, ptype)
#define VMS_AT_AS(T, m, probe, ptype) .at = offsetof(T, m) + 0 * VMS_CHECK(&((T *)0)->probe, ptype)
#define VMS_ENTRY(S, entry, probe) .entry_at = offsetof(S, entry) + 0 * VMS_CHECK(&((S *)0)->probe, S **)
#define VMS_TMP_CHECK(T, S) \
	(VMS_CHECK(((S *)0)->parent, T *) + sizeof(char[offsetof(S, parent) == 0 ? 1 : -1]))
#define VMS_COUNT(T, cm)                                       \
	.count_name = #cm, .count_size = sizeof(((T *)0)->cm), \
	.count_at = offsetof(T, cm) +                          \
		    0 * sizeof(_Generic(((T *)0)->cm, uint8_t : 0, uint16_t : 0, uint32_t : 0))

#define VMS_C_BOOL bool
#define VMS_C_U8 uint8_t
#define VMS_C_U16 uint16_t
#define VMS_C_U32 uint32_t
#define VMS_C_U64 uint64_t
#define VMS_C_S8 int8_t
#define VMS_C_S16 int16_t
#define VMS_C_S32 int32_t
#define VMS_C_S64 int64_t
#define VMS_C_F64 double
#define VMS_C_TIMER int64_t

#define VMS_N_BOOL "bool"
#define VMS_N_U8 "uint8"
#define VMS_N_U16 "uint16"
#define VMS_N_U32 "uint32"
#define VMS_N_U64 "uint64"
#define VMS_N_S8 "int8"
#define VMS_N_S16 "int16"
#define VMS_N_S32 "int32"
#define VMS_N_S64 "int64"
#define VMS_N_F64 "float64"
#define VMS_N_TIMER "timer"

/* Types that are no integers say their size. */
#define VMS_SIZE_BOOL 0
#define VMS_SIZE_U8 0
#define VMS_SIZE_U16 0
#define VMS_SIZE_U32 0
#define VMS_SIZE_U64 0
#define VMS_SIZE_S8 0
#define VMS_SIZE_S16 0
#define VMS_SIZE_S32 0
#define VMS_SIZE_S64 0
#define VMS_SIZE_F64 8
#define VMS_SIZE_TIMER 0

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Visiting by hand, without a description: the same lines save and load, in every encoding. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/visit_cbor.h"
#include "stream/visit_json.h"
#include "vmstate/visit_bytes.h"
#include "vmstate/visit_tree.h"

struct console {
	bool open;
	uint8_t u8;
	uint16_t u16;
	uint32_t guest_connected;
	uint64_t u64;
	int8_t s8;
	int16_t s16;
	int32_t s32;
	int64_t s64;
	double rate;
	uint8_t u8s[2];
	uint16_t u16s[2];
	uint32_t nports;
	uint32_t ports[3];
	uint64_t u64s[70];
	uint8_t raw[5];
	char name[10];
	struct {
		uint32_t a, b;
	} pairs[3], one;
	bool has_more;
	uint32_t more;
};

static int visit_pairs(struct visitor *v, struct console *s, struct irqs_error *e)
{
	int rc = visit_begin_array(v, "pairs", 3, e);

	for (uint32_t i = 0; i < 3 && !rc; i++) {
		(void)((rc = visit_begin_element(v, "pairs", i, e)) ||
		       (rc = visit_u32(v, "a", &s->pairs[i].a, e)) ||
		       (rc = visit_u32(v, "b", &s->pairs[i].b, e)) || (rc = visit_end(v, e)));
	}
	return rc ? rc : visit_end(v, e);
}

static int visit_more(struct visitor *v, struct console *s, struct irqs_error *e)
{
	uint32_t version = 2;
	int rc = visit_subsection(v, "console/more", &s->has_more, &version, e);

	if (rc || !s->has_more)
		return rc;
	if (!rc)
		rc = visit_u32(v, "more", &s->more, e);
	return rc ? rc : visit_end(v, e);
}

/* What a device has instead of a save and a load function. */
static int visit_console(struct visitor *v, struct console *s, struct irqs_error *e)
{
	uint32_t version = 3;
	int rc;

	if ((rc = visit_begin_section(v, "console", 0, &version, e)) ||
	    (rc = visit_bool(v, "open", &s->open, e)) || (rc = visit_u8(v, "u8", &s->u8, e)) ||
	    (rc = visit_u16(v, "u16", &s->u16, e)) ||
	    (rc = visit_u32(v, "guest_connected", &s->guest_connected, e)) ||
	    (rc = visit_u64(v, "u64", &s->u64, e)) || (rc = visit_s8(v, "s8", &s->s8, e)) ||
	    (rc = visit_s16(v, "s16", &s->s16, e)) || (rc = visit_s32(v, "s32", &s->s32, e)) ||
	    (rc = visit_s64(v, "s64", &s->s64, e)) || (rc = visit_f64(v, "rate", &s->rate, e)) ||
	    (rc = visit_u8s(v, "u8s", s->u8s, 2, e)) || (rc = visit_u16s(v, "u16s", s->u16s, 2, e)) ||
	    (rc = visit_u32(v, "nports", &s->nports, e)))
		return rc;
	if (s->nports > 3)
		return visit_fail(v, NULL, e, IRQS_MALFORMED, "nports is %u", s->nports);
	if ((s->nports && (rc = visit_u32s(v, "ports", s->ports, s->nports, e))) ||
	    (rc = visit_u64s(v, "u64s", s->u64s, 70, e)) || (rc = visit_buffer(v, "raw", s->raw, 5, e)) ||
	    (rc = visit_string(v, "name", s->name, sizeof(s->name), e)) || (rc = visit_pairs(v, s, e)) ||
	    (rc = visit_begin_struct(v, "one", e)) || (rc = visit_u32(v, "a", &s->one.a, e)) ||
	    (rc = visit_end(v, e)) || (rc = visit_more(v, s, e)))
		return rc;
	return visit_end(v, e);
}

static struct console console_of(uint32_t nports, bool more)
{
	struct console s = {
		.open = true,
		.u8 = 0xfe,
		.u16 = 0xfedc,
		.guest_connected = 1,
		.u64 = UINT64_MAX,
		.s8 = -1,
		.s16 = -2,
		.s32 = INT32_MIN,
		.s64 = INT64_MIN,
		.rate = 1.5,
		.u8s = { 1, 2 },
		.u16s = { 3, 4 },
		.nports = nports,
		.u64s = { 1, 2, [69] = 9 },
		.raw = { 9, 8, 7, 6, 5 },
		.name = "hvc0",
		.pairs = { { 1, 2 }, { 3, 4 }, { 5, 6 } },
		.one = { .a = 7 },
		.has_more = more,
		.more = more ? 42 : 0,
	};

	for (uint32_t i = 0; i < nports; i++)
		s.ports[i] = 100 + i;
	return s;
}

static void expect_same(const struct console *a, const struct console *b, const char *codec)
{
	cr_expect_arr_eq(a, b, sizeof(*a), "%s", codec);
}

#define CASES                            \
	for (uint32_t n = 0; n < 4; n++) \
		for (int more = 0; more < 2; more++)

Test(visit_hand, through_a_tree)
{
	CASES
	{
		struct console from = console_of(n, more), to = { .has_more = !more };
		struct visit_tree_out out;
		struct visit_tree_in in;
		struct irqs_error err = { .text = "" };
		struct vms_tree t;
		uint64_t v;

		cr_assert_eq(vms_tree_init(&t, NULL), 0);
		visit_tree_out_init(&out, &t, t.machine);
		cr_assert_eq(visit_console(&out.v, &from, &err), 0, "%s: %s", err.path, err.text);
		cr_expect_eq(vms_get(t.machine, "console.guest_connected", &v, NULL), 0);
		cr_expect_eq(v, 1);
		cr_expect_eq(vms_get(t.machine, "console[0].pairs[2].b", &v, NULL), 0);
		cr_expect_eq(v, 6);
		visit_tree_in_init(&in, vms_first_child(t.machine));
		cr_assert_eq(visit_console(&in.v, &to, &err), 0, "%s: %s", err.path, err.text);
		expect_same(&from, &to, "tree");
		vms_tree_deinit(&t);
	}
}

Test(visit_hand, through_qemu_binary)
{
	CASES
	{
		struct console from = console_of(n, more), to = { .has_more = !more };
		struct visit_bytes_out out;
		struct visit_bytes_in in;
		struct irqs_error err = { .text = "" };

		visit_bytes_out_init(&out);
		cr_assert_eq(visit_console(&out.v, &from, &err), 0, "%s: %s", err.path, err.text);
		visit_bytes_in_init(&in, out.data, out.size, 3, 0);
		cr_assert_eq(visit_console(&in.v, &to, &err), 0, "%s: %s", err.path, err.text);
		expect_same(&from, &to, "bytes");
		for (size_t len = 0; len < out.size; len++) {
			visit_bytes_in_init(&in, out.data, len, 3, 1000);
			memset(&to, 0, sizeof(to));
			/* without its last subsection it is a whole console too */
			if (visit_console(&in.v, &to, &err) == 0)
				cr_expect(more && !to.has_more);
			else
				cr_expect(err.status == IRQS_MALFORMED && err.offset >= 1000);
		}
		visit_bytes_out_deinit(&out);
	}
}

Test(visit_hand, through_json)
{
	CASES
	{
		struct console from = console_of(n, more), to = { .has_more = !more };
		struct visit_json_out out;
		struct visit_json_in in;
		struct irqs_error err = { .text = "" };
		json_t *o;

		cr_assert_eq(visit_json_out_init(&out, NULL), 0);
		cr_assert_eq(visit_console(&out.out.v, &from, &err), 0, "%s: %s", err.path, err.text);
		cr_assert_eq(visit_json_out_finish(&out, &o, &err), 0);
		visit_json_out_deinit(&out);
		cr_assert_eq(visit_json_in_init(&in, o, &err), 0, "%s: %s", err.path, err.text);
		json_decref(o);
		cr_assert_eq(visit_console(&in.in.v, &to, &err), 0, "%s: %s", err.path, err.text);
		visit_json_in_deinit(&in);
		expect_same(&from, &to, "json");
	}
}

Test(visit_hand, through_cbor)
{
	CASES
	{
		struct console from = console_of(n, more), to = { .has_more = !more };
		struct visit_cbor_out out;
		struct visit_cbor_in in;
		struct irqs_error err = { .text = "" };
		uint8_t *data;
		size_t size;

		cr_assert_eq(visit_cbor_out_init(&out, NULL), 0);
		cr_assert_eq(visit_console(&out.out.v, &from, &err), 0, "%s: %s", err.path, err.text);
		cr_assert_eq(visit_cbor_out_finish(&out, &data, &size, &err), 0);
		visit_cbor_out_deinit(&out);
		cr_assert_eq(visit_cbor_in_init(&in, data, size, &err), 0, "%s: %s", err.path, err.text);
		free(data);
		cr_assert_eq(visit_console(&in.in.v, &to, &err), 0, "%s: %s", err.path, err.text);
		visit_cbor_in_deinit(&in);
		expect_same(&from, &to, "cbor");
	}
}

/* ---- nothing is implicit ---- */

static struct vms_tree saved;

static void save_one(void)
{
	struct console from = console_of(2, true);
	struct visit_tree_out out;

	cr_assert_eq(vms_tree_init(&saved, NULL), 0);
	visit_tree_out_init(&out, &saved, saved.machine);
	cr_assert_eq(visit_console(&out.v, &from, NULL), 0);
}

static struct irqs_error load_fails(void)
{
	struct console to = { 0 };
	struct visit_tree_in in;
	struct irqs_error err = { .text = "" };

	visit_tree_in_init(&in, vms_first_child(saved.machine));
	cr_assert_lt(visit_console(&in.v, &to, &err), 0);
	vms_tree_deinit(&saved);
	return err;
}

Test(visit_hand, a_missing_field_is_named, .init = save_one)
{
	struct irqs_error err;

	vms_remove(vms_lookup(saved.machine, "console[0].guest_connected"));
	err = load_fails();
	cr_expect_str_eq(err.path, "console[0].guest_connected");
	cr_expect_str_eq(err.text, "did not arrive: 'console[0].u64' is in its place");
}

Test(visit_hand, a_field_that_nobody_asked_for_is_named, .init = save_one)
{
	struct irqs_error err;

	cr_assert(vms_add_int(&saved, vms_lookup(saved.machine, "console[0].one"), "extra", "uint8", 0));
	err = load_fails();
	cr_expect_str_eq(err.path, "console[0].one.extra");
	cr_expect_str_eq(err.text, "arrived, and is not described");
}

Test(visit_hand, a_subsection_that_nobody_asked_for_is_named, .init = save_one)
{
	struct irqs_error err;

	cr_assert(vms_add_subsection(&saved, vms_first_child(saved.machine), "console/other", 1));
	err = load_fails();
	cr_expect_str_eq(err.path, "console[0].console/other");
}

Test(visit_hand, another_type_is_named, .init = save_one)
{
	struct irqs_error err;

	vms_lookup(saved.machine, "console[0].guest_connected")->type = "int32";
	err = load_fails();
	cr_expect_str_eq(err.path, "console[0].guest_connected");
	cr_expect_str_eq(err.text, "type 'int32' arrived, 'uint32' is described");
}

Test(visit_hand, the_name_of_a_check_in_a_type_is_no_other_type, .init = save_one)
{
	struct console to = { 0 };
	struct visit_tree_in in;

	vms_lookup(saved.machine, "console[0].guest_connected")->type = "uint32 equal";
	visit_tree_in_init(&in, vms_first_child(saved.machine));
	cr_expect_eq(visit_console(&in.v, &to, NULL), 0);
	vms_tree_deinit(&saved);
}

Test(visit_hand, the_walker_may_not_close_what_it_did_not_open)
{
	struct visit_bytes_out out;
	struct irqs_error err;

	visit_bytes_out_init(&out);
	cr_expect_eq(visit_end(&out.v, &err), -EINVAL);
	visit_bytes_out_deinit(&out);
}

Test(visit_hand, structs_nest_as_deep_as_is_said_and_no_deeper)
{
	struct visit_bytes_out out;
	uint32_t version = 1, depth = 1;
	struct irqs_error err;

	visit_bytes_out_init(&out);
	cr_assert_eq(visit_begin_section(&out.v, "deep", 0, &version, &err), 0);
	while (visit_begin_struct(&out.v, "s", &err) == 0)
		depth++;
	cr_expect_eq(depth, VISIT_DEPTH_MAX);
	cr_expect_str_eq(err.text, "nests too deep");
	visit_bytes_out_deinit(&out);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/visit_cbor.h"
#include "stream/visit_json.h"
#include "vmstate/visit_bytes.h"
#include "vmstate/visit_tree.h"

const char *codec_name(enum codec c)
{
	static const char *const names[] = { "tree", "bytes", "json", "cbor" };

	return names[c];
}

static int save_tree(struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_tree_out out;
	int rc;

	cr_assert_eq(vms_tree_init(&s->tree, NULL), 0);
	visit_tree_out_init(&out, &s->tree, s->tree.machine);
	rc = vms_save(&out.v, d, 1, state, reterr);
	if (rc)
		vms_tree_deinit(&s->tree);
	return rc;
}

static int save_bytes(struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_bytes_out out;
	int rc;

	visit_bytes_out_init(&out);
	rc = vms_save(&out.v, d, 1, state, reterr);
	if (rc) {
		visit_bytes_out_deinit(&out);
		return rc;
	}
	s->data = out.data;
	s->size = out.size;
	return 0;
}

static int save_json(struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_json_out out;
	json_t *o = NULL;
	int rc;

	cr_assert_eq(visit_json_out_init(&out, NULL), 0);
	rc = vms_save(&out.out.v, d, 1, state, reterr);
	if (!rc)
		rc = visit_json_out_finish(&out, &o, reterr);
	visit_json_out_deinit(&out);
	if (rc)
		return rc;
	s->data = (uint8_t *)json_dumps(o, JSON_COMPACT);
	s->size = strlen((char *)s->data);
	json_decref(o);
	return 0;
}

static int save_cbor(struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_cbor_out out;
	int rc;

	cr_assert_eq(visit_cbor_out_init(&out, NULL), 0);
	rc = vms_save(&out.out.v, d, 1, state, reterr);
	if (!rc)
		rc = visit_cbor_out_finish(&out, &s->data, &s->size, reterr);
	visit_cbor_out_deinit(&out);
	return rc;
}

int codec_save(struct saved *s, enum codec c, const struct vms_desc *d, void *state,
	       struct irqs_error *reterr)
{
	static int (*const save[])(struct saved *, const struct vms_desc *, void *, struct irqs_error *) = {
		save_tree,
		save_bytes,
		save_json,
		save_cbor,
	};

	memset(s, 0, sizeof(*s));
	s->codec = c;
	s->version = d->version;
	return save[c](s, d, state, reterr);
}

static int load_tree(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_tree_in in;

	visit_tree_in_init(&in, vms_first_child(s->tree.machine));
	return vms_load(&in.v, d, 1, state, reterr);
}

static int load_bytes(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_bytes_in in;

	visit_bytes_in_init(&in, s->data, s->size, s->version, 0);
	return vms_load(&in.v, d, 1, state, reterr);
}

static int load_json(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_json_in in;
	json_t *o = json_loadb((char *)s->data, s->size, 0, NULL);
	int rc = visit_json_in_init(&in, o, reterr);

	json_decref(o);
	if (rc)
		return rc;
	rc = vms_load(&in.in.v, d, 1, state, reterr);
	visit_json_in_deinit(&in);
	return rc;
}

static int load_cbor(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	struct visit_cbor_in in;
	int rc = visit_cbor_in_init(&in, s->data, s->size, reterr);

	if (rc)
		return rc;
	rc = vms_load(&in.in.v, d, 1, state, reterr);
	visit_cbor_in_deinit(&in);
	return rc;
}

int codec_load(const struct saved *s, const struct vms_desc *d, void *state, struct irqs_error *reterr)
{
	static int (*const load[])(const struct saved *, const struct vms_desc *, void *,
				   struct irqs_error *) = {
		load_tree,
		load_bytes,
		load_json,
		load_cbor,
	};

	return load[s->codec](s, d, state, reterr);
}

void codec_free(struct saved *s)
{
	if (s->codec == CODEC_TREE)
		vms_tree_deinit(&s->tree);
	free(s->data);
}

void codec_round(enum codec c, const struct vms_desc *save, void *from, const struct vms_desc *load, void *to)
{
	struct irqs_error err = { .text = "" };
	struct saved s;

	cr_assert_eq(codec_save(&s, c, save, from, &err), 0, "%s: save: %s: %s", codec_name(c), err.path,
		     err.text);
	cr_assert_eq(codec_load(&s, load, to, &err), 0, "%s: load: %s: %s", codec_name(c), err.path,
		     err.text);
	codec_free(&s);
}

struct irqs_error codec_fails(enum codec c, const struct vms_desc *save, void *from,
			      const struct vms_desc *load, void *to)
{
	struct irqs_error err = { .text = "" };
	struct saved s;

	cr_assert_eq(codec_save(&s, c, save, from, &err), 0, "%s: save: %s: %s", codec_name(c), err.path,
		     err.text);
	cr_assert_lt(codec_load(&s, load, to, &err), 0, "%s: it loaded", codec_name(c));
	codec_free(&s);
	return err;
}

static void print_bytes(const char *what, const uint8_t *p, size_t n)
{
	fprintf(stderr, "%s", what);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, " %02x", p[i]);
	fprintf(stderr, "\n");
}

bool codec_bytes_are(const struct vms_desc *d, void *state, const void *bytes, size_t size)
{
	struct irqs_error err = { .text = "" };
	struct saved s;
	bool same;

	cr_assert_eq(codec_save(&s, CODEC_BYTES, d, state, &err), 0, "%s: %s", err.path, err.text);
	same = s.size == size && !memcmp(s.data, bytes, size);
	if (!same) {
		print_bytes("wrote:   ", s.data, s.size);
		print_bytes("expected:", bytes, size);
	}
	codec_free(&s);
	return same;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold for every description and every state: save, load, equal; an older version loads by the
 * rules; a newer one is refused by name. IRQSHIFT_SEED=N starts with that seed, IRQSHIFT_FULL=1 makes a
 * million of them.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec.h"
#include "generate.h"
#include "vmstate/registry.h"

static uint64_t seed;
static enum codec codec;

static struct saved save(enum codec c, const struct vms_desc *d, void *state)
{
	struct irqs_error err = { .text = "" };
	struct saved s;

	cr_assert_eq(codec_save(&s, c, d, state, &err), 0, "seed %" PRIu64 ": save %s: %s: %s", seed,
		     codec_name(c), err.path, err.text);
	return s;
}

static int no_fault(void *ctx, enum vms_fault fault, const char *path, const char *text)
{
	(void)ctx;
	cr_assert(false, "seed %" PRIu64 ": fault %d: %s: %s", seed, fault, path, text);
	return 0;
}

static void load(const struct saved *s, const struct vms_desc *d, void *state)
{
	struct irqs_error err = { .text = "" };

	cr_assert_eq(codec_load(s, d, state, &err), 0, "seed %" PRIu64 ": load %s: %s: %s", seed,
		     codec_name(s->codec), err.path, err.text);
}

static bool same_bytes(const struct saved *a, const struct saved *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->data, b->data, a->size));
}

/* Whether two states are the same to a description: their binary forms are. */
static bool same(const struct vms_desc *d, void *a, void *b)
{
	struct saved x = save(CODEC_BYTES, d, a), y = save(CODEC_BYTES, d, b);
	bool equal = same_bytes(&x, &y);

	codec_free(&x);
	codec_free(&y);
	return equal;
}

static void check_there_and_back(struct gen *g, const struct vms_desc *d, void *from)
{
	void *to = gen_state(g, d, true);
	struct saved s = save(codec, d, from);

	load(&s, d, to);
	cr_assert(same(d, from, to), "seed %" PRIu64 ": %s: not equal", seed, codec_name(codec));
	codec_free(&s);
	gen_free(d, to);
}

static void check_older(struct gen *g, const struct vms_desc *d, void *from)
{
	uint32_t version = (uint32_t)gen_below(g, d->version + 1);
	const struct vms_desc *older = gen_older(g, d, version), *rest = gen_rest(g, d, version);
	void *to = gen_state(g, d, true);
	struct saved s = save(codec, older, from), before = save(CODEC_BYTES, rest, to), after;

	load(&s, d, to);
	after = save(CODEC_BYTES, rest, to);
	cr_assert(same(older, from, to), "seed %" PRIu64 ": %s: version %u: not equal", seed,
		  codec_name(codec), version);
	cr_assert(same_bytes(&before, &after),
		  "seed %" PRIu64 ": %s: version %u changed what it does not have", seed, codec_name(codec),
		  version);
	codec_free(&s);
	codec_free(&before);
	codec_free(&after);
	gen_free(d, to);
}

static void check_newer(struct gen *g, const struct vms_desc *d, void *from)
{
	struct vms_desc newer = *d;
	void *to = gen_state(g, d, true);
	struct irqs_error err;
	struct saved s;
	char want[160];

	newer.version += 1 + (uint32_t)gen_below(g, 3);
	s = save(codec, &newer, from);
	snprintf(want, sizeof(want), "version %" PRIu32 " of '%s' is newer than %" PRIu32, newer.version,
		 d->name, d->version);
	cr_assert_lt(codec_load(&s, d, to, &err), 0, "seed %" PRIu64 ": it loaded", seed);
	cr_assert(err.status == IRQS_REFUSED && !strncmp(err.text, want, strlen(want)),
		  "seed %" PRIu64 ": %s", seed, err.text);
	codec_free(&s);
	gen_free(d, to);
}

static void check_case(void)
{
	struct vms_desc *d;
	struct gen g;
	void *from;

	gen_init(&g, seed);
	d = gen_desc(&g);
	codec = (enum codec)gen_below(&g, NCODECS);
	vms_desc_check(d, no_fault, NULL);
	from = gen_state(&g, d, false);
	check_there_and_back(&g, d, from);
	check_older(&g, d, from);
	check_newer(&g, d, from);
	gen_free(d, from);
	gen_deinit(&g);
}

Test(bind_property, save_load_equal_for_any_description_and_state)
{
	const char *text = getenv("IRQSHIFT_SEED"), *full = getenv("IRQSHIFT_FULL");
	uint64_t first = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) << 20;
	uint32_t cases = full && !strcmp(full, "1") ? 1000000 : 20000;

	fprintf(stderr, "IRQSHIFT_SEED=%" PRIu64 ", %" PRIu32 " cases\n", first, cases);
	for (uint32_t i = 0; i < cases; i++) {
		seed = first + i;
		check_case();
	}
}

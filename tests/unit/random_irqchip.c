/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "random_irqchip.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t random_bits(uint64_t *seed)
{
	uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

uint64_t random_seed(void)
{
	const char *given = getenv("SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec ^ (uint64_t)now.tv_nsec << 20;
	fprintf(stderr, "SEED=%" PRIu64 "\n", seed);
	return seed;
}

static void fill_part(uint64_t *seed, unsigned int known, const struct irqchip_part *p)
{
	for (uint16_t r = 0; r < p->chip->nrows; r++) {
		const struct reg_row *row = &p->chip->rows[r];

		for (unsigned int i = 0; i < row->count && row->storage != REG_ACTION; i++)
			if (random_bits(seed) % 8 < known)
				reg_set(row, p->state, i, random_bits(seed));
	}
}

/* Either all ids are known or none: an index could be another's id. */
static void set_ids(uint64_t *seed, unsigned int known, struct irqchip_state *s)
{
	const struct reg_row *id = lapic_member("initial_id");
	bool all = known == 8 || random_bits(seed) & 1;
	uint32_t base = (uint32_t)random_bits(seed);

	for (unsigned int i = 0; i < s->nlapics; i++) {
		reg_set(id, &s->lapics[i], 0, base + 3 * i);
		if (!all)
			reg_forget(id, &s->lapics[i], 0);
	}
}

static void fill_routes(uint64_t *seed, struct irqchip_state *s)
{
	s->nroutes = (unsigned int)(random_bits(seed) % 6);
	s->routes = calloc(6, sizeof(*s->routes));
	cr_assert(s->routes != NULL);
	for (unsigned int i = 0; i < s->nroutes; i++)
		s->routes[i] = (struct irq_route){
			.gsi = (uint32_t)random_bits(seed),
			.chip = (enum irq_route_chip)(random_bits(seed) % 4),
			.pin = (uint32_t)random_bits(seed),
			.msi_data = (uint32_t)random_bits(seed),
			.msi_address = random_bits(seed),
		};
}

void random_irqchip(uint64_t *seed, unsigned int known, struct irqchip_state *ret)
{
	struct irqchip_part p;

	memset(ret, 0, sizeof(*ret));
	ret->mode = (enum irqchip_mode)(random_bits(seed) % 3);
	ret->lines = (uint32_t)random_bits(seed);
	ret->nlapics = (unsigned int)(random_bits(seed) % 5);
	ret->lapics = calloc(5, sizeof(*ret->lapics));
	cr_assert(ret->lapics != NULL);
	for (unsigned int i = 0; irqchip_part(ret, i, &p); i++)
		fill_part(seed, known, &p);
	set_ids(seed, known, ret);
	fill_routes(seed, ret);
}

static void expect_parts_equal(const struct irqchip_part *a, const struct irqchip_part *b)
{
	cr_expect_str_eq(a->type, b->type);
	cr_expect_eq(a->instance, b->instance, "%s[%" PRIu32 "], not [%" PRIu32 "]", a->name, b->instance, a->instance);
	for (uint16_t r = 0; r < a->chip->nrows; r++) {
		const struct reg_row *row = &a->chip->rows[r];

		for (unsigned int i = 0; i < row->count && row->storage != REG_ACTION; i++) {
			bool known = reg_known(row, a->state, i);

			cr_expect_eq(known, reg_known(row, b->state, i), "%s[%" PRIu32 "] %s[%u] is %s", a->name,
				     a->instance, row->name, i, known ? "lost" : "new");
			cr_expect(!known || reg_get(row, a->state, i) == reg_get(row, b->state, i),
				  "%s[%" PRIu32 "] %s[%u]: 0x%" PRIx64 " became 0x%" PRIx64, a->name, a->instance,
				  row->name, i, reg_get(row, a->state, i), reg_get(row, b->state, i));
		}
	}
}

void expect_irqchips_equal(const struct irqchip_state *a, const struct irqchip_state *b)
{
	struct irqchip_part pa, pb;

	cr_expect_eq(a->mode, b->mode);
	cr_expect_eq(a->lines, b->lines);
	cr_assert_eq(a->nlapics, b->nlapics);
	cr_assert_eq(a->nroutes, b->nroutes);
	for (unsigned int i = 0; irqchip_part(a, i, &pa) && irqchip_part(b, i, &pb); i++)
		expect_parts_equal(&pa, &pb);
	for (unsigned int i = 0; i < a->nroutes; i++) {
		cr_expect_eq(a->routes[i].gsi, b->routes[i].gsi);
		cr_expect_eq(a->routes[i].chip, b->routes[i].chip);
		cr_expect_eq(a->routes[i].pin, b->routes[i].pin);
		cr_expect_eq(a->routes[i].msi_data, b->routes[i].msi_data);
		cr_expect_eq(a->routes[i].msi_address, b->routes[i].msi_address);
	}
}

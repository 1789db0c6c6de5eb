/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Maps: a domain of mappings by interval, as an IOMMU keeps them, and domains by number. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "vmstate/rows.h"

struct interval {
	uint64_t low, high;
};
struct mapping {
	uint64_t address;
	uint32_t flags;
};
struct domain {
	uint32_t id;
	struct vms_map mappings;
};
struct iommu {
	uint32_t id;
	struct vms_map domains;
};

static int compare_intervals(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->high < y->low ? -1 : x->low > y->high;
}

static const struct vms_field interval_rows[] = { VMS_U64(struct interval, low),
						  VMS_U64(struct interval, high) };
static const struct vms_desc interval_desc = {
	.name = "interval",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct interval),
	VMS_ROWS(interval_rows),
};
static const struct vms_field mapping_rows[] = { VMS_U64(struct mapping, address),
						 VMS_U32(struct mapping, flags) };
static const struct vms_desc mapping_desc = {
	.name = "mapping",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct mapping),
	VMS_ROWS(mapping_rows),
};

static void domain_init(struct domain *d)
{
	vms_map_init(&d->mappings, sizeof(struct interval), compare_intervals);
}

static int domain_prepare(void *state, struct irqs_error *reterr)
{
	(void)reterr;
	domain_init(state);
	return 0;
}

static const struct vms_field domain_rows[] = {
	VMS_U32(struct domain, id),
	VMS_MAP_BY(struct domain, mappings, interval_desc, struct mapping, mapping_desc),
};
static const struct vms_desc domain_desc = {
	.name = "domain",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct domain),
	VMS_ROWS(domain_rows),
	.pre_load = domain_prepare,
};
static const struct vms_field iommu_rows[] = {
	VMS_U32(struct iommu, id),
	VMS_MAP_OF(struct iommu, domains, struct domain, domain_desc),
};
static const struct vms_desc iommu_desc = {
	.name = "iommu",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct iommu),
	VMS_ROWS(iommu_rows),
};

static void free_domain(void *value)
{
	struct domain *d = value;

	vms_map_clear(&d->mappings, free);
	free(d);
}

static struct domain *domain_create(uint32_t id, unsigned int n)
{
	struct domain *d = calloc(1, sizeof(*d));

	d->id = id;
	domain_init(d);
	for (unsigned int i = n; i-- > 0;) {
		struct interval key = { 100 * i, 100 * i + 99 };
		struct mapping *m = calloc(1, sizeof(*m));

		*m = (struct mapping){ 5000 + i, i };
		cr_assert_eq(vms_map_put(&d->mappings, &key, m), 0);
	}
	return d;
}

static void iommu_init(struct iommu *s, unsigned int ndomains)
{
	s->id = 7;
	vms_map_init(&s->domains, sizeof(uint64_t), NULL);
	for (uint64_t i = ndomains; i-- > 0;)
		cr_assert_eq(
			vms_map_put(&s->domains, &(uint64_t){ i * 10 }, domain_create((uint32_t)i, 3 * i)),
			0);
}

Test(bind_maps, maps_in_maps_by_number_and_by_struct)
{
	FOR_EACH_CODEC(c)
	{
		for (unsigned int n = 0; n < 4; n++) {
			struct iommu from, to;
			struct domain *d;
			struct mapping *m;

			iommu_init(&from, n);
			iommu_init(&to, 0);
			codec_round(c, &iommu_desc, &from, &iommu_desc, &to);
			cr_expect_eq(vms_map_count(&to.domains), n, "%s", codec_name(c));
			for (uint64_t i = 0; i < n; i++) {
				d = vms_map_get(&to.domains, &(uint64_t){ i * 10 });
				cr_assert(d && d->id == i && vms_map_count(&d->mappings) == 3 * i);
				m = vms_map_get(&d->mappings, &(struct interval){ 150, 150 });
				cr_expect(i == 0 || (m && m->address == 5001), "%s", codec_name(c));
			}
			vms_map_clear(&from.domains, free_domain);
			vms_map_clear(&to.domains, free_domain);
		}
	}
}

Test(bind_maps, a_map_is_written_in_the_order_of_its_keys)
{
	static const uint8_t
		wire
			[] = {
				0,
				0,
				0,
				7,
				0,
				0,
				0,
				2, /* id, nnodes */
				1,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0, /* key 0: id 0, no mappings */
				1,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				10,
				0,
				0,
				0,
				1,
				0,
				0,
				0,
				3, /* key 10: id 1, three */
				1,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				99,
				0,
				0,
				0,
				0,
				0,
				0,
				0x13,
				0x88,
				0,
				0,
				0,
				0,
				1,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				100,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				199,
				0,
				0,
				0,
				0,
				0,
				0,
				0x13,
				0x89,
				0,
				0,
				0,
				1,
				1,
				0,
				0,
				0,
				0,
				0,
				0,
				0,
				200,
				0,
				0,
				0,
				0,
				0,
				0,
				1,
				0x2b,
				0,
				0,
				0,
				0,
				0,
				0,
				0x13,
				0x8a,
				0,
				0,
				0,
				2,
				0,
				0,
			};
	struct iommu from;

	iommu_init(&from, 2);
	cr_expect(codec_bytes_are(&iommu_desc, &from, wire, sizeof(wire)));
	vms_map_clear(&from.domains, free_domain);
}

Test(bind_maps, a_key_that_arrives_twice_is_refused)
{
	static const uint8_t wire[] = {
		0,
		0,
		0,
		7,
		0,
		0,
		0,
		2,
		1,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		4,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		1,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		4,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
		0,
	};
	struct saved s = {
		.codec = CODEC_BYTES,
		.data = (uint8_t *)wire,
		.size = sizeof(wire),
		.version = 1,
	};
	struct irqs_error err;
	struct iommu to;

	iommu_init(&to, 0);
	cr_expect_eq(codec_load(&s, &iommu_desc, &to, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "key[1] arrived before");
	vms_map_clear(&to.domains, free_domain);
}

Test(bind_maps, a_map_whose_count_is_wrong_is_refused)
{
	static const uint8_t wire[] = { 0, 0, 0, 7, 0, 0, 0, 2, 0 };
	struct saved s = {
		.codec = CODEC_BYTES,
		.data = (uint8_t *)wire,
		.size = sizeof(wire),
		.version = 1,
	};
	struct irqs_error err;
	struct iommu to;

	iommu_init(&to, 0);
	cr_expect_eq(codec_load(&s, &iommu_desc, &to, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "0 elements arrived, nnodes is 2");
}

static int check_order(void *ctx, const void *key, void *value)
{
	uint64_t *next = ctx, k;

	memcpy(&k, key, sizeof(k));
	cr_assert_eq(k, *next);
	cr_assert_not_null(value);
	*next += 3;
	return 0;
}

Test(bind_maps, the_map_is_ordered_whatever_the_order_of_insertion)
{
	static int value;

	for (uint64_t step = 1; step < 1009; step += 111) {
		struct vms_map m;
		uint64_t next = 0;

		vms_map_init(&m, sizeof(uint64_t), NULL);
		for (uint64_t i = 0; i < 1009; i++) {
			uint64_t key = i * step % 1009 * 3;

			cr_assert_eq(vms_map_put(&m, &key, &value), 0);
			cr_assert_eq(vms_map_put(&m, &key, &value), -EEXIST);
		}
		cr_expect_eq(vms_map_count(&m), 1009);
		cr_expect_null(vms_map_get(&m, &(uint64_t){ 4 }));
		vms_map_walk(&m, check_order, &next);
		cr_expect_eq(next, 3 * 1009);
		vms_map_clear(&m, NULL);
	}
}

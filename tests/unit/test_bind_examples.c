/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Two devices of the design discussions, described.
 *
 * virtio: "clean design is easy: virtio; virtio-pci (the config, then virtio); virtio-pci-msix (virtio-pci,
 * then a partial array of queues)". integratorcp: flash_mapped is derived, the memory region below it is
 * immutable but for `enabled`, which is derived too.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "vmstate/registry.h"
#include "vmstate/rows.h"
#include "vmstate/visit_tree.h"

static int no_fault(void *ctx, enum vms_fault fault, const char *path, const char *text)
{
	(void)ctx;
	cr_expect(false, "fault %d: %s: %s", fault, path, text);
	return 0;
}

/* ---- virtio ---- */

#define QUEUE_MAX 8

struct virtqueue {
	uint32_t num;
	uint64_t pa;
	uint16_t last_avail_idx, vector;
};

struct virtio {
	uint8_t status, isr;
	uint16_t queue_sel;
	uint32_t guest_features;
	uint32_t config_len;
	uint8_t config[32];
};

struct virtio_pci {
	uint8_t config[64];
	uint32_t bar0;
	struct virtio vdev;
};

struct virtio_pci_msix {
	struct virtio_pci pci;
	uint16_t config_vector;
	uint16_t nqueues;
	struct virtqueue queues[QUEUE_MAX];
};

static const struct vms_field virtqueue_rows[] = {
	VMS_U32(struct virtqueue, num),
	VMS_U64(struct virtqueue, pa),
	VMS_U16(struct virtqueue, last_avail_idx),
	VMS_U16(struct virtqueue, vector),
};
static const struct vms_desc virtqueue_desc = {
	.name = "virtqueue",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct virtqueue),
	VMS_ROWS(virtqueue_rows),
};

static const struct vms_field virtio_rows[] = {
	VMS_U8(struct virtio, status),
	VMS_U8(struct virtio, isr),
	VMS_U16(struct virtio, queue_sel),
	VMS_U32(struct virtio, guest_features),
	VMS_U32(struct virtio, config_len),
	VMS_BUFFER_PARTIAL(struct virtio, config, 32, config_len),
};
static const struct vms_desc virtio_desc = {
	.name = "virtio",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct virtio),
	VMS_ROWS(virtio_rows),
};

static const struct vms_field virtio_pci_rows[] = {
	VMS_BUFFER(struct virtio_pci, config, 64),
	VMS_U32(struct virtio_pci, bar0),
	VMS_STRUCT_IN(struct virtio_pci, vdev, struct virtio, virtio_desc),
};
static const struct vms_desc virtio_pci_desc = {
	.name = "virtio-pci",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct virtio_pci),
	VMS_ROWS(virtio_pci_rows),
};

static const struct vms_field virtio_pci_msix_rows[] = {
	VMS_STRUCT_IN(struct virtio_pci_msix, pci, struct virtio_pci, virtio_pci_desc),
	VMS_U16(struct virtio_pci_msix, config_vector),
	VMS_U16(struct virtio_pci_msix, nqueues),
	VMS_STRUCT_PARTIAL(struct virtio_pci_msix, queues, QUEUE_MAX, nqueues, struct virtqueue,
			   virtqueue_desc),
};
static const struct vms_desc virtio_pci_msix_desc = {
	.name = "virtio-pci-msix",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct virtio_pci_msix),
	VMS_ROWS(virtio_pci_msix_rows),
};

static struct virtio_pci_msix disk_of(uint16_t nqueues)
{
	struct virtio_pci_msix d = {
		.pci = { .config = { 0xf4, 0x1a, 0x01, 0x10 },
			 .bar0 = 0xc041,
			 .vdev = { .status = 7,
				   .guest_features = 0x31000254,
				   .config_len = 3,
				   .config = "abc" } },
		.config_vector = 0,
		.nqueues = nqueues,
	};

	for (uint16_t i = 0; i < QUEUE_MAX; i++)
		d.queues[i] = (struct virtqueue){ 256, 0x7f000u + i, i, (uint16_t)(i + 1) };
	return d;
}

Test(bind_examples, virtio_the_partial_array_of_queues_of_any_length)
{
	vms_desc_check(&virtio_pci_msix_desc, no_fault, NULL);
	for (uint16_t n = 0; n <= QUEUE_MAX; n++) {
		FOR_EACH_CODEC(c)
		{
			struct virtio_pci_msix from = disk_of(n), to = { .nqueues = 99 };

			codec_round(c, &virtio_pci_msix_desc, &from, &virtio_pci_msix_desc, &to);
			cr_expect_eq(to.nqueues, n, "%s", codec_name(c));
			cr_expect_str_eq((char *)to.pci.vdev.config, "abc");
			for (uint16_t i = 0; i < QUEUE_MAX; i++)
				cr_expect_eq(to.queues[i].pa, i < n ? 0x7f000u + i : 0u);
		}
	}
}

Test(bind_examples, virtio_more_queues_than_there_can_be_are_refused)
{
	struct virtio_pci_msix from = disk_of(QUEUE_MAX), to = { .nqueues = 0 };
	struct saved s;
	struct irqs_error err;

	cr_assert_eq(codec_save(&s, CODEC_TREE, &virtio_pci_msix_desc, &from, NULL), 0);
	cr_assert_eq(vms_set(s.tree.machine, "virtio-pci-msix[1].nqueues", QUEUE_MAX + 1, NULL), 0);
	cr_expect_eq(codec_load(&s, &virtio_pci_msix_desc, &to, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "nqueues is 9, and there is room for 8 elements of 'queues'");
	/* fewer than arrived: the rest would be elements from nowhere */
	cr_assert_eq(vms_set(s.tree.machine, "virtio-pci-msix[1].nqueues", 2, NULL), 0);
	cr_expect_eq(codec_load(&s, &virtio_pci_msix_desc, &to, &err), -EBADMSG);
	cr_expect_str_eq(err.path, "virtio-pci-msix[1].queues");
	cr_expect_str_eq(err.text, "8 elements arrived, 2 are described");
	codec_free(&s);
}

Test(bind_examples, virtio_a_saved_image_is_manipulated_by_name)
{
	struct virtio_pci_msix from = disk_of(3), to = { .nqueues = 0 };
	struct saved s;
	uint64_t v;

	cr_assert_eq(codec_save(&s, CODEC_TREE, &virtio_pci_msix_desc, &from, NULL), 0);
	cr_assert_eq(vms_get(s.tree.machine, "virtio-pci-msix[1].queues[2].pa", &v, NULL), 0);
	cr_expect_eq(v, 0x7f002);
	cr_assert_eq(vms_set(s.tree.machine, "virtio-pci-msix[1].queues[2].pa", 0x1234, NULL), 0);
	cr_assert_eq(vms_set(s.tree.machine, "virtio-pci-msix[1].pci.vdev.status", 0x80, NULL), 0);
	cr_assert_eq(codec_load(&s, &virtio_pci_msix_desc, &to, NULL), 0);
	cr_expect(to.queues[2].pa == 0x1234 && to.pci.vdev.status == 0x80 && to.queues[1].pa == 0x7f001);
	codec_free(&s);
}

/* ---- integratorcp ---- */

struct memory_region {
	uint64_t address, size;
	uint32_t priority;
	bool enabled, readonly;
	char name[16];
};

struct integratorcm {
	uint32_t memsz;
	struct memory_region flash;
	bool flash_mapped;
	uint32_t cm_osc, cm_ctrl, cm_lock, cm_auxosc, cm_sdram, cm_init, cm_flags, cm_nvflags;
	uint32_t int_level, irq_enabled, fiq_enabled;
	int mappings_updated;
};

static int region_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	/* What maps the region decides; until it has, nothing answers. */
	(void)version;
	(void)reterr;
	((struct memory_region *)state)->enabled = false;
	return 0;
}

static const struct vms_field region_rows[] = {
	VMS_U64(struct memory_region, address),
	VMS_U64(struct memory_region, size),
	VMS_U32(struct memory_region, priority),
	VMS_BOOL(struct memory_region, enabled, .flags = VMS_DERIVED),
	VMS_BOOL(struct memory_region, readonly),
	VMS_TEXT(struct memory_region, name, 16),
};
static const struct vms_desc region_desc = {
	.name = "memory-region",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct memory_region),
	VMS_ROWS(region_rows),
	.post_load = region_loaded,
};

/* Bit 2 of CM_CTRL maps RAM over the flash. */
static int integratorcm_loaded(void *state, uint32_t version, struct irqs_error *reterr)
{
	struct integratorcm *s = state;

	(void)version;
	(void)reterr;
	s->flash_mapped = !(s->cm_ctrl & 4);
	s->flash.enabled = s->flash_mapped;
	s->mappings_updated++;
	return 0;
}

static const struct vms_field integratorcm_rows[] = {
	VMS_U32(struct integratorcm, memsz, .flags = VMS_IMMUTABLE),
	VMS_STRUCT_IN(struct integratorcm, flash, struct memory_region, region_desc, .flags = VMS_IMMUTABLE),
	VMS_BOOL(struct integratorcm, flash_mapped, .flags = VMS_DERIVED),
	VMS_U32(struct integratorcm, cm_osc),
	VMS_U32(struct integratorcm, cm_ctrl),
	VMS_U32(struct integratorcm, cm_lock),
	VMS_U32(struct integratorcm, cm_auxosc),
	VMS_U32(struct integratorcm, cm_sdram),
	VMS_U32(struct integratorcm, cm_init),
	VMS_U32(struct integratorcm, cm_flags),
	VMS_U32(struct integratorcm, cm_nvflags),
	VMS_U32(struct integratorcm, int_level),
	VMS_U32(struct integratorcm, irq_enabled),
	VMS_U32(struct integratorcm, fiq_enabled),
};
static const struct vms_desc integratorcm_desc = {
	.name = "integratorcm",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct integratorcm),
	VMS_ROWS(integratorcm_rows),
	.post_load = integratorcm_loaded,
};

static const struct integratorcm board = {
	.memsz = 0x10000000,
	.flash = { .address = 0x24000000,
		   .size = 0x1000000,
		   .enabled = true,
		   .readonly = true,
		   .name = "flash" },
	.flash_mapped = true,
	.cm_osc = 1,
	.cm_lock = 3,
	.cm_nvflags = 9,
	.irq_enabled = 0x10,
};

Test(bind_examples, integratorcp_derived_state_is_made_from_the_registers_that_arrived)
{
	vms_desc_check(&integratorcm_desc, no_fault, NULL);
	for (uint32_t ctrl = 0; ctrl < 8; ctrl++) {
		FOR_EACH_CODEC(c)
		{
			struct integratorcm from = board, to = board;

			/* the sender's idea of flash_mapped is wrong on purpose: it is not looked at */
			from.cm_ctrl = ctrl;
			from.flash_mapped = from.flash.enabled = ctrl & 4;
			to.cm_osc = 0;
			codec_round(c, &integratorcm_desc, &from, &integratorcm_desc, &to);
			cr_expect(to.cm_ctrl == ctrl && to.cm_osc == 1 && to.irq_enabled == 0x10);
			cr_expect_eq(to.flash_mapped, !(ctrl & 4), "%s", codec_name(c));
			cr_expect_eq(to.flash.enabled, to.flash_mapped, "%s", codec_name(c));
			cr_expect_eq(to.mappings_updated, 1);
		}
	}
}

Test(bind_examples, integratorcp_a_board_with_another_flash_is_refused_by_name_and_values)
{
	FOR_EACH_CODEC(c)
	{
		struct integratorcm from = board, to = board;
		struct irqs_error err;

		from.flash.size = 0x2000000;
		err = codec_fails(c, &integratorcm_desc, &from, &integratorcm_desc, &to);
		cr_expect_eq(err.status, IRQS_REFUSED);
		cr_expect_str_eq(err.path, "integratorcm[1].flash.size", "%s: %s", codec_name(c), err.path);
		cr_expect_str_eq(err.text, "immutable: 0x2000000 arrived, 0x1000000 is here");
		from = board;
		strcpy(from.flash.name, "rom");
		err = codec_fails(c, &integratorcm_desc, &from, &integratorcm_desc, &to);
		cr_expect_str_eq(err.path, "integratorcm[1].flash.name");
		from = board;
		from.memsz = 1;
		err = codec_fails(c, &integratorcm_desc, &from, &integratorcm_desc, &to);
		cr_expect_str_eq(err.path, "integratorcm[1].memsz");
		cr_expect_eq(to.mappings_updated, 0);
	}
}

/* "Send too much in X; in X + 1 filter it": the stream does not change when a field becomes derived. */
Test(bind_examples, integratorcp_a_field_becomes_derived_without_a_change_of_the_format)
{
	static const struct vms_field older_rows[] = {
		VMS_BOOL(struct integratorcm, flash_mapped),
		VMS_U32(struct integratorcm, cm_ctrl),
	};
	static const struct vms_field newer_rows[] = {
		VMS_BOOL(struct integratorcm, flash_mapped, .flags = VMS_DERIVED),
		VMS_U32(struct integratorcm, cm_ctrl),
	};
	static const struct vms_desc older = {
		.name = "cm",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct integratorcm),
		VMS_ROWS(older_rows),
	};
	static const struct vms_desc newer = {
		.name = "cm",
		.version = 1,
		.minimum_version = 1,
		.state_size = sizeof(struct integratorcm),
		VMS_ROWS(newer_rows),
		.post_load = integratorcm_loaded,
	};

	FOR_EACH_CODEC(c)
	{
		struct integratorcm from = board, to = board;

		from.cm_ctrl = 4;
		codec_round(c, &older, &from, &newer, &to);
		cr_expect(!to.flash_mapped, "%s", codec_name(c));
		codec_round(c, &newer, &from, &older, &to);
		cr_expect(to.flash_mapped, "%s: the older one takes what it is sent", codec_name(c));
	}
}

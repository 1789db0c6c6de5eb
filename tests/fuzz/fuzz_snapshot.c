/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a snapshot in the native format or in JSON. What is taken comes back: as the same tree, and in the
 * other encoding as the same state. The first byte chooses; of a native input each record gets the CRC of what is in
 * it, or nothing would get past it.
 */
#include "tests/fuzz/seeds.h"

#include <string.h>

#include "apic/print.h"
#include "apic/snapshot.h"
#include "base/crc32c.h"
#include "stream/native.h"
#include "stream/tree_json.h"
#include "vmstate/diff.h"

/* Bytes of the heads of a record: array, length, CRC; and of the magic. */
#define RECORD_HEAD 11u
#define MAGIC_SIZE 4u

static void make_state(struct irqchip_state *s, struct lapic_state *lapics, struct irq_route *route)
{
	struct irqchip_part p;

	*s = (struct irqchip_state){ .mode = IRQCHIP_FULL, .lapics = lapics, .nlapics = 2, .routes = route, .nroutes = 1 };
	*route = (struct irq_route){ .gsi = 3, .chip = IRQ_ROUTE_MSI, .msi_data = 0x41 };
	for (unsigned int i = 0; irqchip_part(s, i, &p); i++)
		reg_state_reset(p.chip, p.state, true);
	lapics[1].initial_id = 1;
	reg_forget(reg_find_name(&lapic_chip, "IRR"), &lapics[1], 3);
}

static void write_both(const struct irqchip_state *s, const char *folder, const char *name)
{
	static uint8_t buf[1 << 20];
	int fd = memfd_create("seed", MFD_CLOEXEC);
	struct vms_tree t;
	char *text, file[64];
	ssize_t n;

	if (fd < 0 || vms_tree_init(&t, NULL) || snapshot_to_tree(s, &t, NULL) || native_write_tree(fd, t.machine, 0, NULL))
		abort();
	buf[0] = 0;
	n = pread(fd, buf + 1, sizeof(buf) - 1, 0);
	snprintf(file, sizeof(file), "%s-native", name);
	seed_write(folder, file, buf, (size_t)n + 1);
	text = tree_json(t.machine);
	buf[0] = 1;
	n = snprintf((char *)buf + 1, sizeof(buf) - 1, "%s", text);
	snprintf(file, sizeof(file), "%s-json", name);
	seed_write(folder, file, buf, (size_t)n + 1);
	free(text);
	vms_tree_deinit(&t);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *folder = seed_folder(*argc, *argv);
	struct irqchip_state s, empty = { .mode = IRQCHIP_SPLIT };
	struct lapic_state lapics[2];
	struct irq_route route;

	if (!folder)
		return 0;
	make_state(&s, lapics, &route);
	write_both(&s, folder, "full");
	write_both(&empty, folder, "empty");
	return 0;
}

/* Lengths as they are; CRCs as they should be. */
static void mend(uint8_t *data, size_t size)
{
	size_t at = MAGIC_SIZE;

	while (at + RECORD_HEAD < size && data[at] == 0x83 && data[at + 1] == 0x1a && data[at + 6] == 0x1a) {
		size_t len = (size_t)data[at + 2] << 24 | (size_t)data[at + 3] << 16 | (size_t)data[at + 4] << 8 | data[at + 5];
		uint32_t crc;

		if (len > size - at - RECORD_HEAD)
			return;
		crc = crc32c(0, data + at + RECORD_HEAD, len);
		for (unsigned int i = 0; i < 4; i++)
			data[at + 7 + i] = (uint8_t)(crc >> (24 - 8 * i));
		at += RECORD_HEAD + len;
	}
}

static int differs(void *ctx, const struct vms_difference *d)
{
	(void)ctx;
	(void)d;
	return 1;
}

static void nowhere(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

/* The state of a tree that was taken, through the other encoding. */
static void round_trip(const struct irqchip_state *s)
{
	const struct reg_out out = { .emit = nowhere };
	struct vms_tree once, twice;
	struct irqchip_state back;
	struct irqchip_part p;
	char *text;
	int fd;

	for (unsigned int i = 0; irqchip_part(s, i, &p); i++)
		reg_print(p.chip, p.state, NULL, &out);
	if (vms_tree_init(&once, NULL) || vms_tree_init(&twice, NULL) || snapshot_to_tree(s, &once, NULL))
		abort();
	text = tree_json(once.machine);
	if (!text)
		abort();
	fd = file_of((const uint8_t *)text, strlen(text));
	if (tree_json_load(fd, &twice, NULL) || vms_diff(once.machine, twice.machine, differs, NULL) ||
	    snapshot_from_tree(twice.machine, &back, NULL))
		abort();
	irqchip_deinit(&back);
	free(text);
	vms_tree_deinit(&once);
	vms_tree_deinit(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct irqs_error err = { .status = IRQS_DONE };
	struct irqchip_state s;
	struct vms_tree t;
	uint8_t *copy;
	int fd, rc;

	if (!size)
		return 0;
	copy = malloc(size);
	if (!copy || vms_tree_init(&t, NULL))
		abort();
	memcpy(copy, data, size);
	if (!(data[0] & 1))
		mend(copy + 1, size - 1);
	fd = file_of(copy + 1, size - 1);
	if (lseek(fd, 0, SEEK_SET))
		abort();
	rc = data[0] & 1 ? tree_json_load(fd, &t, &err) : native_read_tree(fd, &t, NULL, &err);
	if (!rc)
		rc = snapshot_from_tree(t.machine, &s, &err);
	if (!rc) {
		round_trip(&s);
		irqchip_deinit(&s);
	} else if (err.status != IRQS_MALFORMED && err.status != IRQS_REFUSED) {
		abort();
	}
	vms_tree_deinit(&t);
	free(copy);
	return 0;
}

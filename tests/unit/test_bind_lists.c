/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists, tail queues and temporary structs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "codec.h"
#include "vmstate/rows.h"

/* ---- tail queue and list ---- */

struct node {
	uint16_t id;
	uint8_t kind;
	TAILQ_ENTRY(node)
	tail;
	LIST_ENTRY(node)
	list;
};
TAILQ_HEAD(node_queue, node);
LIST_HEAD(node_list, node);

struct bus {
	uint8_t speed;
	struct node_queue queue;
	struct node_list list;
	uint8_t last;
};

static const struct vms_field node_rows[] = { VMS_U16(struct node, id), VMS_U8(struct node, kind) };
static const struct vms_desc node_desc = {
	.name = "node",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct node),
	VMS_ROWS(node_rows),
};
static const struct vms_field bus_rows[] = {
	VMS_U8(struct bus, speed),
	VMS_TAILQ_OF(struct bus, queue, struct node, tail, node_desc),
	VMS_LIST_OF(struct bus, list, struct node, list, node_desc),
	VMS_U8(struct bus, last),
};
static const struct vms_desc bus_desc = {
	.name = "bus",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct bus),
	VMS_ROWS(bus_rows),
};

static void bus_init(struct bus *b)
{
	memset(b, 0, sizeof(*b));
	TAILQ_INIT(&b->queue);
	LIST_INIT(&b->list);
}

static void bus_deinit(struct bus *b)
{
	struct node *n;

	while ((n = TAILQ_FIRST(&b->queue))) {
		TAILQ_REMOVE(&b->queue, n, tail);
		free(n);
	}
	while ((n = LIST_FIRST(&b->list))) {
		LIST_REMOVE(n, list);
		free(n);
	}
}

static void bus_fill(struct bus *b, struct node *nodes, unsigned int n)
{
	bus_init(b);
	b->speed = 1;
	b->last = 9;
	for (unsigned int i = 0; i < n; i++) {
		nodes[2 * i] = (struct node){ .id = (uint16_t)(i + 1), .kind = 2 };
		nodes[2 * i + 1] = (struct node){ .id = (uint16_t)(100 + i), .kind = 3 };
		TAILQ_INSERT_TAIL(&b->queue, &nodes[2 * i], tail);
		LIST_INSERT_HEAD(&b->list, &nodes[2 * i + 1], list);
	}
}

Test(bind_lists, lists_of_none_to_many_keep_their_order_and_can_be_changed_afterwards)
{
	FOR_EACH_CODEC(c)
	{
		for (unsigned int n = 0; n < 5; n++) {
			struct node nodes[10], *e;
			struct bus from, to;
			unsigned int i = 0;

			bus_fill(&from, nodes, n);
			bus_init(&to);
			codec_round(c, &bus_desc, &from, &bus_desc, &to);
			cr_expect(to.speed == 1 && to.last == 9);
			TAILQ_FOREACH(e, &to.queue, tail)
			cr_expect(e->id == ++i && e->kind == 2, "%s", codec_name(c));
			cr_expect_eq(i, n);
			LIST_FOREACH(e, &to.list, list)
			cr_expect(e->id == 100 + --i && e->kind == 3, "%s", codec_name(c));
			cr_expect_eq(i, 0);
			e = calloc(1, sizeof(*e));
			TAILQ_INSERT_TAIL(&to.queue, e, tail);
			cr_expect_eq(TAILQ_LAST(&to.queue, node_queue), e);
			bus_deinit(&to);
		}
	}
}

Test(bind_lists, lists_are_written_as_qemu_writes_them)
{
	static const uint8_t wire[] = { 1, 1, 0, 1, 2, 1, 0, 2, 2, 0, 1, 0, 101, 3, 1, 0, 100, 3, 0, 9 };
	struct node nodes[4];
	struct bus from;

	bus_fill(&from, nodes, 2);
	cr_expect(codec_bytes_are(&bus_desc, &from, wire, sizeof(wire)));
}

Test(bind_lists, a_list_that_is_not_empty_is_not_loaded_into)
{
	FOR_EACH_CODEC(c)
	{
		struct node nodes[4];
		struct bus bus;
		struct irqs_error err;

		bus_fill(&bus, nodes, 1);
		err = codec_fails(c, &bus_desc, &bus, &bus_desc, &bus);
		cr_expect_str_eq(err.path, "bus[1].queue");
		cr_expect_str_eq(err.text, "the list is not empty");
	}
}

Test(bind_lists, a_list_that_does_not_end_is_refused)
{
	static const uint8_t cut[] = { 1, 1, 0, 1, 2, 1 }, odd[] = { 1, 1, 0, 1, 2, 7 };
	const uint8_t *const data[] = { cut, odd };

	for (size_t i = 0; i < 2; i++) {
		struct saved s = {
			.codec = CODEC_BYTES,
			.data = (uint8_t *)data[i],
			.size = 6,
			.version = 1,
		};
		struct irqs_error err;
		struct bus to;

		bus_init(&to);
		cr_expect_eq(codec_load(&s, &bus_desc, &to, &err), -EBADMSG);
		cr_expect(!strncmp(err.path, "bus[1].queue", 12), "%s: %s", err.path, err.text);
		bus_deinit(&to);
	}
}

/* ---- a temporary struct ---- */

struct counter {
	uint32_t high, low;
};
struct counter_tmp {
	struct counter *parent;
	uint64_t value;
};

static int tmp_save(void *state, struct irqs_error *reterr)
{
	struct counter_tmp *t = state;

	(void)reterr;
	t->value = (uint64_t)t->parent->high << 32 | t->parent->low;
	return 0;
}

static int tmp_load(void *state, uint32_t version, struct irqs_error *reterr)
{
	struct counter_tmp *t = state;

	(void)version;
	if (!t->value)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "a counter is never 0");
	t->parent->high = (uint32_t)(t->value >> 32);
	t->parent->low = (uint32_t)t->value;
	return 0;
}

static const struct vms_field tmp_rows[] = { VMS_U64(struct counter_tmp, value) };
static const struct vms_desc tmp_desc = {
	.name = "counter_tmp",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct counter_tmp),
	VMS_ROWS(tmp_rows),
	.pre_save = tmp_save,
	.post_load = tmp_load,
};
static const struct vms_field counter_rows[] = { VMS_WITH_TMP(struct counter, struct counter_tmp, tmp_desc) };
static const struct vms_desc counter_desc = {
	.name = "counter",
	.version = 1,
	.minimum_version = 1,
	.state_size = sizeof(struct counter),
	VMS_ROWS(counter_rows),
};

Test(bind_lists, a_temporary_struct_carries_what_the_state_keeps_otherwise)
{
	static const uint8_t wire[] = { 0, 0, 0, 1, 0, 0, 0, 2 };
	struct counter from = { 1, 2 };

	cr_expect(codec_bytes_are(&counter_desc, &from, wire, sizeof(wire)));
	FOR_EACH_CODEC(c)
	{
		struct counter to = { 0 };

		codec_round(c, &counter_desc, &from, &counter_desc, &to);
		cr_expect(to.high == 1 && to.low == 2, "%s", codec_name(c));
	}
}

Test(bind_lists, what_a_hook_refuses_is_reported_with_the_path)
{
	FOR_EACH_CODEC(c)
	{
		struct counter from = { 0, 0 }, to = { 8, 8 };
		struct irqs_error err = codec_fails(c, &counter_desc, &from, &counter_desc, &to);

		cr_expect_eq(err.status, IRQS_REFUSED);
		cr_expect_str_eq(err.path, "counter[1]");
		cr_expect_str_eq(err.text, "a counter is never 0");
		cr_expect_eq(to.high, 8);
	}
}

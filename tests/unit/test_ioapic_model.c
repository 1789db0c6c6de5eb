/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The IOAPIC model (82093AA; EOI register: ICH7 data sheet 10.5). */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "userspace/ioapic_model.h"

#define LEVEL 0x8000U
#define LOW 0x2000U
#define REMOTE_IRR 0x4000U
#define MASKED 0x10000U

/* What was sent. */
static struct bed {
	struct ioapic_model m;
	unsigned int sent;
	uint64_t address;
	uint32_t data;
	int accept;
} bed;

static int to_nobody(void *ctx, uint64_t address, uint32_t data)
{
	struct bed *b = ctx;

	b->sent++;
	b->address = address;
	b->data = data;
	return b->accept;
}

static struct ioapic_model_config config(void)
{
	return (struct ioapic_model_config){
		.msi = to_nobody,
		.ctx = &bed,
		.base = 0xfec00000,
		.version = IOAPIC_VERSION_20,
		.npins = 24,
		.id = 2,
	};
}

static void init_with(struct ioapic_model_config c)
{
	memset(&bed, 0, sizeof(bed));
	bed.accept = 1;
	cr_assert_eq(ioapic_model_init(&bed.m, &c), 0);
}

static void init(void)
{
	init_with(config());
}

static uint32_t get(uint32_t reg)
{
	uint32_t value;

	ioapic_model_write(&bed.m, 0, &reg, 4);
	ioapic_model_read(&bed.m, 0x10, &value, 4);
	return value;
}

static void put(uint32_t reg, uint32_t value)
{
	ioapic_model_write(&bed.m, 0, &reg, 4);
	ioapic_model_write(&bed.m, 0x10, &value, 4);
}

static void entry(unsigned int pin, uint32_t low)
{
	put(IOAPIC_RTE + 2 * pin, low);
}

static uint32_t low(unsigned int pin)
{
	return get(IOAPIC_RTE + 2 * pin);
}

static void line(unsigned int pin, bool level)
{
	ioapic_model_line(&bed.m, pin, level);
}

static unsigned int sent(void)
{
	unsigned int n = bed.sent;

	bed.sent = 0;
	return n;
}

Test(ioapic_model, reset_masks_every_pin)
{
	init();
	for (unsigned int pin = 0; pin < 24; pin++) {
		cr_expect_eq(low(pin), MASKED);
		cr_expect_eq(get(IOAPIC_RTE + 2 * pin + 1), 0);
		line(pin, true);
	}
	cr_expect_eq(sent(), 0);
	cr_expect_eq(get(IOAPIC_ID), 0x02000000);
	cr_expect_eq(get(IOAPIC_VER), 0x00170020);
}

Test(ioapic_model, writes_change_what_the_rows_say_and_no_other_bit)
{
	unsigned int i;
	const struct reg_row *row = reg_find(&ioapic_chip, IOAPIC_RTE, &i);
	uint64_t open = ~(row->ro | row->rsvd);

	init();
	put(IOAPIC_RTE + 7, 0xffffffff);
	put(IOAPIC_RTE + 6, 0xffffffff);
	cr_expect_eq(low(3), (uint32_t)open);
	cr_expect_eq(get(IOAPIC_RTE + 7), (uint32_t)(open >> 32));
	put(IOAPIC_ID, 0xffffffff);
	cr_expect_eq(get(IOAPIC_ID), 0x0f000000);
	cr_expect_eq(get(IOAPIC_ARB), 0x0f000000);
	put(IOAPIC_VER, 0);
	put(IOAPIC_ARB, 0);
	cr_expect_eq(get(IOAPIC_VER), 0x00170020);
	cr_expect_eq(get(IOAPIC_ARB), 0x0f000000);
}

Test(ioapic_model, registers_that_are_not_there_read_all_ones)
{
	init();
	for (uint32_t reg = 3; reg < 0x10; reg++)
		cr_expect_eq(get(reg), 0xffffffff);
	for (uint32_t reg = IOAPIC_RTE + 48; reg < 0x100; reg++) {
		put(reg, 0);
		cr_expect_eq(get(reg), 0xffffffff);
	}
}

Test(ioapic_model, any_width_and_offset_is_defined)
{
	uint8_t b[16];

	init();
	for (uint32_t o = 0; o < 0x100; o++)
		for (unsigned int len = 0; len <= 16; len++) {
			memset(b, 0xaa, sizeof(b));
			ioapic_model_read(&bed.m, o, b, len);
			for (unsigned int i = len; i < 16; i++)
				cr_assert_eq(b[i], 0xaa);
			if (o != 0 && o != 0x10)
				for (unsigned int i = 0; i < len; i++)
					cr_assert_eq(b[i], 0);
			memset(b, 0x12, sizeof(b));
			ioapic_model_write(&bed.m, o, b, len);
		}
	b[0] = IOAPIC_VER;
	ioapic_model_write(&bed.m, 0, b, 1);
	memset(b, 0xaa, sizeof(b));
	ioapic_model_read(&bed.m, 0x10, b, 8);
	cr_expect_eq(memcmp(b, "\x20\x00\x17\x00\x00\x00\x00\x00", 8), 0);
}

Test(ioapic_model, an_edge_is_sent_once)
{
	init();
	put(IOAPIC_RTE + 9, 0x05000000);
	entry(4, 0x41);
	line(4, true);
	line(4, true);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(bed.address, 0xfee05000);
	cr_expect_eq(bed.data, 0x41);
	line(4, false);
	cr_expect_eq(sent(), 0);
	line(4, true);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), 0x41, "no remote IRR, no delivery status");
}

Test(ioapic_model, messages_carry_mode_and_destination)
{
	init();
	put(IOAPIC_RTE + 9, 0xff000000);
	entry(4, LEVEL | 0x941);
	line(4, true);
	cr_expect_eq(bed.address, 0xfeeff004);
	cr_expect_eq(bed.data, 0xc141);
}

Test(ioapic_model, an_edge_at_a_masked_pin_is_ignored)
{
	init();
	entry(4, MASKED | 0x41);
	line(4, true);
	entry(4, 0x41);
	cr_expect_eq(sent(), 0);
	line(4, false);
	line(4, true);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, a_level_is_sent_when_it_is_unmasked)
{
	init();
	entry(4, LEVEL | MASKED | 0x41);
	line(4, true);
	cr_expect_eq(sent(), 0);
	entry(4, LEVEL | 0x41);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), LEVEL | 0x4041);
}

Test(ioapic_model, a_level_that_fell_while_masked_is_not_sent)
{
	init();
	entry(4, LEVEL | MASKED | 0x41);
	line(4, true);
	line(4, false);
	entry(4, LEVEL | 0x41);
	cr_expect_eq(sent(), 0);
}

Test(ioapic_model, a_level_waits_for_eoi_and_comes_again)
{
	init();
	entry(4, LEVEL | 0x41);
	line(4, true);
	line(4, false);
	line(4, true);
	cr_expect_eq(sent(), 1);
	ioapic_model_eoi(&bed.m, 0x42);
	cr_expect_eq(sent(), 0, "another vector");
	ioapic_model_eoi(&bed.m, 0x41);
	cr_expect_eq(sent(), 1);
	line(4, false);
	ioapic_model_eoi(&bed.m, 0x41);
	cr_expect_eq(sent(), 0);
	cr_expect_eq(low(4), LEVEL | 0x41);
	line(4, true);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, masking_in_service_keeps_remote_irr)
{
	init();
	entry(4, LEVEL | 0x41);
	line(4, true);
	entry(4, LEVEL | MASKED | 0x41);
	cr_expect_eq(low(4), LEVEL | MASKED | 0x4041);
	ioapic_model_eoi(&bed.m, 0x41);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), LEVEL | MASKED | 0x41);
	entry(4, LEVEL | 0x41);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, switching_to_edge_and_back_ends_the_interrupt)
{
	init();
	entry(4, LEVEL | 0x41);
	line(4, true);
	entry(4, MASKED | 0x41);
	cr_expect_eq(low(4), MASKED | 0x41);
	entry(4, LEVEL | MASKED | 0x41);
	entry(4, LEVEL | 0x41);
	cr_expect_eq(sent(), 2);
}

Test(ioapic_model, only_the_trigger_mode_ends_the_interrupt)
{
	init();
	entry(4, LEVEL | 0x41);
	line(4, true);
	entry(4, LEVEL | 0x741);
	cr_expect_eq(low(4), LEVEL | REMOTE_IRR | 0x741, "ExtINT for a while");
	entry(4, LEVEL | 0x41);
	cr_expect_eq(low(4), LEVEL | REMOTE_IRR | 0x41);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, an_nmi_is_an_edge_whatever_its_trigger_mode)
{
	init();
	entry(4, LEVEL | 0x400);
	line(4, true);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(bed.data, 0x400);
	cr_expect_eq(low(4), LEVEL | 0x400);
}

Test(ioapic_model, a_level_that_nobody_accepted_is_not_in_service)
{
	init();
	bed.accept = 0;
	entry(4, LEVEL | 0x41);
	line(4, true);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), LEVEL | 0x41);
	bed.accept = 1;
	entry(4, LEVEL | 0x42);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), LEVEL | 0x4042);
}

Test(ioapic_model, several_pins_share_a_vector)
{
	init();
	entry(4, LEVEL | 0x41);
	entry(5, LEVEL | 0x41);
	line(4, true);
	line(5, true);
	cr_expect_eq(sent(), 2);
	line(4, false);
	ioapic_model_eoi(&bed.m, 0x41);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(low(4), LEVEL | 0x41);
	cr_expect_eq(low(5), LEVEL | 0x4041);
}

Test(ioapic_model, polarity_counts_where_lines_are_electrical)
{
	struct ioapic_model_config c = config();

	c.electrical = true;
	init_with(c);
	line(4, true);
	entry(4, LEVEL | LOW | 0x41);
	cr_expect_eq(sent(), 0);
	line(4, false);
	cr_expect_eq(sent(), 1);
	line(4, true);
	ioapic_model_eoi(&bed.m, 0x41);
	cr_expect_eq(sent(), 0);
	entry(5, LOW | 0x42);
	line(5, true);
	line(5, false);
	cr_expect_eq(sent(), 1);
	init();
	entry(4, LEVEL | LOW | 0x41);
	line(4, true);
	cr_expect_eq(sent(), 1, "else 1 is asserted");
}

Test(ioapic_model, only_version_20_has_an_eoi_register)
{
	struct ioapic_model_config c = config();
	uint32_t vector = 0x41;

	init();
	entry(4, LEVEL | 0x41);
	line(4, true);
	ioapic_model_write(&bed.m, 0x40, &vector, 4);
	cr_expect_eq(sent(), 2);
	c.version = IOAPIC_VERSION_11;
	init_with(c);
	cr_expect_eq(get(IOAPIC_VER), 0x00170011);
	entry(4, LEVEL | 0x41);
	line(4, true);
	ioapic_model_write(&bed.m, 0x40, &vector, 4);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, extended_destinations_are_an_option)
{
	struct ioapic_model_config c = config();

	c.ext_dest_id = true;
	init_with(c);
	put(IOAPIC_RTE + 9, 0x34240000);
	entry(4, 0x41);
	line(4, true);
	cr_expect_eq(bed.address, 0xfee34000 | 0x12 << 5);
}

Test(ioapic_model, has_1_to_240_pins)
{
	static const uint8_t pins[] = { 1, 24, 25, 64, 120, 240 };
	struct ioapic_model_config c = config();

	for (size_t i = 0; i < sizeof(pins); i++) {
		unsigned int last = pins[i] - 1U;

		c.npins = pins[i];
		init_with(c);
		cr_expect_eq(get(IOAPIC_VER) >> 16, last);
		if (last >= 120)
			last = 119; /* IOREGSEL reaches no further */
		entry(last, LEVEL | 0x41);
		line(last, true);
		cr_expect_eq(sent(), 1);
		cr_expect_eq(low(last), LEVEL | 0x4041);
		line(pins[i], true);
		cr_expect_eq(sent(), 0);
		ioapic_model_eoi(&bed.m, 0x41);
		cr_expect_eq(sent(), 1);
	}
	c.npins = 0;
	cr_expect_eq(ioapic_model_init(&bed.m, &c), -EINVAL);
	c.npins = 241;
	cr_expect_eq(ioapic_model_init(&bed.m, &c), -EINVAL);
}

Test(ioapic_model, a_state_continues_in_another_model)
{
	struct ioapic_state s, again;

	init();
	entry(4, LEVEL | 0x41);
	entry(5, LEVEL | MASKED | 0x42);
	entry(6, 0x43);
	line(4, true);
	line(5, true);
	line(6, true);
	ioapic_model_get(&bed.m, &s);
	cr_expect_eq(s.irr, 0x30);
	init();
	cr_assert_eq(ioapic_model_set(&bed.m, &s, NULL), 0);
	ioapic_model_hold(&bed.m, 6, true);
	ioapic_model_resume(&bed.m);
	cr_expect_eq(sent(), 0, "nothing is doubled");
	ioapic_model_get(&bed.m, &again);
	cr_expect_eq(memcmp(&s, &again, sizeof(s)), 0);
	line(6, true);
	cr_expect_eq(sent(), 0);
	ioapic_model_eoi(&bed.m, 0x41);
	entry(5, LEVEL | 0x42);
	cr_expect_eq(sent(), 2, "nothing is lost");
}

Test(ioapic_model, a_saved_request_of_an_edge_is_delivered)
{
	struct ioapic_state s;

	init();
	entry(6, MASKED | 0x43);
	ioapic_model_get(&bed.m, &s);
	s.irr = 1 << 6;
	cr_assert_eq(ioapic_model_set(&bed.m, &s, NULL), 0);
	entry(6, 0x43);
	cr_expect_eq(sent(), 1);
	s.redirtbl[6] = 0x43;
	cr_assert_eq(ioapic_model_set(&bed.m, &s, NULL), 0);
	cr_expect_eq(sent(), 0);
	ioapic_model_resume(&bed.m);
	ioapic_model_resume(&bed.m);
	cr_expect_eq(sent(), 1);
}

Test(ioapic_model, another_version_is_refused)
{
	struct ioapic_state s;
	struct irqs_error err;

	init();
	ioapic_model_get(&bed.m, &s);
	s.version = IOAPIC_VERSION_11;
	cr_expect_eq(ioapic_model_set(&bed.m, &s, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "VER");
}

Test(ioapic_model, pins_beyond_the_state_are_saved_one_by_one)
{
	struct ioapic_model_config c = config();
	uint64_t rte;
	bool irr;

	c.npins = 48;
	init_with(c);
	entry(40, LEVEL | MASKED | 0x41);
	line(40, true);
	cr_assert_eq(ioapic_model_pin(&bed.m, 40, &rte, &irr), 0);
	cr_expect(irr);
	init_with(c);
	cr_assert_eq(ioapic_model_set_pin(&bed.m, 40, rte, irr), 0);
	entry(40, LEVEL | 0x41);
	cr_expect_eq(sent(), 1);
	cr_expect_eq(ioapic_model_pin(&bed.m, 48, &rte, &irr), -EINVAL);
	cr_expect_eq(ioapic_model_set_pin(&bed.m, 48, rte, irr), -EINVAL);
}

Test(ioapic_model, its_window_is_at_its_base)
{
	init();
	cr_expect(ioapic_model_decodes(&bed.m, 0xfec00000));
	cr_expect(ioapic_model_decodes(&bed.m, 0xfec000ff));
	cr_expect(!ioapic_model_decodes(&bed.m, 0xfec00100));
	cr_expect(!ioapic_model_decodes(&bed.m, 0xfebfffff));
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <criterion/criterion.h>
#include <string.h>

#include "apic/registry.h"

static struct reg_buffer buf;
static struct reg_out out;

static void open_buffer(void)
{
	reg_buffer_init(&buf);
	out = (struct reg_out){ .emit = reg_buffer_emit, .ctx = &buf };
}

static void close_buffer(void)
{
	reg_buffer_deinit(&buf);
}

TestSuite(apic_print, .init = open_buffer, .fini = close_buffer);

#define expect_text(want) cr_expect(buf.text &&strstr(buf.text, want), "no \"%s\" in:\n%s", want, buf.text)

static struct lapic_state lapic(void)
{
	struct lapic_state s;

	reg_state_reset(&lapic_chip, &s, true);
	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	lapic_set_reg(&s, LAPIC_LVTT, 0x200ec);
	lapic_set_reg(&s, LAPIC_TMICT, 62500);
	lapic_set_reg(&s, LAPIC_TDCR, 0x3);
	lapic_set_reg(&s, LAPIC_LVT0, 0x700);
	lapic_bank_set(&s, LAPIC_ISR, 0x31);
	lapic_bank_set(&s, LAPIC_IRR, 0xec);
	lapic_bank_set(&s, LAPIC_IRR, 0x30);
	s.apic_base = 0xfee00900;
	s.timer_remaining_ns = 320000;
	return s;
}

Test(apic_print, a_lapic_is_decoded_bit_by_bit)
{
	struct lapic_state s = lapic();

	lapic_print(&s, 0, &out);
	expect_text("local APIC 0, xAPIC, enabled, base 0xfee00000, bootstrap processor\n");
	expect_text("vector=255 enable\n");
	expect_text("ISR                        49\n");
	expect_text("IRR                        48 236\n");
	expect_text("delivery_mode=ExtINT");
	expect_text("timer: periodic, vector 236, 62500 x 16 = 1.000 ms, 320.000 us left\n");
	expect_text("priority: 0x30, gives vector 236 to its CPU\n");
	expect_text("its INTR reaches this CPU\n");
}

Test(apic_print, what_is_unknown_is_named_not_shown_as_zero)
{
	struct lapic_state s = lapic();

	reg_forget(reg_find(&lapic_chip, LAPIC_LVR, NULL), &s, 0);
	reg_forget(reg_find(&lapic_chip, LAPIC_TMCCT, NULL), &s, 0);
	lapic_print(&s, 0, &out);
	expect_text("not carried: LVR TMCCT\n");
	cr_expect_null(strstr(buf.text, "  LVR "));
}

Test(apic_print, a_difference_says_where_a_vector_went)
{
	struct lapic_state a = lapic(), b = a;

	lapic_bank_clear(&b, LAPIC_IRR, 0xec);
	lapic_bank_set(&b, LAPIC_ISR, 0xec);
	lapic_bank_clear(&b, LAPIC_ISR, 0x31);
	lapic_bank_set(&b, LAPIC_IRR, 0x77);
	lapic_bank_set(&b, LAPIC_TMR, 0x77);
	cr_expect(reg_diff(&lapic_chip, &a, &b, "apic[0] ", &out) == 4);
	expect_text("apic[0] vector 236 moved from IRR to ISR\n");
	expect_text("apic[0] vector 49 left ISR\n");
	expect_text("apic[0] vector 119 entered IRR\n");
	expect_text("apic[0] vector 119: TMR set\n");
}

Test(apic_print, a_difference_names_the_field_that_changed)
{
	struct lapic_state a = lapic(), b = a;

	lapic_set_reg(&b, LAPIC_LVTT, 0x100ed);
	reg_forget(reg_find(&lapic_chip, LAPIC_ESR, NULL), &b, 0);
	cr_expect(reg_diff(&lapic_chip, &a, &b, "", &out) == 2);
	expect_text("LVTT: vector=236 -> 237, mask=0 -> 1, timer_mode=periodic -> one-shot\n");
	expect_text("ESR: 0x00000000 -> unknown\n");
}

Test(apic_print, equal_states_have_no_difference)
{
	struct lapic_state a = lapic();

	cr_expect(reg_diff(&lapic_chip, &a, &a, "", &out) == 0);
	cr_expect_null(buf.text);
}

Test(apic_print, an_ioapic_has_a_line_per_pin)
{
	struct ioapic_state s;

	reg_state_reset(&ioapic_chip, &s, true);
	s.redirtbl[9] = UINT64_C(0x0100000000000000) | IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR |
			IOAPIC_RTE_LOGICAL | IOAPIC_RTE_LOW | 0x31;
	s.redirtbl[4] = 0x24;
	s.irr = 1 << 4;
	ioapic_print(&s, &out);
	expect_text("pin 9  0x010000000000e831 vector 49  fixed   level low , logical  1 remote_irr\n");
	expect_text("pin 4  0x0000000000000024 vector 36  fixed   edge  high, physical 0 requested\n");
	expect_text("can be delivered now: pin 4\n");
}

Test(apic_print, a_pic_shows_its_lines_and_its_output)
{
	struct pic_state s;

	reg_state_reset(&pic_chip, &s, true);
	s.irr = 0x12;
	s.imr = 0x10;
	s.irq_base = 8;
	pic_print(&s, PIC_MASTER, &out);
	expect_text("irr                        1 4\n");
	expect_text("output: high, IRQ 1, vector 9\n");
}

Test(apic_print, a_pit_shows_mode_period_and_next_edge)
{
	struct pit_state s;

	reg_state_reset(&pit_chip, &s, true);
	s.channels[0].mode = 2;
	s.channels[0].gate = 1;
	pit_print(&s, 1000000, &out);
	expect_text("channel 0: mode 2 rate generator, reload 65536, gate high, ");
	expect_text("every 54.925 ms, count 64343");
	expect_text("next edge in 53.925 ms\n");
}

Test(apic_print, spans_have_a_unit_that_suits_them)
{
	static const struct {
		int64_t ns;
		const char text[16];
	} want[] = {
		{ 0, "0 ns" },
		{ 999, "999 ns" },
		{ 1500, "1.500 us" },
		{ -3200000, "-3.200 ms" },
		{ 61000000000, "61.000000 s" },
		{ INT64_MIN, "-9223372036.85" },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(want); i++) {
		close_buffer();
		reg_emit_ns(&out, want[i].ns);
		expect_text(want[i].text);
	}
}

Test(apic_print, a_section_is_printed_by_its_name)
{
	struct vms_tree t;
	struct vms_node *n, *other;

	cr_assert(!vms_tree_init(&t, NULL));
	n = vms_node_create(&t, VMS_SECTION, "cpu", "cpu");
	other = vms_node_create(&t, VMS_SECTION, "fdc", "fdc");
	cr_assert(!vms_desc_instantiate(&t, apic_find_desc("cpu"), n));
	cr_assert(vms_add_subsection(&t, n, "cpu/steal_time_msr", 1));
	cr_expect(!apic_print_section(n, &out, NULL));
	expect_text("mp_state                   0x00000000 state=runnable\n");
	expect_text("cpu/steal_time_msr (paravirtual): ");
	cr_expect(apic_print_section(other, &out, NULL) < 0);
	vms_tree_deinit(&t);
}

/* The three chips and a comparison, through @o. */
static void print_all(const struct reg_out *o)
{
	struct lapic_state a = lapic(), b = a;
	struct ioapic_state io;
	struct pic_state pic;
	struct pit_state pit;

	reg_state_reset(&ioapic_chip, &io, true);
	reg_state_reset(&pic_chip, &pic, true);
	reg_state_reset(&pit_chip, &pit, true);
	io.redirtbl[9] = IOAPIC_RTE_LEVEL | IOAPIC_RTE_REMOTE_IRR | 0x31;
	pic.irr = 0x12;
	lapic_set_reg(&b, LAPIC_LVTT, 0x100ed);
	lapic_set_reg(&b, LAPIC_TMICT, 3);
	lapic_bank_set(&b, LAPIC_IRR, 0x77);
	lapic_print(&a, 0, o);
	ioapic_print(&io, o);
	pic_print(&pic, PIC_MASTER, o);
	pit_print(&pit, 1000000, o);
	reg_diff(&lapic_chip, &a, &b, "apic[0] ", o);
}

static unsigned int begun[REG_STYLES];

static void count_style(void *ctx, enum reg_style style)
{
	(void)ctx;
	begun[style]++;
}

static void mark_style(void *ctx, enum reg_style style)
{
	reg_buffer_emit(ctx, style == REG_PLAIN ? ">" : style == REG_NAME ? "<N"
						: style == REG_CHANGED    ? "<C"
									  : "<");
}

Test(apic_print, styles_add_nothing_to_the_text)
{
	struct reg_buffer styled;
	struct reg_out o = { .emit = reg_buffer_emit, .ctx = &styled, .style = count_style };

	reg_buffer_init(&styled);
	print_all(&out);
	print_all(&o);
	cr_expect_str_eq(styled.text, buf.text);
	cr_expect(begun[REG_HEADING] && begun[REG_NAME] && begun[REG_SET] && begun[REG_CHANGED]);
	cr_expect(begun[REG_PLAIN] == begun[REG_HEADING] + begun[REG_NAME] + begun[REG_SET] + begun[REG_CHANGED],
		  "a style that begins ends");
	cr_expect_null(strchr(buf.text, '\033'));
	reg_buffer_deinit(&styled);
}

Test(apic_print, names_new_values_and_set_bits_have_a_style)
{
	out.style = mark_style;
	print_all(&out);
	expect_text("<local APIC 0>, xAPIC");
	expect_text("<N  SVR                        >0x000001ff vector=255< enable>\n");
	expect_text("<N  IRR                       >< 48>< 236>\n");
	expect_text("apic[0] <NLVTT>: vector=236 -> <C237>, mask=0 -> <C1>,");
	expect_text("apic[0] <NTMICT>: 62500 -> <C3>\n");
	expect_text("< remote_irr>\n");
}

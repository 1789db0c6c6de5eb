/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments of ioctls in words: every ioctl of the table, and what may not be taken for a value. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "apic/irqchip.h"
#include "kvm/decode.h"

static struct reg_buffer buf;
static struct reg_out out;
static struct irqs_error err;

static void open_buffer(void)
{
	reg_buffer_init(&buf);
	out = (struct reg_out){ .emit = reg_buffer_emit, .ctx = &buf };
	err = (struct irqs_error){ .text = "" };
}

static void close_buffer(void)
{
	reg_buffer_deinit(&buf);
}

TestSuite(kvm_decode, .init = open_buffer, .fini = close_buffer);

/* What the bytes say, after whatever was said before is forgotten. */
static const char *decoded(unsigned long request, const void *arg, size_t len)
{
	const struct kvm_call call = { .request = (uint32_t)request, .arg = arg, .len = len };

	close_buffer();
	cr_assert_eq(kvm_decode(&call, &out, &err), 0, "%s", err.text);
	return buf.text ? buf.text : "";
}

#define expect_text(want) cr_expect(buf.text &&strstr(buf.text, want), "no \"%s\" in:\n%s", want, buf.text)
#define expect_no(word) cr_expect_not(buf.text &&strstr(buf.text, word), "\"%s\" in:\n%s", word, buf.text)

Test(kvm_decode, every_ioctl_of_the_table_has_one_place_and_words)
{
	uint8_t bytes[2048] = { 0 };
	unsigned int last = 0;

	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++) {
		cr_expect_eq(kvm_ioctl_find(io->request), io, "%s", io->name);
		cr_expect_eq(kvm_ioctl_find_name(io->name), io, "%s", io->name);
		cr_expect_geq(io->request & 0xff, last, "%s is not in order", io->name);
		last = io->request & 0xff;
		/* Where the number says a size, it is this one: _IOC_SIZE. */
		if (io->request >> 16 & 0x3fff)
			cr_expect_eq(io->request >> 16 & 0x3fff, io->size, "%s", io->name);
		memset(bytes, 0, sizeof(bytes));
		bytes[0] = io->entry ? 2 : 0;
		cr_expect_str_not_empty(decoded(io->request, bytes, io->size + 2 * io->entry), "%s", io->name);
	}
	cr_expect_null(kvm_ioctl_find(0));
	cr_expect_null(kvm_ioctl_find_name("KVM_RUN"));
}

Test(kvm_decode, a_length_that_is_not_the_structures_is_refused_by_name)
{
	uint8_t bytes[2048] = { 3 };

	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++) {
		size_t whole = io->size + 3U * io->entry;

		for (int wrong = -1; wrong <= 1 && io->arg != KVM_ARG_NONE; wrong += 2) {
			const struct kvm_call call = { .request = io->request, .arg = bytes, .len = whole + wrong };

			if (!io->entry)
				bytes[0] = 0;
			cr_expect_eq(kvm_decode(&call, &out, &err), -EBADMSG, "%s", io->name);
			cr_expect(strstr(err.text, io->name), "%s", err.text);
			bytes[0] = 3;
		}
	}
	cr_expect_null(buf.text);
}

Test(kvm_decode, what_is_no_ioctl_or_no_chip_is_refused)
{
	struct kvm_irqchip chip = { .chip_id = 3 };
	struct kvm_call call = { .request = 0xae80, .arg = &chip, .len = sizeof(chip) };

	cr_expect_eq(kvm_decode(&call, &out, &err), -EINVAL);
	cr_expect_eq(err.status, IRQS_USAGE);
	call.request = (uint32_t)KVM_GET_IRQCHIP;
	cr_expect_eq(kvm_decode(&call, &out, &err), -EBADMSG);
	cr_expect_str_eq(err.text, "chip_id is 3: KVM has 0 to 2");
	cr_expect_null(buf.text);
}

/* A structure with a value in one row only: exactly the place of that row is decoded, for every row there is. */
Test(kvm_decode, every_row_is_found_where_its_structure_has_it)
{
	unsigned int rows = 0;

	for (const struct kvm_ioctl *io = kvm_ioctls; io->name; io++) {
		for (uint16_t r = 0; io->chip && io->abi != REG_ABI_MSR && r < io->chip->nrows; r++) {
			const struct reg_row *row = &io->chip->rows[r];
			uint8_t a[1024] = { 0 }, b[1024];
			struct kvm_call before = { .request = io->request, .arg = a, .len = io->size };
			struct kvm_call now = { .request = io->request, .arg = b, .len = io->size };
			unsigned int lines = 0;

			if (row->abi != io->abi || row->storage == REG_ACTION || row->abi_at >= io->size)
				continue;
			if (io->abi == REG_ABI_EVENTS) {
				a[offsetof(struct kvm_vcpu_events, flags)] = 0x3f;
				/* either makes exception_nr count */
				a[offsetof(struct kvm_vcpu_events, exception.injected)] = 1;
				a[offsetof(struct kvm_vcpu_events, exception.pending)] = 1;
			}
			if (io->abi == REG_ABI_CLOCK)
				a[offsetof(struct kvm_clock_data, flags)] = 0xc;
			memcpy(b, a, sizeof(b));
			b[row->abi_at] ^= 1;
			if (row->abi_if)
				b[row->abi_if - 1] = 1;
			cr_expect_eq(kvm_decode_diff(&before, &now, &out, &lines, &err), 0, "%s", err.text);
			cr_expect_eq(lines, 1, "%s, %s: %u lines", io->name, row->name, lines);
			expect_text(row->name);
			close_buffer();
			rows++;
		}
	}
	cr_expect_gt(rows, 120);
}

Test(kvm_decode, what_the_structure_disowns_is_not_shown)
{
	struct kvm_vcpu_events e = { .flags = KVM_VCPUEVENT_VALID_SHADOW, .sipi_vector = 0x9a, .exception.nr = 255 };
	struct kvm_clock_data c = { .clock = 5, .realtime = 6, .host_tsc = 7 };
	struct kvm_pit_state pit = { .channels[0].count = 0x1234 };

	decoded(KVM_GET_VCPU_EVENTS, &e, sizeof(e));
	expect_text("interrupt_shadow");
	expect_text("valid                      SHADOW\n");
	expect_no("sipi_vector");
	expect_no("smm");
	expect_no("exception_payload");
	expect_text("interrupt_injected         -1\n");
	expect_text("exception_nr               -1\n");
	e.flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SMM;
	decoded(KVM_SET_VCPU_EVENTS, &e, sizeof(e));
	expect_text("sipi_vector                0x0000009a\n");
	expect_text("latched_init");
	decoded(KVM_GET_CLOCK, &c, sizeof(c));
	expect_text("kvmclock                   5 (5 ns)\n");
	expect_no("realtime");
	expect_no("host_tsc");
	decoded(KVM_GET_PIT, &pit, sizeof(pit));
	expect_text("reload 4660");
	expect_no("flags");
}

Test(kvm_decode, a_lapic_alone_says_nothing_of_delivery)
{
	struct kvm_lapic_state l = { .regs = { 0 } };

	l.regs[LAPIC_IRR + 0x70] = 0x10;
	l.regs[LAPIC_SVR + 1] = 1;
	decoded(KVM_GET_LAPIC, &l, sizeof(l));
	expect_text("IRR                        228\n");
	expect_no("holds vector");
	expect_no("its INTR");
}

Test(kvm_decode, a_chip_is_told_by_its_id)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_PIC_SLAVE };

	chip.chip.pic.irq_base = 0x70;
	decoded(KVM_SET_IRQCHIP, &chip, sizeof(chip));
	expect_text("PIC slave\n");
	expect_text("0x70");
	chip.chip_id = KVM_IRQCHIP_IOAPIC;
	memset(&chip.chip, 0, sizeof(chip.chip));
	chip.chip.ioapic.redirtbl[4].bits = 0x8031;
	decoded(KVM_GET_IRQCHIP, &chip, sizeof(chip));
	expect_text("pin 4  0x0000000000008031 vector 49  fixed   level high, physical 0\n");
}

Test(kvm_decode, the_queued_interrupt_is_in_the_bitmap_of_sregs)
{
	struct kvm_sregs s = { .apic_base = 0xfee00d00 };
	struct kvm_sregs2 s2 = { .apic_base = 0xfee00900, .flags = ~0ULL };

	s.interrupt_bitmap[3] = UINT64_C(1) << 44;
	decoded(KVM_GET_SREGS, &s, sizeof(s));
	expect_text("interrupt_bitmap           236\n");
	expect_text("bsp x2apic enable");
	decoded(KVM_GET_SREGS2, &s2, sizeof(s2));
	expect_text("bsp enable");
	expect_no("interrupt_bitmap");
}

static struct {
	struct kvm_msrs head;
	struct kvm_msr_entry e[3];
} msrs;

Test(kvm_decode, msrs_are_those_that_have_rows_and_a_count_of_the_rest)
{
	struct kvm_call call = { .request = (uint32_t)KVM_GET_MSRS, .arg = &msrs, .len = sizeof(msrs) };

	msrs.head.nmsrs = 3;
	msrs.e[0] = (struct kvm_msr_entry){ .index = 0x6e0, .data = 987654321 };
	msrs.e[1] = (struct kvm_msr_entry){ .index = 0xc0000080, .data = 0x500 };
	msrs.e[2] = (struct kvm_msr_entry){ .index = 0x3b, .data = 0x77 };
	decoded(KVM_SET_MSRS, &msrs, sizeof(msrs));
	expect_text("tsc_deadline               987654321\n");
	expect_text("tsc_adjust                 0x0000000000000077\n");
	expect_text("and 1 other MSR\n");
	/* KVM stopped at the second: what it has not filled in is no value. */
	close_buffer();
	call.returned = true;
	call.result = 1;
	cr_assert_eq(kvm_decode(&call, &out, &err), 0);
	expect_text("tsc_deadline");
	expect_no("tsc_adjust");
	expect_no("other");
}

Test(kvm_decode, lines_messages_and_routes_are_said_in_words)
{
	struct {
		struct kvm_irq_routing head;
		struct kvm_irq_routing_entry e[2];
	} r = { .head.nr = 2 };
	struct kvm_irq_level line = { .irq = 4, .level = 1 };
	struct kvm_call call = { .request = (uint32_t)KVM_IRQ_LINE_STATUS, .arg = &line, .len = sizeof(line) };
	struct kvm_msi m = { .address_lo = 0xfee0300c, .data = 0x8931, .address_hi = 0x100 };
	struct kvm_enable_cap cap = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_irqfd fd = { .fd = 17, .gsi = 25, .flags = KVM_IRQFD_FLAG_RESAMPLE, .resamplefd = 18 };
	struct kvm_interrupt irq = { .irq = 0x31 };

	decoded(KVM_IRQ_LINE, &line, sizeof(line));
	expect_text("GSI 4 high\n");
	close_buffer();
	line.status = -1;
	call.returned = true;
	cr_assert_eq(kvm_decode(&call, &out, &err), 0);
	expect_text("status -1: ignored, masked or not routed\n");
	expect_no("GSI");
	decoded(KVM_SIGNAL_MSI, &m, sizeof(m));
	expect_text("vector 49 lowest level, logical 259, redirectable\n");
	m.address_lo = 0x1000;
	decoded(KVM_SIGNAL_MSI, &m, sizeof(m));
	expect_text("not an address of LAPICs\n");
	r.e[0] = (struct kvm_irq_routing_entry){ .gsi = 1, .type = KVM_IRQ_ROUTING_IRQCHIP };
	r.e[0].u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
	r.e[0].u.irqchip.pin = 9;
	r.e[1] = (struct kvm_irq_routing_entry){ .gsi = 24, .type = KVM_IRQ_ROUTING_MSI };
	r.e[1].u.msi.address_lo = 0xfee01000;
	r.e[1].u.msi.data = 0x41;
	decoded(KVM_SET_GSI_ROUTING, &r, sizeof(r));
	expect_text("GSI 1   -> IOAPIC pin 9\n");
	expect_text("GSI 24  -> address 0xfee01000 data 0x41: vector 65 fixed edge, physical 1\n");
	decoded(KVM_ENABLE_CAP, &cap, sizeof(cap));
	expect_text("KVM_CAP_SPLIT_IRQCHIP, arguments 0x18 0x0 0x0 0x0\n");
	decoded(KVM_IRQFD, &fd, sizeof(fd));
	expect_text("eventfd 17 raises GSI 25, EOI is told to eventfd 18\n");
	decoded(KVM_INTERRUPT, &irq, sizeof(irq));
	expect_text("vector 49\n");
}

Test(kvm_decode, what_a_set_does_not_carry_has_not_changed)
{
	struct kvm_vcpu_events had = { .flags = KVM_VCPUEVENT_VALID_SHADOW, .interrupt.shadow = 1, .nmi.injected = 1 };
	struct kvm_vcpu_events set = { .flags = 0 };
	struct kvm_call a = { .request = (uint32_t)KVM_GET_VCPU_EVENTS, .arg = &had, .len = sizeof(had) };
	struct kvm_call b = { .request = (uint32_t)KVM_SET_VCPU_EVENTS, .arg = &set, .len = sizeof(set) };
	unsigned int lines = 0;

	cr_expect_eq(kvm_decode_diff(&a, &b, &out, &lines, &err), 0, "%s", err.text);
	cr_expect_eq(lines, 1);
	cr_expect_str_eq(buf.text, "  nmi_injected: 0x01 -> 0x00\n");
	close_buffer();
	cr_expect_eq(kvm_decode_diff(&b, &a, &out, &lines, &err), 0, "%s", err.text);
	cr_expect_eq(lines, 2);
	expect_text("  interrupt_shadow: unknown -> 0x01\n");
}

Test(kvm_decode, a_difference_needs_the_same_structure)
{
	struct kvm_irqchip chip[2] = { { .chip_id = 0 }, { .chip_id = 1 } };
	struct kvm_lapic_state l[2] = { { .regs = { 0 } }, { .regs = { 0 } } };
	struct kvm_call a = { .request = (uint32_t)KVM_GET_LAPIC, .arg = &l[0], .len = sizeof(l[0]) };
	struct kvm_call b = { .request = (uint32_t)KVM_SET_LAPIC, .arg = &l[1], .len = sizeof(l[1]) };
	unsigned int lines = 9;

	l[0].regs[LAPIC_IRR + 0x70] = 0x10;
	l[1].regs[LAPIC_ISR + 0x70] = 0x10;
	cr_expect_eq(kvm_decode_diff(&a, &b, &out, &lines, &err), 0, "%s", err.text);
	cr_expect_eq(lines, 1);
	expect_text("  vector 228 moved from IRR to ISR\n");
	b = (struct kvm_call){ .request = (uint32_t)KVM_GET_IRQCHIP, .arg = &chip[1], .len = sizeof(chip[1]) };
	cr_expect_eq(kvm_decode_diff(&a, &b, &out, &lines, &err), -EINVAL);
	a = (struct kvm_call){ .request = (uint32_t)KVM_GET_IRQCHIP, .arg = &chip[0], .len = sizeof(chip[0]) };
	cr_expect_eq(kvm_decode_diff(&a, &b, &out, &lines, &err), -EINVAL);
	a = b = (struct kvm_call){ .request = (uint32_t)KVM_INTERRUPT, .arg = chip, .len = 4 };
	cr_expect_eq(kvm_decode_diff(&a, &b, &out, &lines, &err), -EINVAL);
	cr_expect(strstr(err.text, "has no registers"), "%s", err.text);
}

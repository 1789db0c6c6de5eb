/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The other devices of the example VMM: those of QEMU for test guests, fw_cfg, and the chipset. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/endian.h"
#include "tests/unit/vmm_bed.h"

#define S INT64_C(1000000000)

static struct vmm_bed b;

static void begin(void)
{
	vmm_bed_init(&b);
}

static void end(void)
{
	vmm_bed_deinit(&b);
}

TestSuite(vmm_devices, .init = begin, .fini = end);

Test(vmm_devices, a_write_to_f4_ends_the_machine_with_twice_the_code_and_one)
{
	static const struct {
		unsigned int size;
		uint32_t code;
		int status;
	} cases[] = { { 4, 0, 1 }, { 4, 1, 3 }, { 1, 3, 7 }, { 2, 0x17, 0x2f }, { 4, 0x80, 1 }, { 4, 0xffffffff, 0xff } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		vmm_bed_out(&b, 0xf4, cases[i].size, cases[i].code);
		cr_expect(b.status == cases[i].status, "code 0x%x: status %d", cases[i].code, b.status);
	}
}

Test(vmm_devices, a_read_of_f4_ends_nothing)
{
	cr_expect(vmm_bed_in(&b, 0xf4, 4) == 0xffffffff && b.status == -1);
}

Test(vmm_devices, ports_from_2000_on_are_interrupt_lines)
{
	uint8_t one = 1;

	for (unsigned int n = 0; n < 24; n++) {
		vmm_bed_out(&b, (uint16_t)(0x2000 + n), 1, 1);
		cr_expect(b.lines[n] && b.rises[n] == 1);
	}
	vmm_bed_out(&b, 0x2007, 1, 0);
	vmm_bed_out(&b, 0x2007, 1, 0x80);
	cr_expect(b.rises[7] == 2 && b.lines[6] && b.lines[8]);
	cr_expect(!board_pio(&b.board, 0, 0x2018, true, &one, 1), "there are 24");
}

Test(vmm_devices, the_latch_keeps_bytes_and_words_at_both_of_its_places)
{
	vmm_bed_out(&b, 0xe0, 4, 0x44332211);
	cr_expect(vmm_bed_in(&b, 0xe0, 1) == 0x11 && vmm_bed_in(&b, 0xe2, 2) == 0x4433);
	cr_expect(vmm_bed_in(&b, 0xe8, 4) == 0x44332211 && vmm_bed_in(&b, 0xea, 1) == 0x33);
	vmm_bed_out(&b, 0xe8, 2, 0xbbaa);
	cr_expect(vmm_bed_in(&b, 0xe0, 4) == 0x4433bbaa);
	vmm_bed_out(&b, 0xe0, 1, 0x5a);
	cr_expect(vmm_bed_in(&b, 0xe8, 1) == 0x5a && !b.nprinted);
}

Test(vmm_devices, consoles_print)
{
	vmm_bed_out(&b, 0xe9, 1, 'a');
	vmm_bed_out(&b, 0xf1, 1, 'b');
	cr_expect_str_eq(b.printed, "ab");
	cr_expect(vmm_bed_in(&b, 0xe9, 1) == 0xe9);
}

Test(vmm_devices, a_page_is_flushed_by_its_address)
{
	vmm_bed_out(&b, 0xe4, 4, 0x123456);
	cr_expect(b.flushed == 0x123456);
	cr_expect(vmm_bed_in(&b, 0xe4, 4) == 0xffffffff);
}

Test(vmm_devices, the_window_is_memory_up_to_its_last_byte)
{
	uint64_t v = UINT64_C(0x8877665544332211), w = 0;

	cr_expect(board_mmio(&b.board, 0xff00fff8, true, &v, 8));
	cr_expect(board_mmio(&b.board, 0xff00fff8, false, &w, 8) && v == w);
	cr_expect(board_mmio(&b.board, 0xff00ffff, false, &w, 1) && (w & 0xff) == 0x88);
	cr_expect(!board_mmio(&b.board, 0xff00fff9, false, &w, 8));
	cr_expect(!board_mmio(&b.board, 0xfeffffff, false, &w, 1));
	cr_expect(!board_mmio(&b.board, 0xff010000, false, &w, 1));
}

static uint64_t fw_item(uint16_t item, unsigned int bytes)
{
	uint8_t data[8];

	vmm_bed_out(&b, 0x510, 2, item);
	for (unsigned int i = 0; i < bytes; i++)
		data[i] = (uint8_t)vmm_bed_in(&b, 0x511, 1);
	return get_le(data, bytes);
}

Test(vmm_devices, fw_cfg_tells_signature_memory_and_cpus_and_zeros_behind)
{
	cr_expect(fw_item(0, 4) == 0x554d4551);
	cr_expect(fw_item(1, 4) == 1);
	cr_expect(fw_item(3, 8) == UINT64_C(64) << 20);
	cr_expect(fw_item(5, 2) == 3 && fw_item(5, 8) == 3 && fw_item(0xf, 2) == 3);
	cr_expect(fw_item(0x19, 8) == 0 && fw_item(0x7777, 8) == 0 && fw_item(0xffff, 1) == 0);
	cr_expect(vmm_bed_in(&b, 0xd1, 4) == 64 << 20);
}

Test(vmm_devices, the_pm_timer_counts_the_machines_time_in_24_bits)
{
	cr_expect(vmm_bed_in(&b, 0x608, 4) == 0);
	b.now = S;
	cr_expect(vmm_bed_in(&b, 0x608, 4) == 3579545);
	b.now = 10 * S;
	cr_expect(vmm_bed_in(&b, 0x608, 4) == (35795450 & 0xffffff));
	b.now = 1000000 * S + S / 2;
	cr_expect(vmm_bed_in(&b, 0x608, 4) == ((UINT64_C(3579545) * 2000001) / 2 & 0xffffff));
}

Test(vmm_devices, the_pci_bus_is_empty)
{
	vmm_bed_out(&b, 0xcf8, 4, 0x80000000);
	cr_expect(vmm_bed_in(&b, 0xcf8, 4) == 0x80000000);
	vmm_bed_out(&b, 0xcfc, 4, 0x12345678);
	cr_expect(vmm_bed_in(&b, 0xcfc, 4) == 0xffffffff && vmm_bed_in(&b, 0xcfe, 2) == 0xffff);
}

Test(vmm_devices, reset_and_power_off_end_the_machine_with_0)
{
	static const struct {
		uint16_t port;
		unsigned int size;
		uint32_t value;
		bool ends;
	} cases[] = {
		{ 0x64, 1, 0xfe, true },
		{ 0x64, 1, 0xd1, false },
		{ 0x92, 1, 0x01, true },
		{ 0x92, 1, 0x02, false },
		{ 0xcf9, 1, 0x06, true },
		{ 0xcf9, 1, 0x02, false },
		{ 0xcf8, 4, 0x80000604, false },
		{ 0x604, 2, 0x2000, true },
		{ 0x604, 2, 0x2400, false },
		{ 0x604, 2, 0x0001, false },
		{ 0x80, 1, 0x01, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b.status = -1;
		vmm_bed_out(&b, cases[i].port, cases[i].size, cases[i].value);
		cr_expect(b.status == (cases[i].ends ? 0 : -1), "case %zu: %d", i, b.status);
	}
	cr_expect(vmm_bed_in(&b, 0x92, 1) == 2 && vmm_bed_in(&b, 0x64, 1) == 0 && vmm_bed_in(&b, 0x80, 1) == 1);
	cr_expect(vmm_bed_in(&b, 0x604, 2) == 1, "in ACPI mode");
}

Test(vmm_devices, ports_of_nobody_and_accesses_across_an_end_are_not_ours)
{
	static const struct {
		uint16_t port;
		unsigned int size;
	} cases[] = { { 0x20, 1 }, { 0x40, 1 }, { 0x61, 1 }, { 0x3f7, 1 }, { 0x400, 1 }, { 0x511, 2 }, { 0xf6, 4 }, { 0x80, 2 }, { 0xffff, 4 } };
	uint32_t v = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect(!board_pio(&b.board, 0, cases[i].port, false, &v, cases[i].size), "case %zu", i);
}

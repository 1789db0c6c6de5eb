/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* COM1 of the example VMM: National Semiconductor PC16550D, section 8. */
#include <criterion/criterion.h>

#include "tests/unit/vmm_bed.h"

enum { THR = SERIAL_PORT,
       IER = SERIAL_PORT + 1,
       IIR = SERIAL_PORT + 2,
       LCR = SERIAL_PORT + 3,
       MCR = SERIAL_PORT + 4,
       LSR = SERIAL_PORT + 5,
       MSR = SERIAL_PORT + 6,
       SCR = SERIAL_PORT + 7 };

static struct vmm_bed b;

static void begin(void)
{
	vmm_bed_init(&b);
}

static void end(void)
{
	vmm_bed_deinit(&b);
}

TestSuite(vmm_serial, .init = begin, .fini = end);

Test(vmm_serial, what_is_written_is_printed_and_there_is_always_room)
{
	for (const char *p = "hello\n"; *p; p++) {
		cr_expect(vmm_bed_in(&b, LSR, 1) == 0x60);
		vmm_bed_out(&b, THR, 1, (uint8_t)*p);
	}
	cr_expect_str_eq(b.printed, "hello\n");
}

Test(vmm_serial, the_divisor_is_not_printed)
{
	vmm_bed_out(&b, LCR, 1, 0x83);
	vmm_bed_out(&b, THR, 1, 1);
	vmm_bed_out(&b, IER, 1, 2);
	cr_expect(vmm_bed_in(&b, THR, 1) == 1 && vmm_bed_in(&b, IER, 1) == 2);
	vmm_bed_out(&b, LCR, 1, 0x03);
	cr_expect(vmm_bed_in(&b, IER, 1) == 0 && vmm_bed_in(&b, LCR, 1) == 3);
	cr_expect_str_eq(b.printed, "");
}

Test(vmm_serial, the_interrupt_of_an_empty_thr_comes_with_its_enable_and_goes_with_the_iir)
{
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0x01);
	vmm_bed_out(&b, IER, 1, 2);
	cr_expect(b.lines[4]);
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0x02 && !b.lines[4]);
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0x01);
	vmm_bed_out(&b, THR, 1, 'x');
	cr_expect(b.lines[4], "empty again");
	vmm_bed_out(&b, IER, 1, 0);
	cr_expect(!b.lines[4]);
	vmm_bed_out(&b, IER, 1, 2);
	cr_expect(b.lines[4] && b.rises[4] == 3);
}

Test(vmm_serial, the_line_stays_up_until_the_guest_does_something_about_it)
{
	vmm_bed_out(&b, IER, 1, 2);
	vmm_bed_in(&b, LSR, 1);
	vmm_bed_in(&b, MSR, 1);
	vmm_bed_out(&b, IER, 1, 2);
	cr_expect(b.lines[4] && b.rises[4] == 1);
}

Test(vmm_serial, the_fifo_bits_tell_that_it_is_a_16550)
{
	vmm_bed_out(&b, IIR, 1, 0x07);
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0xc1);
	vmm_bed_out(&b, IIR, 1, 0);
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0x01);
	vmm_bed_out(&b, SCR, 1, 0xa5);
	cr_expect(vmm_bed_in(&b, SCR, 1) == 0xa5);
}

Test(vmm_serial, loopback_brings_bytes_back_and_connects_the_modem_lines)
{
	cr_expect(vmm_bed_in(&b, MSR, 1) == 0xb0);
	vmm_bed_out(&b, MCR, 1, 0x1a);
	cr_expect(vmm_bed_in(&b, MSR, 1) == 0x90, "RTS is CTS, OUT2 is DCD");
	vmm_bed_out(&b, IER, 1, 5);
	vmm_bed_out(&b, THR, 1, 'x');
	cr_expect(b.lines[4] && vmm_bed_in(&b, IIR, 1) == 0x04 && vmm_bed_in(&b, LSR, 1) == 0x61);
	vmm_bed_out(&b, THR, 1, 'y');
	cr_expect(vmm_bed_in(&b, IIR, 1) == 0x06, "overrun goes first");
	cr_expect(vmm_bed_in(&b, LSR, 1) == 0x63 && vmm_bed_in(&b, LSR, 1) == 0x61);
	cr_expect(vmm_bed_in(&b, THR, 1) == 'y' && !b.lines[4] && vmm_bed_in(&b, LSR, 1) == 0x60);
	cr_expect_str_eq(b.printed, "");
}

Test(vmm_serial, a_word_is_two_registers)
{
	vmm_bed_out(&b, THR, 2, 0x0241);
	cr_expect_str_eq(b.printed, "A");
	cr_expect(b.lines[4] && vmm_bed_in(&b, MCR, 2) == 0x6000);
	cr_expect(vmm_bed_in(&b, SCR, 2) == 0xff00, "nothing is behind the last one");
}

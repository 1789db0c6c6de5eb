/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* COM1 as a 16550A (National Semiconductor PC16550D, section 8). */
#include "console.h"

#define COM1 0x3f8
#define DEBUGCON 0xe9
#define FIFO_SIZE 16

enum { THR = 0,
       DLL = 0,
       IER = 1,
       DLM = 1,
       FCR = 2,
       LCR = 3,
       MCR = 4,
       LSR = 5 };

#define IER_THRE 0x02
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_DTR_RTS_OUT2 0x0b
#define LSR_THRE 0x20

static bool copy_to_debugcon;
static u32 fifo_room;

void con_init(bool debugcon)
{
	copy_to_debugcon = debugcon;
	out8(COM1 + IER, 0);
	out8(COM1 + LCR, LCR_DLAB);
	out8(COM1 + DLL, 1);
	out8(COM1 + DLM, 0);
	out8(COM1 + LCR, LCR_8N1);
	out8(COM1 + FCR, 0x07);
	out8(COM1 + MCR, MCR_DTR_RTS_OUT2);
}

static void put(char c)
{
	if (!fifo_room) {
		while (!(in8(COM1 + LSR) & LSR_THRE))
			;
		fifo_room = FIFO_SIZE;
	}
	out8(COM1 + THR, (u8)c);
	fifo_room--;
	if (copy_to_debugcon)
		out8(DEBUGCON, (u8)c);
}

void con_text(const char *text)
{
	while (*text)
		put(*text++);
}

void con_number(u64 value)
{
	char digits[21];
	u32 i = sizeof(digits) - 1;

	digits[i] = '\0';
	do {
		u64 rest = div64(value, 10);

		digits[--i] = (char)('0' + (u32)(value - rest * 10));
		value = rest;
	} while (value);
	con_text(digits + i);
}

void con_field(const char *name, u64 value)
{
	con_text(" ");
	con_text(name);
	con_text("=");
	con_number(value);
}

void con_line_raise(void)
{
	while (!(in8(COM1 + LSR) & LSR_THRE))
		;
	out8(COM1 + IER, IER_THRE);
}

void con_line_lower(void)
{
	out8(COM1 + IER, 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/serial.h"

enum { THR = 0, /* RBR when read; DLL with DLAB */
       IER = 1, /* DLM with DLAB */
       FCR = 2, /* IIR when read */
       LCR = 3,
       MCR = 4,
       LSR = 5,
       MSR = 6,
       SCR = 7 };

enum { IER_RDA = 0x01,
       IER_THRE = 0x02,
       IER_LINE = 0x04,
       IER_BITS = 0x0f };

enum { IIR_NONE = 0x01,
       IIR_THRE = 0x02,
       IIR_RDA = 0x04,
       IIR_LINE = 0x06,
       IIR_FIFO = 0xc0 };

enum { FCR_ENABLE = 0x01,
       FCR_CLEAR_RX = 0x02 };

enum { LCR_DLAB = 0x80 };

enum { MCR_LOOP = 0x10,
       MCR_BITS = 0x1f };

enum { LSR_READY = 0x01,
       LSR_OVERRUN = 0x02,
       LSR_EMPTY = 0x60 }; /* holding and shift register */

#define MSR_CONNECTED 0xb0 /* carrier, data set ready, clear to send */

/* The interrupt of the highest priority that is enabled (table III). */
static uint8_t cause(const struct serial *s)
{
	if (s->ier & IER_LINE && s->lsr & LSR_OVERRUN)
		return IIR_LINE;
	if (s->ier & IER_RDA && s->lsr & LSR_READY)
		return IIR_RDA;
	if (s->ier & IER_THRE && s->thr_empty)
		return IIR_THRE;
	return IIR_NONE;
}

static void update_line(struct serial *s)
{
	bool level = cause(s) != IIR_NONE;

	if (level == s->line)
		return;
	s->line = level;
	s->host->line(s->host->ctx, SERIAL_IRQ, level);
}

static void receive(struct serial *s, uint8_t byte)
{
	if (s->lsr & LSR_READY)
		s->lsr |= LSR_OVERRUN;
	s->rbr = byte;
	s->lsr |= LSR_READY;
}

static void transmit(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP)
		receive(s, byte);
	else
		s->host->put(s->host->ctx, byte);
	s->thr_empty = true; /* again */
}

static uint8_t take_iir(struct serial *s)
{
	uint8_t iir = cause(s);

	if (iir == IIR_THRE)
		s->thr_empty = false;
	return (uint8_t)(iir | (s->fifo ? IIR_FIFO : 0));
}

static uint8_t take_lsr(struct serial *s)
{
	uint8_t lsr = s->lsr;

	s->lsr &= (uint8_t)~LSR_OVERRUN;
	return lsr;
}

/* In loopback the four outputs are the four inputs. */
static uint8_t modem_status(const struct serial *s)
{
	uint8_t out = s->mcr;

	if (!(out & MCR_LOOP))
		return MSR_CONNECTED;
	return (uint8_t)((out & 0x0c) << 4 | (out & 0x02) << 3 | (out & 0x01) << 5);
}

static uint8_t read_register(struct serial *s, unsigned int reg)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case THR:
		if (!dlab)
			s->lsr &= (uint8_t)~LSR_READY;
		return dlab ? s->dll : s->rbr;
	case IER:
		return dlab ? s->dlm : s->ier;
	case FCR:
		return take_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return take_lsr(s);
	case MSR:
		return modem_status(s);
	default:
		return s->scr;
	}
}

static void write_ier(struct serial *s, uint8_t value)
{
	if (value & ~s->ier & IER_THRE)
		s->thr_empty = true; /* it is empty, and enabling tells it */
	s->ier = value & IER_BITS;
}

static void write_fcr(struct serial *s, uint8_t value)
{
	s->fifo = value & FCR_ENABLE;
	if (value & FCR_CLEAR_RX)
		s->lsr &= (uint8_t)~LSR_READY;
}

static void write_register(struct serial *s, unsigned int reg, uint8_t value)
{
	bool dlab = s->lcr & LCR_DLAB;

	switch (reg) {
	case THR:
		if (dlab)
			s->dll = value;
		else
			transmit(s, value);
		break;
	case IER:
		if (dlab)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case FCR:
		write_fcr(s, value);
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		s->mcr = value & MCR_BITS;
		break;
	case SCR:
		s->scr = value;
		break;
	default: /* LSR and MSR */
		break;
	}
}

void serial_init(struct serial *s, const struct host *host)
{
	*s = (struct serial){ .host = host, .lsr = LSR_EMPTY, .dll = 12 };
}

uint8_t serial_read(struct serial *s, unsigned int reg)
{
	uint8_t value = read_register(s, reg);

	update_line(s);
	return value;
}

void serial_write(struct serial *s, unsigned int reg, uint8_t value)
{
	write_register(s, reg, value);
	update_line(s);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The 8254 of a PC, emulated: ports 0x40 to 0x43, and port 0x61 (gate of channel 2, speaker, refresh). Manual: Intel 8254
 * (231164).
 *
 * Nothing runs between two calls: outputs and counts follow from the time, in the same time however long ago the last
 * call was. Every function that takes a model that is not const is called under one lock of the caller, whoever calls
 * it. Callbacks run inside of these calls, under that lock, and must not call the model again.
 *
 * The clock of a channel ticks from the instant at which its count was loaded: the pulse that loads is that instant, so
 * what the manual gives as N + 1 pulses after a write is N ticks here. A count of 1 in modes 2 and 3, which the manual
 * forbids, leaves the output high. Digits above 9 of a decimal count weigh what they are.
 */
#ifndef IRQSHIFT_USERSPACE_PIT_MODEL_H
#define IRQSHIFT_USERSPACE_PIT_MODEL_H

#include "apic/pit.h"

/* Where KVM's chip differs from the manual: with these bits the model does as it does. See docs/userspace.md. */
enum pit_quirk {
	/* A count is loaded at once, counted in binary whatever the gate is, and a control word does not stop it. */
	PIT_QUIRK_COUNTING = 1 << 0,
	PIT_QUIRK_STATUS = 1 << 1,  /* the status has no null count, and modes 6 and 7 are 2 and 3 in it */
	PIT_QUIRK_LATCHES = 1 << 2, /* what is latched survives a control word */
	PIT_QUIRK_WIDTH = 1 << 3,   /* a word is its low byte; from 0x43 comes 0 */
	PIT_QUIRK_REFRESH = 1 << 4, /* the refresh bit changes every 16.384 us, not every 15.085 us */
};

#define PIT_QUIRKS 5
#define PIT_QUIRKS_KVM ((1U << PIT_QUIRKS) - 1)

/* Ticks of channel 0 that come late, several at once. */
enum pit_catch_up {
	PIT_COALESCE, /* one interrupt for all of them */
	PIT_REINJECT, /* each, when the one before was acknowledged: see pit_model_acked() */
};

struct pit_model_ops {
	/* The clock of all times here, in nanoseconds; never goes back. */
	int64_t (*now_ns)(void *opaque);
	/* Call pit_model_expired() at @at_ns or soon after, and no more at the time told before; PIT_NEVER: not at all. */
	void (*arm)(void *opaque, int64_t at_ns);
	/* The output of channel 0 rose: raise IRQ 0 and lower it. */
	void (*tick)(void *opaque);
};

/* What a channel holds and struct pit_channel has no place for. */
struct pit_model_counter {
	uint8_t control;      /* low six bits of the control word */
	bool written;         /* it has a count since then */
	bool loaded;          /* and counts it */
	bool null_count;      /* the newest count is not the one that it counts */
	bool halted;          /* mode 0, between the two bytes of a count */
	bool simple;          /* PIT_QUIRK_COUNTING */
	uint16_t held;        /* the count to be read while none is loaded, binary */
	int32_t current;      /* the count that it counts, coded as pit_channel.count */
	int64_t load_ns;      /* when that was loaded */
	int64_t frozen_ns;    /* how long it had counted when it was stopped; -1 while it counts */
	uint64_t edges;       /* rising edges since load_ns that were dealt with */
	uint64_t switch_tick; /* modes 2 and 3 with a new count: tick after load_ns that loads it */
};

struct pit_model_extra {
	struct pit_model_counter counters[PIT_CHANNELS];
	uint64_t owed;  /* PIT_REINJECT: ticks not given yet */
	bool in_flight; /* one given and not acknowledged */
};

struct pit_model {
	struct pit_state pit;
	struct pit_model_extra extra;
	/* private: */
	int64_t deadline;
	enum pit_catch_up catch_up;
	uint32_t quirks;
	const struct pit_model_ops *ops;
	void *opaque;
};

/**
 * pit_model_init - a timer after power-on: nothing counts, gates 0 and 1 are high, gate 2 is low
 * @m: memory of the caller, of any content
 * @ops: outlives the model
 * @opaque: first argument of the callbacks
 * @catch_up: what becomes of late ticks
 * @quirks: bits of enum pit_quirk; 0: as the manual says
 *
 * Called before anybody else knows the model; calls ops->now_ns only.
 */
void pit_model_init(struct pit_model *m, const struct pit_model_ops *ops, void *opaque, enum pit_catch_up catch_up,
		    uint32_t quirks);

/**
 * pit_model_save - the state of the timer
 * @ret_pit: loadable into KVM and QEMU; a channel that stands still has the load time that gives its count now
 * @ret_extra: what is lost with @ret_pit alone, or NULL
 *
 * Under the caller's lock.
 */
void pit_model_save(const struct pit_model *m, struct pit_state *ret_pit, struct pit_model_extra *ret_extra);

/**
 * pit_model_restore - go on from a state
 * @m: model
 * @pit: on the clock of ops->now_ns; what is not known gets its reset value
 * @extra: of the same pit_model_save(), or NULL for a state from elsewhere
 *
 * Without @extra every count counts as written and loaded at its load time, and ticks are due from the channel's
 * next_transition_time on, or from now on when that is not known. Called under the caller's lock; ticks that are due
 * are given, and ops->arm is called.
 *
 * Return: 0; -EINVAL when a mode, count, access or byte state cannot be, and then nothing changed.
 */
int pit_model_restore(struct pit_model *m, const struct pit_state *pit, const struct pit_model_extra *extra);

/* pit_model_check - only the checks of pit_model_restore(). Any thread. */
int pit_model_check(const struct pit_state *pit, const struct pit_model_extra *extra);

/* pit_model_owns - whether a port is one of the five. Any thread. */
bool pit_model_owns(uint16_t port);

/**
 * pit_model_read/pit_model_write - an access of the guest
 * @m: model
 * @port: first port
 * @size: 1 to 4 bytes; each goes to its own port, lowest first; 0xff comes from, and nothing happens at foreign ones
 *
 * From the vCPU's thread, under the caller's lock.
 */
uint32_t pit_model_read(struct pit_model *m, uint16_t port, unsigned int size);
void pit_model_write(struct pit_model *m, uint16_t port, unsigned int size, uint32_t value);

/* pit_model_expired - the time told to ops->arm has come. From the timer's thread, under the caller's lock. */
void pit_model_expired(struct pit_model *m);

/* pit_model_acked - the guest ended IRQ 0: PIT_REINJECT gives the next tick it owes. Any thread, under the lock. */
void pit_model_acked(struct pit_model *m);

/* pit_model_forgive - drop what PIT_REINJECT owes, as when the guest unmasks IRQ 0. Any thread, under the lock. */
void pit_model_forgive(struct pit_model *m);

/* pit_model_set_gate - the gate input of a channel, where it is not wired as in a PC. Any thread, under the lock. */
void pit_model_set_gate(struct pit_model *m, unsigned int channel, bool level);

/* pit_model_set_hpet_legacy - the HPET takes IRQ 0 over, or gives it back. Any thread, under the caller's lock. */
void pit_model_set_hpet_legacy(struct pit_model *m, bool on);

/* pit_model_out - the output of a channel now. Under the caller's lock. */
bool pit_model_out(struct pit_model *m, unsigned int channel);

/* pit_model_speaker - whether port 0x61 lets the output of channel 2 through. Under the caller's lock. */
bool pit_model_speaker(const struct pit_model *m);

#endif

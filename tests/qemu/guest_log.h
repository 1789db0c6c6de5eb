/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lines that the test guest prints, and the judgement on a log that spans a move. */
#ifndef TESTS_QEMU_GUEST_LOG_H
#define TESTS_QEMU_GUEST_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guest_source { GUEST_LAPIC,
		    GUEST_ONESHOT,
		    GUEST_PIT,
		    GUEST_RTC,
		    GUEST_LEVEL,
		    GUEST_SOURCES };

struct guest_count {
	bool present;
	uint32_t count;    /* handler runs */
	uint32_t expected; /* by the guest's own clock, or by its kicks */
};

struct guest_line {
	uint64_t t_us;   /* the guest's clock */
	uint64_t tsc_us; /* the same by its TSC */
	uint32_t seq;
	struct guest_count source[GUEST_SOURCES];
	uint32_t late_us[GUEST_SOURCES]; /* worst gap since the line before; 0 for the level source */
	uint32_t kick, again, ping, pong, ap, err;
	char last_error[32];
};

struct guest_log {
	struct guest_line *lines;
	size_t n;
	size_t moved_at;  /* index of the first line that was finished after the move */
	char header[160]; /* the line with which the guest introduces itself */
	char bad[160];    /* the first line that is neither, and a panic; "" when there is none */
};

/** guest_source_name - "lapic", "oneshot", "pit", "rtc", "level". */
const char *guest_source_name(enum guest_source source);

/**
 * guest_log_read - Parse what the guest printed.
 * @before: until it was saved, may end within a line; NULL: nothing
 * @after: from then on; NULL: nothing
 *
 * guest_log_free() is due afterwards.
 */
void guest_log_read(struct guest_log *ret_log, const char *before, const char *after);
void guest_log_free(struct guest_log *log);

/** guest_log_tsc_follows_vm - Does the header say that the TSC started with the machine, not with the host? */
bool guest_log_tsc_follows_vm(const struct guest_log *log);

/* What a move may cost. guest_limits_default suits a guest with default words on a busy machine. */
struct guest_limits {
	uint32_t ticks;          /* runs that a source may fall behind, or come too early, over the move */
	uint32_t step_us;        /* most time between two lines */
	size_t lines;            /* least number of lines after the move */
	uint32_t early_oneshots; /* runs of a one-shot timer that may come early, each an error of the guest */
	uint32_t tsc_us;         /* how far TSC and clock may part over the move; 0: not judged */
};

extern const struct guest_limits guest_limits_default;

struct guest_verdict {
	bool ok;
	char why[256];                   /* the first reason, "" when ok */
	uint32_t ticks[GUEST_SOURCES];   /* handler runs after the move */
	int32_t slipped[GUEST_SOURCES];  /* runs fallen behind over the move; negative: early ones */
	uint32_t late_us[GUEST_SOURCES]; /* worst gap over and after the move */
	int64_t tsc_jump_us;             /* what the TSC made over the move, less what the clock made */
	uint64_t step_us;                /* guest's clock from the last line before to the first after */
	uint64_t watched_us;             /* guest's clock after the move */
};

/**
 * guest_judge - Did the guest live through its move?
 *
 * It did when every counter goes on from where it stood, none skips or repeats, lines follow each other without a gap
 * in number or clock, no error came up, and each source runs as often as the guest's clock demands.
 */
void guest_judge(const struct guest_log *log, const struct guest_limits *limits, struct guest_verdict *ret);

#endif

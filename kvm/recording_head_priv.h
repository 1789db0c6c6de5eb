/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The head of a recording: what its numbers stand for. */
#ifndef IRQSHIFT_KVM_RECORDING_HEAD_PRIV_H
#define IRQSHIFT_KVM_RECORDING_HEAD_PRIV_H

#include "base/error.h"
#include "kvm/event.h"
#include "kvm/recording_priv.h"

struct recording_kind_row {
	unsigned int nfields;       /* 0: the head has no such number */
	int type;                   /* enum irqshift_event_type; -1: not known here */
	int args[RECORDING_FIELDS]; /* index in arg[]; -1: not known here */
};

struct recording_head {
	struct recording_kind_row rows[RECORDING_NUMBERS];
	uint64_t there; /* bit per type */
	char note[513];
};

/* recording_head_parse - @offset: where its block begins, for errors. Return: 0, -EBADMSG, -EOPNOTSUPP. */
int recording_head_parse(const char *text, size_t len, int64_t offset, struct recording_head *ret,
			 struct irqs_error *reterr);

#endif

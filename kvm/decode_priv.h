/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between decode.c and decode_messages.c. */
#ifndef IRQSHIFT_KVM_DECODE_PRIV_H
#define IRQSHIFT_KVM_DECODE_PRIV_H

#include "kvm/decode.h"

/* decode_u32/decode_u64 - a little-endian number at any address. */
uint32_t decode_u32(const void *at);
uint64_t decode_u64(const void *at);

/* decode_entries - how many entries that follow the fixed part hold something. */
unsigned int decode_entries(const struct kvm_call *call);

/* decode_message - an argument without register rows, its length checked. */
void decode_message(const struct kvm_ioctl *io, const struct kvm_call *call, const struct reg_out *out);

#endif

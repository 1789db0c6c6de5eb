/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The capabilities of a QEMU program, asked over QMP. No guest runs. */
#ifndef IRQSHIFT_STREAM_QEMU_CAPS_H
#define IRQSHIFT_STREAM_QEMU_CAPS_H

#include "base/error.h"
#include "stream/qemu_run.h"
#include "vmstate/caps.h"

/**
 * qemu_caps_probe - ask a QEMU what it is and can
 * @opt: program and time limit
 * @ret: receives version, machine types, migration capabilities and bits; release with caps_deinit()
 *
 * The program is started once as `-S -M none -accel tcg`, or without that accelerator where it has no TCG.
 * What QEMU does not tell (a userspace irqchip under KVM, i8259/ltim) follows from its version. Its TCG shows a guest the TSC of
 * this host, whose rate is measured; with -icount it would be another.
 *
 * Return: 0; -ETIMEDOUT; -EIO with what it complained about; -EBADMSG; -ENOMEM.
 */
int qemu_caps_probe(const struct qemu_run_options *opt, struct caps *ret, struct irqs_error *reterr);

#endif

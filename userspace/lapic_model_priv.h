/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of the LAPIC model: registers, delivery, IPIs, timer. */
#ifndef IRQSHIFT_USERSPACE_LAPIC_MODEL_PRIV_H
#define IRQSHIFT_USERSPACE_LAPIC_MODEL_PRIV_H

#include "userspace/lapic_model.h"

/* Errors of ESR (SDM 3A 11.5.3). */
#define LAPIC_ESR_SEND_VECTOR UINT8_C(0x20)
#define LAPIC_ESR_RECEIVE_VECTOR UINT8_C(0x40)
#define LAPIC_ESR_REGISTER UINT8_C(0x80)

#define LAPIC_LVT_PENDING (UINT32_C(1) << 12)
#define LAPIC_LVT_LOW (UINT32_C(1) << 13)
#define LAPIC_LVT_REMOTE_IRR (UINT32_C(1) << 14)
#define LAPIC_LVT_LEVEL (UINT32_C(1) << 15)

/* Vectors below are illegal. */
#define LAPIC_FIRST_VECTOR 16

/* lapic_model.c: registers as INIT leaves them (SDM 3A 11.4.7.3). */
void lapic_init_registers(struct lapic_model *m);

/* lapic_model_base.c */
void lapic_base_changed(struct lapic_model *m); /* tells the VMM where the page is now */
int lapic_base_write(struct lapic_model *m, uint64_t value);
bool lapic_base_legal(const struct lapic_model *m, uint64_t value);
uint64_t lapic_page(const struct lapic_state *s); /* or LAPIC_MODEL_NOWHERE */

/* lapic_model_registers.c: the bits that a row and the config leave writable and defined; LDR of x2APIC mode. */
void lapic_index_rows(struct lapic_model *m);
uint32_t lapic_x2apic_ldr(const struct lapic_state *s);

/* lapic_model_delivery.c */
void lapic_error(struct lapic_model *m, uint8_t error);
void lapic_request(struct lapic_model *m, uint8_t vector, bool level);
void lapic_kick(struct lapic_model *m);
void lapic_eoi(struct lapic_model *m);
bool lapic_local(struct lapic_model *m, uint16_t offset);
void lapic_lint_again(struct lapic_model *m, unsigned int pin);
uint8_t lapic_arbitration(const struct lapic_state *s); /* SDM 3A 11.6.2.4 */

/* lapic_model_ipi.c: what a write of ICR sends; SELF IPI. */
void lapic_send_icr(struct lapic_model *m);
void lapic_send_self(struct lapic_model *m, uint8_t vector);

/* lapic_model_timer.c */
void lapic_timer_init(struct lapic_model *m);
void lapic_timer_settle(struct lapic_model *m); /* expire what is due; before reading what depends on it */
void lapic_timer_write_count(struct lapic_model *m, uint32_t value);
void lapic_timer_write_divide(struct lapic_model *m, uint32_t value);
void lapic_timer_write_lvt(struct lapic_model *m, uint32_t value);
void lapic_timer_arm(struct lapic_model *m);
uint32_t lapic_timer_count(const struct lapic_model *m, int64_t now_ns);
uint64_t lapic_timer_read_deadline(struct lapic_model *m);
void lapic_timer_write_deadline(struct lapic_model *m, uint64_t value);
void lapic_timer_save(struct lapic_model *m, struct lapic_state *s);
void lapic_timer_load(struct lapic_model *m);

/* apic_bus.c: a LAPIC's ID, logical ID or mode changed; a message to all CPUs but one. */
void apic_bus_update(struct apic_bus *bus, const struct lapic_model *m);
void apic_bus_send_others(struct apic_bus *bus, unsigned int cpu, const struct apic_message *msg);

#endif

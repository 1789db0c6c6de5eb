/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States moved between full, split and none; the pure function first, then on real VMs. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "came_back.h"
#include "kvm/moves.h"

TestSuite(kvm_moves, .timeout = 60);

static const struct move_target to_split = { .mode = IRQCHIP_SPLIT, .eoi_suppression = true, .ioapic_version = IOAPIC_VERSION_20 };
static const struct move_target to_none = { .mode = IRQCHIP_NONE, .ioapic_version = IOAPIC_VERSION_20 };
static const struct move_target to_full = { .mode = IRQCHIP_FULL, .pit = true };

static struct move_report report;
static struct irqchip_state moved;

/* All known, as after a reset: two vCPUs, LAPICs on. */
static struct irqchip_state machine(enum irqchip_mode mode)
{
	struct irqchip_state s = vm_state(mode, 2);

	for (unsigned int i = 0; i < 2; i++) {
		reg_state_reset(&lapic_chip, &s.lapics[i], true);
		reg_forget(lapic_member("timer_remaining"), &s.lapics[i], 0);
		lapic_set_reg(&s.lapics[i], LAPIC_SVR, 0x1ff);
	}
	reg_state_reset(&ioapic_chip, &s.ioapic, true);
	reg_state_reset(&pic_chip, &s.pics[0], true);
	reg_state_reset(&pic_chip, &s.pics[1], true);
	reg_state_reset(&pit_chip, &s.pit, true);
	reg_state_reset(&clock_chip, &s.clock, true);
	s.clock.cpu_clock_offset = 5000000000;
	return s;
}

static int move(const struct irqchip_state *from, const struct move_target *target, struct irqs_error *err)
{
	free(moved.lapics);
	free(moved.routes);
	moved = vm_state(target->mode, from->nlapics);
	moved.routes = calloc(MOVE_ROUTES + from->nroutes, sizeof(moved.routes[0]));
	return kvm_move(from, target, &moved, &report, err);
}

static const struct move_note *noted(const char *path)
{
	for (unsigned int i = 0; i < report.nnotes; i++)
		if (!strcmp(report.notes[i].path, path))
			return &report.notes[i];
	return NULL;
}

static void set_rte(struct irqchip_state *s, unsigned int pin, uint64_t rte)
{
	reg_set(reg_find_name(&ioapic_chip, "RTE"), &s->ioapic, pin, rte);
}

Test(kvm_moves, eoi_suppression_is_given_up_where_the_ioapic_cannot_do_without_eois)
{
	struct irqchip_state s = machine(IRQCHIP_SPLIT);
	struct irqs_error err;

	lapic_set_reg(&s.lapics[1], LAPIC_SVR, 0x11ff);
	lapic_set_reg(&s.lapics[1], LAPIC_LVR, 0x01050014);
	cr_expect_eq(move(&s, &to_full, &err), 0);
	cr_expect_eq(lapic_reg(&moved.lapics[1], LAPIC_SVR), 0x1ff);
	cr_expect_eq(lapic_reg(&moved.lapics[1], LAPIC_LVR), 0x00050014);
	cr_assert(noted("lapic[1].SVR"));
	cr_expect_eq(noted("lapic[1].SVR")->cost, MOVE_APPROXIMATE);
	cr_expect(noted("lapic[1].LVR"));
	cr_expect_not(noted("lapic[0].SVR"));
	cr_expect_eq(lapic_reg(&s.lapics[1], LAPIC_SVR), 0x11ff, "the source stays");
	/* to split: the bit stays */
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(lapic_reg(&moved.lapics[1], LAPIC_SVR), 0x11ff);
	vm_state_free(&s);
}

Test(kvm_moves, the_version_of_the_ioapic_follows_and_is_told)
{
	struct irqchip_state s = machine(IRQCHIP_FULL), back;
	struct irqs_error err;

	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.ioapic.version, 0x170020);
	cr_expect(noted("ioapic.VER"));
	back = moved;
	moved = (struct irqchip_state){ 0 };
	cr_expect_eq(move(&back, &to_full, &err), 0);
	cr_expect_eq(moved.ioapic.version, 0x170011);
	vm_state_free(&back);
	vm_state_free(&s);
}

Test(kvm_moves, an_edge_that_was_delivered_is_no_request_in_user_space)
{
	struct irqchip_state s = machine(IRQCHIP_FULL);
	struct irqs_error err;

	set_rte(&s, 4, 0x41);                     /* delivered, in service */
	set_rte(&s, 5, IOAPIC_RTE_MASKED | 0x42); /* came while masked */
	set_rte(&s, 9, IOAPIC_RTE_LEVEL | 0x43 | IOAPIC_RTE_REMOTE_IRR);
	s.ioapic.irr = 1U << 4 | 1U << 5 | 1U << 9;
	lapic_bank_set(&s.lapics[0], LAPIC_ISR, 0x41);
	lapic_bank_set(&s.lapics[0], LAPIC_IRR, 0x43);
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.ioapic.irr, 1U << 5 | 1U << 9);
	cr_expect_eq(moved.lines, 1U << 9, "the level's bit is its line");
	cr_expect_eq(moved.ioapic.redirtbl[9], s.ioapic.redirtbl[9], "its EOI will come");
	vm_state_free(&s);
}

Test(kvm_moves, a_pin_that_waits_for_the_eoi_of_nothing_is_freed)
{
	struct irqchip_state s = machine(IRQCHIP_FULL);
	struct irqs_error err;

	set_rte(&s, 9, IOAPIC_RTE_LEVEL | 0x43 | IOAPIC_RTE_REMOTE_IRR);
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.ioapic.redirtbl[9], IOAPIC_RTE_LEVEL | 0x43);
	cr_expect(noted("ioapic.RTE[9]"));
	s.lapics[1].interrupt_injected = 0x43;
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.ioapic.redirtbl[9], s.ioapic.redirtbl[9]);
	vm_state_free(&s);
}

Test(kvm_moves, pins_become_messages_in_split_and_pins_again_in_full)
{
	struct irqchip_state s = machine(IRQCHIP_FULL), split;
	struct irqs_error err;

	s.routes = calloc(3, sizeof(s.routes[0]));
	s.routes[0] = (struct irq_route){ .gsi = 4, .chip = IRQ_ROUTE_IOAPIC, .pin = 4 };
	s.routes[1] = (struct irq_route){ .gsi = 4, .chip = IRQ_ROUTE_PIC_MASTER, .pin = 4 };
	s.routes[2] = (struct irq_route){ .gsi = 30, .chip = IRQ_ROUTE_MSI, .msi_address = 0xfee01000, .msi_data = 0x55 };
	s.nroutes = 3;
	set_rte(&s, 4, 0x41 | UINT64_C(3) << 56);
	set_rte(&s, 9, IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOGICAL | 0x143 | UINT64_C(0x81) << 56);
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_assert_eq(moved.nroutes, 3, "%u", moved.nroutes);
	cr_expect_eq(moved.routes[0].gsi, 30);
	cr_expect_eq(moved.routes[1].gsi, 4);
	cr_expect_eq(moved.routes[1].msi_address, 0xfee03000);
	cr_expect_eq(moved.routes[1].msi_data, 0x41);
	cr_expect_eq(moved.routes[2].msi_address, 0xfee81004);
	cr_expect_eq(moved.routes[2].msi_data, 0xc143);
	split = moved;
	moved = (struct irqchip_state){ 0 };
	cr_expect_eq(move(&split, &to_full, &err), 0);
	cr_assert_eq(moved.nroutes, 1 + MOVE_ROUTES, "setting routes replaces those that KVM starts with");
	cr_expect_eq(moved.routes[0].gsi, 30);
	for (unsigned int i = 1; i < moved.nroutes; i++)
		cr_expect_neq(moved.routes[i].chip, IRQ_ROUTE_MSI);
	split.nroutes = 0;
	cr_expect_eq(move(&split, &to_full, &err), 0);
	cr_expect_eq(moved.nroutes, 0, "those that KVM starts with");
	cr_expect_eq(move(&split, &to_none, &err), 0);
	cr_expect_eq(moved.nroutes, 0);
	vm_state_free(&split);
	vm_state_free(&s);
}

Test(kvm_moves, line_2_is_a_pulse_in_the_kernel_and_a_level_outside)
{
	struct irqchip_state s = machine(IRQCHIP_FULL), split;
	struct irqs_error err;

	s.pics[0].irr = 0x04; /* left over */
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.pics[0].irr, 0);
	s.pics[0].irr = 0;
	s.pics[1].irr = 0x10;
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_eq(moved.pics[0].irr, 0x04);
	cr_expect_eq(moved.pics[0].last_irr & 4, 4);
	split = moved;
	moved = (struct irqchip_state){ 0 };
	cr_expect_eq(move(&split, &to_full, &err), 0);
	cr_expect_eq(moved.pics[0].irr, 0x04);
	cr_expect_eq(moved.pics[0].last_irr & 4, 0);
	vm_state_free(&split);
	vm_state_free(&s);
}

Test(kvm_moves, intr_is_offered_by_user_space_where_a_lapic_takes_it)
{
	struct irqchip_state s = machine(IRQCHIP_FULL);
	struct irqs_error err;

	s.pics[0].irq_base = 0x30;
	s.pics[0].irr = 0x02;
	lapic_set_reg(&s.lapics[0], LAPIC_LVT0, 0x10700);
	lapic_set_reg(&s.lapics[1], LAPIC_LVT0, 0x10700);
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_expect_not(noted("lapic[0].intr"));
	lapic_set_reg(&s.lapics[0], LAPIC_LVT0, 0x700);
	cr_expect_eq(move(&s, &to_split, &err), 0);
	cr_assert(noted("lapic[0].intr"));
	cr_expect_eq(noted("lapic[0].intr")->to, 0x31);
	vm_state_free(&s);
}

Test(kvm_moves, a_vector_given_to_kvm_interrupt_goes_back_to_its_pic)
{
	struct irqchip_state s = machine(IRQCHIP_SPLIT);
	struct move_target target = to_full;
	struct irqs_error err;

	s.pics[0].irq_base = 0x30;
	s.pics[0].isr = 0x02;
	target.external_vector = 0x31;
	cr_expect_eq(move(&s, &target, &err), 0);
	cr_expect_eq(moved.pics[0].isr, 0);
	cr_expect_eq(moved.pics[0].irr, 0x02);
	target.external_vector = 0x35;
	cr_expect_eq(move(&s, &target, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "pic");
	vm_state_free(&s);
}

Test(kvm_moves, what_user_space_lacks_is_refused_all_of_it)
{
	struct irqchip_state s = machine(IRQCHIP_FULL);
	struct move_target able = to_none;
	struct irqs_error err;

	s.lapics[0].apic_base |= LAPIC_BASE_X2APIC;
	lapic_set_reg(&s.lapics[1], LAPIC_LVTT, 0x40041);
	s.lapics[1].latched_init = 1;
	cr_expect_eq(move(&s, &to_none, &err), -EOPNOTSUPP);
	cr_expect_eq(report.refused, 3);
	cr_expect_str_eq(err.path, "lapic[0].apic_base");
	cr_expect(noted("lapic[1].LVTT"));
	cr_expect(noted("lapic[1].latched_init"));
	s.lapics[1].latched_init = 0;
	able.x2apic = able.tsc_deadline = true;
	cr_expect_eq(move(&s, &able, &err), 0);
	s.pics[1].single_mode = 1;
	cr_expect_eq(move(&s, &to_full, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "pic[1].single_mode");
	vm_state_free(&s);
}

Test(kvm_moves, a_pit_that_the_vm_lacks_is_refused)
{
	static const struct move_target without = { .mode = IRQCHIP_FULL };
	struct irqchip_state s = machine(IRQCHIP_SPLIT);
	struct irqs_error err;

	cr_expect_eq(move(&s, &without, &err), -EOPNOTSUPP);
	cr_expect_str_eq(err.path, "pit");
	vm_state_free(&s);
}

Test(kvm_moves, timers_and_run_state_go_out_and_come_in)
{
	struct irqchip_state s = machine(IRQCHIP_FULL), none;
	struct irqs_error err;

	reg_set(lapic_member("mp_state"), &s.lapics[0], 0, LAPIC_MP_HALTED);
	reg_set(lapic_member("mp_state"), &s.lapics[1], 0, LAPIC_MP_INIT_RECEIVED);
	lapic_set_reg(&s.lapics[0], LAPIC_LVTT, 0x20041);
	lapic_set_reg(&s.lapics[0], LAPIC_TDCR, 0xb);
	lapic_set_reg(&s.lapics[0], LAPIC_TMICT, 1000000);
	reg_set(lapic_member("timer_remaining"), &s.lapics[0], 0, 400000);
	s.pit.channels[0].mode = 2;
	reg_forget(reg_find_name(&pit_chip, "count_load_time"), &s.pit, 0);
	cr_expect_eq(move(&s, &to_none, &err), 0);
	cr_expect_eq(moved.lapics[0].halted, 1);
	cr_expect_eq(moved.lapics[0].mp_state, LAPIC_MP_RUNNABLE);
	cr_expect_eq(moved.lapics[1].wait_for_sipi, 1);
	cr_expect_eq(moved.lapics[0].timer_expiry, 5000400000);
	cr_expect_eq(moved.pit.channels[0].count_load_time, 5000000000);
	cr_expect_gt(moved.pit.channels[0].next_transition_time, 5000000000);
	cr_expect_eq(moved.pit.irq_timer, moved.pit.channels[0].next_transition_time);
	none = moved;
	moved = (struct irqchip_state){ 0 };
	none.clock.cpu_clock_offset += 100000;
	cr_expect_eq(move(&none, &to_full, &err), 0);
	cr_expect_eq(moved.lapics[0].mp_state, LAPIC_MP_HALTED);
	cr_expect_eq(moved.lapics[1].mp_state, LAPIC_MP_INIT_RECEIVED);
	cr_expect_eq(moved.lapics[0].timer_remaining_ns, 300000);
	vm_state_free(&none);
	vm_state_free(&s);
}

/* ---- on real VMs ---- */

static struct vm vm, other;

Test(kvm_moves, a_real_full_vm_goes_on_split_and_full_again, .init = vm_have_kvm)
{
	struct irqchip_state s, split, now;
	struct irqs_error err = { 0 };
	struct move_target target = to_split;

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 2 });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 2 });
	s = vm_gather(&vm);
	lapic_set_reg(&s.lapics[1], LAPIC_SVR, 0x1ff);
	lapic_bank_set(&s.lapics[1], LAPIC_IRR, 0x61);
	lapic_set_reg(&s.lapics[1], LAPIC_TPR, 0x20);
	reg_set(lapic_member("mp_state"), &s.lapics[1], 0, LAPIC_MP_HALTED);
	set_rte(&s, 3, 0x33 | UINT64_C(1) << 56);
	reg_set(reg_find_name(&pic_chip, "imr"), &s.pics[0], 0, 0xfb);
	target.eoi_suppression = other.probe.eoi_suppression;
	cr_assert_eq(move(&s, &target, &err), 0, "%s", err.text);
	cr_assert_eq(kvm_restore(other.port, &other.probe, NULL, &moved, &err), 0, "%s: %s", err.path, err.text);
	/* a message by the route of pin 3 reaches vCPU 1 */
	cr_assert_eq(ioctl(other.fd, KVM_IRQ_LINE, &(struct kvm_irq_level){ .irq = 3, .level = 1 }), 0);
	now = vm_gather(&other);
	cr_expect(lapic_bank_test(&now.lapics[1], LAPIC_IRR, 0x33));
	cr_expect(lapic_bank_test(&now.lapics[1], LAPIC_IRR, 0x61));
	cr_expect_eq(lapic_reg(&now.lapics[1], LAPIC_TPR), 0x20);
	cr_expect_eq(now.lapics[1].mp_state, LAPIC_MP_HALTED);
	/* back: the chips of user space with what the kernel has */
	split = now;
	split.ioapic = moved.ioapic;
	memcpy(split.pics, moved.pics, sizeof(split.pics));
	split.pit = moved.pit;
	cr_assert_eq(move(&split, &to_full, &err), 0, "%s", err.text);
	cr_assert_eq(kvm_restore(vm.port, &vm.probe, NULL, &moved, &err), 0, "%s: %s", err.path, err.text);
	vm_state_free(&split);
	now = vm_gather(&vm);
	cr_expect_eq(now.ioapic.redirtbl[3], s.ioapic.redirtbl[3]);
	cr_expect_eq(now.pics[0].imr, 0xfb);
	cr_expect(lapic_bank_test(&now.lapics[1], LAPIC_IRR, 0x61));
	vm_state_free(&now);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

Test(kvm_moves, what_a_vm_without_an_irqchip_keeps_is_restored_to_it, .init = vm_have_kvm)
{
	struct irqchip_state s, now;
	struct irqs_error err = { 0 };

	vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_FULL });
	vm_open(&other, (struct vm_config){ .mode = IRQCHIP_NONE });
	s = vm_gather(&vm);
	reg_set(lapic_member("nmi_pending"), &s.lapics[0], 0, 1);
	reg_set(lapic_member("mp_state"), &s.lapics[0], 0, LAPIC_MP_HALTED);
	cr_assert_eq(move(&s, &to_none, &err), 0, "%s", err.text);
	cr_assert_eq(kvm_restore(other.port, &other.probe, NULL, &moved, &err), 0, "%s: %s", err.path, err.text);
	now = vm_gather(&other);
	cr_expect_eq(now.lapics[0].nmi_pending, 1);
	cr_expect_eq(moved.lapics[0].halted, 1);
	vm_state_free(&now);
	vm_state_free(&s);
	vm_close(&vm);
	vm_close(&other);
}

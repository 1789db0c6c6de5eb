/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a section to a state and back: nothing that the section carries may change. */
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "apic/cpu.h"
#include "apic/registry.h"

static struct vms_tree tree;

static void open_tree(void)
{
	cr_assert(!vms_tree_init(&tree, NULL));
}

static void close_tree(void)
{
	vms_tree_deinit(&tree);
}

TestSuite(apic_tree, .init = open_tree, .fini = close_tree);

static struct vms_node *add_subsections(struct vms_node *n, const struct vms_desc *d)
{
	for (const struct vms_desc *const *s = d->subsections; s && *s; s++) {
		struct vms_node *sub = vms_add_subsection(&tree, n, (*s)->name, (*s)->version);

		cr_assert(sub && !vms_desc_instantiate(&tree, *s, sub));
		add_subsections(sub, *s);
	}
	return n;
}

/* A section with all its fields and subsections, zeroed. */
static struct vms_node *section_of(const struct vms_desc *d, uint32_t instance)
{
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, d->name, d->name);

	cr_assert(n);
	n->instance = instance;
	cr_assert(!vms_desc_instantiate(&tree, d, n));
	vms_append(tree.machine, n);
	return add_subsections(n, d);
}

/* Every byte of every leaf becomes what @pattern says; @counter makes bytes distinct. */
static void fill(struct vms_node *n, int pattern, unsigned int *counter)
{
	for (struct vms_node *c = vms_first_child(n); c; c = c->next) {
		if (vms_first_child(c))
			fill(c, pattern, counter);
		else if (c->data)
			for (uint64_t i = 0; i < (uint64_t)c->width * c->count; i++)
				c->data[i] = pattern < 0 ? (uint8_t)(*counter)++ : (uint8_t)pattern;
	}
}

static size_t save(const struct vms_node *n, uint8_t *buf, size_t at)
{
	for (const struct vms_node *c = vms_first_child(n); c; c = c->next) {
		if (vms_first_child(c)) {
			at = save(c, buf, at);
		} else if (c->data) {
			memcpy(buf + at, c->data, (size_t)c->width * c->count);
			at += (size_t)c->width * c->count;
		}
	}
	return at;
}

static void expect_identity(const struct apic_chip *chip, int pattern)
{
	static uint8_t before[65536], after[65536];
	uint64_t state[128] = { 0 };
	struct irqs_error err = { 0 };
	struct vms_node *n = section_of(chip->desc, 1);
	unsigned int counter = 3;
	size_t size;

	fill(n, pattern, &counter);
	size = save(n, before, 0);
	cr_assert(!reg_from_tree(chip->regs, n, state, &err), "%s: %s", chip->name, err.text);
	cr_assert(!reg_to_tree(chip->regs, state, n, &err), "%s: %s", chip->name, err.text);
	cr_expect(save(n, after, 0) == size && !memcmp(before, after, size), "%s, pattern %d", chip->name,
		  pattern);
}

Test(apic_tree, there_and_back_is_the_identity_for_every_section_and_pattern)
{
	static const int patterns[] = { -1, 0, 0xff, 0xa5, 0x5a, 0x80, 0x01 };

	for (const struct apic_chip *c = apic_chips; c->name; c++)
		for (size_t p = 0; p < REG_ARRAY_SIZE(patterns); p++)
			expect_identity(c, patterns[p]);
}

/* Into another section that is zero: what the chip's rows carry arrives, with a distinct value per field. */
static void expect_carried(const struct reg_chip *chip, const struct vms_desc *d)
{
	uint64_t first[128] = { 0 }, second[128] = { 0 };
	struct vms_node *a = section_of(d, 0), *b = section_of(d, 1);
	unsigned int counter = 1;

	fill(a, -1, &counter);
	cr_assert(!reg_from_tree(chip, a, first, NULL));
	cr_assert(!reg_to_tree(chip, first, b, NULL));
	cr_assert(!reg_from_tree(chip, b, second, NULL));
	cr_expect(!memcmp(first, second, chip->state_size), "%s", d->name);
	cr_expect(memcmp(first, (uint64_t[128]){ 0 }, chip->state_size));
}

Test(apic_tree, every_row_arrives_in_another_section)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++)
		expect_carried(c->regs, c->desc);
}

Test(apic_tree, every_mapped_row_is_known_and_no_other)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		uint64_t state[128] = { 0 };

		cr_assert(!reg_from_tree(c->regs, section_of(c->desc, 0), state, NULL));
		for (unsigned int r = 0; r < c->regs->nrows; r++) {
			const struct reg_row *row = &c->regs->rows[r];

			for (unsigned int i = 0; i < row->count; i++)
				cr_expect(reg_known(row, state, i) == (row->desc == c->desc &&
								       row->vms != NULL),
					  "%s: %s[%u]", c->name, row->name, i);
		}
	}
}

/* Nothing but element @i of @row differs from a section of zeros. */
static void expect_alone(const struct apic_chip *c, const struct reg_row *row, unsigned int i,
			 const void *state)
{
	for (unsigned int o = 0; o < c->regs->nrows; o++) {
		const struct reg_row *other = &c->regs->rows[o];

		for (unsigned int j = 0; j < other->count; j++)
			cr_expect((other == row && j == i) || !reg_known(other, state, j) ||
					  reg_get(other, state, j) == (other->vms ? other->vms_fill : 0U),
				  "%s: %s[%u] changed %s[%u]", c->name, row->name, i, other->name, j);
	}
}

static void expect_own_place(const struct apic_chip *c, const struct reg_row *row, unsigned int i)
{
	uint64_t state[128] = { 0 }, again[128] = { 0 }, v = UINT64_C(1) << row->vms_shift | row->vms_fill;
	struct vms_node *n = section_of(c->desc, 0);

	reg_set(row, state, i, v);
	cr_assert(!reg_to_tree(c->regs, state, n, NULL));
	cr_assert(!reg_from_tree(c->regs, n, again, NULL));
	cr_expect(reg_get(row, again, i) == v, "%s: %s[%u]", c->name, row->name, i);
	expect_alone(c, row, i, again);
}

Test(apic_tree, each_row_reads_and_writes_its_own_place_alone)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++)
		for (unsigned int r = 0; r < c->regs->nrows; r++) {
			const struct reg_row *row = &c->regs->rows[r];

			for (unsigned int i = 0; row->desc == c->desc && row->vms && i < row->count; i++)
				expect_own_place(c, row, i);
		}
}

static struct vms_node *set(struct vms_node *n, const char *path, uint64_t v)
{
	struct irqs_error err = { 0 };

	cr_assert(!vms_set(n, path, v, &err), "%s: %s", path, err.text);
	return n;
}

Test(apic_tree, lapic_registers_have_the_kernel_s_form)
{
	struct vms_node *n = section_of(&lapic_vms_desc, 7);
	struct lapic_state s;

	set(set(set(set(n, "id", 7), "log_dest", 0x80), "dest_mode", 0xf), "tpr", 0x20);
	set(set(set(n, "lvt[3]", 0x700), "icr[1]", 0x1000000), "irr[7]", 0x1000);
	set(set(n, "timer_expiry", (uint64_t)-1), "apicbase", 0xfee00900);
	cr_assert(!lapic_from_tree(n, &s, NULL));
	cr_expect(lapic_reg(&s, LAPIC_ID) == 0x07000000 && lapic_reg(&s, LAPIC_LDR) == 0x80000000);
	cr_expect(lapic_reg(&s, LAPIC_DFR) == 0xffffffff && lapic_reg(&s, LAPIC_TPR) == 0x20);
	cr_expect(lapic_reg(&s, LAPIC_LVT0) == 0x700 && lapic_reg(&s, LAPIC_ICR2) == 0x1000000);
	cr_expect(lapic_bank_highest(&s, LAPIC_IRR) == 236 && s.timer_expiry == -1);
	cr_expect(s.apic_base == 0xfee00900 && s.initial_id == 7);
	cr_expect(!lapic_reg_known(&s, LAPIC_LVR) && !lapic_reg_known(&s, LAPIC_TMCCT) &&
		  !lapic_reg_known(&s, LAPIC_PPR));
}

Test(apic_tree, one_state_gathers_the_three_sections_of_a_cpu)
{
	struct vms_node *apic = section_of(&lapic_vms_desc, 0), *cpu = section_of(&cpu_vms_desc, 0);
	struct vms_node *common = section_of(&cpu_common_vms_desc, 0);
	struct lapic_state s;

	set(set(cpu, "env.interrupt_injected", 236), "env.mp_state", LAPIC_MP_HALTED);
	set(set(cpu, "cpu/msr_tscdeadline.env.tsc_deadline", 123456789), "env.nmi_pending", 1);
	set(common, "interrupt_request", CPU_INTERRUPT_HARD | CPU_INTERRUPT_NMI);
	set(apic, "apic_sipi.wait_for_sipi", 1);
	cr_assert(!lapic_from_tree(apic, &s, NULL) && !lapic_add_tree(cpu, &s, NULL) &&
		  !lapic_add_tree(common, &s, NULL));
	cr_expect(s.interrupt_injected == 236 && s.mp_state == LAPIC_MP_HALTED && s.nmi_pending == 1);
	cr_expect(s.tsc_deadline == 123456789 && s.interrupt_request == 0x202 && s.wait_for_sipi == 1);
}

Test(apic_tree, what_a_section_lacks_is_unknown_and_is_not_written)
{
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, "apic", "apic");
	struct lapic_state s;

	cr_assert(vms_add_int(&tree, n, "tpr", "uint8", 0) && vms_add_int(&tree, n, "irr", "uint32", 4));
	set(n, "tpr", 0x40);
	cr_assert(!lapic_from_tree(n, &s, NULL));
	cr_expect(lapic_reg_known(&s, LAPIC_TPR) && !lapic_reg_known(&s, LAPIC_SVR));
	cr_expect(lapic_reg_known(&s, LAPIC_IRR + 0x30) && !lapic_reg_known(&s, LAPIC_IRR + 0x40));
	lapic_set_reg(&s, LAPIC_SVR, 0x1ff);
	cr_expect(!lapic_to_tree(&s, n, NULL));
	cr_expect_null(vms_lookup(n, "spurious_vec"));
	s.known[0] = 0;
	lapic_set_reg(&s, LAPIC_IRR, 1);
	s.regs[LAPIC_TPR / 16] = 0;
	cr_expect(!lapic_to_tree(&s, n, NULL));
	cr_expect(vms_get_or(n, "tpr", 0) == 0x40 && vms_get_or(n, "irr[0]", 0) == 1);
}

Test(apic_tree, a_value_without_room_is_refused_and_nothing_is_written)
{
	struct vms_node *n = section_of(&lapic_vms_desc, 0);
	struct irqs_error err = { 0 };
	struct lapic_state s;

	cr_assert(!lapic_from_tree(n, &s, NULL));
	lapic_set_reg(&s, LAPIC_TPR, 0x30);
	reg_set(lapic_member("apic_base"), &s, 0, UINT64_C(0x8fee00900));
	cr_expect(lapic_to_tree(&s, n, &err) == -EOPNOTSUPP && err.status == IRQS_REFUSED);
	cr_expect(strstr(err.path, "apicbase"), "%s", err.path);
	cr_expect(vms_get_or(n, "tpr", 99) == 0);
}

Test(apic_tree, a_section_of_another_device_is_no_chip)
{
	struct vms_node *n = section_of(&pic_vms_desc, 0);
	struct irqs_error err = { 0 };
	struct lapic_state s, before;

	memset(&s, 0x33, sizeof(s));
	before = s;
	cr_expect(lapic_from_tree(n, &s, &err) == -EBADMSG && err.status == IRQS_MALFORMED);
	cr_expect(!memcmp(&s, &before, sizeof(s)), "changed on failure");
	cr_expect(lapic_to_tree(&s, n, &err) == -EBADMSG);
}

Test(apic_tree, the_pit_keeps_its_two_copies_of_the_next_edge_apart)
{
	struct vms_node *n = section_of(&pit_vms_desc, 0);
	struct pit_state s;

	cr_assert(!pit_from_tree(n, &s, NULL));
	reg_set(reg_find_name(&pit_chip, "next_transition_time"), &s, 0, 111);
	reg_set(reg_find_name(&pit_chip, "next_transition_time"), &s, 1, 222);
	reg_set(reg_find_name(&pit_chip, "irq_timer"), &s, 0, 333);
	cr_assert(!pit_to_tree(&s, n, NULL));
	memset(&s, 0, sizeof(s));
	cr_assert(!pit_from_tree(n, &s, NULL));
	cr_expect(s.channels[0].next_transition_time == 111 && s.channels[1].next_transition_time == 222);
	cr_expect(s.irq_timer == 333);
	cr_expect(vms_get_or(n, "channels[0].next_transition_time", 0) == 333,
		  "the path means the section's own");
}

Test(apic_tree, an_old_ioapic_section_has_no_irr)
{
	uint8_t bytes[206] = { 0x0a, 0x10 };
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, "ioapic", "ioapic");
	struct ioapic_state s;
	uint64_t used;

	n->version = 1;
	bytes[2 + 7] = 0x55;
	cr_assert(!vms_desc_parse(&tree, &ioapic_vms_desc, n, bytes, sizeof(bytes), 0, &used, NULL));
	cr_expect(used == 2 + 8 * IOAPIC_PINS);
	cr_assert(!ioapic_from_tree(n, &s, NULL));
	cr_expect(s.id == 0x0a000000 && s.ioregsel == 0x10 && s.redirtbl[0] == 0x55);
	cr_expect(!reg_known(reg_find_name(&ioapic_chip, "irr"), &s, 0));
}

Test(apic_tree, version_11_of_cpu_ends_before_the_xsave_fields)
{
	static uint8_t bytes[4096];
	struct vms_node *n = vms_node_create(&tree, VMS_SECTION, "cpu", "cpu");
	uint64_t used;

	n->version = 11;
	cr_assert(!vms_desc_parse(&tree, &cpu_vms_desc, n, bytes, sizeof(bytes), 0, &used, NULL));
	cr_expect(used == 1817 - 16 - 256, "%" PRIu64, used);
}

Test(apic_tree, paths_of_rows_lead_to_their_fields)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		struct vms_node *n = section_of(c->desc, 0);

		for (unsigned int r = 0; r < c->regs->nrows; r++) {
			const struct reg_row *row = &c->regs->rows[r];
			char path[128];

			for (unsigned int i = 0; i < row->count; i++) {
				uint64_t v;

				reg_path(row, i, path, sizeof(path));
				cr_expect(row->vms ? path[0] != 0 : !path[0]);
				if (row->desc == c->desc && row->vms)
					cr_expect(!vms_get(n, path, &v, NULL), "%s.%s", c->name, path);
			}
		}
	}
}

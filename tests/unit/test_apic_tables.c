/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The register tables themselves: order, overlap, masks, and that nothing a stream carries is left out. */
#include <criterion/criterion.h>
#include <linux/kvm.h>
#include <string.h>

#include "apic/cpu.h"
#include "apic/registry.h"

static const struct reg_chip *const chips[] = { &lapic_chip, &ioapic_chip, &pic_chip, &pit_chip,
						&clock_chip };

#define NCHIPS REG_ARRAY_SIZE(chips)

#define for_each_row(c, row)                                     \
	for (size_t c = 0; c < NCHIPS; c++)                      \
		for (const struct reg_row *row = chips[c]->rows; \
		     row < chips[c]->rows + chips[c]->nrows; row++)

static unsigned int row_end(const struct reg_row *row)
{
	return row->offset + (row->count - 1U) * row->stride + 1;
}

Test(apic_tables, every_row_says_what_it_is_and_where_that_is_written)
{
	for_each_row(c, row)
	{
		cr_expect(row->name && row->text && row->manual, "%s row %s", chips[c]->name, row->name);
		cr_expect(row->count >= 1 && row->width >= 1 && row->width <= 8, "%s", row->name);
		cr_expect((row->storage != REG_DERIVED && row->storage != REG_IN_FLIGHT) || row->from, "%s",
			  row->name);
	}
}

Test(apic_tables, rows_rise_by_offset_and_do_not_overlap)
{
	for (size_t c = 0; c < NCHIPS; c++)
		for (unsigned int r = 1; r < chips[c]->nrows; r++) {
			const struct reg_row *before = &chips[c]->rows[r - 1], *row = &chips[c]->rows[r];

			if (row->offset == REG_NO_OFFSET)
				continue;
			cr_expect(before->offset != REG_NO_OFFSET && row_end(before) <= row->offset,
				  "%s: %s, %s",
				  chips[c]->name, before->name, row->name);
		}
}

Test(apic_tables, names_are_used_once_in_a_chip)
{
	for_each_row(c, row)
		cr_expect(reg_find_name(chips[c], row->name) == row, "%s: %s", chips[c]->name, row->name);
}

Test(apic_tables, each_element_has_its_own_known_bit)
{
	for (size_t c = 0; c < NCHIPS; c++) {
		uint64_t used[REG_KNOWN_WORDS] = { 0 };

		for (unsigned int r = 0; r < chips[c]->nrows; r++) {
			const struct reg_row *row = &chips[c]->rows[r];

			for (unsigned int i = 0; row->size && i < row->count; i++) {
				unsigned int bit = row->bit + i;

				cr_assert(bit < 64 * REG_KNOWN_WORDS, "%s", row->name);
				cr_expect(!(used[bit / 64] >> bit % 64 & 1), "%s: %s[%u]", chips[c]->name,
					  row->name, i);
				used[bit / 64] |= UINT64_C(1) << bit % 64;
			}
		}
	}
}

Test(apic_tables, each_element_has_its_own_bytes_in_the_state)
{
	for (size_t c = 0; c < NCHIPS; c++) {
		uint8_t used[1024] = { 0 };

		cr_assert(chips[c]->state_size <= sizeof(used), "%s: apic/reg.c has no room", chips[c]->name);
		for (unsigned int r = 0; r < chips[c]->nrows; r++) {
			const struct reg_row *row = &chips[c]->rows[r];

			for (unsigned int i = 0; row->size && i < row->count; i++)
				for (size_t b = 0; b < row->size; b++) {
					size_t at = row->at + (size_t)i * row->step + b;

					cr_assert(at < chips[c]->state_size, "%s", row->name);
					cr_expect(at >= 8 * REG_KNOWN_WORDS && !used[at]++, "%s: %s[%u]",
						  chips[c]->name, row->name, i);
				}
		}
	}
}

Test(apic_tables, fields_rise_and_with_the_reserved_bits_cover_the_register)
{
	for_each_row(c, row)
	{
		uint64_t mask = row->rsvd;

		for (unsigned int f = 0; f < row->nfields; f++) {
			uint64_t bits = reg_field_set(&row->fields[f], 0, UINT64_MAX);

			cr_expect(!(mask & bits), "%s: %s overlaps", row->name, row->fields[f].name);
			cr_expect(!f || row->fields[f - 1].lsb < row->fields[f].lsb, "%s", row->name);
			mask |= bits;
		}
		cr_expect(!row->nfields || mask == reg_mask(row), "%s: %s: 0x%llx of 0x%llx", chips[c]->name,
			  row->name, (unsigned long long)mask, (unsigned long long)reg_mask(row));
	}
}

Test(apic_tables, masks_do_not_contradict_each_other)
{
	for_each_row(c, row)
	{
		cr_expect(!(row->ro & row->rsvd) && !(row->ro & row->w1c) && !(row->w1c & row->rsvd),
			  "%s", row->name);
		cr_expect(!((row->ro | row->rsvd | row->w1c | row->reset) & ~reg_mask(row)), "%s", row->name);
	}
}

Test(apic_tables, the_lapic_page_is_the_kernel_s)
{
	cr_expect(sizeof(struct kvm_lapic_state) == KVM_APIC_REG_SIZE);
	cr_expect(sizeof(((struct lapic_state *)0)->regs) == KVM_APIC_REG_SIZE / 4);
	for (const struct reg_row *row = lapic_chip.rows; row->offset != REG_NO_OFFSET; row++) {
		cr_expect(row->offset % 16 == 0 && row_end(row) <= KVM_APIC_REG_SIZE, "%s", row->name);
		cr_expect(row->bit == row->offset / 16, "%s", row->name);
	}
	cr_expect(sizeof(((struct kvm_ioapic_state *)0)->redirtbl) == 8 * IOAPIC_PINS);
	cr_expect(sizeof(((struct kvm_pit_state2 *)0)->channels) / sizeof(struct kvm_pit_channel_state) ==
		  PIT_CHANNELS);
}

/* Whether a row of the chip reads the field, element by element. */
static bool has_row(const struct reg_chip *chip, const struct vms_field *f)
{
	unsigned int elements = 0, want = f->count ? f->count : 1;

	for (unsigned int r = 0; r < chip->nrows; r++)
		if (chip->rows[r].vms == f)
			elements += chip->rows[r].in ? 1 : chip->rows[r].count;
	return elements == want;
}

static void expect_all_rows(const struct reg_chip *chip, const struct vms_desc *d)
{
	for (unsigned int i = 0; i < d->nfields; i++) {
		const struct vms_field *f = &d->fields[i];

		if (f->desc)
			expect_all_rows(chip, f->desc);
		else if (strcmp(f->type, "unused_buffer"))
			cr_expect(has_row(chip, f), "%s: %s", d->name, f->name);
	}
	for (const struct vms_desc *const *s = d->subsections; s && *s; s++)
		expect_all_rows(chip, *s);
}

Test(apic_tables, every_field_of_a_chip_s_section_has_a_row)
{
	expect_all_rows(&lapic_chip, &lapic_vms_desc);
	expect_all_rows(&ioapic_chip, &ioapic_vms_desc);
	expect_all_rows(&pic_chip, &pic_vms_desc);
	expect_all_rows(&pit_chip, &pit_vms_desc);
	cr_expect(has_row(&lapic_chip, &cpu_common_vms_fields[CPU_COMMON_VMS_HALTED]));
	cr_expect(has_row(&lapic_chip, &cpu_common_vms_fields[CPU_COMMON_VMS_INTERRUPT_REQUEST]));
	expect_all_rows(&clock_chip, &kvmclock_vms_desc);
}

Test(apic_tables, a_register_is_found_by_its_offset)
{
	unsigned int i = 99;

	cr_expect_str_eq(reg_find(&lapic_chip, LAPIC_TPR, &i)->name, "TPR");
	cr_expect(i == 0);
	cr_expect_str_eq(reg_find(&lapic_chip, LAPIC_IRR + 0x70, &i)->name, "IRR");
	cr_expect(i == 7);
	cr_expect_str_eq(reg_find(&ioapic_chip, IOAPIC_RTE + 46, &i)->name, "RTE");
	cr_expect(i == 23);
	cr_expect_null(reg_find(&lapic_chip, 0x10, NULL));
	cr_expect_null(reg_find(&lapic_chip, LAPIC_IRR + 0x78, NULL));
	cr_expect_null(reg_find(&lapic_chip, 0x390 + 0x10, NULL));
}

/* Bytes of a section without subsections. */
static uint64_t desc_size(const struct vms_desc *d)
{
	struct vms_tree t;
	struct vms_node *n;
	uint64_t size;

	cr_assert(!vms_tree_init(&t, NULL));
	n = vms_node_create(&t, VMS_SECTION, d->name, d->name);
	cr_assert(n && !vms_desc_instantiate(&t, d, n));
	size = vms_size(n);
	vms_tree_deinit(&t);
	return size;
}

Test(apic_tables, sections_have_the_size_that_qemu_writes)
{
	static const struct {
		const char name[16];
		unsigned int size;
	} want[] = {
		{ "apic", 181 },
		{ "ioapic", 206 },
		{ "i8259", 16 },
		{ "i8254", 108 },
		{ "kvmclock", 8 },
		{ "timer", 24 },
		{ "cpu_common", 8 },
		{ "cpu", 1817 },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(want); i++)
		cr_expect(desc_size(apic_find_desc(want[i].name)) == want[i].size, "%s: %llu", want[i].name,
			  (unsigned long long)desc_size(apic_find_desc(want[i].name)));
	cr_expect_null(apic_find_desc("virtio-net"));
}

Test(apic_tables, subsections_of_cpu_have_the_size_that_qemu_writes)
{
	static const struct {
		const char name[36];
		unsigned int size;
	} want[] = {
		{ "cpu/exception_info", 11 },
		{ "cpu/async_pf_msr", 8 },
		{ "cpu/async_pv_eoi_msr", 8 },
		{ "cpu/fpop_ip_dp", 18 },
		{ "cpu/msr_tscdeadline", 8 },
		{ "cpu/msr_architectural_pmu", 344 },
		{ "cpu/mpx", 88 },
		{ "cpu/msr_hyperv_hypercall", 16 },
		{ "cpu/msr_hyperv_crash", 40 },
		{ "cpu/msr_hyperv_synic", 152 },
		{ "cpu/msr_hyperv_stimer", 64 },
		{ "cpu/msr_hyperv_reenlightenment", 24 },
		{ "cpu/avx512", 1600 },
		{ "cpu/umwait", 4 },
		{ "cpu/tsc_khz", 8 },
		{ "cpu/pkru", 4 },
		{ "cpu/intel_pt", 104 },
		{ "cpu/svn_npt", 12 },
		{ "cpu/svm_guest", 4 },
		{ "cpu/nested_state", 8 },
		{ "cpu/xen_vcpu", 97 },
		{ "cpu/msr_tsx_ctrl", 4 },
		{ "cpu/intel_sgx", 32 },
		{ "cpu/pdptrs", 32 },
		{ "cpu/msr_xfd", 16 },
		{ "cpu/fred", 72 },
		{ "cpu/intel_amx_xtile", 8256 },
		{ "cpu/arch_lbr", 784 },
		{ "cpu/triple_fault", 1 },
	};

	for (size_t i = 0; i < REG_ARRAY_SIZE(want); i++) {
		const struct cpu_sub *s = cpu_find_sub(want[i].name);

		cr_assert_not_null(s, "%s", want[i].name);
		cr_expect(desc_size(s->desc) == want[i].size, "%s: %llu", want[i].name,
			  (unsigned long long)desc_size(s->desc));
	}
}

Test(apic_tables, subsections_of_cpu_are_told_of_in_stream_order)
{
	const struct vms_desc *const *d = cpu_vms_desc.subsections;
	const struct cpu_sub *s = cpu_subs;

	for (; *d && s->desc; d++, s++) {
		cr_expect(*d == s->desc, "%s, %s", (*d)->name, s->desc->name);
		cr_expect(s->needed && s->tcg && s->report, "%s", s->desc->name);
		cr_expect(!strncmp((*d)->name, "cpu/", 4), "%s", (*d)->name);
	}
	cr_expect(!*d && !s->desc);
}

Test(apic_tables, chips_are_found_by_both_their_names)
{
	for (const struct apic_chip *c = apic_chips; c->name; c++) {
		cr_expect(apic_find_chip(c->name) == c, "%s", c->name);
		cr_expect(!c->kernel_type || apic_find_chip(c->kernel_type) == c, "%s", c->name);
		cr_expect_str_eq(c->desc->name, c->name);
	}
	cr_expect_null(apic_find_chip("kvm-cpu"));
}

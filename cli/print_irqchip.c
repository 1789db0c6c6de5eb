/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/irqchip.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "stream/tree_json.h"

static bool is_name(const char *text, const char *name, uint32_t instance)
{
	char full[64];

	snprintf(full, sizeof(full), "%s[%" PRIu32 "]", name, instance);
	return !strcmp(text, name) || !strcmp(text, full);
}

bool cli_chosen(const struct cli_choice *choice, const char *name, const char *type, uint32_t instance)
{
	for (int i = 0; i < choice->count; i++)
		if (is_name(choice->names[i], name, instance) || (type && is_name(choice->names[i], type, instance)))
			return true;
	return !choice->count;
}

/* Times in a state that is no stream's are of no clock that "now" is known on. */
static void print_part(const struct irqchip_part *p, const struct reg_out *out)
{
	reg_emit(out, "\n");
	reg_emit_styled(out, REG_HEADING, "%s[%" PRIu32 "]", p->name, p->instance);
	if (strcmp(p->name, p->type) != 0)
		reg_emit(out, " (%s)", p->type);
	reg_emit(out, "\n");
	if (p->chip == &lapic_chip)
		lapic_print(p->state, REG_NO_TIME, out);
	else if (p->chip == &ioapic_chip)
		ioapic_print(p->state, out);
	else if (p->chip == &pic_chip)
		pic_print(p->state, p->instance, out);
	else if (p->chip == &pit_chip)
		pit_print(p->state, REG_NO_TIME, out);
	else
		reg_print(p->chip, p->state, NULL, out);
}

static void print_route(const struct irq_route *r, const struct reg_out *out)
{
	static const char *const chips[] = { "PIC master", "PIC slave", "IOAPIC" };

	if (r->chip == IRQ_ROUTE_MSI)
		reg_emit(out, "  GSI %" PRIu32 " -> MSI 0x%016" PRIx64 " data 0x%" PRIx32 "\n", r->gsi, r->msi_address,
			 r->msi_data);
	else
		reg_emit(out, "  GSI %" PRIu32 " -> %s pin %" PRIu32 "\n", r->gsi, chips[r->chip], r->pin);
}

static void print_head(const struct irqchip_state *s, const struct reg_out *out)
{
	static const char *const where[] = { "all in user space", "LAPICs in the kernel, the rest in user space",
					     "all in the kernel" };

	reg_emit(out, "irqchip %s (%s), %u CPU%s\n", irqchip_mode_name(s->mode), where[s->mode], s->nlapics,
		 s->nlapics == 1 ? "" : "s");
	if (s->lines) {
		reg_emit(out, "lines held high: GSI");
		for (unsigned int i = 0; i < 32; i++)
			if (s->lines >> i & 1)
				reg_emit(out, " %u", i);
		reg_emit(out, "\n");
	}
	if (s->nroutes)
		reg_emit(out, "routes:\n");
	for (unsigned int i = 0; i < s->nroutes; i++)
		print_route(&s->routes[i], out);
}

unsigned int print_irqchip(const struct irqchip_state *s, const struct cli_choice *choice, const struct reg_out *out)
{
	struct irqchip_part p;
	unsigned int printed = 0;

	if (!choice->count)
		print_head(s, out);
	for (unsigned int i = 0; irqchip_part(s, i, &p); i++) {
		if (!irqchip_part_known(&p) || !cli_chosen(choice, p.name, p.type, p.instance))
			continue;
		print_part(&p, out);
		printed++;
	}
	return printed;
}

int print_tree_json(struct vms_node *machine, const struct cli_choice *choice)
{
	struct vms_node *n = vms_first_child(machine), *next;

	for (; n; n = next) {
		next = n->next;
		if (!cli_chosen(choice, n->name, n->type, n->instance))
			vms_remove(n);
	}
	return cli_print_text(tree_json(machine));
}

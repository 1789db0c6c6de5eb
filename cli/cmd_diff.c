/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "apic/registry.h"
#include "apic/snapshot.h"
#include "cli/cli.h"
#include "cli/irqchip.h"
#include "cli/print_tree.h"
#include "vmstate/diff.h"

struct print {
	json_t *list;
	bool failed;
};

static const char *kind_name(const struct vms_node *n)
{
	switch (n->kind) {
	case VMS_SECTION:
		return "section";
	case VMS_SUBSECTION:
		return "subsection";
	case VMS_STRUCT:
	case VMS_ARRAY:
		return "struct";
	default:
		return "field";
	}
}

static bool is_leaf(const struct vms_node *n)
{
	return n->kind == VMS_INT || n->kind == VMS_BYTES;
}

static void print_side(const struct vms_node *n, const struct vms_difference *d)
{
	if (!is_leaf(n))
		printf("version %" PRIu32, n->version);
	else if (d->a && d->b && d->a->count != d->b->count)
		printf("%" PRIu32 " elements", n->count);
	else
		print_element(n, d->element == VMS_NO_INDEX ? 0 : d->element, stdout);
}

static int print_text(void *ctx, const struct vms_difference *d)
{
	const struct reg_out *out = ctx;

	reg_emit_styled(out, REG_NAME, "%s", d->path);
	fputs(": ", stdout);
	if (!d->a || !d->b) {
		printf("this %s is only in %s\n", kind_name(d->a ? d->a : d->b), d->a ? "A" : "B");
		return 0;
	}
	print_side(d->a, d);
	fputs(" -> ", stdout);
	if (out->style)
		out->style(out->ctx, REG_CHANGED);
	print_side(d->b, d);
	if (out->style)
		out->style(out->ctx, REG_PLAIN);
	putchar('\n');
	return 0;
}

static json_t *side_json(const struct vms_node *n, uint32_t element)
{
	char text[512];
	FILE *f;

	if (!n)
		return json_null();
	if (n->kind == VMS_INT && (n->is_signed || vms_element_get(n, element == VMS_NO_INDEX ? 0 : element) <= INT64_MAX))
		return json_integer((json_int_t)vms_element_get(n, element == VMS_NO_INDEX ? 0 : element));
	f = fmemopen(text, sizeof(text), "w");
	if (!f)
		return NULL;
	if (is_leaf(n))
		print_element(n, element == VMS_NO_INDEX ? 0 : element, f);
	else
		fprintf(f, "%s version %" PRIu32, kind_name(n), n->version);
	fclose(f);
	return json_string(text);
}

static int add_json(void *ctx, const struct vms_difference *d)
{
	struct print *p = ctx;
	json_t *o = json_object();
	int rc = json_object_set_new(o, "path", json_string(d->path));

	rc |= json_object_set_new(o, "a", side_json(d->a, d->element));
	rc |= json_object_set_new(o, "b", side_json(d->b, d->element));
	rc |= json_array_append_new(p->list, o);
	p->failed |= rc != 0;
	return rc;
}

/* Two machines that are compared as text. */
struct comparison {
	struct irqchip_state cpus; /* of B, as far as it has some */
	struct reg_out out;
};

/* A chip in words. Return: whether there was anything to say. */
static bool print_words(struct comparison *c, const struct vms_node *a, const struct vms_node *b)
{
	const struct apic_chip *chip = apic_find_chip(a->name);
	char prefix[256];
	unsigned int lines = 0;

	if (!chip || !chip->kernel_type)
		return false;
	vms_path(a, prefix, sizeof(prefix) - 1);
	strcat(prefix, " ");
	return !apic_diff_section(a, b, &c->cpus, prefix, &c->out, &lines, NULL) && lines;
}

/* What sentences there are, then the fields that they do not explain. */
static void print_fields_left(struct comparison *c, struct vms_node *a, const struct vms_node *b)
{
	char prefix[256];
	unsigned int lines;

	vms_path(a, prefix, sizeof(prefix) - 1);
	strcat(prefix, " ");
	apic_explain_section(a, b, prefix, &c->out, &lines, NULL);
	vms_diff(a, b, print_text, &c->out);
}

static void diff_sections(struct comparison *c, struct vms_node *a, const struct vms_node *b)
{
	struct vms_difference one = { .element = VMS_NO_INDEX };
	struct vms_node *n;
	const struct vms_node *twin;
	char path[256];

	one.path = path;
	for (n = vms_first_child(a); n; n = n->next) {
		if (n->kind != VMS_SECTION)
			continue;
		twin = vms_find_section(b, n->name, n->instance);
		one.a = n;
		vms_path(n, path, sizeof(path));
		if (!twin)
			print_text(&c->out, &one);
		else if (!print_words(c, n, twin))
			print_fields_left(c, n, twin);
	}
	one.a = NULL;
	while ((one.b = vms_next_section(b, one.b, NULL))) {
		vms_path(one.b, path, sizeof(path));
		if (!vms_find_section(a, one.b->name, one.b->instance))
			print_text(&c->out, &one);
	}
}

static void diff_text(struct vms_node *a, const struct vms_node *b, const struct reg_out *out)
{
	struct comparison c = { .out = *out };

	/* Empty when the LAPICs of B cannot be read: then no sentence looks at them. */
	irqchip_from_stream(b, &c.cpus, NULL);
	diff_sections(&c, a, b);
	irqchip_deinit(&c.cpus);
}

static int diff_json(const struct vms_node *a, const struct vms_node *b)
{
	struct print p = { .list = json_array() };

	vms_diff(a, b, add_json, &p);
	p.failed |= json_dumpf(p.list, stdout, JSON_INDENT(1)) != 0;
	putchar('\n');
	json_decref(p.list);
	return p.failed ? IRQS_SYSTEM : IRQS_DONE;
}

/* As trees of snapshots, whatever they came from. */
static int diff_states_json(const struct irqchip_state *a, const struct irqchip_state *b)
{
	struct irqs_error err = { 0 };
	struct vms_tree ta = { 0 }, tb = { 0 };
	int rc = vms_tree_init(&ta, &err), status;

	if (!rc)
		rc = vms_tree_init(&tb, &err);
	if (!rc)
		rc = snapshot_to_tree(a, &ta, &err);
	if (!rc)
		rc = snapshot_to_tree(b, &tb, &err);
	status = rc ? cli_fail(&err, NULL) : diff_json(ta.machine, tb.machine);
	vms_tree_deinit(&ta);
	vms_tree_deinit(&tb);
	return status;
}

/* Where one is a snapshot, the irqchip is all that the two have in common. */
static int diff_irqchip(struct cli_input *a, struct cli_input *b, bool json, const struct reg_out *out)
{
	const struct cli_choice all = { 0 };
	struct irqchip_state sa, sb;
	int status = cli_irqchip(a, &sa);

	if (status)
		return status;
	status = cli_irqchip(b, &sb);
	if (!status) {
		if (json)
			status = diff_states_json(&sa, &sb);
		else
			diff_irqchips(&sa, &sb, &all, cli_is_snapshot(a) != cli_is_snapshot(b) ? DIFF_SHARED : DIFF_ALL, out);
		irqchip_deinit(&sb);
	}
	irqchip_deinit(&sa);
	return status;
}

static int diff(struct cli_input *a, struct cli_input *b, bool json, const struct reg_out *out)
{
	if (cli_is_snapshot(a) || cli_is_snapshot(b))
		return diff_irqchip(a, b, json, out);
	if (json)
		return diff_json(a->stream.tree.machine, b->stream.tree.machine);
	diff_text(a->stream.tree.machine, b->stream.tree.machine, out);
	return IRQS_DONE;
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "vmdesc", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "color", required_argument, NULL, 'c' },
		{ 0 },
	};
	struct cli_input a, b;
	const char *vmdesc = NULL, *color = NULL;
	struct reg_out out;
	bool json = false;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'j')
			json = true;
		else if (c == 'd')
			vmdesc = optarg;
		else if (c == 'c')
			color = optarg;
		else
			return cli_usage(&cmd_diff, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
	}
	if (argc - optind != 2)
		return cli_usage(&cmd_diff, "two inputs are needed");
	if (!cli_out_init(&out, color))
		return cli_usage(&cmd_diff, "--color %s: auto, always or never", color);
	if (!strcmp(argv[optind], "-") && !strcmp(argv[optind + 1], "-"))
		return cli_usage(&cmd_diff, "standard input can be read only once");
	status = cli_open(&a, argv[optind], vmdesc);
	if (status)
		return status;
	status = cli_open(&b, argv[optind + 1], vmdesc);
	if (!status) {
		status = diff(&a, &b, json, &out);
		cli_close(&b);
	}
	cli_close(&a);
	return status;
}

const struct cli_command cmd_diff = {
	.name = "diff",
	.run = run,
	.usage = "[--vmdesc F] [--json] [--color WHEN] A B",
	.summary = "compare the device state of two streams, or the irqchips of snapshots, field by field",
	.help = "  --vmdesc F  take the vmdescription of both from F\n" CLI_COLOR_HELP
		"  --json      print a list of {path, a, b}\n"
		"\nA or B may be a snapshot: then the irqchips are compared, of a stream and a snapshot what both know.\n"
		"Exit status 0 whether or not they differ: no output means no difference.\n",
};

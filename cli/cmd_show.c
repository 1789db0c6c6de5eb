/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "apic/registry.h"
#include "cli/cli.h"
#include "cli/irqchip.h"
#include "cli/print_tree.h"
#include "stream/section_json.h"

/* What was asked for. */
struct show {
	bool json, raw;
	struct cli_choice choice;
	struct reg_out out;
};

static bool wanted(const struct vms_node *section, const struct cli_choice *choice)
{
	return cli_chosen(choice, section->name, section->type, section->instance);
}

static int set_ram(json_t *o, const struct qemu_ram *ram)
{
	json_t *r = json_pack("{s:I, s:i}", "total_bytes", (json_int_t)ram->total_bytes, "blocks", ram->blocks);
	int rc = 0;

	/* What was not counted is not 0. */
	if (!ram->skipped) {
		json_t *counts = json_pack("{s:i, s:I, s:I, s:I, s:I, s:I}", "sections", ram->sections, "normal_pages",
					   (json_int_t)ram->normal_pages, "zero_pages", (json_int_t)ram->zero_pages,
					   "xbzrle_pages", (json_int_t)ram->xbzrle_pages, "compressed_pages",
					   (json_int_t)ram->compressed_pages, "mapped_bytes",
					   (json_int_t)ram->mapped_bytes);

		rc = json_object_update(r, counts);
		json_decref(counts);
	}
	return rc | json_object_set_new(o, "ram", r);
}

static int show_json(const struct cli_input *in, const char *from, const struct cli_choice *choice)
{
	const struct qemu_stream *s = &in->stream;
	json_t *o = json_object(), *devices = json_array();
	const struct vms_node *n = NULL;
	int rc = json_object_set_new(o, "machine", json_string(s->tree.machine->name));

	rc |= json_object_set_new(o, "from", from ? json_string(from) : json_null());
	rc |= json_object_set_new(o, "footers", json_boolean(s->has_footers));
	rc |= json_object_set_new(o, "vmdescription", json_boolean(s->has_vmdesc));
	rc |= set_ram(o, &s->ram);
	while ((n = vms_next_section(s->tree.machine, n, NULL)))
		if (wanted(n, choice))
			rc |= json_array_append_new(devices, section_json(n, true));
	rc |= json_object_set_new(o, "devices", devices);
	if (!rc)
		rc = json_dumpf(o, stdout, JSON_INDENT(1));
	putchar('\n');
	json_decref(o);
	return rc ? IRQS_SYSTEM : IRQS_DONE;
}

static void print_summary(const struct qemu_stream *s, const char *from, const char *evidence)
{
	const struct qemu_ram *r = &s->ram;

	printf("machine %s, saved by %s\n", s->tree.machine->name[0] ? s->tree.machine->name : "(not named)",
	       from ? from : "an unknown kind of host");
	if (from)
		printf("  %s\n", evidence);
	printf("  %s vmdescription, %s section footers\n", s->has_vmdesc ? "with" : "without",
	       s->has_footers ? "with" : "without");
	printf("ram: %" PRIu64 " MiB in %" PRIu32 " blocks", r->total_bytes >> 20, r->blocks);
	if (!r->skipped)
		printf("; pages: %" PRIu64 " normal, %" PRIu64 " zero, %" PRIu64 " XBZRLE, %" PRIu64
		       " compressed; %" PRIu64 " MiB mapped",
		       r->normal_pages, r->zero_pages, r->xbzrle_pages, r->compressed_pages, r->mapped_bytes >> 20);
	putchar('\n');
}

static void print_image(const struct libvirt_image *img)
{
	printf("libvirt save image, version %" PRIu32 ", %s, %s\n", img->version,
	       img->sparse ? "sparse" : compression_name(img->compression),
	       img->was_running ? "runs when it is restored" : "stays paused when it is restored");
}

static void show_section(const struct vms_node *n, const struct show *show, bool raw)
{
	char path[256];

	putchar('\n');
	reg_emit_styled(&show->out, REG_HEADING, "%s", vms_path(n, path, sizeof(path)));
	if (n->type && strcmp(n->type, n->name) != 0)
		printf(" (%s)", n->type);
	printf(" version %" PRIu32 "\n", n->version);
	if (raw || apic_print_section(n, &show->out, NULL))
		print_fields(n, stdout);
}

static int fail_choice(const struct cli_input *in, const char *name)
{
	fprintf(stderr, "%s: %s: %s: no such section\n", CLI_NAME, in->path, name);
	return IRQS_USAGE;
}

/* Fields as they are: all sections, also the one that says what it is. */
static bool show_fields(struct vms_node *machine, const struct show *show)
{
	const struct vms_node *n = NULL;
	bool shown = false;

	while ((n = vms_next_section(machine, n, NULL))) {
		if (wanted(n, &show->choice)) {
			show_section(n, show, true);
			shown = true;
		}
	}
	return shown;
}

static int show_snapshot(struct cli_input *in, const struct show *show)
{
	struct vms_node *machine = in->stream.tree.machine;
	struct irqchip_state s;
	bool shown = true;
	int status = cli_irqchip(in, &s);

	if (status)
		return status;
	if (show->json)
		status = print_tree_json(machine, &show->choice);
	else
		shown = show->raw ? show_fields(machine, show) : print_irqchip(&s, &show->choice, &show->out) > 0;
	irqchip_deinit(&s);
	return shown || !show->choice.count ? status : fail_choice(in, show->choice.names[0]);
}

static int show_stream(struct cli_input *in, const struct show *show)
{
	struct qemu_stream *s = &in->stream;
	const struct vms_node *n = NULL;
	char evidence[256] = "", name[64];
	struct profile p;
	const char *from = NULL;
	int shown = 0;

	if (!profile_detect(s->tree.machine, &p, evidence, sizeof(evidence), NULL)) {
		from = profile_format(&p, name, sizeof(name));
		profile_name_sections(&s->tree, &p);
	}
	if (show->json)
		return show_json(in, from, &show->choice);
	if (!show->choice.count && in->is_image)
		print_image(&in->image);
	if (!show->choice.count)
		print_summary(s, from, evidence);
	while ((n = vms_next_section(s->tree.machine, n, NULL))) {
		if (wanted(n, &show->choice)) {
			show_section(n, show, show->raw);
			shown++;
		}
	}
	return shown || !show->choice.count ? IRQS_DONE : fail_choice(in, show->choice.names[0]);
}

static int run(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "vmdesc", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "raw", no_argument, NULL, 'r' },
		{ "ram", no_argument, NULL, 'm' },
		{ "color", required_argument, NULL, 'c' },
		{ 0 },
	};
	const char *vmdesc = NULL, *color = NULL;
	struct show show = { 0 };
	struct cli_input in;
	bool ram = false;
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", longs, NULL)) >= 0) {
		if (c == 'j')
			show.json = true;
		else if (c == 'r')
			show.raw = true;
		else if (c == 'm')
			ram = true;
		else if (c == 'd')
			vmdesc = optarg;
		else if (c == 'c')
			color = optarg;
		else
			return cli_usage(&cmd_show, "%s: %s", argv[optind - 1], c == ':' ? "needs a value" : "no such option");
	}
	if (optind >= argc)
		return cli_usage(&cmd_show, "an input is needed");
	if (!cli_out_init(&show.out, color))
		return cli_usage(&cmd_show, "--color %s: auto, always or never", color);
	show.choice = (struct cli_choice){ argv + optind + 1, argc - optind - 1 };
	status = ram ? cli_open_whole(&in, argv[optind], vmdesc) : cli_open(&in, argv[optind], vmdesc);
	if (status)
		return status;
	status = cli_is_snapshot(&in) ? show_snapshot(&in, &show) : show_stream(&in, &show);
	cli_close(&in);
	return status;
}

const struct cli_command cmd_show = {
	.name = "show",
	.run = run,
	.usage = "[--json] [--raw] [--ram] [--color WHEN] [--vmdesc F] IN [SECTION]...",
	.summary = "print the tree of a stream or snapshot, the interrupt controllers decoded register by register",
	.help = "  SECTION     only these: \"apic\", \"apic[1]\", \"kvm-ioapic\", \"cpu\"...\n"
		"  --json      print as JSON: the vmdescription with the values in it; of a snapshot, its twin in JSON\n"
		"  --raw       print the fields of interrupt controllers, too, as they are in the input\n"
		"  --ram       read a stream's RAM, too: count its pages and check their headers\n" CLI_COLOR_HELP
		"  --vmdesc F  take the vmdescription from F (a stream of a twin machine, or the JSON)\n",
};

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/vmm/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define NS_PER_MS 1e6
#define LONGEST_MS 1e9

const char options_help[] =
	"usage: vmm --kernel ELF [OPTION]...\n"
	"\n"
	"Boots a Multiboot kernel under KVM and moves its interrupt controllers while it runs.\n"
	"\n"
	"  --irqchip WHERE   kernel (default), split or userspace: where they are at first\n"
	"  --move-every MS[:random]\n"
	"                    move them after so many milliseconds, again and again, each of the six ways in turn;\n"
	"                    :random: any way, at random instants that are so far apart on average\n"
	"  --seed N          of the random moves; else one is drawn and printed\n"
	"  --smp N           CPUs (1)\n"
	"  --mem MiB         memory (128)\n"
	"  --kernel ELF      a Multiboot kernel, in ELF or with addresses in its header\n"
	"  --initrd FILE     its modules: FILE[ ARGUMENT]...[,FILE...]...; a comma in a name is written twice\n"
	"  --append TEXT     its command line\n"
	"  --x2apic          CPUs have x2APIC; not with every irqchip\n"
	"  -h, --help        this text\n"
	"\n"
	"What the guest prints to its serial port goes to standard output, messages go to standard error.\n"
	"Exit status: (what the guest writes to port 0xf4) * 2 + 1; 0 when it powers off or resets; even ones are ours:\n"
	"2 KVM or the system failed, 4 usage, 6 does not fit this machine, 8 the kernel is malformed.\n";

static const char *const mode_names[] = {
	[VMM_KERNEL] = "kernel",
	[VMM_SPLIT] = "split",
	[VMM_USERSPACE] = "userspace",
};

#define NMODES (sizeof(mode_names) / sizeof(mode_names[0]))

enum { IRQCHIP = 256,
       MOVE_EVERY,
       SEED,
       SMP,
       MEM,
       KERNEL,
       INITRD,
       APPEND,
       X2APIC };

static const struct option long_options[] = {
	{ "irqchip", required_argument, NULL, IRQCHIP },
	{ "move-every", required_argument, NULL, MOVE_EVERY },
	{ "seed", required_argument, NULL, SEED },
	{ "smp", required_argument, NULL, SMP },
	{ "mem", required_argument, NULL, MEM },
	{ "kernel", required_argument, NULL, KERNEL },
	{ "initrd", required_argument, NULL, INITRD },
	{ "append", required_argument, NULL, APPEND },
	{ "x2apic", no_argument, NULL, X2APIC },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

const char *options_mode_name(enum vmm_mode mode)
{
	return mode_names[mode];
}

static int bad(struct irqs_error *reterr, const char *option, const char *value, const char *wanted)
{
	return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "--%s %s: %s", option, value, wanted);
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(text, &end, 0);
	return !errno && end != text && !*end && !strchr(text, '-') && *ret >= least && *ret <= most;
}

static int parse_mode(const char *text, struct options *o, struct irqs_error *reterr)
{
	for (unsigned int i = 0; i < NMODES; i++) {
		if (!strcmp(text, mode_names[i])) {
			o->mode = (enum vmm_mode)i;
			return 0;
		}
	}
	return bad(reterr, "irqchip", text, "neither kernel nor split nor userspace");
}

static int parse_move(const char *text, struct options *o, struct irqs_error *reterr)
{
	char *end;
	double ms = strtod(text, &end);

	o->move_random = !strcmp(end, ":random");
	if (end == text || (*end && !o->move_random) || !(ms >= 1 / NS_PER_MS && ms <= LONGEST_MS))
		return bad(reterr, "move-every", text, "not MS or MS:random");
	o->move_every_ns = (int64_t)(ms * NS_PER_MS);
	return 0;
}

static int parse_one(int option, const char *arg, struct options *o, struct irqs_error *reterr)
{
	uint64_t n;

	switch (option) {
	case IRQCHIP:
		return parse_mode(arg, o, reterr);
	case MOVE_EVERY:
		return parse_move(arg, o, reterr);
	case SEED:
		return number(arg, 1, UINT64_MAX, &o->seed) ? 0 : bad(reterr, "seed", arg, "not a number above 0");
	case SMP:
		if (!number(arg, 1, VMM_MAX_CPUS, &n))
			return bad(reterr, "smp", arg, "not a number of CPUs that it can have");
		o->ncpus = (unsigned int)n;
		return 0;
	case MEM:
		if (!number(arg, 1, VMM_MAX_MEMORY / MIB, &n))
			return bad(reterr, "mem", arg, "not a number of MiB that it can have");
		o->memory = n * MIB;
		return 0;
	case KERNEL:
		o->kernel = arg;
		return 0;
	case INITRD:
		o->initrd = arg;
		return 0;
	case APPEND:
		o->append = arg;
		return 0;
	case X2APIC:
		o->x2apic = true;
		return 0;
	default:
		o->help = true;
		return 0;
	}
}

int options_parse(int argc, char **argv, struct options *ret, struct irqs_error *reterr)
{
	struct options o = { .mode = VMM_KERNEL, .ncpus = 1, .memory = 128 * MIB, .append = "" };
	int option, rc = 0;

	optind = 0; /* a new command line */
	opterr = 0;
	while (!rc && (option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (option == '?')
			return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL,
					 "%s: no such option, or its argument is missing", argv[optind - 1]);
		rc = parse_one(option, optarg, &o, reterr);
	}
	if (rc)
		return rc;
	if (optind < argc)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "%s: not an option", argv[optind]);
	if (!o.kernel && !o.help)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "no --kernel");
	*ret = o;
	return 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the subcommands share. Only this folder prints. */
#ifndef IRQSHIFT_CLI_CLI_H
#define IRQSHIFT_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#include "apic/print.h"
#include "base/error.h"
#include "filters/filter.h"
#include "filters/pvclock.h"
#include "filters/rules.h"
#include "stream/format.h"
#include "stream/in_place.h"
#include "stream/libvirt_image.h"
#include "stream/qemu.h"

#define CLI_NAME "irqshift"

/* One subcommand: gets its own arguments, argv[0] is its name. Returns the exit status. */
struct cli_command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;   /* arguments */
	const char *summary; /* one line */
	const char *help;    /* options, one per line */
};

extern const struct cli_command cmd_convert, cmd_proxy, cmd_check, cmd_show, cmd_diff, cmd_caps, cmd_schema, cmd_hints,
	cmd_decode, cmd_domain, cmd_list, cmd_dump, cmd_monitor, cmd_restore, cmd_demo;

/* cli_fail - print the one-line error. Return: its exit status. */
int cli_fail(const struct irqs_error *err, const char *file);

/* cli_usage - print "irqshift: what", and how the command is called, to standard error. Return: IRQS_USAGE. */
int cli_usage(const struct cli_command *cmd, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * cli_open_file/cli_close_file - a file to read, "-" for standard input; not one whose conversion in place runs or was cut
 * short. Return: a descriptor or -errno.
 */
int cli_open_file(const char *path, struct irqs_error *reterr);
void cli_close_file(int fd);

/* cli_print_text - print a text that ends with a newline or gets one, and free it; NULL: memory was short. */
int cli_print_text(char *text);

/**
 * cli_out_init - standard output as that of the printers of apic/
 * @ret: receives it
 * @when: colours: "always", "never", or "auto" (NULL): on a terminal, unless NO_COLOR is set
 *
 * Return: whether @when is one of these words.
 */
bool cli_out_init(struct reg_out *ret, const char *when);

/* What --color is, in the help of a command. */
#define CLI_COLOR_HELP "  --color WHEN  always, never, or auto: on a terminal, unless NO_COLOR is set\n"

/* An input of a subcommand: a stream, or a tree in one of irqshift's own formats. */
struct cli_input {
	const char *path; /* "-": standard input */
	int fd;
	mode_t mode; /* permissions of the file, 0600 for what is none */
	enum stream_format format;
	struct qemu_stream stream; /* of another format: its tree only */
	bool is_image;             /* a libvirt save image: what stands before the stream is in @image */
	struct libvirt_image image;
	/* private: */
	struct source source;
	int unpacked; /* the stream of a packed image, or -1 */
};

/**
 * cli_open - read an input of any format
 * @in: the input; release with cli_close()
 * @path: its name
 * @vmdesc: file with a twin's vmdescription, or NULL
 *
 * Return: 0, or the exit status after the error was printed.
 */
int cli_open(struct cli_input *in, const char *path, const char *vmdesc);

/* cli_open_whole - as cli_open(), and read the RAM of a stream from end to end: its pages are counted and checked. */
int cli_open_whole(struct cli_input *in, const char *path, const char *vmdesc);
void cli_close(struct cli_input *in);

/* cli_open_stream - as cli_open(), for what needs a QEMU stream: other formats are a mistake of the user. */
int cli_open_stream(struct cli_input *in, const char *path, const char *vmdesc);

/* cli_open_in_place - as cli_open_stream(), of a file that is open to be converted in place. */
int cli_open_in_place(struct cli_input *in, const struct in_place *p, const char *path, const char *vmdesc);

/* cli_name_recovery - put the command that mends it into the error about a file that has a journal (@rc of in_place.h). */
void cli_name_recovery(int rc, const char *path, struct irqs_error *err);

/* cli_recover - finish or undo a conversion in place ("finish", "undo"), and say which. Return: the exit status. */
int cli_recover(const char *path, const char *way);

/**
 * cli_image_open - what stands in front of the stream in a libvirt save image, and where the stream is
 * @in: an open source
 * @ret_fd: receives the descriptor to read the stream from, which stays @in's
 * @ret_start: receives where it begins there
 *
 * A packed stream is unpacked into a temporary file. Return: 0 or -errno.
 */
int cli_image_open(struct cli_input *in, int *ret_fd, uint64_t *ret_start, struct irqs_error *reterr);
void cli_image_close(struct cli_input *in);

/* cli_image_convert - adapt the XML of an image; the report says how. Return: 0; -EOPNOTSUPP when refused; -errno. */
int cli_image_convert(struct cli_input *in, const struct profile *to, enum report_cost allow, struct report *report,
		      struct irqs_error *reterr);

/* cli_image_write - write a whole image, packed as it was. Return: 0 or -errno. */
int cli_image_write(struct cli_input *in, int fd, struct irqs_error *reterr);

/* cli_is_snapshot - whether an input is the state of an irqchip (apic/snapshot.h). */
bool cli_is_snapshot(const struct cli_input *in);

/**
 * cli_irqchip - the state of the irqchip in an input: of a snapshot, or of a machine that was saved
 * @ret: receives it; release with irqchip_deinit()
 *
 * Sections of a stream get their irqshift types. Return: 0, or the exit status after the error was printed.
 */
int cli_irqchip(struct cli_input *in, struct irqchip_state *ret);

/**
 * cli_lint - print what is wrong with the interrupt state in an input
 * @in: the input
 * @json: as JSON
 *
 * Return: IRQS_DONE; IRQS_REFUSED when something in it cannot be; another exit status after the error was printed.
 */
int cli_lint(struct cli_input *in, bool json, const struct reg_out *out);

/* The values of --filter, sorted into names and files with rules. */
struct cli_filters {
	const char **names; /* of built-in filters, NULL-terminated; NULL: none was given */
	const struct filter **extra;
	struct rules **rules;
	size_t nrules;
};

/**
 * cli_filters_load - read the files among the values of --filter
 * @f: receives them; release with cli_filters_unload(), after the report that names them
 * @args: NULL-terminated, or NULL. A file ends in ".json" or has a '/' in its name; ":forward" or ":back"
 *        behind it sets its direction
 *
 * Return: 0, or the exit status after the error was printed.
 */
int cli_filters_load(struct cli_filters *f, const char *const *args);
void cli_filters_unload(struct cli_filters *f);

/* What convert and check do alike. */
struct cli_conversion {
	struct profile from, to;
	struct report report;
	struct cli_filters filters;
	uint64_t tsc_khz;            /* the rate that the guest's clock pages shall have; 0: they stay */
	struct pvclock_plan pvclock; /* where they are */
	int rc;                      /* of the filters and what follows them */
	struct irqs_error error;
};

struct cli_conversion_options {
	const char *from, *to; /* hosts, see target_parse(); @from may be NULL */
	const char *hints;     /* file of compat hints, or NULL */
	bool allow_lossy;
	uint64_t tsc_khz;     /* of the target's TSC; 0: as its capabilities say */
	const char **filters; /* values of --filter, NULL-terminated, for free(); NULL: none */
	const char *report;   /* file for the report as JSON, or NULL */
	bool verbose;         /* the report as text, on standard error */
};

/* Rows for getopt_long(), and what they are in the help: of any conversion, of one that has the RAM, of one that writes. */
#define CLI_OPTION(name, argument, letter)   \
	{                                    \
		name, argument, NULL, letter \
	}
#define CLI_CONVERSION_OPTIONS                                                                             \
	CLI_OPTION("from", required_argument, 'f'), CLI_OPTION("to", required_argument, 't'),              \
		CLI_OPTION("allow", required_argument, 'a'), CLI_OPTION("filter", required_argument, 'F'), \
		CLI_OPTION("hints", required_argument, 'H')
#define CLI_CONVERSION_HELP                                                                                    \
	"  --from P        kind of host that saved it: kvm, kvm-split, kvm-off, tcg, each also with\n"         \
	"                  @qemu-VERSION; found from the stream when not given\n"                              \
	"  --to P          kind of host that shall load it; also FILE or KIND:FILE, what\n"                    \
	"                  'caps --json' wrote there\n"                                                        \
	"  --allow lossy   also make changes that cost the guest something\n"                                  \
	"  --filter F      run only this built-in filter, or run besides the rules in file F, which ends in\n" \
	"                  .json or has a '/' in it; F:back takes them backwards (may be given again)\n"       \
	"  --hints F       compat hints of the machine: 'hints dump' wrote them\n"
#define CLI_TSC_KHZ_OPTION CLI_OPTION("tsc-khz", required_argument, 'T')
#define CLI_TSC_KHZ_HELP                                                                                               \
	"  --tsc-khz N     rate of the target's TSC: to TCG, the clock pages that a guest of KVM has in its RAM\n"     \
	"                  get its scale. In a file they are changed in their place; in a stream that goes by, what\n" \
	"                  may be one is kept, and sent once more at the end of the RAM\n"
#define CLI_REPORT_OPTIONS CLI_OPTION("report", required_argument, 'r'), CLI_OPTION("verbose", no_argument, 'v')
#define CLI_REPORT_HELP                                \
	"  --report F      write the report as JSON\n" \
	"  -v, --verbose   print the report as text to standard error\n"

/**
 * cli_conversion_option - take one of these options
 * @cmd: whose they are
 * @c: what getopt_long() returned: an option of the rows above, or ':' or '?'
 *
 * Return: -1 to go on, else the exit status after the error was printed.
 */
int cli_conversion_option(const struct cli_command *cmd, int c, int argc, char **argv, struct cli_conversion_options *opt);

/**
 * cli_conversion_check - whether the hosts make sense, before any input
 * @ret_ram: receives whether pages of the RAM may have to be changed, or NULL
 *
 * Return: 0, or the exit status, printed.
 */
int cli_conversion_check(const struct cli_conversion_options *opt, bool *ret_ram);

/* cli_conversion_init - load the filters; ends with cli_conversion_deinit(). Return: 0, or the exit status, printed. */
int cli_conversion_init(struct cli_conversion *c, const struct cli_conversion_options *opt);

/* cli_conversion_run - find the hosts and run the filters. Return: c->rc; the reason is c->error, nothing is printed. */
int cli_conversion_run(struct cli_conversion *c, const struct cli_conversion_options *opt, struct vms_tree *tree);

/**
 * cli_convert - run the filters over an open input
 *
 * Return: IRQS_DONE, IRQS_REFUSED (the report says why, nothing printed yet), or another exit status after the
 * error was printed. The report is there in the first two cases and must be released.
 */
int cli_convert(struct cli_input *in, const struct cli_conversion_options *opt, struct cli_conversion *ret);
void cli_conversion_deinit(struct cli_conversion *c);

/* cli_pvclock_wanted - whether a conversion may have to change clock pages. */
bool cli_pvclock_wanted(const struct cli_conversion_options *opt, const struct profile *from, const struct profile *to);

/* cli_pvclock_plan - find the rate of the target's TSC, and before the filters move the TSCs, the clock pages. Return: 0 or -errno. */
int cli_pvclock_plan(struct cli_conversion *c, const struct cli_conversion_options *opt, const struct vms_tree *tree);

/* cli_tell_report - the report as the options want it. Return: 0, or the exit status after the error was printed. */
int cli_tell_report(const struct cli_conversion *c, const struct cli_conversion_options *opt);

/* cli_print_report - the report as a table for a person. */
void cli_print_report(const struct cli_conversion *c, FILE *out);

/* cli_print_entries - the entries of that table alone. */
void cli_print_entries(const struct report *report, FILE *out);

/* cli_print_report_json - the report as JSON. Return: 0 or -errno. */
int cli_print_report_json(const struct cli_conversion *c, FILE *out);

#endif

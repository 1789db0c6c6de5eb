/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/through.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apic/registry.h"
#include "cli/ram.h"
#include "stream/output.h"

static int convert(void *ctx, struct qemu_stream *s, struct irqs_error *reterr)
{
	struct through *t = ctx;
	int rc = cli_conversion_run(&t->conversion, t->opt, &s->tree);

	if (!rc)
		rc = cli_pvclock_in_relay(&t->conversion, t->relay);
	t->converted = true;
	if (rc)
		*reterr = t->conversion.error;
	return rc;
}

int through_init(struct through *t, const struct cli_conversion_options *opt, const char *twin, size_t twin_size,
		 bool live)
{
	struct relay_options relay = {
		.convert = convert,
		.ctx = t,
		.find_desc = apic_find_desc,
		.twin_vmdesc = twin,
		.twin_vmdesc_size = twin_size,
		.live = live,
	};
	struct irqs_error err = { 0 };
	bool ram = false;
	int status;

	*t = (struct through){ .opt = opt };
	status = cli_conversion_check(opt, &ram);
	relay.wants_page = ram ? pvclock_in_page : NULL;
	if (!status)
		status = cli_conversion_init(&t->conversion, opt);
	if (status)
		return status;
	if (!relay_create(&t->relay, &relay, &err))
		return IRQS_DONE;
	cli_conversion_deinit(&t->conversion);
	return cli_fail(&err, NULL);
}

void through_deinit(struct through *t)
{
	relay_destroy(t->relay);
	cli_conversion_deinit(&t->conversion);
}

int through_pass(void *ctx, const uint8_t *data, size_t len, struct iovec ret[TRANSPORT_PIECES], size_t *ret_n,
		 struct irqs_error *reterr)
{
	struct through *t = ctx;

	_Static_assert(RELAY_PIECES <= TRANSPORT_PIECES, "what the relay gives out goes on");
	if (len)
		return relay_feed(t->relay, data, len, ret, ret_n, reterr);
	return relay_end(t->relay, ret, ret_n, reterr);
}

/* ---- from a pipe into a pipe ---- */

static bool is_file(const char *path, int standard)
{
	struct stat st;

	if (strcmp(path, "-") ? stat(path, &st) : fstat(standard, &st))
		return true; /* will be one */
	return S_ISREG(st.st_mode) || S_ISDIR(st.st_mode);
}

bool through_is_wanted(const char *input, const char *output)
{
	return !is_file(input, STDIN_FILENO) && !is_file(output, STDOUT_FILENO);
}

static int carry(struct through *t, int in, int out, const char *input, const char *output)
{
	const struct transport_way way = {
		.in = in,
		.out = out,
		.out_name = output,
		.pass = through_pass,
		.ctx = t,
	};
	struct transport *transport;
	struct irqs_error err = { 0 };
	int rc = transport_create(&transport, NULL, &err);

	if (!rc) {
		rc = transport_add(transport, &way, NULL, &err);
		if (!rc)
			rc = transport_run(transport, -1, &err);
		transport_destroy(transport);
	}
	return rc ? cli_fail(&err, input) : IRQS_DONE;
}

int through_carry(struct through *t, const char *input, const char *output)
{
	struct irqs_error err = { 0 };
	struct output out;
	int in = cli_open_file(input, &err), rc, status;

	if (in < 0)
		return cli_fail(&err, input);
	rc = output_open(&out, output, 0600, &err);
	if (rc) {
		cli_close_file(in);
		return cli_fail(&err, NULL);
	}
	status = carry(t, in, out.fd, input, output);
	cli_close_file(in);
	if (status)
		output_abort(&out);
	else if (output_commit(&out, &err))
		status = cli_fail(&err, NULL);
	return status;
}

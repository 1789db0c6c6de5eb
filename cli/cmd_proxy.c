/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/proxy_events.h"
#include "cli/through.h"
#include "stream/address.h"
#include "stream/proxy.h"

struct options {
	struct cli_conversion_options conversion;
	const char *listen, *connect;
	bool json, once;
};

/* Return: -1 to go on, else the exit status. */
static int check(const struct options *o, int left)
{
	struct irqs_error err = { 0 };

	if (!o->listen || !o->connect)
		return cli_usage(&cmd_proxy, "--%s is missing", o->listen ? "connect" : "listen");
	if (!o->conversion.to)
		return cli_usage(&cmd_proxy, "--to is missing");
	if (left)
		return cli_usage(&cmd_proxy, "it takes no files");
	if (address_check(o->listen, &err) || address_check(o->connect, &err))
		return cli_fail(&err, NULL);
	return -1;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "listen", required_argument, NULL, 'L' },
		{ "connect", required_argument, NULL, 'C' },
		CLI_CONVERSION_OPTIONS,
		CLI_TSC_KHZ_OPTION,
		CLI_REPORT_OPTIONS,
		{ "json", no_argument, NULL, 'j' },
		{ "once", no_argument, NULL, '1' },
		{ 0 },
	};
	int c, status;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":v", longs, NULL)) >= 0) {
		switch (c) {
		case 'L':
			o->listen = optarg;
			break;
		case 'C':
			o->connect = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case '1':
			o->once = true;
			break;
		default:
			status = cli_conversion_option(&cmd_proxy, c, argc, argv, &o->conversion);
			if (status >= 0)
				return status;
		}
	}
	return check(o, argc - optind);
}

/* ---- one migration ---- */

struct session {
	const struct options *o;
	struct proxy_events events;
	struct through through;
	int listening, cancel;
};

static void on_status(void *ctx, const struct proxy_status *status)
{
	struct session *s = ctx;

	proxy_events_status(&s->events, status);
}

static int tell_report(struct session *s)
{
	const struct cli_conversion *c = &s->through.conversion;

	if (!s->through.converted)
		return IRQS_DONE;
	proxy_events_converted(&s->events, c);
	return cli_tell_report(c, &s->o->conversion);
}

static int carry(struct session *s, int source)
{
	struct proxy_options opt = {
		.source = source,
		.listening = s->listening,
		.cancel = s->cancel,
		.relay = s->through.relay,
		.status = on_status,
		.ctx = s,
	};
	struct irqs_error err = { 0 };
	int rc, status;

	opt.destination = address_connect(s->o->connect, &err);
	rc = opt.destination < 0 ? opt.destination : 0;
	if (!rc) {
		proxy_events_connected(&s->events);
		rc = proxy_run(&opt, &err);
	}
	status = tell_report(s);
	proxy_events_end(&s->events, rc ? &err : NULL);
	if (opt.destination >= 0)
		close(opt.destination);
	return rc ? (int)err.status : status;
}

/* Return: the exit status of this migration. */
static int serve(struct session *s, int source)
{
	int status = through_init(&s->through, &s->o->conversion, NULL, 0, true);

	if (status)
		return status;
	proxy_events_begin(&s->events, s->o->json);
	status = carry(s, source);
	through_deinit(&s->through);
	return status;
}

/* ---- one after the other ---- */

/* Return: a connection, -ECANCELED, -errno. */
static int wait_for_source(const struct session *s, struct irqs_error *reterr)
{
	struct pollfd fds[] = { { .fd = s->listening, .events = POLLIN }, { .fd = s->cancel, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0)
		if (errno != EINTR)
			return irqs_fail_errno(reterr, errno, "poll");
	return fds[1].revents ? -ECANCELED : address_accept(s->listening, reterr);
}

static int serve_all(struct session *s)
{
	int status;

	do {
		struct irqs_error err = { 0 };
		int source = wait_for_source(s, &err);

		if (source == -ECANCELED)
			return IRQS_DONE;
		if (source < 0)
			return cli_fail(&err, s->o->listen);
		status = serve(s, source);
		close(source);
	} while (!s->o->once);
	return status;
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int listen_and_serve(const struct options *o)
{
	struct session s = { .o = o };
	struct irqs_error err = { 0 };
	int status;

	status = cli_conversion_check(&o->conversion, NULL);
	if (status)
		return status;
	s.listening = address_listen(o->listen, &err);
	if (s.listening < 0)
		return cli_fail(&err, NULL);
	s.cancel = open_signals();
	proxy_events_listening(s.listening, o->json);
	status = serve_all(&s);
	close(s.listening);
	address_forget(o->listen);
	if (s.cancel >= 0)
		close(s.cancel);
	return status;
}

static int run(int argc, char **argv)
{
	struct options o = { 0 };
	int status = parse(argc, argv, &o);

	if (status < 0)
		status = listen_and_serve(&o);
	free(o.conversion.filters);
	return status;
}

const struct cli_command cmd_proxy = {
	.name = "proxy",
	.run = run,
	.usage = "--listen A --connect B --to P [OPTION]...",
	.summary = "convert a live migration between two QEMUs on its way",
	.help = "  --listen A      where the source's 'migrate' command goes: unix:PATH or tcp:HOST:PORT\n"
		"  --connect B     where the destination's '-incoming' listens, likewise\n"
		"  --once          leave after one migration, with its exit status\n"
		"  --json          print events as JSON, one in a line\n" CLI_CONVERSION_HELP CLI_TSC_KHZ_HELP CLI_REPORT_HELP,
};

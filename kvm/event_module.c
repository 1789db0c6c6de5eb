/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/event_module.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kvm/netlink.h"
#include "kvm/procfs_priv.h"

struct module {
	struct event_source source; /* first */
	struct kvm_netlink *nl;
	uint64_t missed; /* that were told */
	bool ended;
};

static int read_events(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr)
{
	struct module *m = (struct module *)s;
	struct kvm_netlink_events got;
	int rc;

	if (m->ended)
		return -ENODATA;
	rc = kvm_netlink_receive(m->nl, timeout_ms, &got, reterr);
	if (rc)
		return rc == -EINTR ? 0 : rc;
	ret->events = got.events;
	ret->count = got.n;
	ret->lost = got.missed - m->missed;
	m->missed = got.missed;
	m->ended = got.ended;
	return 0;
}

static int stop(struct event_source *s, struct irqs_error *reterr)
{
	struct module *m = (struct module *)s;

	return m->ended ? 0 : kvm_netlink_unsubscribe(m->nl, reterr);
}

static void close_module(struct event_source *s)
{
	struct module *m = (struct module *)s;

	kvm_netlink_close(m->nl);
	free(m);
}

/* As near to what was asked for as the module goes. */
static uint32_t buffer_of(const struct event_scope *scope)
{
	if (scope->buffer > IRQSHIFT_BUFFER_MAX)
		return IRQSHIFT_BUFFER_MAX;
	return scope->buffer && scope->buffer < IRQSHIFT_BUFFER_MIN ? IRQSHIFT_BUFFER_MIN : scope->buffer;
}

static int subscribe(struct module *m, const struct event_scope *scope, struct irqs_error *reterr)
{
	struct kvm_netlink_subscription what = { .mem_fd = -1, .buffer = buffer_of(scope) };
	struct kvm_netlink_info info;
	int rc = kvm_netlink_info(m->nl, &info, reterr);

	if (rc)
		return rc;
	if (!(info.features & IRQSHIFT_FEATURE_EVENTS))
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "the module finds no events of KVM: is KVM's module loaded?");
	m->source.there = info.events & IRQ_EVENTS_ALL;
	if (!scope->all) {
		what.mem_fd = procfs_memory(scope->pid);
		if (what.mem_fd < 0)
			return irqs_fail_errno(reterr, -what.mem_fd, "process %d", (int)scope->pid);
	}
	rc = kvm_netlink_subscribe(m->nl, &what, reterr);
	if (what.mem_fd >= 0)
		close(what.mem_fd);
	return rc;
}

int module_open(const struct event_scope *scope, struct event_source **ret, struct irqs_error *reterr)
{
	static const struct event_source_ops ops = { .read = read_events, .stop = stop, .close = close_module };
	struct module *m;
	int rc;

	if (scope->ntasks)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "the module shows a process or everything, not single tasks");
	m = calloc(1, sizeof(*m));
	if (!m)
		return irqs_fail_nomem(reterr);
	m->source = (struct event_source){
		.ops = &ops,
		.name = "module",
		.less = scope->all ? "events of other VMs are shown as well" : "what the host's interrupts raise for the VM is not shown",
	};
	rc = kvm_netlink_open(&m->nl, reterr);
	if (!rc)
		rc = subscribe(m, scope, reterr);
	if (rc) {
		close_module(&m->source);
		return rc;
	}
	*ret = &m->source;
	return 0;
}

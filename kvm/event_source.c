/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/event_source.h"

int event_source_read(struct event_source *s, int timeout_ms, struct event_batch *ret, struct irqs_error *reterr)
{
	*ret = (struct event_batch){ .events = NULL };
	return s->ops->read(s, timeout_ms, ret, reterr);
}

int event_source_stop(struct event_source *s, struct irqs_error *reterr)
{
	return s->ops->stop ? s->ops->stop(s, reterr) : 0;
}

void event_source_close(struct event_source *s)
{
	if (s)
		s->ops->close(s);
}

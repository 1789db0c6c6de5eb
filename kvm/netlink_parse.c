/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/netlink_priv.h"

#include <errno.h>
#include <limits.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#define U32                                               \
	{                                                 \
		.type = NLA_U32, .minlen = 4, .maxlen = 4 \
	}
#define U64                                               \
	{                                                 \
		.type = NLA_U64, .minlen = 8, .maxlen = 8 \
	}

static const struct nla_policy policy[IRQSHIFT_A_COUNT] = {
	[IRQSHIFT_A_ABI] = U32,
	[IRQSHIFT_A_FEATURES] = U32,
	[IRQSHIFT_A_EVENTS] = U64,
	[IRQSHIFT_A_PID] = U32,
	[IRQSHIFT_A_VM_FD] = U32,
	[IRQSHIFT_A_IRQCHIP] = U32,
	[IRQSHIFT_A_VCPU] = { .type = NLA_NESTED },
	[IRQSHIFT_A_VCPU_ID] = U32,
	[IRQSHIFT_A_VCPU_FD] = U32,
	[IRQSHIFT_A_ENTRY] = { .type = NLA_NESTED },
	[IRQSHIFT_A_COMMAND] = U32,
	[IRQSHIFT_A_RESULT] = U32,
	[IRQSHIFT_A_SEQ] = U64,
	[IRQSHIFT_A_DROPPED] = U64,
};

int netlink_command(struct nlmsghdr *hdr)
{
	if (hdr->nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
		return -EBADMSG;
	return genlmsg_hdr(hdr)->cmd;
}

static int parse(struct nlmsghdr *hdr, struct nlattr **attrs)
{
	if (netlink_command(hdr) < 0 || genlmsg_parse(hdr, 0, attrs, IRQSHIFT_A_COUNT - 1, policy) < 0)
		return -EBADMSG;
	return 0;
}

static int parse_nested(struct nlattr *nest, struct nlattr **attrs)
{
	return nla_parse_nested(attrs, IRQSHIFT_A_COUNT - 1, nest, policy) < 0 ? -EBADMSG : 0;
}

/* A walk over the attributes of a message. */
struct walk {
	struct nlattr *at;
	int left;
};

static struct walk walk_of(struct nlmsghdr *hdr)
{
	return (struct walk){ genlmsg_attrdata(genlmsg_hdr(hdr), 0), genlmsg_attrlen(genlmsg_hdr(hdr), 0) };
}

/* The next one of a type, or NULL. */
static struct nlattr *next_of(struct walk *w, int type)
{
	while (nla_ok(w->at, w->left)) {
		struct nlattr *a = w->at;

		w->at = nla_next(a, &w->left);
		if (nla_type(a) == type)
			return a;
	}
	return NULL;
}

int netlink_parse_info(struct nlmsghdr *hdr, struct kvm_netlink_info *ret)
{
	struct nlattr *a[IRQSHIFT_A_COUNT];

	if (parse(hdr, a) || !a[IRQSHIFT_A_ABI] || !a[IRQSHIFT_A_FEATURES] || !a[IRQSHIFT_A_EVENTS])
		return -EBADMSG;
	*ret = (struct kvm_netlink_info){
		.abi = nla_get_u32(a[IRQSHIFT_A_ABI]),
		.features = nla_get_u32(a[IRQSHIFT_A_FEATURES]),
		.events = nla_get_u64(a[IRQSHIFT_A_EVENTS]),
	};
	return 0;
}

/* Return: what is no number of a descriptor or a process is -1. */
static int number(const struct nlattr *a)
{
	uint32_t n = a ? nla_get_u32(a) : UINT32_MAX;

	return n > INT_MAX ? -1 : (int)n;
}

static int parse_vcpu(struct nlattr *nest, struct kvm_netlink_vcpu *ret)
{
	struct nlattr *a[IRQSHIFT_A_COUNT];

	if (parse_nested(nest, a) || !a[IRQSHIFT_A_VCPU_ID] || number(a[IRQSHIFT_A_VCPU_FD]) < 0)
		return -EBADMSG;
	ret->id = nla_get_u32(a[IRQSHIFT_A_VCPU_ID]);
	ret->fd = number(a[IRQSHIFT_A_VCPU_FD]);
	return 0;
}

static int parse_vcpus(struct nlmsghdr *hdr, struct kvm_netlink_vm *vm)
{
	struct walk w = walk_of(hdr);
	struct nlattr *nest;
	unsigned int n = 0;
	int rc = 0;

	while (next_of(&w, IRQSHIFT_A_VCPU))
		n++;
	vm->vcpus = calloc(n + 1, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return -ENOMEM;
	w = walk_of(hdr);
	while (!rc && (nest = next_of(&w, IRQSHIFT_A_VCPU)))
		rc = parse_vcpu(nest, &vm->vcpus[vm->nvcpus++]);
	if (rc)
		free(vm->vcpus);
	return rc;
}

static int mode_of(const struct nlattr *a, enum irqchip_mode *ret)
{
	static const enum irqchip_mode modes[] = {
		[IRQSHIFT_IRQCHIP_NONE] = IRQCHIP_NONE,
		[IRQSHIFT_IRQCHIP_KERNEL] = IRQCHIP_FULL,
		[IRQSHIFT_IRQCHIP_SPLIT] = IRQCHIP_SPLIT,
	};
	int n = number(a);

	if (n < 0 || n > IRQSHIFT_IRQCHIP_SPLIT)
		return -EBADMSG;
	*ret = modes[n];
	return 0;
}

/* The message before said that this one goes on with the vCPUs of the same VM. */
static bool same_head(const struct netlink_listing *l, const struct kvm_netlink_vm *vm)
{
	const struct kvm_netlink_vm *last = &l->vms.vms[l->vms.nvms - 1];

	return last->pid == vm->pid && last->fd == vm->fd && last->mode == vm->mode;
}

static int add_vcpus(struct kvm_netlink_vm *to, const struct kvm_netlink_vm *from)
{
	struct kvm_netlink_vcpu *more = realloc(to->vcpus, (to->nvcpus + from->nvcpus + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	memcpy(more + to->nvcpus, from->vcpus, from->nvcpus * sizeof(*more));
	to->vcpus = more;
	to->nvcpus += from->nvcpus;
	free(from->vcpus);
	return 0;
}

static int add_vm(struct kvm_netlink_vms *vms, const struct kvm_netlink_vm *vm)
{
	struct kvm_netlink_vm *more = realloc(vms->vms, (vms->nvms + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	vms->vms = more;
	vms->vms[vms->nvms++] = *vm;
	return 0;
}

int netlink_parse_vm(struct nlmsghdr *hdr, struct netlink_listing *l)
{
	struct nlattr *a[IRQSHIFT_A_COUNT];
	struct kvm_netlink_vm vm = { 0 };
	int rc;

	if (parse(hdr, a) || number(a[IRQSHIFT_A_PID]) < 0 || (a[IRQSHIFT_A_VM_FD] && number(a[IRQSHIFT_A_VM_FD]) < 0) ||
	    mode_of(a[IRQSHIFT_A_IRQCHIP], &vm.mode))
		return -EBADMSG;
	vm.pid = number(a[IRQSHIFT_A_PID]);
	vm.fd = number(a[IRQSHIFT_A_VM_FD]);
	if (l->more && !same_head(l, &vm))
		return -EBADMSG;
	rc = parse_vcpus(hdr, &vm);
	if (rc)
		return rc;
	rc = l->more ? add_vcpus(&l->vms.vms[l->vms.nvms - 1], &vm) : add_vm(&l->vms, &vm);
	if (rc)
		free(vm.vcpus);
	else
		l->more = a[IRQSHIFT_A_MORE];
	return rc;
}

void kvm_netlink_vms_deinit(struct kvm_netlink_vms *vms)
{
	for (unsigned int i = 0; i < vms->nvms; i++)
		free(vms->vms[i].vcpus);
	free(vms->vms);
	*vms = (struct kvm_netlink_vms){ 0 };
}

static int parse_entry(struct nlattr *nest, struct kvm_port_call *c)
{
	struct nlattr *a[IRQSHIFT_A_COUNT], *data;
	int32_t result;

	if (parse_nested(nest, a) || !a[IRQSHIFT_A_COMMAND] || !a[IRQSHIFT_A_RESULT] ||
	    nla_get_u32(a[IRQSHIFT_A_COMMAND]) != (uint32_t)c->request)
		return -EBADMSG;
	result = (int32_t)nla_get_u32(a[IRQSHIFT_A_RESULT]);
	data = a[IRQSHIFT_A_DATA];
	if (result >= 0 && c->size) {
		if (!data || (size_t)nla_len(data) != c->size)
			return -EBADMSG;
		memcpy(c->arg, nla_data(data), c->size);
	}
	c->result = result;
	return 0;
}

int netlink_parse_state(struct nlmsghdr *hdr, struct kvm_port_call *calls, size_t n)
{
	struct nlattr *a[IRQSHIFT_A_COUNT], *nest;
	struct walk w;
	size_t at = 0;
	int rc;

	if (parse(hdr, a))
		return -EBADMSG;
	w = walk_of(hdr);
	while ((nest = next_of(&w, IRQSHIFT_A_ENTRY))) {
		rc = at < n ? parse_entry(nest, &calls[at++]) : -EBADMSG;
		if (rc)
			return rc;
	}
	return at == n ? 0 : -EBADMSG;
}

const char *netlink_error_text(const struct nlmsghdr *hdr)
{
	const struct nlmsgerr *e = nlmsg_data(hdr);
	size_t size = sizeof(*e), all = nlmsg_datalen(hdr) > 0 ? (size_t)nlmsg_datalen(hdr) : 0;
	struct nlattr *a;
	int left;

	if (all < size || !(hdr->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* Behind what it is an answer to, of which the head is in the struct. */
	if (!(hdr->nlmsg_flags & NLM_F_CAPPED)) {
		if (e->msg.nlmsg_len < NLMSG_HDRLEN || e->msg.nlmsg_len - NLMSG_HDRLEN > all - size)
			return NULL;
		size += NLMSG_ALIGN(e->msg.nlmsg_len - NLMSG_HDRLEN);
	}
	if (size >= all)
		return NULL;
	left = (int)(all - size);
	a = nla_find((struct nlattr *)((char *)e + size), left, NLMSGERR_ATTR_MSG);
	return a && nla_len(a) > 0 && memchr(nla_data(a), 0, (size_t)nla_len(a)) ? nla_data(a) : NULL;
}

static int make_room(struct netlink_inbox *in, size_t n)
{
	size_t room = in->room ? in->room : 256;
	struct irqshift_event *more;

	while (room < in->n + n)
		room *= 2;
	if (room == in->room)
		return 0;
	more = realloc(in->events, room * sizeof(*more));
	if (!more)
		return -ENOMEM;
	in->events = more;
	in->room = room;
	return 0;
}

static struct netlink_stream *stream_of(struct netlink_inbox *in, uint32_t port)
{
	for (unsigned int i = 0; i < in->nstreams; i++)
		if (in->streams[i].port == port)
			return &in->streams[i];
	return NULL;
}

/* Of a subscription of somebody else, what was before its first message here is not missed. */
static void begin(struct netlink_inbox *in, struct netlink_stream *s, uint32_t port, uint64_t seq, uint64_t dropped)
{
	*s = port == in->own ? (struct netlink_stream){ .port = port } : (struct netlink_stream){ port, seq, dropped };
}

/* Where there is no room, one is forgotten whose end this socket has missed, or that is heard again. */
static struct netlink_stream *make(struct netlink_inbox *in)
{
	struct netlink_stream *s;

	if (in->nstreams < NETLINK_STREAMS_MAX)
		return &in->streams[in->nstreams++];
	do
		s = &in->streams[in->forgotten++ % NETLINK_STREAMS_MAX];
	while (s->port == in->own);
	return s;
}

static bool goes_back(const struct netlink_stream *s, uint64_t seq, uint64_t dropped)
{
	return seq < s->next || dropped < s->dropped;
}

/* What somebody else's port says is another subscription when it goes back: the end of the one before was missed. */
static struct netlink_stream *stream_for(struct netlink_inbox *in, uint32_t port, uint64_t seq, uint64_t dropped)
{
	struct netlink_stream *s = stream_of(in, port);

	if (s && (port == in->own || !goes_back(s, seq, dropped)))
		return s;
	if (!s)
		s = make(in);
	begin(in, s, port, seq, dropped);
	return s;
}

static void end(struct netlink_inbox *in, struct netlink_stream *s)
{
	in->ended = in->ended || s->port == in->own;
	*s = in->streams[--in->nstreams];
}

static void note_hole(struct netlink_inbox *in, uint64_t n)
{
	struct netlink_hole *last = in->nholes ? &in->holes[in->nholes - 1] : NULL;

	if (!n)
		return;
	in->missed += n;
	if (last && (last->at == in->n || in->nholes == NETLINK_HOLES_MAX))
		last->n += n;
	else
		in->holes[in->nholes++] = (struct netlink_hole){ in->n, n };
}

static int count(struct netlink_inbox *in, uint32_t port, uint64_t seq, uint64_t dropped, size_t n)
{
	struct netlink_stream *s;

	if (dropped > seq || seq > UINT64_MAX - n)
		return -EBADMSG;
	s = stream_for(in, port, seq, dropped);
	if (goes_back(s, seq, dropped))
		return -EBADMSG;
	note_hole(in, seq - s->next);
	in->received += n;
	in->dropped += dropped - s->dropped;
	s->next = seq + n;
	s->dropped = dropped;
	if (!n)
		end(in, s);
	return 0;
}

int netlink_parse_events(struct nlmsghdr *hdr, struct netlink_inbox *in)
{
	struct nlattr *a[IRQSHIFT_A_COUNT], *records;
	const struct irqshift_event *end;
	size_t size, n;
	int rc;

	if (parse(hdr, a) || !a[IRQSHIFT_A_SEQ] || !a[IRQSHIFT_A_DROPPED])
		return -EBADMSG;
	records = a[IRQSHIFT_A_RECORDS];
	size = records ? (size_t)nla_len(records) : 0;
	if (size % sizeof(*end))
		return -EBADMSG;
	n = size / sizeof(*end);
	rc = make_room(in, n);
	if (!rc)
		rc = count(in, hdr->nlmsg_pid, nla_get_u64(a[IRQSHIFT_A_SEQ]), nla_get_u64(a[IRQSHIFT_A_DROPPED]), n);
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct irqshift_event *e = &in->events[in->n];

		memcpy(e, (const char *)nla_data(records) + i * sizeof(*e), sizeof(*e));
		in->n += e->type < IRQSHIFT_EVENT_TYPES;
	}
	return 0;
}

void netlink_hand_out(struct netlink_inbox *in, struct kvm_netlink_events *ret)
{
	if (in->nholes && !in->holes[0].at) {
		in->told += in->holes[0].n;
		memmove(in->holes, in->holes + 1, --in->nholes * sizeof(in->holes[0]));
	}
	in->given = in->nholes ? in->holes[0].at : in->n;
	ret->events = in->events;
	ret->n = in->given;
	ret->received = in->received;
	ret->missed = in->told;
	ret->dropped = in->dropped;
	ret->ended = in->ended && in->given == in->n && !in->nholes;
}

void netlink_forget_given(struct netlink_inbox *in)
{
	if (!in->given)
		return;
	in->n -= in->given;
	memmove(in->events, in->events + in->given, in->n * sizeof(*in->events));
	for (unsigned int i = 0; i < in->nholes; i++)
		in->holes[i].at -= in->given;
	in->given = 0;
}

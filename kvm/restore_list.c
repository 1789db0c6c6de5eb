/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Steps as lists: for RESTORE_VCPUS at a time what is read, then what is written, up to the first that fails. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "apic/abi.h"
#include "kvm/restore_priv.h"

int restore_list(const struct kvm_restore *r, struct kvm_port_call *calls, size_t n, enum kvm_list_mode mode, const char *what,
		 struct irqs_error *reterr)
{
	kvm_list(r->port, calls, n, mode);
	for (size_t i = 0; i < n; i++)
		if (kvm_port_call_failed(&calls[i]))
			return irqs_fail_errno(reterr, -calls[i].result, "vcpu[%u]: %s", calls[i].vcpu, what);
	return 0;
}

unsigned int restore_some(const struct kvm_restore *r, unsigned int first)
{
	unsigned int left = r->state->nlapics - first;

	return left < RESTORE_VCPUS ? left : RESTORE_VCPUS;
}

/* ---- structures ---- */

struct room {
	struct kvm_port_call calls[RESTORE_VCPUS];
	unsigned char data[]; /* a structure for each */
};

static int change_some(const struct kvm_restore *r, const struct restore_change *c, unsigned int first, struct room *room,
		       struct irqs_error *reterr)
{
	unsigned int n = 0;
	int rc = 0;

	for (unsigned int i = first; i < first + restore_some(r, first); i++) {
		void *data = room->data + n * c->size;

		if (!c->wanted(r, i))
			continue;
		memset(data, 0, c->size);
		room->calls[n++] = (struct kvm_port_call){ KVM_TARGET_VCPU, i, c->get, data, c->size, 0 };
	}
	if (c->get)
		rc = restore_list(r, room->calls, n, KVM_LIST_ALL, c->get_name, reterr);
	if (rc)
		return rc;
	for (unsigned int i = 0; i < n; i++) {
		c->change(r, room->calls[i].vcpu, room->calls[i].arg);
		room->calls[i].request = c->set;
	}
	return restore_list(r, room->calls, n, KVM_LIST_UNTIL_FAILED, c->set_name, reterr);
}

int restore_change(const struct kvm_restore *r, const struct restore_change *c, struct irqs_error *reterr)
{
	struct room *room = malloc(sizeof(*room) + RESTORE_VCPUS * c->size);
	int rc = 0;

	if (!room)
		return irqs_fail_nomem(reterr);
	for (unsigned int first = 0; first < r->state->nlapics && !rc; first += RESTORE_VCPUS)
		rc = change_some(r, c, first, room, reterr);
	free(room);
	return rc;
}

/* ---- MSRs ---- */

struct one_msr {
	struct kvm_msrs head;
	struct kvm_msr_entry entry;
};

struct msr_room {
	struct kvm_port_call *calls;
	struct one_msr *msrs;
	const struct reg_row **rows; /* by call */
	unsigned int n;
};

static struct one_msr msr_of(const struct reg_row *row)
{
	return (struct one_msr){ .head.nmsrs = 1, .entry.index = row->abi_at };
}

static void add_msr(const struct kvm_restore *r, struct msr_room *room, unsigned int vcpu, const struct reg_row *row)
{
	const struct lapic_state *s = &r->state->lapics[vcpu];
	struct one_msr *m = &room->msrs[room->n];

	if (!reg_known(row, s, 0) || !kvm_probe_has_msr(r->probe, row))
		return;
	*m = msr_of(row);
	m->entry.data = reg_get(row, s, 0);
	room->rows[room->n] = row;
	room->calls[room->n++] = (struct kvm_port_call){ KVM_TARGET_VCPU, vcpu, KVM_SET_MSRS, m, sizeof(*m), 0 };
}

/* Some registers of a service that the VM cannot have refuse even the 0 that they read as. */
static bool has_msr_value(const struct kvm_restore *r, unsigned int vcpu, const struct reg_row *row)
{
	struct one_msr m = msr_of(row);

	return kvm_vcpu(r->port, vcpu, KVM_GET_MSRS, &m, sizeof(m)) == 1 && m.entry.data == reg_get(row, &r->state->lapics[vcpu], 0);
}

/* One that need not be written is passed by. */
static int put_msrs(const struct kvm_restore *r, const struct msr_room *room, struct irqs_error *reterr)
{
	unsigned int at = 0;

	while (at < room->n) {
		const struct kvm_port_call *c;

		kvm_list(r->port, room->calls + at, room->n - at, KVM_LIST_UNTIL_FAILED);
		while (at < room->n && !kvm_port_call_failed(&room->calls[at]))
			at++;
		if (at == room->n)
			break;
		c = &room->calls[at];
		if (!has_msr_value(r, c->vcpu, room->rows[at]))
			return irqs_fail_errno(reterr, c->result < 0 ? -c->result : EINVAL, "vcpu[%u]: KVM_SET_MSRS 0x%x (%s)",
					       c->vcpu, room->rows[at]->abi_at, room->rows[at]->name);
		at++;
	}
	return 0;
}

int restore_put_msrs(const struct kvm_restore *r, const struct reg_row *const *rows, unsigned int nrows,
		     struct irqs_error *reterr)
{
	size_t n = (size_t)RESTORE_VCPUS * nrows;
	struct msr_room room = { 0 };
	int rc = 0;

	room.calls = malloc(n * (sizeof(*room.calls) + sizeof(*room.msrs) + sizeof(*room.rows)) + 1);
	if (!room.calls)
		return irqs_fail_nomem(reterr);
	room.msrs = (struct one_msr *)(room.calls + n);
	room.rows = (const struct reg_row **)(room.msrs + n);
	for (unsigned int first = 0; first < r->state->nlapics && !rc; first += RESTORE_VCPUS) {
		room.n = 0;
		for (unsigned int i = first; i < first + restore_some(r, first); i++)
			for (unsigned int row = 0; row < nrows; row++)
				add_msr(r, &room, i, rows[row]);
		rc = put_msrs(r, &room, reterr);
	}
	free(room.calls);
	return rc;
}

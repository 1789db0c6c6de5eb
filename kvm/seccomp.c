/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classic BPF as seccomp(2) allows it: Documentation/networking/filter.rst, Documentation/userspace-api/seccomp_filter.rst. */
#include "kvm/seccomp_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#ifndef PTRACE_SECCOMP_GET_FILTER
#define PTRACE_SECCOMP_GET_FILTER 0x420c
#endif

struct machine {
	uint32_t a, x, m[BPF_MEMWORDS];
};

int seccomp_read(pid_t tid, struct seccomp_filters *ret)
{
	struct seccomp_filters filters = { 0 };

	for (;;) {
		long len = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (long)filters.n, NULL);
		struct sock_fprog *more;

		if (len < 0 && errno == ENOENT)
			break;
		if (len < 0)
			goto fail;
		more = realloc(filters.programs, (filters.n + 1) * sizeof(*more));
		if (!more)
			goto fail;
		filters.programs = more;
		more += filters.n;
		more->len = (unsigned short)len;
		more->filter = calloc((size_t)len + 1, sizeof(*more->filter));
		if (!more->filter)
			goto fail;
		filters.n++;
		if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, (long)filters.n - 1, more->filter) != len)
			goto fail;
	}
	*ret = filters;
	return 0;
fail:
	seccomp_deinit(&filters);
	return errno ? -errno : -EIO;
}

static uint32_t alu(const struct sock_filter *insn, const struct machine *m)
{
	uint32_t b = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		return m->a + b;
	case BPF_SUB:
		return m->a - b;
	case BPF_MUL:
		return m->a * b;
	case BPF_DIV:
		return b ? m->a / b : 0;
	case BPF_OR:
		return m->a | b;
	case BPF_AND:
		return m->a & b;
	case BPF_XOR:
		return m->a ^ b;
	case BPF_LSH:
		return m->a << (b & 31);
	case BPF_RSH:
		return m->a >> (b & 31);
	default:
		return 0 - m->a; /* BPF_NEG */
	}
}

/* Return: how many instructions are left out. */
static uint32_t jump(const struct sock_filter *insn, const struct machine *m)
{
	uint32_t b = BPF_SRC(insn->code) == BPF_X ? m->x : insn->k;
	bool taken;

	switch (BPF_OP(insn->code)) {
	case BPF_JA:
		return insn->k;
	case BPF_JEQ:
		taken = m->a == b;
		break;
	case BPF_JGT:
		taken = m->a > b;
		break;
	case BPF_JGE:
		taken = m->a >= b;
		break;
	default:
		taken = m->a & b; /* BPF_JSET */
		break;
	}
	return taken ? insn->jt : insn->jf;
}

/* What both load instructions can take. Return: whether it is one that seccomp knows. */
static bool load(const struct sock_filter *insn, const struct machine *m, const struct seccomp_data *data, uint32_t *to)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		*to = insn->k;
		return true;
	case BPF_MEM:
		*to = m->m[insn->k % BPF_MEMWORDS];
		return true;
	case BPF_LEN:
		*to = sizeof(*data);
		return true;
	case BPF_ABS:
		if (insn->k > sizeof(*data) - sizeof(*to))
			return false;
		memcpy(to, (const char *)data + insn->k, sizeof(*to));
		return true;
	default:
		return false;
	}
}

uint32_t seccomp_run(const struct sock_fprog *program, const struct seccomp_data *data)
{
	struct machine m = { 0 };

	for (uint32_t pc = 0; pc < program->len; pc++) {
		const struct sock_filter *insn = &program->filter[pc];

		switch (BPF_CLASS(insn->code)) {
		case BPF_LD:
			if (!load(insn, &m, data, &m.a))
				return SECCOMP_RET_KILL_PROCESS;
			break;
		case BPF_LDX:
			if (!load(insn, &m, data, &m.x))
				return SECCOMP_RET_KILL_PROCESS;
			break;
		case BPF_ST:
			m.m[insn->k % BPF_MEMWORDS] = m.a;
			break;
		case BPF_STX:
			m.m[insn->k % BPF_MEMWORDS] = m.x;
			break;
		case BPF_ALU:
			m.a = alu(insn, &m);
			break;
		case BPF_JMP:
			pc += jump(insn, &m);
			break;
		case BPF_RET:
			return BPF_RVAL(insn->code) == BPF_A ? m.a : insn->k;
		default:
			if (BPF_MISCOP(insn->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
	}
	return SECCOMP_RET_KILL_PROCESS;
}

bool seccomp_allows(const struct seccomp_filters *filters, const struct seccomp_data *data)
{
	for (unsigned int i = 0; i < filters->n; i++) {
		uint32_t action = seccomp_run(&filters->programs[i], data) & SECCOMP_RET_ACTION_FULL;

		if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_LOG)
			return false;
	}
	return true;
}

void seccomp_deinit(struct seccomp_filters *filters)
{
	for (unsigned int i = 0; i < filters->n; i++)
		free(filters->programs[i].filter);
	free(filters->programs);
	memset(filters, 0, sizeof(*filters));
}

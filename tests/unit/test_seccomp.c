/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Filters run here return what the kernel makes of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kvm/seccomp_priv.h"

#define PROGRAMS 300
#define LENGTH 12
#define FIRST 4

/* Only what the kernel's checker lets through: memory words are written before they are read. */
static void random_program(struct sock_filter *insn)
{
	static const uint16_t alu[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH, BPF_NEG };
	static const uint16_t jumps[] = { BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET };
	const struct sock_filter start[FIRST] = {
		BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, (uint32_t)rand()),
		BPF_STMT(BPF_STX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_STMT(BPF_ST, 1),
	};

	for (int i = 0; i < LENGTH; i++) {
		struct sock_filter *to = &insn[i];
		uint16_t source = rand() % 2 ? BPF_K : BPF_X;
		unsigned int room = (unsigned int)(LENGTH - i);

		switch (i < FIRST ? 9 : rand() % 7) {
		case 0:
			*to = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4u * (uint32_t)(rand() % 16));
			break;
		case 1:
			*to = (struct sock_filter)BPF_STMT((rand() % 2 ? BPF_LD : BPF_LDX) | BPF_W | BPF_MEM, (uint32_t)(rand() % 2));
			break;
		case 2:
			*to = (struct sock_filter)BPF_STMT(BPF_MISC | (rand() % 2 ? BPF_TAX : BPF_TXA), 0);
			break;
		case 3:
			*to = (struct sock_filter)BPF_JUMP(BPF_JMP | jumps[rand() % 4] | source, (uint32_t)(rand() % 64),
							   (uint8_t)((unsigned int)rand() % room), (uint8_t)((unsigned int)rand() % room));
			break;
		case 9:
			*to = start[i];
			break;
		default:
			/* Shifts must be below 32, divisors not 0. */
			*to = (struct sock_filter)BPF_STMT(BPF_ALU | alu[rand() % 10] | BPF_K, 1u + (uint32_t)(rand() % 31));
			if (BPF_OP(to->code) < BPF_DIV || BPF_OP(to->code) == BPF_XOR)
				to->code |= source;
			break;
		}
	}
	/* Errors 0 to 255 are visible in an exit status. */
	insn[LENGTH] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff);
	insn[LENGTH + 1] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
	insn[LENGTH + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
}

static int by_kernel(const struct sock_fprog *program)
{
	/* tee(2) is the question; all else goes on. */
	struct sock_filter first[LENGTH + 6] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_tee, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog whole = { (unsigned short)(program->len + 3), first };
	pid_t pid;
	int status = -1;

	for (unsigned int i = 0; i < program->len; i++)
		first[3 + i] = program->filter[i];
	pid = fork();
	if (!pid) {
		long rc;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole))
			_exit(254);
		rc = syscall(SYS_tee, 5, 0x123456789abcdef0, 7, 3);
		_exit(rc < 0 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(seccomp, a_filter_returns_what_the_kernel_returns_for_it)
{
	unsigned int seed = (unsigned int)time(NULL), same_as_first = 0;
	struct seccomp_data data = { SYS_tee, AUDIT_ARCH_X86_64, 0, { 5, 0x123456789abcdef0, 7, 3 } };
	uint32_t first = 0;

	srand(seed);
	for (int n = 0; n < PROGRAMS; n++) {
		struct sock_filter insn[LENGTH + 3];
		struct sock_fprog program = { LENGTH + 3, insn };
		uint32_t got;

		random_program(insn);
		/* What the kernel has in the address and in the last two arguments is not known here. */
		for (int i = 0; i < LENGTH; i++)
			if (insn[i].code == (BPF_LD | BPF_W | BPF_ABS) && (insn[i].k == 8 || insn[i].k == 12 || insn[i].k >= 48))
				insn[i].k = 4;
		got = seccomp_run(&program, &data);
		cr_assert_eq((int)(got & SECCOMP_RET_DATA), by_kernel(&program), "program %d of seed %u: %u", n, seed, got & 0xff);
		first = n ? first : got;
		same_as_first += got == first;
	}
	cr_expect_lt(same_as_first, PROGRAMS / 2, "the programs say nothing");
}

Test(seccomp, the_strictest_of_several_filters_counts)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW), log = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_LOG);
	struct sock_filter others[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_THREAD),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0xffffffff), /* no end */
	};
	struct sock_fprog programs[] = { { 1, &allow }, { 1, &log }, { 1, NULL } };
	struct seccomp_filters filters = { programs, 2 };
	struct seccomp_data data = { 0 };

	cr_expect(seccomp_allows(&filters, &data));
	filters.n = 3;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		programs[2].filter = &others[i];
		cr_expect_not(seccomp_allows(&filters, &data), "%zu", i);
	}
}

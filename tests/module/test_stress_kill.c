/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* VMs and clients that die in the midst of everything leave nothing behind. Roles: root. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "busy_vm.h"
#include "client.h"
#include "lab.h"

/* What may be held more than after the first quarter of the kills: caches of the kernel that go on filling. */
#define GROWTH_KB 4096

static struct busy_child *vm;
static struct client_tally *tallies;
static pid_t client;
static uint64_t seed;

static void make_bed(void)
{
	lab_have_module();
	lab_root_only();
	seed = lab_seed();
	vm = busy_child_new();
	tallies = client_tallies();
}

static void end_all(void)
{
	lab_kill(client);
	if (vm)
		lab_kill(vm->pid);
}

/* A VM and a client; either dies first, the other at once or a little later. */
static void one_life(void)
{
	enum client_kind kind = lab_below(&seed, CLIENT_KINDS);
	bool vm_first = lab_below(&seed, 2);

	cr_assert_eq(busy_child_start(vm, 1 + lab_below(&seed, 2)), 0);
	client = client_start(kind, vm, &tallies[kind]);
	cr_assert_gt(client, 0);
	/* mostly while they begin, which takes the longest */
	lab_sleep_us(lab_below(&seed, lab_below(&seed, 4) ? 60000 : 400000));
	lab_kill(vm_first ? vm->pid : client);
	lab_sleep_us(lab_below(&seed, 2) ? 0 : lab_below(&seed, 20000));
	lab_kill(vm_first ? client : vm->pid);
	client = vm->pid = 0;
}

static long held_kb(void)
{
	lab_sleep_us(500000);
	return lab_meminfo_kb("SUnreclaim") + lab_meminfo_kb("Percpu") + lab_meminfo_kb("VmallocUsed");
}

Test(stress_kill, vms_and_clients_are_killed_at_any_time, .init = make_bed, .fini = end_all, .timeout = 900)
{
	unsigned int lives = lab_count(200, 6);
	int irqshift = lab_references("irqshift"), kvm = lab_references("kvm");
	long before = 0, after;

	cr_assert_eq(irqshift, 0);
	for (unsigned int i = 0; i < lives; i++) {
		if (i == lives / 4)
			before = held_kb();
		one_life();
	}
	cr_expect_eq(lab_settled("irqshift", irqshift), irqshift);
	cr_expect_eq(lab_settled("kvm", kvm), kvm);
	after = held_kb();
	printf("seen %u lives, kernel memory %ld KB after a quarter, %ld KB at the end\n", lives, before, after);
	client_tell(tallies);
	for (unsigned int k = 0; k < CLIENT_KINDS && lives >= 10 * CLIENT_KINDS; k++)
		cr_expect_gt(tallies[k].done, 0, "%s", client_name(k));
	cr_expect_lt(after, before + GROWTH_KB);
}

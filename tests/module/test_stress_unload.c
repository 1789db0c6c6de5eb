/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The module goes and comes while it is in use, and so does KVM under it. Roles: root. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "busy_vm.h"
#include "client.h"
#include "genl.h"
#include "lab.h"

static struct busy_child *vm;
static struct client_tally *tallies;
static pid_t clients[CLIENT_KINDS];

static void start_clients(void)
{
	for (unsigned int k = 0; k < CLIENT_KINDS; k++)
		clients[k] = client_start(k, vm, &tallies[k]);
}

static void end_all(void)
{
	for (unsigned int k = 0; k < CLIENT_KINDS; k++)
		lab_kill(clients[k]);
	if (vm)
		lab_kill(vm->pid);
}

static void make_bed(void)
{
	lab_have_module();
	lab_root_only();
	vm = busy_child_new();
	tallies = client_tallies();
}

/* Who has the device open keeps the module for that long: tried until it goes; how often. */
static unsigned int unload_in_time(unsigned int cycle)
{
	for (unsigned int tries = 1; tries < 10000; tries++) {
		int rc = lab_unload("irqshift");

		if (!rc)
			return tries;
		cr_assert_eq(rc, -EWOULDBLOCK, "cycle %u: %s", cycle, strerror(-rc));
		lab_sleep_us(500);
	}
	for (unsigned int k = 0; k < CLIENT_KINDS; k++)
		client_where(k, clients[k]);
	client_tell(tallies);
	fflush(stdout);
	cr_assert_fail("cycle %u: the module does not go, references %d", cycle, lab_references("irqshift"));
	return 0;
}

static bool all_are_served(void)
{
	bool served = tallies[CLIENT_SUBSCRIBES].events && tallies[CLIENT_JOINS].events;

	for (unsigned int k = 0; k < CLIENT_KINDS; k++)
		served = served && tallies[k].done;
	return served;
}

/* At most 20 s. */
static void wait_until_all_are_served(void)
{
	for (unsigned int i = 0; i < 2000 && !all_are_served(); i++)
		lab_sleep_us(10000);
}

Test(stress_unload, the_module_goes_and_comes_under_a_guest_with_subscribers, .init = make_bed, .fini = end_all, .timeout = 600)
{
	unsigned int cycles = lab_count(100, 1), tries = 0;
	uint64_t seed = lab_seed(), before;
	int kvm = lab_references("kvm");

	cr_assert_eq(busy_child_start(vm, 2), 0);
	start_clients();
	wait_until_all_are_served();
	for (unsigned int i = 0; i < cycles; i++) {
		lab_sleep_us(20000 + lab_below(&seed, 60000));
		tries += unload_in_time(i);
		cr_assert_not(lab_loaded("irqshift"));
		lab_sleep_us(lab_below(&seed, 10000));
		cr_assert_eq(lab_load(lab_ko()), 0);
	}
	before = tallies[CLIENT_SUBSCRIBES].events;
	for (unsigned int i = 0; i < 2000 && tallies[CLIENT_SUBSCRIBES].events == before; i++)
		lab_sleep_us(10000);
	printf("seen %u cycles, %u tries to unload\n", cycles, tries);
	client_tell(tallies);
	end_all();
	cr_expect_geq(tallies[CLIENT_SUBSCRIBES].done, cycles / 2);
	cr_expect_gt(tallies[CLIENT_SUBSCRIBES].events, before, "the module that came back is heard");
	cr_expect(all_are_served());
	cr_expect_eq(lab_settled("irqshift", 0), 0);
	cr_expect_eq(lab_settled("kvm", kvm), kvm);
}

static void unload_kvm(void)
{
	cr_assert_eq(lab_settled("kvm_amd", 0), 0);
	cr_assert_eq(lab_unload("kvm_amd"), 0);
	cr_assert_eq(lab_settled("kvm", 0), 0, "who holds kvm.ko?");
	cr_assert_eq(lab_unload("kvm"), 0);
}

static void load_kvm(void)
{
	char *modules = strdup(getenv("IRQSHIFT_KVM_KOS")), *rest = NULL;

	for (char *m = strtok_r(modules, " ", &rest); m; m = strtok_r(NULL, " ", &rest))
		cr_assert_eq(lab_load(m), 0, "%s", m);
	free(modules);
}

Test(stress_unload, kvm_goes_and_comes_under_the_module, .init = make_bed, .fini = end_all, .timeout = 300)
{
	unsigned int cycles = lab_count(20, 1);
	uint64_t events = genl_events_there();

	cr_assert_neq(events, 0);
	clients[CLIENT_SUBSCRIBES] = client_start(CLIENT_SUBSCRIBES, vm, &tallies[CLIENT_SUBSCRIBES]);
	clients[CLIENT_LISTS] = client_start(CLIENT_LISTS, vm, &tallies[CLIENT_LISTS]);
	for (unsigned int i = 0; i < cycles; i++) {
		cr_assert_eq(busy_child_start(vm, 2), 0);
		lab_sleep_us(50000);
		lab_kill(vm->pid);
		vm->pid = 0;
		unload_kvm();
		cr_expect_eq(genl_events_there(), 0, "nothing to see without KVM");
		load_kvm();
		cr_expect_eq(genl_events_there(), events);
	}
	lab_kill(clients[CLIENT_SUBSCRIBES]);
	tallies[CLIENT_SUBSCRIBES].events = 0;
	clients[CLIENT_SUBSCRIBES] = client_start(CLIENT_SUBSCRIBES, vm, &tallies[CLIENT_SUBSCRIBES]);
	cr_assert_eq(busy_child_start(vm, 2), 0);
	for (unsigned int i = 0; i < 200 && !tallies[CLIENT_SUBSCRIBES].events; i++)
		lab_sleep_us(20000);
	printf("seen %u cycles\n", cycles);
	cr_expect_gt(tallies[CLIENT_SUBSCRIBES].events, 0, "a KVM that came back is heard");
}

Test(stress_unload, who_has_the_device_open_keeps_the_module, .init = make_bed, .fini = end_all)
{
	FILE *device = fopen("/dev/irqshift", "re");

	cr_assert_not_null(device);
	cr_expect_eq(lab_references("irqshift"), 1);
	cr_expect_eq(lab_unload("irqshift"), -EWOULDBLOCK);
	fclose(device);
	cr_expect_eq(lab_settled("irqshift", 0), 0);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest that was written for QEMU's test machines runs unchanged in the example VMM: in each mode, and while its
 * controllers are moved. It prints what it prints under QEMU (tests/qemu/test_devices_guest.c), to the letter.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "vm.h"

#define EXIT_STATUS (21 * 2 + 1)

static char text[16384], recorded[16384];

static void read_file(FILE *f, char *to)
{
	size_t used;

	cr_assert(f);
	used = fread(to, 1, sizeof(text) - 1, f);
	to[used] = '\0';
}

/* What vmm says itself goes to standard error, and is not compared. */
static int run(const char *options, const char *guest)
{
	const char *vmm = getenv("IRQSHIFT_VMM");
	char cmd[2048];
	FILE *f;
	int status;

	snprintf(cmd, sizeof(cmd),
		 "d=$(mktemp -d) && printf hello >$d/one && head -c 5000 /dev/zero | tr '\\0' a >$d/two && "
		 "timeout -k 5 100 '%s' %s --smp 2 --mem 32 --kernel '%s' --append 'one two=3' "
		 "--initrd \"$d/one a b,$d/two\"; status=$?; rm -rf $d; exit $status",
		 vmm ? vmm : "build/vmm", options, guest);
	f = popen(cmd, "r");
	read_file(f, text);
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_as_recorded(const char *options)
{
	const char *guest = getenv("IRQSHIFT_DEVICES_GUEST");
	FILE *f = fopen("tests/data/devices-guest.txt", "r");
	int status;

	vm_have_kvm();
	read_file(f, recorded);
	fclose(f);
	status = run(options, guest ? guest : "build/tests/guests/devices.elf");
	cr_expect(status == EXIT_STATUS, "%s: exit %d", options, status);
	cr_expect_str_eq(text, recorded, "%s: %s", options, text);
}

Test(devices_guest, runs_with_all_controllers_in_the_kernel)
{
	expect_as_recorded("--irqchip kernel");
}

Test(devices_guest, runs_with_a_split_irqchip)
{
	expect_as_recorded("--irqchip split");
}

Test(devices_guest, runs_with_all_controllers_emulated)
{
	expect_as_recorded("--irqchip userspace");
}

Test(devices_guest, runs_while_they_are_moved_in_turn)
{
	expect_as_recorded("--irqchip split --move-every 50");
}

Test(devices_guest, runs_while_they_are_moved_at_random)
{
	expect_as_recorded("--irqchip userspace --move-every 10:random");
}

/* The statuses that are not the guest's. */
Test(devices_guest, what_cannot_be_booted_is_refused_with_an_even_exit_status)
{
	static const struct {
		const char *options, *guest;
		int status;
	} cases[] = {
		{ "--irqchip sideways", "/dev/null", 4 },
		{ "", "/dev/null", 8 },
		{ "", "/nonexistent/kernel", 2 },
		{ "", "tests/data/README", 8 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = run(cases[i].options, cases[i].guest);

		cr_expect(status == cases[i].status && !text[0], "case %zu: exit %d: %s", i, status, text);
	}
}

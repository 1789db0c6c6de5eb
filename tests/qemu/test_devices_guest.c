/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest of tests/guests/devices under the VMM it is written for, and so what the example VMM has to do. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define EXIT_STATUS (21 * 2 + 1)

static char text[16384];

static size_t take(FILE *f)
{
	size_t used;

	cr_assert(f);
	used = fread(text, 1, sizeof(text) - 1, f);
	text[used] = '\0';
	return used;
}

Test(devices_guest, passes_under_qemu_and_prints_what_is_on_record)
{
	static char recorded[sizeof(text)];
	const char *guest = getenv("IRQSHIFT_DEVICES_GUEST");
	char cmd[2048];
	FILE *f = fopen("tests/data/devices-guest.txt", "r");
	int status;

	take(f);
	fclose(f);
	strcpy(recorded, text);
	snprintf(cmd, sizeof(cmd),
		 "d=$(mktemp -d) && printf hello >$d/one && head -c 5000 /dev/zero | tr '\\0' a >$d/two && "
		 "timeout -k 5 60 qemu-system-x86_64 -accel tcg -M pc -cpu qemu64 -smp 2 -m 32 -nodefaults -display none "
		 "-serial stdio -no-reboot -device pc-testdev -device isa-debug-exit,iobase=0xf4,iosize=4 -kernel '%s' "
		 "-append 'one two=3' -initrd \"$d/one a b,$d/two\" 2>/dev/null; status=$?; rm -rf $d; exit $status",
		 guest ? guest : "build/tests/guests/devices.elf");
	f = popen(cmd, "r");
	take(f);
	status = pclose(f);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STATUS, "exit %d: %s", WEXITSTATUS(status), text);
	cr_expect_str_eq(text, recorded);
}

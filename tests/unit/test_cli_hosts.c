/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts that are told by files: capabilities as a target, compat hints about the source. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/cli_run.h"

TestSuite(cli_hosts, .init = cli_folder, .fini = cli_folder_remove);

Test(cli_hosts, a_file_of_capabilities_is_a_target)
{
	cr_expect_eq(cli_shell("$irqshift caps --profile tcg@qemu-7.2 --json > caps.json && "
			       "$irqshift check --from kvm --to ./caps.json $data/isapc-kvm.stream"),
		     0, "%s", cli_text);
	cr_expect(strstr(cli_text, "kvm -> tcg@qemu-7.2: possible"), "%s", cli_text);
}

Test(cli_hosts, a_host_that_cannot_be_that_kind_is_refused)
{
	cr_expect_eq(cli_shell("$irqshift caps --profile tcg@qemu-7.2 --json > caps.json && "
			       "$irqshift convert --from kvm --to kvm-split:caps.json -o out $data/isapc-kvm.stream"),
		     3, "%s", cli_text);
	cr_expect(strstr(cli_text, "cannot be kvm-split"), "%s", cli_text);
	cr_expect_eq(cli_shell("test ! -e out"), 0);
}

Test(cli_hosts, a_target_that_is_no_file_and_no_profile_is_told)
{
	cr_expect_eq(cli_shell("$irqshift check --to ./nowhere.json $data/isapc-kvm.stream"), 1, "%s", cli_text);
	cr_expect(strstr(cli_text, "nowhere.json"), "%s", cli_text);
	cr_expect_eq(cli_shell("$irqshift check --to xen $data/isapc-kvm.stream"), 2, "%s", cli_text);
}

Test(cli_hosts, hints_say_what_saved_the_machine)
{
	cr_expect_eq(cli_shell("$irqshift hints dump $data/isapc-kvm.stream | sed s/kvm-split/kvm-off/ > hints.json && "
			       "$irqshift check --hints hints.json --to tcg $data/isapc-kvm.stream"),
		     0, "%s", cli_text);
	cr_expect(strstr(cli_text, "kvm-off -> tcg: possible"), "%s", cli_text);
}

Test(cli_hosts, the_user_wins_over_a_hint)
{
	cr_expect_eq(cli_shell("$irqshift hints dump $data/isapc-kvm.stream > hints.json && "
			       "$irqshift check --from kvm --hints hints.json --to tcg $data/isapc-kvm.stream"),
		     0, "%s", cli_text);
	cr_expect(strstr(cli_text, "kvm -> tcg: possible"), "%s", cli_text);
}

Test(cli_hosts, a_hint_for_a_device_that_is_not_there_is_ignored_and_reported)
{
	cr_expect_eq(cli_shell("echo '{\"irqshift-hints\": 1, \"devices\": {\"floppy[7]\": {\"version\": \"2\"}}}' > hints.json && "
			       "$irqshift convert -v --from kvm --hints hints.json --to tcg -o out $data/isapc-kvm.stream"),
		     0, "%s", cli_text);
	cr_expect(strstr(cli_text, "floppy[7]"), "%s", cli_text);
	cr_expect(strstr(cli_text, "ignored"), "%s", cli_text);
}

Test(cli_hosts, hints_that_are_no_hints_are_malformed)
{
	cr_expect_eq(cli_shell("echo '[]' > hints.json && $irqshift check --hints hints.json --to tcg $data/isapc-kvm.stream"), 4, "%s",
		     cli_text);
	cr_expect_eq(cli_shell("$irqshift check --hints nowhere --to tcg $data/isapc-kvm.stream"), 1, "%s", cli_text);
}

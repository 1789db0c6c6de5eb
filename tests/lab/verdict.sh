# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The results of the lab's tests, a line for each case, and what is held against a guest. Sourced.

passed=0 failed=0 skipped=0

# result ok|FAIL|skip NAME WHAT
result() {
	printf '%s %s: %s\n' "$1" "$2" "$3"
	case $1 in
	ok) passed=$((passed + 1)) ;;
	FAIL) failed=$((failed + 1)) ;;
	skip) skipped=$((skipped + 1)) ;;
	esac
}

# complaint LOG: what the guest's kernel holds against its clock. Records of level 6 are not complaints: there the kernel
# says that reading the watchdog took long, as it does in a nested guest, and that it draws no conclusion.
complaint() {
	grep -v ' 6,[0-9]*,[0-9]*,' "$1" | grep -m 1 -E 'clocksource: .*unstable|timekeeping watchdog|TSC found unstable'
}

# close_up: the closing line; 1 when a case failed.
close_up() {
	local closing="$passed passed, $failed failed"
	if [ "$skipped" -gt 0 ]; then closing="$closing, $skipped skipped"; fi
	echo "$closing"
	[ "$failed" -eq 0 ]
}

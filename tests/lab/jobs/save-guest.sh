# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lab job: any guest runs under KVM and is saved: guest.stream, serial.log. The words of LAB_GUEST_ARGS are QEMU's arguments for it
# (machine, CPU, -kernel and so on; files given as INPUT are in the folder in/); it is saved when its serial console has
# shown a line that matches LAB_UNTIL (an extended regular expression; lines have the host's uptime before them), or,
# without that, after LAB_SECONDS (default 5). LAB_QEMU is qemu-7.2 (default) or qemu-10.0, LAB_BOOT the seconds that
# LAB_UNTIL may take (default 60).
. ./vm.sh

# words by intention
# shellcheck disable=SC2086
vm_start "$out" timeout -k 5 "${LAB_VM_LIMIT:-240}" "${LAB_QEMU:-qemu-7.2}" -accel kvm -display none -no-reboot \
	${LAB_GUEST_ARGS:?}
if [ -n "${LAB_UNTIL:-}" ]; then
	if ! vm_wait_for "$LAB_UNTIL" "${LAB_BOOT:-60}"; then
		echo "no line matched '$LAB_UNTIL': $(tail -n 3 "$out/serial.log") $(cat "$out/qemu.log")" >&2
		vm_quit
		exit 1
	fi
else
	sleep "${LAB_SECONDS:-5}"
fi
vm_save "$out/guest.stream" || exit 1
tail -n 1 "$out/serial.log"
wc -c "$out/guest.stream"

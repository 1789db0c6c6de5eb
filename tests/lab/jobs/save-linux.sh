# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lab job: a Linux guest runs under KVM until it has ticked LAB_TICKS times (default 5) and is saved: linux.stream, serial.log.
# LAB_SMP (1), LAB_CPU (qemu64,-x2apic), LAB_MACHINE (pc-i440fx-7.2), LAB_MEM (128), LAB_IRQCHIP (on | split | off),
# LAB_GUEST_APPEND (more kernel arguments), LAB_QEMU (qemu-7.2 | qemu-10.0), LAB_BOOT (seconds the guest may take, 120). LAB_GUESTS,
# words NAME:SMP:TICKS:CPU, are several guests, one after the other, each in a folder NAME; the status is that of the last that failed.
. ./vm.sh
. ./linux.sh

save() {
	linux_start kvm
	vm_wait_for " tick ${LAB_TICKS:-5} " "${LAB_BOOT:-120}" || linux_failed "the guest did not tick"
	vm_save "$out/linux.stream" || exit 1
	tail -n 1 "$out/serial.log"
	wc -c "$out/linux.stream"
}

if [ -z "${LAB_GUESTS:-}" ]; then
	save
	exit
fi
status=0
for guest in $LAB_GUESTS; do
	LAB_CPU=${guest##*:}
	guest=${guest%:*}
	LAB_TICKS=${guest##*:}
	guest=${guest%:*}
	LAB_SMP=${guest##*:}
	(out=$out/${guest%:*} && save) || status=$?
done
exit "$status"

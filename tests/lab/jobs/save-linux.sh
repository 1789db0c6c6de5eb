# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lab job: a Linux guest runs under KVM until it has ticked LAB_TICKS times (default 5) and is saved: linux.stream, serial.log.
# LAB_SMP (1), LAB_CPU (qemu64,-x2apic), LAB_MACHINE (pc-i440fx-7.2), LAB_MEM (128), LAB_IRQCHIP (on | split | off),
# LAB_GUEST_APPEND (more kernel arguments), LAB_QEMU (qemu-7.2 | qemu-10.0), LAB_BOOT (seconds the guest may take, 120).
. ./vm.sh
. ./linux.sh

linux_start kvm
vm_wait_for " tick ${LAB_TICKS:-5} " "${LAB_BOOT:-120}" || linux_failed "the guest did not tick"
vm_save "$out/linux.stream" || exit 1
tail -n 1 "$out/serial.log"
wc -c "$out/linux.stream"

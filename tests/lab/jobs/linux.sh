# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# The Linux guest's machine, the same for jobs in the lab and for scripts outside. Sourced after vm.sh.

# linux_start ACCEL [ARGUMENT...]: with linux_qemu (a command, default $LAB_QEMU or qemu-7.2) and linux_dir (vmlinuz and
# guest.cpio.gz; default the current folder).
linux_start() {
	linux_machine=${LAB_MACHINE:-pc-i440fx-7.2}
	if [ "$1" = kvm ]; then linux_machine=$linux_machine,kernel-irqchip=${LAB_IRQCHIP:-on}; fi
	linux_accel=$1
	shift
	# a command line, in words
	# shellcheck disable=SC2086
	vm_start "${out:?}" timeout -k 5 "${LAB_VM_LIMIT:-240}" ${linux_qemu:-${LAB_QEMU:-qemu-7.2}} \
		-accel "$linux_accel" -M "$linux_machine" -cpu "${LAB_CPU:-qemu64,-x2apic}" -smp "${LAB_SMP:-1}" \
		-m "${LAB_MEM:-128}" -nodefaults -display none -no-reboot \
		-kernel "${linux_dir:-.}/vmlinuz" -initrd "${linux_dir:-.}/guest.cpio.gz" \
		-append "console=ttyS0 loglevel=5 rdinit=/init panic=-1 ${LAB_GUEST_APPEND:-}" "$@"
}

linux_failed() {
	echo "$*: $(tail -n 3 "$out/serial.log") $(cat "$out/qemu.log")" >&2
	vm_hmp 'info status' 'info registers' 'info lapic'
	vm_status=0
	vm_quit || vm_status=$?
	echo "QEMU's exit status: $vm_status" >&2
	exit 1
}

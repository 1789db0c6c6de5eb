# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Lab job: a Linux guest boots under KVM, moves to TCG through irqshift proxy while it runs, and from there, likewise, back to KVM.
# What the targets can is asked from them (caps.json). LAB_INITRD must take irqshift along. Each of the three leaves a folder in
# $out, 1-kvm, 2-tcg, 3-kvm, with serial.log, and with proxy.log what the proxy in front of it said. LAB_TICKS (5) before the first move, LAB_SECONDS (8) between two; the other
# LAB_* variables are those of save-linux.sh.
. ./vm.sh
. ./linux.sh

all=$out
boot=${LAB_BOOT:-120}

# stage NAME ACCEL [NEXT...]: one QEMU, from its start until the guest has left it, or, without a NEXT, has run for a while.
stage() {
	stage_name=$1
	stage_accel=$2
	shift 2
	out=$all/$stage_name
	mkdir -p "$out"
	if [ "$stage_name" = 1-kvm ]; then
		linux_start "$stage_accel"
		vm_wait_for " tick ${LAB_TICKS:-5} " "$boot" || linux_failed "the guest did not tick"
	else
		linux_start "$stage_accel" -incoming "unix:/tmp/$stage_name"
		vm_wait_for 'resumed' "$boot" || linux_failed "the guest did not come"
		vm_wait_for ' tick ' "$boot" || linux_failed "the guest did not go on"
		sleep "${LAB_SECONDS:-8}"
	fi
	if [ $# -gt 0 ]; then
		move "$@"
	else
		vm_hmp 'info status'
		vm_quit || exit 1
	fi
}

# move NAME ACCEL [NEXT...]: out of the QEMU of this stage into that of the next.
move() {
	(stage "$@") &
	move_stage=$!
	wait_for_file "/tmp/$1" "$move_stage"
	mkdir -p "$all/$1"
	irqshift proxy --listen "unix:/tmp/proxy-$1" --connect "unix:/tmp/$1" --to "$2:/tmp/caps.json" --once --json -v \
		>"$all/$1/proxy.log" 2>&1 &
	move_proxy=$!
	wait_for_file "/tmp/proxy-$1" "$move_proxy"
	vm_hmp 'migrate_set_parameter max-bandwidth 1G' 'migrate_set_capability return-path on' "migrate -d unix:/tmp/proxy-$1"
	move_status=0
	wait "$move_proxy" || move_status=$?
	vm_hmp 'info migrate' 'info status'
	vm_quit || :
	if [ "$move_status" != 0 ]; then
		echo "the proxy to $1: exit status $move_status" >&2
		kill "$move_stage"
		exit 1
	fi
	wait "$move_stage"
}

# wait_for_file FILE PID: until that process has made it.
wait_for_file() {
	file_tries=$((boot * 5))
	until [ -e "$1" ]; do
		file_tries=$((file_tries - 1))
		if [ "$file_tries" -le 0 ] || ! kill -0 "$2" 2>/dev/null; then linux_failed "there is no $1"; fi
		sleep 0.2
	done
}

irqshift caps --host --qemu "${LAB_QEMU:-qemu-7.2}" --json >/tmp/caps.json || exit 1
cp /tmp/caps.json "$out/"
stage 1-kvm kvm 2-tcg tcg 3-kvm kvm

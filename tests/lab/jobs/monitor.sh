# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Lab job: `irqshift monitor` on a Linux guest under KVM, beside perf's counters of the same tracepoints, twice. In all/ with the
# source's own buffer, from before its first instruction until it has printed /proc/interrupts after some seconds and once more LAB_SECONDS
# later (default 60). In slow/ with a small buffer and stopped for a while, until the guest is gone. Where one begins or ends the VM
# stands still. LAB_SOURCE is the monitor's source (tracefs; module loads irqshift.ko). The machine has no PIT: that of KVM ticks
# while the VM stands still. Leaves perf.log, monitor.json, irqshift.log of both, guest.events, timeline.json of the first, serial.log.
set -eu

. ./vm.sh
. ./linux.sh

source=${LAB_SOURCE:-tracefs}
begin=3
end=$((begin + ${LAB_SECONDS:-60}))
export LD_LIBRARY_PATH=/monitor/lib
tracepoints="kvm_set_irq kvm_pic_set_irq kvm_ioapic_set_irq kvm_ioapic_delayed_eoi_inj kvm_msi_set_irq kvm_apic_ipi kvm_apic_accept_irq
	kvm_apicv_accept_irq kvm_inj_virq kvm_eoi kvm_pv_eoi kvm_ack_irq kvm_wait_lapic_expire kvm_hv_timer_state"

# wait_for_line PATTERN FILE
wait_for_line() {
	tries=100
	until grep -q -E "$1" "$2" 2>/dev/null; do
		tries=$((tries - 1))
		if [ "$tries" -le 0 ]; then
			echo "no '$1' in $2: $(cat "$2")" >&2
			exit 1
		fi
		sleep 0.2
	done
}

# The VM's process: vm_pid is that of timeout(1), of which busybox makes the program itself.
find_qemu() {
	for status in "/proc/${vm_pid:?}/status" /proc/[0-9]*/status; do
		if grep -q '^Name:[[:space:]]*qemu' "$status" 2>/dev/null; then
			status=${status%/status}
			echo "${status#/proc/}"
			return
		fi
	done
	linux_failed "QEMU is not there"
}

# watch FOLDER OPTION...: counts and watches from here on. The descriptors are those of QEMU's monitor, which must see its other
# ends go.
watch() {
	folder=${out:?}/$1
	shift
	mkdir "$folder"
	# words
	# shellcheck disable=SC2086
	/monitor/tracepoints $tracepoints >"$folder/perf.log" 2>&1 7>&- 8>&- &
	perf=$!
	wait_for_line ready "$folder/perf.log"
	/monitor/irqshift monitor --pid "$qemu" --source "$source" --json --interval 5 "$@" \
		>"$folder/monitor.json" 2>"$folder/irqshift.log" 7>&- 8>&- &
	monitor=$!
	wait_for_line 'by (tracefs|module)' "$folder/irqshift.log"
}

# Until the monitor has ended by itself or by a signal; no event comes any more.
watched() {
	status=0
	wait "$monitor" || status=$?
	kill "$perf"
	wait "$perf" || :
	echo "monitor: exit status $status, $(tail -n 1 "$folder/irqshift.log")"
	[ "$status" = 0 ] || exit "$status"
}

# guest_says WORDS
guest_says() {
	if ! vm_wait_for "$1" $((end * 3 + 120)); then linux_failed "the guest does not say '$1'"; fi
}

if [ "$source" = module ]; then insmod /monitor/irqshift.ko; fi
LAB_MACHINE=pc-i440fx-7.2,pit=off
LAB_GUEST_APPEND="interrupts=$begin,$end ${LAB_GUEST_APPEND:-}"
linux_start kvm -S
# It answers when all is made; until then it lowers lines.
vm_hmp 'info status'
wait_for_line 'VM status: paused' "$out/monitor.log"
qemu=$(find_qemu)

watch all --record "$out/guest.events" --export perfetto="$out/timeline.json"
vm_hmp cont
guest_says "interrupts end $end"
vm_hmp stop
wait_for_line ' stopped$' "$out/serial.log"
kill -INT "$monitor"
watched

watch slow --buffer 64
vm_hmp cont
guest_says " tick $((end + 1)) "
kill -STOP "$monitor"
guest_says " tick $((end + 3)) "
kill -CONT "$monitor"
guest_says " tick $((end + 4)) "
vm_quit || :
sleep 0.5
watched
if [ "$source" = module ]; then rmmod irqshift; fi

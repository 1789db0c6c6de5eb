# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Lab job: `irqshift monitor` on a Linux guest under KVM, from before its first instruction until it is gone, beside perf's counters
# of the same tracepoints. The guest prints /proc/interrupts after some seconds and once more LAB_SECONDS later (default 60).
# LAB_SOURCE is the monitor's source (tracefs; module loads irqshift.ko); with LAB_SLOW=1 the monitor has a small buffer and is stopped
# for a while. The machine has no PIT: that of KVM ticks while the VM stands still, before the monitor is there. Leaves guest.events, irqshift.log, monitor.json, timeline.json, perf.log, serial.log.
set -eu

. ./vm.sh
. ./linux.sh

source=${LAB_SOURCE:-tracefs}
seconds=${LAB_SECONDS:-60}
begin=5
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

if [ "$source" = module ]; then insmod /monitor/irqshift.ko; fi
buffer=
if [ -n "${LAB_SLOW:-}" ]; then buffer='--buffer 64'; fi

LAB_MACHINE=pc-i440fx-7.2,pit=off
LAB_GUEST_APPEND="interrupts=$begin,$((begin + seconds)) ${LAB_GUEST_APPEND:-}"
linux_start kvm -S
# It answers when all is made; until then it lowers lines.
vm_hmp 'info status'
wait_for_line 'VM status: paused' "$out/monitor.log"
qemu=$(find_qemu)
# From here until `cont` the VM is silent. The descriptors are those of QEMU's monitor, which must see its other ends go.
# words
# shellcheck disable=SC2086
/monitor/tracepoints $tracepoints >"${out:?}/perf.log" 2>&1 7>&- 8>&- &
perf=$!
wait_for_line ready "$out/perf.log"
# shellcheck disable=SC2086
/monitor/irqshift monitor --pid "$qemu" --source "$source" $buffer --json --record "$out/guest.events" \
	--export perfetto="$out/timeline.json" --interval 5 >"$out/monitor.json" 2>"$out/irqshift.log" 7>&- 8>&- &
monitor=$!
wait_for_line 'by (tracefs|module)' "$out/irqshift.log"
vm_hmp cont
if [ -n "${LAB_SLOW:-}" ]; then
	sleep 8
	kill -STOP "$monitor"
	sleep 5
	kill -CONT "$monitor"
fi
if ! vm_wait_for "interrupts end $((begin + seconds))" $((seconds * 3 + 120)); then linux_failed "the guest does not say its interrupts"; fi
vm_quit || :
status=0
wait "$monitor" || status=$?
sleep 0.5
kill "$perf"
wait "$perf" || :
if [ "$source" = module ]; then rmmod irqshift; fi
echo "monitor: exit status $status, $(tail -n 1 "$out/irqshift.log")"
exit "$status"

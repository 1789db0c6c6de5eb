# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# One virtual machine at a time, its monitor and its serial console, for the lab's jobs (busybox sh) and for the
# scripts outside (bash). The serial console goes to DIR/serial.log, each line with the host's uptime before it, and in
# between, when QEMU says so, a line `stopped` or `resumed`. What else QEMU has to say goes to DIR/qemu.log.

# vm_start DIR COMMAND...: COMMAND is a QEMU without monitor and serial options.
vm_start() {
	vm_dir=$1
	shift
	rm -rf "$vm_dir/mon.in" "$vm_dir/mon.out" "$vm_dir/serial.fifo" "$vm_dir/qemu.fifo"
	mkdir -p "$vm_dir"
	mkfifo "$vm_dir/mon.in" "$vm_dir/mon.out" "$vm_dir/serial.fifo" "$vm_dir/qemu.fifo"
	: >"$vm_dir/serial.log"
	: >"$vm_dir/qemu.log"
	exec 8<>"$vm_dir/mon.in" 7<>"$vm_dir/mon.out"
	vm_stamp <"$vm_dir/serial.fifo" >>"$vm_dir/serial.log" 7>&- 8>&- &
	vm_readers=$!
	cat <"$vm_dir/mon.out" >"$vm_dir/monitor.log" 7>&- 8>&- &
	vm_readers="$vm_readers $!"
	vm_states <"$vm_dir/qemu.fifo" 7>&- 8>&- &
	vm_readers="$vm_readers $!"
	"$@" -chardev pipe,id=mon,path="$vm_dir/mon" -mon mon -serial stdio -trace vm_state_notify </dev/null \
		>"$vm_dir/serial.fifo" 2>"$vm_dir/qemu.fifo" 7>&- 8>&- &
	vm_pid=$!
}

# Puts the host's uptime before every line and takes off the carriage return; `partial` before a line that has no end.
vm_stamp() {
	vm_cr=$(printf '\r')
	while IFS= read -r vm_line; do
		read -r vm_up _ </proc/uptime
		printf '%s %s\n' "$vm_up" "${vm_line%"$vm_cr"}"
	done
	if [ -n "$vm_line" ]; then
		read -r vm_up _ </proc/uptime
		printf '%s partial %s\n' "$vm_up" "$vm_line"
	fi
}

# Sorts QEMU's standard error.
vm_states() {
	while IFS= read -r vm_line; do
		read -r vm_up _ </proc/uptime
		case $vm_line in
		*'vm_state_notify running 1 '*) printf '%s resumed\n' "$vm_up" >>"$vm_dir/serial.log" ;;
		*'vm_state_notify running 0 '*) printf '%s stopped\n' "$vm_up" >>"$vm_dir/serial.log" ;;
		*) printf '%s\n' "$vm_line" >>"$vm_dir/qemu.log" ;;
		esac
	done
}

vm_running() {
	kill -0 "$vm_pid" 2>/dev/null
}

# vm_wait_for PATTERN SECONDS: until the serial console has shown a line that matches; 1 when it does not come.
vm_wait_for() {
	vm_tries=$(($2 * 5))
	until grep -q -E "$1" "$vm_dir/serial.log"; do
		vm_tries=$((vm_tries - 1))
		if [ "$vm_tries" -le 0 ] || ! vm_running; then return 1; fi
		sleep 0.2
	done
}

# Lines for the monitor.
vm_hmp() {
	printf '%s\n' "$@" >&8
}

# vm_cont SECONDS: lets a machine run that was started with -incoming, as soon as it is loaded; 1 when it does not load.
# Under KVM a guest's TSC runs from the load on, not from `cont`: what passes in between, the guest sees.
vm_cont() {
	vm_tries=$(($1 * 20))
	until grep -q -E 'VM status: (paused|running)[^(]*$' "$vm_dir/monitor.log"; do
		vm_tries=$((vm_tries - 1))
		if [ "$vm_tries" -le 0 ] || ! vm_running; then return 1; fi
		vm_hmp 'info status'
		sleep 0.05
	done
	vm_hmp cont
}

# Ends QEMU by its monitor; its exit status is the result. serial.log and monitor.log are whole then.
vm_quit() {
	vm_status=0
	vm_hmp quit
	wait "$vm_pid" || vm_status=$?
	exec 7>&- 8>&-
	# process ids
	# shellcheck disable=SC2086
	wait $vm_readers
	rm -f "$vm_dir/mon.in" "$vm_dir/mon.out" "$vm_dir/serial.fifo" "$vm_dir/qemu.fifo"
	vm_pid=
	return "$vm_status"
}

# vm_save FILE: stops the machine, migrates it into FILE, ends its QEMU.
vm_save() {
	vm_hmp stop 'migrate_set_parameter max-bandwidth 8G' "migrate \"exec:cat >$1\"" 'info migrate'
	vm_quit || :
	if ! grep -q 'Migration status: completed' "$vm_dir/monitor.log"; then
		cat "$vm_dir/monitor.log" "$vm_dir/qemu.log" >&2
		return 1
	fi
}

# vm_rate WORD LOG: what the lines `WORD N UPTIME ...` of a serial log say: how many, the first and the last N, how many
# a second by the host's clock, the widest step in N, the guest's uptime at the first and at the last, how many seconds
# of the guest's clock pass in one of the host's, the seconds from `resumed` to the first and from the last to `stopped`.
vm_rate() {
	awk -v word="$1" '$2 == "resumed" { resumed = $1 }
		$2 == "stopped" { stopped = stopped ? stopped : $1 }
		$2 == word {
			if (!count++) { start = $1; first = $3; up = $4 } else if ($3 - last > step) step = $3 - last
			end = $1; last = $3; uplast = $4
		}
		END {
			time = end > start ? end - start : 1e9
			printf "%d %d %d %.2f %d %.2f %.2f %.3f %.2f %.2f\n", count, first, last, (last - first) / time, step, up,
				uplast, (uplast - up) / time, start - resumed, stopped - end
		}' "$2"
}

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Lab job: the kernel module's test programs. LAB_TESTS are words ROLE/PROGRAM, run in this order; a program gets
# LAB_PROGRAM_LIMIT seconds (default 120). What Criterion says of each test is printed as `tap ROLE/PROGRAM LINE` when the
# program has ended, so that a machine that dies has said it too. Leaves the programs' logs, `held` (memory that the module still
# holds at the end: who allocated it, and how often) and `dmesg`, raw.

say() {
	echo "$*"
	echo "<6>module suite: $*" >/dev/kmsg
}

prepare() {
	mkdir -p /etc
	mount -t debugfs debug /sys/kernel/debug
	chmod 1777 /tmp /dev/shm
	ip link set lo up
	echo 'root:x:0:0::/:/bin/sh' >/etc/passwd
	echo 'plain:x:1000:1000::/tmp:/bin/sh' >>/etc/passwd
	printf 'root:x:0:\nplain:x:1000:\n' >/etc/group
	sysctl -q -w kernel.hung_task_timeout_secs=30
	export IRQSHIFT_KO=/module/irqshift.ko IRQSHIFT_KVM_KOS='/lib/kvm.ko /lib/kvm-amd.ko'
	export IRQSHIFT=/module/irqshift IRQSHIFT_FULL="${LAB_FULL:-0}"
}

# as ROLE COMMAND
as() {
	export IRQSHIFT_ROLE="$1"
	# a KVM that was loaded anew has a new one
	chmod 666 /dev/kvm
	case $1 in
	root) sh -c "$2" ;;
	granted)
		chmod 666 /dev/irqshift
		su -m plain -c "$2"
		as_status=$?
		chmod 600 /dev/irqshift
		return $as_status
		;;
	user) su -m plain -c "$2" ;;
	esac
}

# What the module has of the slab allocator, which needs slub_debug=U,kmalloc-*, and of vmalloc: how many, and from where.
held() {
	{
		grep -h '\[irqshift\]' /sys/kernel/debug/slab/kmalloc-*/alloc_traces 2>/dev/null |
			awk '$1 ~ /^[0-9]+$/ { n[$2] += $1 } END { for (f in n) print n[f], f }'
		grep '\[irqshift\]' /proc/vmallocinfo | awk '{ n[$3]++ } END { for (f in n) print n[f], f }'
	} | sort
}

run_program() {
	name=$1/$2
	dir=${out:?}/$name
	mkdir -p "$dir"
	chmod 777 "$dir"
	export IRQSHIFT_SEED="${LAB_SEED:-0x$(od -A n -N 6 -t x1 /dev/urandom | tr -d ' ')}"
	say "$name begins, seed $IRQSHIFT_SEED"
	as "$1" "cd /tmp && timeout -k 5 ${LAB_PROGRAM_LIMIT:-120} /module/$2 -j1 --tap=$dir/tap >$dir/log 2>&1 </dev/null"
	status=$?
	say "$name ended with status $status"
	[ -e "$dir/tap" ] && sed "s|^|tap $name |" "$dir/tap"
	grep '^seen' "$dir/log" | sed "s|^|say $name |"
	echo "end $name $status"
}

prepare
if ! insmod /module/irqshift.ko; then
	dmesg -r >"$out/dmesg"
	echo "irqshift.ko cannot be loaded: $(dmesg | tail -n 1)"
	exit 1
fi
held >"$out/held.before"
for word in $LAB_TESTS; do run_program "${word%%/*}" "${word#*/}"; done
sleep 1
held >"$out/held"
say "references at the end: $(cat /sys/module/irqshift/refcnt), kvm $(cat /sys/module/kvm/refcnt)"
rmmod irqshift || say "rmmod failed"
sleep 1
dmesg -r >"$out/dmesg"

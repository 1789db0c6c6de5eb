# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Lab job: the one stream in $in is loaded under KVM and runs for LAB_SECONDS (default 10); leaves serial.log. The LAB_* variables
# of save-linux.sh say what the machine is and must be those it was saved with.
. ./vm.sh
. ./linux.sh

linux_start kvm -incoming "exec:cat $in/*"
vm_cont "${LAB_BOOT:-60}" || linux_failed "the stream did not load"
vm_wait_for ' tick ' "${LAB_BOOT:-60}" || linux_failed "the guest did not go on"
sleep "${LAB_SECONDS:-10}"
vm_hmp 'info status' 'info lapic'
vm_quit || exit 1
tail -n 1 "$out/serial.log"

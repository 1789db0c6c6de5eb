# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# Lab job: LAB_PROGRAM, a program of /module and its arguments, with irqshift.ko loaded.

insmod /module/irqshift.ko || exit 1
# words
# shellcheck disable=SC2086
cd /module && PATH=/module:$PATH timeout -k 5 "${LAB_PROGRAM_LIMIT:-250}" ${LAB_PROGRAM:?}
status=$?
rmmod irqshift
exit $status

# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# How an initramfs image is made, for the scripts here.

# make_cpio ROOT FILE: packs a folder, all owned by root, and puts it in place at once.
make_cpio() {
	(cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --quiet -o -0 -H newc -R 0:0) >"$2.new"
	mv "$2.new" "$2"
}

# copy_into ROOT FILE...: at the same path, symbolic links resolved.
copy_into() {
	local root=$1 file
	shift
	for file in "$@"; do
		mkdir -p "$root$(dirname "$file")"
		cp -L "$file" "$root$file"
	done
}

libraries_of() {
	ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }'
}

# pack_programs FOLDER FILE PROGRAM...: an archive with programs, without their debug information, in the folder /FOLDER, their libraries,
# and what else is in the folder $work/root.
pack_programs() {
	local folder=$1 file=$2 root=${work:?}/root program library
	shift 2
	mkdir -p "$root/$folder"
	for program in "$@"; do
		cp "$program" "$root/$folder/"
		strip -d "$root/$folder/${program##*/}"
	done
	for program in "$@"; do libraries_of "$program"; done | sort -u | while read -r library; do
		copy_into "$root" "$library"
	done
	make_cpio "$root" "$file"
}

# module_of KERNEL: builds irqshift.ko for the unpacked kernel in this folder and sets `ko` to its path; else 1 and `reason`.
# shellcheck disable=SC2034
module_of() {
	local release
	release=$(basename "$1"/lib/modules/*)
	ko=${qemu_env_out:?}/module/$release/irqshift.ko
	if [ ! -e "$qemu_env_out/lab/headers/$release/build/Makefile" ]; then
		reason="no headers of $release: run scripts/setup module"
		return 1
	fi
	reason="irqshift.ko is not built for $release: run make module"
	O=$qemu_env_out KVER=$release "${top:?}/scripts/module" build >"${work:?}/module.log" 2>&1
}

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

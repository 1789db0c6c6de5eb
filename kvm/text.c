/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/text_priv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#define CHUNK 65536

/* Intel SDM vol. 2, SYSCALL. That the bytes may be part of a longer instruction does not matter to who jumps there. */
static const unsigned char instruction[] = { 0x0f, 0x05 };

static bool search(pid_t pid, uint64_t from, uint64_t to, uint64_t *ret)
{
	unsigned char buf[CHUNK];

	while (from + sizeof(instruction) <= to) {
		size_t size = to - from < sizeof(buf) ? to - from : sizeof(buf);
		struct iovec local = { buf, size }, remote = { (void *)(uintptr_t)from, size };
		ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		const unsigned char *hit = n > 0 ? memmem(buf, (size_t)n, instruction, sizeof(instruction)) : NULL;

		if (hit) {
			*ret = from + (uint64_t)(hit - buf);
			return true;
		}
		if (n <= (ssize_t)sizeof(instruction))
			return false;
		from += (uint64_t)n - 1;
	}
	return false;
}

static bool search_maps(pid_t pid, FILE *maps, bool vdso, uint64_t *ret)
{
	char line[512];

	rewind(maps);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t from, to;
		char mode[5];

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, mode) != 3 || mode[0] != 'r' || mode[2] != 'x')
			continue;
		if (!strstr(line, "[vsyscall]") && !strstr(line, "[vdso]") == !vdso && search(pid, from, to, ret))
			return true;
	}
	return false;
}

int text_find_syscall(pid_t pid, uint64_t *ret)
{
	char path[64];
	FILE *maps;
	bool found;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "re");
	if (!maps)
		return -errno;
	found = search_maps(pid, maps, true, ret) || search_maps(pid, maps, false, ret);
	fclose(maps);
	return found ? 0 : -ENOENT;
}

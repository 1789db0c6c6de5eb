/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* First inputs of the fuzzers, from the builder of the unit tests. Included once by each fuzzer. */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/stream_builder.c"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first folder of the command line, if it holds no input yet; else NULL. */
static const char *seed_folder(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct dirent *e;
		DIR *d;
		int files = 0;

		if (argv[i][0] == '-')
			continue;
		d = opendir(argv[i]);
		if (!d)
			return NULL;
		while ((e = readdir(d)))
			files += e->d_name[0] != '.';
		closedir(d);
		return files ? NULL : argv[i];
	}
	return NULL;
}

static void seed_write(const char *folder, const char *name, const void *data, size_t len)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/seed-%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* A file in memory that holds @data; one for the life of the process. */
static int file_of(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	return fd;
}

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stuck_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lab.h"

#define SIZE 4096
#define FILE_NODE 2

static void reply(int fuse, uint64_t unique, int error, const void *data, size_t size)
{
	struct fuse_out_header head = { .len = (uint32_t)(sizeof(head) + size), .error = error, .unique = unique };
	struct iovec parts[] = { { &head, sizeof(head) }, { (void *)data, size } };

	if (writev(fuse, parts, 2) < 0 && errno != ENOENT)
		_exit(1);
}

static struct fuse_attr attributes(uint64_t node)
{
	return (struct fuse_attr){
		.ino = node,
		.size = node == FILE_NODE ? SIZE : 0,
		.mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0777,
		.nlink = 1,
		.blksize = SIZE,
	};
}

/* A folder with a file of a page. What is written to it is taken and never acknowledged. */
static void answer(int fuse, const struct fuse_in_header *in)
{
	static const char page[SIZE];
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = SIZE, .max_write = SIZE };
	const struct fuse_attr_out attr = { .attr_valid = 1000, .attr = attributes(in->nodeid) };
	const struct fuse_entry_out entry = { FILE_NODE, 0, 1000, 1000, 0, 0, attributes(FILE_NODE) };
	const struct fuse_open_out opened = { 0 };

	switch (in->opcode) {
	case FUSE_INIT:
		reply(fuse, in->unique, 0, &init, sizeof(init));
		break;
	case FUSE_LOOKUP:
		reply(fuse, in->unique, 0, &entry, sizeof(entry));
		break;
	case FUSE_GETATTR:
	case FUSE_SETATTR:
		reply(fuse, in->unique, 0, &attr, sizeof(attr));
		break;
	case FUSE_OPEN:
		reply(fuse, in->unique, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
		reply(fuse, in->unique, 0, page, sizeof(page));
		break;
	case FUSE_WRITE:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		reply(fuse, in->unique, -ENOSYS, NULL, 0);
	}
}

static void serve(int fuse)
{
	static char request[1 << 17] __attribute__((aligned(8)));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(20);
	while (read(fuse, request, sizeof(request)) > 0 || errno == EINTR || errno == ENOENT)
		answer(fuse, (const struct fuse_in_header *)request);
	_exit(0);
}

static int mount_it(const char *folder, int fuse, struct stuck_memory *s)
{
	char options[80], file[80];

	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fuse);
	snprintf(file, sizeof(file), "%s/file", folder);
	if (mount("stuck", folder, "fuse", 0, options))
		return -errno;
	s->server = fork();
	if (!s->server)
		serve(fuse);
	s->file = open(file, O_RDWR | O_CLOEXEC);
	umount2(folder, MNT_DETACH);
	return s->file < 0 ? -errno : 0;
}

int stuck_memory_open(struct stuck_memory *s)
{
	char folder[] = "/tmp/stuck-XXXXXX";
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC), rc;

	if (fuse < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	rc = mkdtemp(folder) ? mount_it(folder, fuse, s) : -errno;
	rmdir(folder);
	close(fuse);
	return rc;
}

static void *write_again(void *page)
{
	*(volatile char *)page = 2;
	return NULL;
}

/* Kernels that need only the mapping's lock to write take the memory's as well to change the mapping. */
static void *change(void *page)
{
	lab_sleep_us(5000);
	mprotect(page, SIZE, PROT_READ);
	return NULL;
}

int stuck_memory_hold(const struct stuck_memory *s)
{
	volatile char *page = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, s->file, 0);
	pthread_t threads[2];
	int rc;

	if (page == MAP_FAILED)
		return -errno;
	*page = 1;
	if (sync_file_range(s->file, 0, SIZE, SYNC_FILE_RANGE_WRITE))
		return -errno;
	rc = pthread_create(&threads[0], NULL, write_again, (void *)page);
	return rc ? -rc : -pthread_create(&threads[1], NULL, change, (void *)page);
}

void stuck_memory_close(struct stuck_memory *s)
{
	lab_kill(s->server);
	if (s->file > 0)
		close(s->file);
	*s = (struct stuck_memory){ 0 };
}

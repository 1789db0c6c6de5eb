/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/event_threads.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/monitor.h"
#include "kvm/procfs_priv.h"

int event_vcpu_of(const char *comm)
{
	const char *at = strstr(comm, "CPU ");
	unsigned long id;

	if (at) {
		at += strlen("CPU ");
	} else {
		at = strstr(comm, "vcpu");
		if (!at)
			return -1;
		at += strlen("vcpu");
		at += *at == ' ' || *at == '_' || *at == '-';
	}
	if (!isdigit((unsigned char)*at))
		return -1;
	id = strtoul(at, NULL, 10);
	return id < MONITOR_VCPUS_MAX ? (int)id : -1;
}

/* The kernel cuts names to 15 bytes. */
static bool works_for(const char *comm, pid_t pid)
{
	char pit[32], vhost[32];

	snprintf(pit, sizeof(pit), "kvm-pit/%d", (int)pid);
	snprintf(vhost, sizeof(vhost), "vhost-%d", (int)pid);
	return !strncmp(comm, pit, sizeof(((struct recording_thread *)NULL)->comm) - 1) ||
	       !strncmp(comm, vhost, sizeof(((struct recording_thread *)NULL)->comm) - 1);
}

static int add(struct recording_thread **list, size_t *count, int tid, const char *comm)
{
	struct recording_thread *more = realloc(*list, (*count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	*list = more;
	more[*count] = (struct recording_thread){ .tid = (uint32_t)tid, .vcpu = event_vcpu_of(comm) };
	memcpy(more[*count].comm, comm, strnlen(comm, sizeof(more->comm) - 1));
	++*count;
	return 0;
}

/* Those of a folder of /proc: all of a process (@pid), or the kernel's that work for it. */
static int add_all(struct recording_thread **list, size_t *count, const char *folder, pid_t pid, bool of_process)
{
	int *tids = NULL, n = procfs_numbers(folder, &tids), rc = n < 0 ? n : 0;
	char comm[32];

	for (int i = 0; i < n && !rc; i++) {
		procfs_comm(of_process ? pid : tids[i], tids[i], comm, sizeof(comm));
		if (of_process || works_for(comm, pid))
			rc = add(list, count, tids[i], comm);
	}
	free(tids);
	return rc;
}

ssize_t event_threads(pid_t pid, struct recording_thread **ret, size_t *ret_process)
{
	struct recording_thread *list = NULL;
	size_t count = 0;
	char folder[48];
	int rc;

	snprintf(folder, sizeof(folder), "/proc/%d/task", (int)pid);
	rc = add_all(&list, &count, folder, pid, true);
	*ret_process = count;
	if (!rc)
		rc = count ? add_all(&list, &count, "/proc", pid, false) : -ESRCH;
	if (rc) {
		free(list);
		return rc == -ENOENT ? -ESRCH : rc;
	}
	*ret = list;
	return (ssize_t)count;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "apic/reg.h"
#include "genl.h"
#include "lab.h"
#include "uring.h"

#define BUFFER 64
#define BATCH 64

static const char *const names[] = { "subscribes", "sleeps", "joins", "lists", "asks", "gathers", "closes" };

const char *client_name(enum client_kind kind)
{
	return names[kind];
}

struct client_tally *client_tallies(void)
{
	void *p = mmap(NULL, CLIENT_KINDS * sizeof(struct client_tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void client_tallies_free(struct client_tally *tallies)
{
	munmap(tallies, CLIENT_KINDS * sizeof(*tallies));
}

void client_tell(const struct client_tally *tallies)
{
	for (unsigned int k = 0; k < CLIENT_KINDS; k++) {
		const struct client_tally *t = &tallies[k];

		printf("seen %s: %lu of %lu requests, %lu events, last error %s\n", names[k], t->done, t->tried, t->events,
		       t->error ? strerrorname_np(-t->error) : "none");
	}
}

void client_where(enum client_kind kind, pid_t pid)
{
	char path[300], line[160];
	const struct dirent *d;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/stack", pid, d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "re");
		for (unsigned int n = 0; f && n < 8 && fgets(line, sizeof(line), f); n++)
			printf("seen %s thread %s %s", names[kind], d->d_name, line);
		if (f)
			fclose(f);
	}
	if (tasks)
		closedir(tasks);
}

static void count(struct client_tally *t, int rc)
{
	t->tried++;
	t->done += rc >= 0;
	if (rc < 0)
		t->error = rc;
}

static struct genl_message message;

static void open_patiently(struct genl *g)
{
	while (genl_open(g))
		lab_sleep_us(1000);
}

static void count_events(void *arg, uint8_t command, const uint8_t *attributes, size_t size)
{
	struct client_tally *t = arg;
	size_t length;

	if (command != IRQSHIFT_GENL_EVENT)
		return;
	if (genl_find(attributes, size, IRQSHIFT_A_RECORDS, &length))
		t->events += length / sizeof(struct irqshift_event);
	t->dropped = genl_u64(attributes, size, IRQSHIFT_A_DROPPED);
}

static int subscribe(struct genl *g, enum client_kind kind)
{
	if (kind == CLIENT_JOINS && genl_join(g))
		return -EPERM;
	genl_begin(g, &message, IRQSHIFT_GENL_SUBSCRIBE, 0);
	genl_put_u32(&message, IRQSHIFT_A_BUFFER, BUFFER);
	if (kind == CLIENT_JOINS)
		genl_put(&message, IRQSHIFT_A_GROUP, NULL, 0);
	return genl_send(g, &message, NULL, NULL);
}

/* A module that is loaded anew has a family with another number: silence is no sign, so it is asked. */
static void listen_for_events(enum client_kind kind, struct client_tally *t)
{
	struct genl g;
	int rc;

	for (;;) {
		open_patiently(&g);
		rc = subscribe(&g, kind);
		count(t, rc);
		while (!rc) {
			if (kind == CLIENT_SLEEPS)
				lab_sleep_us(5000);
			else
				genl_listen(&g, 5, count_events, t);
			genl_begin(&g, &message, IRQSHIFT_GENL_GET_INFO, 0);
			rc = genl_send(&g, &message, count_events, t);
		}
		genl_close(&g);
	}
}

static void list(struct client_tally *t)
{
	struct genl g;
	int rc;

	for (;;) {
		open_patiently(&g);
		do {
			genl_begin(&g, &message, IRQSHIFT_GENL_LIST_VMS, NLM_F_DUMP);
			rc = genl_send(&g, &message, NULL, NULL);
			count(t, rc);
			lab_sleep_us(3000);
		} while (!rc);
		genl_close(&g);
	}
}

static void put_entry(struct genl_message *m, int fd, uint32_t command, const void *data, size_t size)
{
	size_t nest = genl_nest(m, IRQSHIFT_A_ENTRY);

	genl_put_u32(m, IRQSHIFT_A_KVM_FD, (uint32_t)fd);
	genl_put_u32(m, IRQSHIFT_A_COMMAND, command);
	if (size)
		genl_put(m, IRQSHIFT_A_DATA, data, size);
	genl_nest_end(m, nest);
}

static void ask(const struct busy_child *child, struct client_tally *t)
{
	int mem = busy_child_mem(child), vm = busy_child_get(child, child->fd);
	int vcpu = busy_child_get(child, child->vcpus[0]);
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct genl g;

	for (;;) {
		open_patiently(&g);
		for (unsigned int i = 0; i < 100; i++) {
			genl_begin(&g, &message, IRQSHIFT_GENL_GET_STATE, 0);
			genl_put_u32(&message, IRQSHIFT_A_MEM_FD, (uint32_t)mem);
			put_entry(&message, vm, KVM_GET_IRQCHIP, &chip, sizeof(chip));
			put_entry(&message, vm, KVM_GET_PIT2, NULL, 0);
			put_entry(&message, vcpu, KVM_GET_LAPIC, NULL, 0);
			count(t, genl_send(&g, &message, NULL, NULL));
			lab_sleep_us(3000);
		}
		genl_close(&g);
	}
}

struct own {
	struct busy_vm vm;
	struct kvm_lapic_state pages[BATCH];
	struct irqshift_entry entries[BATCH];
	struct io_uring ring;
};

/*
 * Closes what the batches use, and puts something else under the same number. The device that the other thread opens may get that
 * number in between: so what is put back is what was there at first.
 */
static void *close_and_open(void *arg)
{
	struct own *own = arg;
	int keep = dup(own->vm.vcpus[0]), other = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (;;) {
		dup2(other, own->vm.vcpus[0]);
		lab_sleep_us(100);
		close(own->vm.vcpus[0]);
		lab_sleep_us(100);
		dup2(keep, own->vm.vcpus[0]);
		lab_sleep_us(100);
	}
	return NULL;
}

/* Two batches at a time, in io-wq; the descriptor of the device is closed when they are submitted, done or not. */
static void submit_and_close(struct own *own, struct client_tally *t)
{
	const struct irqshift_batch batch = { .entries = (uintptr_t)own->entries, .count = BATCH };
	int device = open("/dev/irqshift", O_RDWR | O_CLOEXEC);

	if (device < 0) {
		lab_sleep_us(1000);
		return;
	}
	for (unsigned int i = 0; i < 2; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&own->ring);

		uring_command(sqe, device, IRQSHIFT_URING_GATHER, &batch);
		sqe->flags = IOSQE_ASYNC;
	}
	io_uring_submit(&own->ring);
	/* newer kernels look the descriptor up in the worker: closed at once it is -EBADF, a little later it is in use */
	if (t->tried % 4)
		lab_sleep_us(300);
	close(device);
	for (unsigned int i = 0; i < 2; i++) {
		struct io_uring_cqe *cqe;

		if (io_uring_wait_cqe(&own->ring, &cqe))
			return;
		count(t, cqe->res ? cqe->res : own->entries[0].result);
		io_uring_cqe_seen(&own->ring, cqe);
	}
	/* with the device closed, so that whoever wants the module to go has a chance */
	lab_sleep_us(20000);
}

static void gather(enum client_kind kind, struct client_tally *t)
{
	static struct own own;
	pthread_t closer;

	if (busy_vm_open(&own.vm, 2) || io_uring_queue_init(4, &own.ring, 0))
		return;
	for (unsigned int i = 0; i < BATCH; i++)
		own.entries[i] = (struct irqshift_entry){ .fd = own.vm.vcpus[i % 2],
							  .command = KVM_GET_LAPIC,
							  .data = (uintptr_t)&own.pages[i],
							  .size = sizeof(own.pages[i]) };
	if (kind == CLIENT_CLOSES)
		pthread_create(&closer, NULL, close_and_open, &own);
	for (;;)
		submit_and_close(&own, t);
}

static void be_client(enum client_kind kind, const struct busy_child *vm, struct client_tally *t)
{
	switch (kind) {
	case CLIENT_SUBSCRIBES:
	case CLIENT_SLEEPS:
	case CLIENT_JOINS:
		listen_for_events(kind, t);
		break;
	case CLIENT_LISTS:
		list(t);
		break;
	case CLIENT_ASKS:
		ask(vm, t);
		break;
	default:
		gather(kind, t);
	}
}

pid_t client_start(enum client_kind kind, const struct busy_child *vm, struct client_tally *tally)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_client(kind, vm, tally);
	_exit(0);
}

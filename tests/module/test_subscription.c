/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may subscribe, how often, and how a subscription ends. Roles: root user. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "busy_vm.h"
#include "genl.h"
#include "lab.h"
#include "subscriber.h"

static struct busy_vm vm;

static void make_bed(void)
{
	lab_have_module();
}

static int open_own_memory(void)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

/* One try on a socket of its own: 0 or -errno. */
static int try_to_subscribe(const struct subscriber_options *options)
{
	struct subscriber s;
	int rc = subscriber_open(&s, options);

	rc = rc ? rc : subscriber_ask(&s, options);
	subscriber_close(&s);
	return rc;
}

static int without_and_with_memory(void)
{
	int rc = try_to_subscribe(&(struct subscriber_options){ 0 });

	return rc == -EPERM ? try_to_subscribe(&(struct subscriber_options){ .mem_fd = open_own_memory() }) : rc;
}

/* The exit status of a child that does this: an errno, or 0. */
static int in_a_child(int (*what)(void))
{
	int status;
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (!pid)
		_exit(-what());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int join(void)
{
	struct genl g;
	int rc = genl_open(&g);

	rc = rc ? rc : genl_join(&g);
	genl_close(&g);
	return rc;
}

static int in_a_user_namespace(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWPID) ? -errno : without_and_with_memory();
}

static int in_a_network_of_its_own(void)
{
	return unshare(CLONE_NEWUSER | CLONE_NEWNET) ? -errno : without_and_with_memory();
}

Test(subscription, a_plain_user_is_refused, .init = make_bed)
{
	if (strcmp(lab_role(), "user") != 0)
		cr_skip_test("only for a plain user");
	cr_expect_eq(in_a_child(without_and_with_memory), EPERM);
	cr_expect_eq(in_a_child(join), EPERM);
	cr_expect_eq(in_a_child(in_a_user_namespace), EPERM);
	cr_expect_eq(in_a_child(in_a_network_of_its_own), EPERM);
}

static void keep_only(uint64_t capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (unsigned int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted = (uint32_t)(capabilities >> 32 * i);
	syscall(SYS_capset, &header, data);
}

static int with_perfmon_alone(void)
{
	keep_only(1ull << CAP_PERFMON);
	return try_to_subscribe(&(struct subscriber_options){ 0 });
}

static int with_perfmon_and_memory(void)
{
	int mem = open_own_memory();

	keep_only(1ull << CAP_PERFMON);
	return try_to_subscribe(&(struct subscriber_options){ .mem_fd = mem });
}

static int with_ptrace_alone(void)
{
	keep_only(1ull << CAP_SYS_PTRACE);
	return try_to_subscribe(&(struct subscriber_options){ 0 });
}

static int with_both(void)
{
	keep_only(1ull << CAP_PERFMON | 1ull << CAP_SYS_PTRACE);
	return try_to_subscribe(&(struct subscriber_options){ 0 });
}

Test(subscription, it_takes_the_right_to_trace_and_the_right_to_the_vms, .init = make_bed)
{
	lab_root_only();
	cr_expect_eq(in_a_child(with_perfmon_alone), EPERM);
	cr_expect_eq(in_a_child(with_ptrace_alone), EPERM);
	cr_expect_eq(in_a_child(with_perfmon_and_memory), 0);
	cr_expect_eq(in_a_child(with_both), 0);
}

static int to_the_group_from_elsewhere(void)
{
	return unshare(CLONE_NEWNET) ? -errno : try_to_subscribe(&(struct subscriber_options){ .group = true });
}

Test(subscription, what_makes_no_sense_is_refused, .init = make_bed)
{
	struct subscriber s;
	int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	lab_root_only();
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .mem_fd = 999 }), -EBADF);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .mem_fd = fd }), -EACCES);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MIN - 1 }), -ERANGE);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX + 1 }), -ERANGE);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .events = 1ull << IRQSHIFT_EVENT_TYPES }), -EINVAL);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ .events = 1ull << 63 }), -EINVAL);
	cr_expect_eq(in_a_child(to_the_group_from_elsewhere), EOPNOTSUPP);
	subscriber_start(&s, &(struct subscriber_options){ 0 });
	cr_expect_eq(subscriber_ask(&s, &(struct subscriber_options){ 0 }), -EEXIST);
	cr_expect_eq(subscriber_stop(&s), 0);
	cr_expect_eq(subscriber_stop(&s), -ENOENT);
	cr_expect_eq(subscriber_ask(&s, &(struct subscriber_options){ 0 }), 0);
	subscriber_close(&s);
	close(fd);
}

/* How long SUBSCRIBE and closing the socket take, in ms. */
static void time_one(double *subscribe, double *close_)
{
	struct subscriber s;
	double begin;

	cr_assert_eq(subscriber_open(&s, &(struct subscriber_options){ 0 }), 0);
	begin = lab_now();
	cr_assert_eq(subscriber_ask(&s, &(struct subscriber_options){ 0 }), 0);
	*subscribe = (lab_now() - begin) * 1e3;
	begin = lab_now();
	subscriber_close(&s);
	*close_ = (lab_now() - begin) * 1e3;
}

Test(subscription, it_begins_and_ends_in_a_moment, .init = make_bed)
{
	struct subscriber lasting;
	double begins[2], ends[2];

	lab_root_only();
	time_one(&begins[0], &ends[0]);
	subscriber_start(&lasting, &(struct subscriber_options){ 0 });
	time_one(&begins[1], &ends[1]);
	subscriber_close(&lasting);
	printf("seen SUBSCRIBE take %.1f ms, closing %.1f ms; with the tracepoints hooked already %.1f and %.1f ms\n", begins[0], ends[0],
	       begins[1], ends[1]);
	for (unsigned int i = 0; i < 2; i++)
		cr_expect(begins[i] < 5000 && ends[i] < 5000);
}

Test(subscription, there_are_so_many_and_no_more, .init = make_bed)
{
	static struct subscriber s[IRQSHIFT_SUBSCRIPTIONS_MAX];
	const struct subscriber_options options = { .buffer = IRQSHIFT_BUFFER_MIN };

	lab_root_only();
	for (unsigned int i = 0; i < IRQSHIFT_SUBSCRIPTIONS_MAX; i++)
		subscriber_start(&s[i], &options);
	cr_expect_eq(try_to_subscribe(&options), -ENOSPC);
	subscriber_close(&s[7]);
	cr_expect_eq(try_to_subscribe(&options), 0);
	for (unsigned int i = 0; i < IRQSHIFT_SUBSCRIPTIONS_MAX; i++)
		if (i != 7)
			subscriber_close(&s[i]);
}

#define CROWD 11

/* A child that subscribes, on a socket that is its alone, says so in the pipe, and waits for its end. */
static pid_t start_subscriber(int ready, bool reads)
{
	struct subscriber s, *all[] = { &s };
	pid_t pid = fork();

	cr_assert_geq(pid, 0);
	if (pid)
		return pid;
	/* of the PIT's alone, so that the crowd leaves the machine some time */
	subscriber_start(&s, &(struct subscriber_options){ .events = 1ull << IRQSHIFT_EVENT_ACK_IRQ });
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		if (reads)
			subscribers_listen(all, 1, 1000);
		else
			pause();
}

static void kill_a_crowd(void)
{
	pid_t pids[CROWD];
	int ready[2];
	char byte;

	cr_assert_eq(pipe(ready), 0);
	for (unsigned int i = 0; i < CROWD; i++)
		pids[i] = start_subscriber(ready[1], i % 2);
	for (unsigned int i = 0; i < CROWD; i++)
		cr_assert_eq(read(ready[0], &byte, 1), 1);
	for (unsigned int i = 0; i < CROWD; i++)
		kill(pids[i], SIGKILL);
	for (unsigned int i = 0; i < CROWD; i++)
		waitpid(pids[i], NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

Test(subscription, killed_subscribers_leave_nothing, .init = make_bed, .timeout = 60)
{
	lab_root_only();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	for (unsigned int i = 0; i < lab_count(IRQSHIFT_SUBSCRIPTIONS_MAX + CROWD, CROWD); i += CROWD)
		kill_a_crowd();
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	cr_expect_eq(lab_settled("irqshift", 0), 0);
}

Test(subscription, unloading_the_module_tells_subscribers, .init = make_bed, .timeout = 60)
{
	struct subscriber s, *all[] = { &s };
	int rc;

	lab_root_only();
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	cr_assert_eq(busy_vm_open(&vm, 2), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	subscribers_await(all, 1, &s, 100);
	cr_expect_eq(lab_unload("irqshift"), 0);
	subscribers_catch_up(all, 1);
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	rc = lab_load(lab_ko());
	cr_assert_eq(rc, 0, "%s", strerror(-rc));
	cr_expect(s.ended);
	cr_expect_eq(s.wrong, 0);
	cr_expect_eq(s.total, s.n + s.dropped);
	subscriber_close(&s);
}

/* Somebody who waits for the number of a socket to be free, and for what is sent to it then. */
struct thief {
	pthread_t thread;
	struct sockaddr_nl port;
	bool bound;
	unsigned int messages;
	_Atomic bool stop;
};

static void *take_port(void *arg)
{
	struct thief *t = arg;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char bytes[8192];

	while (!t->bound && !t->stop)
		t->bound = !bind(fd, (struct sockaddr *)&t->port, sizeof(t->port));
	while (t->bound && poll(&p, 1, 100) > 0 && recv(fd, bytes, sizeof(bytes), 0) > 0)
		t->messages++;
	close(fd);
	return NULL;
}

static void close_before_a_thief(struct thief *t)
{
	struct subscriber s, *all[] = { &s };
	socklen_t length = sizeof(t->port);

	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	cr_assert_eq(getsockname(s.genl.fd, (struct sockaddr *)&t->port, &length), 0);
	cr_assert_eq(pthread_create(&t->thread, NULL, take_port, t), 0);
	subscribers_await(all, 1, &s, 50);
	subscriber_close(&s);
	lab_sleep_us(100000);
	t->stop = true;
	cr_assert_eq(pthread_join(t->thread, NULL), 0);
}

/* Anybody may take the number of a socket that was closed. */
Test(subscription, what_was_meant_for_a_closed_socket_goes_to_nobody, .init = make_bed, .timeout = 60)
{
	unsigned int rounds = lab_count(100, 10), bound = 0, messages = 0;

	lab_root_only();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	for (unsigned int i = 0; i < rounds; i++) {
		struct thief t = { 0 };

		close_before_a_thief(&t);
		bound += t.bound;
		messages += t.messages;
	}
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	printf("seen %u of %u numbers of closed sockets taken by somebody else\n", bound, rounds);
	cr_expect_gt(bound, 0);
	cr_expect_eq(messages, 0, "%u messages of events", messages);
}

/* kvm.ko, kvm-amd.ko in loading order, by $IRQSHIFT_KVM_KOS. */
static void load_kvm(void)
{
	char *list = strdup(getenv("IRQSHIFT_KVM_KOS")), *rest = list;

	for (const char *path = strtok_r(rest, " ", &rest); path; path = strtok_r(NULL, " ", &rest)) {
		int rc = lab_load(path);

		cr_assert_eq(rc, 0, "%s: %s", path, strerror(-rc));
	}
	free(list);
}

/* A VM runs until so many of its events have come. */
static void run_until(struct subscriber *s, size_t events)
{
	struct subscriber *all[] = { s };

	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	subscribers_await(all, 1, s, s->n + events);
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	subscribers_catch_up(all, 1);
}

Test(subscription, kvm_may_go_and_come_back, .init = make_bed, .timeout = 60)
{
	struct subscriber s;
	uint64_t before = genl_events_there();
	size_t n;

	lab_root_only();
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	run_until(&s, 50);
	n = s.n;
	lab_settled("kvm_amd", 0);
	cr_assert_eq(lab_unload("kvm_amd"), 0);
	cr_assert_eq(lab_unload("kvm"), 0);
	cr_expect_eq(genl_events_there(), 0);
	cr_expect_eq(try_to_subscribe(&(struct subscriber_options){ 0 }), 0);
	load_kvm();
	cr_expect_eq(genl_events_there(), before);
	run_until(&s, 50);
	cr_expect_gt(s.n, n);
	cr_expect_eq(s.wrong, 0);
	subscriber_close(&s);
}

Test(subscription, one_that_ends_leaves_the_others, .init = make_bed, .timeout = 60)
{
	const uint64_t eoi = 1ull << IRQSHIFT_EVENT_EOI, set_irq = 1ull << IRQSHIFT_EVENT_SET_IRQ;
	struct subscriber one, other, *all[] = { &one, &other };

	lab_root_only();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	subscriber_start(&one, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .events = eoi });
	for (unsigned int i = 0; i < lab_count(50, 3); i++) {
		subscriber_start(&other, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .events = eoi | set_irq });
		subscribers_await(all, 2, &one, one.n + 10);
		subscribers_await_type(all, 2, &other, IRQSHIFT_EVENT_EOI);
		subscribers_await_type(all, 2, &other, IRQSHIFT_EVENT_SET_IRQ);
		cr_expect_eq(other.wrong, 0);
		subscriber_close(&other);
		subscribers_await(all, 1, &one, one.n + 10);
	}
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	cr_expect_eq(subscriber_count(&one, IRQSHIFT_EVENT_EOI), one.n);
	cr_expect_eq(one.wrong, 0);
	cr_expect_eq(one.dropped, 0);
	subscriber_close(&one);
}

/* In a pid namespace of its own, as its first process: its VM's tasks have the numbers of that namespace. */
static int see_own_numbers(void)
{
	struct subscriber s;
	size_t own = 0, of_pit = 0;

	if (getpid() != 1)
		return -ESRCH;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
		return -errno;
	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX, .mem_fd = open_own_memory() });
	run_until(&s, 200);
	for (size_t i = 0; i < s.n; i++) {
		own += s.records[i].pid == 1;
		of_pit += s.records[i].pid == 0;
	}
	printf("seen %zu events of process 1 of a namespace, %zu of its PIT\n", own, of_pit);
	fflush(stdout);
	return own + of_pit == s.n && own > 0 && of_pit > 0 ? 0 : -EPROTO;
}

static int in_a_pid_namespace(void)
{
	return unshare(CLONE_NEWPID | CLONE_NEWNS) ? -errno : -in_a_child(see_own_numbers);
}

Test(subscription, tasks_have_the_numbers_of_the_subscribers_namespace, .init = make_bed, .timeout = 60)
{
	int rc;

	lab_root_only();
	rc = in_a_child(in_a_pid_namespace);
	cr_expect_eq(rc, 0, "%s", strerror(rc));
}

static int hear_of_a_vm_outside(void)
{
	struct subscriber s, *all[] = { &s };
	size_t named = 0;

	subscriber_start(&s, &(struct subscriber_options){ .buffer = IRQSHIFT_BUFFER_MAX });
	subscribers_await(all, 1, &s, 50);
	for (size_t i = 0; i < s.n; i++)
		named += s.records[i].pid || s.records[i].tid;
	return named ? -EPROTO : 0;
}

static int in_an_empty_pid_namespace(void)
{
	return unshare(CLONE_NEWPID) ? -errno : -in_a_child(hear_of_a_vm_outside);
}

Test(subscription, tasks_outside_of_the_namespace_have_no_number, .init = make_bed, .timeout = 60)
{
	int rc;

	lab_root_only();
	cr_assert_eq(busy_vm_open(&vm, 1), 0);
	cr_assert_eq(busy_vm_run(&vm), 0);
	rc = in_a_child(in_an_empty_pid_namespace);
	busy_vm_halt(&vm);
	busy_vm_close(&vm);
	cr_expect_eq(rc, 0, "%s", strerror(rc));
}

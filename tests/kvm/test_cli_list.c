/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift list --source proc` of VMs in other processes. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/cli_run.h"
#include "vm.h"

#define NOBODY 65534
#define VMS 3
#define VCPUS 3
#define LIFE_S 60
#define RUNS 30

/* A process that has VMs; in memory that both share. */
struct owner {
	/* The test's wishes. */
	struct vm_config configs[VMS];
	unsigned int nvms;
	void (*then)(struct owner *);
	bool elsewhere; /* in another pid namespace */
	/* What the process says. */
	_Atomic bool ready;
	int fds[VMS], vcpus[VMS][VCPUS];
	_Atomic pid_t pid; /* of the process */
	pid_t parent;      /* elsewhere: between it and us */
};

TestSuite(cli_list, .init = vm_have_kvm, .timeout = 60);

static struct owner *owner_new(unsigned int nvms)
{
	struct owner *o = mmap(NULL, sizeof(*o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	cr_assert(o != MAP_FAILED);
	o->nvms = nvms;
	return o;
}

static void live(struct owner *o)
{
	static struct vm vms[VMS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	for (unsigned int i = 0; i < o->nvms; i++) {
		vm_open(&vms[i], o->configs[i]);
		o->fds[i] = vms[i].fd;
		memcpy(o->vcpus[i], vms[i].vcpus, sizeof(o->vcpus[i]));
	}
	if (o->then)
		o->then(o);
	o->ready = true;
	for (;;)
		pause();
}

/* What is shared the child must not write as well. */
static void owner_fork(struct owner *o)
{
	pid_t pid = fork();

	if (!pid)
		live(o);
	o->pid = pid;
}

/* Who unshares stays where it is: its children are elsewhere, and it knows them by our numbers. */
static void owner_fork_elsewhere(struct owner *o)
{
	pid_t pid = fork();

	if (pid) {
		o->parent = pid;
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!unshare(CLONE_NEWPID))
		owner_fork(o);
	waitpid(o->pid, NULL, 0);
	_exit(0);
}

static void owner_start(struct owner *o)
{
	if (o->elsewhere)
		owner_fork_elsewhere(o);
	else
		owner_fork(o);
	for (unsigned int i = 0; i < 20000 && !(o->ready && o->pid); i++)
		usleep(500);
	cr_assert(o->ready && o->pid, "no process with a VM");
}

static void owner_end(struct owner *o)
{
	kill(o->pid, SIGKILL);
	waitpid(o->elsewhere ? o->parent : o->pid, NULL, 0);
	munmap(o, sizeof(*o));
}

static int run(const char *args)
{
	char cmd[1024];

	snprintf(cmd, sizeof(cmd), "'%s' list --source proc %s", cli_program(), args);
	return cli_capture(cmd);
}

/* What the list has; ends with json_decref(). */
static json_t *listed(const char *args)
{
	json_error_t err;
	json_t *top;
	char more[64];

	snprintf(more, sizeof(more), "--json %s 2>/dev/null", args);
	cr_assert_eq(run(more), 0, "%s", cli_text);
	top = json_loads(cli_text, 0, &err);
	cr_assert(top, "%s: %s", err.text, cli_text);
	return top;
}

/* The nth VM of a process, or NULL. */
static json_t *nth_of(json_t *top, pid_t pid, unsigned int n)
{
	const json_t *vms = json_object_get(top, "vms");

	for (size_t i = 0; i < json_array_size(vms); i++) {
		json_t *vm = json_array_get(vms, i);

		if (json_integer_value(json_object_get(vm, "pid")) == pid && !n--)
			return vm;
	}
	return NULL;
}

static json_int_t number(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* Identifiers are the config's, or 0, 1, 2. */
static void expect_vcpus(const json_t *vm, const struct owner *o, unsigned int n)
{
	const struct vm_config *config = &o->configs[n];
	const json_t *vcpus = json_object_get(vm, "vcpus");

	cr_assert_eq(json_array_size(vcpus), config->nvcpus);
	for (unsigned int i = 0; i < config->nvcpus; i++) {
		const json_t *vcpu = json_array_get(vcpus, i);

		cr_expect_eq(number(vcpu, "id"), config->ids ? config->ids[i] : i);
		cr_expect_eq(number(vcpu, "fd"), o->vcpus[n][i]);
	}
}

Test(cli_list, vms_with_each_kind_of_irqchip_are_found_and_none_is_guessed)
{
	static const uint32_t ids[] = { 0, 2, 7 };
	struct owner *owners[VMS];
	json_t *top;

	for (unsigned int i = 0; i < VMS; i++) {
		owners[i] = owner_new(1);
		owners[i]->configs[0] = (struct vm_config){ .mode = (enum irqchip_mode)i, .nvcpus = i + 1, .ids = ids };
		owner_start(owners[i]);
	}
	top = listed("");
	for (unsigned int i = 0; i < VMS; i++) {
		json_t *vm = nth_of(top, owners[i]->pid, 0);

		cr_assert(vm, "%u: %s", i, cli_text);
		cr_expect_null(nth_of(top, owners[i]->pid, 1));
		cr_expect_eq(number(vm, "vm"), 0);
		cr_expect_eq(number(vm, "fd"), owners[i]->fds[0]);
		cr_expect(json_is_null(json_object_get(vm, "irqchip")));
		expect_vcpus(vm, owners[i], 0);
	}
	json_decref(top);
	for (unsigned int i = 0; i < VMS; i++)
		owner_end(owners[i]);
}

Test(cli_list, a_process_in_another_pid_namespace_has_our_number)
{
	struct owner *o;
	json_t *top;

	if (geteuid()) {
		cr_skip_test("only root can make a pid namespace");
		return;
	}
	o = owner_new(1);
	o->configs[0] = (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 2 };
	o->elsewhere = true;
	owner_start(o);
	top = listed("");
	cr_assert(nth_of(top, o->pid, 0), "process %d: %s", (int)o->pid, cli_text);
	expect_vcpus(nth_of(top, o->pid, 0), o, 0);
	json_decref(top);
	owner_end(o);
}

/* A terminal gets no escape sequence of a name, and JSON no byte that it cannot have. */
static void take_a_bad_name(struct owner *o)
{
	(void)o;
	prctl(PR_SET_NAME, "q\033[31m\377\"x");
}

Test(cli_list, a_process_may_be_called_anything)
{
	struct owner *o = owner_new(1);
	char args[64], row[128];
	json_t *top;

	o->configs[0] = (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 2 };
	o->then = take_a_bad_name;
	owner_start(o);
	snprintf(args, sizeof(args), "--pid %d", (int)o->pid);
	top = listed(args);
	cr_assert_eq(json_array_size(json_object_get(top, "vms")), 1);
	cr_expect_str_eq(json_string_value(json_object_get(nth_of(top, o->pid, 0), "comm")), "q?[31m?\"x");
	json_decref(top);
	snprintf(args, sizeof(args), "--pid %d 2>/dev/null", (int)o->pid);
	cr_expect_eq(run(args), 0);
	snprintf(row, sizeof(row), "\n%8d  %-15s    0  %4d  ?            2\n", (int)o->pid, "q?[31m?\"x", o->fds[0]);
	cr_expect(strstr(cli_text, row), "%s is not in %s", row, cli_text);
	owner_end(o);
}

/* Without debugfs nobody tells which vCPU is whose: then there is no number. */
Test(cli_list, of_several_vms_in_a_process_each_has_its_own_vcpus_or_none_is_told)
{
	struct owner *o = owner_new(2);
	unsigned int told = 0;
	json_t *top;

	o->configs[0] = (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 1 };
	o->configs[1] = (struct vm_config){ .mode = IRQCHIP_NONE, .nvcpus = 3 };
	owner_start(o);
	top = listed("");
	for (unsigned int i = 0; i < 2; i++) {
		json_t *vm = nth_of(top, o->pid, i);

		cr_assert(vm, "%s", cli_text);
		cr_expect_eq(number(vm, "vm"), i);
		cr_expect_eq(number(vm, "fd"), o->fds[i]);
		told += !json_is_null(json_object_get(vm, "vcpus"));
		if (!json_is_null(json_object_get(vm, "vcpus")))
			expect_vcpus(vm, o, i);
	}
	cr_expect_null(nth_of(top, o->pid, 2));
	cr_expect(told == 0 || told == 2);
	printf("whose vCPUs are is %stold here\n", told ? "" : "not ");
	json_decref(top);
	owner_end(o);
}

/* Each object twice, and the VM's own descriptors closed. */
static void keep_vcpus(struct owner *o)
{
	for (unsigned int i = 0; i < o->configs[0].nvcpus; i++)
		dup(o->vcpus[0][i]);
	close(o->fds[0]);
}

Test(cli_list, a_vm_of_which_only_vcpus_are_left_is_one)
{
	struct owner *o = owner_new(1);
	char args[64], row[64];
	json_t *top, *vm;

	o->configs[0] = (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 2 };
	o->then = keep_vcpus;
	owner_start(o);
	top = listed("");
	vm = nth_of(top, o->pid, 0);
	cr_assert(vm, "%s", cli_text);
	cr_expect_null(nth_of(top, o->pid, 1));
	cr_expect(json_is_null(json_object_get(vm, "fd")) && json_is_null(json_object_get(vm, "vm")));
	expect_vcpus(vm, o, 0);
	json_decref(top);
	snprintf(args, sizeof(args), "--pid %d 2>/dev/null", (int)o->pid);
	cr_expect_eq(run(args), 0);
	snprintf(row, sizeof(row), "    -     -  ?            2\n");
	cr_expect(strstr(cli_text, row), "%s", cli_text);
	owner_end(o);
}

/* As another user; the program may be where that one cannot go. @number: of the process, or NULL for all. */
static int as_nobody(int program_fd, char *number)
{
	char *const of[] = { "irqshift", "list", "--source", "proc", "--json", number ? "--pid" : NULL, number, NULL }, *const env[] = { NULL };
	int p[2], status;
	size_t used;
	FILE *f;
	pid_t pid;

	cr_assert_eq(pipe(p), 0);
	pid = fork();
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
		if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(99);
		fexecve(program_fd, of, env);
		_exit(98);
	}
	close(p[1]);
	f = fdopen(p[0], "r");
	used = fread(cli_text, 1, sizeof(cli_text) - 1, f);
	cli_text[used] = '\0';
	fclose(f);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(cli_list, who_may_not_look_is_told_how_many_not_which)
{
	int fd = open(cli_program(), O_RDONLY);
	struct owner *o;
	char number_of[16];
	json_t *top;

	if (geteuid()) {
		cr_skip_test("only root can be another user");
		return;
	}
	o = owner_new(1);
	o->configs[0] = (struct vm_config){ .mode = IRQCHIP_FULL, .nvcpus = 1 };
	owner_start(o);
	cr_assert_eq(as_nobody(fd, NULL), 0);
	top = json_loads(cli_text, 0, NULL);
	cr_assert(top, "%s", cli_text);
	cr_expect_geq(number(top, "denied"), 2, "this process, and the one with a VM");
	cr_expect_null(nth_of(top, o->pid, 0));
	json_decref(top);
	snprintf(number_of, sizeof(number_of), "%d", (int)o->pid);
	cr_expect_eq(as_nobody(fd, number_of), 1);
	cr_expect_str_eq(cli_text, "");
	owner_end(o);
}

static void end_all(pid_t *pids, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

/* Processes with a VM come and go all the time. */
static void come_and_go(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(LIFE_S);
	for (;;) {
		pid_t pid = fork();

		if (!pid) {
			static struct vm vm;

			vm_open(&vm, (struct vm_config){ .mode = IRQCHIP_SPLIT, .nvcpus = 2 });
			for (unsigned int i = 0; i < 20; i++)
				close(dup(i % 2 ? vm.fd : vm.vcpus[0]));
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

Test(cli_list, a_process_that_ends_meanwhile_is_no_error)
{
	size_t seen = 0;
	pid_t pids[2];

	for (unsigned int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i])
			come_and_go();
	}
	for (unsigned int i = 0; i < RUNS; i++) {
		json_t *top = listed("");

		seen += json_array_size(json_object_get(top, "vms"));
		json_decref(top);
	}
	end_all(pids, 2);
	printf("%zu VMs seen in %d lists\n", seen, RUNS);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `irqshift list` by the module and by /proc: the same VMs, and who is told of which. Roles: root user. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "lab.h"
#include "still_vm.h"
#include "tests/unit/cli_run.h"

#define PLAIN 1000 /* tests/lab/jobs/module.sh */
#define YAMA "/proc/sys/kernel/yama/ptrace_scope"

static const char *const names[] = { "none", "split", "full" };

/* ---- the command ---- */

/* As this user, or with "su -m plain -c" as another; ends with json_decref(). */
static json_t *list(const char *before, const char *args)
{
	json_error_t err;
	char cmd[256];
	json_t *top;

	snprintf(cmd, sizeof(cmd), "%s '%s list --json %s' 2>/dev/null", before, cli_program(), args);
	cr_assert_eq(cli_capture(cmd), 0, "%s: %s", cmd, cli_text);
	top = json_loads(cli_text, 0, &err);
	cr_assert(top, "%s: %s", err.text, cli_text);
	return top;
}

static json_int_t number(const json_t *o, const char *key)
{
	const json_t *value = json_object_get(o, key);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* The nth VM of a process, or NULL. */
static json_t *nth_of(const json_t *top, pid_t pid, unsigned int n)
{
	const json_t *vms = json_object_get(top, "vms");

	for (size_t i = 0; i < json_array_size(vms); i++) {
		json_t *vm = json_array_get(vms, i);

		if (number(vm, "pid") == pid && !n--)
			return vm;
	}
	return NULL;
}

static void expect_irqchip(const json_t *vm, const char *name)
{
	const json_t *irqchip = json_object_get(vm, "irqchip");

	if (name)
		cr_expect_str_eq(json_string_value(irqchip), name);
	else
		cr_expect(json_is_null(irqchip));
}

static void expect_vcpus(const json_t *vm, const struct still_vm *is)
{
	const json_t *vcpus = json_object_get(vm, "vcpus");

	cr_assert_eq(json_array_size(vcpus), is->nvcpus);
	for (unsigned int i = 0; i < is->nvcpus; i++) {
		cr_expect_eq(number(json_array_get(vcpus, i), "id"), i);
		cr_expect_eq(number(json_array_get(vcpus, i), "fd"), is->vcpus[i]);
	}
}

/* ---- a process with two VMs ---- */

struct pair {
	_Atomic int ready; /* 1, or -errno */
	struct still_vm vms[2];
	pid_t pid;
};

/* @uid: whose it is. The second VM is one of which only vCPUs are left. */
static void be_pair(struct pair *p, uid_t uid)
{
	int rc = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (uid != getuid() && (setresgid(uid, uid, uid) || setresuid(uid, uid, uid)))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
	rc = still_vm_open(&p->vms[0], 2, STILL_KERNEL, false);
	if (!rc)
		rc = still_vm_open(&p->vms[1], 3, STILL_SPLIT, false);
	close(p->vms[1].fd);
	p->ready = rc ? rc : 1;
	for (;;)
		pause();
}

static struct pair *pair_start(uid_t uid)
{
	struct pair *p = mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	cr_assert_neq(p, MAP_FAILED);
	pid = fork();
	if (!pid)
		be_pair(p, uid);
	p->pid = pid; /* what is shared the child must not write as well */
	for (double end = lab_now() + 20; !p->ready && lab_now() < end;)
		lab_sleep_us(500);
	cr_assert_eq(p->ready, 1, "no process with two VMs: %d", p->ready);
	return p;
}

static void pair_end(struct pair *p)
{
	lab_kill(p->pid);
	munmap(p, sizeof(*p));
}

/* ---- tests ---- */

Test(cli_list, module_and_proc_agree_but_for_the_irqchip, .init = lab_have_module, .timeout = 60)
{
	struct still_child *children[3];
	json_t *module, *proc;

	for (unsigned int i = 0; i < 3; i++) {
		children[i] = still_child_start(i + 1, (enum still_irqchip)i);
		cr_assert_not_null(children[i]);
	}
	module = list("sh -c", "--source module");
	proc = list("sh -c", "--source proc");
	cr_expect_str_eq(json_string_value(json_object_get(module, "source")), "module");
	for (unsigned int i = 0; i < 3; i++) {
		json_t *told = nth_of(module, children[i]->pid, 0), *seen = nth_of(proc, children[i]->pid, 0);

		cr_assert(told && seen, "VM %u", i);
		expect_irqchip(told, names[i]);
		expect_irqchip(seen, NULL);
		expect_vcpus(told, &children[i]->vm);
		cr_expect_eq(number(told, "fd"), children[i]->vm.fd);
		cr_expect_eq(number(told, "vm"), 0);
		json_object_del(told, "irqchip");
		json_object_del(seen, "irqchip");
		cr_expect(json_equal(told, seen), "VM %u", i);
		cr_expect_null(nth_of(module, children[i]->pid, 1));
		cr_expect_null(nth_of(proc, children[i]->pid, 1));
	}
	json_decref(module);
	json_decref(proc);
	for (unsigned int i = 0; i < 3; i++)
		still_child_end(children[i]);
}

Test(cli_list, of_one_process_the_module_is_asked_with_a_proof, .init = lab_have_module, .timeout = 60)
{
	struct still_child *child = still_child_start(2, STILL_SPLIT), *other = still_child_start(1, STILL_KERNEL);
	char args[32], cmd[128];
	json_t *top;

	cr_assert(child && other);
	snprintf(args, sizeof(args), "--pid %d", child->pid);
	top = list("sh -c", args);
	cr_expect_str_eq(json_string_value(json_object_get(top, "source")), "module", "auto is the module where there is one");
	cr_assert_eq(json_array_size(json_object_get(top, "vms")), 1);
	expect_irqchip(nth_of(top, child->pid, 0), "split");
	expect_vcpus(nth_of(top, child->pid, 0), &child->vm);
	json_decref(top);
	still_child_end(child);
	still_child_end(other);
	snprintf(cmd, sizeof(cmd), "'%s' list --source module %s 2>&1", cli_program(), args);
	cr_expect_eq(cli_capture(cmd), 1);
	cr_expect(strstr(cli_text, "No such process"), "%s", cli_text);
}

/* What /proc cannot tell apart it does not count: five vCPUs, of which some have the same identifiers. */
Test(cli_list, vms_that_only_vcpus_are_left_of_are_told_apart_by_the_module, .init = lab_have_module, .timeout = 60)
{
	struct pair *p = pair_start(getuid());
	json_t *top = list("sh -c", "--source module"), *whole = nth_of(top, p->pid, 0), *left = nth_of(top, p->pid, 1);

	cr_assert(whole && left);
	cr_expect_null(nth_of(top, p->pid, 2));
	cr_expect(number(whole, "fd") == p->vms[0].fd && number(whole, "vm") == 0);
	expect_irqchip(whole, "full");
	expect_vcpus(whole, &p->vms[0]);
	cr_expect(json_is_null(json_object_get(left, "fd")) && json_is_null(json_object_get(left, "vm")));
	expect_irqchip(left, "split");
	expect_vcpus(left, &p->vms[1]);
	json_decref(top);

	top = list("sh -c", "--source proc");
	cr_assert_not_null(nth_of(top, p->pid, 0));
	cr_expect(json_is_null(json_object_get(nth_of(top, p->pid, 0), "vcpus")));
	json_decref(top);
	pair_end(p);
}

Test(cli_list, a_plain_user_sees_only_its_own, .init = lab_have_module, .timeout = 60)
{
	static const char *const sources[] = { "--source module", "--source proc" };
	struct pair *own, *roots;
	char cmd[128];

	lab_root_only();
	own = pair_start(PLAIN);
	roots = pair_start(0);
	for (unsigned int i = 0; i < 2; i++) {
		json_t *top = list("su -m plain -c", sources[i]);

		cr_expect_not_null(nth_of(top, own->pid, 0), "%s", sources[i]);
		expect_irqchip(nth_of(top, own->pid, 0), i ? NULL : "full");
		cr_expect_null(nth_of(top, roots->pid, 0), "%s", sources[i]);
		cr_expect_gt(number(top, "denied"), 0);
		json_decref(top);
		snprintf(cmd, sizeof(cmd), "su -m plain -c '%s list %s --pid %d' 2>&1", cli_program(), sources[i], roots->pid);
		cr_expect_eq(cli_capture(cmd), 1);
		cr_expect(strstr(cli_text, "Permission denied"), "%s", cli_text);
	}
	pair_end(own);
	pair_end(roots);
}

/* May look, may not ptrace: the module has no proof, /proc says what it knows. */
Test(cli_list, where_yama_forbids_to_ptrace_proc_is_asked, .init = lab_have_module, .timeout = 60)
{
	struct pair *own;
	char back[64];
	json_t *top;

	lab_root_only();
	if (access(YAMA, W_OK)) {
		cr_skip_test("no Yama in this kernel");
		return;
	}
	own = pair_start(PLAIN);
	cr_assert_eq(cli_capture("cat " YAMA), 0);
	snprintf(back, sizeof(back), "echo %c >" YAMA, *cli_text);
	cr_assert_eq(cli_capture("echo 1 >" YAMA), 0);
	top = list("su -m plain -c", "--source module");
	cr_expect_eq(cli_capture(back), 0);
	cr_assert_not_null(nth_of(top, own->pid, 0));
	cr_expect_eq(number(nth_of(top, own->pid, 0), "fd"), own->vms[0].fd);
	expect_irqchip(nth_of(top, own->pid, 0), NULL);
	json_decref(top);
	pair_end(own);
}

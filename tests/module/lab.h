/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What tests/lab/module_suite tells the tests of the kernel module, which it runs in the lab machine. A test program runs
 * once per role: "root"; "user", without any right; "granted", a user who may open /dev/irqshift. In a reduced run, only in the
 * first role of its line `Roles: ...`.
 */
#ifndef IRQSHIFT_TESTS_MODULE_LAB_H
#define IRQSHIFT_TESTS_MODULE_LAB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* lab_have_module - skips the test, with the reason, outside of the lab or where the module is not loaded. */
void lab_have_module(void);

/* lab_role - "root", "user" or "granted"; lab_root_only skips the test for the others. */
const char *lab_role(void);
void lab_root_only(void);

/* lab_count - @full with IRQSHIFT_FULL=1, else @reduced. */
unsigned int lab_count(unsigned int full, unsigned int reduced);

/* lab_ko - path of irqshift.ko; it, or another module that the lab loaded, by name: "kvm", "kvm_amd". */
const char *lab_ko(void);

/* lab_load/lab_unload - one try; 0 or -errno. */
int lab_load(const char *path);
int lab_unload(const char *name);

/* lab_loaded - whether there is such a module; lab_references - its reference count, -ENOENT without it. */
bool lab_loaded(const char *name);
int lab_references(const char *name);

/* lab_settled - waits, at most 10 s, until a module's count is @wanted; what it is then. */
int lab_settled(const char *name, int wanted);

/* lab_meminfo_kb - a line of /proc/meminfo. */
long lab_meminfo_kb(const char *name);

/* lab_seed - a random seed, printed; $IRQSHIFT_SEED if set. lab_random - the next of its numbers; lab_below: under @n. */
uint64_t lab_seed(void);
uint64_t lab_random(uint64_t *seed);
uint32_t lab_below(uint64_t *seed, uint32_t n);

void lab_sleep_us(unsigned int us);

/* lab_now - seconds of CLOCK_MONOTONIC. */
double lab_now(void);

/* lab_kill - SIGKILL, and waits for the end; @pid may be 0: nothing. */
void lab_kill(pid_t pid);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Real QEMU processes that run the test guest: started, watched, saved, resumed, ended.
 *
 * A struct vm belongs to one thread. vm_stop() may be called on it whatever happened before. Only one runs at a time,
 * whichever process asks: a second one would make the guests late. So do not start one before the other is stopped, unless
 * one migrates to the other (@beside).
 */
#ifndef TESTS_QEMU_VM_H
#define TESTS_QEMU_VM_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum vm_kind { VM_KVM,
	       VM_KVM_SPLIT,
	       VM_KVM_OFF,
	       VM_TCG,
	       VM_KINDS };
enum vm_release { VM_QEMU_7_2,
		  VM_QEMU_10_0,
		  VM_RELEASES };

/** vm_kind_name - The profile name: "kvm", "kvm-split", "kvm-off", "tcg". */
const char *vm_kind_name(enum vm_kind kind);

/** vm_release_name - "7.2" or "10.0". */
const char *vm_release_name(enum vm_release release);

/**
 * vm_can - Can this machine run @kind with @release?
 * @ret_why: set to a static text when it cannot
 */
bool vm_can(enum vm_release release, enum vm_kind kind, const char **ret_why);

struct vm_config {
	enum vm_release release;
	enum vm_kind kind;
	const char *machine;  /* machine type; NULL: pc-i440fx-7.2 */
	const char *cpu;      /* NULL: qemu64,-x2apic */
	unsigned int cpus;    /* 0: 1 */
	const char *append;   /* the guest's words; NULL: none */
	const char *incoming; /* a saved stream to start from; NULL: boot */
	const char *listen;   /* "unix:PATH" or "tcp:HOST:PORT": wait there to be migrated to; NULL: do not */
	bool beside;          /* one that this thread started before has the turn, and is stopped after this one */
	unsigned int limit_s; /* hard limit on the life of the process; 0: 40 */
};

struct vm {
	/* private: */
	pid_t pid;
	int monitor, turn;
	char directory[64];
	char serial[96], output[96], socket[96];
	/* public: when QEMU last said STOP and RESUME, microseconds of the host's clock; 0: not yet. vm_qmp() sees events */
	int64_t stopped_us, resumed_us;
	/* what went wrong last, one line; empty at first */
	char error[512];
};

/**
 * vm_start - Start a QEMU and connect to its monitor.
 * @vm: any memory; filled
 *
 * With @config->incoming the call returns when the stream is loaded and the guest goes on.
 *
 * Return: 0, or -1 with vm->error set (QEMU's own words if it had any). vm_stop() is due in either case.
 */
int vm_start(struct vm *vm, const struct vm_config *config);

/** vm_wait_lines - Wait until the serial log has @lines lines. Return: 0, or -1 after @wait_ms. */
int vm_wait_lines(struct vm *vm, unsigned int lines, unsigned int wait_ms);

/**
 * vm_save - Write the guest's stream to @path; the guest does not run any more afterwards.
 *
 * The guest is not paused first: QEMU stops it at the end, so that TSC and virtual clock are read at one moment. The
 * TSC of a KVM guest that was paused before runs on until it is read, and the guest sees a jump.
 *
 * Return: 0, or -1 with vm->error set.
 */
int vm_save(struct vm *vm, const char *path);

/** vm_qmp - Run one QMP command given as JSON. @reply may be NULL. Return: 0, or -1 with vm->error set. */
int vm_qmp(struct vm *vm, const char *command, char *reply, size_t size);

/**
 * vm_migrate - Move the guest to a QEMU that listens, or to what stands in between.
 * @uri: as in vm_config.listen
 * @capabilities: names to switch on, separated by spaces; NULL: none
 *
 * Waits for the end. Return: 0 when completed, 1 when QEMU says that it failed, -1 with vm->error set.
 */
int vm_migrate(struct vm *vm, const char *uri, const char *capabilities);

/** vm_wait_running - Wait until the guest runs (vm->resumed_us is set then). Return: 0, or -1 after @wait_ms. */
int vm_wait_running(struct vm *vm, unsigned int wait_ms);

/** vm_serial - The serial log so far, a string that the caller frees; NULL when there is none. */
char *vm_serial(const struct vm *vm);

/** vm_pid - The QEMU process itself, or -1. */
pid_t vm_pid(const struct vm *vm);

/** vm_stop - End the process and remove its files. */
void vm_stop(struct vm *vm);

#endif

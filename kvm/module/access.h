/* SPDX-License-Identifier: GPL-2.0-only */
/* Which files are KVM's, and what shows that a caller may do as it likes with a process. */
#ifndef IRQSHIFT_ACCESS_H
#define IRQSHIFT_ACCESS_H

#include <linux/types.h>

struct file;
struct kvm;
struct kvm_vcpu;
struct mm_struct;

enum access_kind {
	ACCESS_NOT_KVM,
	ACCESS_VM,
	ACCESS_VCPU,
};

/* access_kind - what a file is. It stays so for as long as the file does. */
enum access_kind access_kind(const struct file *file);

/* access_vm - the VM of a VM's or a vCPU's file. Valid for as long as the file is held. */
struct kvm *access_vm(const struct file *file);

/* access_vcpu - the vCPU of a vCPU's file; NULL for other files. */
struct kvm_vcpu *access_vcpu(const struct file *file);

/*
 * access_proof_get - a descriptor of the caller for /proc/PID/mem, opened for reading and writing
 *
 * Only the kernel's check for ptrace(2) hands out such a descriptor, and who has it can change the process at will: it
 * is the proof that the caller may ask the module about the process that has this memory, and about no other.
 *
 * Return: to be given to fput(); ERR_PTR(-EBADF) no descriptor, ERR_PTR(-EACCES) not such a file.
 */
struct file *access_proof_get(unsigned int fd);

/* access_proof_mm - the memory that a proof is for: to compare with, not to look into. It is no other's while the proof is held. */
const struct mm_struct *access_proof_mm(const struct file *proof);

#endif

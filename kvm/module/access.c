// SPDX-License-Identifier: GPL-2.0-only
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kvm_host.h>
#include <linux/magic.h>
#include <linux/module.h>

#include "access.h"

static bool on(const struct file *file, unsigned long magic)
{
	return file_inode(file)->i_sb->s_magic == magic;
}

static const char *name_of(const struct file *file)
{
	return file->f_path.dentry->d_name.name;
}

/*
 * The names of anonymous inodes are given by the kernel's code alone, but a module of somebody else might give one of
 * KVM's: so the code behind the file has to be KVM's as well.
 */
static bool from_kvm(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return owner ? str_has_prefix(owner->name, "kvm") : IS_BUILTIN(CONFIG_KVM);
}

enum access_kind access_kind(const struct file *file)
{
	if (!on(file, ANON_INODE_FS_MAGIC) || !from_kvm(file) || !file->f_op->unlocked_ioctl)
		return ACCESS_NOT_KVM;
	if (strcmp(name_of(file), "kvm-vm") == 0)
		return ACCESS_VM;
	if (str_has_prefix(name_of(file), "kvm-vcpu:"))
		return ACCESS_VCPU;
	return ACCESS_NOT_KVM;
}

struct kvm_vcpu *access_vcpu(const struct file *file)
{
	return access_kind(file) == ACCESS_VCPU ? file->private_data : NULL;
}

struct kvm *access_vm(const struct file *file)
{
	struct kvm_vcpu *vcpu = access_vcpu(file);

	return vcpu ? vcpu->kvm : file->private_data;
}

/*
 * The name is that of a file of procfs whose private data is a struct mm_struct, but nothing here rests on that: what a
 * proof leads to is compared and never followed. After an exec the process has new memory and the proof leads to the old.
 */
struct file *access_proof_get(unsigned int fd)
{
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if (on(file, PROC_SUPER_MAGIC) && strcmp(name_of(file), "mem") == 0 && (file->f_mode & FMODE_READ) &&
	    (file->f_mode & FMODE_WRITE) && file->private_data)
		return file;
	fput(file);
	return ERR_PTR(-EACCES);
}

const struct mm_struct *access_proof_mm(const struct file *proof)
{
	return proof->private_data;
}

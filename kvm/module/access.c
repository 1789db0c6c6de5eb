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

/* Whether a file's name begins with a literal; a comparison of so many bytes, no calls: batches ask this of every entry. */
#define NAME_BEGINS(file, literal)                               \
	((file)->f_path.dentry->d_name.len >= strlen(literal) && \
	 memcmp((file)->f_path.dentry->d_name.name, literal, strlen(literal)) == 0)
#define NAME_IS(file, literal) (NAME_BEGINS(file, literal) && (file)->f_path.dentry->d_name.len == strlen(literal))

/*
 * The names of anonymous inodes are given by the kernel's code alone: nobody else says kvm-vm. Where the file has an owner,
 * KVM's is asked for as well; a KVM that is built in has none, and 6.1 does not say it.
 */
static bool from_kvm(const struct file *file)
{
	const struct module *owner = file->f_op->owner;

	return !owner || str_has_prefix(owner->name, "kvm");
}

enum access_kind access_kind(const struct file *file)
{
	if (!on(file, ANON_INODE_FS_MAGIC) || !from_kvm(file) || !file->f_op->unlocked_ioctl)
		return ACCESS_NOT_KVM;
	if (NAME_BEGINS(file, "kvm-vcpu:"))
		return ACCESS_VCPU;
	if (NAME_IS(file, "kvm-vm"))
		return ACCESS_VM;
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
	if (on(file, PROC_SUPER_MAGIC) && NAME_IS(file, "mem") && (file->f_mode & FMODE_READ) &&
	    (file->f_mode & FMODE_WRITE) && file->private_data)
		return file;
	fput(file);
	return ERR_PTR(-EACCES);
}

const struct mm_struct *access_proof_mm(const struct file *proof)
{
	return proof->private_data;
}

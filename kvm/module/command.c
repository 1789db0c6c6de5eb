// SPDX-License-Identifier: GPL-2.0-only
#include <linux/fs.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>

#include "command.h"
#include "uapi.h"

/* Not all kernels have names for these. */
#define MSR_U_CET 0x6a0
#define MSR_PL0_SSP 0x6a4
#define MSR_PL3_SSP 0x6a7

#define IS(name, type) __builtin_types_compatible_p(type, name)
#define KIND_VM ACCESS_VM
#define KIND_VCPU ACCESS_VCPU
#define GETS_GET true
#define GETS_SET false

#define COMMAND_ROW(name, kind, does, structure)                      \
	{                                                             \
		.ioctl = name,                                        \
		.on = KIND_##kind,                                    \
		.gets = GETS_##does,                                  \
		.array = IS(struct kvm_msrs, structure),              \
		.size = IS(__u64, structure) ? 0 : sizeof(structure), \
	},

static const struct command commands[] = { IRQSHIFT_COMMANDS(COMMAND_ROW) };

const struct command *command_find(u32 ioctl)
{
	unsigned int n;

	for (n = 0; n < ARRAY_SIZE(commands); n++)
		if (commands[n].ioctl == ioctl)
			return &commands[n];
	return NULL;
}

u32 command_elements(const struct command *command, u32 size)
{
	return command->array ? (size - command->size) / sizeof(struct kvm_msr_entry) : 0;
}

bool command_size_ok(const struct command *command, u32 size)
{
	if (!command->array)
		return size == command->size;
	return size >= command->size && (size - command->size) % sizeof(struct kvm_msr_entry) == 0 &&
	       command_elements(command, size) <= IRQSHIFT_MSRS_MAX;
}

int command_allowed(const struct command *command, struct file *file, unsigned long data)
{
	return security_file_ioctl(file, command->ioctl, data);
}

/* A thread of the kernel or a worker of io_uring does not keep what is in the FPU when it is scheduled out. */
static bool keeps_fpu(void)
{
	return !(current->flags & (PF_KTHREAD | PF_IO_WORKER));
}

/* Of shadow stacks: a part of the FPU's state. */
static bool in_fpu(u32 msr)
{
	return msr == MSR_U_CET || (msr >= MSR_PL0_SSP && msr <= MSR_PL3_SSP);
}

/*
 * A KVM with shadow stacks loads the guest's FPU where such an MSR is on the list, on a processor that has them. The list stands in
 * memory that is the process's to change: a look at it says nothing of what KVM will find there, so none is asked for then. What
 * is in the registers after the thread was scheduled out is another process's, and would become the guest's.
 */
static bool msrs_load_fpu(void)
{
#ifdef KVM_REG_GUEST_SSP
	return boot_cpu_has(X86_FEATURE_SHSTK) || boot_cpu_has(X86_FEATURE_IBT);
#else
	return false;
#endif
}

/*
 * Whether KVM may load the guest's FPU into the current thread: to take in an INIT where guests may have MPX, or for MSRs. What
 * cannot be read is KVM's to refuse.
 */
static bool loads_fpu(const struct command *command, unsigned long data)
{
	const struct kvm_msrs __user *msrs = (void __user *)data;
	u32 n, i, msr;

	if (command->ioctl == KVM_GET_MP_STATE)
		return boot_cpu_has(X86_FEATURE_MPX);
	if (command->array && msrs_load_fpu())
		return true;
	if (!command->array || get_user(n, &msrs->nmsrs))
		return false;
	for (i = 0; i < n && i < IRQSHIFT_MSRS_MAX; i++)
		if (!get_user(msr, &msrs->entries[i].index) && in_fpu(msr))
			return true;
	return false;
}

int command_run(const struct command *command, struct file *file, unsigned long data)
{
	long ret;

	if (!keeps_fpu() && loads_fpu(command, data))
		return -EOPNOTSUPP;
	ret = file->f_op->unlocked_ioctl(file, command->ioctl, data);
	return ret == -ENOIOCTLCMD ? -ENOTTY : ret;
}

int command_check_data(const struct command *command, u32 size, const void *data)
{
	const struct kvm_msrs *msrs = data;

	return !command->array || msrs->nmsrs == command_elements(command, size) ? 0 : -EINVAL;
}

bool command_succeeded(const struct command *command, u32 size, int result)
{
	return result >= 0 && (!command->array || result == command_elements(command, size));
}

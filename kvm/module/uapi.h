/* SPDX-License-Identifier: LGPL-2.1-or-later OR GPL-2.0-only */
/*
 * What programs and irqshift.ko say to each other: the device /dev/irqshift, which takes io_uring commands, and the
 * generic netlink family "irqshift". Fixed since ABI 1: values are added at the end, never changed.
 * Integers are in the host's byte order. Reserved fields are 0 and are checked.
 */
#ifndef IRQSHIFT_KVM_MODULE_UAPI_H
#define IRQSHIFT_KVM_MODULE_UAPI_H

#include <linux/kvm.h>
#include <linux/types.h>

#define IRQSHIFT_ABI 1

/* ---- the ioctls of KVM that a batch or a request for state may hold ---- */

/* What of a command's structure counts where the structure holds an array: its head and so many elements at most. */
#define IRQSHIFT_MSRS_MAX 256

/*
 * One row per ioctl: X(name, on, does, structure). Anything else is refused with -EPERM.
 * on: VM or VCPU. does: GET only reads, SET changes the VM.
 * structure: what is at the entry's data; u64 stands for none (KVM_GET_TSC_KHZ: the answer is the result): the entry's
 * size is 0 then, its data is not looked at, and a request for state has no DATA in either direction.
 * KVM_GET_MSRS and KVM_SET_MSRS: followed by as many struct kvm_msr_entry as nmsrs says, at most IRQSHIFT_MSRS_MAX.
 * Their result is how many were read or set; fewer than nmsrs counts as failed.
 */
#define IRQSHIFT_COMMANDS(X)                                      \
	X(KVM_GET_IRQCHIP, VM, GET, struct kvm_irqchip)           \
	X(KVM_SET_IRQCHIP, VM, SET, struct kvm_irqchip)           \
	X(KVM_GET_PIT2, VM, GET, struct kvm_pit_state2)           \
	X(KVM_SET_PIT2, VM, SET, struct kvm_pit_state2)           \
	X(KVM_GET_CLOCK, VM, GET, struct kvm_clock_data)          \
	X(KVM_SET_CLOCK, VM, SET, struct kvm_clock_data)          \
	X(KVM_GET_MP_STATE, VCPU, GET, struct kvm_mp_state)       \
	X(KVM_SET_MP_STATE, VCPU, SET, struct kvm_mp_state)       \
	X(KVM_GET_REGS, VCPU, GET, struct kvm_regs)               \
	X(KVM_GET_SREGS, VCPU, GET, struct kvm_sregs)             \
	X(KVM_SET_SREGS, VCPU, SET, struct kvm_sregs)             \
	X(KVM_GET_MSRS, VCPU, GET, struct kvm_msrs)               \
	X(KVM_SET_MSRS, VCPU, SET, struct kvm_msrs)               \
	X(KVM_GET_LAPIC, VCPU, GET, struct kvm_lapic_state)       \
	X(KVM_SET_LAPIC, VCPU, SET, struct kvm_lapic_state)       \
	X(KVM_GET_TSC_KHZ, VCPU, GET, __u64)                      \
	X(KVM_GET_VCPU_EVENTS, VCPU, GET, struct kvm_vcpu_events) \
	X(KVM_SET_VCPU_EVENTS, VCPU, SET, struct kvm_vcpu_events)

/* ---- /dev/irqshift: IORING_OP_URING_CMD ---- */

#define IRQSHIFT_DEVICE_NAME "irqshift" /* below /dev, mode 0600 as it is made */

/* cmd_op */
#define IRQSHIFT_URING_GATHER 1 /* only GET commands; each entry is run, whatever became of the others */
/* GET and SET; all entries are checked first, then run until one fails; so does one that took fewer MSRs than nmsrs */
#define IRQSHIFT_URING_RESTORE 2

#define IRQSHIFT_BATCH_MAX 16384 /* entries */

/*
 * One ioctl on a descriptor of the caller.
 * @fd: a VM or a vCPU
 * @command: KVM_*
 * @data: address of the structure, read and written as by the ioctl
 * @size: bytes there; must be what the command's row says, array and all
 * @result: set by the module: what the ioctl returned, or -errno; -ECANCELED: not run
 */
struct irqshift_entry {
	__s32 fd;
	__u32 command;
	__u64 data;
	__u32 size;
	__s32 result;
};

/*
 * Flags. INLINE: the vCPUs are out of KVM_RUN: run in the submitting task, do not hand over to a worker.
 * SHARED: of a gather: several commands have the same list at the same time, so that several CPUs work on it. The caller
 * sets all results to -ECANCELED before it submits the first; a command runs an entry when its result is that still, and
 * sets it to -EINPROGRESS meanwhile. Neighbours with the same fd are run in their order by the one that runs the first.
 */
#define IRQSHIFT_BATCH_INLINE 1u
#define IRQSHIFT_BATCH_SHARED 2u

/*
 * The payload at sqe->cmd: 16 bytes, so SQEs of 64 bytes do.
 * @entries: address of struct irqshift_entry[count]; with SHARED: a multiple of 4, else -EINVAL
 * @first: with SHARED: the entry to begin with, below count: after the last comes entry 0; else 0
 *
 * The completion's res: how many entries succeeded (in a restore: before the first that failed); or -errno when nothing
 * was run: -EINVAL for an unknown cmd_op, flags, first, count 0 or a fixed buffer, -E2BIG for more than IRQSHIFT_BATCH_MAX,
 * -EFAULT, -ENOMEM, -EINTR; for a restore also what is wrong with an entry, whose result says it: -EPERM a command that
 * is not listed, -EBADF no descriptor, -EINVAL not one of KVM's or not of the kind that the command wants, or a wrong size,
 * -EIO a VM of another process, -EFAULT data that cannot be read, or for a GET written.
 * In a gather these are results of the single entries, and -EPERM is that of a SET too. What a security module says to the
 * ioctl is the entry's result in both; so is -EOPNOTSUPP, for what a worker of io_uring (without INLINE) could lose the guest's
 * FPU by: KVM_GET_MP_STATE on a CPU with MPX, and the MSRs U_CET and PL0_SSP to PL3_SSP; all MSRs on a CPU with shadow stacks
 * in a kernel whose KVM gives them to guests (6.18).
 */
struct irqshift_batch {
	__u64 entries;
	__u32 count;
	__u16 flags;
	__u16 first;
};

/* ---- generic netlink ---- */

#define IRQSHIFT_GENL_NAME "irqshift"
#define IRQSHIFT_GENL_VERSION 1
#define IRQSHIFT_GENL_GROUP "events"

enum irqshift_genl_command {
	IRQSHIFT_GENL_UNSPEC,
	IRQSHIFT_GENL_GET_INFO, /* -> ABI, EVENTS (bits of those that are there), FEATURES */
	/*
	 * Dump; [MEM_FD]. A message per VM: PID, [VM_FD], IRQCHIP, VCPU...; vCPUs that do not fit follow in further ones with
	 * the same head, all but the last with MORE. A VM is listed with the process whose memory it belongs to; VM_FD is
	 * absent when only vCPUs have a descriptor there.
	 */
	IRQSHIFT_GENL_LIST_VMS,
	/*
	 * MEM_FD, ENTRY... -> ENTRY... in the same order, with RESULT and DATA. Nothing is run when anything is wrong: -EBADF no
	 * descriptor, -EACCES MEM_FD is not what it should be, or not of the VM's process, -EPERM not a KVM_GET_* of the list,
	 * -EINVAL something is missing, not of KVM, not of the kind that the command wants, or of a wrong size, -E2BIG more than
	 * IRQSHIFT_STATE_ENTRIES_MAX, -ESRCH the process is gone, -EBUSY another request still waits for its memory, -ENOMEM, -EINTR;
	 * and what a security module says. -ETIMEDOUT: its memory could not be had, and what was run is not told.
	 */
	IRQSHIFT_GENL_GET_STATE,
	IRQSHIFT_GENL_SUBSCRIBE,   /* [MEM_FD], [EVENTS], [BUFFER], [GROUP]: one subscription per socket */
	IRQSHIFT_GENL_UNSUBSCRIBE, /* ends it; so does closing the socket */
	/*
	 * From the module: SEQ, DROPPED, RECORDS. nlmsg_seq is 0, nlmsg_pid the port of the subscriber's socket, which tells
	 * the subscriptions of a group apart. Without RECORDS: the subscription has ended, and there are SEQ records in all.
	 */
	IRQSHIFT_GENL_EVENT,
	IRQSHIFT_GENL_COMMANDS
};

enum irqshift_genl_attribute {
	IRQSHIFT_A_UNSPEC,
	IRQSHIFT_A_PAD,
	IRQSHIFT_A_ABI,      /* u32 */
	IRQSHIFT_A_FEATURES, /* u32: IRQSHIFT_FEATURE_* */
	IRQSHIFT_A_EVENTS,   /* u64: bit n is event n of enum irqshift_event_type; absent in SUBSCRIBE: all */
	IRQSHIFT_A_PID,      /* u32: the owner, in the pid namespace of the caller */
	IRQSHIFT_A_VM_FD,    /* u32: the lowest descriptor of the VM in its owner */
	IRQSHIFT_A_IRQCHIP,  /* u32: enum irqshift_irqchip */
	IRQSHIFT_A_VCPU,     /* nest, once per vCPU: VCPU_ID, VCPU_FD */
	IRQSHIFT_A_VCPU_ID,  /* u32: as given to KVM_CREATE_VCPU */
	IRQSHIFT_A_VCPU_FD,  /* u32: the lowest descriptor of the vCPU in its owner */
	/*
	 * u32: a descriptor of the caller: /proc/PID/mem of the VM's process, opened for reading and writing. Who could
	 * open that passed the kernel's own check for ptrace(2), and could change the process at will.
	 */
	IRQSHIFT_A_MEM_FD,
	IRQSHIFT_A_ENTRY,   /* nest: KVM_FD, COMMAND, [DATA]; in the answer COMMAND, RESULT, [DATA] */
	IRQSHIFT_A_KVM_FD,  /* u32: a descriptor of the caller for the VM or vCPU, from pidfd_getfd(2) */
	IRQSHIFT_A_COMMAND, /* u32: KVM_GET_* of the list above */
	IRQSHIFT_A_DATA,    /* the command's structure; absent in the request: zeroes. Needed by KVM_GET_IRQCHIP and KVM_GET_MSRS */
	/*
	 * s32: what the ioctl returned, or -errno; -EBUSY: the vCPU is in KVM_RUN; -ECANCELED: not run, one before it waited too
	 * long; -EOPNOTSUPP: a thread of the kernel could lose the guest's FPU, see struct irqshift_batch
	 */
	IRQSHIFT_A_RESULT,
	IRQSHIFT_A_BUFFER,  /* u32: events held back for a slow reader, 64 to 65536; absent: 4096 */
	IRQSHIFT_A_GROUP,   /* flag: the events go to the multicast group instead of to this socket */
	IRQSHIFT_A_SEQ,     /* u64: number of the first record, from 0, of this subscription; lost ones count too */
	IRQSHIFT_A_DROPPED, /* u64: how many before it were lost because the reader was slow; SEQ - DROPPED were sent */
	IRQSHIFT_A_RECORDS, /* array of struct irqshift_event */
	IRQSHIFT_A_MORE,    /* flag: the next message goes on with the vCPUs of the same VM */
	IRQSHIFT_A_COUNT
};

#define IRQSHIFT_FEATURE_GATHER 1u /* the device takes batches */
#define IRQSHIFT_FEATURE_STATE 2u  /* GET_STATE */
#define IRQSHIFT_FEATURE_EVENTS 4u /* kvm.ko is there and has tracepoints */

#define IRQSHIFT_STATE_ENTRIES_MAX 32 /* in one GET_STATE */
#define IRQSHIFT_BUFFER_MIN 64
#define IRQSHIFT_BUFFER_MAX 65536
#define IRQSHIFT_BUFFER_DEFAULT 4096
#define IRQSHIFT_SUBSCRIPTIONS_MAX 64 /* at a time: each of them costs KVM time */

enum irqshift_irqchip {
	IRQSHIFT_IRQCHIP_NONE,
	IRQSHIFT_IRQCHIP_KERNEL,
	IRQSHIFT_IRQCHIP_SPLIT,
};

/* ---- events ---- */

/*
 * One row per event: X(NAME, tracepoint, fields). The name is the tracepoint's in the group kvm; the fields are those
 * of struct irqshift_event's arg[], in order, by the names of the tracepoint's format: F(name).
 */
#define IRQSHIFT_EVENTS(X, F)                                                       \
	X(SET_IRQ, kvm_set_irq, F(gsi) F(level) F(irq_source_id))                   \
	X(PIC_SET_IRQ, kvm_pic_set_irq, F(chip) F(pin) F(elcr) F(imr) F(coalesced)) \
	X(IOAPIC_SET_IRQ, kvm_ioapic_set_irq, F(e) F(pin) F(coalesced))             \
	X(IOAPIC_DELAYED_EOI, kvm_ioapic_delayed_eoi_inj, F(e))                     \
	X(MSI_SET_IRQ, kvm_msi_set_irq, F(address) F(data))                         \
	X(APIC_IPI, kvm_apic_ipi, F(icr_low) F(dest_id))                            \
	X(APIC_ACCEPT_IRQ, kvm_apic_accept_irq, F(apicid) F(dm) F(tm) F(vec))       \
	X(APICV_ACCEPT_IRQ, kvm_apicv_accept_irq, F(apicid) F(dm) F(tm) F(vec))     \
	X(INJ_VIRQ, kvm_inj_virq, F(vector) F(soft) F(reinjected))                  \
	X(EOI, kvm_eoi, F(apicid) F(vector))                                        \
	X(PV_EOI, kvm_pv_eoi, F(apicid) F(vector))                                  \
	X(ACK_IRQ, kvm_ack_irq, F(irqchip) F(pin))                                  \
	X(WAIT_LAPIC_EXPIRE, kvm_wait_lapic_expire, F(vcpu_id) F(delta))            \
	X(HV_TIMER_STATE, kvm_hv_timer_state, F(vcpu_id) F(hv_timer_in_use))

#define IRQSHIFT_EVENT_ENUM(name, tracepoint, fields) IRQSHIFT_EVENT_##name,
#define IRQSHIFT_EVENT_NO_FIELD(name)
enum irqshift_event_type {
	IRQSHIFT_EVENTS(IRQSHIFT_EVENT_ENUM, IRQSHIFT_EVENT_NO_FIELD)
		IRQSHIFT_EVENT_TYPES
};

#define IRQSHIFT_EVENT_ARGS 5

/* The apicid of EOI and PV_EOI, which is the vCPU's id, where the module could not find it out. */
#define IRQSHIFT_VCPU_UNKNOWN 0xffffffffu

/*
 * @time: CLOCK_MONOTONIC, ns
 * @pid, @tid: the task it came up in, as the subscriber's pid namespace has it: a vCPU's thread, one that raised a line,
 *             or a thread of the kernel; 0: in an interrupt, or a task that the namespace does not have
 * @type: enum irqshift_event_type
 * @cpu: of the host
 * @arg: as the row says; what is signed is sign-extended; no more than the row's fields, the others are 0
 */
struct irqshift_event {
	__u64 time;
	__u32 pid;
	__u32 tid;
	__u16 type;
	__u16 cpu;
	__u32 reserved;
	__u64 arg[IRQSHIFT_EVENT_ARGS];
};

#endif

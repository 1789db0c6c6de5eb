/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces that differ between kernels, under one name; configure has found out which form this kernel has. */
#ifndef IRQSHIFT_COMPAT_H
#define IRQSHIFT_COMPAT_H

#include <linux/file.h>
#include <linux/fs.h>
#include <net/genetlink.h>

#include "config.h"

#ifdef HAVE_IO_URING_CMD_H
#include <linux/io_uring/cmd.h>
#else
#include <linux/io_uring.h>
#endif

/* The bytes of a submission that are the command's own: memory that the submitter may be writing. */
static inline const void *compat_uring_payload(const struct io_uring_cmd *cmd)
{
#ifdef HAVE_IO_URING_CMD_SQE
	return cmd->sqe->cmd;
#else
	return cmd->cmd;
#endif
}

/*
 * Completes a command, of which nothing may be touched afterwards. A result above 0 must not be returned instead: 6.1 loses
 * the request when a worker returns one.
 */
static inline void compat_uring_done(struct io_uring_cmd *cmd, int result, unsigned int issue_flags)
{
#if defined(HAVE_IO_URING_DONE_RES2)
	io_uring_cmd_done(cmd, result, 0);
#elif defined(HAVE_IO_URING_DONE_FLAGS)
	io_uring_cmd_done(cmd, result, issue_flags);
#else
	io_uring_cmd_done(cmd, result, 0, issue_flags);
#endif
}

/* A reference to a file that is not freed meanwhile, but may be at its end: NULL then. */
static inline struct file *compat_get_file(struct file **file)
{
#ifdef HAVE_GET_FILE_ACTIVE
	return get_file_active(file);
#else
	return *file && get_file_rcu(*file) ? *file : NULL;
#endif
}

/* The attributes of a dump's request. */
static inline struct nlattr **compat_dump_attrs(struct netlink_callback *cb)
{
#ifdef HAVE_GENL_INFO_DUMP
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

#endif

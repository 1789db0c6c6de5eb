// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET_STATE. All of a request is judged before anything runs, in the caller's own context: that the caller may do as it likes
 * with the process, that every VM is that process's, that the commands only read, and what security modules say.
 */
#include <linux/file.h>
#include <linux/kvm_host.h>
#include <net/genetlink.h>

#include "access.h"
#include "command.h"
#include "foreign.h"
#include "module.h"

#define DATA_MAX (sizeof(struct kvm_msrs) + IRQSHIFT_MSRS_MAX * sizeof(struct kvm_msr_entry))

static const struct nla_policy entry_policy[IRQSHIFT_A_COUNT] = {
	[IRQSHIFT_A_KVM_FD] = { .type = NLA_U32 },
	[IRQSHIFT_A_COMMAND] = { .type = NLA_U32 },
	[IRQSHIFT_A_DATA] = { .type = NLA_BINARY, .len = DATA_MAX },
};

const struct nla_policy irqshift_state_policy[IRQSHIFT_A_COUNT] = {
	[IRQSHIFT_A_MEM_FD] = { .type = NLA_U32 },
	[IRQSHIFT_A_ENTRY] = NLA_POLICY_NESTED(entry_policy),
};

/* Data that is not there is zeroes; an array has to be there. */
static int read_data(struct foreign_call *call, const struct nlattr *data)
{
	call->size = data ? nla_len(data) : call->command->size;
	if ((!data && call->command->array) || !command_size_ok(call->command, call->size))
		return -EINVAL;
	if (!call->size)
		return 0;
	call->data = kzalloc(call->size, GFP_KERNEL_ACCOUNT);
	if (!call->data)
		return -ENOMEM;
	if (data)
		memcpy(call->data, nla_data(data), call->size);
	return command_check_data(call->command, call->size, call->data);
}

static int read_file(struct foreign_call *call, unsigned int fd, const struct file *proof)
{
	call->file = fget(fd);
	if (!call->file)
		return -EBADF;
	if (access_kind(call->file) != call->command->on)
		return -EINVAL;
	if (access_vm(call->file)->mm != access_proof_mm(proof))
		return -EACCES;
	return command_allowed(call->command, call->file, 0);
}

static int read_entry(struct foreign *request, const struct nlattr *entry, struct genl_info *info)
{
	struct nlattr *tb[IRQSHIFT_A_COUNT];
	struct foreign_call *call;
	int err = nla_parse_nested(tb, IRQSHIFT_A_COUNT - 1, entry, entry_policy, info->extack);

	if (err)
		return err;
	if (!tb[IRQSHIFT_A_KVM_FD] || !tb[IRQSHIFT_A_COMMAND])
		return -EINVAL;
	if (request->n == IRQSHIFT_STATE_ENTRIES_MAX)
		return -E2BIG;
	call = &request->calls[request->n++];
	call->command = command_find(nla_get_u32(tb[IRQSHIFT_A_COMMAND]));
	if (!call->command || !call->command->gets)
		return -EPERM;
	err = read_file(call, nla_get_u32(tb[IRQSHIFT_A_KVM_FD]), request->proof);
	return err ? err : read_data(call, tb[IRQSHIFT_A_DATA]);
}

static int read_request(struct foreign *request, struct genl_info *info)
{
	const struct nlattr *attr;
	struct file *proof;
	int rest, err = 0;

	if (!info->attrs[IRQSHIFT_A_MEM_FD] || !info->attrs[IRQSHIFT_A_ENTRY])
		return -EINVAL;
	proof = access_proof_get(nla_get_u32(info->attrs[IRQSHIFT_A_MEM_FD]));
	if (IS_ERR(proof))
		return PTR_ERR(proof);
	request->proof = proof;
	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rest)
	{
		if (nla_type(attr) == IRQSHIFT_A_ENTRY)
			err = read_entry(request, attr, info);
		if (err)
			return err;
	}
	return 0;
}

/* The data of a call that has some to give. */
static u32 given(const struct foreign_call *call)
{
	return call->result >= 0 ? call->size : 0;
}

static int put_entry(struct sk_buff *skb, const struct foreign_call *call)
{
	struct nlattr *nest = nla_nest_start(skb, IRQSHIFT_A_ENTRY);

	if (!nest || nla_put_u32(skb, IRQSHIFT_A_COMMAND, call->command->ioctl) ||
	    nla_put_s32(skb, IRQSHIFT_A_RESULT, call->result))
		return -EMSGSIZE;
	if (given(call) && nla_put(skb, IRQSHIFT_A_DATA, given(call), call->data))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int answer(const struct foreign *request, struct genl_info *info)
{
	size_t size = 0;
	struct sk_buff *skb;
	unsigned int n;
	void *head;

	for (n = 0; n < request->n; n++)
		size += nla_total_size(0) + 2 * nla_total_size(sizeof(u32)) + nla_total_size(given(&request->calls[n]));
	skb = genlmsg_new(size, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	head = genlmsg_put_reply(skb, info, &irqshift_family, 0, IRQSHIFT_GENL_GET_STATE);
	for (n = 0; head && n < request->n; n++)
		if (put_entry(skb, &request->calls[n]))
			head = NULL;
	if (!head) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

/* The VMs all have the memory of the proof, and their files hold it. */
int irqshift_state(struct sk_buff *skb, struct genl_info *info)
{
	struct foreign *request = foreign_new();
	int err;

	if (!request)
		return -ENOMEM;
	err = read_request(request, info);
	if (!err)
		err = foreign_run(&request, access_vm(request->calls[0].file)->mm);
	if (!err)
		err = answer(request, info);
	if (request)
		foreign_free(request);
	return err;
}

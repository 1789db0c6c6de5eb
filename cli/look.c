/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/look.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "kvm/gather.h"
#include "kvm/vms.h"

static void list_vms(const struct kvm_vms *vms)
{
	for (unsigned int i = 0; i < vms->nvms; i++) {
		const struct kvm_vms_vm *vm = &vms->vms[i];

		if (vm->index < 0)
			continue;
		fprintf(stderr, "  --vm %d  descriptor %d", vm->index, vm->fd);
		if (vm->vcpus_known)
			fprintf(stderr, ", %u vCPU%s", vm->nvcpus, vm->nvcpus == 1 ? "" : "s");
		fputc('\n', stderr);
	}
}

int look_choose_vm(pid_t pid, int *vm, const char *who)
{
	struct irqs_error err = { 0 };
	int n = 0, status = IRQS_USAGE;
	struct kvm_vms vms;

	if (kvm_vms_proc(pid, &vms, &err))
		return cli_fail(&err, NULL); /* it names the process */
	for (unsigned int i = 0; i < vms.nvms; i++)
		n += vms.vms[i].index >= 0;
	if (!n) {
		fprintf(stderr, "%s: %s: no VM of KVM is in it\n", CLI_NAME, who);
	} else if (*vm == LOOK_ONLY_VM && n > 1) {
		fprintf(stderr, "%s: %s: %d VMs are in it, --vm chooses one:\n", CLI_NAME, who, n);
		list_vms(&vms);
	} else if (*vm >= n) {
		fprintf(stderr, "%s: %s: --vm %d: it has only these:\n", CLI_NAME, who, *vm);
		list_vms(&vms);
	} else {
		*vm = *vm == LOOK_ONLY_VM ? 0 : *vm;
		status = 0;
	}
	kvm_vms_deinit(&vms);
	return status;
}

static int gather(struct kvm_attach *a, struct look *ret, struct irqs_error *reterr)
{
	const struct kvm_gather_options options = { .partial = true };

	ret->state.lapics = calloc(a->port.nvcpus ? a->port.nvcpus : 1, sizeof(*ret->state.lapics));
	if (!ret->state.lapics)
		return irqs_fail_nomem(reterr);
	for (unsigned int i = 0; i < a->port.nvcpus; i++)
		ret->unfinished += a->vcpus[i].unfinished != 0;
	return kvm_gather(&a->port, NULL, &options, &ret->state, reterr);
}

int look_take(pid_t pid, unsigned int vm, const char *who, struct look *ret)
{
	struct irqs_error err = { 0 };
	struct kvm_attach *a;
	int status = 0;

	memset(ret, 0, sizeof(*ret));
	if (kvm_attach(pid, vm, &a, &err))
		return cli_fail(&err, NULL);
	if (gather(a, ret, &err))
		status = err.status;
	kvm_attach_end(a, &ret->result);
	if (!status)
		return 0;
	irqchip_deinit(&ret->state);
	return cli_fail(&err, who);
}

void look_tell_stop(const struct look *l, const char *who, FILE *out)
{
	fprintf(out, "%s: stopped for %" PRIu64 ".%03" PRIu64 " ms, %u threads, %u calls", who,
		l->result.stop_ns / 1000000, l->result.stop_ns / 1000 % 1000, l->result.threads, l->result.calls);
	if (l->result.answers)
		fprintf(out, ", %u answers of the kernel module", l->result.answers);
	fputc('\n', out);
}

void look_warn(const struct look *l, const char *who)
{
	if (l->unfinished)
		fprintf(stderr, "%s: %s: %u of %u vCPUs met in the middle of an instruction that the VMM completes: their general registers are of it\n",
			CLI_NAME, who, l->unfinished, l->state.nlapics);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kvm/empty.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "apic/abi.h"

/* More leaves than any CPU has. */
#define MAX_LEAVES 512

#define CPUID_1_X2APIC (UINT32_C(1) << 21)
#define CPUID_1_TSC_DEADLINE (UINT32_C(1) << 24)

/* An ID of 8 bits has no room for more; the last one is broadcast. */
#define XAPIC_ID_MAX 254u

#define PAGE ((size_t)4096)

/* MSR_KVM_*: 0x4b564d00 and its neighbours. Below a page's address they have flags. */
#define PARAVIRTUAL(index) ((index) >> 8 == 0x4b564d)

static int fail_cap(struct irqs_error *reterr, const char *what)
{
	return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL, "the KVM of this host has no %s: %s", what,
			 strerror(errno));
}

static int create_irqchip(const struct kvm_empty *e, const struct irqchip_state *s, struct irqs_error *reterr)
{
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { IOAPIC_PINS } };
	struct kvm_pit_config pit = { 0 };
	struct irqchip_part p;

	if (s->mode == IRQCHIP_SPLIT && ioctl(e->vm, KVM_ENABLE_CAP, &split))
		return fail_cap(reterr, "split irqchip");
	if (s->mode != IRQCHIP_FULL)
		return 0;
	if (ioctl(e->vm, KVM_CREATE_IRQCHIP, 0))
		return fail_cap(reterr, "irqchip");
	for (unsigned int i = s->nlapics; irqchip_part(s, i, &p); i++)
		if (p.chip == &pit_chip && irqchip_part_known(&p) && ioctl(e->vm, KVM_CREATE_PIT2, &pit))
			return fail_cap(reterr, "PIT");
	return 0;
}

/* IDs above 8 bits show as a whole only where that was asked for. */
static int set_id_form(const struct kvm_empty *e, unsigned int n, struct irqs_error *reterr)
{
	struct kvm_enable_cap wide = { .cap = KVM_CAP_X2APIC_API, .args = { KVM_X2APIC_API_USE_32BIT_IDS } };

	for (unsigned int i = 0; i < n; i++) {
		if (e->ids[i] <= XAPIC_ID_MAX)
			continue;
		return ioctl(e->vm, KVM_ENABLE_CAP, &wide) ? fail_cap(reterr, "APIC IDs of 32 bits") : 0;
	}
	return 0;
}

static struct kvm_cpuid2 *read_cpuid(int kvm)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_LEAVES * sizeof(c->entries[0]));
	bool deadline = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

	if (!c)
		return NULL;
	c->nent = MAX_LEAVES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c)) {
		free(c);
		return NULL;
	}
	for (uint32_t i = 0; i < c->nent; i++)
		if (c->entries[i].function == 1)
			c->entries[i].ecx |= CPUID_1_X2APIC | (deadline ? CPUID_1_TSC_DEADLINE : 0);
	return c;
}

static int create_vcpu(struct kvm_empty *e, unsigned int i, struct kvm_cpuid2 *cpuid, struct irqs_error *reterr)
{
	e->vcpus[i] = ioctl(e->vm, KVM_CREATE_VCPU, (unsigned long)e->ids[i]);
	if (e->vcpus[i] < 0)
		return irqs_fail(reterr, IRQS_REFUSED, IRQS_NO_OFFSET, NULL,
				 "the KVM of this host makes no vCPU %" PRIu32 ": %s", e->ids[i], strerror(errno));
	if (ioctl(e->vcpus[i], KVM_SET_CPUID2, cpuid))
		return irqs_fail_errno(reterr, errno, "KVM_SET_CPUID2");
	return 0;
}

static int create_vcpus(struct kvm_empty *e, int kvm, unsigned int n, struct irqs_error *reterr)
{
	struct kvm_cpuid2 *cpuid = read_cpuid(kvm);
	int rc = 0;

	if (!cpuid)
		return irqs_fail_errno(reterr, errno, "KVM_GET_SUPPORTED_CPUID");
	for (unsigned int i = 0; i < n && !rc; i++)
		rc = create_vcpu(e, i, cpuid, reterr);
	free(cpuid);
	return rc;
}

/* ---- memory ---- */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The pages that paravirtual registers name, sorted, each once. */
static size_t collect_pages(const struct irqchip_state *s, uint64_t *pages)
{
	size_t n = 0, kept = 0;

	for (unsigned int i = 0; i < s->nlapics; i++)
		for (const struct reg_row *row = abi_msr(&lapic_chip, NULL); row; row = abi_msr(&lapic_chip, row)) {
			uint64_t page = reg_get(row, &s->lapics[i], 0) / PAGE;

			if (PARAVIRTUAL(row->abi_at) && reg_known(row, &s->lapics[i], 0) && page)
				pages[n++] = page;
		}
	qsort(pages, n, sizeof(*pages), compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || pages[kept - 1] != pages[i])
			pages[kept++] = pages[i];
	return kept;
}

static unsigned int count_msrs(void)
{
	unsigned int n = 0;

	for (const struct reg_row *row = abi_msr(&lapic_chip, NULL); row; row = abi_msr(&lapic_chip, row))
		n++;
	return n;
}

static int map_pages(struct kvm_empty *e, const uint64_t *pages, size_t n, struct irqs_error *reterr)
{
	struct kvm_userspace_memory_region region = { .memory_size = PAGE };

	if (!n)
		return 0;
	e->memory = mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->memory == MAP_FAILED) {
		e->memory = NULL;
		return irqs_fail_nomem(reterr);
	}
	e->memory_size = n * PAGE;
	for (size_t i = 0; i < n; i++) {
		region.slot = (uint32_t)i;
		region.guest_phys_addr = pages[i] * PAGE;
		region.userspace_addr = (uintptr_t)e->memory + i * PAGE;
		/* An address that no guest can have is for the register's own check to refuse. */
		if (ioctl(e->vm, KVM_SET_USER_MEMORY_REGION, &region) && errno != EINVAL)
			return irqs_fail_errno(reterr, errno, "KVM_SET_USER_MEMORY_REGION");
	}
	return 0;
}

/* KVM takes the address of a page that it shares with the guest only where there is memory. */
static int add_memory(struct kvm_empty *e, const struct irqchip_state *s, struct irqs_error *reterr)
{
	uint64_t *pages = calloc((size_t)s->nlapics * count_msrs(), sizeof(*pages));
	int rc;

	if (!pages)
		return irqs_fail_nomem(reterr);
	rc = map_pages(e, pages, collect_pages(s, pages), reterr);
	free(pages);
	return rc;
}

/* ---- all of it ---- */

static int fill(struct kvm_empty *e, int kvm, const struct irqchip_state *s, struct irqs_error *reterr)
{
	struct irqchip_part p;
	int rc;

	e->vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	if (e->vm < 0)
		return irqs_fail_errno(reterr, errno, "KVM_CREATE_VM");
	e->vcpus = calloc(s->nlapics, sizeof(*e->vcpus));
	e->ids = calloc(s->nlapics, sizeof(*e->ids));
	if (!e->vcpus || !e->ids)
		return irqs_fail_nomem(reterr);
	memset(e->vcpus, -1, s->nlapics * sizeof(*e->vcpus));
	for (unsigned int i = 0; i < s->nlapics && irqchip_part(s, i, &p); i++)
		e->ids[i] = p.instance;
	kvm_own_init(&e->own, e->vm, e->vcpus, e->ids, s->nlapics);
	rc = create_irqchip(e, s, reterr);
	if (!rc)
		rc = set_id_form(e, s->nlapics, reterr);
	if (!rc)
		rc = create_vcpus(e, kvm, s->nlapics, reterr);
	return rc ? rc : add_memory(e, s, reterr);
}

int kvm_empty_open(struct kvm_empty *e, const struct irqchip_state *s, struct irqs_error *reterr)
{
	int kvm, rc;

	*e = (struct kvm_empty){ .vm = -1 };
	if (!s->nlapics)
		return irqs_fail(reterr, IRQS_USAGE, IRQS_NO_OFFSET, NULL, "a machine without a CPU");
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return irqs_fail_errno(reterr, errno, "/dev/kvm");
	rc = fill(e, kvm, s, reterr);
	close(kvm);
	if (rc)
		kvm_empty_close(e);
	return rc;
}

void kvm_empty_close(struct kvm_empty *e)
{
	for (unsigned int i = 0; e->vcpus && i < e->own.port.nvcpus; i++)
		if (e->vcpus[i] >= 0)
			close(e->vcpus[i]);
	if (e->vm >= 0)
		close(e->vm);
	if (e->memory)
		munmap(e->memory, e->memory_size);
	free(e->vcpus);
	free(e->ids);
	*e = (struct kvm_empty){ .vm = -1 };
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "live_vm.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "vm.h"

#define MEMORY (4U << 20)
#define WAIT_NS INT64_C(5000000000)
#define PERIOD_NS 1500000
#define PIT_COUNT 5966 /* 5 ms */

const char *live_mode_name(enum vmm_mode mode)
{
	static const char *const names[] = { "kernel", "split", "userspace" };

	return names[mode];
}

void live_sleep_us(unsigned int us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L };

	nanosleep(&t, NULL);
}

/* ---- the harness's devices ---- */

static void note_timer(struct live_vm *l, bool armed)
{
	if (armed)
		l->shots[++l->armed % LIVE_SHOTS].armed_at = vmm_now_ns(l->vmm);
	else
		l->shots[++l->fired % LIVE_SHOTS].fired_at = vmm_now_ns(l->vmm);
}

static bool pio(void *ctx, unsigned int cpu, uint16_t port, bool write, void *data, unsigned int size)
{
	struct live_vm *l = ctx;

	(void)cpu;
	if (port == LIVE_PORT_TIMER && write) {
		note_timer(l, *(uint8_t *)data);
		return true;
	}
	if (port != LIVE_PORT_LEVEL || size != 1)
		return false;
	if (!write) {
		*(uint8_t *)data = l->level;
		return true;
	}
	vmm_line(l->vmm, LIVE_LINE_LEVEL, false);
	l->level = false;
	return true;
}

/* ---- the machine ---- */

static uint32_t load(struct vmm *vmm)
{
	const char *path = getenv("IRQSHIFT_LIVE_GUEST");
	FILE *f = fopen(path ? path : "build/tests/guests/live.elf", "rb");
	static uint8_t file[1 << 20];
	size_t size = f ? fread(file, 1, sizeof(file), f) : 0;
	const Elf32_Ehdr *h = (const Elf32_Ehdr *)file;

	cr_assert(f, "%s: make check-kvm builds it", path ? path : "build/tests/guests/live.elf");
	fclose(f);
	cr_assert_gt(size, sizeof(*h));
	for (unsigned int i = 0; i < h->e_phnum; i++) {
		const Elf32_Phdr *p = (const Elf32_Phdr *)(file + h->e_phoff) + i;

		if (p->p_type != PT_LOAD)
			continue;
		cr_assert(p->p_offset + p->p_filesz <= size && p->p_paddr + p->p_memsz <= MEMORY);
		memcpy((uint8_t *)vmm_memory(vmm) + p->p_paddr, file + p->p_offset, p->p_filesz);
	}
	return h->e_entry;
}

static void *run(void *arg)
{
	struct live_vm *l = arg;

	l->code = vmm_run(l->vmm, &l->error);
	l->ended = true;
	return NULL;
}

static bool ready(const struct live_vm *l)
{
	return l->shared->ready;
}

static void configure(struct live_vm *l, const struct live_config *config)
{
	volatile struct live_shared *s = l->shared;

	s->cpus = config->ncpus;
	s->x2apic = config->x2apic;
	s->edge_cpu = config->ncpus > 1 ? 1 : 0;
	s->level_cpu = config->ncpus - 1;
	s->ipis = !config->quiet;
	s->tells = config->tells;
	s->pit_count = config->pit_count ? config->pit_count : config->quiet ? 0
									     : PIT_COUNT;
	for (unsigned int i = 0; i < config->ncpus; i++) {
		s->cpu[i].spins = config->spins >> i & 1;
		s->cpu[i].period_ns = (config->period_ns ? config->period_ns : PERIOD_NS) + 100000 * i;
		s->cpu[i].period_tsc = (uint32_t)((uint64_t)s->cpu[i].period_ns *
						  (uint64_t)ioctl(l->vmm->side->vcpus[0], KVM_GET_TSC_KHZ, 0) / 1000000);
		if (!config->quiet || config->tells)
			s->cpu[i].timer = LIVE_ONE_SHOT + (config->first_timer - LIVE_ONE_SHOT + i) % 3;
	}
}

void live_vm_start(struct live_vm *l, const struct live_config *config)
{
	struct vmm_config c = { .mode = config->mode, .ncpus = config->ncpus, .memory = MEMORY, .x2apic = config->x2apic };
	int rc;

	vm_have_kvm();
	memset(l, 0, sizeof(*l));
	c.io = (struct vmm_io){ .pio = pio, .ctx = l };
	l->ncpus = config->ncpus;
	rc = vmm_create(&c, &l->vmm, &l->error);
	cr_assert_eq(rc, 0, "%s", l->error.text);
	l->shared = (volatile struct live_shared *)((uint8_t *)vmm_memory(l->vmm) + LIVE_SHARED);
	configure(l, config);
	cr_assert_eq(vmm_set_entry(l->vmm, load(l->vmm), 0), 0);
	pthread_create(&l->thread, NULL, run, l);
	cr_assert(live_vm_wait(l, ready), "%s, %u CPUs: not up: %s", live_mode_name(config->mode), l->ncpus, l->error.text);
}

void live_vm_end(struct live_vm *l)
{
	vmm_quit(l->vmm, 7);
	pthread_join(l->thread, NULL);
	cr_expect_eq(l->code, 7, "%d: %s", l->code, l->error.text);
	vmm_destroy(l->vmm);
}

bool live_vm_wait(const struct live_vm *l, live_condition *done)
{
	int64_t end = timer_host_ns() + WAIT_NS;

	while (!done(l)) {
		if (l->ended || timer_host_ns() > end)
			return false;
		live_sleep_us(50);
	}
	return true;
}

void live_vm_move(struct live_vm *l, enum vmm_mode to)
{
	enum vmm_mode from = vmm_mode(l->vmm);
	struct irqs_error err = { 0 };
	int rc = vmm_move(l->vmm, to, &err);

	cr_assert_eq(rc, 0, "%s to %s, %u CPUs: %d: %s: %s", live_mode_name(from), live_mode_name(to), l->ncpus, rc, err.path,
		     err.text);
}

/* ---- raised and counted ---- */

void live_vm_message(struct live_vm *l, unsigned int cpu, uint32_t data)
{
	pthread_mutex_lock(&l->vmm->lock);
	kvm_side_msi(l->vmm->side, UINT64_C(0xfee00000) | (uint64_t)cpu << 12, data);
	pthread_mutex_unlock(&l->vmm->lock);
}

void live_vm_raise(struct live_vm *l)
{
	volatile struct live_cpu *c = l->shared->cpu;

	if (c[l->shared->edge_cpu].edge == l->raised.edge) {
		l->raised.edge++;
		vmm_line(l->vmm, LIVE_LINE_EDGE, true);
		vmm_line(l->vmm, LIVE_LINE_EDGE, false);
	}
	if (c[l->shared->level_cpu].level == l->raised.level) {
		l->raised.level++;
		l->level = true;
		vmm_line(l->vmm, LIVE_LINE_LEVEL, true);
	}
	if (c[0].pic == l->raised.pic) {
		l->raised.pic++;
		vmm_line(l->vmm, LIVE_LINE_PIC, true);
		vmm_line(l->vmm, LIVE_LINE_PIC, false);
	}
	if (c[l->ncpus - 1].msi == l->raised.msi) {
		l->raised.msi++;
		live_vm_message(l, l->ncpus - 1, LIVE_VEC_MSI);
	}
}

static void *raise_all(void *arg)
{
	struct live_vm *l = arg;

	while (l->raising) {
		live_vm_raise(l);
		live_sleep_us((unsigned int)(vm_random(&l->seed) % 1000));
	}
	return NULL;
}

void live_vm_raise_begin(struct live_vm *l, uint64_t seed)
{
	l->seed = seed;
	l->raising = true;
	pthread_create(&l->raiser, NULL, raise_all, l);
}

void live_vm_raise_end(struct live_vm *l)
{
	l->raising = false;
	pthread_join(l->raiser, NULL);
}

bool live_vm_settled(const struct live_vm *l)
{
	const volatile struct live_shared *s = l->shared;

	for (unsigned int i = 0; i < l->ncpus; i++) {
		const volatile struct live_cpu *c = &s->cpu[i];

		if (c->ipi != c->ipi_sent || (c->timer != LIVE_PERIODIC && c->fired != c->armed))
			return false;
	}
	return s->cpu[s->edge_cpu].edge == l->raised.edge && s->cpu[s->level_cpu].level == l->raised.level &&
	       s->cpu[0].pic == l->raised.pic && s->cpu[l->ncpus - 1].msi == l->raised.msi;
}

static void expect_cpu(const struct live_vm *l, unsigned int i)
{
	const volatile struct live_shared *s = l->shared;
	const volatile struct live_cpu *c = &s->cpu[i];

	cr_expect_eq(c->starts, 1, "CPU %u started %u times", i, c->starts);
	cr_expect_eq(c->edge, i == s->edge_cpu ? l->raised.edge : 0, "CPU %u: %u edges of %u", i, c->edge, l->raised.edge);
	cr_expect_eq(c->level, i == s->level_cpu ? l->raised.level : 0, "CPU %u: %u levels of %u", i, c->level,
		     l->raised.level);
	cr_expect_eq(c->pic, i ? 0 : l->raised.pic, "CPU %u: %u of the PIC, of %u", i, c->pic, l->raised.pic);
	cr_expect_eq(c->msi, i == l->ncpus - 1 ? l->raised.msi : 0, "CPU %u: %u messages of %u", i, c->msi, l->raised.msi);
	cr_expect_eq(c->ipi, c->ipi_sent, "CPU %u: %u IPIs of %u", i, c->ipi, c->ipi_sent);
	if (c->timer != LIVE_PERIODIC)
		cr_expect_eq(c->fired, c->armed, "CPU %u: %u timer interrupts of %u", i, c->fired, c->armed);
	cr_expect_eq(c->fired_unarmed, 0, "CPU %u: %u timer interrupts twice", i, c->fired_unarmed);
	cr_expect_eq(c->unexpected, 0, "CPU %u: %u unexpected, the last 0x%x", i, c->unexpected, c->last_unexpected);
	cr_expect_eq(c->spurious, 0, "CPU %u: %u spurious", i, c->spurious);
	cr_expect_eq(c->nmi, 0, "CPU %u: %u NMIs", i, c->nmi);
}

void live_vm_expect_exact(struct live_vm *l)
{
	l->shared->stop = 1;
	live_vm_wait(l, live_vm_settled);
	live_sleep_us(20000); /* for what should not come */
	for (unsigned int i = 0; i < l->ncpus; i++)
		expect_cpu(l, i);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/kvm/port_guest.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/*
 * The guest. SI is the step. A vector's entry in the table has the vector as its segment, and an offset that leads
 * to the one handler all the same: it finds the vector in CS. It returns with IF=0, so that one is taken at a time.
 * A KVM that emulates looks for interrupts when it enters the guest: the access of 0xf5 leaves it for that.
 */
__asm__(".pushsection .rodata\n"
	".code16\n"
	".globl port_guest_code, port_guest_code_end\n"
	"port_guest_code:\n"
	"next:	rdtsc\n"
	"	mov %eax, 8(%si)\n"
	"	mov %edx, 12(%si)\n"
	"	mov 2(%si), %dx\n"
	"	mov 4(%si), %eax\n"
	"	jmp *(%si)\n"
	"pg_in8:	in %dx, %al\n"
	"	jmp done\n"
	"pg_in16: in %dx, %ax\n"
	"	jmp done\n"
	"pg_out8: out %al, %dx\n"
	"	jmp done\n"
	"pg_out16: out %ax, %dx\n"
	"	jmp done\n"
	"pg_take: mov $0xffff, %ax\n"
	"	sti\n"
	"	nop\n"
	"	out %al, $0xf5\n"
	"	nop\n"
	"	cli\n"
	"	jmp done\n"
	"pg_stop: out %al, $0xf4\n"
	"done:	mov %ax, 4(%si)\n"
	"	rdtsc\n"
	"	mov %eax, 16(%si)\n"
	"	mov %edx, 20(%si)\n"
	"	add $32, %si\n"
	"	jmp next\n"
	"pg_vector: mov %sp, %bp\n"
	"	andw $0xfdff, 4(%bp)\n"
	"	mov %cs, %ax\n"
	"	iret\n"
	"port_guest_code_end:\n"
	".code64\n"
	".popsection\n");

extern const char port_guest_code[], port_guest_code_end[];
extern const char pg_in8[], pg_in16[], pg_out8[], pg_out16[], pg_take[], pg_stop[], pg_vector[];

enum { CODE = 0x1100,
       STACK = 0x3000,
       STEPS = 0x4000,
       MEMORY = 0x10000,
       STOP_PORT = 0xf4,
       WINDOW_PORT = 0xf5 };

_Static_assert(sizeof(struct port_guest_step) == 32, "as the guest steps");
_Static_assert(STEPS + PORT_GUEST_STEPS * sizeof(struct port_guest_step) <= MEMORY, "in the first segment");

static uint16_t guest_address(const char *label)
{
	return (uint16_t)(CODE + (label - port_guest_code));
}

static void write_memory(struct port_guest *g)
{
	uint16_t *table = g->memory;

	memcpy((char *)g->memory + CODE, port_guest_code, (size_t)(port_guest_code_end - port_guest_code));
	for (unsigned int vector = 0; vector < 256; vector++) {
		table[2 * vector] = (uint16_t)(guest_address(pg_vector) - 16 * vector);
		table[2 * vector + 1] = (uint16_t)vector;
	}
	g->steps = (void *)((char *)g->memory + STEPS);
}

static bool set_segments(struct port_guest *g)
{
	struct kvm_sregs s;

	if (ioctl(g->vcpu, KVM_GET_SREGS, &s))
		return false;
	s.cs.base = s.cs.selector = 0;
	return !ioctl(g->vcpu, KVM_SET_SREGS, &s);
}

static const char *open_vcpu(struct port_guest *g)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY };
	int size = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	g->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->memory == MAP_FAILED)
		return "no memory";
	region.userspace_addr = (uintptr_t)g->memory;
	if (ioctl(g->vm, KVM_SET_USER_MEMORY_REGION, &region))
		return "KVM_SET_USER_MEMORY_REGION failed";
	g->vcpu = ioctl(g->vm, KVM_CREATE_VCPU, 0);
	if (g->vcpu < 0)
		return "KVM_CREATE_VCPU failed";
	g->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, g->vcpu, 0);
	if (g->run == MAP_FAILED || !set_segments(g))
		return "no vCPU";
	write_memory(g);
	return NULL;
}

/* Why there can be no such guest here, or NULL. */
static const char *open_all(struct port_guest *g, bool pit)
{
	struct kvm_pit_config config = { .flags = KVM_PIT_SPEAKER_DUMMY };

	*g = (struct port_guest){ .vm = -1, .vcpu = -1 };
	g->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (g->kvm < 0)
		return "no /dev/kvm";
	g->vm = ioctl(g->kvm, KVM_CREATE_VM, 0);
	if (g->vm < 0)
		return "KVM_CREATE_VM failed";
	if (ioctl(g->vm, KVM_SET_TSS_ADDR, 0xfffbd000L) || ioctl(g->vm, KVM_CREATE_IRQCHIP, 0))
		return "this kernel has no irqchip with PICs";
	if (pit && ioctl(g->vm, KVM_CREATE_PIT2, &config))
		return "this kernel has no PIT";
	return open_vcpu(g);
}

void port_guest_open(struct port_guest *g, bool pit)
{
	const char *why = open_all(g, pit);

	if (why)
		cr_skip_test("%s", why);
}

void port_guest_close(struct port_guest *g)
{
	int size = ioctl(g->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	munmap(g->run, (size_t)size);
	munmap(g->memory, MEMORY);
	close(g->vcpu);
	close(g->vm);
	close(g->kvm);
}

void port_guest_begin(struct port_guest *g)
{
	g->nsteps = 0;
}

unsigned int port_guest_add(struct port_guest *g, enum port_guest_op op, uint16_t port, uint32_t value)
{
	static const char *const labels[PG_OPS] = {
		[PG_IN8] = pg_in8,
		[PG_IN16] = pg_in16,
		[PG_OUT8] = pg_out8,
		[PG_OUT16] = pg_out16,
		[PG_TAKE] = pg_take,
		[PG_STOP] = pg_stop,
	};

	g->steps[g->nsteps] = (struct port_guest_step){
		.code = guest_address(labels[op]), .port = port, .value = value
	};
	return g->nsteps++;
}

void port_guest_start(struct port_guest *g)
{
	struct kvm_regs r = { .rip = CODE, .rsp = STACK, .rsi = STEPS, .rflags = 2 };

	ioctl(g->vcpu, KVM_SET_REGS, &r);
}

int port_guest_run(struct port_guest *g)
{
	do {
		if (ioctl(g->vcpu, KVM_RUN, 0))
			return -errno;
		if (g->run->exit_reason != KVM_EXIT_IO)
			return -EPROTO;
	} while (g->run->io.port == WINDOW_PORT);
	return g->run->io.port == STOP_PORT ? 0 : -EPROTO;
}

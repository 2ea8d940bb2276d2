/* The limit for an exit round trip: the plainest C program that serves `in` from a KVM guest.
 * usage: exit-loop KERNEL ADDRESS SECONDS [PAGES]; prints nanoseconds per exit, once a second's tenth for SECONDS seconds.
 * The kernel is a flat binary entered in real mode at ADDRESS. With PAGES, a call into each of so many pages of code
 * follows every exit: what a larger program costs where the translation caches do not survive an exit. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

enum { PAGE = 4096, RET = 0xc3 };

/* Another cache line in every page, so that it is the pages that count. */
static size_t entry(size_t page)
{
	return page * 64 % PAGE;
}

static unsigned char *code_pages(size_t pages)
{
	if (pages == 0)
		return NULL;
	unsigned char *code = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t page = 0; page < pages; page++)
		code[page * PAGE + entry(page)] = RET;
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 4 || argc > 5)
		return 2;
	unsigned long address = strtoul(argv[2], NULL, 0);
	double seconds = atof(argv[3]);
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return perror("KVM_CREATE_VM"), 1;
	ioctl(vm, KVM_SET_TSS_ADDR, 0xfffbd000);
	ioctl(vm, KVM_CREATE_IRQCHIP, 0);
	size_t size = 2 << 20;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct kvm_userspace_memory_region slot = {.memory_size = size, .userspace_addr = (uintptr_t)memory};
	ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot);
	int file = open(argv[1], O_RDONLY);
	if (file < 0 || read(file, memory + address, size - address) <= 0)
		return perror(argv[1]), 1;
	int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	int run_size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	struct kvm_run *run = mmap(NULL, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	struct kvm_sregs sregs;
	ioctl(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ioctl(vcpu, KVM_SET_SREGS, &sregs);
	struct kvm_regs regs = {.rip = address, .rflags = 2};
	ioctl(vcpu, KVM_SET_REGS, &regs);
	size_t pages = argc == 5 ? strtoul(argv[4], NULL, 0) : 0;
	unsigned char *code = code_pages(pages);
	double end = now() + seconds;
	double start = now();
	for (long exits = 1;; exits++) {
		if (ioctl(vcpu, KVM_RUN, 0) < 0)
			return perror("KVM_RUN"), 1;
		if (run->exit_reason != KVM_EXIT_IO)
			return fprintf(stderr, "exit %u\n", run->exit_reason), 1;
		*((unsigned char *)run + run->io.data_offset) = 0x55;
		for (size_t page = 0; page < pages; page++)
			((void (*)(void))(code + page * PAGE + entry(page)))();
		if (exits % 64)
			continue;
		double time = now();
		if (time - start < 0.1)
			continue;
		printf("%.1f\n", (time - start) * 1e9 / exits);
		if (time >= end)
			return 0;
		start = now();
		exits = 0;
	}
}

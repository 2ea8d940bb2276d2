// Layout of the guest's memory. Everything lies below 8 MiB, so that 16 MiB of memory are enough.

/** The image, and its first byte to run: page tables, code, data. */
export const imageAddress = 0x10_0000;
/** One page per CPU, zero at start. */
export const cpuPages = 0x20_0000;
export const cpuPageSize = 0x1000;
export const maxCpus = 1024;
/** APIC id of every CPU, 32 bits each, the boot CPU first; room for one more while the list is made. */
export const apicIds: number = cpuPages + maxCpus * cpuPageSize;
/** The line that is being printed. */
export const lineBuffer: number = apicIds + 2 * 0x1000;
export const lineBufferSize = 0x1000;
/** The end of what the guest uses; a loader reserves and clears up to here. */
export const memoryEnd: number = lineBuffer + lineBufferSize;
/** Address where the other CPUs start in real mode: a page below 1 MiB, which the INIT-SIPI sequence demands. */
export const trampolineAddress = 0x8000;

/**
 * Fields of a CPU's page. Both of the CPU's stacks lie in the same page, so that the stack pointer
 * with its low 12 bits cleared is the page: how the kernel knows its CPU when user mode ends.
 */
export const cpuPage = {
	/** 1 once the CPU has come up. */
	isUp: 0x04,
	chunks: 0x08,
	/** Kernel stack pointer while the CPU is in user mode. */
	kernelStack: 0x10,
	/** Task state segment, 104 bytes: says which stack an interrupt in user mode switches to. */
	tss: 0x80,
	userStackTop: 0x600,
	kernelStackTop: 0x1000,
} as const;

/**
 * Segment selectors. The order is Linux's, which SYSCALL and SYSRET derive theirs from, and the only one
 * that a KVM without hardware virtualization accepts in the STAR register.
 */
export const selector = {
	kernelCode32: 0x08,
	kernelCode: 0x10,
	kernelData: 0x18,
	userCode32: 0x23,
	userData: 0x2b,
	userCode: 0x33,
	/** The task state segment of CPU 0; the others follow, 16 bytes each. */
	firstTask: 0x40,
} as const;

export const port = {pic1Mask: 0x21, pic2Mask: 0xa1, debugExit: 0xf4, com1: 0x3f8, reset: 0xcf9} as const;

/** Address at which a 64-bit kernel is loaded, and its entry. */
export const longModeAddress = 0x10_0000;
/** Address at which a real-mode kernel is loaded, and its entry: where a BIOS puts a boot sector. */
export const realModeAddress = 0x7c00;
/** A page of stack per vCPU, from here on, not part of the image; the stack grows down. */
export const stacks = 0x18_0000;
export const stackSize = 0x1000;
/** The port that ends a kernel: QEMU's isa-debug-exit, and what the VMM tests watch. */
export const exitPort = 0xf4;
/** The exit values. */
export const exitCode = {
	ok: 0,
	/** The kernel saw something it must not see. */
	wrong: 1,
	/** An exception that the kernel did not expect. */
	unexpected: 0x7e,
} as const;

/** Selectors of the kernels' descriptor table, in the order that SYSCALL and SYSRET want. */
export const selector = {
	kernelCode32: 0x08,
	kernelCode: 0x10,
	kernelData: 0x18,
	userData: 0x2b,
	userCode: 0x33,
} as const;

/** Flags for user mode: I/O allowed, interrupts off. */
export const userFlags = 0x3002;

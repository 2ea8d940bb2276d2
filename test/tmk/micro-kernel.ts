import {type Assembler, createAssembler} from '#flowey/x86-assembler';
import {longModeAddress, realModeAddress, stackSize, stacks} from './layout.ts';
import {emitLongModePrologue, emitLongModeTables, fillGates, type LongModeKit, longModeKit} from './long-mode.ts';

/**
 * A small guest for one purpose: a flat binary that a test copies to {@link loadAddress} and starts at {@link entry}.
 * It ends by writing its result to port 0xF4, see `exitCode`; should that return, it halts with interrupts off.
 *
 * A kernel expects at its entry:
 * - `long`: 64-bit mode at CPL 0, RIP 0x100000, interrupts off, any page tables that map the kernel to itself, any
 *   descriptor tables. It brings its own page tables (the low 4 GiB mapped to themselves, open to user mode),
 *   descriptor tables and stacks, and keeps no register. Every vCPU may start at the entry at the same time:
 *   each takes the next number from a shared counter, and with it a stack. 2 MiB of memory and a page per vCPU suffice.
 * - `real`: real mode, CS:IP 0:0x7C00, at most 510 bytes; the image is a boot sector of 512 bytes.
 */
export interface MicroKernel {
	readonly name: string;
	readonly mode: 'long' | 'real';
	readonly image: Uint8Array;
	readonly loadAddress: number;
	readonly entry: number;
	/**
	 * Only kernels with user-mode code: a vCPU may also start here directly, at CPL 3 with CS 0x33, SS 0x2B,
	 * RFLAGS {@link userFlags}, CR3 {@link pageTables}, GDTR and IDTR as at {@link addressOf} `gdt` and `idt`.
	 */
	readonly userEntry: number | undefined;
	/** Only 64-bit kernels: the address for CR3. */
	readonly pageTables: number | undefined;
	/** The address of a label of the kernel; throws on a name it does not have. */
	addressOf(label: string): number;
}

/** Builds a 64-bit kernel from code that starts at CPL 0 with everything set up; `user` names its user-mode code. */
export function microKernel(
	name: string,
	emit: (asm: Assembler, kit: LongModeKit) => void,
	options: {readonly user?: string} = {},
): MicroKernel {
	const asm = createAssembler({origin: longModeAddress, bits: 64});
	const kit = longModeKit(asm);
	emitLongModePrologue(asm);
	emit(asm, kit);
	emitLongModeTables(asm, kit);
	const {bytes, labels} = asm.finish();
	if (longModeAddress + bytes.length > stacks) throw new Error(`Kernel ${name} runs into its stacks`);
	const addressOf = lookUp(name, labels);
	fillGates(bytes, addressOf, kit);
	return {
		name,
		mode: 'long',
		image: bytes,
		loadAddress: longModeAddress,
		entry: longModeAddress,
		userEntry: options.user === undefined ? undefined : addressOf(options.user),
		pageTables: addressOf('page-tables'),
		addressOf,
	};
}

/** Builds a real-mode kernel: 16-bit code at 0:0x7C00. */
export function realModeKernel(name: string, emit: (asm: Assembler) => void): MicroKernel {
	const asm = createAssembler({origin: realModeAddress, bits: 16});
	emit(asm);
	const {bytes, labels} = asm.finish();
	if (bytes.length > 510) throw new Error(`Kernel ${name} does not fit a boot sector`);
	const image = new Uint8Array(512);
	image.set(bytes);
	image.set([0x55, 0xaa], 510);
	return {
		name,
		mode: 'real',
		image,
		loadAddress: realModeAddress,
		entry: realModeAddress,
		userEntry: undefined,
		pageTables: undefined,
		addressOf: lookUp(name, labels),
	};
}

/** The top of the stack of the vCPU that took a number, for tests that start vCPUs in user mode directly. */
export const stackTop = (vcpu: number): number => stacks + (vcpu + 1) * stackSize;

function lookUp(name: string, labels: ReadonlyMap<string, number>): (label: string) => number {
	return (label) => {
		const address = labels.get(label);
		if (address === undefined) throw new Error(`Kernel ${name} has no label ${label}`);
		return address;
	};
}

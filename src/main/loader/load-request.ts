import type {BootMachine} from './boot-image.ts';

/** A raw binary: no header says where it goes. */
export interface FlatFormat {
	/** Guest-physical address of its first byte, which is also where it is entered. */
	readonly address: number;
	/** `real`: as a boot sector, 16-bit. `long`: 64-bit mode, the low 4 GiB mapped to themselves, RSI = zero page. */
	readonly mode: 'real' | 'long';
}

/** The boot protocol for a kernel file; `auto` finds it from the file (see `detectKernelFormat`), which `flat` cannot be. */
export type KernelFormat = 'auto' | 'linux' | 'pvh' | 'multiboot' | {readonly flat: FlatFormat};

/** A file for a multiboot or PVH kernel. The image refers to these bytes: do not change them. */
export interface BootModule {
	readonly data: Uint8Array;
	/** The kernel is told its name, then the words for whoever the module is for. */
	readonly name: string;
	readonly words: string;
}

/** The files, the words and the machine that a loader makes an image of. */
export interface LoadRequest {
	/** The kernel file. The image that is made from it refers to these bytes: do not change them. */
	readonly kernel: Uint8Array;
	/** The initial RAM disk file; the same holds. An empty one counts as none. */
	readonly initrd?: Uint8Array | undefined;
	/** In its place, for kernels that take several files: multiboot and PVH. */
	readonly modules?: readonly BootModule[];
	readonly commandLine: string;
	/** Words that come first on the command line: those for Linux, and those for any other kernel. */
	readonly firstWords?: {readonly linux: readonly string[]; readonly other: readonly string[]};
	readonly machine: BootMachine;
	/** Defaults to `auto`. */
	readonly format?: KernelFormat;
}

/** A command line of what is not empty. */
export const joinWords = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');

import type {BootMachine} from './boot-image.ts';

/** A raw binary: no header says where it goes. */
export interface FlatFormat {
	/** Guest-physical address of its first byte, which is also where it is entered. */
	readonly address: number;
	/** `real`: as a boot sector, 16-bit. `long`: 64-bit mode, the low 4 GiB mapped to themselves, RSI = zero page. */
	readonly mode: 'real' | 'long';
}

/** How a kernel file is to be read; `auto` looks at it (see `detectKernelFormat`). `flat` is never detected. */
export type KernelFormat = 'auto' | 'linux' | 'pvh' | 'multiboot' | {readonly flat: FlatFormat};

/** What a loader works on. */
export interface LoadRequest {
	/** The kernel file. The image that is made from it refers to these bytes: do not change them. */
	readonly kernel: Uint8Array;
	/** The initial RAM disk file; the same holds. An empty one counts as none. */
	readonly initrd?: Uint8Array | undefined;
	readonly commandLine: string;
	readonly machine: BootMachine;
	/** Defaults to `auto`. */
	readonly format?: KernelFormat;
}

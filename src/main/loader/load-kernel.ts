import type {BootImage} from './boot-image.ts';
import {detectKernelFormat} from './detect.ts';
import {loaderError} from './errors.ts';
import {loadFlat} from './flat/index.ts';
import {isBzImage, loadBzImage, loadVmlinux} from './linux/index.ts';
import type {LoadRequest} from './load-request.ts';
import {loadMultiboot} from './multiboot/index.ts';
import {loadPvh} from './pvh/index.ts';

/** A boot image, and how it came about. */
export interface LoadedKernel extends BootImage {
	readonly format: 'bzimage' | 'vmlinux' | 'pvh' | 'multiboot' | 'flat';
	/** Why this format, as a clause: "it has a Linux setup header". */
	readonly why: string;
}

const loaders = {bzimage: loadBzImage, vmlinux: loadVmlinux, pvh: loadPvh, multiboot: loadMultiboot} as const;

/**
 * Turns a kernel file into what must be in guest memory and in the boot processor's registers. Pure: touches neither
 * files nor guest memory. Every piece of the result lies in the machine's RAM, and no two overlap.
 * @throws VmmError one of `loaderError`'s codes, for whatever is wrong with kernel, initrd, command line or memory
 */
export function loadKernel(request: LoadRequest): LoadedKernel {
	const {kernel, format = 'auto'} = request;
	if (kernel.length === 0) throw loaderError('KERNEL_EMPTY', {});
	if (typeof format === 'object') {
		return {...loadFlat(request, format.flat), format: 'flat', why: 'it was asked for'};
	}
	if (format === 'auto') {
		const detected = detectKernelFormat(kernel);
		return {...loaders[detected.format](request), ...detected};
	}
	const asked = format === 'linux' ? linuxFormat(kernel) : format;
	return {...loaders[asked](request), format: asked, why: 'it was asked for'};
}

/** Asked for Linux's protocol: a setup header or an ELF file; for anything else detection's error says what it is. */
function linuxFormat(kernel: Uint8Array): 'bzimage' | 'vmlinux' {
	if (isBzImage(kernel)) return 'bzimage';
	const {format} = detectKernelFormat(kernel);
	if (format !== 'multiboot' || kernel[0] === 0x7f) return 'vmlinux';
	throw loaderError('KERNEL_FORMAT_MISMATCH', {wanted: 'Linux', found: 'it is a multiboot kernel and no ELF file'});
}

import type {BootImage} from './boot-image.ts';
import {detectKernelFormat} from './detect.ts';
import {loaderError} from './errors.ts';
import {loadFlat} from './flat/index.ts';
import {isBzImage, loadBzImage, loadVmlinux} from './linux/index.ts';
import {joinWords, type KernelFormat, type LoadRequest} from './load-request.ts';
import {loadMultiboot} from './multiboot/index.ts';
import {loadPvh} from './pvh/index.ts';

/** A boot image, and how it came about. */
export interface LoadedKernel extends BootImage {
	readonly format: 'bzimage' | 'vmlinux' | 'pvh' | 'multiboot' | 'flat';
	/** Reason for this format, as a clause: "it has a Linux setup header". */
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
	const chosen =
		format === 'auto' ? detectKernelFormat(kernel) : {format: askedFormat(format, kernel), why: 'it was asked for'};
	const adapted = chosen.format === 'pvh' || chosen.format === 'multiboot' ? forModules(request) : forLinux(request);
	return {...loaders[chosen.format](adapted), ...chosen};
}

/** Linux takes one file, and no words for it. */
function forLinux(request: LoadRequest): LoadRequest {
	const {modules: [first, second] = [], initrd = first?.data, firstWords} = request;
	if (second !== undefined) throw loaderError('BOOT_DATA_UNSUPPORTED', {what: 'more than one initrd', format: 'Linux'});
	if (first !== undefined && first.words !== '')
		throw loaderError('BOOT_DATA_UNSUPPORTED', {what: 'words for its initrd', format: 'Linux'});
	return {...request, initrd, commandLine: withFirst(firstWords?.linux, request)};
}

/** Any other kernel takes modules; who has only an initrd to give it means one. */
function forModules(request: LoadRequest): LoadRequest {
	const {initrd, modules = initrd && [{data: initrd, name: 'initrd', words: ''}], firstWords} = request;
	return {...request, ...(modules && {modules}), commandLine: withFirst(firstWords?.other, request)};
}

const withFirst = (words: readonly string[] = [], {commandLine}: LoadRequest) => joinWords(...words, commandLine);

const askedFormat = (format: Exclude<KernelFormat, 'auto' | object>, kernel: Uint8Array) =>
	format === 'linux' ? linuxFormat(kernel) : format;

/** Asked for Linux's protocol: a setup header or an ELF file; for anything else detection's error says what it is. */
function linuxFormat(kernel: Uint8Array): 'bzimage' | 'vmlinux' {
	if (isBzImage(kernel)) return 'bzimage';
	const {format} = detectKernelFormat(kernel);
	if (format !== 'multiboot' || kernel[0] === 0x7f) return 'vmlinux';
	throw loaderError('KERNEL_FORMAT_MISMATCH', {wanted: 'Linux', found: 'it is a multiboot kernel and no ELF file'});
}

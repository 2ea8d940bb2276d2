import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {elfPieces, physicalEntry, readElf} from '../elf/index.ts';
import {loaderError} from '../errors.ts';
import type {LoadRequest} from '../load-request.ts';
import {checkKernelMemory, finishImage, placeCommandLine, placeInitrd} from '../place.ts';
import {alignUp, endOf} from '../ranges.ts';
import {linuxBootPieces, linuxEntry} from './boot-state.ts';
import {bootProtocol} from './setup-header.ts';

const pageSize = 0x1000;

/**
 * Loads an uncompressed kernel (vmlinux, or any 64-bit ELF that follows Linux's 64-bit boot protocol): its segments at
 * their physical addresses, entered at `e_entry` in 64-bit mode with RSI = zero page.
 * @throws VmmError of every kind in `errors.ts` that is not about another format
 */
export function loadVmlinux(request: LoadRequest): BootImage {
	const {commandLineLimit} = bootProtocol;
	const elf = readElf(request.kernel);
	if (elf.bits !== 64) throw loaderError('KERNEL_32BIT_ONLY', {what: 'it is a 32-bit ELF file'});
	const commandLine = placeCommandLine(request.commandLine, commandLineLimit);
	const kernel = elfPieces(elf, request.kernel);
	checkKernelMemory(request, kernel);
	const kernelEnd = alignUp(Math.max(...kernel.map(endOf)), pageSize);
	// Without a header the kernel cannot say how far it reaches; every 64-bit kernel reaches 4 GiB.
	const initrd = placeInitrd(request, kernelEnd, bootLayout.mappedEnd);
	const pieces = [
		...linuxBootPieces({machine: request.machine, initrd, commandLineLimit}),
		commandLine,
		...kernel,
		initrd,
	];
	return finishImage(request, {
		pieces,
		entry: linuxEntry(physicalEntry(elf)),
	});
}

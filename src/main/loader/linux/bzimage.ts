import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import type {LoadRequest} from '../load-request.ts';
import {checkKernelMemory, finishImage, placeCommandLine, placeInitrd} from '../place.ts';
import {type Extent, endOf} from '../ranges.ts';
import {linuxBootPieces, linuxEntry} from './boot-state.ts';
import {bootProtocol, readSetupHeader} from './setup-header.ts';

/**
 * Loads a bzImage by the 64-bit boot protocol: its protected-mode code at 1 MiB, entered 0x200 further on; the kernel
 * unpacks itself from there (Linux, Documentation/arch/x86/boot.rst, "64-bit boot protocol").
 * @throws VmmError of every kind in `errors.ts` that is not about another format
 */
export function loadBzImage(request: LoadRequest): BootImage {
	const header = readSetupHeader(request.kernel);
	const commandLine = placeCommandLine(request.commandLine, header.commandLineLimit);
	const kernel = {name: 'kernel', gpa: bootLayout.kernel, data: header.payload};
	const loaded: Extent = {name: kernel.name, gpa: kernel.gpa, length: kernel.data.length};
	// Relocatable or not, a kernel loaded below its preferred address runs there, so both kinds need the same memory.
	const unpacked: Extent = {
		name: 'the unpacked kernel',
		gpa: Math.max(kernel.gpa, header.preferredAddress),
		length: header.initSize,
	};
	checkKernelMemory(request, [loaded, unpacked]);
	const kernelEnd = Math.max(endOf(loaded), endOf(unpacked));
	const initrd = placeInitrd(request, kernelEnd, header.initrdLimit);
	return finishImage(request, {
		pieces: [...linuxBootPieces({machine: request.machine, initrd, header}), commandLine, kernel, initrd],
		entry: linuxEntry(bootLayout.kernel + bootProtocol.entryOffset),
		claims: [unpacked],
	});
}

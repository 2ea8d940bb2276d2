import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import type {LoadRequest} from '../load-request.ts';
import {checkKernelMemory, finishImage, placeCommandLine, placeInitrd} from '../place.ts';
import {type Extent, endOf} from '../ranges.ts';
import {linuxBootPieces, linuxEntry} from './boot-state.ts';
import {bootProtocol, readSetupHeader} from './setup-header.ts';

/**
 * Loads a bzImage: its protected-mode code at 1 MiB, from where the kernel unpacks itself. It is entered by the 64-bit
 * boot protocol, 0x200 into the code, where it has that entry point; else by the 32-bit one, at its first byte (Linux,
 * Documentation/arch/x86/boot.rst).
 * @throws VmmError of every kind in `errors.ts` that is not about another format
 */
export function loadBzImage(request: LoadRequest): BootImage {
	const header = readSetupHeader(request.kernel);
	const {bits, payload, payloadSize, preferredAddress, initSize} = header;
	const commandLine = placeCommandLine(request.commandLine, header.commandLineLimit);
	const kernel = {name: 'kernel', gpa: bootLayout.kernel, data: payload, length: payloadSize};
	// Relocatable or not, a kernel loaded below its preferred address runs there, so both kinds need the same memory.
	const unpacked: Extent = {
		name: 'the unpacked kernel',
		gpa: Math.max(kernel.gpa, preferredAddress),
		length: initSize ?? 0,
	};
	checkKernelMemory(request, [kernel, unpacked]);
	const kernelEnd = Math.max(endOf(kernel), endOf(unpacked));
	// A kernel that does not tell what it needs gets as much as can be.
	const where = initSize === undefined ? 'highest' : 'lowest';
	const initrd = placeInitrd(request, kernelEnd, header.initrdLimit, where);
	return finishImage(request, {
		pieces: [...linuxBootPieces({machine: request.machine, initrd, header}), commandLine, kernel, initrd],
		entry: linuxEntry(bootLayout.kernel + (bits === 64 ? bootProtocol.entryOffset : 0), bits),
		claims: [unpacked],
	});
}

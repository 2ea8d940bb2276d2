import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {realModeEntry} from '../entry-state.ts';
import {loaderError} from '../errors.ts';
import {linuxBootPieces, linuxEntry} from '../linux/index.ts';
import type {FlatFormat, LoadRequest} from '../load-request.ts';
import {checkKernelMemory, finishImage, placeCommandLine, placeInitrd, type SizedPiece} from '../place.ts';
import {endOf} from '../ranges.ts';

/**
 * Loads a raw binary at an address and enters it there, in real mode or, as a Linux kernel would be, in 64-bit mode.
 * @throws VmmError FLAT_ADDRESS_INVALID, BOOT_DATA_UNSUPPORTED, and the memory and command line errors
 */
export function loadFlat(request: LoadRequest, format: FlatFormat): BootImage {
	const {address, mode} = format;
	if (!Number.isSafeInteger(address) || address < 0) throw invalid(format, 'it must be a whole number from 0 on');
	const kernel = {name: 'kernel', gpa: address, data: request.kernel, length: request.kernel.length};
	if (mode === 'real') return loadReal(request, kernel, format);
	if (endOf(kernel) > bootLayout.mappedEnd) throw invalid(format, 'it must end below 4 GiB, where the page tables end');
	const commandLine = placeCommandLine(request.commandLine);
	checkKernelMemory(request, [kernel]);
	const initrd = placeInitrd(request, Math.max(endOf(kernel), bootLayout.kernel), bootLayout.mappedEnd);
	const pieces = [...linuxBootPieces({machine: request.machine, initrd}), commandLine, kernel, initrd];
	return finishImage(request, {
		pieces,
		entry: linuxEntry(address),
	});
}

function loadReal(request: LoadRequest, kernel: SizedPiece, format: FlatFormat): BootImage {
	if (endOf(kernel) > bootLayout.legacyArea) throw invalid(format, 'real-mode code must end below 640 KiB');
	// There is no firmware to ask and no protocol to hand it over: refuse rather than drop it.
	const unsupported = (what: string) => loaderError('BOOT_DATA_UNSUPPORTED', {what, format: 'a real-mode binary'});
	if (request.initrd !== undefined && request.initrd.length > 0) throw unsupported('an initrd');
	if (request.commandLine !== '') throw unsupported('a command line');
	checkKernelMemory(request, [kernel]);
	return finishImage(request, {pieces: [kernel], entry: realModeEntry(format.address)});
}

function invalid({address}: FlatFormat, why: string) {
	return loaderError('FLAT_ADDRESS_INVALID', {address, why});
}

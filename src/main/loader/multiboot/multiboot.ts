import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {elfPieces, isElf, physicalEntry, readElf} from '../elf/index.ts';
import {protectedModeEntry} from '../entry-state.ts';
import {loaderError} from '../errors.ts';
import {buildGdt, flatSegments} from '../gdt.ts';
import type {LoadRequest} from '../load-request.ts';
import {modulePieces, placeModules} from '../modules.ts';
import {checkKernelMemory, finishImage, placeCommandLine, type SizedPiece} from '../place.ts';
import {endOf} from '../ranges.ts';
import {findMultibootHeader, multibootMagic, readMultibootHeader} from './header.ts';
import {buildMultibootInfo} from './info.ts';

interface Loaded {
	readonly pieces: readonly SizedPiece[];
	readonly entry: number;
}

/**
 * Loads a multiboot 1 kernel, ELF or with addresses in its header: entered in 32-bit protected mode without paging,
 * EAX = loader magic, EBX = boot information (Multiboot Specification 0.6.96, 3.2).
 * @throws VmmError of every kind in `errors.ts` that is not about another format
 */
export function loadMultiboot(request: LoadRequest): BootImage {
	const commandLine = placeCommandLine(request.commandLine);
	const kernel = readKernel(request.kernel);
	checkKernelMemory(request, kernel.pieces);
	const modules = placeModules(request, Math.max(...kernel.pieces.map(endOf)));
	const {gdt, bootInfo} = bootLayout;
	const pieces = [
		{name: 'GDT', gpa: gdt, data: buildGdt(flatSegments.code32)},
		{name: 'multiboot info', gpa: bootInfo, data: buildMultibootInfo(request.machine, modules)},
		commandLine,
		...kernel.pieces,
		...modulePieces(modules),
	];
	return finishImage(request, {
		pieces,
		entry: protectedModeEntry({
			rip: BigInt(kernel.entry),
			rax: BigInt(multibootMagic.loader),
			rbx: BigInt(bootInfo),
		}),
	});
}

function readKernel(bytes: Uint8Array): Loaded {
	const at = findMultibootHeader(bytes);
	const mismatch = (found: string) => loaderError('KERNEL_FORMAT_MISMATCH', {wanted: 'multiboot', found});
	if (at === undefined) throw mismatch('its first 8 KiB hold no multiboot header');
	const addresses = readMultibootHeader(bytes, at);
	if (addresses !== undefined) {
		const {load, offset, fileSize, memorySize, entry} = addresses;
		const data = bytes.subarray(offset, offset + fileSize);
		return {pieces: [{name: 'kernel', gpa: load, data, length: memorySize}], entry};
	}
	if (!isElf(bytes)) throw mismatch('its multiboot header gives no addresses and it is no ELF file');
	const elf = readElf(bytes);
	return {pieces: elfPieces(elf, bytes), entry: physicalEntry(elf)};
}

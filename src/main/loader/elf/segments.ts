import {loaderError} from '../errors.ts';
import type {SizedPiece} from '../place.ts';
import type {ElfFile} from './elf-file.ts';

/** The file's loadable segments as pieces at their physical addresses. */
export function elfPieces(elf: ElfFile, bytes: Uint8Array): SizedPiece[] {
	return elf.loads.map(({physical, offset, fileSize, memorySize}, index) => ({
		name: `kernel segment ${index}`,
		gpa: physical,
		data: bytes.subarray(offset, offset + fileSize),
		length: memorySize,
	}));
}

/**
 * The physical address of an entry point that may be physical (Linux) or virtual (kernels linked to the upper half).
 * @throws VmmError KERNEL_INVALID when no loaded segment contains it
 */
export function physicalEntry(elf: ElfFile, entry: bigint = elf.entry): number {
	for (const {physical, fileSize} of elf.loads) {
		if (entry >= BigInt(physical) && entry < BigInt(physical) + BigInt(fileSize)) return Number(entry);
	}
	for (const {physical, virtual, fileSize} of elf.loads) {
		if (entry >= virtual && entry < virtual + BigInt(fileSize)) return physical + Number(entry - virtual);
	}
	throw loaderError('KERNEL_INVALID', {what: `no loaded segment contains its entry point 0x${entry.toString(16)}`});
}

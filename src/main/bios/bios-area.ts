import {bootLayout, type MemoryPiece} from '#main/loader';
import {biosFacts, buildBiosData} from './bios-data.ts';
import {buildInterrupts} from './interrupts.ts';

/**
 * Makes the pieces of low memory that kernels rely on in every PC before they ask anything else: the end of conventional memory,
 * the serial ports, and interrupts that come back when they are called in real mode, although there is no BIOS.
 */
export function buildBiosArea(hasSerial: boolean): MemoryPiece[] {
	const facts = biosFacts(hasSerial);
	const {vectors, code} = buildInterrupts(facts);
	const {interruptVectors, biosData, ebda, legacyArea, biosCode} = bootLayout;
	// The extended data area begins with its size in KiB.
	const ebdaSize = Uint8Array.of((legacyArea - ebda) / 1024);
	return [
		{name: 'interrupt vectors', gpa: interruptVectors, data: vectors},
		{name: 'BIOS data', gpa: biosData, data: buildBiosData(facts, hasSerial)},
		{name: 'extended BIOS data', gpa: ebda, data: ebdaSize},
		{name: 'BIOS code', gpa: biosCode, data: code},
	];
}

import {u32, wire} from '#support/wire';
import type {BootImage} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {type ElfFile, elfNotes, elfPieces, isElf, physicalEntry, readElf} from '../elf/index.ts';
import {protectedModeEntry} from '../entry-state.ts';
import {loaderError} from '../errors.ts';
import {buildGdt, flatSegments} from '../gdt.ts';
import {bootProtocol, isLinuxElf} from '../linux/index.ts';
import type {LoadRequest} from '../load-request.ts';
import {modulePieces, placeModules} from '../modules.ts';
import {checkKernelMemory, finishImage, placeCommandLine} from '../place.ts';
import {endOf} from '../ranges.ts';
import {buildStartInfo} from './start-info.ts';

/** XEN_ELFNOTE_PHYS32_ENTRY (Xen, public/elfnote.h). */
const phys32Entry = 18;
/** Its size is the linker's idea of a pointer, the value is 32 bits either way. */
const entryNote = wire('XEN_ELFNOTE_PHYS32_ENTRY', {entry: u32});

/** The 32-bit entry point that a PVH note names, if the file has one. */
export function pvhEntry(elf: ElfFile, bytes: Uint8Array): number | undefined {
	const note = elfNotes(elf, bytes).find(({owner, type}) => owner === 'Xen' && type === phys32Entry);
	if (note === undefined || !entryNote.fits(note.descriptor)) return undefined;
	return entryNote.read(note.descriptor).entry;
}

/**
 * Loads an ELF by the PVH boot ABI: entered in 32-bit protected mode without paging, EBX = start info
 * (Xen, docs/misc/pvh.pandoc).
 * @throws VmmError of every kind in `errors.ts` that is not about another format
 */
export function loadPvh(request: LoadRequest): BootImage {
	const mismatch = (found: string) => loaderError('KERNEL_FORMAT_MISMATCH', {wanted: 'PVH', found});
	if (!isElf(request.kernel)) throw mismatch('it is no ELF file');
	const elf = readElf(request.kernel);
	const entry = pvhEntry(elf, request.kernel);
	if (entry === undefined) throw mismatch('it has no PVH note (Xen, type 18)');
	// The ABI has no limit, but Linux has.
	const limit = isLinuxElf(elf, request.kernel) ? bootProtocol.commandLineLimit : undefined;
	const commandLine = placeCommandLine(request.commandLine, limit);
	const kernel = elfPieces(elf, request.kernel);
	checkKernelMemory(request, kernel);
	const modules = placeModules(request, Math.max(...kernel.map(endOf)));
	const {gdt, bootInfo} = bootLayout;
	const pieces = [
		{name: 'GDT', gpa: gdt, data: buildGdt(flatSegments.code32)},
		{name: 'start info', gpa: bootInfo, data: buildStartInfo(request.machine, modules)},
		commandLine,
		...kernel,
		...modulePieces(modules),
	];
	return finishImage(request, {
		pieces,
		entry: protectedModeEntry({rip: BigInt(physicalEntry(elf, BigInt(entry))), rbx: BigInt(bootInfo)}),
	});
}

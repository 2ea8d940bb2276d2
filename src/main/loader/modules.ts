import type {MemoryPiece} from './boot-image.ts';
import {bootLayout} from './boot-layout.ts';
import {loaderError} from './errors.ts';
import {joinWords, type LoadRequest} from './load-request.ts';
import {placeCommandLine, placeInitrd} from './place.ts';
import {endOf} from './ranges.ts';

/** So many entries fit in front of the memory map, whichever the protocol, and so many command lines below the ACPI tables. */
export const maxModules = 16;

/** A module in guest memory. */
export interface PlacedModule {
	readonly file: MemoryPiece;
	readonly commandLine: MemoryPiece;
}

/**
 * Places the modules of a kernel after it, one after the other. Empty files count as none.
 * @throws VmmError BOOT_MODULES_TOO_MANY, INITRD_TOO_LARGE, MEMORY_TOO_SMALL, COMMAND_LINE_TOO_LONG, COMMAND_LINE_INVALID
 */
export function placeModules(request: LoadRequest, kernelEnd: number): PlacedModule[] {
	const modules = (request.modules ?? []).filter(({data}) => data.length > 0);
	const {length: count} = modules;
	if (count > maxModules) throw loaderError('BOOT_MODULES_TOO_MANY', {count, limit: maxModules});
	const placed: PlacedModule[] = [];
	for (const [index, {data, name, words}] of modules.entries()) {
		const last = placed.at(-1);
		const file = placeInitrd(
			{...request, initrd: data},
			last ? endOf(sized(last.file)) : kernelEnd,
			bootLayout.mappedEnd,
		);
		const gpa = last ? endOf(sized(last.commandLine)) : bootLayout.moduleCommandLines;
		const line = {...placeCommandLine(joinWords(name, words)), name: `command line of module ${index}`, gpa};
		if (file !== undefined) placed.push({file: {...file, name: `module ${index}`}, commandLine: line});
	}
	return placed;
}

const sized = ({gpa, data}: MemoryPiece) => ({gpa, length: data.length});

/** The pieces that modules add to an image. */
export const modulePieces = (modules: readonly PlacedModule[]): MemoryPiece[] =>
	modules.flatMap(({file, commandLine}) => [file, commandLine]);

import type {BootMachine} from './boot-image.ts';
import {bootLayout} from './boot-layout.ts';
import {endOf} from './ranges.ts';

/** Types of memory in E820; PVH and multiboot use the same numbers (ACPI 6.5, table 15.1). */
export const memoryType = {ram: 1, reserved: 2, acpi: 3} as const;

/** One entry of the map that the guest is given. */
export interface MemoryMapEntry {
	readonly gpa: number;
	/** In bytes. */
	readonly length: number;
	/** A value of {@link memoryType}. */
	readonly type: number;
}

/** Not offered as RAM, and not listed either: a guest may find devices there. */
const hole = 0;

const {ebda, legacyArea, rsdp, kernel} = bootLayout;
const legacy: readonly MemoryMapEntry[] = [
	{gpa: legacyArea, length: rsdp - legacyArea, type: hole},
	{gpa: ebda, length: legacyArea - ebda, type: memoryType.reserved},
	{gpa: rsdp, length: kernel - rsdp, type: memoryType.reserved},
];

/**
 * The guest's memory map: RAM, without the legacy areas and the machine's reserved ranges, which are listed by kind.
 * Ascending, without overlaps, neighbours of one type merged.
 */
export function memoryMap(machine: BootMachine): MemoryMapEntry[] {
	// Later layers win where ranges overlap.
	const layers: readonly MemoryMapEntry[] = [
		...machine.ram.map((range) => ({...range, type: memoryType.ram})),
		...legacy,
		...machine.reserved.map(({gpa, length, kind}) => ({gpa, length, type: memoryType[kind]})),
	];
	const edges = [...new Set(layers.flatMap((layer) => [layer.gpa, endOf(layer)]))].sort((a, b) => a - b);
	const map: MemoryMapEntry[] = [];
	for (const [index, gpa] of edges.slice(0, -1).entries()) {
		const length = (edges[index + 1] as number) - gpa;
		const type = layers.findLast((layer) => layer.gpa <= gpa && endOf(layer) > gpa)?.type ?? hole;
		const last = map.at(-1);
		if (last !== undefined && last.type === type && endOf(last) === gpa) {
			map[map.length - 1] = {...last, length: last.length + length};
		} else if (type !== hole) map.push({gpa, length, type});
	}
	return map;
}

import type {CpuidEntry} from './cpuid-entry.ts';
import type {CpuidTopology} from './cpuid-topology.ts';
import {Leaf} from './leaves.ts';

/** Processors in one core, and APIC ids of one socket. */
function counts({threadBits, socketShift}: CpuidTopology): {readonly threads: number; readonly ids: number} {
	return {threads: 1 << threadBits, ids: 1 << socketShift};
}

/** Replaces `width` bits from `shift` on; a value that does not fit becomes the largest that does. */
function field(register: number, shift: number, width: number, value: number): number {
	const most = 2 ** width - 1;
	const mask = (most << shift) >>> 0;
	return ((register & ~mask) | ((Math.min(value, most) << shift) & mask)) >>> 0;
}

/** Leaf 1 EBX: initial APIC id, ids per socket, and the CLFLUSH line that a guest needs to flush at all. */
export function featureTopology(entry: CpuidEntry, topology: CpuidTopology): CpuidEntry {
	const {ids} = counts(topology);
	const cacheLineUnits = (entry.ebx >>> 8) & 0xff || 8;
	let ebx = field(entry.ebx, 8, 8, cacheLineUnits);
	ebx = field(ebx, 16, 8, ids);
	// The field has 8 bits of the id; guests with more processors read the rest from leaf B.
	ebx = field(ebx, 24, 8, topology.apicId & 0xff);
	return {...entry, ebx};
}

/**
 * Leaf 4 (Intel) and 8000001D (AMD): how many processors share a cache. Levels 1 and 2 belong to a core, higher ones to
 * the socket. EAX[31:26], the cores per socket, exists on Intel only.
 */
export function cacheTopology(entry: CpuidEntry, topology: CpuidTopology, hasCoreCount: boolean): CpuidEntry {
	const cacheType = entry.eax & 0x1f;
	if (cacheType === 0) return entry;
	const level = (entry.eax >>> 5) & 7;
	const {threads, ids} = counts(topology);
	let eax = field(entry.eax, 14, 12, (level <= 2 ? threads : ids) - 1);
	if (hasCoreCount) eax = field(eax, 26, 6, ids / threads - 1);
	return {...entry, eax};
}

/** Leaf B or 1F: a level for threads, a level for cores, and the end of the list; EDX is the APIC id in each. */
export function topologyLevels(leaf: number, topology: CpuidTopology): CpuidEntry[] {
	const {threads, ids} = counts(topology);
	const levels = [
		{type: 1, shift: topology.threadBits, processors: threads},
		{type: 2, shift: topology.socketShift, processors: ids},
		{type: 0, shift: 0, processors: 0},
	];
	return levels.map(({type, shift, processors}, index) => ({
		function: leaf,
		index,
		significantIndex: true,
		eax: shift,
		ebx: Math.min(processors, 0xffff),
		ecx: index | (type << 8),
		edx: topology.apicId,
	}));
}

/** 80000008 ECX (AMD): processors of the socket less one, and the bits of an APIC id within it. */
export function amdAddressSizes(entry: CpuidEntry, topology: CpuidTopology): CpuidEntry {
	const ecx = field(entry.ecx, 0, 8, counts(topology).ids - 1);
	return {...entry, ecx: field(ecx, 12, 4, topology.socketShift)};
}

/** 8000001E (AMD): APIC id, core and its threads, and the node; one node per socket. */
export function amdTopology({apicId, threadBits, socketShift}: CpuidTopology): CpuidEntry {
	const core = (apicId & ((1 << socketShift) - 1)) >>> threadBits;
	const node = apicId >>> socketShift;
	return {
		function: Leaf.amdTopology,
		index: 0,
		significantIndex: false,
		eax: apicId,
		ebx: (core & 0xff) | (((1 << threadBits) - 1) << 8),
		ecx: node & 0xff,
		edx: 0,
	};
}

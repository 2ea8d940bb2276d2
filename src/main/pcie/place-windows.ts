import type {MemoryRange} from '#devices/guest-memory';
import {bytesPerBus, type RootComplexConfig} from '#devices/pci/root-complex';
import type {PcieConfig, PcieRootComplexConfig} from '#main/config';
import {
	createMemoryLayout,
	defaultLowMmioLength,
	type MemoryLayout,
	type MemoryLayoutOptions,
	widestAddressBits,
} from '#main/topology';
import {errorTable} from '#support/errors';

const mib = 2 ** 20;
const gib = 2 ** 30;
const fourGib = 4 * gib;
const lowUnit = 2 * mib;
/** MCFG counts from bus 0, which must not lie below address 0. */
const lowestEcam = 256 * mib;
/** The first root complex has the ports that no ISA device uses. */
const firstPorts = {base: 0x1000, length: 0xf000} as const;
const noRange: MemoryRange = {gpa: 0, length: 0};

const placeError = errorTable({
	PCIE_WINDOWS_OVERLAP: (c: {first: string; second: string}) => ({
		message: `${c.first} and ${c.second} would lie at the same addresses`,
		remedy: 'Move one: low_mmio_base and high_mmio_base say where a window begins',
	}),
	PCIE_WINDOWS_TOO_LARGE: (c: {lowest: number}) => ({
		message: `The windows of the root complexes below 4 GiB would begin at ${c.lowest}, and leave no room for memory`,
		remedy: 'Give less low_mmio, or leave out --pcie-ecam-below-4gb',
	}),
	PCIE_ADDRESS_TOO_HIGH: (c: {end: number; addressBits: number}) => ({
		message: `The root complexes end at 0x${c.end.toString(16)}, beyond this host's ${c.addressBits}-bit addresses`,
		remedy: 'Give less memory or less high_mmio',
	}),
});

/** Memory and root complexes in their places. */
export interface MachinePlaces {
	readonly memory: MemoryLayout;
	/** In the configuration's order. */
	readonly complexes: readonly RootComplexConfig[];
}

/** Request for an address: with a base of its own, or anywhere at a multiple of `alignment`. */
interface Request {
	readonly name: string;
	readonly length: number;
	readonly alignment: number;
	readonly base?: number;
}

/**
 * Places RAM and the root complexes' windows as OpenVMM does: windows below 4 GiB from the chipset's downwards, then RAM, then
 * windows and configuration space above it.
 * @throws VmmError with a `PCIE_` or `MEMORY_` code
 */
export function placeMachine(options: MemoryLayoutOptions, pcie: PcieConfig | undefined): MachinePlaces {
	if (pcie === undefined) return {memory: createMemoryLayout(options), complexes: []};
	const {physicalAddressBits: addressBits = widestAddressBits} = options;
	const lowEnd = fourGib - defaultLowMmioLength;
	const ecams = ecamRequests(pcie);
	const lows = [...pcie.rootComplexes.map(lowRequest), ...(pcie.ecamBelow4Gb ? ecams : [])];
	const below = placeAll(lows, (placed, {length, alignment}) => {
		const start = placed.reduce((least, {gpa}) => Math.min(least, gpa), lowEnd);
		return Math.floor((start - length) / alignment) * alignment;
	});
	const lowest = Math.min(lowEnd, ...[...below.values()].map(({gpa}) => gpa));
	if (lowest < lowestEcam) throw placeError('PCIE_WINDOWS_TOO_LARGE', {lowest});
	const memory = createMemoryLayout({...options, lowMmioLength: fourGib - lowest});
	const highs = [...pcie.rootComplexes.map(highRequest), ...(pcie.ecamBelow4Gb ? [] : ecams)];
	const above = placeAll(highs, (placed, {alignment}) => {
		const start = placed.reduce((most, {gpa, length}) => Math.max(most, gpa + length), memory.end);
		return Math.ceil(start / alignment) * alignment;
	});
	const places = new Map([...below, ...above]);
	checkOverlaps(places, memory);
	const end = Math.max(memory.end, ...[...places.values()].map(({gpa, length}) => gpa + length));
	if (end > 2 ** addressBits) throw placeError('PCIE_ADDRESS_TOO_HIGH', {end, addressBits});
	return {memory, complexes: pcie.rootComplexes.map((complex, index) => placedComplex(complex, index, pcie, places))};
}

const lowRequest = (rc: PcieRootComplexConfig): Request => ({
	name: `low memory of ${rc.name}`,
	length: Math.ceil(rc.lowMmioBytes / lowUnit) * lowUnit,
	alignment: lowUnit,
	...(rc.lowMmioBase !== undefined && {base: rc.lowMmioBase}),
});

const highRequest = (rc: PcieRootComplexConfig): Request => ({
	name: `high memory of ${rc.name}`,
	length: Math.ceil(rc.highMmioBytes / lowUnit) * lowUnit,
	alignment: gib,
	...(rc.highMmioBase !== undefined && {base: rc.highMmioBase}),
});

const ecamName = (segment: number) => `configuration space of segment ${segment}`;

/** One block per segment, for its lowest to its highest bus. */
function ecamRequests({rootComplexes}: PcieConfig): Request[] {
	return [...new Set(rootComplexes.map(({segment}) => segment))].map((segment) => {
		const {first, last} = busesOf(rootComplexes, segment);
		const length = (last - first + 1) * bytesPerBus;
		return {name: ecamName(segment), length, alignment: Math.min(2 ** Math.ceil(Math.log2(length)), lowestEcam)};
	});
}

function busesOf(complexes: readonly PcieRootComplexConfig[], segment: number): {first: number; last: number} {
	const own = complexes.filter((complex) => complex.segment === segment);
	return {first: Math.min(...own.map(({startBus}) => startBus)), last: Math.max(...own.map(({endBus}) => endBus))};
}

/** Fixed ones first, then by alignment, then by size, then in order. */
function placeAll(
	requests: readonly Request[],
	next: (placed: readonly MemoryRange[], request: Request) => number,
): Map<string, MemoryRange> {
	const places = new Map<string, MemoryRange>();
	const wanted = requests.filter(({length}) => length > 0);
	for (const {name, length, base} of wanted) if (base !== undefined) places.set(name, {gpa: base, length});
	const floating = wanted.filter(({base}) => base === undefined);
	for (const request of floating.sort((a, b) => b.alignment - a.alignment || b.length - a.length)) {
		const gpa = next([...places.values()], request);
		places.set(request.name, {gpa, length: request.length});
	}
	return places;
}

function checkOverlaps(places: ReadonlyMap<string, MemoryRange>, {ram, lowMmio}: MemoryLayout): void {
	const chipset = {gpa: fourGib - defaultLowMmioLength, length: defaultLowMmioLength};
	const all = [...places, ...ram.map((range) => ['memory', range] as const), ['the chipset', chipset] as const];
	const sorted = all.sort(([, a], [, b]) => a.gpa - b.gpa);
	for (const [index, [first, {gpa, length}]] of sorted.entries()) {
		const next = sorted[index + 1];
		if (next !== undefined && next[1].gpa < gpa + length)
			throw placeError('PCIE_WINDOWS_OVERLAP', {first, second: next[0]});
	}
	if (lowMmio.gpa < lowestEcam) throw placeError('PCIE_WINDOWS_TOO_LARGE', {lowest: lowMmio.gpa});
}

function placedComplex(
	rc: PcieRootComplexConfig,
	index: number,
	{rootComplexes}: PcieConfig,
	places: ReadonlyMap<string, MemoryRange>,
): RootComplexConfig {
	const block = places.get(ecamName(rc.segment)) ?? noRange;
	const {first} = busesOf(rootComplexes, rc.segment);
	return {
		segment: rc.segment,
		startBus: rc.startBus,
		endBus: rc.endBus,
		ecam: {
			gpa: block.gpa + (rc.startBus - first) * bytesPerBus,
			length: (rc.endBus - rc.startBus + 1) * bytesPerBus,
		},
		lowMmio: places.get(lowRequest(rc).name) ?? noRange,
		highMmio: places.get(highRequest(rc).name) ?? noRange,
		ports: index === 0 ? firstPorts : {base: 0, length: 0},
		preserveBars: rc.preserveBars,
		...(rc.node !== undefined && {node: rc.node}),
	};
}

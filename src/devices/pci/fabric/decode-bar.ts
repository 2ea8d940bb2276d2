import {Bridge, barOffset, Command, Header, isWide} from '#devices/pci/config-space';
import type {PlacedBar} from '#devices/pci/function';
import {passesOn} from './route-config.ts';
import type {FabricBus, FabricComplex, FabricFunction} from './topology.ts';

const upperHalf = 2 ** 32;
const windowUnit = 2 ** 20;
const portUnit = 2 ** 12;

/** From its first address to the one behind its last. */
type MemoryRange = readonly [start: number, end: number];

/**
 * Gives the address at which a BAR answers now, or undefined when the guest has turned it off, or when a bridge above it or the
 * root complex does not pass all of it on. BARs are aligned to their size, so none of them wraps around.
 */
export function decodedBar(owner: FabricFunction, bar: PlacedBar): number | undefined {
	const isIo = bar.kind === 'io';
	const enable = isIo ? Command.IO : Command.MEMORY;
	if ((owner.space.read(Header.COMMAND, 2) & enable) === 0) return undefined;
	const start = barAddress(owner, bar);
	return isPassedOn(owner.bus, isIo, start, start + bar.size) ? start : undefined;
}

/** Lists the ranges of memory that lead to a port, which has nothing behind it but zeros. */
export function zerosBehind(port: FabricFunction): readonly MemoryRange[] {
	if (!port.hasZeros() || (port.space.read(Header.COMMAND, 2) & Command.MEMORY) === 0) return [];
	return memoryWindows(port).filter(([start, end]) => start < end && isPassedOn(port.bus, false, start, end));
}

/** True when the bridges down to a bus and the root complex pass all of a range on. */
function isPassedOn(below: FabricBus, isIo: boolean, start: number, end: number): boolean {
	const enable = isIo ? Command.IO : Command.MEMORY;
	for (let bus = below; bus.bridge !== undefined; bus = bus.bridge.bus) {
		const {bridge} = bus;
		if (!passesOn(bridge) || (bridge.space.read(Header.COMMAND, 2) & enable) === 0) return false;
		if (!(isIo ? ioWindowHolds(bridge, start, end) : memoryWindowHolds(bridge, start, end))) return false;
	}
	return complexHolds(below.complex, isIo, start, end);
}

/** The address in a BAR's register. Beyond 2^53 it is inexact, and far beyond anything that is passed on. */
export function barAddress({space}: FabricFunction, bar: PlacedBar): number {
	const at = barOffset(bar);
	const flags = bar.kind === 'io' ? 0x3 : 0xf;
	const low = (space.read(at, 4) & ~flags) >>> 0;
	return isWide(bar) ? space.read(at + 4, 4) * upperHalf + low : low;
}

function ioWindowHolds({space}: FabricFunction, start: number, end: number): boolean {
	const base = (space.read(Bridge.IO_BASE, 1) & 0xf0) << 8;
	const limit = ((space.read(Bridge.IO_LIMIT, 1) & 0xf0) << 8) + portUnit;
	return start >= base && end <= limit;
}

function memoryWindowHolds(bridge: FabricFunction, start: number, end: number): boolean {
	return memoryWindows(bridge).some(([base, limit]) => start >= base && end <= limit);
}

/** The ranges that a bridge passes on: memory, then prefetchable memory. One that ends before it starts is closed. */
function memoryWindows({space}: FabricFunction): readonly MemoryRange[] {
	const edge = (offset: number) => (space.read(offset, 2) & 0xfff0) * 2 ** 16;
	const wide = (offset: number, upper: number) => space.read(upper, 4) * upperHalf + edge(offset);
	const base = wide(Bridge.PREFETCHABLE_BASE, Bridge.PREFETCHABLE_BASE_UPPER);
	const limit = wide(Bridge.PREFETCHABLE_LIMIT, Bridge.PREFETCHABLE_LIMIT_UPPER);
	return [
		[edge(Bridge.MEMORY_BASE), edge(Bridge.MEMORY_LIMIT) + windowUnit],
		[base, limit + windowUnit],
	];
}

function complexHolds({config}: FabricComplex, isIo: boolean, start: number, end: number): boolean {
	const {lowMmio, highMmio, ports} = config;
	if (isIo) return start >= ports.base && end <= ports.base + ports.length;
	const holds = ({gpa, length}: typeof lowMmio) => start >= gpa && end <= gpa + length;
	return holds(lowMmio) || holds(highMmio);
}

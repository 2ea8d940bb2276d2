import {Bridge, barOffset, Command, Header, isWide} from '#devices/pci/config-space';
import type {PlacedBar} from '#devices/pci/function';
import {passesOn} from './route-config.ts';
import type {FabricComplex, FabricFunction} from './topology.ts';

const upperHalf = 2 ** 32;
const windowUnit = 2 ** 20;
const portUnit = 2 ** 12;

/**
 * Gives the address at which a BAR answers now, or undefined when the guest has turned it off, or when a bridge above it or the
 * root complex does not pass all of it on. BARs are aligned to their size, so none of them wraps around.
 */
export function decodedBar(owner: FabricFunction, bar: PlacedBar): number | undefined {
	const isIo = bar.kind === 'io';
	const enable = isIo ? Command.IO : Command.MEMORY;
	if ((owner.space.read(Header.COMMAND, 2) & enable) === 0) return undefined;
	const start = barAddress(owner, bar);
	const end = start + bar.size;
	for (let bus = owner.bus; bus.bridge !== undefined; bus = bus.bridge.bus) {
		const {bridge} = bus;
		if (!passesOn(bridge) || (bridge.space.read(Header.COMMAND, 2) & enable) === 0) return undefined;
		if (!(isIo ? ioWindowHolds(bridge, start, end) : memoryWindowHolds(bridge, start, end))) return undefined;
	}
	return complexHolds(owner.bus.complex, isIo, start, end) ? start : undefined;
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

function memoryWindowHolds({space}: FabricFunction, start: number, end: number): boolean {
	const edge = (offset: number) => (space.read(offset, 2) & 0xfff0) * 2 ** 16;
	if (start >= edge(Bridge.MEMORY_BASE) && end <= edge(Bridge.MEMORY_LIMIT) + windowUnit) return true;
	const wide = (offset: number, upper: number) => space.read(upper, 4) * upperHalf + edge(offset);
	const base = wide(Bridge.PREFETCHABLE_BASE, Bridge.PREFETCHABLE_BASE_UPPER);
	const limit = wide(Bridge.PREFETCHABLE_LIMIT, Bridge.PREFETCHABLE_LIMIT_UPPER);
	return start >= base && end <= limit + windowUnit;
}

function complexHolds({config}: FabricComplex, isIo: boolean, start: number, end: number): boolean {
	const {lowMmio, highMmio, ports} = config;
	if (isIo) return start >= ports.base && end <= ports.base + ports.length;
	const holds = ({gpa, length}: typeof lowMmio) => start >= gpa && end <= gpa + length;
	return holds(lowMmio) || holds(highMmio);
}

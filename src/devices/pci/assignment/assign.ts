import type {AccessSize} from '#devices/device';
import {Bridge, Command, Header} from '#devices/pci/config-space';
import {rootInput} from '#devices/pci/fabric';
import type {NumberedFunction, Pool} from './functions.ts';
import {type PlannedComplex, planResources} from './plan.ts';
import type {Item} from './windows.ts';

/** Configuration space of one segment. */
export interface ConfigAccess {
	write(bus: number, devfn: number, offset: number, size: AccessSize, value: number): void;
}

/**
 * Does what firmware does at power-on: numbers the buses, gives every BAR an address in the root complex's windows and every
 * bridge windows to match, tells functions their interrupt's input, and turns their decoding on. All by configuration
 * accesses. What does not fit stays without an address, and decodes nothing: the guest may move things and make room.
 */
export function assignResources(access: ConfigAccess, complex: PlannedComplex): void {
	const {functions, placed, shortages} = planResources(complex);
	numberBridges(access, functions);
	for (const {pool, item, address} of placed) place(access, pool, item, address);
	const without = (pools: readonly Pool[]) =>
		new Set(shortages.filter(({of}) => pools.includes(of as Pool)).flatMap((shortage) => shortage.without));
	finish(access, functions, {memory: without(['low', 'high']), io: without(['io'])}, 0);
}

function numberBridges(access: ConfigAccess, functions: readonly NumberedFunction[]): void {
	for (const {bus, devfn, bridge} of functions) {
		if (bridge === undefined) continue;
		access.write(bus, devfn, Bridge.PRIMARY_BUS, 1, bus);
		access.write(bus, devfn, Bridge.SECONDARY_BUS, 1, bridge.secondary);
		access.write(bus, devfn, Bridge.SUBORDINATE_BUS, 1, bridge.subordinate);
		numberBridges(access, bridge.functions);
	}
}

/** Writes the address of a BAR, or of a window and of what is in it. */
function place(access: ConfigAccess, pool: Pool, item: Item, address: number): void {
	const {bus, devfn} = item.owner;
	const write = (offset: number, size: 1 | 2 | 4, value: number) => access.write(bus, devfn, offset, size, value);
	if ('bar' in item) {
		write(item.bar.offset, 4, address % 2 ** 32);
		if (item.bar.isWide) write(item.bar.offset + 4, 4, Math.floor(address / 2 ** 32));
		return;
	}
	const last = address + item.window.size - 1;
	const upper = (value: number) => Math.floor(value / 2 ** 16) & 0xfff0;
	if (pool === 'io') {
		write(Bridge.IO_BASE, 1, (address >>> 8) & 0xf0);
		write(Bridge.IO_LIMIT, 1, (last >>> 8) & 0xf0);
	} else if (pool === 'low') {
		write(Bridge.MEMORY_BASE, 2, upper(address));
		write(Bridge.MEMORY_LIMIT, 2, upper(last));
	} else {
		write(Bridge.PREFETCHABLE_BASE, 2, upper(address));
		write(Bridge.PREFETCHABLE_LIMIT, 2, upper(last));
		write(Bridge.PREFETCHABLE_BASE_UPPER, 4, Math.floor(address / 2 ** 32));
		write(Bridge.PREFETCHABLE_LIMIT_UPPER, 4, Math.floor(last / 2 ** 32));
	}
	for (const inner of item.window.items) place(access, pool, inner.item, address + inner.offset);
}

/** Names of functions that a BAR of this kind has no address in. */
interface Without {
	readonly memory: ReadonlySet<string>;
	readonly io: ReadonlySet<string>;
}

/** @param numbers - sum of the device numbers on the way here, which say where a pin leads */
function finish(access: ConfigAccess, functions: readonly NumberedFunction[], without: Without, numbers: number): void {
	for (const {name, bus, devfn, hasPin, bars, bridge} of functions) {
		const here = numbers + (devfn >> 3);
		if (hasPin) access.write(bus, devfn, Header.INTERRUPT_LINE, 1, rootInput(here, 0));
		const hasIo = bridge !== undefined || bars.some(({pool}) => pool === 'io');
		const memory = without.memory.has(name) ? 0 : Command.MEMORY;
		const io = hasIo && !without.io.has(name) ? Command.IO : 0;
		access.write(bus, devfn, Header.COMMAND, 2, memory | io | (bridge === undefined ? 0 : Command.MASTER));
		if (bridge !== undefined) finish(access, bridge.functions, without, here);
	}
}

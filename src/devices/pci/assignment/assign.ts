import {Bridge, Command, Header} from '#devices/pci/config-space';
import {rootInput} from '#devices/pci/fabric';
import type {RootComplexConfig} from '#devices/pci/root-complex';
import {type ConfigAccess, Enumeration, type FoundFunction, type Pool} from './enumerate.ts';
import {assignmentError} from './errors.ts';
import {alignUp, type Item, type Packed, type PackOptions, pack} from './windows.ts';

/** A root complex whose functions get their numbers and addresses. */
export interface AssignedComplex {
	readonly name: string;
	readonly config: RootComplexConfig;
}

/**
 * Does what firmware does at power-on: numbers the buses, gives every BAR an address in the root complex's windows and every
 * bridge windows to match, tells functions their interrupt's input, and turns their decoding on. All by configuration
 * accesses; the result depends on the machine alone.
 * @throws VmmError PCI_BUSES_TOO_FEW, PCI_WINDOW_TOO_SMALL, PCI_PORTS_TOO_FEW
 */
export function assignResources(access: ConfigAccess, complex: AssignedComplex): void {
	const {name, config} = complex;
	const {functions} = new Enumeration(access, {name, startBus: config.startBus, endBus: config.endBus});
	const hasHigh = config.highMmio.length > 0;
	const pools: readonly (readonly [Pool, readonly Pool[]])[] = [
		['low', hasHigh ? ['low'] : ['low', 'high']],
		...(hasHigh ? ([['high', ['high']]] as const) : []),
		['io', ['io']],
	];
	for (const [pool, takes] of pools) {
		const {packed, base} = placePool(complex, functions, {pool, takes, reserve: true});
		for (const {item, offset} of packed.items) place(access, pool, item, base + offset);
	}
	finish(access, functions, 0);
}

/** Room for devices to come is kept where there is room. */
function placePool(complex: AssignedComplex, functions: readonly FoundFunction[], options: PackOptions) {
	const {base: start, length, tooSmall} = poolRange(complex, options.pool);
	for (const reserve of [true, false]) {
		const packed: Packed = pack(functions, {...options, reserve});
		const base = alignUp(start, packed.alignment);
		if (packed.size === 0 || base + packed.size <= start + length) return {packed, base};
		if (!reserve) throw tooSmall(packed.size);
	}
	throw new TypeError('unreachable');
}

function poolRange({name, config}: AssignedComplex, pool: Pool) {
	const {ports, lowMmio, highMmio} = config;
	if (pool === 'io') {
		const {base, length} = ports;
		return {
			base,
			length,
			tooSmall: (needed: number) => assignmentError('PCI_PORTS_TOO_FEW', {complex: name, needed, length}),
		};
	}
	const [{gpa: base, length}, window, key] =
		pool === 'low'
			? ([lowMmio, 'memory below 4 GiB', 'low_mmio'] as const)
			: ([highMmio, 'memory above 4 GiB', 'high_mmio'] as const);
	const tooSmall = (needed: number) =>
		assignmentError('PCI_WINDOW_TOO_SMALL', {complex: name, window, key, needed, length});
	return {base, length, tooSmall};
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

/** @param numbers - sum of the device numbers on the way here, which say where a pin leads */
function finish(access: ConfigAccess, functions: readonly FoundFunction[], numbers: number): void {
	for (const {bus, devfn, hasPin, bars, bridge} of functions) {
		const here = numbers + (devfn >> 3);
		if (hasPin) access.write(bus, devfn, Header.INTERRUPT_LINE, 1, rootInput(here, 0));
		const hasIo = bridge !== undefined || bars.some(({pool}) => pool === 'io');
		const master = bridge === undefined ? 0 : Command.MASTER;
		access.write(bus, devfn, Header.COMMAND, 2, Command.MEMORY | (hasIo ? Command.IO : 0) | master);
		if (bridge !== undefined) finish(access, bridge.functions, here);
	}
}

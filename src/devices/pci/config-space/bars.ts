import type {PciBar} from '#devices/device';
import {errorTable} from '#support/errors';
import type {ConfigLayout} from './config-layout.ts';
import {BarFlag, Header} from './registers.ts';

const barError = errorTable({
	PCI_BAR_IMPOSSIBLE: (c: {device: string; bar: number; cause: string}) => ({
		message: `BAR ${c.bar} of ${c.device} is not possible: ${c.cause}`,
	}),
});

const smallest = {io: 4, memory: 16} as const;
/** Offsets travel in 32 bits. Ports are rare: PCI 3.0, 6.2.5.1 allows a function 256 of them. */
const largest = {io: 256, memory: 2 ** 32} as const;

/** The guest maps whole pages. What a snapshot keeps of them is in its state, which is read and checked at once. */
const pages = {smallest: 4096, mostSaved: 2 ** 24} as const;

const isIo = ({kind}: PciBar): boolean => kind === 'io';
/** True for a BAR that takes two registers. */
export const isWide = ({kind}: PciBar): boolean => kind === 'memory64' || kind === 'prefetchable';
/** Gives the offset of a BAR's register. */
export const barOffset = ({index}: PciBar): number => Header.BAR0 + 4 * index;

/**
 * Checks a function's BARs against each other and against what hardware can be.
 * @throws VmmError PCI_BAR_IMPOSSIBLE
 */
export function checkBars(device: string, bars: readonly PciBar[]): void {
	const taken = new Set<number>();
	for (const bar of bars) {
		const impossible = (cause: string) => barError('PCI_BAR_IMPOSSIBLE', {device, bar: bar.index, cause});
		const space = isIo(bar) ? 'io' : 'memory';
		if (!Number.isInteger(Math.log2(bar.size))) throw impossible(`${bar.size} bytes are no power of two`);
		if (bar.size < smallest[space] || bar.size > largest[space])
			throw impossible(`it has ${bar.size} bytes, not ${smallest[space]} to ${largest[space]}`);
		if (bar.pages !== undefined) {
			if (bar.kind !== 'prefetchable') throw impossible('memory is prefetchable');
			if (bar.size < pages.smallest) throw impossible(`memory has at least ${pages.smallest} bytes`);
			if (bar.pages === 'saved' && bar.size > pages.mostSaved)
				throw impossible(`snapshots take at most ${pages.mostSaved} bytes of it: leave it unsaved`);
		}
		for (const index of isWide(bar) ? [bar.index, bar.index + 1] : [bar.index]) {
			if (!(index >= 0 && index < 6)) throw impossible('there are registers 0 to 5');
			if (taken.has(index)) throw impossible(`register ${index} is taken already`);
			taken.add(index);
		}
	}
}

/** Declares the BARs' registers: writable where an address of their alignment has bits, which is how a guest sizes them. */
export function addBars(layout: ConfigLayout, bars: readonly PciBar[]): void {
	for (const bar of bars) {
		const flags =
			(isIo(bar) ? BarFlag.IO : 0) |
			(isWide(bar) ? BarFlag.MEMORY_64 : 0) |
			(bar.kind === 'prefetchable' ? BarFlag.PREFETCHABLE : 0);
		const at = barOffset(bar);
		layout.register(at, 4, {value: flags, writable: bar.size < 2 ** 32 ? -bar.size >>> 0 : 0});
		if (isWide(bar)) layout.register(at + 4, 4, {writable: 0xffff_ffff});
	}
}

import type {NumberedFunction, Pool, WantedBar} from './functions.ts';

/** Item to be placed in a window: a BAR, or the window of a bridge. */
export type Item =
	| {readonly owner: NumberedFunction; readonly bar: WantedBar}
	| {readonly owner: NumberedFunction; readonly window: Packed};

/** Items side by side: each at an offset, all aligned when the first byte is aligned to `alignment`. */
export interface Packed {
	readonly size: number;
	readonly alignment: number;
	readonly items: readonly {readonly item: Item; readonly offset: number}[];
}

/** Granularity of a bridge's windows (PCI-to-PCI Bridge 1.2, 3.2.5). */
export const windowUnit: Readonly<Record<Pool, number>> = {low: 2 ** 20, high: 2 ** 20, io: 2 ** 12};

/** Room that an empty slot keeps free for a device that comes later. */
const slotReserve: Readonly<Record<Pool, number>> = {low: 2 ** 21, high: 2 ** 24, io: 0};

/** @see {@link pack} */
export interface PackOptions {
	readonly pool: Pool;
	/** Pools whose BARs go here: where there is no high memory the low takes them. */
	readonly takes: readonly Pool[];
	/** Keep room in slots that devices can come to. */
	readonly reserve: boolean;
	/** Functions whose BARs get no place. */
	readonly leaveOut: ReadonlySet<NumberedFunction>;
}

/** Packs the BARs of functions, and of all that is behind them, of one pool: the widest aligned first, so that nothing is lost. */
export function pack(functions: readonly NumberedFunction[], options: PackOptions): Packed {
	const items = functions.flatMap((owner): Item[] => {
		const isLeftOut = options.leaveOut.has(owner);
		const bars = owner.bars.filter(({pool}) => !isLeftOut && options.takes.includes(pool)).map((bar) => ({owner, bar}));
		const window = owner.bridge && bridgeWindow(owner.bridge, options);
		return [...bars, ...(window === undefined || window.size === 0 ? [] : [{owner, window}])];
	});
	const sorted = items.sort((a, b) => alignmentOf(b) - alignmentOf(a));
	let size = 0;
	const placed = sorted.map((item) => {
		const offset = alignUp(size, alignmentOf(item));
		size = offset + sizeOf(item);
		return {item, offset};
	});
	return {size, alignment: Math.max(1, ...items.map(alignmentOf)), items: placed};
}

function bridgeWindow({functions, hotPlug}: NonNullable<NumberedFunction['bridge']>, options: PackOptions): Packed {
	const {size, alignment, items} = pack(functions, options);
	const unit = windowUnit[options.pool];
	const least = options.reserve && hotPlug ? slotReserve[options.pool] : 0;
	return {items, size: alignUp(Math.max(size, least), unit), alignment: Math.max(unit, alignment)};
}

const sizeOf = (item: Item): number => ('bar' in item ? item.bar.size : item.window.size);
const alignmentOf = (item: Item): number => ('bar' in item ? item.bar.size : item.window.alignment);

/** The next multiple of a power of two. */
export const alignUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

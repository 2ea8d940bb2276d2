import type {FabricBus} from '#devices/pci/fabric';
import type {RootComplexConfig} from '#devices/pci/root-complex';
import {type NumberedFunction, numberBuses, type Pool} from './functions.ts';
import {alignUp, type Item, type Packed, type PackOptions, pack} from './windows.ts';

/** A root complex whose functions get their numbers and addresses. */
export interface PlannedComplex {
	readonly name: string;
	readonly config: RootComplexConfig;
	readonly bus: FabricBus;
}

/** Shortage of a root complex. */
export interface Shortage {
	readonly complex: string;
	readonly of: 'buses' | Pool;
	/** Amount that all functions would take, in bytes of addresses, ports or buses. */
	readonly needed: number;
	readonly available: number;
	/** The functions that get none. */
	readonly without: readonly string[];
}

/** Numbers and addresses for all functions behind a root complex. They depend on the machine alone. */
export interface Plan {
	readonly functions: readonly NumberedFunction[];
	/** Windows and BARs at the top, each with its address. */
	readonly placed: readonly {readonly pool: Pool; readonly item: Item; readonly address: number}[];
	readonly shortages: readonly Shortage[];
}

/** Plans what firmware does at power-on. Of functions that do not all fit, those that came first do. */
export function planResources({name: complex, config, bus}: PlannedComplex): Plan {
	const {functions, buses, without} = numberBuses(bus, config);
	const shortages: Shortage[] = [];
	if (without.length > 0) {
		const available = config.endBus - config.startBus + 1;
		shortages.push({complex, of: 'buses', needed: buses, available, without});
	}
	const hasHigh = config.highMmio.length > 0;
	const pools: readonly (readonly [Pool, readonly Pool[]])[] = [
		['low', hasHigh ? ['low'] : ['low', 'high']],
		...(hasHigh ? ([['high', ['high']]] as const) : []),
		['io', ['io']],
	];
	const placed = pools.flatMap(([pool, takes]) => {
		const {base, length: available} = rangeOf(config, pool);
		const {packed, address, needed, without} = fitInto(functions, {pool, takes}, base, available);
		if (without.length > 0) shortages.push({complex, of: pool, needed, available, without});
		return packed.items.map(({item, offset}) => ({pool, item, address: address + offset}));
	});
	return {functions, placed, shortages};
}

function rangeOf({ports, lowMmio, highMmio}: RootComplexConfig, pool: Pool): {base: number; length: number} {
	if (pool === 'io') return ports;
	const {gpa: base, length} = pool === 'low' ? lowMmio : highMmio;
	return {base, length};
}

/** Room for devices to come is kept where there is room. */
function fitInto(
	functions: readonly NumberedFunction[],
	options: Pick<PackOptions, 'pool' | 'takes'>,
	start: number,
	length: number,
) {
	const attempt = (reserve: boolean, leaveOut: ReadonlySet<NumberedFunction>) => {
		const packed: Packed = pack(functions, {...options, reserve, leaveOut});
		const address = alignUp(start, packed.alignment);
		const needed = packed.size === 0 ? 0 : address + packed.size - start;
		return {packed, address, needed, fits: needed <= length};
	};
	const nobody = new Set<NumberedFunction>();
	const roomy = attempt(true, nobody);
	const all = roomy.fits ? roomy : attempt(false, nobody);
	if (all.fits) return {...all, without: []};
	const wanting = [...withAll(functions)].filter(({bars}) => bars.some(({pool}) => options.takes.includes(pool)));
	const leaveOut = new Set(wanting);
	for (const each of wanting.sort((a, b) => a.device - b.device)) {
		leaveOut.delete(each);
		if (!attempt(false, leaveOut).fits) leaveOut.add(each);
	}
	return {...attempt(false, leaveOut), needed: all.needed, without: [...leaveOut].map(({name}) => name)};
}

/** Functions and all that is behind them. */
function* withAll(functions: readonly NumberedFunction[]): Generator<NumberedFunction> {
	for (const each of functions) {
		yield each;
		if (each.bridge !== undefined) yield* withAll(each.bridge.functions);
	}
}

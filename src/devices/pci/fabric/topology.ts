import type {ConfigSpace} from '#devices/pci/config-space';
import type {FunctionDesign} from '#devices/pci/function';
import type {RootComplexConfig} from '#devices/pci/root-complex';

/** A function of the machine as one thread has it. */
export interface FabricFunction {
	/** Index of the device in the machine. */
	readonly device: number;
	readonly name: string;
	readonly devfn: number;
	readonly design: FunctionDesign;
	readonly space: ConfigSpace;
	/** True while its reset waits for its back. */
	isResetting(): boolean;
	/** True while memory behind this port reads as zeros: see `PciFunction`. */
	hasZeros(): boolean;
	/** The bus that it sits on. */
	readonly bus: FabricBus;
	/** The bus behind a bridge. */
	readonly below: FabricBus | undefined;
}

/** One bus: what a root complex or a bridge leads to. Its number is what the guest made of it. */
export interface FabricBus {
	readonly complex: FabricComplex;
	/** The bridge that leads here; undefined for a root complex. */
	readonly bridge: FabricFunction | undefined;
	/** By {@link FabricFunction.devfn}. */
	readonly functions: FabricFunction[];
}

/** A root complex of the machine. */
export interface FabricComplex {
	readonly device: number;
	readonly name: string;
	readonly config: RootComplexConfig;
	readonly bus: FabricBus;
}

/** A function before it has its place. */
export interface PlacedFunction extends Omit<FabricFunction, 'bus' | 'below' | 'devfn'> {
	readonly place: {readonly on: string; readonly devfn: number};
}

/** The machine's root complexes with all that is behind them, in the machine's order. */
export function connect(
	complexes: readonly Omit<FabricComplex, 'bus'>[],
	functions: readonly PlacedFunction[],
): readonly FabricComplex[] {
	const behind = (name: string) =>
		functions.filter(({place}) => place.on === name).sort((a, b) => a.place.devfn - b.place.devfn);
	const populate = (bus: FabricBus, name: string): FabricBus => {
		for (const {place, ...rest} of behind(name)) {
			const made = {...rest, devfn: place.devfn, bus, below: undefined as FabricBus | undefined};
			if (rest.design.kind !== 'endpoint')
				made.below = populate({complex: bus.complex, bridge: made, functions: []}, rest.name);
			bus.functions.push(made);
		}
		return bus;
	};
	return complexes.map((complex) => {
		const made = {...complex} as FabricComplex & {bus: FabricBus};
		made.bus = populate({complex: made, bridge: undefined, functions: []}, complex.name);
		return made;
	});
}

/** All functions of a bus and behind it: a bridge, then what is behind it, in the order of their numbers. */
export function* functionsOf(bus: FabricBus): Generator<FabricFunction> {
	for (const found of bus.functions) {
		yield found;
		if (found.below !== undefined) yield* functionsOf(found.below);
	}
}

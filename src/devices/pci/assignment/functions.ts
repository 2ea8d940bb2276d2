import {barOffset, Header, isWide} from '#devices/pci/config-space';
import type {FabricBus, FabricFunction} from '#devices/pci/fabric';

/** Kinds of address space that are given out; `high` is prefetchable memory behind 64-bit registers. */
export type Pool = 'low' | 'high' | 'io';

/** A BAR that wants an address. */
export interface WantedBar {
	/** Offset of its register. */
	readonly offset: number;
	readonly size: number;
	readonly pool: Pool;
	readonly isWide: boolean;
}

/** A function with its bus number. */
export interface NumberedFunction {
	/** Index of the device in the machine: what came last has the highest. */
	readonly device: number;
	readonly name: string;
	readonly bus: number;
	readonly devfn: number;
	readonly hasPin: boolean;
	readonly bars: readonly WantedBar[];
	/** Numbers of the buses behind it, when it is a bridge that has got a bus. */
	readonly bridge?: {
		readonly secondary: number;
		readonly subordinate: number;
		readonly functions: readonly NumberedFunction[];
		readonly hotPlug: boolean;
	};
}

/** The functions of a root complex, with buses numbered depth first. */
export interface Numbered {
	readonly functions: readonly NumberedFunction[];
	/** Buses that all of them would take. */
	readonly buses: number;
	/** Bridges for which no bus was left: what is behind them is out of reach. */
	readonly without: readonly string[];
}

/** Numbers the buses behind a root complex from `startBus` on. */
export function numberBuses(root: FabricBus, {startBus, endBus}: {startBus: number; endBus: number}): Numbered {
	const without: string[] = [];
	let last = startBus;
	const number = (bus: FabricBus, here: number): NumberedFunction[] =>
		bus.functions.map((found) => {
			const {device, name, devfn, design, below} = found;
			const hasPin = design.layout.initial[Header.INTERRUPT_PIN] !== 0;
			const numbered = {device, name, bus: here, devfn, hasPin, bars: design.bars.map(wanted)};
			if (below === undefined) return numbered;
			const secondary = ++last;
			const functions = number(below, secondary);
			if (secondary <= endBus) {
				const subordinate = Math.min(last, endBus);
				return {...numbered, bridge: {secondary, subordinate, functions, hotPlug: design.hasSlot}};
			}
			without.push(name);
			return numbered;
		});
	const functions = number(root, startBus);
	return {functions, buses: last - startBus + 1, without};
}

function wanted(bar: FabricFunction['design']['bars'][number]): WantedBar {
	const memory = bar.kind === 'prefetchable' ? 'high' : 'low';
	return {offset: barOffset(bar), size: bar.size, pool: bar.kind === 'io' ? 'io' : memory, isWide: isWide(bar)};
}

import {Bridge, Command, Header} from '#devices/pci/config-space';
import {barAddress, decodedBar} from './decode-bar.ts';
import {type FabricComplex, type FabricFunction, functionsOf} from './topology.ts';

/** A function as inspect shows it: what the guest has made of it now. */
export interface PciFunctionInspection {
	/** The device's name in the machine. */
	readonly name: string;
	/** `segment:bus:device.function`, as lspci writes it. */
	readonly address: string;
	/** `vendor:device`. */
	readonly id: string;
	/** Decoders and mastering that the command register has turned on. */
	readonly on: readonly ('io' | 'memory' | 'master')[];
	/** `secondary-subordinate` bus of a bridge. */
	readonly buses?: string;
	readonly bars: readonly {
		readonly index: number;
		readonly base: number;
		readonly size: number;
		readonly decoded: boolean;
	}[];
}

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

/** All functions behind a machine's root complexes, in the order of the machine. */
export function describeFunctions(complexes: readonly FabricComplex[]): PciFunctionInspection[] {
	return complexes.flatMap((complex) => [...functionsOf(complex.bus)].map((found) => describe(complex, found)));
}

function describe({config}: FabricComplex, found: FabricFunction): PciFunctionInspection {
	const {name, devfn, space, bus, design} = found;
	const number = bus.bridge === undefined ? config.startBus : bus.bridge.space.read(Bridge.SECONDARY_BUS, 1);
	const command = space.read(Header.COMMAND, 2);
	const on = [
		...((command & Command.IO) === 0 ? [] : (['io'] as const)),
		...((command & Command.MEMORY) === 0 ? [] : (['memory'] as const)),
		...((command & Command.MASTER) === 0 ? [] : (['master'] as const)),
	];
	const below = design.kind === 'endpoint' ? undefined : [Bridge.SECONDARY_BUS, Bridge.SUBORDINATE_BUS];
	return {
		name,
		address: `${hex(config.segment, 4)}:${hex(number, 2)}:${hex(devfn >> 3, 2)}.${devfn & 7}`,
		id: `${hex(space.read(Header.VENDOR, 2), 4)}:${hex(space.read(Header.DEVICE, 2), 4)}`,
		on,
		...(below && {buses: below.map((at) => hex(space.read(at, 1), 2)).join('-')}),
		bars: design.bars.map((bar) => ({
			index: bar.index,
			base: barAddress(found, bar),
			size: bar.size,
			decoded: decodedBar(found, bar) !== undefined,
		})),
	};
}

import {Bridge} from '#devices/pci/config-space';
import {leadsOn} from '#devices/pci/port';
import type {FabricBus, FabricComplex, FabricFunction} from './topology.ts';

/**
 * The function that answers a configuration access (PCI Express Base 6.0, 7.3.3): down through the bridges whose bus
 * numbers, as the guest has set them, lead there.
 */
export function routeConfig(complex: FabricComplex, bus: number, devfn: number): FabricFunction | undefined {
	let here: FabricBus | undefined = complex.bus;
	let number = complex.config.startBus;
	// Each step goes one level down the tree, which has an end.
	while (here !== undefined) {
		if (bus === number) return find(here, devfn);
		const bridge: FabricFunction | undefined = bridgeTo(here, bus);
		if (bridge === undefined) return undefined;
		number = bridge.space.read(Bridge.SECONDARY_BUS, 1);
		here = bridge.below;
	}
	return undefined;
}

function find({functions}: FabricBus, devfn: number): FabricFunction | undefined {
	for (const candidate of functions)
		if (candidate.devfn === devfn) return candidate.isResetting() ? undefined : candidate;
	return undefined;
}

function bridgeTo({functions}: FabricBus, bus: number): FabricFunction | undefined {
	for (const candidate of functions) {
		if (candidate.below === undefined || !passesOn(candidate)) continue;
		const secondary = candidate.space.read(Bridge.SECONDARY_BUS, 1);
		// A number of 0 is one that nobody has set.
		if (secondary !== 0 && bus >= secondary && bus <= candidate.space.read(Bridge.SUBORDINATE_BUS, 1)) return candidate;
	}
	return undefined;
}

/** A downstream port without a link passes nothing on, nor does a bridge that holds its bus in reset. */
export function passesOn({design, space}: FabricFunction): boolean {
	return leadsOn(design.kind, space, design.places.express);
}

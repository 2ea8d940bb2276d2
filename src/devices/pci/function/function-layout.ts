import type {PciBar, PciCapability, PciFunction} from '#devices/device';
import {
	addBars,
	addExpress,
	addMsi,
	addMsix,
	Bridge,
	BridgeControl,
	Command,
	ConfigLayout,
	type ExpressOptions,
	Header,
	HeaderType,
	type MsixPlace,
	Status,
} from '#devices/pci/config-space';
import {addOwnCapabilities, type CapabilityPlace} from './own-capabilities.ts';

/** Offsets of a function's capabilities; undefined for those it lacks. */
export interface CapabilityPlaces {
	readonly express: number;
	readonly msi: number | undefined;
	readonly msix: number | undefined;
	/** The device's own, in the order of the declaration. */
	readonly own: readonly CapabilityPlace[];
}

/** A function's configuration space as data, and where its capabilities lie in it. */
export interface FunctionLayout {
	readonly layout: ConfigLayout;
	readonly places: CapabilityPlaces;
}

/** Identity of a function, for its configuration space. */
export interface FunctionIdentity extends Pick<PciFunction<never>, 'vendor' | 'device' | 'class'> {
	/** The kind of device, for errors. */
	readonly owner: string;
	readonly revision?: number;
	readonly subsystem?: {readonly vendor: number; readonly device: number};
	readonly express: ExpressOptions;
	readonly bars: readonly PciBar[];
	/** Number of its interrupt vectors; functions without any have no pin either. */
	readonly vectors: number;
	readonly msi: boolean;
	readonly msix?: MsixPlace;
	/** The device's own. */
	readonly capabilities?: readonly PciCapability[];
	/** Bytes of configuration space that hold anything, if not the usual ones. */
	readonly length?: number;
}

const alwaysWritable = Command.MEMORY | Command.MASTER | Command.PARITY | Command.SERR;
/** INTA: a device with one pin uses the first. */
const firstPin = 1;

/** Lays out the configuration space of an endpoint. */
export function endpointLayout(identity: FunctionIdentity): FunctionLayout {
	const layout = commonHeader(
		identity,
		HeaderType.ENDPOINT,
		identity.bars.some(({kind}) => kind === 'io'),
	);
	const {subsystem = {vendor: 0, device: 0}} = identity;
	layout.register(Header.SUBSYSTEM_VENDOR, 2, {value: subsystem.vendor});
	layout.register(Header.SUBSYSTEM_DEVICE, 2, {value: subsystem.device});
	return {layout, places: addCapabilities(layout, identity)};
}

/** Lays out the configuration space of a bridge. Its windows are closed at reset. */
export function bridgeLayout(identity: FunctionIdentity): FunctionLayout {
	const layout = commonHeader(identity, HeaderType.BRIDGE, true);
	for (const bus of [Bridge.PRIMARY_BUS, Bridge.SECONDARY_BUS, Bridge.SUBORDINATE_BUS])
		layout.register(bus, 1, {writable: 0xff});
	layout.register(Bridge.IO_BASE, 1, {value: 0xf0, writable: 0xf0});
	layout.register(Bridge.IO_LIMIT, 1, {writable: 0xf0});
	layout.register(Bridge.MEMORY_BASE, 2, {value: 0xfff0, writable: 0xfff0});
	layout.register(Bridge.MEMORY_LIMIT, 2, {writable: 0xfff0});
	// The low bit says that there are upper halves.
	layout.register(Bridge.PREFETCHABLE_BASE, 2, {value: 0xfff1, writable: 0xfff0});
	layout.register(Bridge.PREFETCHABLE_LIMIT, 2, {value: 0x0001, writable: 0xfff0});
	layout.register(Bridge.PREFETCHABLE_BASE_UPPER, 4, {writable: 0xffff_ffff});
	layout.register(Bridge.PREFETCHABLE_LIMIT_UPPER, 4, {writable: 0xffff_ffff});
	const {PARITY, SERR, SECONDARY_RESET} = BridgeControl;
	layout.register(Bridge.CONTROL, 2, {writable: PARITY | SERR | SECONDARY_RESET});
	return {layout, places: addCapabilities(layout, identity)};
}

function commonHeader(identity: FunctionIdentity, type: number, hasIo: boolean): ConfigLayout {
	const layout = new ConfigLayout(identity.owner, identity.length);
	const {vectors} = identity;
	layout.register(Header.VENDOR, 2, {value: identity.vendor});
	layout.register(Header.DEVICE, 2, {value: identity.device});
	const own = (hasIo ? Command.IO : 0) | (vectors > 0 ? Command.INTX_DISABLE : 0);
	layout.register(Header.COMMAND, 2, {writable: alwaysWritable | own});
	layout.register(Header.STATUS, 2, {live: vectors > 0 ? Status.INTERRUPT : 0});
	layout.register(Header.REVISION, 1, {value: identity.revision ?? 0});
	layout.register(Header.CLASS, 1, {value: identity.class & 0xff});
	layout.register(Header.CLASS + 1, 2, {value: identity.class >>> 8});
	layout.register(Header.CACHE_LINE, 1, {writable: 0xff});
	layout.register(Header.TYPE, 1, {value: type});
	layout.register(Header.INTERRUPT_LINE, 1, {writable: 0xff});
	layout.register(Header.INTERRUPT_PIN, 1, {value: vectors > 0 ? firstPin : 0});
	addBars(layout, identity.bars);
	return layout;
}

function addCapabilities(layout: ConfigLayout, identity: FunctionIdentity): CapabilityPlaces {
	const {express, vectors, msi, msix, capabilities = [], owner} = identity;
	return {
		express: addExpress(layout, express),
		msi: msi ? addMsi(layout, vectors) : undefined,
		msix: msix === undefined ? undefined : addMsix(layout, vectors, msix),
		own: addOwnCapabilities(layout, owner, capabilities),
	};
}

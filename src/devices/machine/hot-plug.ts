import type {DeviceInstance} from '#devices/device';
import {isBusSpace} from '#devices/io-bus';
import type {Shortage} from '#devices/pci/assignment';
import {checkPlaces, intxInput} from '#devices/pci/fabric';
import {intxLine, isFunctionModel} from '#devices/pci/function';
import {errorTable} from '#support/errors';
import {CommonMemories} from './common-memories.ts';
import {DeviceHeader} from './device-header.ts';
import {placePages} from './device-pages.ts';
import {
	allocateHostMemory,
	findCommonMemory,
	type MachineLayout,
	type ModelFinder,
	type PlacedDevice,
	placeCalls,
} from './layout.ts';
import {shortagesOf} from './pci-complexes.ts';

const spaceNames = {low: 'bytes of memory below 4 GiB', high: 'bytes of memory above 4 GiB', io: 'I/O ports'} as const;
const amount = (of: Shortage['of'], count: number) =>
	of === 'buses' ? `${count} buses` : `0x${count.toString(16)} ${spaceNames[of]}`;
const roomFlag: Readonly<Record<Shortage['of'], string>> = {
	buses: 'a larger end_bus of --pcie-root-complex',
	low: 'a larger low_mmio of --pcie-root-complex',
	high: 'a larger high_mmio of --pcie-root-complex',
	io: 'a port of the first root complex',
};

const hotPlugError = errorTable({
	HOT_PLUG_NO_SLOT: (c: {port: string; slots: readonly string[]}) => ({
		message: `${c.port} is no port that devices can come to`,
		remedy:
			c.slots.length > 0
				? `Such ports are ${c.slots.join(', ')}`
				: 'Give a port the option hotplug: --pcie-root-port rc0:rp0,hotplug',
	}),
	HOT_PLUG_SLOT_FULL: (c: {port: string; device: string}) => ({
		message: `The port ${c.port} has a device already: ${c.device}`,
		remedy: 'Remove it first, or use another port',
	}),
	HOT_PLUG_SLOT_EMPTY: (c: {port: string}) => ({message: `There is no device at the port ${c.port}`}),
	HOT_PLUG_SEVERAL: (c: {port: string; devices: readonly string[]}) => ({
		message: `The port ${c.port} has several functions, which stay: ${c.devices.join(', ')}`,
	}),
	HOT_PLUG_NAME_TAKEN: (c: {device: string}) => ({
		message: `There is a device called ${c.device} already`,
		remedy: 'Give it another name: name=NAME',
	}),
	HOT_PLUG_KIND_UNKNOWN: (c: {device: string; kind: string}) => ({
		message: `Device ${c.device} has the unknown kind ${c.kind}`,
	}),
	HOT_PLUG_NO_ROOM: (c: {device: string; port: string; shortage: Shortage}) => ({
		message: `There is no room for ${c.device} at ${c.port}: with it, what is behind ${c.shortage.complex} needs ${amount(c.shortage.of, c.shortage.needed)}, and there are ${amount(c.shortage.of, c.shortage.available)}`,
		remedy: `Remove another device first, or start the machine with more: ${roomFlag[c.shortage.of]}`,
	}),
	HOT_PLUG_FIXED: (c: {device: string}) => ({
		message: `${c.device} cannot come or go while the guest runs: it has addresses, registers of the processor, interrupts or ports of its own`,
	}),
});

/**
 * The layout of a machine that a device has come to. All that was there keeps its place.
 * @param modules - of all devices, the new one's included
 * @param commonMemories - that its machine looks for memory in
 * @throws VmmError with a `HOT_PLUG_` or `PCI_` code
 */
export function withDevice(
	layout: MachineLayout,
	instance: DeviceInstance,
	findModel: ModelFinder,
	modules: readonly string[],
	commonMemories = new CommonMemories(),
): MachineLayout {
	const {name, kind, config} = instance;
	const port = instance.place?.on ?? '';
	const source = layout.slotSources[port];
	if (source === undefined) throw hotPlugError('HOT_PLUG_NO_SLOT', {port, slots: Object.keys(layout.slotSources)});
	const other = deviceAt(layout, port);
	if (other !== undefined) throw hotPlugError('HOT_PLUG_SLOT_FULL', {port, device: other.name});
	if (layout.devices.some((device) => device.name === name)) throw hotPlugError('HOT_PLUG_NAME_TAKEN', {device: name});
	const model = findModel(kind);
	if (model === undefined) throw hotPlugError('HOT_PLUG_KIND_UNKNOWN', {device: name, kind});
	const instances = [...layout.devices, instance];
	const described = instances.map((each) => ({instance: each, model: findModel(each.kind) ?? model}));
	checkPlaces(described);
	const lines = Object.keys(model.lines?.(config) ?? {});
	const isFixed =
		model.regions(config).some(({space}) => isBusSpace(space)) ||
		lines.some((line) => line !== intxLine) ||
		Object.keys(model.inputs?.(config) ?? {}).length > 0;
	if (isFixed || !isFunctionModel(model)) throw hotPlugError('HOT_PLUG_FIXED', {device: name});
	// A function without room now would have none after the guest's next reset.
	const [shortage] = shortagesOf(described);
	if (shortage !== undefined) throw hotPlugError('HOT_PLUG_NO_ROOM', {device: name, port, shortage});
	const placed: PlacedDevice = {
		...instance,
		stateOffset: 0,
		ownState: new SharedArrayBuffer(DeviceHeader.byteLength + model.state.byteLength),
		addition: layout.additions + 1,
		lines: lines.length === 0 ? {} : {[intxLine]: {source, gsi: intxInput(instance, instances)}},
		inputs: {},
		calls: placeCalls(instance, model, layout.devices, layout.workers.length),
		hostMemory: allocateHostMemory(instance, model),
		commonMemory: findCommonMemory(instance, model, commonMemories),
		pages: placePages(instance, model, layout.devices),
	};
	return {...layout, modules, devices: [...layout.devices, placed], additions: layout.additions + 1};
}

/** The layout of a machine that the device at a port has left. @throws VmmError with a `HOT_PLUG_` code */
export function withoutDevice(layout: MachineLayout, port: string): MachineLayout {
	if (layout.slotSources[port] === undefined)
		throw hotPlugError('HOT_PLUG_NO_SLOT', {port, slots: Object.keys(layout.slotSources)});
	const leaving = deviceAt(layout, port);
	if (leaving === undefined) throw hotPlugError('HOT_PLUG_SLOT_EMPTY', {port});
	const devices = layout.devices.filter(({place}) => place?.on === port).map(({name}) => name);
	if (devices.length > 1) throw hotPlugError('HOT_PLUG_SEVERAL', {port, devices});
	const index = layout.devices.indexOf(leaving);
	const hasOthers = layout.devices.some(({place}) => place?.on === leaving.name);
	if (hasOthers || layout.claims.some(({device}) => device === index))
		throw hotPlugError('HOT_PLUG_FIXED', {device: leaving.name});
	const claims = layout.claims.map((claim) => ({...claim, device: claim.device - (claim.device > index ? 1 : 0)}));
	return {...layout, claims, devices: layout.devices.filter((device) => device !== leaving)};
}

/**
 * The layout of a machine in which a device has another configuration. It keeps its place, its state and its memory.
 * @param config - from `ModelParts.reconfigure`
 */
export function withConfig(layout: MachineLayout, device: PlacedDevice, config: unknown): MachineLayout {
	const {revision = 0} = device;
	const next = {...device, config, revision: revision + 1};
	return {...layout, devices: layout.devices.map((each) => (each.name === device.name ? next : each))};
}

/** The device behind a port. */
export function deviceAt(layout: MachineLayout, port: string): PlacedDevice | undefined {
	return layout.devices.find(({place}) => place?.on === port);
}

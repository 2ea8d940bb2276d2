import type {AccessSize, DeviceModel, PciCapability, PciDeviceServices, PciFront} from '#devices/device';
import type {StateWords} from '#devices/device-type';
import {mostQueues} from '#devices/doorbells';
import {type GuestMemory, MemoryPart} from '#devices/guest-memory';
import {type Fields, packed, reserved, u8, u32, type Wire, wire} from '#support/wire';
import {type CoreRegister, coreRegisters} from './core-registers.ts';
import {checkDeclaration, queuesOf, type VirtioDevice} from './declaration.ts';
import {type PlacedRegister, RegisterFile} from './register-file.ts';
import {Interrupt, noVector} from './registers.ts';
import {type PlacedRegion, placeRegions, sharedBytes} from './shared-memory.ts';
import {virtioFields, type WithVirtio} from './state.ts';
import {VirtioCore} from './virtio-core.ts';
import {VirtioWorker} from './virtio-worker.ts';
import {virtioWords} from './words.ts';

/** Ids of virtio devices without a legacy interface (virtio 1.2, 4.1.2). */
const ids = {vendor: 0x1af4, device: 0x1040, subsystem: 0x1100, revision: 1} as const;
const vendorSpecific = 0x09;

/** Structures of {@link bar}, each in a page of its own, and which capability tells of them (4.1.4). */
const structures = {
	common: {type: 1, offset: 0x0000, length: 0x3c},
	notify: {type: 2, offset: 0x3000, length: 4 * mostQueues},
	isr: {type: 3, offset: 0x1000, length: 1},
	device: {type: 4, offset: 0x2000, length: 0x1000},
} as const;
/** The capability by which a driver reaches the BAR through configuration space, 4.1.4.9. */
const accessType = 5;
/** The capability of a shared memory region, 4.1.4.7. */
const sharedMemoryType = 8;
const bar = {index: 0, size: 0x4000, kind: 'memory64'} as const;
/** Bytes between the notifications of two queues. */
const notifyMultiplier = 4;
const msixBar = 2;
const sharedMemoryBar = 4;

/** Virtio structure PCI capability (4.1.4), with what some types have behind it. */
const capabilityFields = {
	id: u8,
	next: u8,
	length: u8,
	type: u8,
	bar: u8,
	structure: u8,
	padding: reserved(2),
	offset: u32,
	bytes: u32,
} as const;
const StructureCapability = packed('virtio_pci_cap', capabilityFields).sized(16, 'virtio 1.2, 4.1.4');
const NotifyCapability = packed('virtio_pci_notify_cap', {...capabilityFields, multiplier: u32}).sized(20, '4.1.4.4');
const AccessCapability = packed('virtio_pci_cfg_cap', {...capabilityFields, data: u32}).sized(20, '4.1.4.9');
const WideCapability = packed('virtio_pci_cap64', {...capabilityFields, offsetHigh: u32, bytesHigh: u32}).sized(
	24,
	'4.1.4',
);

/** Configuration vector or a queue's: one that there is, or none (4.1.5.1.2). */
const vectorRegisters = (vectors: number): Readonly<Record<'config' | 'queue', CoreRegister>> => {
	const checked = (value: number) => (value < vectors ? value : noVector);
	return {
		config: {
			read: ({state}) => state['virtio.configVector'] & 0xffff,
			write: ({state}, value) => {
				state['virtio.configVector'] = checked(value);
			},
		},
		queue: {
			read: ({selected}) => selected?.vector ?? 0,
			write: ({selected}, value) => {
				if (selected !== undefined) selected.vector = checked(value);
			},
		},
	};
};

/** Common configuration structure (4.1.4.3). */
function commonRegisters(vectors: number): readonly PlacedRegister[] {
	const core = coreRegisters;
	const {config, queue} = vectorRegisters(vectors);
	const notifyOffset: CoreRegister = {read: ({state}) => state['virtio.queueSelect'] & 0xffff};
	return [
		[0x00, 4, core.deviceSelect],
		[0x04, 4, core.deviceFeatures],
		[0x08, 4, core.driverSelect],
		[0x0c, 4, core.driverFeatures],
		[0x10, 2, config],
		[0x12, 2, core.queueCount],
		[0x14, 1, core.statusWhenDone],
		[0x15, 1, core.generation],
		[0x16, 2, core.queueSelect],
		[0x18, 2, core.queueSize],
		[0x1a, 2, queue],
		[0x1c, 2, core.queueEnable],
		[0x1e, 2, notifyOffset],
		[0x20, 4, core.descriptorsLow],
		[0x24, 4, core.descriptorsHigh],
		[0x28, 4, core.driverLow],
		[0x2c, 4, core.driverHigh],
		[0x30, 4, core.deviceLow],
		[0x34, 4, core.deviceHigh],
		[0x3a, 2, core.queueReset],
	];
}

/** A virtio device as a PCI Express function: modern, with a vector for each queue and one for its configuration. */
export function virtioPci<C, T extends Fields, N extends string>(
	device: VirtioDevice<C, T, N>,
): DeviceModel<C, WithVirtio<T>, 'pci'> & StateWords<C, WithVirtio<T>> {
	checkDeclaration(device);
	const {
		id,
		pciClass,
		features,
		offers: _,
		platform: __,
		accepts: ___,
		mostQueues: most,
		queues: ____,
		config: space,
		sharedMemory,
		control,
		configWritten: _____,
		words,
		back,
		...rest
	} = device;
	const erased = device as unknown as VirtioDevice<unknown, Fields, string>;
	const vectors = ['config', ...Array.from({length: most}, (______, index) => `queue-${index}`)];
	const registers = new RegisterFile(commonRegisters(vectors.length));
	return {
		...rest,
		words: virtioWords(features, words),
		state: wire(device.kind, {
			...device.state?.fields,
			...virtioFields(most, space?.bytes ?? 0),
		}) as unknown as Wire<WithVirtio<T>>,
		attach: {
			pci: {
				vendor: ids.vendor,
				device: ids.device + id,
				class: pciClass,
				revision: ids.revision,
				subsystem: {vendor: ids.vendor, device: ids.subsystem},
				bars: [bar],
				moreBars: (config) => {
					const regions = placeRegions(device, config);
					if (sharedMemory === undefined || regions.length === 0) return [];
					const {pages} = sharedMemory;
					return [{index: sharedMemoryBar, size: sharedBytes(regions), kind: 'prefetchable', pages}];
				},
				interrupts: {vectors, msix: {bar: msixBar}},
				// Linux's driver resets a device that has gone, and waits without an end until its status is 0 (4.1.4.3.2).
				leavesZeros: true,
				capabilities: (config) => {
					queuesOf(erased, config);
					return capabilities(space?.bytes ?? 0, placeRegions(device, config));
				},
			},
		},
		doorbells: (config) =>
			queuesOf(erased, config).map((_____, queue) => {
				return {region: 0, offset: structures.notify.offset + notifyMultiplier * queue, size: 'any', queue};
			}),
		front: (config, state, services) => {
			const core = new VirtioCore(erased, config, state as never, services);
			return {
				...makeFront(core, registers, services, sharedMemory?.placeAt),
				control: (command) => {
					if (control?.(command, state as never, config)) services.notifyBack();
				},
			};
		},
		back: (config, state, services) => {
			const core = new VirtioCore(erased, config, state as never, services);
			return new VirtioWorker({
				device: erased,
				config,
				state: state as never,
				core,
				services,
				line: lineOf(services),
				sharedMemory: sharedMemoryOf(placeRegions(device, config), services),
				signal(vector) {
					if (!services.pci.enabled) return false;
					if (vector !== noVector) services.pci.signal(vector);
					return true;
				},
			});
		},
	};
}

/** Index of the capability for access in {@link capabilities}. */
const accessIndex = 0;

function sharedMemoryOf(regions: readonly PlacedRegion[], {pci}: PciDeviceServices): ReadonlyMap<number, GuestMemory> {
	return new Map(
		regions.map(({id, offset, length}) => [id, new MemoryPart(pci.pages(sharedMemoryBar), offset, length)]),
	);
}

function capabilities(configBytes: number, shared: readonly PlacedRegion[]): readonly PciCapability[] {
	const place = ({type, offset, length: bytes}: {type: number; offset: number; length: number}, length: number) =>
		({length, type, bar: bar.index, offset, bytes}) as const;
	const {common, notify, isr, device} = structures;
	const access = AccessCapability.encode({length: AccessCapability.size, type: accessType});
	const writable = AccessCapability.encode({bar: 0xff, offset: 0xffff_ffff, bytes: 0xffff_ffff, data: 0xffff_ffff});
	return [
		{id: vendorSpecific, bytes: access, writable},
		{id: vendorSpecific, bytes: StructureCapability.encode(place(common, StructureCapability.size))},
		{
			id: vendorSpecific,
			bytes: NotifyCapability.encode({...place(notify, NotifyCapability.size), multiplier: notifyMultiplier}),
		},
		{id: vendorSpecific, bytes: StructureCapability.encode(place(isr, StructureCapability.size))},
		...(configBytes === 0
			? []
			: [
					{
						id: vendorSpecific,
						bytes: StructureCapability.encode(place({...device, length: configBytes}, StructureCapability.size)),
					},
				]),
		...shared.map((region) => ({id: vendorSpecific, bytes: sharedCapability(region)})),
	];
}

function sharedCapability({id, offset, length}: PlacedRegion): Uint8Array {
	const place = {length: WideCapability.size, type: sharedMemoryType, bar: sharedMemoryBar, structure: id};
	const halves = (value: number) => [value % 2 ** 32, Math.floor(value / 2 ** 32)] as const;
	const [[offsetLow, offsetHigh], [bytesLow, bytesHigh]] = [halves(offset), halves(length)];
	return WideCapability.encode({...place, offset: offsetLow, offsetHigh, bytes: bytesLow, bytesHigh});
}

/** The first vector's line stands for all while messages are off. */
const lineOf = (services: PciDeviceServices) => services.line('config');

/** @param placeAt - see {@link SharedMemory.placeAt} */
function makeFront(
	core: VirtioCore,
	registers: RegisterFile,
	services: PciDeviceServices,
	placeAt: number | undefined,
): PciFront {
	const line = lineOf(services);
	const {common, notify, isr, device} = structures;
	const within = ({offset, length}: {offset: number; length: number}, at: number) =>
		at >= offset && at < offset + length;
	const readDevice = (offset: number, size: AccessSize): number => {
		const held = core.readConfig(offset, size);
		if (placeAt === undefined || offset < placeAt || offset + size > placeAt + 8) return held;
		return Math.floor(services.pci.pagesAddress(sharedMemoryBar) / 2 ** (8 * (offset - placeAt))) % 2 ** (8 * size);
	};
	const read = (offset: number, size: AccessSize): number => {
		if (within(common, offset)) return registers.read(core, offset - common.offset, size);
		if (within(device, offset)) return readDevice(offset - device.offset, size);
		if (offset !== isr.offset) return 0;
		// Reading acknowledges.
		const pending = core.state['virtio.interrupts'] & (Interrupt.QUEUE | Interrupt.CONFIG);
		core.state['virtio.interrupts'] = 0;
		line.setLevel(false);
		return pending;
	};
	const write = (offset: number, size: AccessSize, value: number): void => {
		if (within(common, offset)) {
			registers.write(core, offset - common.offset, size, value);
			line.setLevel(core.state['virtio.interrupts'] !== 0);
		} else if (within(device, offset)) core.writeConfig(offset - device.offset, size, value);
		// The bus rings doorbells; what comes here came by configuration space.
		else if (within(notify, offset)) services.notifyBack();
	};
	/** Gives the part of the BAR that the driver wants by the access capability: a part that there is, of a width that there is. */
	const windowOf = (capability: number): {at: number; size: AccessSize} | undefined => {
		const registers = services.pci.capability(capability);
		const [at, size] = [
			registers.read(AccessCapability.offset('offset'), 4),
			registers.read(AccessCapability.offset('bytes'), 4),
		];
		const isPossible =
			registers.read(AccessCapability.offset('bar'), 1) === bar.index &&
			(size === 1 || size === 2 || size === 4) &&
			at % size === 0 &&
			at < bar.size;
		return isPossible ? {at, size} : undefined;
	};
	const dataOffset = AccessCapability.offset('data');
	return {
		read: (_region, offset, size) => read(offset, size),
		write: (_region, offset, size, value) => write(offset, size, value),
		reset: () => core.powerOn(),
		rested: () => core.rested(),
		restored: () => core.restored(),
		capabilityRead(capability, offset, size) {
			const place = capability === accessIndex && offset === dataOffset ? windowOf(capability) : undefined;
			return place === undefined || place.size !== size ? undefined : read(place.at, size);
		},
		capabilityWritten(capability, offset, size) {
			const place = capability === accessIndex && offset === dataOffset ? windowOf(capability) : undefined;
			if (place?.size !== size) return;
			write(place.at, size, services.pci.capability(capability).read(dataOffset, size));
		},
	};
}

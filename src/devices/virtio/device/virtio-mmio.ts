import {device as acpiDevice, integer, interrupt, memoryFixed, name, resourceTemplate, string} from '#devices/acpi/aml';
import type {DeviceModel} from '#devices/device';
import type {StateWords, TypeParts} from '#devices/device-type';
import type {OptionTable} from '#support/options';
import {type Fields, type Wire, wire} from '#support/wire';
import {type CoreRegister, constant, coreRegisters} from './core-registers.ts';
import {checkDeclaration, queuesOf, type VirtioDevice} from './declaration.ts';
import {type PlacedRegister, RegisterFile} from './register-file.ts';
import {Interrupt} from './registers.ts';
import {virtioFields, type WithVirtio} from './state.ts';
import {VirtioCore} from './virtio-core.ts';
import {VirtioWorker} from './virtio-worker.ts';
import {virtioWords} from './words.ts';

/** Place of a device on MMIO, and the input that its interrupt leads to. */
export interface MmioPlace {
	readonly base: number;
	/** Without it the machine assigns one. */
	readonly irq?: number;
}

/** A device's configuration with its place. */
export type OnMmio<C> = C & {readonly mmio: MmioPlace};

const magic = 0x7472_6976;
const version = 2;
/** Device configuration space (virtio 1.2, 4.2.2). */
const configOffset = 0x100;
/** Bytes of the registers, and what their address is a multiple of. */
export const regionBytes = 0x1000;
const lineName = 'interrupt';
const notifyOffset = 0x50;
/** A length and a base where there is no region, whichever the driver selects (4.2.2): nothing maps memory outside a BAR. */
const noSharedMemory = constant(0xffff_ffff);
const vendor = 0x1af4;

/** Register layout (4.2.2); all are 32 bits wide. */
function mmioRegisters(id: number): readonly PlacedRegister[] {
	const core = coreRegisters;
	const interruptStatus: CoreRegister = {
		read: ({state}) => state['virtio.interrupts'] & (Interrupt.QUEUE | Interrupt.CONFIG),
	};
	const interruptAcknowledge: CoreRegister = {
		read: () => 0,
		write: ({state}, value) => {
			state['virtio.interrupts'] &= ~value;
		},
	};
	const registers: readonly (readonly [offset: number, register: CoreRegister])[] = [
		[0x00, constant(magic)],
		[0x04, constant(version)],
		[0x08, constant(id)],
		[0x0c, constant(vendor)],
		[0x10, core.deviceFeatures],
		[0x14, core.deviceSelect],
		[0x20, core.driverFeatures],
		[0x24, core.driverSelect],
		[0x30, core.queueSelect],
		[0x34, core.queueSizeMost],
		[0x38, core.queueSize],
		[0x44, core.queueReady],
		[0x60, interruptStatus],
		[0x64, interruptAcknowledge],
		[0x70, core.status],
		[0x80, core.descriptorsLow],
		[0x84, core.descriptorsHigh],
		[0x90, core.driverLow],
		[0x94, core.driverHigh],
		[0xa0, core.deviceLow],
		[0xa4, core.deviceHigh],
		[0xb0, noSharedMemory],
		[0xb4, noSharedMemory],
		[0xb8, noSharedMemory],
		[0xbc, noSharedMemory],
		[0xc0, core.queueReset],
		[0xfc, core.generation],
	];
	return registers.map(([offset, register]) => [offset, 4, register]);
}

/** Inputs from here on are PCI's pins too. */
const firstPciInput = 16;

/** By the id that Linux binds to. */
const acpi: NonNullable<TypeParts<OptionTable, OnMmio<object>>['acpi']> = (
	{mmio: {base}},
	names,
	{[lineName]: input = 0},
) => ({
	device: acpiDevice(
		names.next('V'),
		name('_HID', string('LNRO0005')),
		name('_UID', integer(base / regionBytes)),
		name(
			'_CRS',
			resourceTemplate(
				memoryFixed(base, regionBytes),
				// Linux takes PCI's pins for active low, and no input for both. Neither I/O APIC looks at it.
				interrupt(input, {edge: false, shared: true, activeLow: input >= firstPciInput}),
			),
		),
	),
});

/** A virtio device at a fixed address, for machines without PCI: its kind ends in `-mmio`, and ACPI announces it. */
export function virtioMmio<C extends object, T extends Fields, N extends string>(
	device: VirtioDevice<C, T, N>,
): DeviceModel<OnMmio<C>, WithVirtio<T>> &
	Pick<TypeParts<OptionTable, OnMmio<C>>, 'acpi'> &
	StateWords<OnMmio<C>, WithVirtio<T>> {
	checkDeclaration(device);
	const erased = {
		...device,
		// A notification has to match a queue's number to be a doorbell, and with data it would not.
		platform: (config: C) => ({NOTIFICATION_DATA: false, ...device.platform?.(config)}),
	} as unknown as VirtioDevice<unknown, Fields, string>;
	const kind = `${device.kind}-mmio`;
	const {
		versions,
		workers,
		firstWorker,
		mayWait,
		hostMemory,
		commonMemory,
		savedMemory,
		refuses,
		config: space,
		mostQueues: most,
	} = device;
	const registers = new RegisterFile(mmioRegisters(device.id));
	return {
		kind,
		...(versions && {versions}),
		...(workers && {workers}),
		...(firstWorker !== undefined && {firstWorker}),
		...(mayWait !== undefined && {mayWait}),
		...(hostMemory && {hostMemory}),
		...(commonMemory && {commonMemory}),
		...(savedMemory && {savedMemory}),
		...(refuses && {refuses}),
		acpi,
		words: virtioWords(device.features, device.words),
		state: wire(kind, {
			...device.state?.fields,
			...virtioFields(most, space?.bytes ?? 0),
		}) as unknown as Wire<WithVirtio<T>>,
		attach: {
			regions: (config) => {
				queuesOf(erased, config);
				return [{space: 'mmio', name: 'registers', base: config.mmio.base, length: regionBytes}];
			},
		},
		doorbells: (config) =>
			queuesOf(erased, config).map((_, queue) => ({region: 0, offset: notifyOffset, size: 4, match: queue, queue})),
		lines: ({mmio}) => ({[lineName]: mmio.irq ?? 'shared'}),
		front: (config, state, services) => {
			const core = new VirtioCore(erased, config, state as never, services);
			const line = services.line(lineName);
			return {
				read: (_region, offset, size) =>
					offset >= configOffset ? core.readConfig(offset - configOffset, size) : registers.read(core, offset, size),
				write: (_region, offset, size, value) => {
					if (offset >= configOffset) core.writeConfig(offset - configOffset, size, value);
					else registers.write(core, offset, size, value);
					// One that is no doorbell has data with it, or names no queue.
					if (offset === notifyOffset) services.notifyBack();
					line.setLevel(core.state['virtio.interrupts'] !== 0);
				},
				reset: () => core.powerOn(),
				rested: () => core.rested(),
				restored: () => core.restored(),
				control: (command) => {
					if (device.control?.(command, state as never, config)) services.notifyBack();
				},
			};
		},
		back: (config, state, services) => {
			const core = new VirtioCore(erased, config, state as never, services);
			const line = services.line(lineName);
			return new VirtioWorker({device: erased, config, state: state as never, core, services, line});
		},
	};
}

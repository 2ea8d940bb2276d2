import {exampleOptions} from '#devices/conformance';
import type {AccessSize, DeviceInstance} from '#devices/device';
import type {AnyDeviceType, ModuleHandle} from '#devices/device-type';
import {MappedMemory, type MemoryHandle} from '#devices/guest-memory';
import {GsiTable} from '#devices/interrupts';
import {type AttachedDevice, AttachedMachine, layOutMachine, type MachineLayout, workersFor} from '#devices/machine';
import {isFunctionModel} from '#devices/pci/function';
import {type LoadedTypes, loadDeviceModels} from '#devices/registry';
import {VmTimeState} from '#devices/vm-time';
import {parsePcieRootComplex, parsePcieRootPort, vmConfig} from '#main/config';
import {describeDevices, deviceModuleUrls, deviceTables, randomGenerationId} from '#main/machine';
import {allocateRam} from '#main/memory';
import {describePcie, placeMachine} from '#main/pcie';
import {mailboxBytes, type WakerHandle, WakerState} from '#support/mailbox';

const ramBytes = 2 ** 26;
const portName = 'rp0';
/** Command register of a PCI function: decodes memory and ports, and is a bus master (PCI Express Base 6.0, 7.5.1.1.3). */
const command = {offset: 4, size: 2, all: 7} as const;

/** A device with a PC around it, as often as one likes. */
export interface CheckedDevice {
	readonly type: AnyDeviceType;
	readonly name: string;
	/** Makes a machine, powered on. @param other - shares this one's devices, as another thread of it does */
	make(other?: CheckedMachine): CheckedMachine;
	dispose(): Promise<void>;
}

/**
 * Loads a device's module and finds out whether a machine can have it: with the examples of its options, and those that are given.
 * @throws VmmError saying what a machine refuses
 */
export async function loadChecked({options: given = {}, ...handle}: ModuleHandle): Promise<CheckedDevice> {
	const types = await loadDeviceModels(deviceModuleUrls({devices: [{...handle, options: given}]}));
	const [type] = types.own as [AnyDeviceType];
	const isFunction = isFunctionModel(type);
	const device = {...handle, options: {...exampleOptions(type), ...given}, ...(isFunction && {port: portName})};
	const pcie = {rootComplexes: [parsePcieRootComplex('rc0')], rootPorts: [parsePcieRootPort(`rc0:${portName}`)]};
	const config = vmConfig({
		memory: {sizeBytes: ramBytes},
		devices: [device],
		...(isFunction && {pcie}),
	});
	const {memory, complexes} = placeMachine({size: ramBytes}, config.pcie);
	const birth = {timeMs: Date.UTC(2026, 0, 1), generationId: randomGenerationId()};
	const described = describeDevices(config, memory.ram, birth, types).devices;
	const devices = [...described, ...describePcie(config.pcie, complexes)];
	deviceTables(devices, types.types);
	const ram = allocateRam([{memory: config.memory, ranges: memory.ram}]);
	const {name} = devices.find(({kind}) => kind === type.kind) as DeviceInstance;
	return {
		type,
		name,
		make: (other) => new CheckedMachine(other?.layout ?? layOut(devices, types), types, ram.memory, name),
		dispose: () => ram.dispose(),
	};
}

function layOut(devices: readonly DeviceInstance[], {findModel}: LoadedTypes): MachineLayout {
	const wakers = Array.from({length: workersFor(devices, findModel)}, () => {
		return {buffer: new SharedArrayBuffer(WakerState.byteLength), wakeFd: -1};
	});
	const mailbox = {buffer: new SharedArrayBuffer(mailboxBytes(1)), callers: 1, waker: wakers[0] as WakerHandle};
	return layOutMachine(devices, findModel, {modules: [], wakers, mailbox});
}

/** A machine on the calling thread whose time stands still, without processors. */
export class CheckedMachine {
	readonly machine: AttachedMachine;
	readonly layout: MachineLayout;
	readonly device: AttachedDevice;
	/** Inputs of the interrupt controller that are high. */
	readonly raised = new Set<number>();
	readonly #clock;

	constructor(layout: MachineLayout, {findModel}: LoadedTypes, memory: MemoryHandle, name: string) {
		this.layout = layout;
		this.#clock = VmTimeState.on(layout.time);
		const {raised} = this;
		this.machine = new AttachedMachine(layout, {
			findModel,
			memory: new MappedMemory(memory),
			interrupts: {
				setLine: (gsi, asserted) => void (asserted ? raised.add(gsi) : raised.delete(gsi)),
				rise() {},
				messages: {send() {}, gsis: new GsiTable(new SharedArrayBuffer(GsiTable.byteLength), () => {})},
			},
		});
		this.device = this.machine.devices.find(({placed}) => placed.name === name) as AttachedDevice;
		this.powerOn();
	}

	powerOn(): void {
		this.#clock.offsetNs = 0;
		this.machine.reset();
	}

	/** Lets a PCI function decode addresses, and reach memory, as a driver does. */
	enable(): void {
		const config = this.device.regions.findIndex(({space}) => space === 'config');
		if (config >= 0) this.device.target.write(config, command.offset, command.size, command.all);
	}

	get nowNs(): number {
		return this.#clock.offsetNs;
	}

	set nowNs(ns: number) {
		this.#clock.offsetNs = ns;
	}

	/** A part of the device, as a person finds it. */
	placeOf(region: number, offset: number, size: AccessSize): string {
		return `${this.device.regions[region]?.name}+0x${offset.toString(16)} (${size} ${size === 1 ? 'byte' : 'bytes'})`;
	}
}

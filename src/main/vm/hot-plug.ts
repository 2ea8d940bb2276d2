import {resolve} from 'node:path';
import {pathToFileURL} from 'node:url';
import type {AnyDeviceModel, DeviceInstance} from '#devices/device';
import {type AttachedMachine, deviceAt, type MachineLayout, withDevice, withoutDevice} from '#devices/machine';
import {occupancyChanged} from '#devices/pci/port';
import {loadDeviceModels} from '#devices/registry';
import type {DeviceModuleConfig} from '#main/config';
import {describeOwnDevices} from '#main/machine';
import type {DeviceThread} from './device-thread.ts';
import type {VcpuGroup} from './vcpu-group.ts';

/** A device that comes to a running machine: of a module, or of a kind that the device registry knows. */
export type ComingDevice = DeviceModuleConfig | Omit<DeviceInstance, 'place'>;

/** Brings devices to a machine and takes them away, while nothing runs. */
export class HotPlug {
	readonly #machine: AttachedMachine;
	readonly #threads: readonly Pick<VcpuGroup | DeviceThread, 'change'>[];

	constructor(machine: AttachedMachine, threads: readonly Pick<VcpuGroup | DeviceThread, 'change'>[]) {
		this.#machine = machine;
		this.#threads = threads;
	}

	/**
	 * Plugs a device in and tells the guest, which finds it when it runs on.
	 * @returns its name
	 * @throws VmmError with a `HOT_PLUG_`, `PCI_` or `DEVICE_` code; the machine is as it was
	 */
	async add(port: string, device: ComingDevice): Promise<string> {
		const {layout} = this.#machine;
		if ('kind' in device) {
			const {findModel} = await loadDeviceModels(layout.modules);
			const instance = {...device, place: {on: port, devfn: 0}};
			await this.#change(withDevice(layout, instance, findModel, layout.modules), port);
			return device.name;
		}
		const url = pathToFileURL(resolve(device.path)).href;
		const modules = layout.modules.includes(url) ? layout.modules : [...layout.modules, url];
		const {own, findModel} = await loadDeviceModels(modules);
		const model = own[modules.indexOf(url)] as AnyDeviceModel;
		const name = device.name ?? freeName(model.kind, layout.devices);
		const placed = {...device, name, options: {...device.options, port}};
		const [instance] = describeOwnDevices({deviceModules: [placed]}, [model]) as [DeviceInstance];
		await this.#change(withDevice(layout, instance, findModel, modules), port);
		return name;
	}

	/** Pulls the device at a port out. @throws VmmError with a `HOT_PLUG_` code; the machine is as it was */
	async remove(port: string): Promise<void> {
		const {layout, devices} = this.#machine;
		const next = withoutDevice(layout, port);
		const leaving = devices.find(({placed}) => placed.name === deviceAt(layout, port)?.name);
		for (const line of Object.keys(leaving?.placed.lines ?? {})) leaving?.services.line(line).setLevel(false);
		await this.#change(next, port);
	}

	/** A back end that cannot be made leaves everything as it was. */
	async #change(layout: MachineLayout, port: string): Promise<void> {
		const before = this.#machine.layout;
		try {
			await this.#follow(layout);
		} catch (error) {
			await this.#follow(before);
			throw error;
		}
		this.#machine.control(port, occupancyChanged);
	}

	async #follow(layout: MachineLayout): Promise<void> {
		const known = this.#machine.devices;
		const {findModel} = await loadDeviceModels(layout.modules);
		this.#machine.change(layout, findModel);
		for (const device of this.#machine.devices) if (!known.includes(device)) this.#machine.resetDevice(device);
		for (const thread of this.#threads) await thread.change(layout);
	}
}

function freeName(kind: string, devices: readonly DeviceInstance[]): string {
	const isFree = (name: string) => devices.every((device) => device.name !== name);
	let name = kind;
	for (let number = 2; !isFree(name); number++) name = `${kind}-${number}`;
	return name;
}

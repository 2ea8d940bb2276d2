import type {DeviceInstance} from '#devices/device';
import type {DeviceHandle, MachineFacts} from '#devices/device-type';
import {type AttachedMachine, deviceAt, type MachineLayout, withDevice, withoutDevice} from '#devices/machine';
import {occupancyChanged} from '#devices/pci/port';
import {loadDeviceModels} from '#devices/registry';
import {describeComing, deviceModuleUrls} from '#main/machine';
import type {DeviceThreads} from './device-threads.ts';
import type {MappedPages} from './mapped-pages.ts';
import type {VcpuGroup} from './vcpu-group.ts';

/** Brings devices to a machine and takes them away, while nothing runs. */
export class HotPlug {
	readonly #machine: AttachedMachine;
	readonly #facts: MachineFacts;
	readonly #threads: readonly Pick<VcpuGroup | DeviceThreads, 'change'>[];
	readonly #mappedPages: Pick<MappedPages, 'follow'>;

	/** @param facts - what its devices may know of the machine */
	constructor(
		machine: AttachedMachine,
		facts: MachineFacts,
		threads: readonly Pick<VcpuGroup | DeviceThreads, 'change'>[],
		mappedPages: Pick<MappedPages, 'follow'>,
	) {
		this.#machine = machine;
		this.#facts = facts;
		this.#threads = threads;
		this.#mappedPages = mappedPages;
	}

	/**
	 * Plugs a device in and tells the guest, which finds it when it runs on.
	 * @returns its name
	 * @throws VmmError with a `HOT_PLUG_`, `PCI_` or `DEVICE_` code; the machine is as it was
	 */
	async add(port: string, device: DeviceHandle): Promise<string> {
		const {layout} = this.#machine;
		const urls = deviceModuleUrls({devices: [device]});
		const modules = [...layout.modules, ...urls.filter((url) => !layout.modules.includes(url))];
		const types = await loadDeviceModels(modules);
		const own = urls.flatMap((url) => types.own[modules.indexOf(url)] ?? []);
		const described = describeComing({...device, port}, this.#facts, {...types, own});
		const name = device.name ?? freeName(described.name, layout.devices);
		await this.#change(withDevice(layout, {...described, name}, types.findModel, modules), port);
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
		this.#mappedPages.follow(this.#machine.devices);
		for (const thread of this.#threads) await thread.change(layout);
	}
}

function freeName(kind: string, devices: readonly DeviceInstance[]): string {
	const isFree = (name: string) => devices.every((device) => device.name !== name);
	let name = kind;
	for (let number = 2; !isFree(name); number++) name = `${kind}-${number}`;
	return name;
}

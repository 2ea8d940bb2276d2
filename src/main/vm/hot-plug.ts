import {setTimeout as sleep} from 'node:timers/promises';
import type {ConfigChange, DeviceInstance} from '#devices/device';
import type {DeviceHandle, MachineFacts} from '#devices/device-type';
import {
	type AttachedDevice,
	type AttachedMachine,
	deviceAt,
	type MachineLayout,
	withConfig,
	withDevice,
	withoutDevice,
} from '#devices/machine';
import {type FabricFunction, functionsOf} from '#devices/pci/fabric';
import {isFunctionModel} from '#devices/pci/function';
import {occupancyChanged, type PciePortConfig, SlotPower} from '#devices/pci/port';
import {loadDeviceModels} from '#devices/registry';
import {describeComing, deviceModuleUrls} from '#main/machine';
import {untilAborted} from '#support/abort';
import {errorTable} from '#support/errors';
import type {ProgramHandle, ProgramObjects} from '#support/rpc';
import {deviceCalled} from './device-called.ts';
import type {DeviceThreads} from './device-threads.ts';
import type {MappedPages} from './mapped-pages.ts';
import {processMemories} from './process-memories.ts';
import type {VcpuGroup} from './vcpu-group.ts';

const hotPlugError = errorTable({
	HOT_PLUG_NO_BUTTON: (c: {port: string}) => ({
		message: `The guest cannot be asked for what is at the port ${c.port}: it has no button`,
		remedy:
			'Give the port the option button: --pcie-root-port rc0:rp0,hotplug,button; or remove the device without asking',
	}),
	HOT_PLUG_NO_CHANGE: (c: {device: string; kind: string; change: string}) => ({
		message: `The device ${c.device} is a ${c.kind}, to which there is no ${c.change}`,
		remedy: 'NVMe controllers have it',
	}),
	HOT_PLUG_KEPT: (c: {port: string; limitMs: number}) => ({
		message: `The guest has not let go of what is at the port ${c.port} within ${c.limitMs / 1000} s`,
		remedy:
			'Look whether it uses the device and has a driver for the port (Linux: pciehp), ask again, or remove it without asking',
	}),
	HOT_PLUG_TAKEN_BACK: (c: {port: string}) => ({
		message: `The guest had let go of what is at the port ${c.port}, and has taken it again`,
		remedy: 'Ask again, or remove it without asking',
	}),
});

/** Time between looks whether a guest has let go of a device. */
const lookMs = 50;

/** Parts of a machine that devices come to and go from. */
export interface HotPlugParts {
	readonly machine: AttachedMachine;
	/** What its devices may know of the machine. */
	readonly facts: MachineFacts;
	readonly threads: readonly Pick<VcpuGroup | DeviceThreads, 'change'>[];
	readonly mappedPages: Pick<MappedPages, 'follow'>;
	/** Keeps what its devices call of the program. */
	readonly program: ProgramObjects;
}

/** Brings devices to a machine and takes them away, and changes their configurations, while nothing runs. */
export class HotPlug {
	readonly #machine: AttachedMachine;
	readonly #facts: MachineFacts;
	readonly #threads: readonly Pick<VcpuGroup | DeviceThreads, 'change'>[];
	readonly #mappedPages: Pick<MappedPages, 'follow'>;
	readonly #program: ProgramObjects;

	constructor({machine, facts, threads, mappedPages, program}: HotPlugParts) {
		this.#machine = machine;
		this.#facts = facts;
		this.#threads = threads;
		this.#mappedPages = mappedPages;
		this.#program = program;
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
		const kept: ProgramHandle[] = [];
		try {
			const described = describeComing({...device, port}, this.#facts, {...types, own}, (object) => {
				const handle = this.#program.keep(object);
				kept.push(handle);
				return handle;
			});
			const name = device.name ?? freeName(described.name, layout.devices);
			await this.#change(withDevice(layout, {...described, name}, types.findModel, modules, processMemories), port);
			return name;
		} catch (error) {
			for (const handle of kept) this.#program.forget(handle);
			throw error;
		}
	}

	/** Pulls the device at a port out. @throws VmmError with a `HOT_PLUG_` code; the machine is as it was */
	async remove(port: string): Promise<void> {
		const {layout, devices} = this.#machine;
		const next = withoutDevice(layout, port);
		const leaving = devices.find(({placed}) => placed.name === deviceAt(layout, port)?.name);
		for (const line of Object.keys(leaving?.placed.lines ?? {})) leaving?.services.line(line).setLevel(false);
		await this.#change(next, port, leavesZeros(leaving));
		for (const handle of leaving?.placed.programObjects ?? []) this.#program.forget(handle);
	}

	/**
	 * Has a device go on with another configuration, of which its guest learns from the device.
	 * @returns the number of what has come or gone
	 * @throws VmmError VM_DEVICE_UNKNOWN, HOT_PLUG_NO_CHANGE, what the device's model throws, and what its backs reject with; the machine is as it was
	 */
	async reconfigure(name: string, change: ConfigChange): Promise<number> {
		const {model, placed} = deviceCalled(this.#machine, name);
		const {kind, config, hostMemory} = placed;
		const changed = model.reconfigure?.(config, change, hostMemory);
		if (changed === undefined) throw hotPlugError('HOT_PLUG_NO_CHANGE', {device: name, kind, change: change.kind});
		await this.#changeTo(withConfig(this.#machine.layout, placed, changed.config));
		return changed.number;
	}

	/**
	 * The device at a port, which the guest can be asked for.
	 * @throws VmmError HOT_PLUG_NO_BUTTON, and as {@link remove} where there is nothing to be let go of
	 */
	asked(port: string): DeviceInstance {
		const {layout} = this.#machine;
		withoutDevice(layout, port);
		const config = layout.devices.find(({name}) => name === port)?.config as PciePortConfig | undefined;
		if (config?.button !== true) throw hotPlugError('HOT_PLUG_NO_BUTTON', {port});
		return deviceAt(layout, port) as DeviceInstance;
	}

	/**
	 * Resolves when the guest has turned the power of the slot off, which it does when its driver has let go, or the device has gone.
	 * @param press - presses the port's button
	 * @throws VmmError HOT_PLUG_KEPT when it has not within the limit
	 */
	async letGo(
		port: string,
		device: DeviceInstance,
		{press, limitMs, signal}: {press: () => Promise<unknown>; limitMs: number; signal: AbortSignal},
	): Promise<void> {
		const slot = this.#slotOf(port);
		let isPressed = false;
		for (let waitedMs = 0; this.#isAt(port, device) && !slot.isOff; waitedMs += lookMs) {
			if (waitedMs >= limitMs) throw hotPlugError('HOT_PLUG_KEPT', {port, limitMs});
			// A button that is pressed again takes back what it was pressed for.
			if (!isPressed && !slot.isChanging) {
				isPressed = true;
				await untilAborted(press(), signal);
			}
			await untilAborted(sleep(lookMs), signal);
		}
	}

	/** Pulls the device out that the guest has let go of, unless it has gone already. @throws VmmError HOT_PLUG_TAKEN_BACK */
	async removeLetGo(port: string, device: DeviceInstance): Promise<void> {
		if (!this.#isAt(port, device)) return;
		if (!this.#slotOf(port).isOff) throw hotPlugError('HOT_PLUG_TAKEN_BACK', {port});
		await this.remove(port);
	}

	#isAt(port: string, device: DeviceInstance): boolean {
		return deviceAt(this.#machine.layout, port) === device;
	}

	#slotOf(port: string): SlotPower {
		const functions = this.#machine.pci?.complexes.flatMap(({bus}) => [...functionsOf(bus)]) ?? [];
		const {space, design} = functions.find(({name}) => name === port) as FabricFunction;
		return new SlotPower(space, design.places.express);
	}

	/** @param zeros - see `PciFunction.leavesZeros` */
	async #change(layout: MachineLayout, port: string, zeros = false): Promise<void> {
		await this.#changeTo(layout);
		this.#machine.control(port, occupancyChanged(zeros));
	}

	/** A back end that cannot be made, or does not follow, leaves everything as it was. */
	async #changeTo(layout: MachineLayout): Promise<void> {
		const before = this.#machine.layout;
		try {
			await this.#follow(layout);
		} catch (error) {
			await this.#follow(before);
			throw error;
		}
	}

	async #follow(layout: MachineLayout): Promise<void> {
		const known = this.#machine.devices;
		const {findModel} = await loadDeviceModels(layout.modules);
		this.#machine.change(layout, findModel);
		for (const device of this.#machine.devices) if (!known.includes(device)) this.#machine.resetDevice(device);
		// What is under the memory of those that go stays there until their backs have gone.
		this.#mappedPages.follow([...known, ...this.#machine.devices]);
		for (const thread of this.#threads) await thread.change(layout);
		this.#mappedPages.follow(this.#machine.devices);
	}
}

function leavesZeros(leaving: AttachedDevice | undefined): boolean {
	const {model, placed} = leaving ?? {};
	return model !== undefined && isFunctionModel(model) && model.design(placed?.config).leavesZeros;
}

function freeName(kind: string, devices: readonly DeviceInstance[]): string {
	const isFree = (name: string) => devices.every((device) => device.name !== name);
	let name = kind;
	for (let number = 2; !isFree(name); number++) name = `${kind}-${number}`;
	return name;
}

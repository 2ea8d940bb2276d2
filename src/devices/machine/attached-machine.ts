import type {PagesBackEnd} from '#devices/bar-pages';
import type {DeviceCommand, MachineEvent, MachineServices, PciPlace} from '#devices/device';
import type {DoorbellBackEnd} from '#devices/doorbells';
import type {MappedMemory} from '#devices/guest-memory';
import {type InterruptController, type InterruptLine, InterruptLines, type LineSource} from '#devices/interrupts';
import {type BusTarget, HypercallBus, IoBus, MsrBus, type MsrFallback, UnclaimedCounters} from '#devices/io-bus';
import {functionsOf, type PciFabric} from '#devices/pci/fabric';
import {powerOnState} from '#devices/pci/function';
import type {TrustLevels} from '#devices/processor';
import {VmTime} from '#devices/vm-time';
import type {MailboxCaller} from '#support/mailbox';
import {type AttachedDevice, SharedTarget} from './attached-device.ts';
import {DecodeChanges} from './decode-changes.ts';
import {DeviceCalls} from './device-calls.ts';
import {DeviceFaults} from './device-failure.ts';
import {DeviceHeader} from './device-header.ts';
import {DeviceInputs} from './device-inputs.ts';
import {AttachedPages, DevicePages} from './device-pages.ts';
import {askForRest, isResetting, restDone} from './device-rest.ts';
import type {MachineLayout, ModelFinder, PlacedDevice} from './layout.ts';
import {MachineEvents} from './machine-events.ts';
import {OwnedTarget} from './owned-target.ts';
import {assignPci, attachFabric} from './pci.ts';
import {type OwnedState, restoreDevices, type SavedDevices, saveDevices} from './saved-machine.ts';

/** A thread's part of the machine it attaches to. */
export interface MachineHost {
	readonly findModel: ModelFinder;
	readonly interrupts: InterruptController;
	readonly memory: MappedMemory;
	/** The processor whose accesses this thread serves, if it is one's. */
	readonly vp?: number;
	/** Rings doorbells; without it the bus does. */
	readonly doorbells?: DoorbellBackEnd;
	/** Maps memory of BARs; without it accesses come by the bus. */
	readonly pages?: PagesBackEnd;
	/** Other machines' devices have this thread too: it waits for nothing that processors of this one can keep busy. */
	readonly isShared?: boolean;
	/** Makes the boot processor look for a device's request; a device's back makes some while every processor sleeps. */
	readonly alertBootCpu?: () => void;
}

/** Functions of one device: a slot, or one number on a bus. */
const sameSlot = (a: PciPlace, b: PciPlace): boolean => a.on === b.on && a.devfn >> 3 === b.devfn >> 3;

const sequenceWord = DeviceHeader.word('interruptSequence');

/** One thread's devices, bus and clock over a machine's shared buffers. */
export class AttachedMachine {
	/** Processor whose accesses this thread serves now. */
	readonly access: {vp: number | undefined; levels?: TrustLevels};
	readonly time: VmTime;
	readonly events: MachineEvents;
	readonly unclaimed: UnclaimedCounters;
	readonly lines: InterruptLines;
	readonly calls: DeviceCalls;
	readonly decode: DecodeChanges;
	readonly #pages: DevicePages;
	readonly #host: MachineHost;
	#layout: MachineLayout;
	#devices: readonly AttachedDevice[];
	/** Devices that have left the machine and still use what is its. */
	#leftLate: readonly AttachedDevice[] = [];
	#pci: PciFabric | undefined;

	constructor(layout: MachineLayout, host: MachineHost) {
		this.#layout = layout;
		this.#host = host;
		this.access = {vp: host.vp};
		this.time = new VmTime(layout.time);
		this.events = new MachineEvents(layout.events);
		this.unclaimed = new UnclaimedCounters(layout.unclaimed);
		this.calls = new DeviceCalls(layout, host.doorbells);
		this.#pages = new DevicePages(layout.barPages, host.pages);
		const follow = () => {
			this.calls.follow(this.devices, this.pci);
			this.#pages.follow(this.devices, this.pci);
		};
		this.decode = new DecodeChanges(layout.decode, {
			follow: host.doorbells || host.pages ? follow : undefined,
			waits: host.isShared !== true,
		});
		host.memory.followOther((gpa) => this.#pages.find(gpa, this.devices, this.pci));
		const inputs = new DeviceInputs(host.interrupts);
		this.lines = new InterruptLines(layout.interrupts, layout.interruptSources, inputs);
		this.#devices = layout.devices.map((placed) => this.#attach(placed, host.findModel));
		for (const device of this.devices) inputs.lead(device);
		this.#pci = attachFabric(this.devices, this.decode.generation, this.unclaimed);
	}

	/** The machine's layout now: see {@link change}. */
	get layout(): MachineLayout {
		return this.#layout;
	}

	/** In the order of the layout. */
	get devices(): readonly AttachedDevice[] {
		return this.#devices;
	}

	/** Devices whose backs do not come to rest, also of those that have left: the memory that they use must stay. */
	get late(): readonly AttachedDevice[] {
		return [...this.#devices, ...this.#leftLate].filter(({header}) => header.late !== 0);
	}

	/** The way to PCI functions, where there are any. */
	get pci(): PciFabric | undefined {
		return this.#pci;
	}

	/** This thread's way to the devices; `caller` carries accesses to owned ones. */
	bus(caller: MailboxCaller): IoBus {
		const targets = this.devices.map((device, index): BusTarget => {
			const {placed, target, model} = device;
			const answers = model.owned?.answers(placed.config);
			return this.calls.target(
				device,
				answers === undefined ? target : new OwnedTarget(device, index, answers, caller),
			);
		});
		const {pci} = this;
		pci?.setTargets([...targets]);
		for (const complex of pci?.complexes ?? []) {
			targets[complex.device] = (pci as PciFabric).complexTarget(complex, targets[complex.device] as BusTarget);
		}
		return new IoBus(this.layout.claims, targets, this.layout.portTable, this.unclaimed, pci);
	}

	/**
	 * This thread's way to devices that answer for model-specific registers.
	 * @param fallback - answers for the others
	 */
	msrs(fallback: MsrFallback): MsrBus {
		const targets = this.devices.map(({target}) => target);
		return new MsrBus(this.layout.claims, targets, this.unclaimed, fallback);
	}

	/** This thread's way to devices that answer hypercalls. */
	hypercalls(): HypercallBus {
		const targets = this.devices.map(({target}) => target);
		return new HypercallBus(this.layout.claims, targets, this.unclaimed);
	}

	/**
	 * Follows the machine to devices that have come or gone, or have another configuration. While nothing runs; the thread's bus is to be made anew.
	 * @param layout - from `withDevice`, `withoutDevice` or `withConfig`
	 */
	change(layout: MachineLayout, findModel: ModelFinder): void {
		const {devices: before, late} = this;
		this.#layout = layout;
		this.#devices = layout.devices.map((placed) => {
			const known = before.find((device) => isSame(device.placed, placed));
			if (known === undefined) return this.#attach(placed, findModel);
			if (known.placed.revision !== placed.revision) {
				known.placed = placed;
				known.target.renew();
			}
			return known;
		});
		this.#leftLate = late.filter(({placed}) => !this.#devices.some((device) => isSame(device.placed, placed)));
		this.#pci = attachFabric(this.devices, this.decode.generation, this.unclaimed);
		this.decode.changed();
	}

	/** Gives one device its declared initial state. For the owner, while nothing runs, or under the device's lock. */
	resetDevice({model, state, target, services, placed, header, faults}: AttachedDevice): void {
		const {front} = target;
		model.state.reset(state);
		for (const name of Object.keys(placed.lines)) services.line(name).setLevel(false);
		faults.during('reset', () => front.reset?.());
		restDone(header);
	}

	/** Does what a device's rest is for, and ends it. For the last of its workers, when nothing is in flight on any. */
	endRest(device: AttachedDevice): void {
		const {target, header, faults, placed} = device;
		try {
			target.locked(() => {
				if (isResetting(header)) {
					this.resetDevice(device);
					return;
				}
				faults.during('rested', () => target.front.rested?.());
				restDone(header);
			});
		} finally {
			if (placed.calls !== undefined) this.calls.callForRest(placed.calls);
		}
	}

	/**
	 * Gives every device its declared initial state, and PCI functions their addresses, as far as there are any: that there
	 * are is checked before a device is part of the machine. For the owner, while nothing runs.
	 */
	reset(): void {
		for (const device of this.devices) this.resetDevice(device);
		if (this.pci !== undefined) assignPci(this.pci);
		this.events.clear();
	}

	/** The device worker has devices for itself, which are reset, saved and restored there. */
	get hasOwned(): boolean {
		return this.devices.some(({model}) => model.owned !== undefined);
	}

	/**
	 * Every device's state, as plain data. For the owner, while nothing runs.
	 * @param owned - that of the devices that the device worker owns
	 */
	save(owned: readonly OwnedState[] = []): SavedDevices {
		return saveDevices(this.devices, this.layout.interrupts, owned);
	}

	/**
	 * Gives every device the state that {@link save} gave. For the owner, while nothing runs.
	 * @returns what is left to the device worker
	 */
	restore(saved: SavedDevices): readonly OwnedState[] {
		return restoreDevices(this.devices, this.layout.interrupts, saved);
	}

	/**
	 * Asks a device for something. For a thread of the machine's, or for the owner while nothing runs.
	 * @returns false when there is no device of that name
	 */
	control(name: string, command: DeviceCommand): boolean {
		const device = this.devices.find(({placed}) => placed.name === name);
		device?.target.guarded('control', () => device.target.front.control?.(command));
		return device !== undefined;
	}

	/** A device's state, decoded from shared memory without the device's help. */
	stateOf(name: string): Readonly<Record<string, unknown>> | undefined {
		const device = this.devices.find(({placed}) => placed.name === name);
		return device?.model.state.decode(device.state);
	}

	#attach(placed: PlacedDevice, findModel: ModelFinder): AttachedDevice {
		const model = findModel(placed.kind);
		if (model === undefined) throw new TypeError(`no model for ${placed.kind} on this thread`);
		const {config, stateOffset, ownState = this.layout.state} = placed;
		const header = DeviceHeader.on(ownState, stateOffset);
		const state = model.state.on(ownState, stateOffset + DeviceHeader.byteLength);
		const pages = placed.pages.map((each) => new AttachedPages(each, this.#host.memory));
		const services = this.#services(placed, header, pages);
		const faults = new DeviceFaults(placed.name, header, this.layout.deviceFailure, () =>
			this.#quieten(placed, services),
		);
		const front = () => model.front(device.placed.config, state, services);
		const target = new SharedTarget(header, front, faults, this.decode);
		const [regions, doorbells] = [model.regions(config), model.doorbells?.(config) ?? []];
		const device = {placed, model, header, state, services, target, faults, regions, doorbells, pages};
		// What is wrong with a module of a user's own is told before a guest runs, on any thread.
		if (this.#layout.modules.length > 0) void target.front;
		return device;
	}

	/** A device that has failed interrupts nobody, and its back is to notice. */
	#quieten({lines, calls}: PlacedDevice, services: MachineServices): void {
		for (const name of Object.keys(lines)) services.line(name).setLevel(false);
		this.decode.changed();
		if (calls !== undefined) this.calls.callBack(calls);
		this.events.deviceFailed();
	}

	#services(placed: PlacedDevice, header: AttachedDevice['header'], pages: readonly AttachedPages[]): MachineServices {
		const {interrupts, memory, alertBootCpu} = this.#host;
		const byName = new Map<string, InterruptLine>(
			Object.entries(placed.lines).map(([name, source]: [string, LineSource]) => [name, this.lines.line(source)]),
		);
		return {
			line: (name) => {
				const line = byName.get(name);
				if (line === undefined) throw new TypeError(`device ${placed.name} declares no line ${name}`);
				return line;
			},
			isAsserted: (name) => {
				const input = placed.inputs[name];
				if (input === undefined) throw new TypeError(`device ${placed.name} declares no input ${name}`);
				return this.lines.isAsserted(input);
			},
			messages: interrupts.messages,
			time: this.time,
			access: this.access,
			memory,
			request: (event: MachineEvent) => {
				this.events.request(event);
				alertBootCpu?.();
			},
			...this.#pciServices(placed, header, pages),
			notifyBack: () => {
				if (placed.calls !== undefined) this.calls.callBack(placed.calls);
			},
			restBack: () => {
				if (placed.calls !== undefined && askForRest(header, 'rest')) this.calls.callForRest(placed.calls);
			},
		};
	}

	#resetBehind(bridge: string): void {
		const functions = this.pci?.complexes.flatMap(({bus}) => [...functionsOf(bus)]) ?? [];
		const below = functions.find(({name}) => name === bridge)?.below;
		if (below === undefined) return;
		for (const {name} of functionsOf(below)) this.control(name, powerOnState);
	}

	/** Gives a device its part of the PCI around it. It is asked for when all devices are attached. */
	#pciServices(
		placed: PlacedDevice,
		header: AttachedDevice['header'],
		pages: readonly AttachedPages[],
	): Pick<MachineServices, 'slot' | 'configSpace'> {
		const {name, place} = placed;
		const occupied = () => this.layout.devices.some((other) => other.place?.on === name);
		const isShared = (own: PciPlace) =>
			this.layout.devices.some(({name: other, place: its}) => other !== name && its && sameSlot(its, own));
		const fabric = () => this.pci;
		return {
			configSpace: {
				read: (segment, bus, devfn, offset, size) =>
					fabric()?.readConfig(segment, bus, devfn, offset, size) ?? 2 ** (8 * size) - 1,
				write: (segment, bus, devfn, offset, size, value) =>
					fabric()?.writeConfig(segment, bus, devfn, offset, size, value),
			},
			...(place && {
				slot: {
					decodeChanged: () => void this.decode.changed(),
					get isShared() {
						return isShared(place);
					},
					get occupied() {
						return occupied();
					},
					resetBehind: () => this.#resetBehind(name),
					resetWithBack: () => {
						if (placed.calls !== undefined && askForRest(header, 'reset')) this.calls.callForRest(placed.calls);
						return placed.calls !== undefined;
					},
					pages: (region) => {
						const found = pages.find(({placed}) => placed.region === region);
						if (found === undefined) throw new TypeError(`device ${name} has no memory in region ${region}`);
						return found.memory;
					},
					interruptSequence: header.$atomic.subarray(sequenceWord, sequenceWord + 1),
				},
			}),
		};
	}
}

const isSame = (one: PlacedDevice, other: PlacedDevice): boolean =>
	one.name === other.name && one.addition === other.addition;

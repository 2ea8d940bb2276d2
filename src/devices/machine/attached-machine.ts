import type {AnyDeviceModel, DeviceFront, DeviceServices, MachineEvent} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import {type InterruptController, type InterruptLine, InterruptLines, type LineSource} from '#devices/interrupts';
import {type BusTarget, IoBus, UnclaimedCounters} from '#devices/io-bus';
import {VmTime} from '#devices/vm-time';
import {Doorbell, type MailboxCaller} from '#support/mailbox';
import type {Decoded, StructView} from '#support/shared-memory';
import {RemoteTarget, SharedTarget} from './attached-device.ts';
import {DeviceHeader, type MachineLayout, type ModelFinder, type PlacedDevice} from './layout.ts';
import {MachineEvents} from './machine-events.ts';
import {restoreDevices, type SavedDevices, saveDevices} from './saved-machine.ts';

/** What a thread brings to the machine it attaches to. */
export interface MachineHost {
	readonly findModel: ModelFinder;
	readonly interrupts: InterruptController;
	readonly memory: GuestMemory;
}

/** A device as one thread has it. */
export interface AttachedDevice {
	readonly placed: PlacedDevice;
	readonly model: AnyDeviceModel;
	// biome-ignore lint/suspicious/noExplicitAny: the state's type is the model's own
	readonly state: any;
	readonly header: StructView<(typeof DeviceHeader)['fields']>;
	readonly services: DeviceServices;
	readonly front: DeviceFront;
	readonly target: SharedTarget;
}

/** A device as inspect shows it. */
export interface DeviceInspection {
	readonly kind: string;
	readonly accesses: number;
	readonly state: Readonly<Record<string, number | readonly number[] | string>>;
}

/** Longer arrays are data that passes through a device, not what it is doing. */
const longestShown = 64;

function withoutBuffers(decoded: Decoded): DeviceInspection['state'] {
	const shown = (value: number | number[]) =>
		Array.isArray(value) && value.length > longestShown ? `${value.length} elements` : value;
	return Object.fromEntries(Object.entries(decoded).map(([name, value]) => [name, shown(value)]));
}

/** One thread's devices, bus and clock over a machine's shared buffers. */
export class AttachedMachine {
	readonly layout: MachineLayout;
	readonly devices: readonly AttachedDevice[];
	readonly time: VmTime;
	readonly events: MachineEvents;
	readonly unclaimed: UnclaimedCounters;
	readonly lines: InterruptLines;

	constructor(layout: MachineLayout, host: MachineHost) {
		this.layout = layout;
		this.time = new VmTime(layout.time);
		this.events = new MachineEvents(layout.events);
		this.unclaimed = new UnclaimedCounters(layout.unclaimed);
		this.lines = new InterruptLines(layout.interrupts, layout.interruptSources, host.interrupts);
		const doorbell = new Doorbell(layout.doorbell);
		this.devices = layout.devices.map((placed) => this.#attach(placed, host, doorbell));
	}

	/** This thread's way to the devices; `caller` carries accesses to remote ones. */
	bus(caller: MailboxCaller): IoBus {
		const targets = this.devices.map(
			({placed, target}, device): BusTarget => (placed.route === 'remote' ? new RemoteTarget(caller, device) : target),
		);
		return new IoBus(this.layout.claims, targets, this.layout.portTable, this.unclaimed);
	}

	/** Gives every device its declared initial state. For the owner, while nothing runs. */
	reset(): void {
		for (const {model, state, front, services, placed} of this.devices) {
			model.state.reset(state);
			for (const name of Object.keys(placed.lines)) services.line(name).setLevel(false);
			front.reset?.();
		}
		this.events.clear();
	}

	/** Every device's state, as plain data. For the owner, while nothing runs. */
	save(): SavedDevices {
		return saveDevices(this.devices, this.layout.interrupts);
	}

	/** Gives every device the state that {@link save} gave. For the owner, while nothing runs. */
	restore(saved: SavedDevices): void {
		restoreDevices(this.devices, this.layout.interrupts, saved);
	}

	/** Every device's state, decoded from shared memory without the device's help; buffers by their size only. */
	inspect(): Record<string, DeviceInspection> {
		return Object.fromEntries(
			this.devices.map(({placed, model, state, header}) => [
				placed.name,
				{kind: placed.kind, accesses: header.accesses, state: withoutBuffers(model.state.decode(state))},
			]),
		);
	}

	#attach(placed: PlacedDevice, host: MachineHost, doorbell: Doorbell): AttachedDevice {
		const model = host.findModel(placed.kind);
		if (model === undefined) throw new TypeError(`no model for ${placed.kind} on this thread`);
		const header = DeviceHeader.on(this.layout.state, placed.stateOffset);
		const state = model.state.on(this.layout.state, placed.stateOffset + DeviceHeader.byteLength);
		const services = this.#services(placed, header, host, doorbell);
		const front = model.front(placed.config, state, services);
		return {placed, model, header, state, services, front, target: new SharedTarget(header, front)};
	}

	#services(
		placed: PlacedDevice,
		header: AttachedDevice['header'],
		host: MachineHost,
		doorbell: Doorbell,
	): DeviceServices {
		const byName = new Map<string, InterruptLine>(
			Object.entries(placed.lines).map(([name, source]: [string, LineSource]) => [name, this.lines.line(source)]),
		);
		const notifiedWord = DeviceHeader.word('notified');
		return {
			line: (name) => {
				const line = byName.get(name);
				if (line === undefined) throw new TypeError(`device ${placed.name} declares no line ${name}`);
				return line;
			},
			messages: host.interrupts.messages,
			time: this.time,
			memory: host.memory,
			request: (event: MachineEvent) => this.events.request(event),
			notifyBack: () => {
				if (placed.hasBack && Atomics.exchange(header.$atomic, notifiedWord, 1) === 0) doorbell.ring();
			},
		};
	}
}

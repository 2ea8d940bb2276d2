import {setImmediate} from 'node:timers/promises';
import type {
	AccessSize,
	AnyDeviceModel,
	BackParts,
	Bus,
	DeclaredModel,
	DeviceBack,
	DeviceCommand,
	DeviceFront,
	DeviceModel,
	MachineEvent,
	MachineServices,
	ModelParts,
	PciSlot,
	Region,
} from '#devices/device';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {GsiRoute, InterruptLine} from '#devices/interrupts';
import {tellingInterrupts} from '#devices/interrupts/testing';
import {TrackedPromises} from '#devices/machine';
import {completeModel} from '#devices/pci/function';
import {VmTime, VmTimeState} from '#devices/vm-time';
import {noProgram} from '#support/rpc';
import {restoreStruct, type SavedStruct, saveStruct} from '#support/saved-state';
import type {Fields, FieldsView, PlainFields, ViewOf} from '#support/wire';
import {FakeReactor} from './fake-reactor.ts';

/** The slot of a function with nothing beside and behind it, whose BARs that are memory have 64 KiB. */
function aloneInSlot(): PciSlot {
	const pages: MappedMemory[] = [];
	return {
		decodeChanged() {},
		isShared: false,
		occupied: false,
		resetBehind() {},
		resetWithBack: () => false,
		pages(region) {
			pages[region] ??= new MappedMemory(plainMemory({gpa: 0, length: 0x10000}));
			return pages[region];
		},
		interruptSequence: new Int32Array(1),
	};
}

/** A model as a machine holds it. */
type Served<C, T extends Fields> = ModelParts<C, T, MachineServices> & Pick<AnyDeviceModel, 'regions'>;
/** The same, or as its module declares it. */
type Tested<C, T extends Fields> = Served<C, T> | {[B in Bus]: DeviceModel<C, T, B>}[Bus];

/** One device on its own, with surroundings that a test sets and looks at. */
export class DeviceUnderTest<C, T extends Fields> {
	readonly model: Served<C, T>;
	readonly regions: readonly Region[];
	readonly state: FieldsView<T>;
	readonly front: DeviceFront;
	readonly reactor = new FakeReactor();
	readonly #tracked = new TrackedPromises((_, cause) =>
		this.reactor.defer(() => {
			throw cause;
		}),
	);
	/** Current level of each interrupt output. */
	readonly levels = new Map<string, boolean>();
	/** Every change of level, as `name up` and `name down`. */
	readonly edges: string[] = [];
	/** Level of each interrupt input; see {@link DeviceUnderTest.drive}. */
	readonly inputs = new Map<string, boolean>();
	/** Messages sent, as `address-high:address-low data` in hexadecimal. */
	readonly messages: string[] = [];
	/** The routes that were set last. */
	routes: readonly GsiRoute[] = [];
	/** The guest's requests to the machine. */
	readonly events: MachineEvent[] = [];
	/** Calls of {@link DeviceServices.notifyBack}. */
	notifications = 0;
	/** Guest RAM: 64 KiB at 0. */
	readonly memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10000}));
	readonly #config: C;
	readonly #services: MachineServices;
	readonly #clock: ViewOf<typeof VmTimeState>;
	readonly #slot: PciSlot;
	#locked = false;
	#back: DeviceBack | undefined;

	/** @param slot - where a PCI function sits; without it alone */
	constructor(declared: Tested<C, T>, config: C, slot = aloneInSlot()) {
		this.#slot = slot;
		const model = completeModel(declared as DeclaredModel) as Served<C, T>;
		this.model = model;
		this.#config = config;
		this.regions = model.regions(config);
		this.state = model.state.on(new SharedArrayBuffer(model.state.byteLength));
		const clock = new SharedArrayBuffer(VmTimeState.byteLength);
		this.#clock = VmTimeState.on(clock);
		this.#services = this.#makeServices(new VmTime(clock));
		this.front = model.front(config, this.state, this.#services);
		this.reset();
	}

	/** VM time in nanoseconds; stands still until it is set. */
	get nowNs(): number {
		return this.#clock.offsetNs;
	}

	set nowNs(value: number) {
		this.#clock.offsetNs = value;
	}

	/** Moves VM time on without the guest having run, as a machine that catches up with real time does. */
	catchUp(ns: number): void {
		this.#clock.offsetNs += ns;
		this.#clock.caughtUpNs += ns;
	}

	/** Lead of real time over VM time, in milliseconds. */
	get lagMs(): number {
		return this.#clock.lagMs;
	}

	set lagMs(value: number) {
		this.#clock.lagMs = value;
	}

	/** Another front over the same state, as another thread has it. */
	otherFront(): DeviceFront {
		return this.model.front(this.#config, this.state, this.#services);
	}

	/** One of this device's lines, as another thread has it. */
	line(name: string): InterruptLine {
		const isUp = () => this.levels.get(name) ?? false;
		return {
			setLevel: (asserted) => {
				if (isUp() !== asserted) this.edges.push(`${name} ${asserted ? 'up' : 'down'}`);
				this.levels.set(name, asserted);
			},
			rise: () => {
				this.edges.push(isUp() ? `${name} again` : `${name} up`);
				this.levels.set(name, true);
			},
		};
	}

	/** Another device asserts or deasserts an interrupt input of this one. */
	drive(name: string, asserted: boolean): void {
		if ((this.inputs.get(name) ?? false) === asserted) return;
		this.inputs.set(name, asserted);
		this.#withLock(() => this.front.inputChanged?.(name, false));
	}

	/** An input that another device asserts falls and rises. */
	driveAgain(name: string): void {
		this.#withLock(() => this.front.inputChanged?.(name, true));
	}

	/** The machine's owner asks for something. */
	control(command: DeviceCommand): void {
		this.#withLock(() => this.front.control?.(command));
	}

	/** As a machine resets a device. */
	reset(): void {
		this.model.state.reset(this.state);
		this.front.reset?.();
	}

	/** The state as a snapshot has it. */
	save(): SavedStruct {
		return saveStruct(this.model.state, this.state, this.model.versions);
	}

	/** As a machine restores a device. */
	restore(saved: SavedStruct): void {
		restoreStruct(this.model.state, this.state, saved, this.model.versions);
		this.front.restored?.();
	}

	/** Makes and starts the back; {@link DeviceServices.notifyBack} reaches it. */
	startBack(): DeviceBack {
		const back = this.model.back?.(this.#config, this.state, this.#backServices());
		if (back === undefined) throw new TypeError(`${this.model.kind} has no back`);
		this.#back = back;
		back.start();
		return back;
	}

	/** Stops the back, which must come to rest without any timer. */
	async stopBack(): Promise<void> {
		let hasStopped = false;
		const stopped = this.#back?.stop().then(async () => {
			await this.#tracked.drained();
			hasStopped = true;
		});
		await this.turnUntil(() => hasStopped);
		await stopped;
	}

	/** Turns the reactor, for which no time passes, and Node's own loop until `done` says so. */
	async turnUntil(done: () => boolean): Promise<void> {
		while (!done()) {
			this.reactor.turn(0);
			await setImmediate();
		}
	}

	/** Reads the port, or the address, which must be the device's. */
	in(port: number, size: AccessSize = 1): number {
		const [region, offset] = this.#locate(port);
		return this.#withLock(() => this.front.read(region, offset, size)) >>> 0;
	}

	/** Writes the port, which must be the device's. */
	out(port: number, value: number, size: AccessSize = 1): void {
		const [region, offset] = this.#locate(port);
		this.#withLock(() => this.front.write(region, offset, size, value));
	}

	/** The state as plain data. */
	decode(): PlainFields<T> {
		return this.model.state.decode(this.state);
	}

	#locate(port: number): [region: number, offset: number] {
		const region = this.regions.findIndex(({base, length}) => port >= base && port < base + length);
		const found = this.regions[region];
		if (found === undefined) throw new RangeError(`port ${port.toString(16)} is not the device's`);
		return [region, port - found.base];
	}

	/** The device's lock: taking it twice would hang a real device. */
	#withLock<R>(action: () => R): R {
		if (this.#locked) throw new Error('the device took its own lock again');
		this.#locked = true;
		try {
			return action();
		} finally {
			this.#locked = false;
		}
	}

	#makeServices(time: VmTime): MachineServices {
		const declared = Object.keys(this.model.lines?.(this.#config) ?? {});
		return {
			time,
			access: {vp: 0},
			memory: this.memory,
			slot: this.#slot,
			configSpace: {read: (_segment, _bus, _devfn, _offset, size) => 2 ** (8 * size) - 1, write() {}},
			messages: tellingInterrupts({
				send: (low, high, data) => {
					this.messages.push(`${high.toString(16)}:${low.toString(16)} ${data.toString(16)}`);
				},
				routes: (routes) => {
					this.routes = routes;
				},
			}).messages,
			line: (name) => {
				if (!declared.includes(name)) throw new TypeError(`${this.model.kind} declares no line ${name}`);
				return this.line(name);
			},
			isAsserted: (name) => {
				if (this.model.inputs?.(this.#config)[name] === undefined)
					throw new TypeError(`${this.model.kind} declares no input ${name}`);
				return this.inputs.get(name) ?? false;
			},
			request: (event) => {
				this.events.push(event);
			},
			notifyBack: () => {
				this.notifications++;
				this.reactor.defer(() => this.#back?.notified());
			},
			restBack: () => this.reactor.defer(() => void this.#rest()),
		};
	}

	#backServices(): MachineServices & BackParts {
		const hostBytes = this.model.hostMemory?.(this.#config);
		return {
			...this.#services,
			reactor: this.reactor,
			track: (promise, what) => this.#tracked.add(promise, what),
			drained: () => this.#tracked.drained(),
			program: noProgram,
			together: new Map(),
			serve: (queue) => this.reactor.defer(() => this.#serve(queue)),
			noticed() {},
			worker: {index: 0, count: 1},
			commonMemory: undefined,
			hostMemory: hostBytes === undefined ? undefined : new SharedArrayBuffer(hostBytes),
			locked: (action) => this.#withLock(action),
		};
	}

	#serve(queue: number): void {
		if (this.#back?.queueReady?.(queue)) this.reactor.defer(() => this.#serve(queue));
	}

	async #rest(): Promise<void> {
		await this.#back?.stop();
		await this.#tracked.drained();
		this.#withLock(() => this.front.rested?.());
		this.#back?.start();
	}
}

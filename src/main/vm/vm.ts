import {powerButton} from '#devices/chipset/acpi-pm';
import {watchdogReset} from '#devices/chipset/guest-watchdog';
import type {DeviceCommand, MachineEvent} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import type {AttachedMachine} from '#devices/machine';
import type {GuestAction, GuestActions} from '#main/config';
import type {DumpProgress} from '#main/core-dump';
import {guestWatchdogName, pmName} from '#main/machine';
import type {Progress} from '#main/snapshot';
import {type InspectNode, type InspectOptions, type InspectResult, inspectTree, updateTree} from '#support/inspect';
import type {StopReason} from '#vcpu-worker/protocol';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import type {DebugControl} from './debug-control.ts';
import type {DeviceThread} from './device-thread.ts';
import {vmError} from './errors.ts';
import {failureData} from './failure-data.ts';
import type {Breakpoints, Step, StopListener} from './guest-stop.ts';
import type {ComingDevice, HotPlug} from './hot-plug.ts';
import type {SavedUnits, StateUnits} from './units/index.ts';
import type {VcpuGroup} from './vcpu-group.ts';
import type {VmEnd, VmState} from './vm-end.ts';

const guestPanic = 'the guest reported a panic';

/** What a machine is made of; see `createVm`. */
export interface VmParts {
	readonly machine: AttachedMachine;
	/** Everything that starts, stops and has state; the machine's life is theirs. */
	readonly units: StateUnits;
	readonly vcpus: VcpuGroup;
	readonly memory: GuestMemory;
	readonly debug: DebugControl;
	readonly devices: DeviceThread;
	readonly hotPlug: HotPlug;
	/** Writes a snapshot of the machine at rest, whose units have saved `units`. */
	readonly save: (directory: string, units: SavedUnits, progress?: Progress) => Promise<void>;
	readonly actions: GuestActions;
	/** Device that gets console input. */
	readonly consoleDevice: string | undefined;
	/** Called when the guest has crashed: writes a core dump where one is wanted. Never rejects. */
	readonly crashDump: (write: (path: string) => Promise<void>) => Promise<void>;
	/** Called when the guest has ended and its action keeps the stopped machine. */
	readonly halted: (end: VmEnd) => void;
	/** What there is to see, given how to ask for the machine's state. */
	readonly tree: (state: () => VmState) => InspectNode;
	/** Releases host resources, after the threads have ended. */
	readonly release: (end: VmEnd) => void | Promise<void>;
}

/**
 * A virtual machine. Its operations may be called at any moment and in any order: each waits for the one before it, and
 * does nothing when the machine is already as asked.
 */
export class Vm {
	/** Resolves when the machine has ended and released everything. */
	readonly ended: Promise<VmEnd>;
	readonly #parts: VmParts;
	readonly #tree: InspectNode;
	#state: VmState = 'created';
	#last: Promise<void> = Promise.resolve();
	#end: (end: VmEnd) => void = () => {};

	constructor(parts: VmParts) {
		this.#parts = parts;
		this.#tree = parts.tree(() => this.#state);
		parts.vcpus.stopped = (vcpu, reason) => {
			if (reason.kind === 'debug') parts.debug.hit({vcpu, stop: reason.stop});
			void this.#next(() => this.#stopped(vcpu, reason).catch((cause: unknown) => this.#fail(cause)));
		};
		this.ended = new Promise((resolve) => {
			this.#end = resolve;
		});
	}

	get state(): VmState {
		return this.#state;
	}

	/** Lets the guest run: for the first time, or after {@link pause}. */
	start(): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'created' || this.#state === 'paused') await this.#run();
		});
	}

	/** The same as {@link start}. */
	resume(): Promise<void> {
		return this.start();
	}

	/** Takes the guest off every processor; resolves when nothing is in flight. */
	pause(): Promise<void> {
		return this.#next(async () => {
			if (this.#state !== 'running') return;
			await this.#halt();
			this.#state = 'paused';
			this.#parts.debug.report({kind: 'paused'});
		});
	}

	/** Starts the guest from its image again. A paused machine stays paused, and one that a debugger has stopped. */
	reset(): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'stopped') return;
			const debugged = this.#state === 'halted' && this.#parts.debug.isAttached;
			const wasPaused = this.#state === 'paused' || this.#state === 'created' || debugged;
			if (this.#state === 'running') await this.#halt();
			this.#parts.debug.takeHeld();
			await this.#powerOn();
			if (!wasPaused) await this.#run();
			else if (debugged) this.#state = 'paused';
		});
	}

	/** Sends a non-maskable interrupt to the boot processor. */
	nmi(): Promise<void> {
		return this.#next(async () => {
			if (this.#state !== 'running' && this.#state !== 'paused') return;
			await this.#atRest(() => this.#parts.vcpus.nmi());
		});
	}

	/** Asks the device called `device` for something; see the device's commands. Ignored by one that is not there. */
	control(device: string, command: DeviceCommand): Promise<void> {
		return this.#next(async () => {
			if (this.#state !== 'stopped') await this.#parts.devices.control(device, command);
		});
	}

	/** Presses the power button: a guest that listens shuts down in good order. */
	powerButton(): Promise<void> {
		return this.control(pmName, powerButton);
	}

	/**
	 * Plugs a device into a PCI Express port that has the option hotplug. A running guest is paused for a moment.
	 * @returns the device's name
	 * @throws VmmError with a `HOT_PLUG_`, `PCI_` or `DEVICE_` code, VM_STOPPED; the machine goes on as it was
	 */
	addPcieDevice(port: string, device: ComingDevice): Promise<string> {
		return this.#next(async () => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'port'});
			let name = '';
			await this.#atRest(async () => {
				name = await this.#parts.hotPlug.add(port, device);
			});
			return name;
		});
	}

	/** Pulls the device at such a port out. @throws VmmError with a `HOT_PLUG_` code, VM_STOPPED */
	removePcieDevice(port: string): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'port'});
			await this.#atRest(() => this.#parts.hotPlug.remove(port));
		});
	}

	/**
	 * Writes a snapshot of the whole machine to a folder, which may hold an older one. A running guest is paused meanwhile.
	 * @param progress - called with the bytes of guest memory that have been dealt with
	 * @throws VmmError SNAPSHOT_…, VM_STOPPED; the machine goes on all the same
	 */
	saveSnapshot(directory: string, progress?: Progress): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'state'});
			await this.#atRest(async () => this.#parts.save(directory, await this.#parts.units.save(), progress));
		});
	}

	/**
	 * Writes the processors and all memory to an ELF core file for gdb and crash. A running guest is paused meanwhile.
	 * @param progress - called with the bytes of guest memory that have been dealt with
	 * @throws CORE_DUMP_FAILED, VM_STOPPED; the machine goes on all the same
	 */
	dumpCore(path: string, progress?: DumpProgress): Promise<void> {
		return this.#next(async () => {
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'memory'});
			await this.#atRest(() => this.#writeCore(path, progress));
		});
	}

	/** Ends the machine, whatever it is doing. */
	stop(): Promise<void> {
		return this.#next(() => this.#finish({kind: 'stopped'}));
	}

	/** Processors of the machine. */
	get processors(): number {
		return this.#parts.vcpus.count;
	}

	/** Guest RAM, live. */
	get memory(): GuestMemory {
		return this.#parts.memory;
	}

	/** A processor's registers. @throws VM_RUNNING, VM_STOPPED */
	readRegisters(vcpu: number): Promise<ProcessorRegisters> {
		return this.#whileStill('its registers', () => this.#parts.vcpus.at(vcpu).readRegisters());
	}

	/** Changes a processor's registers. @throws VM_RUNNING, VM_STOPPED, and VmmError for what no processor can hold */
	writeRegisters(vcpu: number, changes: RegisterChanges): Promise<void> {
		return this.#whileStill('its registers', () => this.#parts.vcpus.at(vcpu).writeRegisters(changes));
	}

	/**
	 * Attaches a debugger. From now on a crash keeps the machine until {@link runDebugged} lets it take its course.
	 * @param stopped - told whenever the guest comes to stand still
	 * @throws VM_DEBUGGED
	 */
	attachDebugger(stopped: StopListener): void {
		this.#parts.debug.attach(stopped);
	}

	/** Takes the debugger and its breakpoints away, and lets what it held back happen. */
	detachDebugger(): Promise<void> {
		const {debug} = this.#parts;
		debug.leave();
		return this.#next(async () => {
			await this.#atRest(async () => debug.clear());
			await debug.takeHeld()?.();
		});
	}

	/**
	 * Lets the guest run for the debugger: on to its breakpoints, or only some processors. After a crash, what follows one.
	 * @param steps - the processors that run, and how; undefined: all of them, on
	 */
	runDebugged(breakpoints: Breakpoints, steps?: ReadonlyMap<number, Step>): Promise<void> {
		const {debug} = this.#parts;
		return this.#next(async () => {
			const held = debug.takeHeld();
			if (held !== undefined) return held();
			if (this.#state !== 'created' && this.#state !== 'paused') return;
			debug.prepare(breakpoints, steps);
			await this.#run();
		});
	}

	/** Offers console input; returns how many bytes were taken. The rest is to be offered again later. */
	async feedConsole(bytes: Uint8Array): Promise<number> {
		const {devices, consoleDevice} = this.#parts;
		if (consoleDevice === undefined || this.#state === 'stopped') return bytes.length;
		return devices.feed(consoleDevice, bytes);
	}

	/**
	 * A part of what there is to see, live and in every state, read from shared memory or asked of whoever has it. What does
	 * not answer in time is marked and does not keep the rest.
	 * @param path - such as `vm/vcpus/0/registers`; the root without one
	 * @throws VmmError INSPECT_PATH_NOT_FOUND, INSPECT_PATH_BELOW_VALUE
	 */
	inspect(path = '', options: InspectOptions = {}): Promise<InspectResult> {
		return inspectTree(this.#tree, path, options);
	}

	/**
	 * Changes a writable value of the tree; resolves with what it is then.
	 * @throws VmmError INSPECT_READ_ONLY, INSPECT_VALUE_INVALID, INSPECT_NO_ANSWER, INSPECT_PATH_NOT_FOUND
	 */
	update(path: string, text: string, options: Pick<InspectOptions, 'timeoutMs'> = {}): Promise<InspectResult> {
		return updateTree(this.#tree, path, text, options);
	}

	/** Runs operations one after another. */
	#next<T>(operation: () => Promise<T>): Promise<T> {
		const result = this.#last.then(operation);
		this.#last = result.then(
			() => {},
			() => {},
		);
		return result;
	}

	#whileStill<T>(wanted: string, operation: () => Promise<T>): Promise<T> {
		return this.#next(() => {
			if (this.#state === 'running') throw vmError('VM_RUNNING', {wanted});
			if (this.#state === 'stopped') throw vmError('VM_STOPPED', {wanted});
			return operation();
		});
	}

	/** Does something while the guest stands still, and lets a running one go on after it. */
	async #atRest(action: () => Promise<void>): Promise<void> {
		const wasRunning = this.#state === 'running';
		if (wasRunning) await this.#halt();
		try {
			await action();
		} finally {
			if (wasRunning) await this.#run();
		}
	}

	async #writeCore(path: string, progress?: DumpProgress): Promise<void> {
		const {memory, vcpus} = this.#parts;
		const {writeCore} = await import('#main/core-dump');
		await writeCore(path, {memory, processors: await vcpus.readRegisters()}, progress);
	}

	/** Puts everything into its state at power-on, in which it is created. */
	async #powerOn(): Promise<void> {
		const {units, machine} = this.#parts;
		machine.events.clear();
		await units.reset();
	}

	async #run(): Promise<void> {
		this.#state = 'running';
		await this.#parts.units.start();
	}

	/** Everything out of the guest and quiescent. */
	async #halt(): Promise<void> {
		await this.#parts.units.stop();
		this.#parts.debug.runEnded();
	}

	/** A vCPU stopped by itself. */
	async #stopped(vcpu: number, reason: StopReason): Promise<void> {
		if (this.#state !== 'running') return;
		const {machine, actions, debug} = this.#parts;
		await this.#halt();
		if (reason.kind === 'debug') {
			// The debugger may have left meanwhile.
			if (!debug.isAttached) return this.#run();
			this.#state = 'paused';
			return debug.report({kind: 'paused'});
		}
		this.#state = 'halted';
		if (reason.kind === 'failed') {
			return this.#crashed(vcpu, reason.error.message, () => this.#finish({kind: 'error', error: reason.error}));
		}
		if (reason.kind === 'crash') {
			const crash = (status: number): VmEnd => ({kind: 'crash', reason: reason.reason, vcpu, status});
			return this.#crashed(vcpu, reason.reason, () => this.#act(actions.crash, crash));
		}
		const event = machine.events.event;
		machine.events.clear();
		if (event === undefined) return this.#run();
		return this.#serve(vcpu, event);
	}

	/** What follows a guest's stop could not be done: the machine is over. */
	#fail(cause: unknown): Promise<void> {
		return this.#finish({kind: 'error', error: failureData(cause, 'The machine could not go on')});
	}

	/** Dumps the guest where that is wanted. With a debugger attached, what follows waits for it. */
	async #crashed(vcpu: number, reason: string, follow: () => Promise<void>): Promise<void> {
		const {crashDump, debug} = this.#parts;
		await crashDump((path) => this.#writeCore(path));
		if (!debug.hold({kind: 'crash', vcpu, reason}, follow)) await follow();
	}

	#serve(vcpu: number, event: MachineEvent): Promise<void> {
		const {machine, actions} = this.#parts;
		const exit = (status: number): VmEnd => ({kind: 'exit', status});
		if (event.kind === 'crash') {
			const crash = (status: number): VmEnd => ({kind: 'crash', reason: guestPanic, status});
			return this.#crashed(vcpu, guestPanic, () => this.#act(actions.crash, crash));
		}
		if (event.kind === 'watchdog') {
			const tell = () => void machine.control(guestWatchdogName, watchdogReset);
			return this.#act(actions.watchdog, (status) => ({kind: 'watchdog', status}), tell);
		}
		if (event.kind === 'exit') return this.#finish(exit(event.status));
		if (event.kind === 'reset') return this.#act(actions.reset, exit);
		const end = (status: number): VmEnd => (status === 0 ? {kind: event.kind} : exit(status));
		return this.#act(actions.shutdown, end);
	}

	/** @param afterReset - what is left to do when the action was to start again */
	async #act(action: GuestAction, end: (status: number) => VmEnd, afterReset = () => {}): Promise<void> {
		if (action === 'halt') {
			this.#parts.debug.report({kind: 'ended', end: end(0)});
			return this.#parts.halted(end(0));
		}
		if (action !== 'reset') return this.#finish(end(action.exit));
		await this.#powerOn();
		afterReset();
		await this.#run();
	}

	async #finish(end: VmEnd): Promise<void> {
		if (this.#state === 'stopped') return;
		const {devices, vcpus, release} = this.#parts;
		if (this.#state === 'running') await this.#halt();
		this.#state = 'stopped';
		this.#parts.debug.takeHeld();
		await devices.dispose();
		await vcpus.dispose();
		await release(end);
		this.#end(end);
	}
}

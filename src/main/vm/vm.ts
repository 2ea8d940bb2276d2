import {powerButton} from '#devices/chipset/acpi-pm';
import type {ConfigChange, DeviceCommand} from '#devices/device';
import type {DeviceHandle} from '#devices/device-type';
import type {GuestMemory, WriteLog} from '#devices/guest-memory';
import {attentionPressed} from '#devices/pci/port';
import type {ClockPolicy} from '#main/config';
import {pmName} from '#main/machine';
import {type OpenSnapshot, saveSnapshot, snapshotInMemory} from '#main/snapshot';
import {abortable, type LongOperation, type OperationSignal, untilAborted} from '#support/abort';
import {type InspectNode, type InspectOptions, type InspectResult, inspectTree, updateTree} from '#support/inspect';
import type {SavedUnits} from '#support/state-units';
import type {Breakpoints, DebugSupport, Step} from '#vcpu-worker/debug';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {deviceCalled} from './device-called.ts';
import {vmError} from './errors.ts';
import type {SampleListener} from './guest-sampler.ts';
import {GuestSockets} from './guest-sockets.ts';
import type {StopListener} from './guest-stop.ts';
import {findKernelNotes} from './kernel-notes.ts';
import {Lifecycle} from './lifecycle.ts';
import type {VmEnd, VmState} from './vm-end.ts';
import type {RunsOn, VmParts, WriteSnapshot} from './vm-parts.ts';
import {writeMachineCore} from './write-machine-core.ts';

/** Choices for the removal of a device. */
export interface RemovalOptions {
	/** The guest is asked first, by the button of the port, and has a minute. */
	readonly asks?: boolean;
	/** Gives up waiting for it. */
	readonly signal?: OperationSignal;
}

/** A disk that is to come to a controller. What is wrong with it is told when it comes. */
export interface NewDisk {
	/** Its number there; one more than the largest unless given. */
	readonly number?: number;
	/** What it is, as the options of the controller have it: `{kind: 'file', path: '/disk.img'}`. */
	readonly disk: {readonly kind: string; readonly [option: string]: unknown};
	readonly readOnly: boolean;
	/** The guest has it when it is attached. */
	readonly detached?: boolean;
	/** Limits, and what follows errors of the host's, likewise. */
	readonly policy?: {readonly [choice: string]: unknown};
}

/** Choices for a guest's going on. */
export interface StartOptions {
	/**
	 * Policy of its clocks about the real time that it stood still: `continue` where they were, without this; or `catch-up`. The
	 * first start after a restore does as `CreateOptions.clock` says, without this.
	 */
	readonly clock?: ClockPolicy;
	/** Gives it up where other operations come first: the machine stays as it was. */
	readonly signal?: OperationSignal;
}

/** Choices for a guest's standing still. */
export interface PauseOptions {
	/** Gives it up where other operations come first: the machine stays as it was. */
	readonly signal?: OperationSignal;
}

/**
 * A virtual machine. Its operations may be called at any moment and in any order: each waits for the one before it, and
 * does nothing when the machine is already as asked.
 */
export class Vm {
	readonly #parts: VmParts;
	readonly #life: Lifecycle;
	readonly #tree: InspectNode;
	#debugSupport: DebugSupport | undefined;
	/** Connections to ports of the guest's, and from it. */
	readonly vsock: GuestSockets;

	/** @internal Machines are made with `createVm`. */
	constructor(parts: VmParts) {
		this.#parts = parts;
		this.#life = new Lifecycle(parts);
		this.#tree = parts.tree(() => this.state);
		this.vsock = new GuestSockets(() => parts.machine.devices, this.ended);
	}

	/** Resolves when the machine has ended and released everything. */
	get ended(): Promise<VmEnd> {
		return this.#life.ended;
	}

	/** Hypervisor that runs the guest, and the reason for its choice. */
	get hypervisor(): RunsOn {
		return this.#parts.hypervisor;
	}

	get state(): VmState {
		return this.#life.state;
	}

	/**
	 * Lets the guest run: for the first time, or after {@link pause}.
	 * @throws VM_CLOCK_TOO_FAR for clocks that cannot catch up, OPERATION_ABORTED; the machine stays as it was
	 */
	start(options: StartOptions = {}): Promise<void> {
		return abortable('start', options.signal, () => this.#life.start(options));
	}

	/** The same as {@link start}. */
	resume(options: StartOptions = {}): Promise<void> {
		return this.start(options);
	}

	/**
	 * Has a function told whenever the guest goes on: by {@link resume}, by whoever asked for it, and when an operation is done for which it stood still.
	 * @returns ends that
	 */
	listenToResumes(listener: () => void): () => void {
		return this.#life.listenToResumes(listener);
	}

	/**
	 * Has a function told whenever the guest starts from its image again, by {@link reset} or by itself, before it runs.
	 * @returns ends that
	 */
	listenToResets(listener: () => void): () => void {
		return this.#life.listenToResets(listener);
	}

	/**
	 * Takes the guest off every processor; resolves when nothing is in flight.
	 * @throws VmmError VM_DEVICES_HUNG; it is done when the devices' thread comes back. VM_NOT_AT_REST, which ends the machine. OPERATION_ABORTED
	 */
	pause(options: PauseOptions = {}): Promise<void> {
		return this.pauseFor(() => {}, options);
	}

	/** @internal As {@link pause}. @param still - called when the guest stands still, before any other operation has its turn */
	pauseFor(still: () => void, {signal}: PauseOptions = {}): Promise<void> {
		return abortable('pause', signal, () => this.#parts.devices.supervise(this.#life.pause(still, signal)));
	}

	/**
	 * Starts the guest from its image again. A paused machine stays paused, and one that a debugger has stopped.
	 * @throws VmmError VM_DEVICES_HUNG; it is done when the devices' thread comes back. VM_NOT_AT_REST, which ends the machine
	 */
	reset(): Promise<void> {
		return this.#parts.devices.supervise(this.#life.reset());
	}

	/** Sends a non-maskable interrupt to the boot processor, which a paused one gets when it goes on. The others run on. */
	nmi(): Promise<void> {
		return this.#life.next(async () => {
			if (this.state === 'running' || this.state === 'paused') this.#parts.vcpus.nmi();
		});
	}

	/**
	 * Asks the device called `device` for something; see the device's commands. Does nothing when the machine is over.
	 * @throws VmmError VM_DEVICE_UNKNOWN, DEVICE_COMMAND_REFUSED
	 */
	control(device: string, command: DeviceCommand): Promise<void> {
		return this.#life.next(async () => {
			if (this.state === 'stopped') return;
			const {machine, devices} = this.#parts;
			const found = deviceCalled(machine, device);
			const cause = found.model.refuses?.(command, found.placed.config);
			if (cause !== undefined) throw vmError('DEVICE_COMMAND_REFUSED', {device, command: command.kind, cause});
			await devices.control(device, command);
		});
	}

	/** Presses the power button: a guest that listens shuts down in good order. */
	powerButton(): Promise<void> {
		return this.control(pmName, powerButton);
	}

	/**
	 * Plugs a device into a PCI Express port that has the option hotplug. A running guest is paused for a moment.
	 * @returns the device's name
	 * @throws VmmError with a `HOT_PLUG_`, `PCI_` or `DEVICE_` code, VM_STOPPED; the machine goes on as it was. OPERATION_ABORTED when it ends
	 */
	addPcieDevice(port: string, device: DeviceHandle): Promise<string> {
		const asked = {operation: 'pcie-add', wanted: 'port', signal: undefined};
		// A file system that does not answer keeps no machine from its end.
		return this.#life.longAtRest(asked, (ending) => untilAborted(this.#parts.hotPlug.add(port, device), ending));
	}

	/**
	 * Pulls the device at such a port out: at once, or when the guest has let go of it.
	 * @throws VmmError with a `HOT_PLUG_` code, VM_STOPPED, OPERATION_ABORTED
	 */
	removePcieDevice(port: string, {asks = false, signal}: RemovalOptions = {}): Promise<void> {
		const {hotPlug, limits, devices} = this.#parts;
		if (!asks) return this.#life.atRest('port', () => hotPlug.remove(port));
		return this.#life.whileLive({operation: 'pcie-remove', wanted: 'port', signal}, async (either, atRest) => {
			const device = hotPlug.asked(port);
			const press = () => this.#life.next(() => devices.control(port, attentionPressed));
			await hotPlug.letGo(port, device, {press, limitMs: limits.letGoMs, signal: either});
			await atRest(() => hotPlug.removeLetGo(port, device));
		});
	}

	/**
	 * Gives an NVMe controller a namespace more, of which the guest is told. A running guest is paused for a moment.
	 * @param controller - the device's name
	 * @returns the disk's number there
	 * @throws VmmError with a `DISK_` code, HOT_PLUG_NO_CHANGE, VM_DEVICE_UNKNOWN, VM_STOPPED; the machine goes on as it was. OPERATION_ABORTED when it ends
	 */
	addDisk(controller: string, disk: NewDisk): Promise<number> {
		const asked = {operation: 'disk-add', wanted: 'controller', signal: undefined};
		const change: ConfigChange = {...disk, kind: 'add-disk'};
		return this.#life.longAtRest(asked, (ending) =>
			untilAborted(this.#parts.hotPlug.reconfigure(controller, change), ending),
		);
	}

	/**
	 * Takes a disk from its controller at once, and lets go of it: its guest has lost it, and is told.
	 * @param number - its NSID
	 * @throws VmmError DISK_NUMBER_UNKNOWN, HOT_PLUG_NO_CHANGE, VM_DEVICE_UNKNOWN, VM_STOPPED
	 */
	async removeDisk(controller: string, number: number): Promise<void> {
		const change = {kind: 'remove-disk', number};
		await this.#life.atRest('controller', () => this.#parts.hotPlug.reconfigure(controller, change));
	}

	/**
	 * Writes a snapshot of the whole machine to a folder, which may hold an older one. Memory is copied while the guest runs; it stands
	 * still for what it has written at last, and for the state of processors and devices: that is the moment of the snapshot.
	 * @param asked - its progress is in bytes of guest memory that have been dealt with; the machine's end gives it up too
	 * @throws VmmError SNAPSHOT_…, VM_STOPPED, OPERATION_ABORTED; the machine goes on all the same, and so does an older snapshot
	 */
	saveSnapshot(directory: string, asked: LongOperation = {}): Promise<void> {
		return this.#snapshot((source, limited) => saveSnapshot(directory, source, limited), asked);
	}

	/**
	 * Makes a snapshot in memory, which needs no disk: machines of it are made as of one that was opened, and share its pages until they
	 * write to them. It takes as much memory as the guest has used; close it when the last of them is made, and it goes with them.
	 * @param asked - see {@link saveSnapshot}
	 * @throws VmmError SNAPSHOT_WRITE_FAILED, VM_STOPPED, OPERATION_ABORTED; the machine goes on all the same
	 */
	snapshotInMemory(asked: LongOperation = {}): Promise<OpenSnapshot> {
		return this.#snapshot(snapshotInMemory, asked);
	}

	#snapshot<T>(write: WriteSnapshot<T>, asked: LongOperation): Promise<T> {
		const {save, units} = this.#parts;
		const isRunning = () => this.#life.state === 'running';
		return this.#life.whileLive({operation: 'save-snapshot', wanted: 'state', signal: asked.signal}, (signal, rest) => {
			const atRest = (put: (saved: SavedUnits) => Promise<void>) => rest(async () => put(await units.save()));
			return save(write, {isRunning, atRest}, {...asked, signal});
		});
	}

	/**
	 * Writes the processors and all memory to an ELF core file for gdb and crash. A running guest is paused meanwhile.
	 * @param asked - its progress is in bytes of guest memory that have been dealt with; the machine's end gives it up too
	 * @throws VmmError CORE_DUMP_FAILED, VM_STOPPED, OPERATION_ABORTED; the machine goes on all the same
	 */
	dumpCore(path: string, asked: LongOperation = {}): Promise<void> {
		const write = (signal: AbortSignal) => writeMachineCore(this.#parts, path, {...asked, signal});
		return this.#life.longAtRest({operation: 'dump-core', wanted: 'memory', signal: asked.signal}, write);
	}

	/** Ends the machine, whatever it is doing. Never rejects: what cannot be stopped is how the machine {@link ended}. */
	stop(): Promise<void> {
		return this.#life.stop();
	}

	/** Processors of the machine. */
	get processors(): number {
		return this.#parts.vcpus.count;
	}

	/** Guest RAM, live. */
	get memory(): GuestMemory {
		return this.#parts.memory;
	}

	/**
	 * Begins to record what is written to guest RAM, by the guest too, for whoever copies memory while the machine runs. It costs the
	 * guest a fault for each page that it writes between two checkpoints; close it when it has served.
	 * @throws VmmError VM_STOPPED, or of the back end
	 */
	writeLog(): WriteLog {
		if (this.state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'memory'});
		return this.#parts.writeLog();
	}

	/**
	 * Begins to sample what the processors execute, while they run, for a profile. Each sample costs a processor some 20 microseconds.
	 * @param hz - samples a second of each processor, 1 to 1000
	 * @returns ends it
	 * @throws VM_STOPPED
	 */
	listenToSamples(hz: number, listener: SampleListener): () => void {
		if (this.state === 'stopped') throw vmError('VM_STOPPED', {wanted: 'samples'});
		return this.#parts.sampler.listen(hz, listener);
	}

	/**
	 * What a Linux kernel says of itself in its memory (VMCOREINFO), where that is found. The guest may lie.
	 * @throws VM_STOPPED, OPERATION_ABORTED
	 */
	kernelNotes(asked: LongOperation = {}): Promise<string | undefined> {
		const find = (signal: AbortSignal) => findKernelNotes(this.#parts, {signal});
		return this.#life.whileLive({operation: 'kernel-notes', wanted: 'memory', signal: asked.signal}, find);
	}

	/** A processor's registers. @throws VM_RUNNING, VM_STOPPED */
	readRegisters(vcpu: number): Promise<ProcessorRegisters> {
		return this.#life.whileStill('its registers', () => this.#parts.vcpus.at(vcpu).readRegisters());
	}

	/** Changes a processor's registers. @throws VM_RUNNING, VM_STOPPED, and VmmError for what no processor can hold */
	writeRegisters(vcpu: number, changes: RegisterChanges): Promise<void> {
		return this.#life.whileStill('its registers', () => this.#parts.vcpus.at(vcpu).writeRegisters(changes));
	}

	/** Gives the means that stop the guest for a debugger on this host. The first call may take milliseconds. @throws VmmError */
	debugSupport(): DebugSupport {
		this.#debugSupport ??= this.#parts.debugSupport();
		return this.#debugSupport;
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
		return this.#life.detachDebugger();
	}

	/**
	 * Lets the guest run for the debugger: on to its breakpoints, or only some processors. After a crash, what follows one.
	 * @param steps - the processors that run, and how; undefined: all of them, on
	 */
	runDebugged(breakpoints: Breakpoints, steps?: ReadonlyMap<number, Step>): Promise<void> {
		return this.#life.runDebugged(breakpoints, steps);
	}

	/** Offers console input; returns how many bytes were taken. The rest is to be offered again later. */
	async feedConsole(bytes: Uint8Array): Promise<number> {
		const {devices, consoleDevice} = this.#parts;
		if (consoleDevice === undefined || this.state === 'stopped') return bytes.length;
		return devices.feed(consoleDevice.name, bytes);
	}

	/**
	 * Tells the guest how many characters the terminal at its console has.
	 * @returns false where nothing tells it: a serial line has no word for that
	 */
	async resizeConsole(columns: number, rows: number): Promise<boolean> {
		const {consoleDevice} = this.#parts;
		if (consoleDevice?.resize === undefined) return false;
		await this.control(consoleDevice.name, consoleDevice.resize(columns, rows));
		return true;
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
}

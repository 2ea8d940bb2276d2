import {availableParallelism} from 'node:os';
import type {GuestAddress, GuestFacts} from '#main/agent';
import type {ClockPolicy} from '#main/config';
import type {ImageConfig} from '#main/oci';
import type {GuestListener, PauseOptions, Vm, VmEnd} from '#main/vm';
import {abortable, type LongOperation, longestTimerMs, type OperationSignal, untilAborted} from '#support/abort';
import {type InspectOptions, toJson} from '#support/inspect';
import type {AgentLink} from './agent-link.ts';
import {
	runCommand,
	startCommand,
	type VmCommand,
	type VmCommandOptions,
	type VmExecOptions,
	type VmExecResult,
	type VmProcess,
	type VmSpawnOptions,
} from './command.ts';
import {apiError} from './errors.ts';
import {guestFiles, type VmFiles} from './files.ts';
import {allRead, type GuestConsole} from './guest-console.ts';
import {GuestDate} from './guest-date.ts';
import {type MadeVm, makeVm, restoreVm} from './make-vm.ts';
import type {CreateVmOptions, ForkOptions, RestoreVmOptions} from './options.ts';
import {type ForwardOptions, forwardPort, type PortForward} from './port-forward.ts';
import {commandDefaults, type ServedMachine, type ServeOptions, serveMachine} from './serve.ts';

/** Milliseconds that a guest has to end in good order. */
const usualStopMs = 10_000;

/** Machines of one call: each has threads, and descriptors of the process. */
const mostForks = 1000;

/** How a machine is ended. */
export interface StopOptions {
	/** Milliseconds that the guest has to end by itself; 10 000 if not given, `Infinity` for as long as it takes. 0 ends it at once, as a power cut does. */
	readonly timeout?: number;
	/** Gives up waiting: the machine stays, though its guest may end as it was asked to. */
	readonly signal?: OperationSignal;
}

/** Choices for a machine's going on. */
export interface ResumeOptions {
	/** Policy of the guest's counters about the time that it stood still: `continue` if not given. Its date is right in any case. */
	readonly clock?: ClockPolicy;
	/** Gives it up where other operations come first: the machine stays as it was. Later, it gives up waiting for the guest to take its date: that goes on. */
	readonly signal?: OperationSignal;
}

/** Choices for {@link VM.listen}. */
export interface ListenOptions {
	/** Ends it, as `close` does. Connections that there are go on. */
	readonly signal?: OperationSignal;
}

/**
 * A machine for a program: what is in its guest is run, read, written and reached, and it is ended with the scope that has it.
 * @example
 * await using vm = await VM.create({image: 'debian:12'});
 * console.log((await vm.exec('uname -r')).stdout);
 */
export class VM implements AsyncDisposable {
	readonly #made: MadeVm;
	readonly #forwards = new Set<PortForward>();
	readonly #served = new Set<ServedMachine>();
	readonly #over: Promise<void>;
	readonly #date: GuestDate | undefined;
	#forks = 0;

	/** What the guest has on its disk and in memory. It fails with VM_AGENT_MISSING without the guest agent. */
	readonly files: VmFiles;

	private constructor(made: MadeVm) {
		this.#made = made;
		this.files = guestFiles((signal) => this.#link('its files').get(signal));
		const {machine, link} = made.running;
		this.#date = link && new GuestDate(machine, link);
		this.#over = machine.ended.then(() => this.#leave());
	}

	/**
	 * Makes a machine, starts it, and resolves when its guest answers.
	 * @throws VmmError VM_OPTION_INVALID, VM_START_TIMEOUT, VM_START_ENDED, OPERATION_ABORTED; of images, kernels, devices and the host. Nothing is left behind
	 */
	static create(options: CreateVmOptions = {}): Promise<VM> {
		return abortable('create', options.signal, async () => new VM(await makeVm(options)));
	}

	/**
	 * Makes a machine that goes on from a snapshot of {@link VM.snapshot}, with the host's side of it as `options` say: its image above all.
	 * The guest is told the time and gets random numbers of its own; its connections have ended.
	 * @throws VmmError SNAPSHOT_*, and what {@link VM.create} throws
	 */
	static restore(path: string, options: RestoreVmOptions = {}): Promise<VM> {
		return abortable('restore', options.signal, async () => {
			const {openSnapshot} = await import('#main/snapshot');
			const snapshot = openSnapshot(path);
			try {
				return new VM(await restoreVm(snapshot, options));
			} finally {
				snapshot.close();
			}
		});
	}

	get name(): string {
		return this.#made.name;
	}

	/** The machine below: its devices, memory, processors, debugger, and connections by virtio sockets. */
	get machine(): Vm {
		return this.#made.running.machine;
	}

	/** COM1, which kernels write to. */
	get console(): GuestConsole {
		return this.#made.running.console;
	}

	/** What the image says of the commands in it, where it says anything. */
	get image(): ImageConfig | undefined {
		return this.#made.image;
	}

	/** Path of the Unix socket by which other programs of this user reach ports of the guest: `CONNECT PORT`, and a line of answer. */
	get sockets(): string {
		return this.#made.folder.sockets;
	}

	/** Resolves when the machine has ended, and tells how. */
	get ended(): Promise<VmEnd> {
		return this.machine.ended;
	}

	/** What the guest says of itself. @throws VmmError VM_AGENT_MISSING, OPERATION_ABORTED */
	async guest({signal}: {readonly signal?: OperationSignal} = {}): Promise<GuestFacts> {
		const link = this.#link('what it says of itself');
		return (await abortable('guest', signal, () => link.get(signal))).guest;
	}

	/**
	 * Runs a command to its end, whatever its status.
	 * @throws VmmError VM_EXEC_FAILED with `check`; AGENT_FAILED for a program that is not there, AGENT_TIMEOUT, AGENT_OUTPUT_TOO_LONG, VM_AGENT_MISSING;
	 * VM_STOPPED_AGENT where the machine ends before it, and tells how
	 */
	exec(command: VmCommand, options: VmExecOptions & {readonly output: 'bytes'}): Promise<VmExecResult<Uint8Array>>;
	exec(command: VmCommand, options?: VmExecOptions): Promise<VmExecResult>;
	async exec(
		command: VmCommand,
		options: VmExecOptions = {},
	): Promise<VmExecResult<string> | VmExecResult<Uint8Array>> {
		const link = this.#link('exec');
		return abortable('exec', options.signal, () => runCommand(link, this.name, command, this.#asImage(options)));
	}

	/** Starts a command whose streams are the program's. @throws VmmError AGENT_FAILED, VM_AGENT_MISSING, VM_STOPPED_AGENT */
	async spawn(command: VmCommand, options: VmSpawnOptions = {}): Promise<VmProcess> {
		const link = this.#link('spawn');
		return abortable('spawn', options.signal, () => startCommand(link, command, this.#asImage(options)));
	}

	/**
	 * Has a port of the host lead to one of the guest, which needs no network.
	 * @param hostPort - 0 for any that is free
	 * @param to - a TCP port, as the guest sees it, or a Unix socket
	 * @throws VmmError VM_FORWARD_FAILED, VM_OPTION_INVALID, VM_AGENT_MISSING, OPERATION_ABORTED
	 */
	async forward(hostPort: number, to: number | GuestAddress, options: ForwardOptions = {}): Promise<PortForward> {
		const link = this.#link('forward');
		const address = typeof to === 'number' ? {port: to} : to;
		checkNumber('hostPort', hostPort, 0, 65_535);
		if ('port' in address) checkNumber('to', address.port, 1, 65_535);
		const asked = {name: this.name, hostPort, to: address, ...options};
		const made = await abortable('forward', options.signal, () => forwardPort(() => link.get(), asked));
		this.#forwards.add(made);
		return made;
	}

	/** Takes connections that the guest makes to a port of its host's (AF_VSOCK, address 2). @throws VmmError VM_VSOCK_LISTEN_FAILED, OPERATION_ABORTED */
	listen(port: number, {signal}: ListenOptions = {}): Promise<GuestListener> {
		return abortable('listen', signal, () => this.machine.vsock.listen(port, signal && {signal}));
	}

	/**
	 * Has `openvmm` and other programs of this user find the machine by its name: it is in `openvmm ps`, has a control socket, and its console may be
	 * looked at (`openvmm logs`) and typed into (`openvmm attach`).
	 * @throws VmmError CONTROL_NAME_TAKEN, CONTROL_NAME_INVALID, CONTROL_DIRECTORY_UNSAFE, CONTROL_SOCKET_FAILED, OPERATION_ABORTED
	 */
	serve({name = this.name, signal}: ServeOptions = {}): Promise<ServedMachine> {
		return abortable('serve', signal, async () => {
			const {running, image, choices} = this.#made;
			const told = {asked: choices.image, image};
			const served = await serveMachine(running, {name, ...told, ...(signal && {signal})});
			this.#served.add(served);
			if (this.machine.state === 'stopped') await this.#unserve();
			return served;
		});
	}

	async #unserve(): Promise<void> {
		// Who follows the console sees the last of it.
		if (this.#served.size > 0) await allRead(this.console);
		for (const each of this.#served) each.close();
	}

	/** Saves all of the machine to a folder, for {@link VM.restore}; it goes on meanwhile. @throws VmmError SNAPSHOT_*, OPERATION_ABORTED */
	snapshot(path: string, asked: LongOperation = {}): Promise<void> {
		return this.machine.saveSnapshot(path, asked);
	}

	/**
	 * Makes machines that go on from where this one is, each by itself, and this one too. Nothing goes over a disk: memory is copied once for all of
	 * them, while the guest runs, and they share its pages until they write to them. Each has a network and sockets of its own, another generation
	 * id, the time and random numbers of its own; commands that run go on in each; connections have ended in each.
	 * @throws VmmError OPERATION_ABORTED, VM_STOPPED, VM_OPTION_INVALID; what {@link VM.restore} throws. None of them is left then
	 */
	async fork(count: number, options: ForkOptions = {}): Promise<VM[]> {
		checkNumber('count', count, 1, mostForks);
		const {signal, hostOf, name: nameOf, network, ...given} = options;
		const first = this.#forks;
		this.#forks += count;
		const name = nameOf ?? ((index: number) => `${this.name}-${first + index + 1}`);
		return abortable('fork', signal, async () => {
			// What is asked for before the snapshot may be of an older boot, and not of a later one.
			const origin = {anew: this.#made.anew, filled: this.#made.running.link?.filled};
			const snapshot = await this.machine.snapshotInMemory({signal});
			try {
				const make = async (index: number) => {
					const host = hostOf && {host: hostOf(index)};
					const net = typeof network === 'function' ? network(index) : network;
					const own = {
						...this.#made.choices,
						...given,
						...host,
						...(net !== undefined && {network: net}),
						name: name(index),
						...(signal && {signal}),
					};
					return new VM(await restoreVm(snapshot, own, origin));
				};
				return await allOrNone(count, make);
			} finally {
				snapshot.close();
			}
		});
	}

	/** Takes the guest off every processor. @throws VmmError VM_DEVICES_HUNG, VM_NOT_AT_REST, OPERATION_ABORTED */
	pause(options: PauseOptions = {}): Promise<void> {
		return this.machine.pause(options);
	}

	/** Lets it go on, and tells it the time. @throws VmmError */
	async resume(options: ResumeOptions = {}): Promise<void> {
		await this.machine.resume(options);
		// It goes on by then.
		await abortable('resume', options.signal, () =>
			untilAborted(this.#date?.told ?? Promise.resolve(), options.signal),
		);
	}

	/** A part of what there is to see of the machine, as JSON has it. @param path - such as `vm/vcpus`; all without one @throws VmmError INSPECT_*, OPERATION_ABORTED */
	async inspect(path = '', {signal, ...options}: InspectOptions & PauseOptions = {}): Promise<unknown> {
		return abortable('inspect', signal, async () =>
			toJson(await untilAborted(this.machine.inspect(path, options), signal)),
		);
	}

	/** Asks the guest to end in good order, and ends the machine when it has, or when its time is over. @throws VmmError OPERATION_ABORTED, and nothing else */
	stop(options: StopOptions = {}): Promise<void> {
		return abortable('stop', options.signal, () => this.#stop(options));
	}

	async #stop({timeout = usualStopMs, signal}: StopOptions): Promise<void> {
		const {link, machine} = this.#made.running;
		if (link !== undefined && timeout > 0 && machine.state === 'running') {
			const timer = new AbortController();
			const late = setTimeout(() => timer.abort(), Math.min(timeout, longestTimerMs));
			const shutDown = async () => (await link.get()).shutdown('poweroff');
			// It is ended in any case.
			const either = signal === undefined ? timer.signal : AbortSignal.any([timer.signal, signal]);
			await untilAborted(Promise.race([shutDown().then(() => machine.ended), machine.ended]), either).catch(() => {});
			clearTimeout(late);
			signal?.throwIfAborted();
		}
		await this[Symbol.asyncDispose]();
	}

	/** Ends the machine at once, and gives back all that it had of its host. */
	async [Symbol.asyncDispose](): Promise<void> {
		this.#made.running.link?.close();
		await this.machine.stop();
		await this.#over;
	}

	async #leave(): Promise<void> {
		this.#date?.close();
		this.#made.running.link?.close();
		await this.#unserve();
		await Promise.all([...this.#forwards].map((each) => each.close()));
		// Who clears temporary files away may have been here before.
		await this.#made.folder[Symbol.asyncDispose]().catch(() => {});
	}

	#link(wanted: string): AgentLink {
		const {link} = this.#made.running;
		if (link === undefined) throw apiError('VM_AGENT_MISSING', {name: this.name, wanted});
		return link;
	}

	/** Options of a command with what the image says, as containers have it. */
	#asImage<T extends VmCommandOptions>(options: T): T {
		const {image} = this.#made;
		if (image === undefined) return options;
		const {env, ...others} = commandDefaults(image);
		return {...others, ...options, env: {...env, ...options.env}};
	}
}

/** @throws VmmError VM_OPTION_INVALID */
function checkNumber(option: string, value: number, least: number, most: number): void {
	if (Number.isInteger(value) && value >= least && value <= most) return;
	throw apiError('VM_OPTION_INVALID', {option, value: `${value}`, expected: `a whole number from ${least} to ${most}`});
}

/** Machines of which the first failure ends all. */
async function allOrNone(count: number, make: (index: number) => Promise<VM>): Promise<VM[]> {
	const made = new Map<number, VM>();
	let next = 0;
	const work = async () => {
		try {
			while (next < count) {
				const index = next++;
				made.set(index, await make(index));
			}
		} catch (error) {
			next = count;
			throw error;
		}
	};
	const results = await Promise.allSettled(Array.from({length: Math.min(count, availableParallelism())}, work));
	const failed = results.find((result) => result.status === 'rejected');
	if (failed === undefined) return [...made].sort(([a], [b]) => a - b).map(([, vm]) => vm);
	await Promise.all([...made.values()].map((vm) => vm[Symbol.asyncDispose]()));
	throw failed.reason;
}

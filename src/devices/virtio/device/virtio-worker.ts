import type {BackServices, DeviceBack, DeviceCommand} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import type {InterruptLine} from '#devices/interrupts';
import {VirtQueue} from '#devices/virtio/queue';
import type {Fields, FieldsView} from '#support/wire';
import type {VirtioBack, VirtioDevice, VirtioServices} from './declaration.ts';
import type {QueueRegisters} from './queue-registers.ts';
import {Feature, Interrupt} from './registers.ts';
import type {VirtioCore} from './virtio-core.ts';

/** Parts that a {@link VirtioWorker} runs. */
export interface WorkerParts {
	readonly device: VirtioDevice<unknown, Fields, string>;
	readonly config: unknown;
	readonly state: FieldsView<Fields>;
	readonly core: VirtioCore;
	readonly services: BackServices;
	/** High while the driver has not acknowledged. */
	readonly line: InterruptLine;
	/** Sends a message instead; false where the driver has not turned messages on. */
	signal?(vector: number): boolean;
	/** By id, where the transport has any. */
	readonly sharedMemory?: ReadonlyMap<number, GuestMemory>;
}

/** Runs those of a device's queues that one worker has. */
export class VirtioWorker implements DeviceBack {
	readonly #core: VirtioCore;
	readonly #services: BackServices;
	readonly #line: InterruptLine;
	readonly #signal: WorkerParts['signal'];
	readonly #back: VirtioBack;
	readonly #firstWorker: number;
	readonly #queues = new Map<number, VirtQueue>();
	#isRunning = false;

	constructor({device, config, state, core, services, line, signal, sharedMemory}: WorkerParts) {
		this.#core = core;
		this.#services = services;
		this.#line = line;
		this.#signal = signal;
		this.#firstWorker = device.firstWorker ?? 0;
		const own: VirtioServices<string> = {
			memory: services.memory,
			time: services.time,
			reactor: services.reactor,
			locked: (action) => services.locked(action),
			notifyBacks: () => services.notifyBack(),
			has: (feature) => core.has(device.features[feature] as number),
			track: (promise, what) => services.track(promise, what),
			drained: () => services.drained(),
			serve: (queue) => services.serve(queue),
			noticed: () => services.noticed(),
			program: services.program,
			together: services.together,
			worker: services.worker,
			hostMemory: services.hostMemory,
			commonMemory: services.commonMemory,
			queue: (index) => this.#queue(index),
			config: core.state['virtio.config'],
			changeConfig: (offset, bytes) => this.#changeConfig(offset, bytes),
			sharedMemory: (id) => sharedMemory?.get(id),
		};
		this.#back = device.back(config, state, own);
	}

	async open(): Promise<void> {
		await this.#back.open?.();
	}

	inFlight(): string | undefined {
		return this.#back.inFlight?.();
	}

	start(): void {
		this.#isRunning = true;
		this.#back.start?.();
		// A snapshot has the state, and not that its workers were on their way.
		this.#services.locked(() => {
			if (this.#core.isResetting) this.#services.restBack();
		});
	}

	async stop(isReset = false): Promise<void> {
		this.#isRunning = false;
		await this.#back.stop?.(isReset);
		await this.#services.drained();
		this.#services.locked(() => {
			if (this.#core.isResetting) {
				this.#back.reset?.();
				return;
			}
			for (const [index, {progress}] of this.#queues) {
				const registers = this.#core.queues[index] as QueueRegisters;
				if (!registers.isResetting) registers.progress = progress;
			}
		});
		this.#drop();
	}

	/** The front has been told of buffers by another way than a doorbell, or of something that the machine's owner wants. */
	notified(): void {
		this.#back.notified?.();
		for (const index of this.#core.queues.keys()) if (this.#has(index)) this.#services.serve(index);
	}

	queueReady(index: number): boolean {
		const registers = this.#core.queues[index];
		if (registers?.isResetting === true) this.#restQueue(registers, index);
		const queue = this.#queue(index);
		return queue?.serve(() => this.#back.queueReady(queue, index)) === true;
	}

	control(command: DeviceCommand): void {
		this.#back.control?.(command);
	}

	feed(bytes: Uint8Array): number {
		return this.#back.feed?.(bytes) ?? bytes.length;
	}

	dispose(): void | Promise<void> {
		return this.#back.dispose?.();
	}

	/** The queue is this worker's. */
	#has(index: number): boolean {
		const {worker} = this.#services;
		return (this.#firstWorker + index) % worker.count === worker.index;
	}

	#queue(index: number): VirtQueue | undefined {
		const registers = this.#core.queues[index];
		if (!this.#has(index)) return undefined;
		if (!this.#isRunning || registers === undefined || !this.#isOn(registers)) return undefined;
		return this.#queues.get(index) ?? this.#make(index, registers);
	}

	/** Lets go of a queue that the driver has reset, once nothing of it is in flight: then its last chain calls for this again. */
	#restQueue(registers: QueueRegisters, index: number): void {
		const queue = this.#queues.get(index);
		if (queue !== undefined && queue.inFlight > 0) this.#back.queueReset?.(queue, index);
		if (queue !== undefined && queue.inFlight > 0) return;
		queue?.close();
		this.#queues.delete(index);
		this.#services.locked(() => registers.rested());
	}

	#isOn(registers: QueueRegisters): boolean {
		return this.#core.isLive && registers.ready;
	}

	#make(index: number, registers: QueueRegisters): VirtQueue | undefined {
		const core = this.#core;
		// A processor may be resetting the device.
		const found = this.#services.locked(() => {
			const place = this.#isOn(registers) ? registers.place : undefined;
			return place && {place, progress: registers.progress};
		});
		if (found === undefined) return undefined;
		const made = new VirtQueue({
			...found,
			memory: this.#services.memory,
			eventIndex: core.has(Feature.EVENT_IDX),
			indirect: core.has(Feature.INDIRECT_DESC),
			packed: core.has(Feature.RING_PACKED),
			inOrder: core.has(Feature.IN_ORDER),
			isOn: () => this.#isOn(registers),
			interrupt: () => this.#raise(Interrupt.QUEUE, registers.vector),
			defer: (action) => this.#services.reactor.defer(action),
			emptied: () => {
				if (registers.isResetting) this.#services.serve(index);
			},
			broken: (fault) => {
				this.#services.locked(() => core.needReset(registers, fault));
				this.#raiseConfig();
			},
		});
		this.#queues.set(index, made);
		return made;
	}

	#changeConfig(offset: number, bytes: Uint8Array): void {
		const {state, isLive} = this.#core;
		this.#services.locked(() => {
			state['virtio.config'].set(bytes, offset);
			state['virtio.generation'] = (state['virtio.generation'] + 1) & 0xff;
		});
		if (isLive) this.#raiseConfig();
	}

	#raiseConfig(): void {
		this.#raise(Interrupt.CONFIG, this.#core.state['virtio.configVector'] & 0xffff);
	}

	/** Tells the driver, but one that has reset the device meanwhile is not waiting. */
	#raise(kind: number, vector: number): void {
		if (this.#signal?.(vector)) return;
		const {state} = this.#core;
		this.#services.locked(() => {
			if (this.#core.isResetting) return;
			state['virtio.interrupts'] |= kind;
			this.#line.setLevel(true);
		});
	}

	/** Forgets the queues, of which the device has nothing any more. */
	#drop(): void {
		for (const [index, queue] of this.#queues) {
			queue.close();
			if (queue.inFlight > 0)
				throw new Error(`its queue ${index} has ${queue.inFlight} requests in flight after stop()`);
		}
		this.#queues.clear();
	}
}

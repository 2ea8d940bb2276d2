import type {BackServices, DeviceBack} from '#devices/device';
import {VirtQueue} from '#devices/virtio/queue';
import type {Fields, FieldsView} from '#support/wire';
import type {VirtioBack, VirtioDevice, VirtioServices} from './declaration.ts';
import {Feature, Interrupt} from './registers.ts';
import type {VirtioCore, VirtioLines} from './virtio-core.ts';

/** What a {@link VirtioWorker} runs. */
export interface WorkerParts {
	readonly device: VirtioDevice<unknown, Fields, string>;
	readonly config: unknown;
	readonly state: FieldsView<Fields>;
	readonly core: VirtioCore;
	readonly services: BackServices;
	readonly lines: VirtioLines;
}

/** Runs a device's queues on the device worker, and resets when nothing is in flight. */
export class VirtioWorker implements DeviceBack {
	readonly #core: VirtioCore;
	readonly #services: BackServices;
	readonly #lines: VirtioLines;
	readonly #back: VirtioBack;
	readonly #queues = new Map<number, VirtQueue>();
	#resetting: Promise<void> | undefined;
	#isRunning = false;

	constructor({device, config, state, core, services, lines}: WorkerParts) {
		this.#core = core;
		this.#services = services;
		this.#lines = lines;
		const own: VirtioServices<string> = {
			memory: services.memory,
			time: services.time,
			reactor: services.reactor,
			locked: (action) => services.locked(action),
			has: (feature) => core.has(device.features[feature] as number),
			queue: (index) => this.#queue(index),
			changeConfig: (offset, bytes) => this.#changeConfig(offset, bytes),
		};
		this.#back = device.back(config, state, own);
	}

	start(): void {
		this.#isRunning = true;
		this.#back.start?.();
		if (this.#core.isResetting) this.#reset();
	}

	async stop(): Promise<void> {
		await this.#resetting;
		this.#isRunning = false;
		await this.#back.stop?.();
		this.#drop();
	}

	/** The front wants a reset, or has been told of buffers by another way than a doorbell. */
	notified(): void {
		if (!this.#isRunning || this.#resetting !== undefined) return;
		if (this.#core.isResetting) this.#reset();
		else this.#serveAll();
	}

	queueReady(index: number): boolean {
		const queue = this.#queue(index);
		return queue?.serve(() => this.#back.queueReady(queue, index)) === true;
	}

	dispose(): void {
		this.#back.dispose?.();
	}

	#serveAll(): void {
		const more = [...this.#core.queues.keys()].filter((index) => this.queueReady(index));
		if (more.length > 0) this.#services.reactor.defer(() => this.#serveAll());
	}

	#queue(index: number): VirtQueue | undefined {
		const core = this.#core;
		const registers = core.queues[index];
		// A queue that has something in flight still completes it.
		if (!this.#isRunning || this.#resetting !== undefined) return undefined;
		const place = core.isLive ? registers?.place : undefined;
		const known = this.#queues.get(index);
		if (registers === undefined || place === undefined) {
			known?.close();
			this.#queues.delete(index);
			return undefined;
		}
		if (known?.isAt(place) === true) return known;
		// The driver has turned it off and on again, elsewhere.
		known?.close();
		const made = new VirtQueue({
			memory: this.#services.memory,
			place,
			progress: registers,
			eventIndex: core.has(Feature.EVENT_IDX),
			indirect: core.has(Feature.INDIRECT_DESC),
			interrupt: () => this.#lines.raise(Interrupt.QUEUE, registers.vector),
			broken: () => {
				this.#services.locked(() => core.needReset());
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
		this.#lines.raise(Interrupt.CONFIG, this.#core.state['virtio.configVector'] & 0xffff);
	}

	#reset(): void {
		const finish = () => {
			this.#drop();
			this.#services.locked(() => this.#core.reset());
			this.#lines.lower();
			this.#resetting = undefined;
			this.#back.start?.();
		};
		if (this.#back.stop === undefined) {
			finish();
			return;
		}
		this.#resetting = this.#back.stop().then(finish);
		this.#resetting.catch((error: unknown) => {
			this.#services.reactor.defer(() => {
				throw error;
			});
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

import {type SharedRegion, type VirtioDevice, type VirtioServices, virtioMmio, virtioPci} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import type {TransportName} from './virtio-machine.ts';

const configBytes = 8;

/** A test's control of an {@link echoModel}. */
export class EchoControl {
	/** Requests are kept until {@link finish}, instead of being answered at once. */
	holds = false;
	services: VirtioServices<'shout' | 'whisper'> | undefined;
	readonly #held: [VirtQueue, Chain][] = [];
	#idle = Promise.withResolvers<void>();

	/** Requests that are kept. */
	get held(): readonly Chain[] {
		return this.#held.map(([, chain]) => chain);
	}

	queueReady(queue: VirtQueue): void {
		for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
			this.#held.push([queue, chain]);
			if (!this.holds) this.finish();
		}
	}

	/** Answers the requests that are held, the last first. */
	finish(): void {
		for (const answer of this.takeHeld().reverse()) answer();
		this.#idle.resolve();
	}

	/** Leaves it to the test to answer the requests that are held, each by a call. */
	takeHeld(): (() => void)[] {
		return this.#held.splice(0).map(
			([queue, chain]) =>
				() =>
					this.#answer(queue, chain),
		);
	}

	/** A queue has been reset. */
	queueReset(): void {}

	#answer(queue: VirtQueue, chain: Chain): void {
		const length = Math.min(chain.readable, chain.writable, 256);
		const bytes = new Uint8Array(length);
		const done =
			chain.read(0, bytes) && chain.write(0, this.services?.has('shout') ? bytes.map((byte) => byte & 0xdf) : bytes);
		queue.complete(chain, done ? length : 0);
	}

	stop(): Promise<void> {
		this.#idle = Promise.withResolvers<void>();
		if (this.#held.length === 0) this.#idle.resolve();
		return this.#idle.promise;
	}
}

interface EchoConfig {
	readonly queues?: number;
	readonly workers?: number;
	readonly size?: number;
	readonly inOrder?: boolean;
	readonly shared?: readonly SharedRegion[];
}

/**
 * A device that sends back what it gets. The test may have it keep requests.
 * @param controls - one for each of its workers
 */
export function echoModel(transport: TransportName, ...controls: readonly EchoControl[]) {
	const device: VirtioDevice<EchoConfig, Record<never, never>, 'shout' | 'whisper'> = {
		kind: 'virtio-echo',
		id: 63,
		pciClass: 0xff_0000,
		features: {shout: 3, whisper: 50},
		accepts: (has) => !(has('shout') && has('whisper')),
		platform: ({inOrder = false}) => ({IN_ORDER: inOrder}),
		mostQueues: 3,
		queues: ({queues = 2, size = 16}) => Array.from({length: queues}, (_, index) => ({name: `${index}`, size})),
		workers: ({workers = 1}) => workers,
		config: {bytes: configBytes, values: () => Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)},
		sharedMemory: {pages: 'saved', regions: ({shared = []}) => shared},
		back: (_config, _state, services) => {
			const control = controls[services.worker.index] ?? new EchoControl();
			control.services = services;
			return {
				queueReady: (queue) => control.queueReady(queue),
				queueReset: () => control.queueReset(),
				stop: () => control.stop(),
			};
		},
	};
	return transport === 'pci' ? virtioPci(device) : virtioMmio(device);
}

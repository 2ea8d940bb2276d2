import type {
	AccessSize,
	BackWork,
	DeviceBack,
	DeviceCommand,
	DeviceServices,
	DeviceWorkerPlace,
	ModelParts,
} from '#devices/device';
import {mostQueues} from '#devices/doorbells';
import type {GuestMemory} from '#devices/guest-memory';
import type {VirtQueue} from '#devices/virtio/queue';
import type {VmTime} from '#devices/vm-time';
import {errorTable} from '#support/errors';
import type {Reactor} from '#support/reactor';
import type {Fields, FieldsView, Wire} from '#support/wire';
import {isDeviceFeature, type PlatformOffer} from './registers.ts';
import type {SharedMemory} from './shared-memory.ts';

/** One queue of a device. */
export interface QueueDeclaration {
	readonly name: string;
	/** Descriptors that the driver may use: a power of two, up to 1024. */
	readonly size: number;
}

/**
 * A virtio device: what is its own. Transport, queues, negotiation, interrupts, and all of it in snapshots, is the
 * platform's.
 * @typeParam C - configuration; @typeParam T - fields of shared state that are the device's own
 * @typeParam N - names of its features
 */
export interface VirtioDevice<C, T extends Fields, N extends string = never>
	extends Omit<ModelParts<C, T, DeviceServices>, 'state' | 'front' | 'back' | 'lines' | 'inputs' | 'doorbells'> {
	/** State of its own that changes while a guest runs, if there is any. */
	readonly state?: Wire<T>;
	/** Virtio 1.2, 5. */
	readonly id: number;
	/** Class, subclass and programming interface on PCI. */
	readonly pciClass: number;
	/** The numbers of the features that it knows of its own. */
	readonly features: Readonly<Record<N, number>>;
	/** Those that it offers; without it all. */
	offers?(config: C): readonly N[];
	/** Features of the platform's that it does not offer though others do, or does though others do not. */
	platform?(config: C): PlatformOffer;
	/**
	 * Says whether those that a driver has accepted go together (virtio 1.2, 2.2.1); without it all do that are offered. What it refuses
	 * is never agreed on. Called under the device's lock, on any thread.
	 */
	accepts?(has: (feature: N) => boolean, config: C): boolean;
	/** The most queues that any configuration has. */
	readonly mostQueues: number;
	queues(config: C): readonly QueueDeclaration[];
	/** Its configuration space: how long it is, what it holds at power-on, and which fields the driver writes. */
	readonly config?: {
		readonly bytes: number;
		values(config: C): Uint8Array;
		readonly written?: readonly WrittenField<N>[];
	};
	/**
	 * The driver has written such a field. Called under the device's lock, on any thread; true has {@link VirtioBack.notified} called. Without it the back
	 * finds the value in {@link VirtioServices.config} when it looks.
	 */
	configWritten?(offset: number, value: number, state: FieldsView<T>, config: C): boolean;
	/** Memory that the driver maps. On MMIO the device has none. */
	readonly sharedMemory?: SharedMemory<C>;
	/** Words for its own state, for inspect. The state may hold anything. */
	words?(state: FieldsView<T>, config: C): Readonly<Record<string, string>>;
	/** See `DeviceModel.refuses`. */
	refuses?(command: DeviceCommand, config: C): string | undefined;
	/** The machine's owner asks for something. Called under the device's lock; true has {@link VirtioBack.notified} called. */
	control?(command: DeviceCommand, state: FieldsView<T>, config: C): boolean;
	back(config: C, state: FieldsView<T>, services: VirtioServices<N>): VirtioBack;
}

/** A field of configuration space that the driver writes, whole. A reset gives it its value at power-on. */
export interface WrittenField<N extends string> {
	readonly offset: number;
	/** One byte without this. */
	readonly size?: AccessSize;
	/** The feature that the driver has to have accepted. */
	readonly needs?: N;
	/** Its largest value; others change nothing. */
	readonly most: number;
}

/** Services of the bus for a virtio device. */
export interface VirtioServices<N extends string = never> extends BackWork {
	readonly memory: GuestMemory;
	readonly time: VmTime;
	readonly reactor: Reactor;
	/**
	 * Runs `action` under the device's lock, as an access would. Queues and {@link changeConfig} take it themselves: calls of theirs do
	 * not belong in there.
	 */
	locked<R>(action: () => R): R;
	/** Has {@link VirtioBack.notified} called on each worker: one has something for the others. */
	notifyBacks(): void;
	/** True when driver and device have agreed on a feature. */
	has(feature: N): boolean;
	/** Place of this worker among the device's, and the memory that they share: see `BackParts`. */
	readonly worker: DeviceWorkerPlace;
	readonly hostMemory: SharedArrayBuffer | undefined;
	/** See `BackParts`. */
	readonly commonMemory: SharedArrayBuffer | undefined;
	/** See `BackParts`. */
	noticed(): void;
	/** A queue that the driver uses and this worker has; undefined for any other. Ask anew each time. */
	queue(index: number): VirtQueue | undefined;
	/** Configuration space as it is now, to be read. */
	readonly config: Uint8Array;
	/** Changes configuration space from `offset` on, and tells the driver. */
	changeConfig(offset: number, bytes: Uint8Array): void;
	/**
	 * A region of {@link VirtioDevice.sharedMemory} by its id. Addresses are offsets in it, and the driver reads and writes it at the
	 * same time. Undefined where the transport has none.
	 */
	sharedMemory(id: number): GuestMemory | undefined;
}

/** A virtio device's input and output, on a device worker. Where the device has several, each has a back of its own for its queues. */
export interface VirtioBack
	extends Partial<Pick<DeviceBack, 'open' | 'start' | 'stop' | 'inFlight' | 'control' | 'feed' | 'dispose'>> {
	/** The driver has made buffers available. Called again while there may be more. */
	queueReady(queue: VirtQueue, index: number): void;
	/** {@link VirtioDevice.control} has asked for it. May be called without, and on each worker. */
	notified?(): void;
	/**
	 * The driver has reset one queue: chains of it that are kept for later are to be completed, which nobody sees. Not needed where each is
	 * completed by itself.
	 */
	queueReset?(queue: VirtQueue, index: number): void;
	/**
	 * The driver has reset the device, and it has stopped: its own state goes back to what it was at power-on. Called under the
	 * device's lock, before {@link start}; on each worker when that one has stopped, so that the last call comes when all have.
	 */
	reset?(): void;
}

const declarationError = errorTable({
	VIRTIO_QUEUES_IMPOSSIBLE: (c: {device: string; queues: number; most: number}) => ({
		message: `${c.device} cannot have ${c.queues} queues`,
		remedy: `Give it 1 to ${c.most}`,
	}),
	VIRTIO_DECLARATION_IMPOSSIBLE: (c: {device: string; cause: string}) => ({
		message: `The virtio device ${c.device} is not possible: ${c.cause}`,
	}),
});

/** A driver may link all descriptors behind each of them: reading them all takes this squared. */
const largestQueue = 1024;
/** Configuration space has its own page on both transports. */
const mostConfigBytes = 0xf00;

// biome-ignore lint/suspicious/noExplicitAny: existential over configuration, state and features
type Declared = VirtioDevice<any, any, any>;

/** @throws VmmError VIRTIO_QUEUES_IMPOSSIBLE, VIRTIO_DECLARATION_IMPOSSIBLE */
export function checkDeclaration({kind, mostQueues: most, features, config, id}: Declared): void {
	const impossible = (cause: string) => declarationError('VIRTIO_DECLARATION_IMPOSSIBLE', {device: kind, cause});
	if (!isCount(most, mostQueues))
		throw declarationError('VIRTIO_QUEUES_IMPOSSIBLE', {device: kind, queues: most, most: mostQueues});
	if (!isCount(id, 63)) throw impossible(`there is no type ${id}`);
	const bits = Object.values(features as Record<string, number>);
	const wrong = bits.find((bit) => !isDeviceFeature(bit));
	if (wrong !== undefined) throw impossible(`feature ${wrong} is none of a device's own`);
	if (new Set(bits).size !== bits.length) throw impossible('two features have one number');
	if (config !== undefined && !isCount(config.bytes, mostConfigBytes))
		throw impossible(`its configuration space has ${config.bytes} bytes, not 1 to ${mostConfigBytes}`);
}

/**
 * The queues that a configuration makes.
 * @throws VmmError VIRTIO_QUEUES_IMPOSSIBLE, VIRTIO_DECLARATION_IMPOSSIBLE
 */
export function queuesOf<C>(device: VirtioDevice<C, Fields, string>, config: C): readonly QueueDeclaration[] {
	const {kind, mostQueues: most} = device;
	const queues = device.queues(config);
	if (!isCount(queues.length, most))
		throw declarationError('VIRTIO_QUEUES_IMPOSSIBLE', {device: kind, queues: queues.length, most});
	for (const {name, size} of queues) {
		if (isCount(size, largestQueue) && Number.isInteger(Math.log2(size))) continue;
		throw declarationError('VIRTIO_DECLARATION_IMPOSSIBLE', {
			device: kind,
			cause: `the queue ${name} has size ${size}`,
		});
	}
	return queues;
}

const isCount = (value: number, most: number): boolean => Number.isInteger(value) && value >= 1 && value <= most;

import {deviceType} from '#devices/device-type';
import {IoVectors} from '#devices/guest-memory';
import {type VirtioDevice, virtioPci} from '#devices/virtio/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {bytes, packed, u8, u16, u32, wire} from '#support/wire';

/** A queue of what carries frames, such as a tap's: each frame has `virtio_net_hdr` ahead, 12 bytes (virtio 1.2, 5.1.6). */
export interface FrameQueue {
	readonly fd: number;
	/** Bytes of the next frame, or undefined without one. */
	receive(into: IoVectors): number | undefined;
	/** False until {@link fd} is writable. */
	send(from: IoVectors): boolean;
}

/** Device configuration, up to the last field of a feature that is offered. */
const NetSpace = packed('virtio_net_config', {mac: bytes(6), status: u16, pairs: u16}).sized(10, 'virtio 1.2, 5.1.4');
const Command = packed('virtio_net_ctrl_mq', {kind: u8, command: u8, pairs: u16}).sized(4, 'virtio 1.2, 5.1.6.5.6');
/** VIRTIO_NET_CTRL_MQ with VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, and the answers (5.1.6.5). */
const [multiQueue, pairsSet, ok, refused] = [4, 0, 0, 1];
const State = wire('virtio-net', {pairs: u32.initial(1)});
const pairs = 4;
const buffersPerFrame = 17;
const numBuffersOffset = 10;

const declared = (
	open: () => readonly FrameQueue[],
): VirtioDevice<{mac: string}, typeof State.fields, 'mac' | 'mergeable' | 'status' | 'control' | 'pairs'> => ({
	kind: 'virtio-net',
	id: 1,
	pciClass: 0x02_0000,
	state: State,
	// 5.1.3, and 5.1.3.1
	features: {mac: 5, mergeable: 15, status: 16, control: 17, pairs: 22},
	accepts: (has) => has('control') || !has('pairs'),
	mostQueues: 2 * pairs + 1,
	queues: () => Array.from({length: 2 * pairs + 1}, (_, index) => ({name: nameOf(index), size: 256})),
	config: {
		bytes: NetSpace.size,
		values: ({mac}) => NetSpace.encode({mac: Buffer.from(mac.replaceAll(':', ''), 'hex'), status: 1, pairs}),
	},
	back(_config, state, services) {
		const vectors = new IoVectors(256);
		const frames = open();
		const bytes = new Uint8Array(Command.size);
		const watches = frames.map(({fd}, pair) =>
			services.reactor.watch(fd, {readable: false, writable: false}, ({readable, writable, failed}) => {
				if (readable || failed) services.serve(2 * pair);
				if (writable || failed) services.serve(2 * pair + 1);
			}),
		);
		const waits = frames.map(() => ({forFrame: false, forRoom: false}));
		const control = (queue: VirtQueue) => {
			for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
				const {kind, command, pairs: count} = Command.read(chain.read(0, bytes) ? bytes : new Uint8Array(Command.size));
				const isKnown = kind === multiQueue && command === pairsSet && services.has('pairs');
				const isDone = isKnown && count >= 1 && count <= pairs;
				if (isDone) services.locked(() => Object.assign(state, {pairs: count}));
				queue.complete(chain, chain.write(0, Uint8Array.of(isDone ? ok : refused)) ? 1 : 0);
				for (let pair = 0; isDone && pair < count; pair++) services.serve(2 * pair);
			}
		};
		/** The control queue is behind the pairs that the driver can use (5.1.2). */
		function queueReady(queue: VirtQueue, index: number): void {
			if (index === (services.has('pairs') ? 2 * pairs : 2)) {
				control(queue);
				return;
			}
			const [pair, isTransmit] = [index >> 1, index % 2 === 1];
			const [from, wait] = [frames[pair], waits[pair]];
			if (from === undefined || wait === undefined || pair >= state.pairs) return;
			if (isTransmit) wait.forRoom = transmit(queue, from, vectors);
			else wait.forFrame = receive(queue, from, vectors, services.has('mergeable') ? buffersPerFrame : 1);
			watches[pair]?.interest(wait.forFrame, wait.forRoom);
		}
		return {
			queueReady,
			stop: async () => {
				for (const watch of watches) watch.interest(false, false);
			},
			reset: () => State.reset(state),
			dispose: () => {
				for (const watch of watches) watch.close();
			},
		};
	},
});

const nameOf = (index: number) =>
	index === 2 * pairs ? 'control' : `${index % 2 === 0 ? 'receive' : 'transmit'}-${index >> 1}`;

/** @returns true when there is a frame that waits for room */
function transmit(queue: VirtQueue, to: FrameQueue, vectors: IoVectors): boolean {
	for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
		const isSent = !chain.pin('read', vectors) || to.send(vectors);
		vectors.release();
		if (!isSent) {
			queue.putBack(chain);
			return true;
		}
		queue.complete(chain, 0);
	}
	return false;
}

/** @returns true when there are buffers that wait for a frame */
function receive(queue: VirtQueue, from: FrameQueue, vectors: IoVectors, most: number): boolean {
	for (;;) {
		const chains: Chain[] = [];
		for (let chain = queue.next(); chain !== undefined; chain = chains.length < most ? queue.next() : undefined) {
			if (chain.pin('write', vectors)) chains.push(chain);
			else if (chains.length === 0) queue.complete(chain, 0);
			else {
				queue.putBack(chain);
				break;
			}
		}
		if (chains.length === 0) return false;
		const length = from.receive(vectors);
		vectors.release();
		let left = length ?? 0;
		let used = 0;
		for (let room = 0; room < left && used < chains.length; used++) room += (chains[used] as Chain).writable;
		for (const chain of chains.splice(used).reverse()) queue.putBack(chain);
		if (length === undefined) return true;
		chains[0]?.write(numBuffersOffset, Uint8Array.of(used, 0));
		for (const chain of chains) {
			queue.complete(chain, Math.min(left, chain.writable));
			left -= chain.writable;
		}
	}
}

/** A network card with four pairs of queues (virtio 1.2, 5.1). */
export const virtioNetType = (open: () => readonly FrameQueue[]) =>
	deviceType({
		...virtioPci(declared(open)),
		kind: 'virtio-net',
		summary: 'A network card',
		options: {mac: {type: 'text', default: '52:54:00:12:34:56', help: 'its address'}},
	});

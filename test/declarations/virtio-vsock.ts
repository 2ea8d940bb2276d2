import {randomInt} from 'node:crypto';
import {deviceType} from '#devices/device-type';
import {type VirtioDevice, virtioPci} from '#devices/virtio/device';
import {packed, u16, u32, u64, wire} from '#support/wire';

const VsockSpace = packed('virtio_vsock_config', {guestCid: u64.asNumber}).sized(8, 'virtio 1.2, 5.10.4');
const Header = packed('virtio_vsock_hdr', {
	sourceCid: u64.asNumber,
	targetCid: u64.asNumber,
	sourcePort: u32,
	targetPort: u32,
	length: u32,
	type: u16,
	operation: u16,
	flags: u32,
	bufferBytes: u32,
	forwarded: u32,
}).sized(44, 'virtio 1.2, 5.10.6');
/** VIRTIO_VSOCK_OP_RST (5.10.6), and the address of the host (5.10.4). */
const [reset, hostCid] = [3, 2];
/** VIRTIO_VSOCK_EVENT_TRANSPORT_RESET (5.10.6.8). */
const transportReset = new Uint8Array(4);
const [receiveQueue, transmitQueue, eventQueue] = [0, 1, 2];
/** Tells whose connections the guest has: a number that the back draws, or 0 when the machine is as new. */
const State = wire('virtio-vsock', {host: u32});

/** A host on which nobody listens: all that is no reset is answered with one (5.10.6.4). */
const virtioVsock: VirtioDevice<{cid: number}, typeof State.fields, 'stream'> = {
	kind: 'virtio-vsock',
	id: 19,
	pciClass: 0x07_8000,
	state: State,
	features: {stream: 0},
	mostQueues: 3,
	queues: () => ['receive', 'transmit', 'event'].map((name) => ({name, size: 128})),
	config: {bytes: VsockSpace.size, values: ({cid}) => VsockSpace.encode({guestCid: cid})},
	back(_config, state, services) {
		const own = randomInt(1, 2 ** 32);
		const bytes = new Uint8Array(Header.size);
		let isLost = false;
		/** Takes nothing of the driver's for which there is no room to answer. */
		const answer = () => {
			const [receive, transmit] = [services.queue(receiveQueue), services.queue(transmitQueue)];
			if (receive === undefined || transmit === undefined) return;
			for (let room = receive.next(); room !== undefined; room = receive.next()) {
				const sent = transmit.next();
				if (sent === undefined) return receive.putBack(room);
				const header = sent.read(0, bytes) ? Header.read(bytes) : undefined;
				transmit.complete(sent, 0);
				const {sourceCid, sourcePort, targetPort, type} = header ?? {
					sourceCid: 0,
					sourcePort: 0,
					targetPort: 0,
					type: 0,
				};
				if (header === undefined || header.operation === reset || header.targetCid !== hostCid) {
					receive.putBack(room);
					continue;
				}
				const to = {targetCid: sourceCid, targetPort: sourcePort, sourceCid: hostCid, sourcePort: targetPort};
				const isWritten = room.write(0, Header.encode({...to, type, operation: reset}));
				receive.complete(room, isWritten ? Header.size : 0);
			}
		};
		return {
			start: () =>
				services.locked(() => {
					isLost ||= state.host !== 0 && state.host !== own;
					state.host = own;
				}),
			queueReady(queue, index) {
				if (index !== eventQueue) return answer();
				const chain = isLost ? queue.next() : undefined;
				if (chain === undefined) return;
				isLost = false;
				queue.complete(chain, chain.write(0, transportReset) ? transportReset.length : 0);
			},
		};
	},
};

/** Sockets between guest and host (virtio 1.2, 5.10). */
export const virtioVsockType = deviceType({
	...virtioPci(virtioVsock),
	kind: 'virtio-vsock',
	summary: 'Sockets between guest and host',
	options: {cid: {type: 'number', min: 3, max: 2 ** 32 - 2, default: 3, help: 'the address of the guest'}},
});

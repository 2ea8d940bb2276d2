import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {fillRandom} from '#support/ffi';

/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioRngKind = 'virtio-rng';

/** Type of the device (virtio 1.2, 5). */
export const virtioRngId = 4;

/** Most bytes that one request gets; a driver asks again for more (virtio 1.2, 5.4.6). */
const mostBytes = 4096;

/** Entropy of the host's for the guest (virtio 1.2, 5.4). */
const virtioRng: VirtioDevice<object, Record<never, never>> = {
	kind: virtioRngKind,
	id: virtioRngId,
	pciClass: 0x00_ff00,
	features: {},
	mostQueues: 1,
	queues: () => [{name: 'requests', size: 256}],
	back: () => {
		const entropy = new Uint8Array(mostBytes);
		return {
			queueReady(queue) {
				for (let chain = queue.next(); chain !== undefined; chain = queue.next()) {
					const length = Math.min(chain.writable, mostBytes);
					fillRandom(entropy.subarray(0, length));
					queue.complete(chain, chain.write(0, entropy, 0, length) ? length : 0);
				}
			},
		};
	},
};

export const virtioRngPci = virtioPci(virtioRng);
export const virtioRngMmio = virtioMmio(virtioRng);

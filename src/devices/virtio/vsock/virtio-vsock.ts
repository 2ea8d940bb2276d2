import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {unixPathLimit} from '#support/ffi';
import {vsockError} from './errors.ts';
import {pathLimit, type VirtioVsockConfig, virtioVsockId, virtioVsockKind} from './handle.ts';
import {VsockConfig} from './layout.ts';
import {VsockBack, type VsockFeature, VsockState, vsockFeatures, vsockQueues} from './vsock-back.ts';

/** Sockets between a guest and its host (virtio 1.2, 5.10): streams. */
const virtioVsock: VirtioDevice<VirtioVsockConfig, typeof VsockState.fields, VsockFeature> = {
	kind: virtioVsockKind,
	id: virtioVsockId,
	pciClass: 0x07_8000,
	state: VsockState,
	features: vsockFeatures,
	mostQueues: vsockQueues.length,
	queues: (config) => {
		check(config);
		return vsockQueues.map((name) => ({name, size: 256}));
	},
	config: {bytes: VsockConfig.size, values: ({cid}) => VsockConfig.encode({guestCid: cid})},
	words: ({connections, refused, cutOff}) => ({
		connections: `${connections}, ${refused} refused, ${cutOff} cut off since the guest had broken their rules`,
	}),
	back: (config, state, services) => new VsockBack(config, state, services),
};

/** @throws VmmError VIRTIO_VSOCK_PATH_TOO_LONG */
function check({path}: VirtioVsockConfig): void {
	const [length, limit] = [Buffer.byteLength(path), pathLimit(unixPathLimit)];
	if (length > limit) throw vsockError('VIRTIO_VSOCK_PATH_TOO_LONG', {path, length, limit});
}

export const virtioVsockPci = virtioPci(virtioVsock);
export const virtioVsockMmio = virtioMmio(virtioVsock);

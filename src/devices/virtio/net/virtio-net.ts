import {commonOf, endpointBytes, type OpenEndpoint, openEndpoint} from '#devices/network/source';
import {type VirtioDevice, virtioMmio, virtioPci} from '#devices/virtio/device';
import {errorTable} from '#support/errors';
import {type SavedFields, stateError} from '#support/saved-state';
import {endpointOffset} from './counters.ts';
import {goTogether, type NetFeature, netFeatures} from './features.ts';
import {leastMtu, macBytes, mostMtu, mostPairs, type VirtioNetConfig, virtioNetId, virtioNetKind} from './handle.ts';
import {fullDuplex, NetConfig, NetStatus} from './layout.ts';
import {NetBack} from './net-back.ts';
import {mostRemembered, NetState} from './state.ts';

const netError = errorTable({
	VIRTIO_NET_IMPOSSIBLE: (c: {cause: string}) => ({
		message: `There is no such virtio NIC: ${c.cause}`,
		remedy: `Give it an address of its own, such as 00:15:5d:01:02:03, and an mtu of ${leastMtu} to ${mostMtu}`,
	}),
});

const [queueSize, controlSize] = [256, 64];
/** In megabits a second, which nothing keeps to. */
const toldSpeed = 10_000;
/** Features of machines with several pairs of queues alone. */
const ofPairs: readonly NetFeature[] = ['pairs'];

/** The owner takes the link down, or up again. */
export interface LinkCommand {
	readonly kind: 'link';
	readonly up: boolean;
}

/** In version 2 what the endpoint remembers came. */
const versions = {
	version: 2,
	upgrade: (saved: SavedFields): SavedFields => {
		for (const field of ['remembered', 'rememberedBytes'])
			if (field in saved) throw stateError('STATE_FIELD_UNKNOWN', {struct: virtioNetKind, field});
		return {...saved, rememberedBytes: 0, remembered: Buffer.alloc(mostRemembered).toString('base64')};
	},
};

/** A NIC (virtio 1.2, 5.1), whose endpoint is opened so. */
const virtioNet = (open: OpenEndpoint): VirtioDevice<VirtioNetConfig, typeof NetState.fields, NetFeature> => ({
	kind: virtioNetKind,
	id: virtioNetId,
	pciClass: 0x02_0000,
	state: NetState,
	versions,
	hostMemory: ({endpoint}) => endpointOffset + endpointBytes(endpoint),
	commonMemory: ({endpoint}) => commonOf(endpoint),
	features: netFeatures,
	offers: ({queues}) =>
		(Object.keys(netFeatures) as NetFeature[]).filter((name) => queues > 1 || !ofPairs.includes(name)),
	accepts: goTogether,
	platform: ({packed}) => ({RING_PACKED: packed}),
	mostQueues: 2 * mostPairs + 1,
	queues: (config) => {
		check(config);
		return [
			...Array.from({length: config.queues}, (_, pair) => [
				{name: `receive-${pair}`, size: queueSize},
				{name: `transmit-${pair}`, size: queueSize},
			]).flat(),
			{name: 'control', size: controlSize},
		];
	},
	config: {
		bytes: NetConfig.size,
		values: ({mac, mtu, queues}) =>
			NetConfig.encode({
				mac: macBytes(mac) ?? new Uint8Array(6),
				status: NetStatus.LINK_UP,
				pairsMost: queues,
				mtu,
				speed: toldSpeed,
				duplex: fullDuplex,
			}),
	},
	control(command, state) {
		const {kind, up} = command as LinkCommand;
		if (kind !== 'link' || typeof up !== 'boolean') return false;
		state.isDown = up ? 0 : 1;
		return true;
	},
	words: ({isDown}) => ({link: isDown === 0 ? 'up' : 'down, as its owner has it'}),
	back: (config, state, services) => new NetBack(config, state, services, open),
});

/** @throws VmmError VIRTIO_NET_IMPOSSIBLE */
function check({mac, mtu}: VirtioNetConfig): void {
	if (macBytes(mac) === undefined) throw netError('VIRTIO_NET_IMPOSSIBLE', {cause: `its address is ${mac}`});
	if (!(Number.isInteger(mtu) && mtu >= leastMtu && mtu <= mostMtu))
		throw netError('VIRTIO_NET_IMPOSSIBLE', {cause: `its mtu is ${mtu}`});
}

/** The device over endpoints that are opened so. */
export const virtioNetOver = (open: OpenEndpoint) => ({
	pci: virtioPci(virtioNet(open)),
	mmio: virtioMmio(virtioNet(open)),
});

export const {pci: virtioNetPci, mmio: virtioNetMmio} = virtioNetOver(openEndpoint);

import type {VirtioServices} from '#devices/virtio/device';
import type {NetStateView} from './state.ts';

/** Numbers of the features (virtio 1.2, 5.1.3). Of a pair of names the host's is for what the guest sends. */
export const netFeatures = {
	hostChecksum: 0,
	guestChecksum: 1,
	guestOffloads: 2,
	mtu: 3,
	mac: 5,
	guestTcp4: 7,
	guestTcp6: 8,
	guestCongestion: 9,
	hostTcp4: 11,
	hostTcp6: 12,
	hostCongestion: 13,
	mergeable: 15,
	status: 16,
	control: 17,
	receiveModes: 18,
	vlanFilter: 19,
	moreReceiveModes: 20,
	announce: 21,
	pairs: 22,
	macAddress: 23,
	guestUdp4: 54,
	guestUdp6: 55,
	hostUdp: 56,
	speed: 63,
} as const;
export type NetFeature = keyof typeof netFeatures;
export type NetServices = VirtioServices<NetFeature>;

/** Features without which others make no sense (virtio 1.2, 5.1.3.1). */
const needs: readonly (readonly [NetFeature, NetFeature])[] = [
	['guestTcp4', 'guestChecksum'],
	['guestTcp6', 'guestChecksum'],
	['guestUdp4', 'guestChecksum'],
	['guestUdp6', 'guestChecksum'],
	['hostTcp4', 'hostChecksum'],
	['hostTcp6', 'hostChecksum'],
	['hostUdp', 'hostChecksum'],
	['receiveModes', 'control'],
	['vlanFilter', 'control'],
	['moreReceiveModes', 'control'],
	['announce', 'control'],
	['pairs', 'control'],
	['macAddress', 'control'],
	['guestOffloads', 'control'],
];

/** Of congestion one kind of TCP is enough. */
export const goTogether = (has: (feature: NetFeature) => boolean): boolean =>
	needs.every(([feature, needed]) => !has(feature) || has(needed)) &&
	(!has('guestCongestion') || has('guestTcp4') || has('guestTcp6')) &&
	(!has('hostCongestion') || has('hostTcp4') || has('hostTcp6'));

/** Features that the driver may turn off and on while it runs (5.1.6.5.6). */
export const switchable: readonly NetFeature[] = [
	'guestChecksum',
	'guestTcp4',
	'guestTcp6',
	'guestCongestion',
	'guestUdp4',
	'guestUdp6',
];

/** True where the driver does something of that to frames that it gets, as things are now. */
export function driverTakes(feature: NetFeature, services: NetServices, state: NetStateView): boolean {
	if (!services.has(feature)) return false;
	if (state.hasOffloads === 0) return true;
	const bit = netFeatures[feature];
	return (((state.offloads[bit >> 5] as number) >>> (bit & 31)) & 1) !== 0;
}

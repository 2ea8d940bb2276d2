import type {Frame} from '#devices/network/endpoint';
import type {NetServices} from './features.ts';
import {Mode, macLength, mostAddresses, type NetStateView} from './state.ts';

const tagType = 0x8100;
/** Where the type of a frame is, and behind it the tag. */
const typeOffset = 12;

/** True for a frame that the driver has asked for (virtio 1.2, 5.1.6.5.1–3). A snapshot may hold anything. */
export function isWanted(frame: Frame, services: NetServices, state: NetStateView): boolean {
	const {bytes, length, view} = frame;
	const {modes} = state;
	// Who has the modes, and wants all frames, wants those of all VLANs: a bridge in the guest passes them on.
	if (services.has('receiveModes') && (modes & Mode.SELECTIVE) === 0) return true;
	if (services.has('vlanFilter') && view.getUint16(typeOffset) === tagType) {
		const vlan = length < 18 ? 0 : view.getUint16(typeOffset + 2) & 0xfff;
		if ((((state.vlans[vlan >>> 5] as number) >>> (vlan & 31)) & 1) === 0) return false;
	}
	if ((modes & Mode.SELECTIVE) === 0) return true;
	if (isBroadcast(bytes)) return (modes & Mode.NO_BROADCAST) === 0;
	const unicast = Math.min(state.unicast, mostAddresses);
	if (((bytes[0] as number) & 1) !== 0) {
		if ((modes & Mode.NO_MULTICAST) !== 0) return false;
		if ((modes & (Mode.ALL_MULTICAST | Mode.MULTICAST_OVERFLOW)) !== 0) return true;
		return isAmong(bytes, state.addresses, unicast, Math.min(unicast + state.multicast, mostAddresses));
	}
	if ((modes & Mode.NO_UNICAST) !== 0) return false;
	if ((modes & (Mode.ALL_UNICAST | Mode.UNICAST_OVERFLOW)) !== 0) return true;
	return isAmong(bytes, services.config, 0, 1) || isAmong(bytes, state.addresses, 0, unicast);
}

function isBroadcast(bytes: Uint8Array): boolean {
	for (let index = 0; index < macLength; index++) if (bytes[index] !== 0xff) return false;
	return true;
}

/** Looks for the address that a frame begins with, from one place of a table to another. */
function isAmong(bytes: Uint8Array, table: Uint8Array, from: number, end: number): boolean {
	for (let place = from; place < end; place++) {
		let index = 0;
		while (index < macLength && bytes[index] === table[place * macLength + index]) index++;
		if (index === macLength) return true;
	}
	return false;
}

import type {PciCapability} from '#devices/device';
import {CapabilityId, type ConfigLayout, ExtendedId, firstExtended} from '#devices/pci/config-space';
import {errorTable} from '#support/errors';

const capabilityError = errorTable({
	PCI_CAPABILITY_IMPOSSIBLE: (c: {device: string; id: number; cause: string}) => ({
		message: `${c.device} cannot have the capability 0x${c.id.toString(16)}: ${c.cause}`,
	}),
});

/** Place of a capability of a device's own. */
export interface CapabilityPlace {
	readonly offset: number;
	/** In whole registers, so that no aligned access leaves it. */
	readonly length: number;
}

/** Bytes of a capability that are the platform's: id and next, with a version in an extended one. */
const headerBytes = {usual: 2, extended: 4} as const;
const registerBytes = 4;
const largestId = {usual: 0xff, extended: 0xffff} as const;
/** Capabilities that come of the rest of a declaration, such as its vectors. */
const platformIds: Readonly<Record<'usual' | 'extended', readonly number[]>> = {
	usual: [CapabilityId.MSI, CapabilityId.EXPRESS, CapabilityId.MSIX],
	extended: [ExtendedId.ACS],
};

/**
 * Adds a device's own capabilities behind those of the platform. Those that say where they lie are placed first.
 * @throws VmmError PCI_CAPABILITY_IMPOSSIBLE, PCI_CAPABILITY_NO_ROOM
 */
export function addOwnCapabilities(
	layout: ConfigLayout,
	device: string,
	capabilities: readonly PciCapability[],
): readonly CapabilityPlace[] {
	for (const each of capabilities) check(device, each);
	const places = new Map<PciCapability, CapabilityPlace>();
	for (const each of inOrder(capabilities)) places.set(each, add(layout, each));
	return capabilities.map((each) => places.get(each) as CapabilityPlace);
}

const kindOf = ({extended}: PciCapability) => (extended === undefined ? 'usual' : 'extended');

/** Those that say where they lie come before others, but for one that begins the extended ones. */
function inOrder(capabilities: readonly PciCapability[]): ReadonlySet<PciCapability> {
	const fixed = capabilities.filter(({at}) => at !== undefined);
	const extended = capabilities.filter((each) => each.extended !== undefined);
	const first = extended.find(({at}) => at === firstExtended) ?? extended.find(({at}) => at === undefined);
	return new Set([...(first === undefined ? [] : [first]), ...fixed, ...capabilities]);
}

function check(device: string, capability: PciCapability): void {
	const {id, extended, bytes, writable, live} = capability;
	const kind = kindOf(capability);
	const impossible = (cause: string) => capabilityError('PCI_CAPABILITY_IMPOSSIBLE', {device, id, cause});
	if (!(Number.isInteger(id) && id > 0 && id <= largestId[kind])) throw impossible('there is no such id');
	if (platformIds[kind].includes(id)) throw impossible('the platform adds it, where the declaration asks for it');
	if (extended !== undefined && !(Number.isInteger(extended) && extended >= 0 && extended <= 0xf))
		throw impossible(`there is no version ${extended}`);
	if (bytes.length < headerBytes[kind]) throw impossible(`it has ${bytes.length} bytes, and its header more`);
	for (const bits of [writable, live]) {
		if (bits === undefined) continue;
		if (bits.length !== bytes.length) throw impossible('its bits are not as many as its bytes');
		if (bits.subarray(0, headerBytes[kind]).some((byte) => byte !== 0)) throw impossible('its header does not change');
	}
}

function add(layout: ConfigLayout, capability: PciCapability): CapabilityPlace {
	const {id, extended, bytes, writable, live, at} = capability;
	const {length} = bytes;
	const offset =
		extended === undefined ? layout.capability(id, length, at) : layout.extendedCapability(id, extended, length, at);
	for (let i = headerBytes[kindOf(capability)]; i < length; i++)
		layout.register(offset + i, 1, {
			value: bytes[i] as number,
			writable: writable?.[i] ?? 0,
			live: live?.[i] ?? 0,
		});
	return {offset, length: Math.ceil(length / registerBytes) * registerBytes};
}

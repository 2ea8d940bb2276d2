import type {EndpointKind} from '#devices/network/endpoint';
import {type NoneSource, noneKind} from '#devices/network/none';
import {type DatagramSource, datagramKind, type StreamSource, streamKind} from '#devices/network/socket';
import {type SwitchSource, switchKind} from '#devices/network/switch';
import {type TapSource, tapKind} from '#devices/network/tap';
import {type UserSource, userKind} from '#devices/network/user';

/** What carries a NIC's frames, as plain data. */
export type NetworkSource = NoneSource | SwitchSource | StreamSource | DatagramSource | TapSource | UserSource;

/** All kinds of endpoints, by the name that they have as data. A new one is a folder, and a line here and above. */
const kinds: {readonly [K in NetworkSource['kind']]: EndpointKind<Extract<NetworkSource, {kind: K}>>} = {
	none: noneKind,
	tap: tapKind,
	switch: switchKind,
	stream: streamKind,
	dgram: datagramKind,
	consomme: userKind,
};

type AnyKind = EndpointKind<NetworkSource>;
const list = Object.values(kinds) as readonly AnyKind[];

/** How endpoints may be written, for errors and help. */
export const endpointForms: string = list.map(({form}) => form).join(', ');

/** The kind of an endpoint that is right. */
export const kindOf = ({kind}: NetworkSource): AnyKind => kinds[kind] as AnyKind;

/** The kind that data says it is of, which may be anybody's. */
export const kindNamed = (name: unknown): AnyKind | undefined =>
	typeof name === 'string' && Object.hasOwn(kinds, name) ? kindOf({kind: name} as NetworkSource) : undefined;

/** The kind that is written so. */
export const kindOfPrefix = (prefix: string): AnyKind | undefined => list.find((kind) => kind.prefix === prefix);

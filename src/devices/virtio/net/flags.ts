import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {givenLimits, limitKeyTable} from '#devices/limits';
import {nicLimitTable} from '#devices/network/limit';
import {macText} from '#devices/network/packet';
import {endpointForms, endpointOption} from '#devices/network/source';
import {flaggedPlace} from '#devices/virtio/device';
import {fillRandom} from '#support/ffi';
import {invalidValue, type KeyTable, parseKeyValues, parseNumber, type RawOptions} from '#support/options';
import {leastMtu, macBytes, mostMtu, mostPairs, usualMtu, virtioNetId, virtioNetKind} from './handle.ts';

const flag = 'virtio-net';
/** NICs that OpenVMM has on VMBus: here they are virtio NICs, written alike. */
const [netFlag, nicFlag, captureFlag] = ['net', 'nic', 'capture'];
/** Addresses that nobody has said begin so, as those of Hyper-V. */
const vendorBytes = [0x00, 0x15, 0x5d] as const;
/** Words of the NIC's own. */
const ownKeys: KeyTable = {
	mac: 'value',
	mtu: 'value',
	capture: 'value',
	packed: 'flag',
	...limitKeyTable(nicLimitTable),
};

/** The flag that OpenVMM has for NICs: all of them count, and those without a port are on MMIO. */
export const virtioNetFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'NIC',
			repeat: true,
			help: `a virtio NIC: queues=N: (pairs of queues: 1, up to ${mostPairs}) and pcie_port=PORT: (without one it is on MMIO), then what carries its frames: ${endpointForms}; then mac=ADDRESS (random without it), mtu=BYTES (${usualMtu}), capture=FILE (frames as they pass, in pcapng), packed=off (rings are split, whatever the driver knows), bps=BYTES and pps=N (limits a second; also bps_rx, bps_tx, pps_rx, pps_tx, and each with _burst for what goes at once), between commas; may be repeated`,
		},
		{
			name: netFlag,
			value: 'NIC',
			repeat: true,
			help: `a NIC, written as of --${flag}; until there is VMBus it is a virtio NIC too; may be repeated`,
		},
		{name: nicFlag, help: `a NIC on a network by the host's sockets: the same as --${netFlag} consomme`},
		{
			name: captureFlag,
			value: 'FILE',
			needs: [flag, netFlag, nicFlag],
			help: 'frames of all NICs as they pass, in one file in pcapng, each NIC an interface in it, but of those that have a capture= of their own',
		},
	],
	devices(given) {
		let onMmio = 0;
		const capture = given(captureFlag).at(-1);
		const asked = [
			...given(flag).map((text) => [`--${flag}`, text] as const),
			...given(netFlag).map((text) => [`--${netFlag}`, text] as const),
			...given(nicFlag).map(() => [`--${nicFlag}`, 'consomme'] as const),
		];
		return asked.map(([option, text]): FlaggedDevice => {
			const {port, options: own} = parseNic(text, option);
			const options = {...(capture !== undefined && {capture}), ...own};
			if (port !== undefined) return {port, options};
			const place = flaggedPlace(virtioNetId, onMmio++);
			if (place !== undefined) return {kind: `${virtioNetKind}-mmio`, options: {...options, ...place}};
			throw invalidValue(option, text, `pcie_port=PORT: there is room for ${onMmio - 1} NICs without one`);
		});
	},
};

/** @throws VmmError with a `CONFIG_` code */
function parseNic(text: string, option: string): {readonly port: string | undefined; readonly options: RawOptions} {
	const ofVmbus = /^(?:(?:queues|pcie_port)=[^:]*:)*(vtl2|uh):/.exec(text)?.[1];
	if (ofVmbus !== undefined)
		throw invalidValue(
			option,
			text,
			`a NIC without ${ofVmbus}:, which is for VMBus, and there is none yet: --${flag} queues=N:pcie_port=PORT:BACKEND`,
		);
	const before = new Map<string, string>();
	let rest = text;
	for (;;) {
		const [whole, key = '', value = ''] = /^(queues|pcie_port)=([^:]*):/.exec(rest) ?? [];
		if (whole === undefined) break;
		if (before.has(key)) throw invalidValue(option, text, `${key}= once`);
		before.set(key, value);
		rest = rest.slice(whole.length);
	}
	const {backend, words} = splitBackend(rest);
	const given = words === undefined ? undefined : parseKeyValues(words, option, ownKeys);
	const mac = given?.value('mac') ?? randomMac();
	if (macBytes(mac) === undefined) throw invalidValue(`${option} mac`, mac, 'an address such as 00:15:5d:01:02:03');
	const capture = given?.value('capture');
	const limits = givenLimits(nicLimitTable, given, option);
	const mtu = parseNumber(given?.value('mtu') ?? `${usualMtu}`, `${option} mtu`, leastMtu, mostMtu);
	return {
		port: before.get('pcie_port'),
		options: {
			endpoint: endpointOption.parse(backend, option),
			mac,
			mtu,
			...(capture !== undefined && {capture}),
			...(Object.keys(limits).length > 0 && {limits}),
			queues: parseNumber(before.get('queues') ?? '1', `${option} queues`, 1, mostPairs),
			packed: given?.flag('packed') ?? true,
		},
	};
}

function randomMac(): string {
	const own = new Uint8Array(3);
	fillRandom(own);
	return macText(Uint8Array.of(...vendorBytes, ...own));
}

/** Words of the NIC's own stand anywhere behind what carries its frames, which may have words too. */
function splitBackend(text: string): {readonly backend: string; readonly words: string | undefined} {
	const isOwn = (item: string) => Object.hasOwn(ownKeys, item.replace(/=.*/s, ''));
	const [first = '', ...items] = text.split(',');
	const own = items.filter(isOwn);
	const backend = [first, ...items.filter((item) => !isOwn(item))].join(',');
	return {backend, words: own.length === 0 ? undefined : own.join(',')};
}

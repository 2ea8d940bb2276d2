import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {cachePolicies, ownerOption} from '#devices/folder';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, optionError, type ValueType} from '#support/options';
import {windowSize} from './file-window.ts';
import {virtioFsId, virtioFsKind} from './handle.ts';

const [flag, busFlag] = ['virtio-fs', 'virtio-fs-bus'];
const option = `--${flag}`;
const buses = ['auto', 'pci', 'mmio'];
/** Options with a value. */
const words: Readonly<Record<string, ValueType<unknown>>> = {owner: ownerOption, dax: windowSize};
const isWord = (key: string): boolean => key === 'cache' || key in words;
const switches: Readonly<Record<string, string>> = {
	ro: 'readOnly',
	xattrs: 'xattrs',
	locks: 'locks',
	submounts: 'submounts',
};

/** The flags that OpenVMM has for shared folders. */
export const virtioFsFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'TAG,PATH',
			repeat: true,
			help: "a directory of the host's, which the guest mounts by the tag (mount -t virtiofs TAG /mnt): pcie_port=PORT: before it (without one it is on MMIO), and behind it ro, owner=host|mapped|UID:GID (whose files are), cache=never|auto|always (for how long the guest does not look again: auto is a second), xattrs, locks (on the host too), submounts, dax=SIZE (on PCI Express: memory where files are mapped without a copy); may be repeated",
		},
		{
			name: busFlag,
			value: 'BUS',
			choices: buses,
			needs: flag,
			default: 'auto',
			help: 'where folders without pcie_port= are: auto and mmio are MMIO; pci needs the port',
		},
	],
	devices(given) {
		const bus = given(busFlag).at(-1) ?? 'auto';
		if (!buses.includes(bus)) throw invalidValue(`--${busFlag}`, bus, buses.join(', '));
		let onMmio = 0;
		return given(flag).map((text): FlaggedDevice => {
			const {port, options} = parseFolder(text);
			if (port !== undefined) return {port, options};
			if (options['dax'] !== undefined)
				throw optionError('CONFIG_REQUIRES', {option, first: 'dax', needed: 'pcie_port=PORT:'});
			if (bus === 'pci')
				throw optionError('CONFIG_REQUIRES', {option: `--${busFlag}`, first: bus, needed: 'pcie_port=PORT:'});
			const place = flaggedPlace(virtioFsId, onMmio++);
			if (place !== undefined) return {kind: `${virtioFsKind}-mmio`, options: {...options, ...place}};
			throw invalidValue(option, text, `pcie_port=PORT: before it: there is room for ${onMmio - 1} without one`);
		});
	},
};

function parseFolder(text: string): {readonly port?: string; readonly options: Record<string, unknown>} {
	const [, port, tag, rest] = /^(?:pcie_port=([^:]+):)?([^,]+),(.+)$/s.exec(text) ?? [];
	if (tag === undefined || rest === undefined) throw invalidValue(option, text, 'TAG,PATH');
	const options: Record<string, unknown> = {};
	const pieces = rest.split(',');
	// A path may have commas: what is an option ends it, from behind.
	while (pieces.length > 1 && read(pieces.at(-1) as string, options)) pieces.pop();
	return {...(port !== undefined && {port}), options: {tag, path: pieces.join(','), ...options}};
}

/** Reads one option; false for what is none. */
function read(word: string, options: Record<string, unknown>): boolean {
	const [, key = '', value] = /^(\w+)(?:=(.*))?$/s.exec(word) ?? [];
	const name = value === undefined ? switches[key] : isWord(key) ? key : undefined;
	if (name === undefined) return false;
	if (name in options) throw invalidValue(option, word, `${key} once`);
	if (key === 'cache' && !cachePolicies.some((policy) => policy === value))
		throw invalidValue(`${option} cache`, value, cachePolicies.join(', '));
	options[name] = value === undefined ? true : key === 'cache' ? value : words[key]?.parse(value, `${option} ${key}`);
	return true;
}

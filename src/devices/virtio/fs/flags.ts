import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {parseFlaggedFolder} from '#devices/folder/source';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, optionError} from '#support/options';
import {windowSize} from './file-window.ts';
import {virtioFsId, virtioFsKind} from './handle.ts';

const [flag, busFlag] = ['virtio-fs', 'virtio-fs-bus'];
const option = `--${flag}`;
const buses = ['auto', 'pci', 'mmio'];
const known = ['readOnly', 'owner', 'cache', 'xattrs', 'locks', 'submounts'];

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
			const {port, options} = parseFlaggedFolder(text, option, known, {dax: windowSize});
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

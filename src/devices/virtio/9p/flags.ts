import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {parseFlaggedFolder} from '#devices/folder/source';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue} from '#support/options';
import {virtio9pId, virtio9pKind} from './handle.ts';

const flag = 'virtio-9p';
const option = `--${flag}`;
const known = ['readOnly', 'owner', 'submounts'];

/** The flag that OpenVMM has for folders by 9P. */
export const virtio9pFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'TAG,PATH',
			repeat: true,
			help: "a directory of the host's, which the guest mounts by the tag (mount -t 9p -o trans=virtio,version=9p2000.L TAG /mnt): pcie_port=PORT: before it (without one it is on MMIO), and behind it ro, owner=host|mapped|UID:GID (whose files are), submounts; may be repeated",
		},
	],
	devices(given) {
		let onMmio = 0;
		return given(flag).map((text): FlaggedDevice => {
			const {port, options} = parseFlaggedFolder(text, option, known);
			if (port !== undefined) return {port, options};
			const place = flaggedPlace(virtio9pId, onMmio++);
			if (place !== undefined) return {kind: `${virtio9pKind}-mmio`, options: {...options, ...place}};
			throw invalidValue(option, text, `pcie_port=PORT: before it: there is room for ${onMmio - 1} without one`);
		});
	},
};

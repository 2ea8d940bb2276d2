import type {DeviceHandle} from '#devices/device-type';
import {diskOption} from '#devices/storage/source';
import {parseBlkDisk, virtioBlkId, virtioBlkKind} from '#devices/virtio/blk';
import {apiError} from './errors.ts';
import {ownDevice, placesPerType} from './own-device.ts';

/** A file of the host, or a block device, that is a disk of the guest. */
export interface DiskFile {
	readonly path: string;
	/** Of what is in it; what its name says if not given: `.qcow2`, `.vhd` or `.vmgs`, `.vhdx`, and raw otherwise. */
	readonly format?: 'raw' | 'qcow2' | 'vhd' | 'vhdx';
	/** Requests to write fail, and the guest is told. Any number of machines may have the file then, and a single one otherwise. */
	readonly readOnly?: boolean;
	/** Past the host's page cache. */
	readonly direct?: boolean;
	/** What the guest finds in `/dev/disk/by-id`: at most 20 characters. */
	readonly serial?: string;
}

/** A disk of the guest beside its root: a file, or what `--virtio-blk` has: `mem:1G`, `memdiff:base.img`, `data.qcow2,ro`. */
export type DiskChoice = string | DiskFile;

/** A device for each disk, in their order. @param taken - places that others of the machine's have @throws VmmError VM_OPTION_INVALID, CONFIG_*, DISK_* */
export function diskDevices(disks: readonly DiskChoice[], taken: number): DeviceHandle[] {
	if (disks.length + taken > placesPerType) {
		const expected = `${placesPerType - taken} disks at most`;
		throw apiError('VM_OPTION_INVALID', {option: 'disks', value: `${disks.length} disks`, expected});
	}
	return disks.map((disk, index) => {
		const name = `disk${index}`;
		const {port, options} =
			typeof disk === 'string' ? parseBlkDisk(disk, 'disks') : {port: undefined, options: onFile(disk)};
		if (port !== undefined) return {kind: virtioBlkKind, name, port, options};
		return ownDevice(virtioBlkKind, virtioBlkId, name, options, index + taken);
	});
}

/** @throws VmmError CONFIG_VALUE_INVALID for a name that says a format that is none of ours */
function onFile({path, format, readOnly = false, direct = false, serial}: DiskFile): object {
	// As flags have it: what is in a file, which a guest can write, never says what it is. A path of data may have semicolons.
	const said = diskOption.parse(
		`file:${path.replaceAll(';', '_')}${format === undefined ? '' : `;format=${format}`}`,
		'disks',
	);
	const disk = {...said, path, ...(direct && {direct})};
	return {disk, readOnly, ...(serial !== undefined && {id: serial})};
}

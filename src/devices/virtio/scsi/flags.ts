import {mostWorkers} from '#devices/device';
import type {DeviceFlags, FlaggedDevice} from '#devices/device-type';
import {
	type ControllerFlag,
	diskFlag,
	diskFlagOption,
	type FlaggedDisk,
	flaggedDisks,
} from '#devices/storage/disk-flag';
import {mostLun, mostUnits, type UnitConfig} from '#devices/storage/scsi';
import {flaggedPlace} from '#devices/virtio/device';
import {invalidValue, parseKeyValues, parseNumber} from '#support/options';
import {mostRequestQueues, virtioScsiId, virtioScsiKind} from './handle.ts';

const flag: ControllerFlag = 'virtio-scsi';
const option = `--${flag}`;
/** Ids of units follow from it. */
const mostIdLetters = 20;

/** The flag for controllers; their disks come by {@link diskFlag}. */
export const virtioScsiFlags: DeviceFlags = {
	rows: [
		{
			name: flag,
			value: 'CONTROLLER',
			repeat: true,
			help: 'a virtio SCSI controller: id=NAME, then pcie_port=PORT (without one it is on MMIO), num_queues=N (1, up to 16), workers=N (threads that serve the queues: 1, up to 8), packed=off (rings are split, whatever the driver knows), between commas; its disks come by --disk; may be repeated',
		},
		diskFlag,
	],
	devices(given) {
		const disks = flaggedDisks(given);
		let onMmio = 0;
		return given(flag).map((text): FlaggedDevice => {
			const {id, port, ...own} = parseController(text);
			const units: UnitConfig[] = [];
			for (const disk of disks(id)) units.push(asUnit(id, units, disk));
			const options = {units, serial: id, ...own};
			if (port !== undefined) return {name: id, port, options};
			const place = flaggedPlace(virtioScsiId, onMmio++);
			if (place !== undefined) return {name: id, kind: `${virtioScsiKind}-mmio`, options: {...options, ...place}};
			throw invalidValue(option, text, `pcie_port=PORT: there is room for ${onMmio - 1} controllers without one`);
		});
	},
};

function parseController(text: string) {
	const given = parseKeyValues(text, option, {
		id: 'value',
		pcie_port: 'value',
		num_queues: 'value',
		workers: 'value',
		packed: 'flag',
	});
	const id = given.value('id');
	if (id === undefined || id.length > mostIdLetters)
		throw invalidValue(
			option,
			text,
			`id=NAME with 1 to ${mostIdLetters} characters, from which ids of its disks follow`,
		);
	const queues = parseNumber(given.value('num_queues') ?? '1', `${option} num_queues`, 1, mostRequestQueues);
	const workers = parseNumber(given.value('workers') ?? '1', `${option} workers`, 1, Math.min(queues, mostWorkers));
	return {id, port: given.value('pcie_port'), queues, workers, packed: given.flag('packed') ?? true};
}

function asUnit(
	on: string,
	others: readonly UnitConfig[],
	{text, disk, readOnly, dvd, detached, policy, nsid, lun}: FlaggedDisk,
): UnitConfig {
	if (nsid !== undefined) throw invalidValue(diskFlagOption, text, `lun=N: ${on} is a SCSI controller`);
	if (dvd && 'create' in disk) throw invalidValue(diskFlagOption, text, 'an image that is there for a dvd');
	if (others.length === mostUnits)
		throw invalidValue(diskFlagOption, text, `another controller: ${on} has ${mostUnits} disks, and no more`);
	const number =
		lun === undefined
			? Math.max(-1, ...others.map((other) => other.lun)) + 1
			: parseNumber(lun, `${diskFlagOption} lun`, 0, mostLun);
	if (number > mostLun || others.some((other) => other.lun === number))
		throw invalidValue(diskFlagOption, text, `a lun up to ${mostLun} that no other disk of ${on} has`);
	return {
		lun: number,
		disk,
		readOnly,
		...(dvd && {dvd: true}),
		...(detached && {detached: true}),
		...(policy && {policy}),
	};
}

import type {DeviceFlag} from '#devices/device-type';
import {type DiskPolicy, givenPolicy, policyKeys} from '#devices/storage/backend';
import type {DiskAddition} from '#devices/storage/disk-set';
import {type DiskSource, diskOption} from '#devices/storage/source';
import {invalidValue, type KeyValues, parseKeyValues, parseNumber} from '#support/options';

/** Flags of the controllers that disks are on, each of which has an id. */
const controllerFlags = ['nvme-pci', 'virtio-scsi'] as const;
export type ControllerFlag = (typeof controllerFlags)[number];

/** Largest number of a disk of any controller. */
const mostNumber = 1024;

const flag = 'disk';
export const diskFlagOption = `--${flag}`;

/** The flag that OpenVMM has for disks of controllers, whatever their kind. */
export const diskFlag: DeviceFlag = {
	name: flag,
	value: 'DISK',
	repeat: true,
	needs: controllerFlags,
	help: 'a disk of a controller, written as of --virtio-blk, then on=NAME (the id of the controller), nsid=N or lun=N (its number there: the next one unless given), ro (it is only read), dvd (a drive with this image in it, on --virtio-scsi), off (the guest has it from attach-namespace or attach-lun on), the words of --virtio-blk for limits and errors (bps, iops, on_error, enospc, timeout), between commas; may be repeated',
};

/** A disk that the flag asks for. */
export interface FlaggedDisk {
	/** As it is written. */
	readonly text: string;
	readonly disk: DiskSource;
	readonly readOnly: boolean;
	readonly dvd: boolean;
	readonly detached: boolean;
	/** Its number on a controller, as it is written. */
	readonly nsid: string | undefined;
	readonly lun: string | undefined;
	readonly policy: DiskPolicy | undefined;
}

/**
 * The disks of the controllers, by their ids, in order.
 * @throws VmmError CONFIG_VALUE_INVALID for an id of two controllers, or of none
 */
export function flaggedDisks(
	given: (flag: string) => readonly string[],
): (controller: string) => readonly FlaggedDisk[] {
	const disks = new Map<string, FlaggedDisk[]>();
	for (const name of controllerFlags)
		for (const text of given(name)) {
			const id = idOf(text);
			if (disks.has(id)) throw invalidValue(`--${name}`, `id=${id}`, 'another id for each controller');
			disks.set(id, []);
		}
	for (const text of given(flag)) {
		const {on, ...disk} = parseDisk(text);
		const list = disks.get(on ?? '');
		if (list === undefined) {
			const controllers = controllerFlags.map((name) => `--${name}`).join(' or ');
			throw invalidValue(diskFlagOption, text, `on=NAME, with NAME the id of a controller of ${controllers}`);
		}
		list.push(disk);
	}
	return (controller) => disks.get(controller) ?? [];
}

/** What else is wrong with it its own flag says. */
const idOf = (text: string): string => /(?:^|,)id=([^,]*)/.exec(text)?.[1] ?? '';

function parseDisk(text: string): FlaggedDisk & {readonly on: string | undefined} {
	if (!text.includes(',')) throw invalidValue(diskFlagOption, text, 'DISK,on=NAME, for example mem:64M,on=nvme0');
	const {given, ...disk} = readDisk(text, diskFlagOption, {on: 'value', lun: 'value', dvd: 'flag'});
	return {...disk, lun: given.value('lun'), on: given.value('on'), dvd: given.flag('dvd') ?? false};
}

/** A disk for a controller of a machine that runs, written as of the flag. @throws VmmError with a `CONFIG_` code */
export function parseAddition(text: string, option: string): Omit<DiskAddition, 'kind'> {
	const {disk, readOnly, detached, nsid, policy} = readDisk(text, option, {});
	return {
		disk,
		readOnly,
		...(nsid !== undefined && {number: parseNumber(nsid, option, 1, mostNumber)}),
		...(detached && {detached}),
		...(policy !== undefined && {policy}),
	};
}

const noWords: KeyValues = {value: () => undefined, flag: () => undefined};

/** @param keys - that it may have besides */
function readDisk<K extends Readonly<Record<string, 'value' | 'flag'>>>(text: string, option: string, keys: K) {
	const [, disk = text, rest = ''] = /^([^,]*),(.*)$/s.exec(text) ?? [];
	const table = {
		...keys,
		nsid: 'value',
		ro: 'flag',
		off: 'flag',
		...policyKeys,
	} as const;
	const given = rest === '' ? noWords : parseKeyValues(rest, option, table);
	return {
		given,
		text,
		disk: diskOption.parse(disk, option),
		readOnly: given.flag('ro') ?? false,
		detached: given.flag('off') ?? false,
		nsid: given.value('nsid'),
		policy: givenPolicy(given, option),
	};
}

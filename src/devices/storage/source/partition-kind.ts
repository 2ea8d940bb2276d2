import type {Disk} from '#devices/storage/disk';
import {invalidValue, optionError, parseSize} from '#support/options';
import {type DiskKind, nestedOption, parseWords} from './disk-kind.ts';
import type {PartitionSource} from './disk-source.ts';
import {isLength} from './file-kind.ts';

const prefix = 'part';
const expected = 'NUMBER:DISK, uuid=UUID:DISK or label=TEXT:DISK, or ;offset=LEN;length=LEN before the colon';

/** `part:NUMBER:DISK`, `part:uuid=UUID:DISK`, `part:label=TEXT:DISK`, `part;offset=LEN;length=LEN:DISK`. */
export const partitionKind: DiskKind<PartitionSource> = {
	prefix,
	form: 'part:NUMBER:DISK, part:uuid=UUID:DISK or part:label=TEXT:DISK (a partition of DISK by its GPT or MBR), or part;offset=LEN;length=LEN:DISK (that part of it)',
	parse({option, words, rest, nested}) {
		const named = `${option} ${prefix}`;
		const below = (text: string) => nested(text, nestedOption(option, prefix, 0, 1));
		if (words !== '') {
			const values = parseWords(words, named, ['offset', 'length']);
			const [offset, length] = ['offset', 'length'].map((key) => {
				const text = values.get(key);
				if (text === undefined)
					throw optionError('CONFIG_REQUIRES', {option: named, first: words, needed: `;${key}=LEN`});
				return parseSize(text, `${named} ${key}`);
			}) as [number, number];
			const source = {kind: 'partition', disk: below(rest), offset, length} as const;
			if (!partitionKind.isRight({...source})) throw invalidValue(named, words, 'whole sectors of 512 bytes');
			return source;
		}
		const [, which = '', disk] = /^([^:]*):(.*)$/s.exec(rest) ?? [];
		const [, key, value] = /^(uuid|label)=(.+)$/s.exec(which) ?? [];
		if (disk === undefined || (key === undefined && !/^[1-9]\d{0,3}$/.test(which)))
			throw invalidValue(named, rest, expected);
		const wanted = key === undefined ? {number: Number(which)} : {[key]: value};
		return {kind: 'partition', disk: below(disk), ...wanted} as PartitionSource;
	},
	isRight({number, uuid, label, offset, length}) {
		if ([number, uuid, label, offset].filter((value) => value !== undefined).length !== 1) return false;
		if (offset === undefined && length !== undefined) return false;
		if (number !== undefined) return Number.isInteger(number) && (number as number) > 0;
		if (offset === undefined) return [uuid, label].some((value) => typeof value === 'string' && value !== '');
		return (offset === 0 || isLength(offset)) && isLength(length);
	},
	disks: ({disk}) => [disk],
	sharedBytes: () => 0,
	async open({number, uuid, label, offset, length}, {disks}) {
		const {findPartition, WindowDisk} = await import('#devices/storage/partition');
		const disk = disks[0] as Disk;
		if (offset !== undefined && length !== undefined) return new WindowDisk(disk, {start: offset, length});
		const wanted = {
			...(number !== undefined && {number}),
			...(uuid !== undefined && {uuid}),
			...(label !== undefined && {label}),
		};
		return new WindowDisk(disk, await findPartition(disk, wanted));
	},
};

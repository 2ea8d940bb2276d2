import type {Disk} from '#devices/storage/disk';
import {MemdiffDisk, mostOverlayBytes, Overlay} from '#devices/storage/memdiff';
import {invalidValue, parseSize} from '#support/options';
import {type DiskKind, nestedOption, parseWords} from './disk-kind.ts';
import type {MemdiffSource} from './disk-source.ts';

const [pageBytes, leastBytes, defaultBytes] = [4096, 2 ** 20, 2 ** 30];
const limits = `a multiple of ${pageBytes} from 1M to 15G`;
const prefix = 'memdiff';
const limitOf = ({limit = defaultBytes}: MemdiffSource): number => limit;

/** `memdiff:DISK`, `memdiff;limit=LEN:DISK`. */
export const memdiffKind: DiskKind<MemdiffSource> = {
	prefix,
	form: 'memdiff:DISK (what is written stays in RAM of the host, DISK is only read; memdiff;limit=LEN:DISK for more or less RAM than 1G)',
	readsDisks: true,
	parse({option, words, rest, nested}) {
		const text = parseWords(words, `${option} ${prefix}`, ['limit']).get('limit');
		const limit = text === undefined ? undefined : parseSize(text, `${option} ${prefix} limit`);
		if (limit !== undefined && !isLimit(limit)) throw invalidValue(`${option} ${prefix} limit`, text, limits);
		const disk = nested(rest, nestedOption(option, prefix, 0, 1));
		return {kind: 'memdiff', disk, ...(limit !== undefined && {limit})};
	},
	isRight: ({limit}) => limit === undefined || isLimit(limit),
	disks: ({disk}) => [disk],
	sharedBytes: (source) => Overlay.sharedBytes(limitOf(source)),
	// Over a disk that a snapshot's machine had without it, it begins as it does anywhere.
	savedPart: (source, offset) => ({...Overlay.savedPart(offset, limitOf(source)), mayBeNew: true}),
	open: async (source, {memory, offset, isReadOnly, disks}) =>
		new MemdiffDisk(disks[0] as Disk, new Overlay(memory, offset, limitOf(source)), isReadOnly),
};

const isLimit = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) &&
	(bytes as number) >= leastBytes &&
	(bytes as number) <= mostOverlayBytes &&
	(bytes as number) % pageBytes === 0;

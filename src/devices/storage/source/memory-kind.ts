import {MemoryDisk} from '#devices/storage/memory';
import {invalidValue, parseSize} from '#support/options';
import {type DiskKind, parseWords} from './disk-kind.ts';
import {type MemorySource, mostMemoryBytes, sectorBytes} from './disk-source.ts';
import {isLength} from './file-kind.ts';

const lengths = `a multiple of ${sectorBytes} from ${sectorBytes} to 4G`;

/** `mem:LEN`. */
export const memoryKind: DiskKind<MemorySource> = {
	prefix: 'mem',
	form: 'mem:LEN (in RAM of the host, which only snapshots keep; a multiple of 512, at most 4G)',
	parse({option, words, rest}) {
		parseWords(words, option, []);
		const bytes = parseSize(rest, `${option} LEN`);
		if (!isMemoryLength(bytes)) throw invalidValue(`${option} LEN`, rest, lengths);
		return {kind: 'memory', bytes};
	},
	isRight: ({bytes}) => isMemoryLength(bytes),
	sharedBytes: ({bytes}) => wholePages(bytes) + pageBytes,
	savedPart: ({bytes}, offset) => ({offset: wholePages(offset), length: wholePages(bytes), mayBeNew: false}),
	open: async ({bytes}, {memory, offset, isReadOnly}) =>
		new MemoryDisk(new Uint8Array(memory, wholePages(offset), bytes), isReadOnly),
};

const pageBytes = 4096;
const wholePages = (bytes: number): number => Math.ceil(bytes / pageBytes) * pageBytes;

const isMemoryLength = (bytes: unknown): boolean => isLength(bytes) && (bytes as number) <= mostMemoryBytes;

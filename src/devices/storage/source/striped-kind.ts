import type {Disk} from '#devices/storage/disk';
import {StripedDisk} from '#devices/storage/striped';
import {invalidValue, parseSize} from '#support/options';
import {type DiskKind, nestedOption, parseWords} from './disk-kind.ts';
import {mostDisks, type StripedSource} from './disk-source.ts';

const [pageBytes, defaultBytes, mostBytes] = [4096, 2 ** 17, 2 ** 26];
const chunks = `a multiple of ${pageBytes} up to 64M`;
const prefix = 'striped';

/** `striped:[DISK][DISK]`, `striped;chunk=LEN:[DISK][DISK]`. */
export const stripedKind: DiskKind<StripedSource> = {
	prefix,
	form: 'striped:[DISK][DISK] (chunks of 128K on several disks of one length in turn; striped;chunk=LEN:[DISK][DISK] for others)',
	parse({option, words, rest, nested}) {
		const text = parseWords(words, `${option} ${prefix}`, ['chunk']).get('chunk');
		const chunk = text === undefined ? undefined : parseSize(text, `${option} ${prefix} chunk`);
		if (chunk !== undefined && !isChunk(chunk)) throw invalidValue(`${option} ${prefix} chunk`, text, chunks);
		const parts = bracketed(rest);
		if (parts === undefined || !isCount(parts.length))
			throw invalidValue(`${option} ${prefix}`, rest, `from 2 to ${mostDisks} disks, each between [ and ]`);
		const disks = parts.map((part, index) => nested(part, nestedOption(option, prefix, index, parts.length)));
		return {kind: 'striped', disks, ...(chunk !== undefined && {chunk})};
	},
	isRight: ({disks, chunk}) => Array.isArray(disks) && isCount(disks.length) && (chunk === undefined || isChunk(chunk)),
	disks: ({disks}) => disks,
	sharedBytes: () => 0,
	open: async ({chunk = defaultBytes}, {disks}) => new StripedDisk(disks as unknown as [Disk, ...Disk[]], chunk),
};

const isCount = (count: number): boolean => count >= 2 && count < mostDisks;
const isChunk = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) &&
	(bytes as number) > 0 &&
	(bytes as number) <= mostBytes &&
	(bytes as number) % pageBytes === 0;

/** What is between brackets that stand side by side, and may hold further ones; undefined for anything else. */
function bracketed(text: string): string[] | undefined {
	const parts: string[] = [];
	let [depth, start] = [0, 0];
	for (let at = 0; at < text.length; at++) {
		if (text[at] === '[' && depth++ === 0) start = at + 1;
		else if (text[at] === ']' && --depth === 0) parts.push(text.slice(start, at));
		if (depth < 0 || (depth === 0 && text[at] !== ']')) return undefined;
	}
	return depth === 0 ? parts : undefined;
}

import {
	type Attributes,
	type FileTime,
	FileType,
	type FolderSpace,
	mostNameBytes,
	permissionBits,
} from '#devices/folder';

/** Names in one directory of an object's. */
const mostNames = 2 ** 18;
const blockBytes = 4096;
/** Most of a mode, of an owner, of a count. */
const mostWord = 2 ** 32 - 1;

/** What an object tells of a file, but for what it has left out. */
export type ToldFile = Omit<Attributes, 'inode'> & {
	/** 0 where it tells none. */
	readonly inode: bigint;
};

type Plain = Readonly<Record<string, unknown>>;
const plainOf = (value: unknown): Plain => (typeof value === 'object' && value !== null ? (value as Plain) : {});

/** A whole number from 0 on, of a number or a bigint; `missing` where it is not there, and undefined for anything else. */
function whole(value: unknown, missing: number | undefined, most = Number.MAX_SAFE_INTEGER): number | undefined {
	if (value === undefined || value === null) return missing;
	if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
	const number = Number(value);
	return Number.isSafeInteger(number) && number >= 0 && number <= most ? number : undefined;
}

/** What stat(2) tells, of an object's answer; undefined for nonsense. */
export function toldFile(answer: unknown): ToldFile | undefined {
	const stat = plainOf(answer);
	const [mode, size] = [whole(stat['mode'], undefined, mostWord), whole(stat['size'], undefined)];
	const [links, uid, gid] = [
		whole(stat['nlink'], 1, mostWord),
		whole(stat['uid'], 0, mostWord),
		whole(stat['gid'], 0, mostWord),
	];
	const device = whole(stat['rdev'], 0);
	if (mode === undefined || size === undefined || links === undefined) return undefined;
	if (uid === undefined || gid === undefined || device === undefined) return undefined;
	if (!knownTypes.has(mode & FileType.MASK)) return undefined;
	const modified = timeOf(stat['mtimeMs'], {seconds: 0, nanoseconds: 0});
	const accessed = modified && timeOf(stat['atimeMs'], modified);
	const changed = modified && timeOf(stat['ctimeMs'], modified);
	if (modified === undefined || accessed === undefined || changed === undefined) return undefined;
	const born = stat['birthtimeMs'] === undefined ? undefined : timeOf(stat['birthtimeMs'], modified);
	return {
		inode: inodeOf(stat['ino']),
		mode: mode & (FileType.MASK | permissionBits),
		links,
		uid,
		gid,
		device: device % 2 ** 32,
		size,
		blocks: whole(stat['blocks'], undefined) ?? Math.ceil(size / 512),
		blockBytes,
		accessed,
		modified,
		changed,
		...(born !== undefined && {born}),
	};
}

const knownTypes: ReadonlySet<number> = new Set(Object.values(FileType).filter((type) => type !== FileType.MASK));

/** 0 for none. */
function inodeOf(value: unknown): bigint {
	if (typeof value === 'bigint') return value > 0n ? BigInt.asUintN(64, value) : 0n;
	return Number.isSafeInteger(value) && (value as number) > 0 ? BigInt(value as number) : 0n;
}

function timeOf(value: unknown, missing: FileTime): FileTime | undefined {
	if (value === undefined || value === null) return missing;
	const milliseconds = typeof value === 'bigint' ? Number(value) : value;
	if (typeof milliseconds !== 'number' || !(Math.abs(milliseconds) < 2 ** 53)) return undefined;
	const seconds = Math.floor(milliseconds / 1000);
	return {seconds, nanoseconds: Math.min(999_999_999, Math.floor((milliseconds - seconds * 1000) * 1e6))};
}

/** A name in a directory, as its bytes: one letter for each (latin1). */
export interface ToldName {
	readonly name: string;
	/** Bits of a mode; 0 where it is not known. */
	readonly type: number;
}

/** Names of a directory, without those that none can have; undefined for nonsense. */
export function toldNames(answer: unknown): ToldName[] | undefined {
	if (!Array.isArray(answer) || answer.length > mostNames) return undefined;
	const names: ToldName[] = [];
	for (const entry of answer) {
		const {name, type} = plainOf(entry);
		const bytes = bytesOfName(name);
		if (bytes === undefined) return undefined;
		names.push({name: bytes, type: whole(type, 0) ?? 0});
	}
	return names;
}

/** The bytes of a name that a program gives; undefined for what is none. */
function bytesOfName(name: unknown): string | undefined {
	if (typeof name !== 'string' || name === '' || name === '.' || name === '..') return undefined;
	if (name.includes('/') || name.includes('\0') || !name.isWellFormed()) return undefined;
	const bytes = Buffer.from(name).toString('latin1');
	return bytes.length <= mostNameBytes ? bytes : undefined;
}

/** Room of an object; undefined for nonsense. */
export function toldSpace(answer: unknown): FolderSpace | undefined {
	const {bsize, blocks, bfree, bavail, files, ffree} = plainOf(answer);
	const numbers = [bsize, blocks, bfree, bavail, files, ffree].map((value) => whole(value, 0));
	const [unit, all, free, available, nodes, freeNodes] = numbers as number[];
	if (numbers.includes(undefined) || unit === undefined || unit > mostWord) return undefined;
	return {
		blockBytes: unit,
		blocks: all as number,
		freeBlocks: free as number,
		availableBlocks: available as number,
		files: nodes as number,
		freeFiles: freeNodes as number,
		mostNameBytes,
	};
}

/** Room of an object that says nothing of it. */
export const unknownSpace: FolderSpace = {
	blockBytes,
	blocks: 0,
	freeBlocks: 0,
	availableBlocks: 0,
	files: 0,
	freeFiles: 0,
	mostNameBytes,
};

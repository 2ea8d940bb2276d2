import {keepFolder, keptFolder, type SavedFolder} from '#devices/folder';
import {mostFids, type SavedFid} from './fid-table.ts';

/** A client's session in a snapshot. */
export interface SavedSession {
	readonly folder: SavedFolder;
	readonly fids: readonly SavedFid[];
}

/** Room for what the folder has, and for fids behind it; a snapshot has what is not zero. */
const [folderBytes, fidsBytes] = [2 ** 24, 2 ** 22];
export const savedBytes: number = folderBytes + fidsBytes;
const lengthBytes = 4;

const partsOf = (memory: SharedArrayBuffer) => ({
	forFolder: new Uint8Array(memory, 0, folderBytes),
	forFids: new Uint8Array(memory, folderBytes, fidsBytes),
});

/** Writes a session. @returns false where there is not the room; then nothing of it is kept */
export function keepSession(memory: SharedArrayBuffer, {folder, fids}: SavedSession): boolean {
	const {forFolder, forFids} = partsOf(memory);
	const text = JSON.stringify(
		fids.map(({number, user, node, type, parent, name, handle}) => [number, user, node, type, parent, name, handle]),
	);
	const bytes = Buffer.from(text);
	const fits = lengthBytes + bytes.length <= fidsBytes && keepFolder(forFolder, folder);
	// What is not used is zero, and takes no room in a snapshot.
	const before = lengthOf(forFids);
	forFids.fill(0, 0, lengthBytes + before);
	if (!fits) return false;
	forFids.set(bytes, lengthBytes);
	new DataView(forFids.buffer, forFids.byteOffset).setUint32(0, bytes.length, true);
	return true;
}

/** Reads one, which may be anybody's. @returns undefined for what is none */
export function keptSession(memory: SharedArrayBuffer): SavedSession | undefined {
	const {forFolder, forFids} = partsOf(memory);
	const folder = keptFolder(forFolder);
	const text = Buffer.from(forFids.subarray(lengthBytes, lengthBytes + lengthOf(forFids))).toString();
	let rows: unknown;
	try {
		rows = JSON.parse(text);
	} catch {
		return undefined;
	}
	if (folder === undefined || !Array.isArray(rows) || rows.length > mostFids || !rows.every(isRow)) return undefined;
	const fids = rows.map(
		([number, user, node, type, parent, name, handle]) =>
			({number, user, node, type, parent, name, handle}) as SavedFid,
	);
	return new Set(fids.map(({number}) => number)).size === fids.length ? {folder, fids} : undefined;
}

const lengthOf = (bytes: Uint8Array): number =>
	Math.min(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true), bytes.length - lengthBytes);

const isNumber = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
/** A name in a directory, or nothing: the root has none. */
const isName = (value: unknown): boolean =>
	typeof value === 'string' && value.length <= 255 && !/^\.\.?$|[/\0\u{100}-\u{10ffff}]/u.test(value);

/** A fid as a list: its name is the sixth. */
const isRow = (row: unknown): row is readonly unknown[] =>
	Array.isArray(row) && row.length === 7 && row.every((cell, index) => (index === 5 ? isName(cell) : isNumber(cell)));

import {areRows, keepFolder, keepText, keptFolder, keptText, type SavedFolder} from '#devices/folder';
import {mostFids, type SavedFid} from './fid-table.ts';

/** A client's session in a snapshot. */
export interface SavedSession {
	readonly folder: SavedFolder;
	readonly fids: readonly SavedFid[];
}

/** Room for what the folder has, and for fids behind it; a snapshot has what is not zero. */
const [folderBytes, fidsBytes] = [2 ** 24, 2 ** 22];
export const savedBytes: number = folderBytes + fidsBytes;

/** A fid as a list, whose name is the sixth: see {@link areRows}. */
const columns = ['number', 'user', 'node', 'type', 'parent', 'name', 'handle'] as const;
const shape = 'nnnnnsn';

const partsOf = (memory: SharedArrayBuffer) => ({
	forFolder: new Uint8Array(memory, 0, folderBytes),
	forFids: new Uint8Array(memory, folderBytes, fidsBytes),
});

/** Writes a session. @returns false where there is not the room; then it is none */
export function keepSession(memory: SharedArrayBuffer, {folder, fids}: SavedSession): boolean {
	const {forFolder, forFids} = partsOf(memory);
	const rows = fids.map((fid) => columns.map((column) => fid[column]));
	// Both, so that nothing is left of an earlier one.
	const areKept = [keepFolder(forFolder, folder), keepText(forFids, rows)];
	return areKept.every(Boolean);
}

/** Reads one, which may be anybody's. @returns undefined for what is none */
export function keptSession(memory: SharedArrayBuffer): SavedSession | undefined {
	const {forFolder, forFids} = partsOf(memory);
	const [folder, rows] = [keptFolder(forFolder), keptText(forFids)];
	if (folder === undefined || !areRows(rows, shape) || rows.length > mostFids) return undefined;
	const fids = rows.map(
		(row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])) as unknown as SavedFid,
	);
	return new Set(fids.map(({number}) => number)).size === fids.length ? {folder, fids} : undefined;
}

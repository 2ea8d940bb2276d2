import type {SavedFolder, SavedHandle, SavedNode} from '#devices/folder';
import {mostFids, type SavedFid} from './fid-table.ts';

/** A client's session in a snapshot. */
export interface SavedSession {
	readonly folder: SavedFolder;
	readonly fids: readonly SavedFid[];
}

/** Room for it in a device's memory, of which a snapshot has what is not zero. */
export const savedBytes: number = 2 ** 24;
const lengthBytes = 4;

/**
 * Writes a session as lists of numbers and names.
 * @returns false where there is not the room; then nothing of it is kept
 */
export function keepSession(memory: SharedArrayBuffer, {folder: {nodes, handles, next}, fids}: SavedSession): boolean {
	const text = JSON.stringify({
		next,
		nodes: nodes.map(({id, parent, name, lookups}) => [id, parent, name, lookups]),
		handles: handles.map(({id, node, flags, isDirectory}) => [id, node, flags, Number(isDirectory)]),
		fids: fids.map(({number, user, node, type, parent, name, handle}) => [
			number,
			user,
			node,
			type,
			parent,
			name,
			handle,
		]),
	});
	const bytes = Buffer.from(text);
	const fits = lengthBytes + bytes.length <= savedBytes;
	const view = new DataView(memory);
	const before = Math.min(view.getUint32(0, true), savedBytes - lengthBytes);
	const target = new Uint8Array(memory, lengthBytes);
	// What is not used is zero, and takes no room in a snapshot.
	target.fill(0, fits ? bytes.length : 0, Math.max(before, fits ? bytes.length : 0));
	if (fits) target.set(bytes);
	view.setUint32(0, fits ? bytes.length : 0, true);
	return fits;
}

/** Reads one, which may be anybody's. @returns undefined for what is none */
export function keptSession(memory: SharedArrayBuffer): SavedSession | undefined {
	const length = new DataView(memory).getUint32(0, true);
	if (length === 0 || length > savedBytes - lengthBytes) return undefined;
	let parsed: unknown;
	try {
		parsed = JSON.parse(Buffer.from(memory, lengthBytes, length).toString());
	} catch {
		return undefined;
	}
	const {next, nodes, handles, fids} = Object(parsed) as Readonly<Record<string, unknown>>;
	const rows = {nodes: rowsOf(nodes, 'nnsn'), handles: rowsOf(handles, 'nnnn'), fids: rowsOf(fids, 'nnnnnsn')};
	if (!isNumber(next) || !rows.nodes || !rows.handles || !rows.fids || rows.fids.length > mostFids) return undefined;
	return {
		folder: {
			next,
			nodes: rows.nodes.map(([id, parent, name, lookups]) => ({id, parent, name, lookups}) as SavedNode),
			handles: rows.handles.map(
				([id, node, flags, directory]) => ({id, node, flags, isDirectory: directory !== 0}) as SavedHandle,
			),
		},
		fids: rows.fids.map(
			([number, user, node, type, parent, name, handle]) =>
				({number, user, node, type, parent, name, handle}) as SavedFid,
		),
	};
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
/** A name in a directory, or nothing. */
const isName = (value: unknown): boolean =>
	typeof value === 'string' && value.length <= 255 && !/^\.\.?$|[/\0\u{100}-\u{10ffff}]/u.test(value);

/** Lists of numbers (n) and names (s). */
function rowsOf(value: unknown, shape: string): readonly (readonly (number | string)[])[] | undefined {
	const fits = (row: unknown) =>
		Array.isArray(row) &&
		row.length === shape.length &&
		row.every((cell, index) => (shape[index] === 'n' ? isNumber(cell) : isName(cell)));
	return Array.isArray(value) && value.every(fits) ? value : undefined;
}

import type {SavedFolder, SavedHandle, SavedNode} from './saved-folder.ts';

const lengthBytes = 4;

/**
 * Writes what a folder has of its client into memory that snapshots have, as lists of numbers and names.
 * @returns false where there is not the room; then nothing of it is kept
 */
export function keepFolder(memory: Uint8Array, {nodes, handles, next}: SavedFolder): boolean {
	const bytes = Buffer.from(
		JSON.stringify({
			next,
			nodes: nodes.map(({id, parent, name, lookups}) => [id, parent, name, lookups]),
			handles: handles.map(({id, node, flags, isDirectory}) => [id, node, flags, Number(isDirectory)]),
		}),
	);
	const fits = lengthBytes + bytes.length <= memory.length;
	const kept = fits ? bytes.length : 0;
	const view = new DataView(memory.buffer, memory.byteOffset);
	const before = Math.min(view.getUint32(0, true), memory.length - lengthBytes);
	// What is not used is zero, and takes no room in a snapshot.
	memory.fill(0, lengthBytes + kept, lengthBytes + Math.max(before, kept));
	if (fits) memory.set(bytes, lengthBytes);
	view.setUint32(0, kept, true);
	return fits;
}

/** Reads it, which may be anybody's. @returns undefined for what is none */
export function keptFolder(memory: Uint8Array): SavedFolder | undefined {
	const length = new DataView(memory.buffer, memory.byteOffset).getUint32(0, true);
	if (length === 0 || length > memory.length - lengthBytes) return undefined;
	let parsed: unknown;
	try {
		parsed = JSON.parse(Buffer.from(memory.subarray(lengthBytes, lengthBytes + length)).toString());
	} catch {
		return undefined;
	}
	const {next, nodes, handles} = Object(parsed) as Readonly<Record<string, unknown>>;
	if (!(isNumber(next) && areRows(nodes, 'nnsn') && areRows(handles, 'nnnn'))) return undefined;
	return {
		next,
		nodes: nodes.map(([id, parent, name, lookups]) => ({id, parent, name, lookups}) as SavedNode),
		handles: handles.map(
			([id, node, flags, directory]) => ({id, node, flags, isDirectory: directory !== 0}) as SavedHandle,
		),
	};
}

const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** A name in a directory, or nothing. */
const isName = (value: unknown): boolean =>
	typeof value === 'string' && value.length <= 255 && !/^\.\.?$|[/\0\u{100}-\u{10ffff}]/u.test(value);

/** Lists of numbers (n) and names (s). */
function areRows(value: unknown, shape: string): value is readonly (readonly (number | string)[])[] {
	const fits = (row: unknown) =>
		Array.isArray(row) &&
		row.length === shape.length &&
		row.every((cell, index) => (shape[index] === 'n' ? isNumber(cell) : isName(cell)));
	return Array.isArray(value) && value.every(fits);
}

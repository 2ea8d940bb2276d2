import {areRows, isNumber, keepText, keptText} from './kept-text.ts';
import type {SavedFolder, SavedHandle, SavedNode} from './saved-folder.ts';

/**
 * Writes what a folder has of its client into memory that snapshots have, as lists of numbers and names.
 * @returns false where there is not the room; then nothing of it is kept
 */
export const keepFolder = (memory: Uint8Array, {nodes, handles, next}: SavedFolder): boolean =>
	keepText(memory, {
		next,
		nodes: nodes.map(({id, parent, name, lookups}) => [id, parent, name, lookups]),
		handles: handles.map(({id, node, flags, isDirectory}) => [id, node, flags, Number(isDirectory)]),
	});

/** Reads it, which may be anybody's. @returns undefined for what is none */
export function keptFolder(memory: Uint8Array): SavedFolder | undefined {
	const {next, nodes, handles} = Object(keptText(memory)) as Readonly<Record<string, unknown>>;
	if (!(isNumber(next) && areRows(nodes, 'nnsn') && areRows(handles, 'nnnn'))) return undefined;
	return {
		next,
		nodes: nodes.map(([id, parent, name, lookups]) => ({id, parent, name, lookups}) as SavedNode),
		handles: handles.map(
			([id, node, flags, directory]) => ({id, node, flags, isDirectory: directory !== 0}) as SavedHandle,
		),
	};
}

import {type FolderObject, objectCalls} from '#devices/folder/object';
import {checkPath, invalidValue, type PathHost, type ValueType} from '#support/options';
import type {ProgramHandle} from '#support/rpc';

/** What is shared: a directory of the host's by its path, or an object of the program's, of which a device has what it calls it by. */
export type SharedFolder = string | FolderObject | ProgramHandle;

const expected = 'a path of a directory, or an object with readdir() as node:fs/promises has it';

const isObject = (value: unknown): value is FolderObject =>
	typeof value === 'object' && value !== null && typeof (value as FolderObject).readdir === 'function';
const isHandle = (value: unknown): value is ProgramHandle =>
	typeof value === 'object' && value !== null && Number.isSafeInteger((value as ProgramHandle).programObject);

/** The option by which a folder is given. A flag gives a path alone. */
export const sharedFolderOption: ValueType<SharedFolder> = {
	placeholder: 'FOLDER',
	parse: (text) => text,
	check: (value, option) =>
		(typeof value === 'string' && value !== '') || isObject(value) || isHandle(value)
			? undefined
			: invalidValue(option, value, expected),
	checkHost: (value, option, host: PathHost) =>
		typeof value === 'string' ? checkPath(host, 'folder', value, option) : undefined,
	detach: (value, keep) => (isObject(value) ? keep(objectCalls(value)) : value),
};

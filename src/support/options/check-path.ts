import {dirname} from 'node:path';
import type {VmmError} from '#support/errors';
import {optionError} from './errors.ts';
import type {PathHost, PathKind} from './path-host.ts';

/**
 * Purpose of a configured path. `input`: a file that is read. `output`: a file that is written. `stream`: bytes are written to
 * it, so a device or a pipe will do. `listen`: a socket. `folder`: a directory that is there.
 */
export type PathUse = 'input' | 'output' | 'stream' | 'listen' | 'folder';

const streamKinds: readonly PathKind[] = ['file', 'character device', 'pipe'];

/** Says what is wrong with a configured path; undefined for nothing. */
export function checkPath(host: PathHost, use: PathUse, path: string, option: string): VmmError | undefined {
	if (path === '') return optionError('CONFIG_PATH_EMPTY', {option});
	const {kind, errno} = host.path(path);
	if (errno !== undefined) return optionError('CONFIG_PATH_UNREACHABLE', {option, path, errno});
	if (kind === 'missing') return checkMissing(host, use, path, option);
	if (use === 'folder') {
		if (kind !== 'directory') return optionError('CONFIG_PATH_NOT_FOLDER', {option, path, found: kind});
		return host.may(path, 'read')
			? undefined
			: optionError('CONFIG_PATH_DENIED', {option, path, access: 'read', denied: path});
	}
	if (use === 'listen') {
		return kind === 'socket' ? undefined : optionError('CONFIG_PATH_NOT_SOCKET', {option, path, found: kind});
	}
	if (kind !== 'file' && !(use === 'stream' && streamKinds.includes(kind))) {
		return optionError('CONFIG_PATH_NOT_FILE', {option, path, found: kind});
	}
	const access = use === 'input' ? 'read' : 'write';
	return host.may(path, access) ? undefined : optionError('CONFIG_PATH_DENIED', {option, path, access, denied: path});
}

function checkMissing(host: PathHost, use: PathUse, path: string, option: string): VmmError | undefined {
	if (use === 'input' || use === 'folder') {
		const parent = existingAncestor(host, path);
		return optionError('CONFIG_PATH_MISSING', {option, path, parent, found: host.path(parent).kind});
	}
	const parent = dirname(path);
	const {kind} = host.path(parent);
	if (kind !== 'directory') {
		const blocking = existingAncestor(host, path);
		const found = host.path(blocking).kind;
		if (found !== 'directory') return optionError('CONFIG_PATH_PARENT', {option, path, parent: blocking, found});
		return optionError('CONFIG_PATH_PARENT', {option, path, parent, found: kind});
	}
	if (host.may(parent, 'write')) return undefined;
	return optionError('CONFIG_PATH_DENIED', {option, path, access: 'write', denied: parent});
}

function existingAncestor(host: PathHost, path: string): string {
	let ancestor = dirname(path);
	while (host.path(ancestor).kind === 'missing' && dirname(ancestor) !== ancestor) ancestor = dirname(ancestor);
	return ancestor;
}

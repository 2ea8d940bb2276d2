import {accessSync, constants, statSync} from 'node:fs';

/** Kind of what a path leads to. `error`: it cannot be looked at. */
export type PathKind =
	| 'missing'
	| 'file'
	| 'directory'
	| 'socket'
	| 'pipe'
	| 'character device'
	| 'block device'
	| 'error';

/** Kind of what a path leads to, with the errno's name when that cannot be said. */
export interface PathState {
	readonly kind: PathKind;
	readonly errno?: string;
}

/** The host's files, as far as paths are checked against them. */
export interface PathHost {
	/** Follows symbolic links. */
	path(path: string): PathState;
	/** True when this process may read or write what is at `path`. */
	may(path: string, access: 'read' | 'write'): boolean;
}

/** The files of the host that this process runs on. */
export const linuxPaths: PathHost = {
	path(path) {
		try {
			return {kind: kindOf(path)};
		} catch (error) {
			return {kind: 'error', errno: (error as NodeJS.ErrnoException).code ?? String(error)};
		}
	},
	may(path, access) {
		try {
			accessSync(path, access === 'read' ? constants.R_OK : constants.W_OK);
			return true;
		} catch {
			return false;
		}
	},
};

function kindOf(path: string): PathKind {
	const stat = statSync(path, {throwIfNoEntry: false});
	if (!stat) return 'missing';
	if (stat.isFile()) return 'file';
	if (stat.isDirectory()) return 'directory';
	if (stat.isSocket()) return 'socket';
	if (stat.isFIFO()) return 'pipe';
	return stat.isCharacterDevice() ? 'character device' : 'block device';
}

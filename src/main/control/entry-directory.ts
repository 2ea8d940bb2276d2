import {existsSync, lstatSync, mkdirSync, readdirSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {controlError} from './errors.ts';
import {isMachineName} from './machine-name.ts';

/** Only its owner may enter. */
const directoryMode = 0o700;

const userId = (): number => process.getuid?.() ?? 0;

/**
 * Gives the directory in which this user's machines have a folder each: under `$XDG_RUNTIME_DIR`, else under the runtime
 * directory that systemd gives a user, else under the one for temporary files.
 */
export function entryDirectory(env: NodeJS.ProcessEnv = process.env): string {
	const {XDG_RUNTIME_DIR: given = ''} = env;
	const usual = `/run/user/${userId()}`;
	const base = given !== '' ? given : isOwn(usual) ? usual : tmpdir();
	return join(base, `openvmm-${userId()}`);
}

const isOwn = (path: string) => statSync(path, {throwIfNoEntry: false})?.uid === userId();

/**
 * Makes the directory. In one for everybody's temporary files somebody else may have been first.
 * @throws VmmError CONTROL_DIRECTORY_UNSAFE, CONTROL_SOCKET_FAILED
 */
export function makeEntryDirectory(path: string): void {
	try {
		mkdirSync(path, {mode: directoryMode});
	} catch (error) {
		const {code: errno = ''} = error as NodeJS.ErrnoException;
		if (errno !== 'EEXIST') throw controlError('CONTROL_SOCKET_FAILED', {path, errno}, {cause: error});
	}
	const found = whatIsUnsafe(path);
	if (found !== undefined) throw controlError('CONTROL_DIRECTORY_UNSAFE', {path, found});
}

function whatIsUnsafe(path: string): string | undefined {
	// Not statSync: a link leads wherever its owner wants.
	const stat = lstatSync(path);
	if (!stat.isDirectory()) return 'no directory';
	if (stat.uid !== userId()) return `another user's (${stat.uid})`;
	return (stat.mode & 0o077) === 0 ? undefined : 'open to others';
}

/** The names in the directory that a machine may have; none where it is not safe. */
export function namesIn(directory: string): string[] {
	if (!existsSync(directory) || whatIsUnsafe(directory) !== undefined) return [];
	return readdirSync(directory).filter(isMachineName);
}

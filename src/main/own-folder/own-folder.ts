import {createHash} from 'node:crypto';
import {mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync} from 'node:fs';
import {join} from 'node:path';

/**
 * Makes a folder that belongs to this process and has its name: once the process is gone, {@link removeLeftFolders} finds it.
 * @param prefix - how its name begins
 * @throws NodeJS.ErrnoException
 */
export const makeOwnFolder = (directory: string, prefix: string): string =>
	mkdtempSync(join(directory, `${prefix}${processesHere()}-${process.pid}-`));

/** Removes what processes that were killed have left of their own folders. One that cannot be removed is nobody's hindrance. */
export function removeLeftFolders(directory: string, prefix: string): void {
	const own = `${prefix}${processesHere()}-`;
	for (const name of readdirSync(directory)) {
		if (!name.startsWith(own) || isThere(Number(name.slice(own.length).split('-')[0]))) continue;
		try {
			rmSync(join(directory, name), {recursive: true, force: true});
		} catch {}
	}
}

/** Names what a process id is one of: a directory may be shared with containers and hosts, whose processes are not seen from here. */
function processesHere(): string {
	const parts = [readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'), readlinkSync('/proc/self/ns/pid')];
	return createHash('sha256').update(parts.join()).digest('hex').slice(0, 8);
}

function isThere(pid: number): boolean {
	if (!Number.isInteger(pid) || pid <= 0) return true;
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code !== 'ESRCH';
	}
}

/** Finds the programs that the incubator is made of. */

import {accessSync, constants, existsSync} from 'node:fs';
import {delimiter, join} from 'node:path';
import {IncubatorError} from './errors.ts';

const QEMU = 'qemu-system-x86_64';
/** QEMU's own virtiofsd (Debian 12) and the one that replaced it (Debian 13) take different flags. */
const FILE_SERVERS = [
	{path: '/usr/lib/qemu/virtiofsd', dialect: 'qemu'},
	{path: '/usr/libexec/virtiofsd', dialect: 'rust'},
] as const;

/** The file server, and which flags it takes. */
export interface FileServer {
	readonly path: string;
	readonly dialect: 'qemu' | 'rust';
}

/** The programs that are there. */
export interface HostTools {
	readonly qemu: string;
	readonly fileServer: FileServer;
}

/** Debian packages that are missing for {@link findHostTools}; empty when it will succeed. */
export function missingHostPackages(): string[] {
	const missing: string[] = [];
	if (findProgram(QEMU) === undefined) {
		missing.push('qemu-system-x86');
	}
	if (findFileServer() === undefined) {
		// On Debian 12 QEMU's package brings it along, later it is one of its own.
		missing.push(missing.length === 0 ? 'virtiofsd' : 'qemu-system-common');
	}
	return missing;
}

/** Locates QEMU and its file server; throws an error that names the packages to install. */
export function findHostTools(): HostTools {
	const qemu = findProgram(QEMU);
	const fileServer = findFileServer();
	if (qemu === undefined || fileServer === undefined) {
		throw new IncubatorError(
			`The incubator needs ${qemu === undefined ? 'QEMU' : 'the file server virtiofsd'}`,
			`Install it: apt-get install ${missingHostPackages().join(' ')}`,
		);
	}
	return {qemu, fileServer};
}

/** The full path of `name` on PATH, or undefined. */
export function findProgram(name: string): string | undefined {
	return (process.env['PATH'] ?? '')
		.split(delimiter)
		.map((folder) => join(folder, name))
		.find((path) => {
			try {
				accessSync(path, constants.X_OK);
				return true;
			} catch {
				return false;
			}
		});
}

function findFileServer(): FileServer | undefined {
	return FILE_SERVERS.find(({path}) => existsSync(path));
}

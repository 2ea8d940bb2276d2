import {readFileSync, renameSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ProcessIdentity} from './process-identity.ts';

/** Describes a machine to those who list it. */
export interface MachineDescription {
	/** The image or kernel that it was started with. */
	readonly image?: string;
	/** False where its console goes elsewhere, so that there is no log of it. */
	readonly hasConsole?: boolean;
	/** The command that it runs. */
	readonly command?: readonly string[];
	readonly processors?: number;
	/** Guest RAM in bytes. */
	readonly memoryBytes?: number;
	/** Unix socket by which ports of the guest are reached, at one of which its agent answers (`openvmm exec`). */
	readonly sockets?: string;
	/** What commands in it have if nothing else is said of them. */
	readonly commands?: CommandDefaults;
	/** Ports of the host that lead into the guest, as `127.0.0.1:8080->80/tcp`. */
	readonly ports?: readonly string[];
}

/** The image that a machine was asked for with, as those who list machines see it. */
export function imageText(image: string | {readonly image: string} | {readonly packages: readonly string[]}): string {
	if (typeof image === 'string') return image;
	return 'packages' in image ? `packages:${image.packages.join(',')}` : image.image;
}

/** What an image says of the commands in it. */
export interface CommandDefaults {
	readonly cwd?: string;
	readonly user?: string;
	readonly env: Readonly<Record<string, string>>;
}

/** How a machine came to its end. */
export interface MachineEnding {
	/** Milliseconds since 1970. */
	readonly at: number;
	/** Exit status of its `openvmm`; that of SIGKILL for a process that could not say it. */
	readonly status: number;
}

/** The file that says of a machine's folder whose it is. */
export interface MachineRecord {
	readonly version: typeof recordVersion;
	readonly process: ProcessIdentity;
	/** Milliseconds since 1970. */
	readonly createdAt: number;
	readonly about: MachineDescription;
	/** The folder stays when the machine has ended, until somebody removes it. */
	readonly keeps: boolean;
	readonly ended?: MachineEnding;
}

export const recordVersion = 1;

/** Longer than any record. */
const maxRecordBytes = 64 * 1024;

const fileIn = (folder: string): string => join(folder, 'machine.json');

/** Writes the record, whole or not at all. */
export function writeRecord(folder: string, record: MachineRecord): void {
	const file = fileIn(folder);
	const draft = `${file}.${process.pid}`;
	writeFileSync(draft, `${JSON.stringify(record)}\n`, {mode: 0o600});
	renameSync(draft, file);
}

/** The record of a folder; undefined where there is none, or it is not of this version. */
export function readRecord(folder: string): MachineRecord | undefined {
	const file = fileIn(folder);
	try {
		if (statSync(file).size > maxRecordBytes) return undefined;
		const record: MachineRecord = JSON.parse(readFileSync(file, 'utf8'));
		return record.version === recordVersion ? record : undefined;
	} catch {
		// It is being removed, or somebody else's.
		return undefined;
	}
}

import {closeSync, constants, fstatSync, openSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {snapshotError} from './errors.ts';
import {maxJsonBytes, snapshotFiles} from './files.ts';
import {errnoOf} from './folder.ts';
import {type Manifest, parseManifest, sha256} from './manifest.ts';

/** A snapshot that is open: any number of machines can be made from it. */
export interface OpenSnapshot {
	readonly directory: string;
	readonly manifest: Manifest;
	/** Every unit's state. Whoever takes it checks it. */
	readonly units: Readonly<Record<string, unknown>>;
	/** Descriptor of guest RAM, for reading and private mapping. */
	readonly memoryFd: number;
	/** Machines made from it live on. */
	close(): void;
}

/**
 * Opens a snapshot and checks everything but the contents of memory, which would take time that grows with it: see
 * `verifySnapshot`. The folder may be anybody's: files are taken from the folder itself only, and nothing is written.
 * @throws VmmError SNAPSHOT_UNREADABLE, SNAPSHOT_DAMAGED, SNAPSHOT_VERSION, SNAPSHOT_ARCHITECTURE
 */
export function openSnapshot(directory: string): OpenSnapshot {
	const manifest = parseManifest(readJson(directory, snapshotFiles.manifest), directory);
	const units = readUnits(directory, manifest);
	const memoryFd = openFile(directory, snapshotFiles.memory);
	const {bytes} = manifest.memory;
	const {size} = fstatSync(memoryFd);
	if (size !== bytes || bytes !== manifest.machine.memoryBytes) {
		closeSync(memoryFd);
		const cause = `has ${size} bytes, and the machine ${manifest.machine.memoryBytes}`;
		throw snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.memory, cause});
	}
	let isOpen = true;
	const close = () => {
		if (isOpen) closeSync(memoryFd);
		isOpen = false;
	};
	return {directory, manifest, units, memoryFd, close};
}

function readUnits(directory: string, {state}: Manifest): OpenSnapshot['units'] {
	const damaged = (cause: string) => snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.state, cause});
	const text = readJson(directory, snapshotFiles.state);
	const bytes = Buffer.byteLength(text);
	if (bytes !== state.bytes) throw damaged(`has ${bytes} bytes instead of ${state.bytes}`);
	if (sha256(text) !== state.sha256) throw damaged('does not match its checksum');
	let parsed: unknown;
	try {
		parsed = JSON.parse(text);
	} catch {
		throw damaged('is no JSON');
	}
	const {units} = (parsed ?? {}) as {units?: unknown};
	if (typeof units !== 'object' || units === null) throw damaged('has no units');
	return units as OpenSnapshot['units'];
}

/** A link could lead out of the folder, a pipe would never end. @returns a descriptor of a regular file */
function openFile(directory: string, file: string): number {
	try {
		const fd = openSync(join(directory, file), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
		if (fstatSync(fd).isFile()) return fd;
		closeSync(fd);
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw snapshotError('SNAPSHOT_UNREADABLE', {directory, file, errno}, {cause});
	}
	throw snapshotError('SNAPSHOT_DAMAGED', {directory, file, cause: 'is not a regular file'});
}

function readJson(directory: string, file: string): string {
	const fd = openFile(directory, file);
	try {
		const {size} = fstatSync(fd);
		if (size > maxJsonBytes) {
			const cause = `has ${size} bytes, more than any machine's`;
			throw snapshotError('SNAPSHOT_DAMAGED', {directory, file, cause});
		}
		return readFileSync(fd, 'utf8');
	} finally {
		closeSync(fd);
	}
}

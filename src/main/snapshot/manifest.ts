import {createHash} from 'node:crypto';
import {chunkBytes} from '#main/jobs';
import {isVmmError} from '#support/errors';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import {type SavedHypervisor, savedHypervisor} from './saved-hypervisor.ts';

const format = 'openvmm-snapshot';
/** Counts up when a folder's files change so that older programs would misread them. */
export const formatVersion = 3;

/** A machine's shape as a snapshot has it: only what is checked here may be relied on, all else is there to be compared. */
export type SavedShape = Readonly<Record<string, unknown>> & {
	readonly processors: number;
	readonly memoryBytes: number;
};

/** The description of a snapshot. */
export interface Manifest {
	/** ISO 8601. */
	readonly createdAt: string;
	readonly openvmmVersion: string;
	readonly architecture: string;
	/** See `MachineShape`. */
	readonly machine: SavedShape;
	readonly hypervisor: SavedHypervisor;
	/** Whether it booted the embedded guest, which is there to be booted again; other kernels have to be named again. */
	readonly boot: 'embedded' | 'other';
	/** Words of the command line that shape the machine, for restoring it from a command line. */
	readonly arguments: readonly string[];
	readonly state: {readonly bytes: number; readonly sha256: string};
	/** CRC-32 of every {@link chunkBytes} of memory, little-endian, as base64. */
	readonly memory: {readonly bytes: number; readonly checksums: string};
}

export const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex');

/** The manifest file's text: the manifest with its own checksum. */
export function formatManifest(manifest: Manifest): string {
	const hypervisor = savedHypervisor.save(manifest.hypervisor);
	const body = {format, version: formatVersion, ...manifest, hypervisor};
	return `${JSON.stringify({...body, sha256: sha256(JSON.stringify(body))}, null, '\t')}\n`;
}

/**
 * Checks what {@link formatManifest} wrote, as JSON; it may be anybody's.
 * @throws VmmError SNAPSHOT_DAMAGED, SNAPSHOT_VERSION, SNAPSHOT_ARCHITECTURE
 */
export function parseManifest(parsed: unknown, directory: string): Manifest {
	const damaged = (cause: string) =>
		snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.manifest, cause});
	if (!isRecord(parsed) || parsed['format'] !== format) throw damaged('does not describe a snapshot');
	const {sha256: checksum, ...body} = parsed;
	if (body['version'] !== formatVersion) {
		const {version: found, openvmmVersion: madeBy = 'of an unknown version'} = body;
		throw snapshotError('SNAPSHOT_VERSION', {directory, found, reads: formatVersion, madeBy});
	}
	if (checksum !== sha256(JSON.stringify(body))) throw damaged('does not match its checksum');
	const field = firstWrongField(body);
	if (field !== undefined) throw damaged(`has no usable ${field}`);
	const hypervisor = savedHypervisor.parse(body['hypervisor'], 'hypervisor');
	const manifest = {...(body as unknown as Manifest), hypervisor};
	if (manifest.architecture !== architecture)
		throw snapshotError('SNAPSHOT_ARCHITECTURE', {directory, found: manifest.architecture, host: architecture});
	return manifest;
}

/** This host's architecture, as OpenVMM calls it. */
export const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
const isText = (value: unknown) => typeof value === 'string';
const isSize = (value: unknown) => typeof value === 'number' && Number.isSafeInteger(value) && value > 0;

function isHypervisor(value: unknown): boolean {
	try {
		savedHypervisor.parse(value, 'hypervisor');
		return true;
	} catch (error) {
		if (isVmmError(error, 'STATE_FIELD_WRONG')) return false;
		throw error;
	}
}

/** The checksum only tells damage from health: a manifest made on purpose can still hold anything. */
function firstWrongField(body: Record<string, unknown>): string | undefined {
	const {machine, state, memory, arguments: words} = body;
	const {processors, memoryBytes} = isRecord(machine) ? machine : {};
	const {bytes: stateBytes, sha256: digest} = isRecord(state) ? state : {};
	const {bytes, checksums} = isRecord(memory) ? memory : {};
	const chunks = Math.ceil(Number(bytes) / chunkBytes);
	const isRight = {
		createdAt: isText(body['createdAt']),
		openvmmVersion: isText(body['openvmmVersion']),
		architecture: isText(body['architecture']),
		hypervisor: isHypervisor(body['hypervisor']),
		machine: isSize(processors) && isSize(memoryBytes),
		boot: body['boot'] === 'embedded' || body['boot'] === 'other',
		arguments: Array.isArray(words) && words.every(isText),
		state: isSize(stateBytes) && isText(digest),
		memory: isSize(bytes) && typeof checksums === 'string' && Buffer.from(checksums, 'base64').length === chunks * 4,
	};
	return Object.entries(isRight).find(([, right]) => !right)?.[0];
}

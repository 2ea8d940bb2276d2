import {pageBytes} from '#devices/guest-memory';
import {chunkBytes} from '#main/jobs';
import {isVmmError} from '#support/errors';
import {anyObject, listOf, partOf, textUpTo, wholeNumber} from '#support/saved-state';
import type {CpuChoice} from '#vcpu-worker/cpuid';
import {type AskedMachine, askedMachine, type SavedBoot, savedBoot, savedCpu} from './asked-machine.ts';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import {printable} from './printable.ts';
import {type SavedHypervisor, savedHypervisor} from './saved-hypervisor.ts';

const format = 'openvmm-snapshot';
const [mostParts, mostNameLetters] = [4096, 1024];
/** Counts up when a folder's files change so that older programs would misread them. */
export const formatVersion = 6;

/** A machine's shape as a snapshot has it: plain data that is there to be compared. */
export type SavedShape = Readonly<Record<string, unknown>> & Pick<AskedMachine, 'memoryBytes'>;

/** The description of a snapshot. */
export interface Manifest {
	/** ISO 8601. */
	readonly createdAt: string;
	readonly openvmmVersion: string;
	readonly architecture: string;
	/** See `MachineShape`. */
	readonly machine: SavedShape;
	readonly hypervisor: SavedHypervisor;
	readonly boot: SavedBoot;
	readonly cpu: CpuChoice;
	readonly state: {readonly bytes: number; readonly sha256: string};
	readonly memory: SavedMemoryFile;
	/** What disks have in memory, in parts that follow each other; each has checksums of its own in turn. */
	readonly disks: SavedMemoryFile & {readonly parts: readonly SavedDiskPart[]};
}

/** A file of memory. */
export interface SavedMemoryFile {
	readonly bytes: number;
	/** CRC-32 of every {@link chunkBytes}, little-endian, as base64. */
	readonly checksums: string;
}

/** Part of a device's host memory, which has a name there. */
export interface SavedDiskPart {
	readonly device: string;
	readonly name: string;
	/** Whole pages. */
	readonly bytes: number;
}

/** The same, read and checked. */
export interface ReadManifest extends Manifest {
	/** Part of {@link machine} that its configuration is made of. */
	readonly asked: AskedMachine;
	/** {@link machine} as JSON: the same for all machines that are as it was and list what they have in the same order. */
	readonly machineText: string;
}

const shortText = textUpTo(64);
const bytes = wholeNumber(Number.MAX_SAFE_INTEGER);
const checksums = textUpTo(Number.MAX_SAFE_INTEGER);
const name = textUpTo(mostNameLetters);
const fields = {
	createdAt: shortText,
	openvmmVersion: shortText,
	architecture: shortText,
	machine: anyObject,
	hypervisor: savedHypervisor,
	boot: savedBoot,
	cpu: savedCpu,
	state: partOf({bytes, sha256: shortText}),
	memory: partOf({bytes, checksums}),
	disks: partOf({bytes, checksums, parts: listOf(partOf({device: name, name, bytes}), mostParts)}),
};

export const sha256 = (data: string): string =>
	process.getBuiltinModule('node:crypto').createHash('sha256').update(data).digest('hex');

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
export function parseManifest(parsed: unknown, directory: string): ReadManifest {
	const damaged = (cause: string) =>
		snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.manifest, cause});
	if (!isRecord(parsed) || parsed['format'] !== format) throw damaged('does not describe a snapshot');
	const {sha256: checksum, ...body} = parsed;
	const {version: found, openvmmVersion: madeBy} = body;
	if (typeof found !== 'number' || typeof madeBy !== 'string') throw damaged('has no usable version');
	if (found !== formatVersion)
		throw snapshotError('SNAPSHOT_VERSION', {directory, found, reads: formatVersion, madeBy});
	if (checksum !== sha256(JSON.stringify(body))) throw damaged('does not match its checksum');
	const manifest = readFields(body, (field) => damaged(`has no usable ${printable(field)}`));
	if (manifest.architecture !== architecture)
		throw snapshotError('SNAPSHOT_ARCHITECTURE', {directory, found: manifest.architecture, host: architecture});
	return manifest;
}

/** This host's architecture, as OpenVMM calls it. */
export const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/** True where there is a checksum for each chunk of each part. */
const hasChecksums = (file: SavedMemoryFile, parts: readonly number[]): boolean =>
	Buffer.from(file.checksums, 'base64').length ===
	4 * parts.reduce((sum, size) => sum + Math.ceil(size / chunkBytes), 0);

const isRecord = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** The checksum only tells damage from health: a manifest made on purpose can still hold anything. */
function readFields(body: Readonly<Record<string, unknown>>, wrong: (field: string) => Error): ReadManifest {
	try {
		const entries = Object.entries(fields).map(([name, value]) => [name, value.parse(body[name], name)]);
		const manifest = Object.fromEntries(entries) as Manifest;
		const asked = askedMachine.parse(body['machine'], 'machine');
		const {memory, disks} = manifest;
		const sizes = disks.parts.map((part) => part.bytes);
		if (!hasChecksums(memory, [memory.bytes])) throw wrong('memory.checksums');
		if (sizes.some((size) => size % pageBytes !== 0)) throw wrong('disks.parts');
		if (sizes.reduce((sum, size) => sum + size, 0) !== disks.bytes) throw wrong('disks.bytes');
		if (!hasChecksums(disks, sizes)) throw wrong('disks.checksums');
		return {...manifest, asked, machineText: JSON.stringify(manifest.machine)};
	} catch (error) {
		if (!isVmmError(error, 'STATE_FIELD_WRONG')) throw error;
		const {struct, field} = error.context;
		throw wrong(field === 'all' ? `${struct}` : `${struct}.${field}`);
	}
}

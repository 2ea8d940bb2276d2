import {close, fstat} from 'node:fs';
import type {FileHandle} from 'node:fs/promises';
import {promisify} from 'node:util';
import {type Disk, DiskError, type DiskGeometry, type DiskRequest, requestError} from '#devices/storage/disk';
import {duplicate, errnoName} from '#support/ffi';
import {type EngineName, type IoEngine, openIoEngine} from '#support/io-engine';
import type {Reactor} from '#support/reactor';
import {f64, i32, u32, type ViewOf, wire} from '#support/wire';
import {fileDiskError} from './errors.ts';
import type {FileDiskConfig} from './file-config.ts';
import {FileIo} from './file-io.ts';
import {lengthOf, openFile, reopen} from './open-file.ts';

/** What the threads that use one file have in common. */
export const FileShare = wire('file-disk', {
	/** 0 until the first of them has opened the file, then 1, or -1 where it could not. */
	state: i32,
	/** The first one's descriptor, which the others duplicate. */
	fd: i32,
	sectorBytes: u32,
	physicalSectorBytes: u32,
	/** Its length now. */
	bytes: f64,
});

/** Parts of a disk of which several threads may have one each. */
export interface FileDiskParts {
	readonly config: FileDiskConfig;
	readonly isReadOnly: boolean;
	readonly reactor: Reactor;
	/** Number of the thread among them, from 0 on. */
	readonly worker: number;
	/** Zero at first. */
	readonly share: ViewOf<typeof FileShare>;
}

/** Time after which a first thread is dead that has not said whether it could open the file. */
const patienceMs = 60_000;
const mostClearedBytes = 2 ** 30;

/** A disk whose content is a file's. Nothing is copied between file and guest memory, but where direct I/O cannot take the memory. */
export class FileDisk implements Disk {
	readonly geometry: DiskGeometry;
	readonly isReadOnly: boolean;
	readonly mover: EngineName;
	readonly io: FileIo;
	readonly #path: string;
	readonly #engine: IoEngine;
	readonly #share: ViewOf<typeof FileShare>;
	readonly #isFirst: boolean;
	/** Has the first thread's lock, beside a file that it opened anew. */
	readonly #lockFd: number;
	#closing: Promise<void> | undefined;

	private constructor(
		fd: number,
		engine: IoEngine,
		{config, isReadOnly, worker, share}: FileDiskParts,
		lockFd: number = fd,
	) {
		this.#lockFd = lockFd;
		this.isReadOnly = isReadOnly;
		this.#path = config.path;
		this.#engine = engine;
		this.#share = share;
		this.#isFirst = worker === 0;
		const {sectorBytes, physicalSectorBytes} = share;
		const discardBytes = isReadOnly ? 0 : physicalSectorBytes;
		this.geometry = {sectorBytes, physicalSectorBytes, discardBytes, mostClearedBytes};
		this.mover = engine.name;
		this.io = new FileIo({fd, engine, alignment: config.direct ? sectorBytes : 1, goesOnWithZeros: false});
	}

	/**
	 * Opens the file on the first thread; the others keep its lock, and open it anew where they may: see {@link reopen}.
	 * @throws VmmError DISK_, IO_URING_UNAVAILABLE
	 */
	static async open(parts: FileDiskParts): Promise<FileDisk> {
		const {config, isReadOnly, reactor, worker, share} = parts;
		let engine: IoEngine | undefined;
		try {
			engine = openIoEngine(reactor, config.engine);
			if (worker === 0) return new FileDisk(await openFirst(config, isReadOnly, share), engine, parts);
			// Whoever goes meanwhile has no timers any more.
			await Atomics.waitAsync(share.$atomic, stateWord, 0, patienceMs).value;
			const lockFd = share.state === 1 ? duplicate(share.fd) : -1;
			if (lockFd >= 0) return new FileDisk(await openOther(lockFd, parts), engine, parts, lockFd);
			const errno = share.state === 1 ? errnoName(lockFd) : 'its first thread could not open it';
			throw fileDiskError('DISK_FILE_UNUSABLE', {path: config.path, doing: 'opened', errno});
		} catch (cause) {
			// The others look no more.
			if (worker === 0) tell(share, -1);
			await engine?.close();
			throw cause;
		}
	}

	get bytes(): number {
		return this.#share.bytes;
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error === DiskError.NONE) this.io.submit(request);
		else request.done(error);
	}

	/** What is written is in the file at once. */
	async settle(): Promise<void> {}

	async measure(): Promise<void> {
		const {sectorBytes} = this.geometry;
		const bytes = lengthOf(this.io.fd, await promisify(fstat)(this.io.fd));
		if (bytes < sectorBytes) throw fileDiskError('DISK_FILE_LENGTH', {path: this.#path, bytes, sector: sectorBytes});
		this.#share.bytes = Math.floor(bytes / sectorBytes) * sectorBytes;
	}

	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	/** Once: the descriptor's number may be another file's afterwards. */
	async #close(): Promise<void> {
		// One that comes later, as where a layer could not be opened over this one, would have whatever gets that number next.
		if (this.#isFirst) tell(this.#share, -1);
		await this.#engine.close();
		for (const fd of new Set([this.io.fd, this.#lockFd]))
			await new Promise<void>((resolve) => close(fd, () => resolve()));
	}
}

const stateWord = FileShare.word('state');

function tell({$atomic}: ViewOf<typeof FileShare>, state: number): void {
	Atomics.store($atomic, stateWord, state);
	Atomics.notify($atomic, stateWord);
}

/** Opens the file, and lets the other threads have it. */
async function openFirst(
	config: FileDiskConfig,
	isReadOnly: boolean,
	share: ViewOf<typeof FileShare>,
): Promise<number> {
	const {handle, bytes, sectorBytes, physicalSectorBytes} = await openFile(config, isReadOnly);
	const fd = await descriptorOf(handle);
	if (fd < 0) throw fileDiskError('DISK_FILE_UNUSABLE', {path: config.path, doing: 'kept open', errno: errnoName(fd)});
	Object.assign(share, {fd, bytes, sectorBytes, physicalSectorBytes});
	tell(share, 1);
	return fd;
}

/** The file anew; where it may not be opened, as by a process that has given up its rights, the same once more. */
async function openOther(fd: number, {config, isReadOnly}: FileDiskParts): Promise<number> {
	const handle = await reopen(fd, {direct: config.direct === true, isReadOnly}).catch(() => undefined);
	const own = handle === undefined ? fd : await descriptorOf(handle);
	return own >= 0 ? own : fd;
}

/** A handle closes its descriptor when it is collected. */
async function descriptorOf(handle: FileHandle): Promise<number> {
	const fd = duplicate(handle.fd);
	await handle.close();
	return fd;
}

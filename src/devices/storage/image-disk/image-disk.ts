import {
	type Disk,
	DiskError,
	type DiskGeometry,
	DiskOperation,
	type DiskRequest,
	diskLengthError,
	requestError,
} from '#devices/storage/disk';
import {type DirectFile, FileIo, reopenDirect} from '#devices/storage/file';
import {type DiskImage, type HostImageFile, type MappedRun, RunKind} from '#devices/storage/image';
import {isVmmError} from '#support/errors';
import {type EngineName, type IoEngine, openIoEngine} from '#support/io-engine';
import type {Reactor} from '#support/reactor';
import {ImageLayer} from './image-layer.ts';
import {ImageRequest, type ImageRequestOwner} from './image-request.ts';
import {PartRequest} from './part-request.ts';
import {RangeTurns} from './range-turns.ts';

/** Room for vectors that a part has at least. */
const fewVectors = 32;
const physicalSectorBytes = 4096;
const mostClearedBytes = 2 ** 28;

/** An image that is open, and how it is used. */
export interface ImageDiskParts {
	/** The image; it and what it lies over are the disk's from now on. */
	readonly image: DiskImage;
	/** Their files, whose tables go the same way as data. */
	readonly files?: readonly HostImageFile[];
	/** Closes them. */
	closeImages(): Promise<void>;
	readonly reactor: Reactor;
	/** What moves data; io_uring where the host has it, unless given. */
	readonly engine?: EngineName | undefined;
	/** Moves data past the host's page cache, as far as they are aligned in the file as it wants them. */
	readonly direct?: boolean | undefined;
}

/**
 * A disk that lies in an image of some format, of one thread. Data go straight between the files and guest memory; of the tables the image has what it
 * needs in memory, so that nothing is allocated for a request to what is mapped. What it writes into tables reaches the file with a flush.
 */
export class ImageDisk implements Disk, ImageRequestOwner {
	readonly geometry: DiskGeometry;
	readonly mover: EngineName;
	readonly top: ImageLayer;
	readonly run: MappedRun = {offset: 0, kind: RunKind.ZERO, length: 0, fileOffset: 0};
	fault: string | undefined;
	isClosing = false;
	readonly #closeImages: () => Promise<void>;
	readonly #files: readonly HostImageFile[];
	readonly #engine: IoEngine;
	/** Further descriptors of the files, for direct I/O. */
	readonly #direct: Direct;
	readonly #turns = new RangeTurns<ImageRequest>();
	/** Those that have nothing to do, to be used again. */
	readonly #free: ImageRequest[] = [];
	readonly #freeParts: PartRequest[] = [];
	/** Requests that the next flush is for, while one is under way. */
	#flushing: ImageRequest[] | undefined;
	#inFlight = 0;
	#emptied: (() => void) | undefined;
	/** In whole sectors, kept for those who ask with each request. */
	#bytes: number;
	#resizing: Promise<void> = Promise.resolve();
	#closing: Promise<void> | undefined;

	private constructor({image, files = [], closeImages}: ImageDiskParts, engine: IoEngine, direct: Direct) {
		this.#closeImages = closeImages;
		this.#files = files;
		for (const file of files) file.useEngine(engine);
		this.#engine = engine;
		this.#direct = direct;
		this.mover = engine.name;
		const {sectorBytes = 512, blockBytes} = image;
		const isReadOnly = !image.file.writable;
		const discardBytes = isReadOnly ? 0 : Math.max(sectorBytes, blockBytes);
		this.geometry = {sectorBytes, physicalSectorBytes, discardBytes, mostClearedBytes};
		this.top = this.#layer(image);
		this.#bytes = this.#wholeBytes;
	}

	/** @throws VmmError IO_URING_UNAVAILABLE, DISK_DIRECT_UNSUPPORTED; the images are closed then */
	static async open(parts: ImageDiskParts): Promise<ImageDisk> {
		const direct = new Map<DiskImage, DirectFile>();
		let engine: IoEngine | undefined;
		try {
			engine = openIoEngine(parts.reactor, parts.engine);
			for (let image = parts.direct ? parts.image : undefined; image !== undefined; image = image.below)
				if (image.file.fd !== undefined)
					direct.set(image, await reopenDirect(image.file.fd, image.file.path, !image.file.writable));
			return new ImageDisk(parts, engine, direct);
		} catch (cause) {
			for (const {handle} of direct.values()) await handle.close();
			await engine?.close();
			await parts.closeImages();
			throw cause;
		}
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Length of the image's disk in whole sectors. */
	get #wholeBytes(): number {
		const {sectorBytes} = this.geometry;
		return Math.floor(this.top.image.sizeBytes / sectorBytes) * sectorBytes;
	}

	get isReadOnly(): boolean {
		return !this.top.image.file.writable;
	}

	submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE) {
			request.done(error);
			return;
		}
		this.#inFlight++;
		const own = (this.#free.pop() ?? new ImageRequest(this)).of(request);
		if (request.operation === DiskOperation.FLUSH) this.flush(own);
		else this.#turns.begin(own);
	}

	takePart(vectors: number): PartRequest {
		const part = this.#freeParts.pop();
		return part !== undefined && part.vectors.capacity >= vectors
			? part
			: new PartRequest(Math.max(fewVectors, vectors));
	}

	givePart(part: PartRequest): void {
		this.#freeParts.push(part);
	}

	failed(cause: unknown): DiskError {
		this.fault = cause instanceof Error ? cause.message : String(cause);
		if (isVmmError(cause, 'DISK_IMAGE_FULL')) return DiskError.NO_SPACE;
		const errno = isVmmError(cause, 'DISK_IMAGE_FILE_FAILED') ? cause.context['errno'] : undefined;
		return typeof errno === 'string' && noSpace.includes(errno) ? DiskError.NO_SPACE : DiskError.IO;
	}

	/** One flush is for all that wait for one. */
	flush(request: ImageRequest): void {
		if (this.isReadOnly) request.flushed(DiskError.NONE);
		else if (this.#flushing === undefined) this.#flush([request]);
		else this.#flushing.push(request);
	}

	ended(request: ImageRequest, error: DiskError): void {
		const asked = request.request;
		if (asked.operation !== DiskOperation.FLUSH) this.#turns.end(request);
		this.#free.push(request);
		this.#inFlight--;
		asked.done(error);
		if (this.#inFlight === 0) this.#emptied?.();
	}

	/** Nobody else writes the image while it is open: it is as long as it was. */
	async measure(): Promise<void> {}

	/** Requests go on meanwhile. It gets no shorter: nobody knows what the guest has in what would go. */
	async resize(wanted: number): Promise<void> {
		const resizing = this.#resizing.then(() => this.#resize(wanted));
		this.#resizing = resizing.catch(() => {});
		await resizing;
	}

	async #resize(wanted: number): Promise<void> {
		const {bytes, isReadOnly} = this;
		const sector = this.geometry.sectorBytes;
		const refused = (cause: string) => diskLengthError('DISK_LENGTH_REFUSED', {bytes, wanted, sector, cause});
		if (this.isClosing) throw refused('it is being closed');
		if (isReadOnly) throw refused('it is only read');
		if (wanted < bytes) throw refused('it would lose what lies behind that');
		if (wanted % sector !== 0) throw refused('these are not whole sectors');
		if (wanted === bytes) return;
		await this.top.image.resize(wanted);
		this.#bytes = this.#wholeBytes;
	}

	/** Has the files hold all that was written, for whoever opens them next. When nothing is in flight. */
	async settle(): Promise<void> {
		if (this.top.image.isDirty) await this.top.image.flush();
	}

	/** What is in flight ends first: as far as it has been begun, and with an error from there on. */
	close(): Promise<void> {
		this.#closing ??= this.#close();
		return this.#closing;
	}

	async #close(): Promise<void> {
		this.isClosing = true;
		await this.#resizing;
		for (const file of this.#files) file.useEngine(undefined);
		await this.#engine.close();
		if (this.#inFlight > 0) {
			const {promise, resolve} = Promise.withResolvers<void>();
			this.#emptied = resolve;
			await promise;
		}
		for (const {handle} of this.#direct.values()) await handle.close();
		await this.#closeImages();
	}

	async #flush(first: ImageRequest[]): Promise<void> {
		for (let batch = first; batch.length > 0; batch = this.#flushing ?? []) {
			// What comes from now on is for the next one.
			this.#flushing = [];
			let error: DiskError = DiskError.NONE;
			try {
				await this.top.image.flush();
			} catch (cause) {
				error = this.failed(cause);
			}
			for (const request of batch) request.flushed(error);
		}
		this.#flushing = undefined;
	}

	#layer(image: DiskImage): ImageLayer {
		const {below, file} = image;
		const {fd} = file;
		const use = {engine: this.#engine, goesOnWithZeros: true};
		const cached = fd === undefined ? undefined : new FileIo({...use, fd, alignment: 1});
		const own = this.#direct.get(image);
		const direct = own && new FileIo({...use, fd: own.handle.fd, alignment: own.alignment});
		return new ImageLayer(image, below && this.#layer(below), cached, direct, (cause) => this.failed(cause));
	}
}

/** The files once more, for direct I/O, by their images. */
type Direct = ReadonlyMap<DiskImage, DirectFile>;

const noSpace: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];

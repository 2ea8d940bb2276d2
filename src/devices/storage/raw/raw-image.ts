import {
	type Allocation,
	appendExtent,
	type CheckResult,
	type DiskImage,
	type Extent,
	type ImageFacts,
	type ImageFile,
	imageError,
	type MappedRun,
	mostExtents,
	RunKind,
} from '#devices/storage/image';

const format = 'raw';
const sectorBytes = 512;

/** A file whose bytes are the disk's. Holes of a sparse file are zeros that take no space. */
export class RawImage implements DiskImage {
	readonly format = format;
	readonly file: ImageFile;
	readonly blockBytes = 4096;
	readonly below = undefined;
	readonly isDirty = false;
	#sizeBytes: number;

	constructor(file: ImageFile, sizeBytes: number) {
		this.file = file;
		this.#sizeBytes = sizeBytes;
	}

	get sizeBytes(): number {
		return this.#sizeBytes;
	}

	find(run: MappedRun, length: number): boolean {
		const {offset} = run;
		run.kind = RunKind.DATA;
		run.length = length;
		run.fileOffset = offset;
		return true;
	}

	async map(offset: number, length: number): Promise<readonly Extent[]> {
		const end = Math.min(offset + length, this.#sizeBytes);
		const extents: Extent[] = [];
		for (let at = offset; at < end && extents.length < mostExtents; ) {
			const found = await this.file.nextData(at);
			// A file that gets shorter meanwhile has nothing there.
			const data = found !== undefined && found.end > at ? found : undefined;
			const start = Math.min(data?.start ?? end, end);
			if (start > at) appendExtent(extents, {kind: 'zero', offset: at, length: start - at});
			const stop = Math.min(data?.end ?? end, end);
			if (stop > start) appendExtent(extents, {kind: 'data', offset: start, length: stop - start, fileOffset: start});
			at = Math.max(start, stop);
		}
		return extents;
	}

	async allocate(offset: number, length: number): Promise<Allocation> {
		if (offset + length > this.#sizeBytes)
			throw new RangeError(`${offset} + ${length} is beyond a disk of ${this.#sizeBytes}`);
		return {targets: [{offset, length, fileOffset: offset}], finish: async () => {}, abandon: async () => {}};
	}

	async zero(offset: number, length: number): Promise<void> {
		await this.file.punch(offset, Math.min(length, this.#sizeBytes - offset));
	}

	discard(offset: number, length: number): Promise<void> {
		return this.zero(offset, length);
	}

	flush(): Promise<void> {
		return this.file.flush();
	}

	async resize(sizeBytes: number): Promise<void> {
		if (sizeBytes % sectorBytes !== 0)
			throw imageError('DISK_IMAGE_SIZE_INVALID', {
				path: this.file.path,
				format,
				sizeBytes,
				what: `it is no multiple of ${sectorBytes}`,
			});
		await this.file.truncate(sizeBytes);
		this.#sizeBytes = sizeBytes;
		await this.file.flush();
	}

	/** Anything is a raw image. */
	async check(): Promise<CheckResult> {
		return {leaks: 0, faultCount: 0, faults: [], repaired: 0};
	}

	facts(): ImageFacts {
		return {};
	}

	async close(): Promise<void> {
		try {
			if (this.file.writable) await this.file.flush();
		} finally {
			await this.file.close();
		}
	}
}

/** Opens a raw image: as large as its file. */
export const openRaw = async (file: ImageFile): Promise<RawImage> => new RawImage(file, await file.size());

/** Makes an empty file a raw image without data. @throws VmmError DISK_IMAGE_SIZE_INVALID */
export const createRaw = async (file: ImageFile, {sizeBytes}: {readonly sizeBytes: number}): Promise<void> =>
	new RawImage(file, 0).resize(sizeBytes);

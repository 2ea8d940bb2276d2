import {DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import type {FileIo} from '#devices/storage/file';
import type {DiskImage, ImageFile} from '#devices/storage/image';

/** Moves bytes of an image's file. */
interface FileMover {
	submit(request: DiskRequest): void;
}

/** An image, what it lies over, and how the bytes of its file are moved. */
export class ImageLayer {
	readonly image: DiskImage;
	readonly below: ImageLayer | undefined;
	readonly #cached: FileMover;
	readonly #direct: FileIo | undefined;

	/**
	 * @param cached - by the host's page cache; without it the file moves its bytes itself
	 * @param direct - past it, for what is aligned
	 */
	constructor(
		image: DiskImage,
		below: ImageLayer | undefined,
		cached: FileIo | undefined,
		direct: FileIo | undefined,
		failed: (cause: unknown) => DiskError,
	) {
		this.image = image;
		this.below = below;
		this.#cached = cached ?? new CopyingMover(image.file, failed);
		this.#direct = direct;
	}

	/** Moves bytes of the file; offsets are those in it. */
	submit(request: DiskRequest): void {
		const {offset, length} = request;
		const direct = this.#direct;
		const isAligned =
			direct !== undefined && offset % direct.limits.alignment === 0 && length % direct.limits.alignment === 0;
		(isAligned ? direct : this.#cached).submit(request);
	}
}

/** For files whose bytes are not all where a descriptor says: a log that is replayed in memory. */
class CopyingMover implements FileMover {
	readonly #file: ImageFile;
	readonly #failed: (cause: unknown) => DiskError;

	constructor(file: ImageFile, failed: (cause: unknown) => DiskError) {
		this.#file = file;
		this.#failed = failed;
	}

	submit(request: DiskRequest): void {
		this.#move(request).then(
			() => request.done(DiskError.NONE),
			(cause) => request.done(this.#failed(cause)),
		);
	}

	async #move({operation, offset, length, vectors}: DiskRequest): Promise<void> {
		const bytes = new Uint8Array(length);
		if (operation === DiskOperation.READ) {
			await this.#file.read(offset, bytes);
			vectors.copyIn(0, bytes, 0, length);
		} else {
			vectors.copyOut(0, bytes, 0, length);
			await this.#file.write(offset, bytes);
		}
	}
}

import {
	type Allocation,
	type CheckResult,
	type DiskImage,
	type Extent,
	Faults,
	type ImageFacts,
	type ImageFile,
	imageError,
	type MappedRun,
} from '#devices/storage/image';
import {RawImage} from '#devices/storage/raw';
import {type Footer, footerBytes, format, mostBytes, withSize} from './structures.ts';

/** A fixed VHD: the disk as it is, and a footer behind it. */
export class FixedVhd implements DiskImage {
	readonly format = format;
	readonly file: ImageFile;
	readonly below = undefined;
	readonly isDirty = false;
	readonly blockBytes = 4096;
	#raw: RawImage;
	#footer: Buffer;

	constructor(file: ImageFile, footer: Footer) {
		this.file = file;
		this.#raw = new RawImage(file, footer.sizeBytes);
		this.#footer = footer.bytes;
	}

	get sizeBytes(): number {
		return this.#raw.sizeBytes;
	}

	find(run: MappedRun, length: number): boolean {
		return this.#raw.find(run, length);
	}

	map(offset: number, length: number): Promise<readonly Extent[]> {
		return this.#raw.map(offset, length);
	}

	allocate(offset: number, length: number): Promise<Allocation> {
		return this.#raw.allocate(offset, length);
	}

	zero(offset: number, length: number): Promise<void> {
		return this.#raw.zero(offset, length);
	}

	discard(offset: number, length: number): Promise<void> {
		return this.#raw.zero(offset, length);
	}

	flush(): Promise<void> {
		return this.file.flush();
	}

	/** The new footer is on stable storage before the old one goes. */
	async resize(sizeBytes: number): Promise<void> {
		const old = this.sizeBytes;
		checkSize(this.file.path, sizeBytes);
		if (sizeBytes === old) return;
		const footer = withSize(this.#footer, sizeBytes);
		// Where nothing is, nothing is lost: what is between reads as zeros but for the old footer.
		await this.file.write(sizeBytes, footer);
		await this.file.flush();
		if (sizeBytes > old) await this.file.write(old, new Uint8Array(Math.min(footerBytes, sizeBytes - old)));
		else await this.file.truncate(sizeBytes + footerBytes);
		await this.file.flush();
		this.#footer = footer;
		this.#raw = new RawImage(this.file, sizeBytes);
	}

	async check(): Promise<CheckResult> {
		const faults = new Faults();
		const fileBytes = await this.file.size();
		if (fileBytes < this.sizeBytes + footerBytes)
			faults.add(`the file has ${fileBytes} bytes, fewer than its disk of ${this.sizeBytes} and a footer`);
		return faults.result;
	}

	facts(): ImageFacts {
		return {kind: 'fixed'};
	}

	close(): Promise<void> {
		return this.#raw.close();
	}
}

/** @throws VmmError DISK_IMAGE_SIZE_INVALID */
export function checkSize(path: string, sizeBytes: number): void {
	if (sizeBytes > 0 && sizeBytes % 512 === 0 && sizeBytes <= mostBytes) return;
	const what = `it has a multiple of 512 bytes, and no more than 2040 GiB`;
	throw imageError('DISK_IMAGE_SIZE_INVALID', {path, format, sizeBytes, what});
}

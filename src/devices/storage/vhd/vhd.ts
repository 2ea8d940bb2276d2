import {type DiskImage, type ImageFile, imageError} from '#devices/storage/image';
import {DynamicVhd} from './dynamic.ts';
import {checkSize, FixedVhd} from './fixed.ts';
import {
	DiskType,
	footerBytes,
	format,
	headerBytes,
	makeFooter,
	makeHeader,
	mostTableBytes,
	readFooter,
} from './structures.ts';

/** What a new image is to be. */
export interface VhdOptions {
	readonly sizeBytes: number;
	/** A power of two from 4 KiB to 256 MiB; 2 MiB without it. */
	readonly blockBytes?: number | undefined;
	/** The disk as it is, with a footer behind it. */
	readonly fixed?: boolean | undefined;
}

/** Opens a VHD, fixed or dynamic. @throws VmmError DISK_IMAGE_DAMAGED, DISK_IMAGE_UNSUPPORTED */
export async function openVhd(file: ImageFile): Promise<DiskImage> {
	const {footer, isAtEnd, fileBytes} = await readFooter(file);
	if (footer.type === DiskType.dynamic) return DynamicVhd.open(file, footer, fileBytes, isAtEnd);
	if (file.writable && fileBytes < footer.sizeBytes + footerBytes) {
		// The guest would write over the footer.
		const what = `the file has ${fileBytes} bytes, fewer than its disk of ${footer.sizeBytes} and a footer`;
		throw imageError('DISK_IMAGE_DAMAGED', {path: file.path, format, what});
	}
	return new FixedVhd(file, footer);
}

/** Writes an image without data into an empty file. @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_OPTION_INVALID */
export async function createVhd(file: ImageFile, options: VhdOptions): Promise<void> {
	const {sizeBytes, blockBytes = 2 ** 21, fixed = false} = options;
	checkSize(file.path, sizeBytes);
	const invalid = (what: string) => imageError('DISK_IMAGE_OPTION_INVALID', {path: file.path, format, what});
	if (fixed) {
		if (options.blockBytes !== undefined) throw invalid('a fixed one has no blocks');
		await file.write(sizeBytes, makeFooter(sizeBytes, DiskType.fixed));
		return file.flush();
	}
	if (!Number.isInteger(Math.log2(blockBytes)) || blockBytes < 4096 || blockBytes > 2 ** 28)
		throw invalid('a block has a power of two of bytes, from 4K to 256M');
	if (Math.ceil(sizeBytes / blockBytes) * 4 > mostTableBytes)
		throw invalid(`blocks of ${blockBytes} bytes are too small for ${sizeBytes}`);
	const footer = makeFooter(sizeBytes, DiskType.dynamic);
	const tableOffset = footerBytes + headerBytes;
	const entries = Math.ceil(sizeBytes / blockBytes);
	const table = Buffer.alloc(Math.ceil((entries * 4) / 512) * 512, 0xff);
	await file.write(footerBytes, makeHeader({tableOffset, entries, blockBytes}));
	await file.write(tableOffset, Buffer.concat([table, footer]));
	await file.flush();
	await file.write(0, footer);
	await file.flush();
}

import {type BackingReference, type DiskImage, type ImageFile, imageError} from '#devices/storage/image';
import {ReplayedFile, readLog, replayLog} from './log.ts';
import {encodeParentLocator, parseParentLocator} from './parent-locator.ts';
import {
	batShape,
	encodeHeader,
	encodeRegions,
	format,
	guidBytes,
	guids,
	MiB,
	mostBytes,
	newGuid,
	PayloadState,
	places,
	readHeader,
	readMetadata,
	readRegions,
	tableBytes,
} from './structures.ts';
import {VhdxImage} from './vhdx-image.ts';

/** What a new image is to be. */
export interface VhdxOptions {
	readonly sizeBytes: number;
	/** A power of two from 1 MiB to 256 MiB; 2 MiB without it. */
	readonly blockBytes?: number | undefined;
	/** All blocks have their places. */
	readonly fixed?: boolean | undefined;
	/** The VHDX that it lies over. */
	readonly backing?: BackingReference | undefined;
}

/** An image that has been read as far as it says what it lies over. */
export interface BegunVhdx {
	readonly backing: BackingReference | undefined;
	open(below?: DiskImage): Promise<VhdxImage>;
}

/**
 * Reads an image's structures. The log is replayed: into the file where that is written, in memory where it is not.
 * @throws VmmError DISK_IMAGE_DAMAGED, DISK_IMAGE_UNSUPPORTED
 */
export async function beginVhdx(given: ImageFile): Promise<BegunVhdx> {
	const {path} = given;
	const damaged = (what: string) => imageError('DISK_IMAGE_DAMAGED', {path, format, what});
	const found = await readHeader(given);
	const replay = await readLog(given, found);
	if (replay !== undefined && given.writable) await replayLog(given, replay);
	const file = replay !== undefined && !given.writable ? new ReplayedFile(given, replay) : given;
	let header = found;
	if (replay !== undefined && given.writable) {
		// The log has nothing any more.
		header = {...found, slot: found.slot === 0 ? 1 : 0, sequence: found.sequence + 1n, logGuid: guids.none};
		await file.write(places.headers[header.slot], encodeHeader(header));
		await file.flush();
	}
	const regions = await readRegions(file);
	const [bat, metadataRegion] = [guids.bat, guids.metadata].map((guid) =>
		regions.find((region) => region.guid === guid),
	);
	if (bat === undefined || metadataRegion === undefined) throw damaged('it lacks its table or its metadata');
	const metadata = await readMetadata(file, metadataRegion);
	const {entries} = batShape(path, metadata.sizeBytes, metadata);
	if (entries * 8 > bat.bytes) throw damaged(`its table has ${bat.bytes} bytes, too few for ${metadata.sizeBytes}`);
	const parent = metadata.parentLocator === undefined ? undefined : parseParentLocator(metadata.parentLocator);
	if (metadata.hasParent && parent?.path === undefined) throw damaged('it does not say what it lies over');
	return {
		backing: parent?.path === undefined ? undefined : {name: parent.path, format, identities: parent.linkages},
		async open(below) {
			const table = Buffer.alloc(entries * 8);
			await file.read(bat.offset, table);
			return new VhdxImage({file, header, regions, metadata, table, below});
		},
	};
}

/** Writes an image without data into an empty file. @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_OPTION_INVALID */
export async function createVhdx(file: ImageFile, options: VhdxOptions): Promise<void> {
	const {sizeBytes, blockBytes = 2 * MiB, fixed = false, backing} = options;
	const {path} = file;
	const invalid = (what: string) => imageError('DISK_IMAGE_OPTION_INVALID', {path, format, what});
	if (!Number.isInteger(Math.log2(blockBytes)) || blockBytes < MiB || blockBytes > 256 * MiB)
		throw invalid('a block has a power of two of bytes, from 1M to 256M');
	if (sizeBytes === 0 || sizeBytes % 512 !== 0 || sizeBytes > mostBytes) {
		const what = 'it has a multiple of 512 bytes, and no more than 64 TiB';
		throw imageError('DISK_IMAGE_SIZE_INVALID', {path, format, sizeBytes, what});
	}
	if (fixed && backing !== undefined) throw invalid('a fixed one lies over no other');
	const [linkage] = backing?.identities ?? [];
	if (backing !== undefined && linkage === undefined) throw invalid('it lies over images of its own format only');
	const hasParent = backing !== undefined;
	const {entries, chunk} = batShape(path, sizeBytes, {blockBytes, sectorBytes: 512, hasParent});
	const batBytes = Math.ceil((entries * 8) / MiB) * MiB;
	const [logOffset, metadataOffset, batOffset] = [MiB, 2 * MiB, 3 * MiB];
	const end = batOffset + batBytes;
	const regions = encodeRegions([
		{guid: guids.bat, offset: batOffset, bytes: batBytes},
		{guid: guids.metadata, offset: metadataOffset, bytes: MiB},
	]);
	const metadata = encodeMetadata(
		sizeBytes,
		blockBytes,
		fixed,
		backing && encodeParentLocator(backing.name, linkage ?? ''),
	);
	if (metadata.length > MiB) throw invalid('the path of the image below is too long');
	await file.write(metadataOffset, metadata);
	if (fixed) {
		const table = Buffer.alloc(entries * 8);
		for (let block = 0; block * blockBytes < sizeBytes; block++) {
			const place = BigInt((end + block * blockBytes) / MiB);
			table.writeBigUInt64LE((place << 20n) | BigInt(PayloadState.full), (block + Math.floor(block / chunk)) * 8);
		}
		await file.write(batOffset, table);
	}
	await file.truncate(fixed ? end + Math.ceil(sizeBytes / blockBytes) * blockBytes : end);
	for (const place of places.regionTables) await file.write(place, regions);
	const guidsOfIt = {fileWriteGuid: newGuid(), dataWriteGuid: newGuid(), logGuid: guids.none};
	for (const [slot, place] of places.headers.entries())
		await file.write(place, encodeHeader({...guidsOfIt, sequence: BigInt(slot + 1), logOffset, logBytes: MiB}));
	await file.flush();
	const identifier = Buffer.alloc(520);
	identifier.write('vhdxfile', 0, 'latin1');
	identifier.write('openvmm', 8, 'utf16le');
	await file.write(0, identifier);
	await file.flush();
}

/** The metadata of a new image: the table, and the items behind it. */
function encodeMetadata(sizeBytes: number, blockBytes: number, fixed: boolean, locator: Buffer | undefined): Buffer {
	const u32s = (...values: readonly number[]) => Buffer.from(Uint32Array.from(values).buffer);
	const size = Buffer.alloc(8);
	size.writeBigUInt64LE(BigInt(sizeBytes));
	/** Needed by whoever reads the image; needed, and about the disk. */
	const [file, disk] = [4, 6];
	const items: readonly (readonly [guid: string, bytes: Buffer, flags: number])[] = [
		[guids.fileParameters, u32s(blockBytes, (fixed ? 1 : 0) | (locator === undefined ? 0 : 2)), file],
		[guids.diskSize, size, disk],
		[guids.page83, guidBytes(newGuid()), disk],
		[guids.logicalSector, u32s(512), disk],
		[guids.physicalSector, u32s(4096), disk],
		...(locator === undefined ? [] : [[guids.parentLocator, locator, file] as const]),
	];
	const table = Buffer.alloc(tableBytes);
	table.write('metadata', 0, 'latin1');
	table.writeUInt16LE(items.length, 10);
	let end = tableBytes;
	for (const [index, [guid, bytes, flags]] of items.entries()) {
		const at = 32 + index * 32;
		guidBytes(guid).copy(table, at);
		table.writeUInt32LE(end, at + 16);
		table.writeUInt32LE(bytes.length, at + 20);
		table.writeUInt32LE(flags, at + 24);
		end += bytes.length;
	}
	return Buffer.concat([table, ...items.map(([, bytes]) => bytes)]);
}

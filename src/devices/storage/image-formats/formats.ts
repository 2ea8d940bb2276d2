import {extname} from 'node:path';
import {type BackingReference, type DiskImage, type ImageFile, imageError} from '#devices/storage/image';
import {createQcow2, Qcow2Image, readQcow2Header} from '#devices/storage/qcow2';
import {createRaw, openRaw} from '#devices/storage/raw';
import {createVhd, openVhd} from '#devices/storage/vhd';
import {beginVhdx, createVhdx} from '#devices/storage/vhdx';
import {diskError} from './errors.ts';

/** An image whose header has been read: what it lies over is known, and not open yet. */
export interface BegunImage {
	readonly backing: BackingReference | undefined;
	open(below: DiskImage | undefined): Promise<DiskImage>;
}

/** What a new image is to be; a format refuses what it does not have. */
export interface NewImage {
	readonly sizeBytes: number;
	/** The unit of allocation. */
	readonly blockBytes?: number | undefined;
	/** What it lies over. */
	readonly backing?: BackingReference | undefined;
	/** Version of qcow2. */
	readonly version?: 2 | 3 | undefined;
	readonly lazyRefcounts?: boolean | undefined;
	/** How blocks are compressed, of which only a conversion makes any (qcow2). */
	readonly compression?: 'zlib' | 'zstd' | undefined;
	/** All of the disk has its place from the beginning (VHD, VHDX). */
	readonly fixed?: boolean | undefined;
}

/** A format of images. */
export interface Format {
	/** Endings of paths that say it. */
	readonly extensions: readonly string[];
	/** What can be said of a new image beside its size. */
	readonly options: readonly Exclude<keyof NewImage, 'sizeBytes'>[];
	begin(file: ImageFile): Promise<BegunImage>;
	/** Writes an image without data into an empty file. Use {@link createImage}. */
	create(file: ImageFile, image: NewImage): Promise<void>;
}

/** What OpenVMM keeps the state of a guest's firmware in (VMGS): a VHD that is fixed. */
const stateExtension = '.vmgs';

/** The formats, by name. */
export const formats = {
	raw: {
		extensions: ['.raw', '.img', '.iso'],
		options: [],
		begin: async (file) => ({backing: undefined, open: () => openRaw(file)}),
		create: (file, image) => createRaw(file, image),
	},
	qcow2: {
		extensions: ['.qcow2'],
		options: ['blockBytes', 'backing', 'version', 'lazyRefcounts', 'compression'],
		async begin(file) {
			const header = await readQcow2Header(file);
			return {backing: header.backing, open: (below) => Qcow2Image.open(file, header, below)};
		},
		create: (file, {blockBytes: clusterBytes, ...image}) => createQcow2(file, {...image, clusterBytes}),
	},
	vhd: {
		extensions: ['.vhd', stateExtension],
		options: ['blockBytes', 'fixed'],
		begin: async (file) => ({backing: undefined, open: () => openVhd(file)}),
		create: (file, image) => createVhd(file, image),
	},
	vhdx: {
		extensions: ['.vhdx'],
		options: ['blockBytes', 'fixed', 'backing'],
		begin: (file) => beginVhdx(file),
		create: (file, image) => createVhdx(file, image),
	},
} as const satisfies Readonly<Record<string, Format>>;

/** Name of a format. */
export type FormatName = keyof typeof formats;

/** Names of all formats. */
export const formatNames = Object.keys(formats) as readonly FormatName[];

/** Names that QEMU has for a format. */
const aliases: Readonly<Record<string, FormatName>> = {vpc: 'vhd'};

/** The format that a path says by what it ends in. */
export function formatSaid(path: string): FormatName | undefined {
	const extension = extname(path).toLowerCase();
	return formatNames.find((known) => (formats[known].extensions as readonly string[]).includes(extension));
}

/** True for a new VHD that has to be fixed, since others know no else by what its path ends in. */
export const saysFixed = (path: string, format: FormatName): boolean =>
	format === 'vhd' && extname(path).toLowerCase() === stateExtension;

/**
 * The format of an image: the one that is stated, or what the path ends in says. The bytes are not asked: a guest can have written
 * them.
 * @throws VmmError DISK_FORMAT_INVALID, DISK_FORMAT_UNKNOWN
 */
export function formatOf(path: string, stated: string | undefined): FormatName {
	if (stated !== undefined) {
		const name = formatNames.find((known) => known === (aliases[stated] ?? stated));
		if (name === undefined) throw diskError('DISK_FORMAT_INVALID', {path, format: stated, known: formatNames});
		return name;
	}
	const name = formatSaid(path);
	if (name === undefined) throw diskError('DISK_FORMAT_UNKNOWN', {path, known: formatNames});
	return name;
}

/** How a person says the options of a new image. */
const optionNames = {
	blockBytes: 'units of its own',
	backing: 'another one below it',
	version: 'versions',
	lazyRefcounts: 'lazy reference counts',
	compression: 'compressed blocks',
	fixed: 'fixed disks',
} as const satisfies Record<Exclude<keyof NewImage, 'sizeBytes'>, string>;

/** Writes an image without data into an empty file. @throws VmmError DISK_IMAGE_SIZE_INVALID, DISK_IMAGE_OPTION_INVALID */
export async function createImage(format: FormatName, file: ImageFile, image: NewImage): Promise<void> {
	const {create, options} = formats[format] as Format;
	for (const [option, name] of Object.entries(optionNames) as [keyof typeof optionNames, string][]) {
		const value = image[option];
		if (value === undefined || value === false || options.includes(option)) continue;
		throw imageError('DISK_IMAGE_OPTION_INVALID', {path: file.path, format, what: `the format has no ${name}`});
	}
	await create(file, image);
}

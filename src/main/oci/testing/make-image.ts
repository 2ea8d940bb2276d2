import {createHash} from 'node:crypto';
import {mkdir, writeFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {gzipSync, zstdCompressSync} from 'node:zlib';
import {type MadeMember, makeTar} from '#main/tar/testing';

/** Bytes by their checksum, as manifests name them. */
export interface MadeBlob {
	readonly mediaType: string;
	readonly digest: string;
	readonly size: number;
	readonly bytes: Buffer;
}

/** A layer for tests: members, or an archive as it is. */
export type MadeLayer = readonly MadeMember[] | Buffer;

/** An image for tests. */
export interface MadeImage {
	readonly layers: readonly MadeLayer[];
	readonly compression?: 'gzip' | 'zstd';
	/** Its `config`. */
	readonly config?: Readonly<Record<string, unknown>>;
	/** Fields of its configuration beside or in place of the usual ones. */
	readonly fields?: Readonly<Record<string, unknown>>;
	/** Docker's media types. */
	readonly docker?: boolean;
	/** Of all its checksums; SHA-256 without it. */
	readonly algorithm?: 'sha256' | 'sha512';
}

/** The parts of an image. */
export interface MadeParts {
	readonly manifest: MadeBlob;
	readonly config: MadeBlob;
	readonly layers: readonly MadeBlob[];
	/** By their digests. */
	readonly blobs: ReadonlyMap<string, MadeBlob>;
}

export const digestOf = (bytes: Uint8Array, algorithm: 'sha256' | 'sha512' = 'sha256'): string =>
	`${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;

export function makeBlob(
	mediaType: string,
	content: Uint8Array | string | object,
	algorithm?: 'sha256' | 'sha512',
): MadeBlob {
	const text = typeof content === 'string' || content instanceof Uint8Array ? content : JSON.stringify(content);
	const bytes = Buffer.from(text as string);
	return {mediaType, digest: digestOf(bytes, algorithm), size: bytes.length, bytes};
}

const types = {
	oci: {
		manifest: 'application/vnd.oci.image.manifest.v1+json',
		config: 'application/vnd.oci.image.config.v1+json',
		layer: 'application/vnd.oci.image.layer.v1.tar',
	},
	docker: {
		manifest: 'application/vnd.docker.distribution.manifest.v2+json',
		config: 'application/vnd.docker.container.image.v1+json',
		layer: 'application/vnd.docker.image.rootfs.diff.tar',
	},
} as const;

/** What names a blob in a manifest. */
export const descriptorOf = ({mediaType, digest, size}: MadeBlob) => ({mediaType, digest, size});

/** Makes an image. */
export function makeImage({
	layers,
	compression,
	config = {},
	fields = {},
	docker = false,
	algorithm,
}: MadeImage): MadeParts {
	const type = docker ? types.docker : types.oci;
	const archives = layers.map((layer) => (Buffer.isBuffer(layer) ? layer : makeTar(layer)));
	const packed = archives.map((archive) => {
		const bytes =
			compression === 'gzip' ? gzipSync(archive) : compression === 'zstd' ? zstdCompressSync(archive) : archive;
		const ending = compression === undefined ? '' : docker ? `.${compression}` : `+${compression}`;
		return makeBlob(`${type.layer}${ending}`, bytes, algorithm);
	});
	const configBlob = makeBlob(
		type.config,
		{
			os: 'linux',
			architecture: 'amd64',
			config,
			rootfs: {type: 'layers', diff_ids: archives.map((each) => digestOf(each, algorithm))},
			...fields,
		},
		algorithm,
	);
	const manifest = makeBlob(
		type.manifest,
		{
			schemaVersion: 2,
			mediaType: type.manifest,
			config: descriptorOf(configBlob),
			layers: packed.map(descriptorOf),
		},
		algorithm,
	);
	const blobs = new Map([manifest, configBlob, ...packed].map((blob) => [blob.digest, blob]));
	return {manifest, config: configBlob, layers: packed, blobs};
}

/** Writes a folder of the OCI image layout. @param names - of its images @returns the folder */
export async function writeLayout(folder: string, images: Readonly<Record<string, MadeParts>>): Promise<string> {
	for (const [path, bytes] of layoutFiles(images)) {
		await mkdir(dirname(join(folder, path)), {recursive: true});
		await writeFile(join(folder, path), bytes);
	}
	return folder;
}

/** The files of a layout, by their paths. */
export function layoutFiles(images: Readonly<Record<string, MadeParts>>): Map<string, Buffer> {
	const manifests = Object.entries(images).map(([name, {manifest}]) => ({
		...descriptorOf(manifest),
		annotations: {'org.opencontainers.image.ref.name': name},
	}));
	const files = new Map<string, Buffer>([
		['oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}')],
		['index.json', Buffer.from(JSON.stringify({schemaVersion: 2, manifests}))],
	]);
	for (const {blobs} of Object.values(images))
		for (const {digest, bytes} of blobs.values()) files.set(`blobs/${digest.replace(':', '/')}`, bytes);
	return files;
}

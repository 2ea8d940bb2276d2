/** Folders of the OCI image layout (OCI image specification 1.1, "Image Layout"). */

import {constants} from 'node:fs';
import {type FileHandle, open} from 'node:fs/promises';
import {join} from 'node:path';
import type {ContentSource} from './complete-image.ts';
import {digestAlgorithm} from './digest.ts';
import {ociError} from './errors.ts';
import type {ImageStore} from './image-store.ts';
import {type Imported, importPieces} from './import-file.ts';
import {JsonObject, mostJsonBytes} from './json.ts';
import {type Descriptor, forPlatform, parseManifest} from './manifest.ts';
import {parseReference, referenceText} from './reference.ts';

/** An image to take of several, and where it is. */
export interface LayoutImage {
	readonly where: string;
	readonly image: string | undefined;
}

/** Reads the index of a folder and gives the image that is asked for. @throws VmmError OCI_* */
export async function layoutTop(path: string, image: string | undefined): Promise<Descriptor> {
	const version = JsonObject.parse(`${path}/oci-layout`, await smallFile(path, 'oci-layout'));
	checkLayoutVersion(path, version);
	return topOf({where: path, image}, await smallFile(path, 'index.json'));
}

/** @throws VmmError OCI_UNSUPPORTED */
export function checkLayoutVersion(path: string, layout: JsonObject): void {
	const found = layout.text('imageLayoutVersion') ?? 'none';
	if (!/^1\.\d+\.\d+$/.test(found))
		throw ociError('OCI_UNSUPPORTED', {of: path, what: `its layout has version ${JSON.stringify(found.slice(0, 40))}`});
}

/** The image of a layout's index that is asked for, or the only one. @throws VmmError OCI_IMAGE_AMBIGUOUS, OCI_IMAGE_UNKNOWN */
export function topOf({where, image}: LayoutImage, index: Uint8Array): Descriptor {
	const parsed = parseManifest(`The index of ${where}`, index, 'application/vnd.oci.image.index.v1+json');
	if (parsed.kind === 'manifest') throw new TypeError('an index was parsed as a manifest');
	const {manifests} = parsed;
	const nameOf = ({names, digest}: (typeof manifests)[number]) => names[0] ?? digest;
	const isAsked = ({names, digest}: (typeof manifests)[number]) =>
		image === undefined || digest === image || names.some((each) => each === image || isWholeName(each, image));
	const asked = manifests.filter(isAsked);
	const shown = (all: typeof manifests) => [...new Set(all.map(nameOf))].slice(0, 20).map((each) => each.slice(0, 100));
	const [first] = asked;
	if (first === undefined) throw ociError('OCI_IMAGE_UNKNOWN', {name: image ?? where, has: shown(manifests)});
	if (new Set(asked.map((each) => each.digest)).size === 1) return first;
	if (new Set(asked.map(({names}) => names[0])).size === 1) return forPlatform({...parsed, manifests: asked});
	throw ociError('OCI_IMAGE_AMBIGUOUS', {where, names: shown(asked)});
}

/** True where a name is what a person writes shorter: `docker.io/library/debian:12` for `debian:12`. */
function isWholeName(name: string, written: string): boolean {
	try {
		return name === referenceText(parseReference(written));
	} catch {
		return false;
	}
}

/** The parts of a folder, which are copied into the cache. */
export function layoutSource(store: ImageStore, path: string): ContentSource {
	return {
		where: path,
		async fetch({digest, size}, _kind, came) {
			const name = `blobs/${digest.replace(':', '/')}`;
			await using file = await openPlain(path, name).catch((error) => {
				if (error.code === 'ENOENT') throw ociError('OCI_BLOB_MISSING', {digest, where: path});
				throw error;
			});
			const damaged = (found: string) => ociError('OCI_BLOB_DAMAGED', {digest, where: path, found});
			async function* pieces() {
				let done = 0;
				for await (const piece of file.createReadStream({highWaterMark: 2 ** 20, autoClose: false})) {
					done += (piece as Buffer).length;
					if (done > size) throw damaged(`it has more than ${size} bytes`);
					came(done);
					yield piece as Uint8Array;
				}
			}
			const accept = (found: Imported) => {
				if (found.digest !== digest || found.size !== size) throw damaged(`${found.size} bytes of ${found.digest}`);
			};
			await importPieces(store, pieces(), accept, digestAlgorithm(digest));
		},
	};
}

async function smallFile(path: string, name: string): Promise<Uint8Array> {
	await using file = await openPlain(path, name).catch((error: NodeJS.ErrnoException) => {
		if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
		throw ociError('OCI_PATH_UNUSABLE', {path, what: `it is no folder of the OCI image layout: it has no ${name}`});
	});
	const {size} = await file.stat();
	if (size > mostJsonBytes)
		throw ociError('OCI_TOO_LARGE', {of: `${path}/${name}`, what: `${size} bytes`, most: mostJsonBytes});
	const bytes = Buffer.alloc(size);
	const {bytesRead} = await file.read(bytes, 0, size, 0);
	return bytes.subarray(0, bytesRead);
}

/** Opens a file that is no link and nothing that a reader would wait for. */
async function openPlain(folder: string, name: string): Promise<FileHandle> {
	const path = join(folder, name);
	const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error) => {
		if (error.code === 'ELOOP') throw ociError('OCI_PATH_UNUSABLE', {path, what: 'it is a link'});
		throw error;
	});
	if ((await file.stat()).isFile()) return file;
	await file.close();
	throw ociError('OCI_PATH_UNUSABLE', {path, what: 'it is no plain file'});
}

/** Archives of images: those of the OCI image layout, and what `docker save` writes (moby, image/spec: "Combined Image JSON + Filesystem Changeset Format"). */

import {posix} from 'node:path';
import {decompressStream, findCompression, isBomb} from '#main/compression';
import {gather, type TarForms, type TarMember, tarMembers} from '#main/tar';
import {digestAlgorithm, digestForm} from './digest.ts';
import {ociError} from './errors.ts';
import {filePieces} from './file-pieces.ts';
import type {ImageStore} from './image-store.ts';
import {type Imported, importPieces} from './import-file.ts';
import {JsonObject, mostJsonBytes} from './json.ts';
import {checkLayoutVersion, topOf} from './layout.ts';
import type {Descriptor} from './manifest.ts';

/** Names by which archives of images are told from root file systems. */
const marks = ['oci-layout', 'manifest.json'] as const;
/** Images in one archive have some hundred parts. */
const mostMembers = 2 ** 16;
const mostImages = 1024;

/** The members of an archive that may be compressed, as its name says. */
function membersOf(path: string, came: (bytes: number) => void, forms: TarForms): AsyncGenerator<TarMember, void> {
	const fault = faultOf(path);
	let done = 0;
	const file = filePieces(path, (bytes) => {
		done = bytes;
		came(bytes);
	});
	async function* counted(pieces: AsyncIterable<Uint8Array>) {
		let bytes = 0;
		for await (const piece of pieces) {
			bytes += piece.length;
			if (isBomb(bytes, done)) throw ociError('OCI_ARCHIVE_BOMB', {path, bytes, from: done});
			yield piece;
		}
	}
	const format = compressionOf(path);
	const faults = {truncated: () => fault('it is cut off'), damaged: fault, unsupported: fault};
	const pieces = format === undefined ? file : counted(decompressStream(file, format, faults));
	return tarMembers(pieces, fault, {...forms, looseEnd: true});
}

/** How an archive is compressed, by its name. */
export const compressionOf = (path: string): 'gzip' | 'zstd' | undefined =>
	/gz$/.test(path) ? 'gzip' : /zst$/.test(path) ? 'zstd' : undefined;

const faultOf = (path: string) => (what: string) => ociError('OCI_ARCHIVE_INVALID', {path, what});
const nameOf = ({path}: TarMember): string => posix.normalize(path).replace(/^(?:\.?\/)+/, '');

/** True for an archive of images, false for one of a root file system: its members tell it, by their names alone. */
export async function isImageArchive(path: string, came: (bytes: number) => void): Promise<boolean> {
	const found = new Set<string>();
	for await (const member of membersOf(path, came, {sparse: true})) {
		const name = nameOf(member);
		// A system that has such a file in its root has folders of its own beside it.
		if (/^(?:bin|etc|usr|sbin|lib)(?:\/|$)/.test(name)) return false;
		if (member.kind === 'file' && marks.some((mark) => mark === name)) found.add(name);
	}
	return found.size > 0;
}

/**
 * Copies the parts of an archive's images into the cache, and gives the image that is asked for.
 * @throws VmmError OCI_*
 */
export async function importArchive(
	store: ImageStore,
	path: string,
	image: string | undefined,
	came: (bytes: number) => void,
): Promise<Descriptor> {
	const {texts, parts} = await importMembers(store, path, came);
	const [layout, index, saved] = ['oci-layout', 'index.json', 'manifest.json'].map((name) => texts.get(name));
	if (layout !== undefined && index !== undefined) {
		checkLayoutVersion(path, JsonObject.parse(`${path}, oci-layout,`, layout));
		return topOf({where: path, image}, index);
	}
	if (saved === undefined) throw faultOf(path)('it has neither an index.json with an oci-layout, nor a manifest.json');
	return savedImage(store, {path, image, parts}, saved);
}

interface Members {
	/** Texts that tell what is in the archive. */
	readonly texts: ReadonlyMap<string, Uint8Array>;
	/** Parts of images, by their names. */
	readonly parts: ReadonlyMap<string, Imported>;
}

async function importMembers(store: ImageStore, path: string, came: (bytes: number) => void): Promise<Members> {
	const fault = faultOf(path);
	const texts = new Map<string, Uint8Array>();
	const parts = new Map<string, Imported>();
	/** Other names of parts, which may come before them. */
	const links = new Map<string, string>();
	let members = 0;
	for await (const member of membersOf(path, came, {})) {
		if (++members > mostMembers) throw fault(`it has more than ${mostMembers} files`);
		const name = nameOf(member);
		const digest = name.startsWith('blobs/') ? name.slice('blobs/'.length).replace('/', ':') : '';
		if (member.kind === 'symbolic-link') links.set(name, posix.join(posix.dirname(name), member.target));
		else if (member.kind === 'hard-link') links.set(name, nameOf({...member, path: member.target}));
		else if (member.kind !== 'file') continue;
		else if (['oci-layout', 'index.json', 'manifest.json'].includes(name)) {
			if (member.length > mostJsonBytes)
				throw ociError('OCI_TOO_LARGE', {of: `${path}, ${name},`, what: `${member.length} bytes`, most: mostJsonBytes});
			texts.set(name, await gather(member.content));
		} else if (digestForm.test(digest)) {
			await store.requireRoom(member.length);
			const accept = (found: Imported) => {
				if (found.digest !== digest)
					throw ociError('OCI_BLOB_DAMAGED', {digest, where: path, found: `${found.size} bytes of ${found.digest}`});
			};
			parts.set(name, await importPieces(store, member.content, accept, digestAlgorithm(digest)));
		} else if (/\.(?:tar|json)$/.test(name)) {
			await store.requireRoom(member.length);
			parts.set(name, await importPieces(store, member.content, () => {}));
		}
	}
	for (const [name, target] of links) {
		const found = parts.get(target) ?? parts.get(links.get(target) ?? '');
		if (found !== undefined) parts.set(name, found);
	}
	return {texts, parts};
}

interface SavedImages {
	readonly path: string;
	readonly image: string | undefined;
	readonly parts: ReadonlyMap<string, Imported>;
}

const layerType = 'application/vnd.oci.image.layer.v1.tar';

/** Makes the manifest of an image that `docker save` tells of in its own way. Its layers are compressed as their first bytes say. */
async function savedImage(store: ImageStore, {path, image, parts}: SavedImages, text: Uint8Array): Promise<Descriptor> {
	const of = `${path}, manifest.json,`;
	const list = JsonObject.parse(of, Buffer.from(`{"images": ${Buffer.from(text).toString('utf8')}}`));
	const images = list.objects('images', mostImages).map((each) => {
		return {each, names: each.texts('RepoTags', mostImages), config: each.text('Config') ?? ''};
	});
	const asked = images.filter(({names}) => image === undefined || names.includes(image));
	const [first, second] = asked;
	const has = images.flatMap(({names, config}) => (names.length > 0 ? names : [config]));
	const shown = has.slice(0, 20).map((name) => name.slice(0, 100));
	if (first === undefined) throw ociError('OCI_IMAGE_UNKNOWN', {name: image ?? path, has: shown});
	if (second !== undefined) throw ociError('OCI_IMAGE_AMBIGUOUS', {where: path, names: shown});
	const partOf = (name: string): Imported => {
		const found = parts.get(posix.normalize(name));
		if (found === undefined)
			throw ociError('OCI_BLOB_MISSING', {digest: JSON.stringify(name.slice(0, 200)), where: path});
		return found;
	};
	const layers = first.each.texts('Layers', mostImages).map((name) => {
		const {digest, size, start} = partOf(name);
		const found = findCompression(start)?.format;
		if (found !== undefined && found !== 'gzip' && found !== 'zstd')
			throw ociError('OCI_UNSUPPORTED', {of: path, what: `a layer of it is compressed as ${found}`});
		return {mediaType: found === undefined ? layerType : `${layerType}+${found}`, digest, size};
	});
	const {digest, size} = partOf(first.config);
	const mediaType = 'application/vnd.oci.image.manifest.v1+json';
	const config = {mediaType: 'application/vnd.oci.image.config.v1+json', digest, size};
	const bytes = Buffer.from(JSON.stringify({schemaVersion: 2, mediaType, config, layers}));
	return {mediaType, digest: await store.add(bytes), size: bytes.length};
}

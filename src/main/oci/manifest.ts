/** Indexes and manifests of images (OCI image specification 1.1; Docker image manifest version 2, schema 2, which says the same). */

import type {StreamFormat} from '#main/compression';
import {digestExpected, digestForm} from './digest.ts';
import {ociError} from './errors.ts';
import {JsonObject, mostJsonBytes} from './json.ts';

/** Bytes by their checksum. */
export interface Descriptor {
	readonly mediaType: string;
	/** `sha256:` and 64 hexadecimal digits, or `sha512:` and 128. */
	readonly digest: string;
	readonly size: number;
}

/** A layer, and how it is compressed. */
export interface Layer extends Descriptor {
	readonly compression: StreamFormat | undefined;
}

/** What an image consists of. */
export interface Manifest {
	readonly kind: 'manifest';
	readonly config: Descriptor;
	/** The lowest first. */
	readonly layers: readonly Layer[];
}

/** Images for several platforms. */
export interface Index {
	readonly kind: 'index';
	readonly of: string;
	readonly manifests: readonly IndexEntry[];
}

interface IndexEntry extends Descriptor {
	/** `OS/ARCHITECTURE[/VARIANT]`; undefined where the index does not say it. */
	readonly platform: string | undefined;
	/** Names that a layout gives it, the one that tells most first. */
	readonly names: readonly string[];
}

/** What names an image in a layout: of containerd, which docker save writes with all of the name, and of OCI, which is often the tag alone. */
const nameAnnotations = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];

/** Media types of what is fetched as a manifest, those that are wanted most first. */
export const manifestTypes = {
	'application/vnd.oci.image.index.v1+json': 'index',
	'application/vnd.docker.distribution.manifest.list.v2+json': 'index',
	'application/vnd.oci.image.manifest.v1+json': 'manifest',
	'application/vnd.docker.distribution.manifest.v2+json': 'manifest',
} as const satisfies Readonly<Record<string, 'index' | 'manifest'>>;

const layerTypes: Readonly<Record<string, StreamFormat | undefined>> = {
	'application/vnd.oci.image.layer.v1.tar': undefined,
	'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
	'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
	'application/vnd.oci.image.layer.nondistributable.v1.tar': undefined,
	'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip': 'gzip',
	'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd': 'zstd',
	'application/vnd.docker.image.rootfs.diff.tar': undefined,
	'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
	'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
};
const configTypes = [
	'application/vnd.oci.image.config.v1+json',
	'application/vnd.docker.container.image.v1+json',
] as const;

/** Docker stacks 127 at most. */
const mostLayers = 512;
const mostManifests = 1024;
/** Of one layer, as it is transferred. */
const mostLayerBytes = 2 ** 36;

/** The platform of all machines here. */
export const platform = {os: 'linux', architecture: 'amd64'} as const;
/** Variants of x86-64 in the order in which they are taken: what needs the least of a processor runs on each. */
const variants = [undefined, 'v1', 'v2', 'v3', 'v4'];

/**
 * Parses an index or a manifest.
 * @param type - as whoever gave it calls it; the text itself may say it too, and then both say the same
 * @throws VmmError OCI_JSON_INVALID, OCI_UNSUPPORTED, OCI_TOO_LARGE
 */
export function parseManifest(of: string, bytes: Uint8Array, type: string | undefined): Manifest | Index {
	const json = JsonObject.parse(of, bytes);
	const said = json.text('mediaType');
	if (said !== undefined && type !== undefined && said !== type)
		throw json.wrong(`it is given as ${quoted(type)} and says that it is ${quoted(said)}`);
	const found = said ?? type;
	if (json.has('schemaVersion') && json.number('schemaVersion') !== 2)
		throw ociError('OCI_UNSUPPORTED', {of, what: 'it is of the first version, which has no configuration'});
	// What has both could be either to two who read it.
	if (json.has('manifests') && (json.has('layers') || json.has('config')))
		throw json.wrong('it is an index and a manifest at once');
	const kind = found === undefined ? (json.has('manifests') ? 'index' : 'manifest') : kindOf(of, found);
	return kind === 'index' ? indexOf(of, json) : manifestOf(of, json);
}

function kindOf(of: string, type: string): 'index' | 'manifest' {
	if (!Object.hasOwn(manifestTypes, type)) throw ociError('OCI_UNSUPPORTED', {of, what: `it is ${quoted(type)}`});
	return manifestTypes[type as keyof typeof manifestTypes];
}

function indexOf(of: string, json: JsonObject): Index {
	const manifests = json.objects('manifests', mostManifests).map((entry): IndexEntry => {
		const named = entry.object('platform');
		const parts = ['os', 'architecture', 'variant'].map((part) => named?.text(part));
		const annotations = entry.object('annotations');
		const names = nameAnnotations.flatMap((each) => annotations?.text(each) ?? []);
		return {
			...descriptorOf(entry, mostJsonBytes),
			platform: named === undefined ? undefined : parts.filter((part) => part !== undefined).join('/'),
			names,
		};
	});
	return {kind: 'index', of, manifests};
}

function manifestOf(of: string, json: JsonObject): Manifest {
	const config = json.object('config');
	if (config === undefined) throw json.wrong('it has no configuration');
	const found = descriptorOf(config, mostJsonBytes);
	if (!configTypes.some((type) => type === found.mediaType))
		throw ociError('OCI_UNSUPPORTED', {of, what: `it is no image, but ${quoted(found.mediaType)}`});
	const layers = json.objects('layers', mostLayers).map((each): Layer => {
		const descriptor = descriptorOf(each, mostLayerBytes);
		const {mediaType} = descriptor;
		if (!Object.hasOwn(layerTypes, mediaType))
			throw ociError('OCI_UNSUPPORTED', {of, what: `a layer of it is ${quoted(mediaType)}`});
		return {...descriptor, compression: layerTypes[mediaType]};
	});
	return {kind: 'manifest', config: found, layers};
}

function descriptorOf(json: JsonObject, most: number): Descriptor {
	const [digest = '', mediaType = ''] = [json.text('digest'), json.text('mediaType')];
	if (!digestForm.test(digest)) throw json.wrong(`its digest ${quoted(digest)} is not ${digestExpected}`);
	const size = json.number('size');
	if (size > most) throw json.wrong(`its ${size} bytes are more than the ${most} that it may have`);
	return {mediaType, digest, size};
}

/** The manifest of an index that is for machines here. @throws VmmError OCI_PLATFORM_MISSING */
export function forPlatform({of, manifests}: Index): Descriptor {
	const wanted = `${platform.os}/${platform.architecture}`;
	for (const variant of variants) {
		const name = variant === undefined ? wanted : `${wanted}/${variant}`;
		const found = manifests.find((each) => each.platform === name);
		if (found !== undefined) return found;
	}
	// Whoever has only one image need not say what it is for: its configuration does.
	const [only, ...others] = manifests;
	if (only !== undefined && only.platform === undefined && others.length === 0) return only;
	const has = [...new Set(manifests.map((each) => each.platform ?? 'something that is not told'))].slice(0, 20);
	throw ociError('OCI_PLATFORM_MISSING', {of, wanted, has: has.map((each) => each.slice(0, 60))});
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));

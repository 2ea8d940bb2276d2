import {ociError} from './errors.ts';
import {type ImageReference, parseReference} from './reference.ts';

/** What a person asks for, by its name alone. */
export type ImageName =
	| {readonly kind: 'reference'; readonly reference: ImageReference}
	| {readonly kind: 'disk'; readonly path: string; readonly format: string | undefined}
	/** A path of which its ending does not tell more: a folder, or what has to be stated. */
	| {readonly kind: 'path'; readonly path: string}
	| {readonly kind: 'folder'; readonly path: string}
	/** A root file system, an archive of images, or one of both. */
	| {
			readonly kind: 'tar' | 'archive' | 'tar-or-archive' | 'layout';
			readonly path: string;
			readonly image: string | undefined;
	  };

const stated: Readonly<Record<string, (path: string) => ImageName>> = {
	'docker://': (name) => ({kind: 'reference', reference: parseReference(name)}),
	'raw:': (path) => ({kind: 'disk', path, format: 'raw'}),
	'qcow2:': (path) => ({kind: 'disk', path, format: 'qcow2'}),
	'vhd:': (path) => ({kind: 'disk', path, format: 'vhd'}),
	'vhdx:': (path) => ({kind: 'disk', path, format: 'vhdx'}),
	'folder:': (path) => ({kind: 'folder', path}),
	'tar:': (path) => ({kind: 'tar', path, image: undefined}),
	'archive:': (path) => ({kind: 'archive', ...withImage(path)}),
	'oci:': (path) => ({kind: 'layout', ...withImage(path)}),
};
const diskEnding = /\.(?:img|raw|qcow2|vhd|vhdx)$/;
/** Archives, and how they are compressed. */
const tarEnding = /\.(?:tar|tar\.gz|tgz|tar\.zst|tzst)$/;

/** Tells what a name stands for, without a look at any file. @throws VmmError OCI_NAME_INVALID */
export function parseImageName(name: string): ImageName {
	if (name === '' || name.includes('\0')) throw ociError('OCI_NAME_INVALID', {name, what: 'it is empty'});
	const prefix = Object.keys(stated).find((each) => name.startsWith(each));
	if (prefix !== undefined) {
		const path = name.slice(prefix.length);
		if (path === '') throw ociError('OCI_NAME_INVALID', {name, what: `nothing is behind ${prefix}`});
		return (stated[prefix] as (path: string) => ImageName)(path);
	}
	if (diskEnding.test(name)) return {kind: 'disk', path: name, format: undefined};
	const {path, image} = withImage(name);
	if (tarEnding.test(path)) return {kind: 'tar-or-archive', path, image};
	if (/^(?:\.{0,2}\/|~\/|\.{1,2}$)/.test(name)) return {kind: 'path', path: name};
	return {kind: 'reference', reference: parseReference(name)};
}

function withImage(path: string): {readonly path: string; readonly image: string | undefined} {
	const at = path.lastIndexOf('#');
	return at <= 0 ? {path, image: undefined} : {path: path.slice(0, at), image: path.slice(at + 1)};
}

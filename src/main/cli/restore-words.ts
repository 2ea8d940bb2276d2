import {resolve} from 'node:path';
import type {FlagValues} from './parse.ts';

/** Flags of `openvmm run` that say what its machine has of its host, in the order of its help; those of paths have the path first. */
const hostFlags = {
	packages: 'text',
	volume: 'path',
	publish: 'text',
	net: 'text',
	allow: 'text',
	closed: 'text',
	guestfwd: 'text',
	pull: 'text',
	cache: 'path',
	mirror: 'text',
	keyring: 'path',
} as const;

/** Flags of `openvmm run` that shape a machine: a snapshot brings that. */
export const shapeFlags = ['memory', 'processors', 'kernel', 'initrd', 'cmdline'] as const;

/**
 * The words by which a machine goes on from a snapshot of one of `openvmm run`, in any folder: with the image, folders, ports and network that the line of that one
 * said, but for files that are made anew (`--capture`).
 */
export async function restoreWords(flags: FlagValues<string>, image: string, directory: string): Promise<string[]> {
	const said = Object.entries(hostFlags).flatMap(([name, kind]) =>
		flags.all(name).flatMap((value) => [`--${name}`, kind === 'path' ? wholePath(value) : value]),
	);
	const plain = flags.has('plain-http') ? ['--plain-http'] : [];
	const root = image === '' ? [] : [await wholeImage(image)];
	return ['openvmm', 'run', '--restore', directory, ...said, ...plain, ...root];
}

/** The path that is in front of the first colon, from the root on. */
function wholePath(value: string): string {
	const [path = '', ...rest] = value.split(':');
	return [resolve(path), ...rest].join(':');
}

async function wholeImage(image: string): Promise<string> {
	const {parseImageName} = await import('#main/oci');
	const name = parseImageName(image);
	if (!('path' in name) || name.path.startsWith('~')) return image;
	const one = 'image' in name && name.image !== undefined ? `#${name.image}` : '';
	const kind = image.slice(0, image.length - name.path.length - one.length);
	return `${kind}${resolve(name.path)}${one}`;
}

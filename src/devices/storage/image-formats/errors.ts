import {errorTable} from '#support/errors';

/** Errors of the formats and layers of a disk. */
export const diskError = errorTable({
	DISK_FORMAT_INVALID: (c: {path: string; format: string; known: readonly string[]}) => ({
		message: `There is no format "${c.format}" for images ("${c.path}")`,
		remedy: `Give one of ${c.known.join(', ')}`,
	}),
	DISK_FORMAT_UNKNOWN: (c: {path: string; known: readonly string[]}) => ({
		message: `"${c.path}" ends in nothing that says its format, which is not guessed from what it holds`,
		remedy: `State it: one of ${c.known.join(', ')}`,
	}),
	DISK_LAYER_OUTSIDE: (c: {path: string; name: string; found: string; folders: readonly string[]}) => ({
		message: `"${c.path}" lies over "${c.name}", which is "${c.found}", outside of ${c.folders.map((folder) => `"${folder}"`).join(', ')}`,
		remedy: 'Where that is what you want, allow its folder (--backing-folder)',
	}),
	DISK_LAYER_MISSING: (c: {path: string; name: string; errno: string}) => ({
		message: `"${c.path}" lies over "${c.name}", which cannot be reached: ${c.errno}`,
		remedy: 'Put it where the image says it is',
	}),
	DISK_LAYER_CHANGED: (c: {path: string; name: string}) => ({
		message: `"${c.path}" was made over what "${c.name}" was then, and that has been written since`,
		remedy: 'Take the image that it was made over; where openvmm disk commit was cut off, run that again',
	}),
	DISK_LAYER_REMOTE: (c: {path: string; name: string}) => ({
		message: `"${c.path}" lies over "${c.name}", which is no path`,
		remedy: 'Have it lie over a file',
	}),
	DISK_LAYERS_TOO_MANY: (c: {path: string; most: number}) => ({
		message: `"${c.path}" lies over more than ${c.most} images, one over the other`,
		remedy: 'Merge some of them (openvmm disk commit)',
	}),
	DISK_LAYERS_LOOP: (c: {path: string; name: string}) => ({
		message: `"${c.path}" lies over "${c.name}", which lies over it`,
		remedy: 'Take an image whose layers end',
	}),
});

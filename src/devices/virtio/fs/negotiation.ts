import type {CachePolicy, FolderAbilities} from '#devices/folder';
import type {PlainFields} from '#support/wire';
import {mappedShift} from './file-window.ts';
import {fuseVersion, InitFlag, type InitIn, InitOut, leastMinor} from './layout.ts';

/** Most bytes that one request reads or writes, in pages of the guest's. */
const mostDataPages = 256;
const guestPageBytes = 4096;
export const mostDataBytes: number = mostDataPages * guestPageBytes;
/** Requests that Linux has under way without a program that waits; above three quarters it holds further ones back. */
const background = 64;

/**
 * What this side can do, whatever the folder. Bits for programs (setuid) are the client's to take away when a file is written, and a umask is the
 * client's to apply, since neither FUSE_HANDLE_KILLPRIV nor FUSE_DONT_MASK is among them.
 */
const always: readonly (keyof typeof InitFlag)[] = [
	'ASYNC_READ',
	'ATOMIC_O_TRUNC',
	'BIG_WRITES',
	'AUTO_INVAL_DATA',
	'DO_READDIRPLUS',
	'READDIRPLUS_AUTO',
	'ASYNC_DIO',
	'PARALLEL_DIROPS',
	'MAX_PAGES',
];

/** What a client has said of itself, and is told. Undefined for one that is too old. */
export function negotiate(
	{major, minor, flags, max_readahead}: PlainFields<typeof InitIn.fields>,
	{locks}: FolderAbilities,
	cache: CachePolicy,
	hasWindow: boolean,
): Uint8Array | undefined {
	const own = {major: fuseVersion.major, minor: fuseVersion.minor};
	// A client of a later major version begins again with this one.
	if (major > own.major) return InitOut.encode(own);
	if (major < own.major || minor < leastMinor) return undefined;
	const can = [
		...always,
		...(locks ? (['POSIX_LOCKS', 'FLOCK_LOCKS'] as const) : []),
		...(hasWindow ? (['MAP_ALIGNMENT'] as const) : []),
		...(cache === 'always' ? (['CACHE_SYMLINKS'] as const) : []),
	].reduce((all, name) => all + InitFlag[name], 0);
	return InitOut.encode({
		...own,
		max_readahead,
		flags: (flags & can) >>> 0,
		max_background: background,
		congestion_threshold: (background * 3) / 4,
		max_write: mostDataBytes,
		time_gran: 1,
		max_pages: mostDataPages,
		map_alignment: hasWindow ? mappedShift : 0,
	});
}

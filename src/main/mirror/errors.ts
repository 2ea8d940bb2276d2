import {errorTable} from '#support/errors';

const tryAgain = 'Try again, or name another mirror with --mirror';
const notThisMirror = 'Try again later, or name another mirror with --mirror: what this one offers is not taken';

/** Errors of package mirrors: of reaching one, of what it says, and of the cache of what it gave. */
export const mirrorError = errorTable({
	MIRROR_ADDRESS_INVALID: (c: {address: string; what: string}) => ({
		message: `${JSON.stringify(c.address)} is no address of a package mirror: ${c.what}`,
		remedy: 'Write it as https://HOST/FOLDER, http://HOST/FOLDER or file:///FOLDER, the folder that has dists/ in it',
	}),
	MIRROR_UNREACHABLE: (c: {url: string; what: string}) => ({
		message: `${c.url} cannot be fetched: ${c.what}`,
		remedy: `${tryAgain}; behind a proxy set HTTPS_PROXY or HTTP_PROXY, and NODE_USE_ENV_PROXY=1`,
	}),
	MIRROR_STALLED: (c: {url: string; bytes: number; seconds: number}) => ({
		message: `${c.url} comes too slowly: less than ${c.bytes} bytes came in ${c.seconds} seconds`,
		remedy: tryAgain,
	}),
	MIRROR_FILE_CUT_OFF: (c: {url: string; bytes: number; expected: number}) => ({
		message: `${c.url} ended after ${c.bytes} of ${c.expected} bytes`,
		remedy: tryAgain,
	}),
	MIRROR_FILE_MISSING: (c: {url: string; status: string}) => ({
		message: `The mirror does not give ${c.url}: ${c.status}`,
		remedy: 'Check --mirror and --suite; a mirror that is just being changed is to be asked again',
	}),
	MIRROR_REDIRECTED: (c: {url: string; what: string}) => ({
		message: `${c.url} leads elsewhere, ${c.what}`,
		remedy: 'Name the mirror by the address that it has (--mirror)',
	}),
	MIRROR_FILE_TOO_LARGE: (c: {url: string; most: number}) => ({
		message: `${c.url} has more than the ${c.most} bytes that it may have`,
		remedy: notThisMirror,
	}),
	MIRROR_FILE_DAMAGED: (c: {url: string; expected: string; found: string}) => ({
		message: `${c.url} is not the file that its signed list tells: its SHA-256 is ${c.found}, not ${c.expected}`,
		remedy: notThisMirror,
	}),
	MIRROR_INDEX_INVALID: (c: {url: string; what: string}) => ({
		message: `The package list ${c.url} cannot be used: ${c.what}`,
		remedy: notThisMirror,
	}),
	MIRROR_PATH_INVALID: (c: {path: string; mirror: string}) => ({
		message: `A list of ${c.mirror} names a file ${JSON.stringify(c.path)}, which is not below the mirror`,
		remedy: notThisMirror,
	}),
	MIRROR_KEYRING_MISSING: (c: {looked: readonly string[]; errno: string}) => ({
		message: `There is no keyring to check the mirror's signatures with: ${c.looked.join(' and ')} cannot be read (${c.errno})`,
		remedy:
			"Name one with --keyring FILE. Debian's is in its package debian-archive-keyring, which Ubuntu has too; take it from a source that you trust already, since what the mirror itself gives proves nothing",
	}),
	MIRROR_KEYRING_INVALID: (c: {path: string; what: string}) => ({
		message: `${c.path} is no keyring of OpenPGP: ${c.what}`,
		remedy: 'Name a file of public keys, binary or armored, with --keyring',
	}),
	MIRROR_SIGNATURE_MISSING: (c: {url: string; what: string}) => ({
		message: `${c.url} is not signed as a release of packages is: ${c.what}`,
		remedy: notThisMirror,
	}),
	MIRROR_SIGNER_UNKNOWN: (c: {url: string; keys: readonly string[]; keyring: string}) => ({
		message: `${c.url} is signed by ${c.keys.join(', ')}, and ${c.keyring} has no such key`,
		remedy:
			'Name the keyring of this distribution with --keyring; where the distribution is newer than this host, a newer keyring of it',
	}),
	MIRROR_SIGNATURE_WRONG: (c: {url: string; what: string}) => ({
		message: `The signature of ${c.url} does not hold: ${c.what}`,
		remedy: notThisMirror,
	}),
	MIRROR_RELEASE_INVALID: (c: {url: string; what: string}) => ({
		message: `The release that ${c.url} describes is not the one asked for: ${c.what}`,
		remedy: 'Check --mirror and --suite',
	}),
	MIRROR_RELEASE_EXPIRED: (c: {url: string; until: string}) => ({
		message: `${c.url} was valid until ${c.until}`,
		remedy: `The mirror is out of date, or this host's clock is wrong. ${notThisMirror}`,
	}),
	MIRROR_RELEASE_OLDER: (c: {url: string; date: string; known: string; file: string}) => ({
		message: `${c.url} is of ${c.date}, and one of ${c.known} was seen already: somebody may be hiding updates`,
		remedy: `Name another mirror with --mirror; where older packages are what you want, delete ${c.file} first`,
	}),
	MIRROR_CACHE_UNSAFE: (c: {folder: string; what: string}) => ({
		message: `Packages cannot be kept in ${c.folder}: ${c.what}`,
		remedy: 'Name a folder that is yours alone with --cache, or give this one to yourself (chown, chmod go-w)',
	}),
});

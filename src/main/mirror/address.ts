import {mirrorError} from './errors.ts';

/** One suite of a mirror. */
export interface MirrorSuite {
	/** Ends with a slash; `dists/` is below it. */
	readonly address: URL;
	readonly suite: string;
	readonly components: readonly string[];
}

const protocols = ['https:', 'http:', 'file:'];

/** Debian's own mirrors, which are near to everybody. Nothing of them is trusted that is not signed. */
const debian = {release: 'https://deb.debian.org/debian', security: 'https://deb.debian.org/debian-security'} as const;
/** Suites that change all the time have no updates beside them. */
const rolling = ['sid', 'unstable', 'experimental'];

/** Parses the address of a mirror. @throws VmmError MIRROR_ADDRESS_INVALID */
export function parseMirror(address: string): URL {
	const url = URL.parse(address.endsWith('/') ? address : `${address}/`);
	const invalid = (what: string) => mirrorError('MIRROR_ADDRESS_INVALID', {address, what});
	if (url === null) throw invalid('it is no URL');
	if (!protocols.includes(url.protocol)) throw invalid(`nothing is fetched by ${url.protocol}`);
	if (url.search !== '' || url.hash !== '') throw invalid('it has ? or # in it');
	return url;
}

/** The suites that make a release of Debian whole: with its updates, and those for security. */
export function debianSuites(suite: string, components: readonly string[]): MirrorSuite[] {
	const [release, security] = [parseMirror(debian.release), parseMirror(debian.security)];
	if (rolling.includes(suite)) return [{address: release, suite, components}];
	return [
		{address: release, suite, components},
		{address: release, suite: `${suite}-updates`, components},
		{address: security, suite: `${suite}-security`, components},
	];
}

/** The address of a file below a mirror's. @throws VmmError MIRROR_PATH_INVALID for what is not below it */
export function below(address: URL, path: string): URL {
	const names = path.split('/');
	// The name of a folder may be empty at the end.
	const isBelow = names.every(
		(name, index) => isName(name) || (name === '' && index > 0 && index === names.length - 1),
	);
	if (!isBelow) throw mirrorError('MIRROR_PATH_INVALID', {path: path.slice(0, 200), mirror: address.href});
	return new URL(names.map(encodeURIComponent).join('/'), address);
}

const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[\p{Cc}\\]/u.test(name);

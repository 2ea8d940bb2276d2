import {type FileFacts, type Paragraph, paragraphs} from '#main/debian';
import {mirrorError} from './errors.ts';

/** A `Release` file: the indices of one suite of a mirror (Debian wiki, "DebianRepository/Format"). */
export interface Release {
	/** Seconds since 1970. */
	readonly date: number;
	readonly architectures: readonly string[];
	readonly components: readonly string[];
	/** Packages for all architectures are in each architecture's list, and not in one of their own. */
	readonly listsContainAll: boolean;
	/** Indices lie below their checksum too, where they stay when the mirror changes. */
	readonly byHash: boolean;
	/** Indices by their paths below the suite. */
	readonly files: ReadonlyMap<string, FileFacts>;
}

/** What was asked for, and when. */
export interface ReleaseRequest {
	/** For errors. */
	readonly url: string;
	readonly suite: string;
	/** Seconds since 1970. */
	readonly now: number;
}

/** Far more than the suites of a distribution have. */
const maxFiles = 100_000;

/**
 * Reads a release whose signature holds.
 * @throws VmmError MIRROR_RELEASE_INVALID, MIRROR_RELEASE_EXPIRED
 */
export function readRelease(text: string, {url, suite, now}: ReleaseRequest): Release {
	const invalid = (what: string) => mirrorError('MIRROR_RELEASE_INVALID', {url, what});
	const [fields, another] = paragraphs(text);
	if (fields === undefined || another !== undefined) throw invalid('it is no paragraph of fields');
	// A signature holds for any suite of the distribution: without this an old one could be given for a new one.
	const names = ['Suite', 'Codename'].map((name) => fields.field(name)).filter((name) => name !== undefined);
	if (!names.includes(suite)) throw invalid(`it is of ${names.join(' or ') || 'no suite'}, and not of ${suite}`);
	const until = fields.field('Valid-Until');
	if (until !== undefined && !(secondsOf(until) >= now)) throw mirrorError('MIRROR_RELEASE_EXPIRED', {url, until});
	const date = secondsOf(fields.field('Date') ?? '');
	if (Number.isNaN(date)) throw invalid('it has no date');
	const words = (name: string) => fields.field(name)?.split(/\s+/) ?? [];
	return {
		date,
		architectures: words('Architectures'),
		// Suites of updates may name the folder that their components are in.
		components: words('Components').map((name) => name.slice(name.lastIndexOf('/') + 1)),
		listsContainAll: words('No-Support-for-Architecture-all').includes('Packages'),
		byHash: fields.field('Acquire-By-Hash') === 'yes',
		files: readFiles(fields, invalid),
	};
}

const secondsOf = (date: string): number => Math.floor(Date.parse(date) / 1000);

function readFiles(fields: Paragraph, invalid: (what: string) => Error): Map<string, FileFacts> {
	const lines = (fields.field('SHA256') ?? '').split('\n').filter((line) => line.trim() !== '');
	if (lines.length === 0) throw invalid('it has no SHA-256 checksums');
	if (lines.length > maxFiles) throw invalid(`it has more than ${maxFiles} files`);
	return new Map(
		lines.map((line) => {
			const [, checksum = '', bytes, path = ''] = /^\s*([0-9a-f]{64})\s+(\d{1,15})\s+(\S+)\s*$/.exec(line) ?? [];
			if (checksum === '') throw invalid(`${JSON.stringify(line.slice(0, 200))} tells no file and its checksum`);
			return [path, {bytes: Number(bytes), checksum}];
		}),
	);
}

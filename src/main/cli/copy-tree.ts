import type {Readable, Writable} from 'node:stream';

/** Kinds of files that are copied; others are told of and left out. */
export type CopiedKind = 'file' | 'directory' | 'symlink' | 'other';

/** What is to be known of a file. */
export interface CopiedFile {
	readonly kind: CopiedKind;
	/** Permissions, with the bits above them. */
	readonly mode: number;
	/** Bytes. */
	readonly size: number;
}

/** Files of the host or of a guest, by paths of its own. No link is followed but where that is said. */
export interface FileSide {
	/** Undefined where there is none. */
	look(path: string): Promise<CopiedFile | undefined>;
	/** What is there behind a link, if it is one. */
	lookThrough(path: string): Promise<CopiedFile | undefined>;
	list(path: string): Promise<readonly string[]>;
	target(path: string): Promise<string>;
	read(path: string): Readable;
	/** Makes a file, or empties one: not what a link leads to. */
	write(path: string, mode: number): Writable;
	makeFolder(path: string, mode: number): Promise<void>;
	link(target: string, path: string): Promise<void>;
	chmod(path: string, mode: number): Promise<void>;
}

/** What a copy tells meanwhile. */
export interface CopyReport {
	/** Bytes of files so far, and of the one that is copied. */
	progress(path: string, done: number, total: number): void;
	/** Something that cannot be copied is left out. */
	skipped(path: string): void;
}

/** Deeper than any tree that people have: a guest may have one without end. */
const deepest = 256;

/** Files that are counted before a copy begins: of more nobody knows how long it takes. */
const mostCounted = 100_000;

/** Bytes of a file, or of all files in a folder; 0 where there are too many to be counted. */
export async function bytesIn(side: FileSide, path: string): Promise<number> {
	let bytes = 0;
	let count = 0;
	const waiting = [path];
	for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
		const file = await side.look(next);
		if (file?.kind === 'file') bytes += file.size;
		const names = file?.kind === 'directory' ? await side.list(next) : [];
		count += names.length;
		if (count > mostCounted) return 0;
		// The copy refuses names that lead elsewhere; what they lead to is of no interest.
		for (const name of names) if (isName(name)) waiting.push(`${next}/${name}`);
	}
	return bytes;
}

/** A guest may say anything. */
const isName = (name: string): boolean => name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);

/** The names in a folder. @throws Error for one that leads out of it */
export async function namesIn(side: FileSide, path: string): Promise<readonly string[]> {
	const names = await side.list(path);
	for (const name of names)
		if (!isName(name)) throw new Error(`${path} has a file ${JSON.stringify(name)}, which cannot be`);
	return names;
}

/** Looks at what is copied, so many folders below where the copy begins. @throws Error for what no copy can be made of */
export async function lookAt(side: FileSide, path: string, depth: number): Promise<CopiedFile> {
	if (depth > deepest) throw new Error(`${path} is deeper than ${deepest} folders`);
	const file = await side.look(path);
	if (file === undefined) throw new Error(`there is no ${path}`);
	if (file.kind === 'other' && depth === 0) throw new Error(`${path} is neither a file, a folder nor a link`);
	return file;
}

/** Copies a file, or a folder with all that is in it. @throws what the sides throw, and Error for what no copy can be made of */
export async function copyTree(
	from: {readonly side: FileSide; readonly path: string},
	to: {readonly side: FileSide; readonly path: string},
	report: CopyReport,
	depth = 0,
): Promise<void> {
	const file = await lookAt(from.side, from.path, depth);
	switch (file.kind) {
		case 'directory': {
			const there = await to.side.look(to.path);
			if (there === undefined) await to.side.makeFolder(to.path, 0o700);
			else if (there.kind !== 'directory') throw new Error(`${to.path} is there already, and is no folder`);
			for (const name of await namesIn(from.side, from.path))
				await copyTree(
					{side: from.side, path: `${from.path}/${name}`},
					{side: to.side, path: `${to.path}/${name}`},
					report,
					depth + 1,
				);
			// At last: one without the right to write could not be filled.
			return to.side.chmod(to.path, file.mode & 0o777);
		}
		case 'symlink':
			return to.side.link(await from.side.target(from.path), to.path);
		case 'other':
			return report.skipped(from.path);
		case 'file': {
			const there = await to.side.look(to.path);
			// A pipe would keep the copy waiting, and a device get the file's mode or be replaced. A link is not written through.
			if (there?.kind === 'other') throw new Error(`${to.path} is there already, and is no file`);
			const tell = (done: number) => report.progress(from.path, done, file.size);
			return writeFile(from.side.read(from.path), to, file.mode, tell);
		}
	}
}

/** Writes a file of a copy. @param tell - told how many of its bytes are written */
export async function writeFile(
	content: AsyncIterable<Uint8Array>,
	{side, path}: {readonly side: FileSide; readonly path: string},
	mode: number,
	tell: (done: number) => void,
): Promise<void> {
	const {pipeline} = await import('node:stream/promises');
	let done = 0;
	const counted = async function* (pieces: AsyncIterable<Uint8Array>) {
		for await (const bytes of pieces) {
			done += bytes.length;
			tell(done);
			yield bytes;
		}
	};
	await pipeline(content, counted, side.write(path, mode & 0o777));
	// What it has does not depend on a mask.
	await side.chmod(path, mode & 0o777);
}

/** The path that a copy gets: within a folder that is there under the file's own name, else the path itself. */
export async function destination(side: FileSide, path: string, name: string): Promise<string> {
	const there = await side.lookThrough(path);
	if (there?.kind === 'directory') return `${path.replace(/\/+$/, '')}/${name}`;
	if (path.endsWith('/')) throw new Error(`there is no folder ${path}`);
	return path;
}

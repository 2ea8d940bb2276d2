import {tarMembers} from '#main/tar';
import {type CopyReport, type FileSide, lookAt, namesIn, writeFile} from './copy-tree.ts';

const blockBytes = 512;
/** What a field of ustar holds; what is longer has a header of pax before it (IEEE 1003.1, pax). */
const most = {name: 100, target: 100, size: 8 ** 11 - 1} as const;
const types = {file: '0', directory: '5', symlink: '2', pax: 'x'} as const;

interface Header {
	readonly name: string;
	readonly type: keyof typeof types;
	readonly mode: number;
	readonly size: number;
	readonly target?: string;
}

/** Gives a file, or a folder with all in it, as an archive of `tar`. @param name - that it has there */
export async function* archiveOf(
	side: FileSide,
	path: string,
	name: string,
	report: CopyReport,
): AsyncGenerator<Uint8Array> {
	yield* membersOf(side, path, name, report, 0);
	yield new Uint8Array(2 * blockBytes);
}

async function* membersOf(
	side: FileSide,
	path: string,
	name: string,
	report: CopyReport,
	depth: number,
): AsyncGenerator<Uint8Array> {
	const {kind, mode, size} = await lookAt(side, path, depth);
	if (kind === 'other') return report.skipped(path);
	if (kind === 'symlink')
		return yield* headersOf({name, type: kind, mode: 0o777, size: 0, target: await side.target(path)});
	if (kind === 'directory') {
		yield* headersOf({name: `${name}/`, type: kind, mode, size: 0});
		for (const each of await namesIn(side, path))
			yield* membersOf(side, `${path}/${each}`, `${name}/${each}`, report, depth + 1);
		return;
	}
	yield* headersOf({name, type: kind, mode, size});
	let done = 0;
	for await (const bytes of side.read(path) as AsyncIterable<Uint8Array>) {
		done += bytes.length;
		if (done > size) break;
		report.progress(path, done, size);
		yield bytes;
	}
	// The archive has said how long it is.
	if (done !== size) throw new Error(`${path} has changed while it was read`);
	yield new Uint8Array(-size & (blockBytes - 1));
}

/** The header of a member, behind one for what does not fit into it. */
function* headersOf(header: Header): Generator<Uint8Array> {
	const {name, target = '', size} = header;
	const long = {
		...(Buffer.byteLength(name) > most.name && {path: name}),
		...(Buffer.byteLength(target) > most.target && {linkpath: target}),
		...(size > most.size && {size: `${size}`}),
	};
	const records = Object.entries(long).map(([key, value]) => paxRecord(key, value));
	if (records.length > 0) {
		const body = Buffer.from(records.join(''));
		yield block({name: 'pax', type: 'pax', mode: 0o644, size: body.length});
		yield body;
		yield new Uint8Array(-body.length & (blockBytes - 1));
	}
	yield block({...header, size: size > most.size ? 0 : size});
}

/** A record says its own length, digits included. */
function paxRecord(key: string, value: string): string {
	const rest = ` ${key}=${value}\n`;
	const bytes = Buffer.byteLength(rest);
	let length = bytes;
	while (`${length}`.length + bytes !== length) length = `${length}`.length + bytes;
	return `${length}${rest}`;
}

function block({name, type, mode, size, target = ''}: Header): Uint8Array {
	const bytes = Buffer.alloc(blockBytes);
	const octal = (value: number, at: number, digits: number) => bytes.write(value.toString(8).padStart(digits, '0'), at);
	Buffer.from(name).copy(bytes, 0, 0, most.name);
	octal(mode & 0o7777, 100, 7);
	octal(0, 108, 7);
	octal(0, 116, 7);
	octal(size, 124, 11);
	octal(Math.floor(Date.now() / 1000), 136, 11);
	bytes.write('        ', 148);
	bytes.write(types[type], 156);
	Buffer.from(target).copy(bytes, 157, 0, most.target);
	bytes.write('ustar\x0000', 257, 'latin1');
	octal(
		bytes.reduce((sum, byte) => sum + byte, 0),
		148,
		6,
	);
	bytes.write('\x00 ', 154, 'latin1');
	return bytes;
}

/** Puts the members of an archive into a folder that is there. Hard links, devices and what climbs out of it are left out. */
export async function extractInto(
	pieces: AsyncIterable<Uint8Array>,
	side: FileSide,
	folder: string,
	report: CopyReport,
): Promise<void> {
	const made = new Set<string>();
	for await (const member of tarMembers(pieces, (what) => new Error(`the archive is damaged: ${what}`), {
		looseEnd: true,
	})) {
		const parts = member.path.split('/').filter((part) => part !== '' && part !== '.');
		if (parts.includes('..')) {
			report.skipped(member.path);
			continue;
		}
		const path = [folder.replace(/\/+$/, ''), ...parts].join('/');
		const parents = parts.slice(0, member.kind === 'directory' ? parts.length : -1);
		for (let count = 1; count <= parents.length; count++)
			await makeFolder(side, [folder.replace(/\/+$/, ''), ...parents.slice(0, count)].join('/'), made);
		if (member.kind === 'directory') {
			if (parts.length > 0) await side.chmod(path, member.permissions & 0o777);
		} else if (member.kind === 'symbolic-link') await side.link(member.target, path);
		else if (member.kind === 'file') {
			const tell = (done: number) => report.progress(path, done, member.length);
			await writeFile(member.content, {side, path}, member.permissions, tell);
		} else report.skipped(member.path);
	}
}

/** Makes a folder where there is none; a link that is there is no folder. */
async function makeFolder(side: FileSide, path: string, made: Set<string>): Promise<void> {
	if (made.has(path)) return;
	const there = await side.look(path);
	if (there === undefined) await side.makeFolder(path, 0o755);
	else if (there.kind !== 'directory') throw new Error(`${path} is there already, and is no folder`);
	made.add(path);
}

/** Archives of `tar`: POSIX ustar and pax (IEEE 1003.1, pax) and the long names and numbers of GNU tar, which dpkg-deb writes. */

import {ByteStream, gather} from './byte-stream.ts';
import {oldSparseMap, type SparseMap, sparseMapOf, sparseMapOfText, withHoles} from './tar-sparse.ts';

/** What a member is; a `hard-link` is another name of a file that came before. */
export type TarKind = 'file' | 'directory' | 'symbolic-link' | 'hard-link' | 'character' | 'block' | 'fifo';

/** A member. Its path and target are as they are in the archive: nothing about them is checked. */
export interface TarMember {
	readonly path: string;
	readonly kind: TarKind;
	/** Permissions, with the bits above them: 12 bits. */
	readonly permissions: number;
	readonly user: number;
	readonly group: number;
	/** Seconds since 1970. */
	readonly modified: number;
	readonly target: string;
	readonly major: number;
	readonly minor: number;
	readonly length: number;
	/** Extended attributes that anybody may have (`user.`), and those that the kernel looks at (`security.`), by their names. */
	readonly xattrs?: ReadonlyMap<string, Uint8Array>;
	/** The bytes, which can be taken once and before the next member: what is not taken is skipped. */
	readonly content: AsyncIterable<Uint8Array>;
}

/** What is taken beside what dpkg-deb writes. */
export interface TarForms {
	/** Files of which parts are left out because they are zeros, as GNU tar has them with `--sparse`. They come whole. */
	readonly sparse?: boolean;
	/** An archive that ends without its two blocks of zeros, or with something behind them, as some builders of images write. */
	readonly looseEnd?: boolean;
}

const blockBytes = 512;
/** A path, a target, and two headers of pax are what a member has at most; a hostile archive has headers without end. */
const maxExtensions = 16;
/** Names have 4 KB in Linux, and a header of pax has a few of them. */
const maxHeaderBytes = 2 ** 16;
/** Records have 10 KB where nobody asks for another size. */
const maxEndBytes = 2 ** 20;

/** Where the fields of a header are (ustar). */
const fields = {
	name: [0, 100],
	mode: [100, 108],
	user: [108, 116],
	group: [116, 124],
	size: [124, 136],
	modified: [136, 148],
	checksum: [148, 156],
	type: [156, 157],
	target: [157, 257],
	magic: [257, 263],
	major: [329, 337],
	minor: [337, 345],
	prefix: [345, 500],
} as const;

const kinds: Readonly<Record<string, TarKind>> = {
	'': 'file',
	'0': 'file',
	'7': 'file',
	S: 'file',
	'1': 'hard-link',
	'2': 'symbolic-link',
	'3': 'character',
	'4': 'block',
	'5': 'directory',
	'6': 'fifo',
};
/** What fields begin with by which star and GNU tar keep extended attributes. */
const xattrField = 'SCHILY.xattr.';
const keptXattr = /^(?:user|security)\./;
/** Headers about the member that follows: of GNU tar its path and its target, of pax any fields. */
const extensions: Readonly<Record<string, 'path' | 'linkpath' | 'pax' | 'nothing'>> = {
	L: 'path',
	K: 'linkpath',
	x: 'pax',
	g: 'nothing',
};

/** Fields of headers of pax; one without a value is not given, whatever came before (IEEE 1003.1, pax). */
type Extended = Readonly<Record<string, string | undefined>>;

/** Reads the members in their order. @param fault - makes what is thrown for an archive that contradicts itself */
export async function* tarMembers(
	pieces: AsyncIterable<Uint8Array>,
	fault: (what: string) => Error,
	forms: TarForms = {},
): AsyncGenerator<TarMember, void> {
	const stream = new ByteStream(pieces);
	let extended: Extended = {};
	let headers = 0;
	try {
		for (;;) {
			const header = await readHeader(stream, fault, forms);
			if (header === undefined) return await readEnd(stream, fault, forms);
			const extension = extensions[header.text(fields.type)];
			if (extension === undefined) {
				const member = memberOf(header, extended, fault);
				const holes = member.kind === 'file' ? await sparseMap(stream, header, extended, forms, fault) : undefined;
				const body = new Body(stream, member.length, fault);
				yield {...member, ...(await contentOf(body, member, holes, extended, fault))};
				extended = {};
				headers = 0;
				await body.skip();
				continue;
			}
			if (++headers > maxExtensions) throw fault(`a file in it has more than ${maxExtensions} headers`);
			// What headers before it say is of the member that follows them all, and not of this one.
			const body = new Body(stream, lengthOf(header.number(fields.size), fault), fault);
			if (extension !== 'nothing') {
				const bytes = await body.whole();
				const found = extension === 'pax' ? paxFields(bytes, forms, fault) : {[extension]: cString(bytes)};
				extended = {...extended, ...found};
			}
			await body.skip();
		}
	} finally {
		await stream.close();
	}
}

/** Type of a file with holes in GNU tar's own format. */
const oldSparse = 'S';
/** Fields of pax about a file with holes: in 1.0 the map is before the file's bytes, in 0.0 and 0.1 in a header. */
const [sparseMajor, sparseMinor, sparseName, sparseLength, sparseSize, sparseParts] = [
	...['major', 'minor', 'name', 'realsize', 'size', 'map'],
].map((name) => `GNU.sparse.${name}`) as [string, string, string, string, string, string];
/** What 0.0 has in place of a map: two fields for each part, again and again. */
const sparsePart: readonly string[] = ['GNU.sparse.offset', 'GNU.sparse.numbytes'];

/** Takes the map of a file with holes where it is in a header or follows one: undefined for what has none there. */
async function sparseMap(
	stream: ByteStream,
	header: Header,
	extended: Extended,
	{sparse}: TarForms,
	fault: (what: string) => Error,
): Promise<SparseMap | 'in content' | undefined> {
	if (header.text(fields.type) === oldSparse) {
		if (sparse !== true) throw fault('a file in it has holes');
		const numeric = (bytes: Uint8Array) => lengthOf(numberOf(bytes, fault), fault);
		return oldSparseMap(header.bytes, () => stream.all(blockBytes), numeric, fault);
	}
	const [major = '0', minor] = [extended[sparseMajor], extended[sparseMinor]];
	if (major === '0') {
		const size = extended[sparseSize];
		return size === undefined ? undefined : sparseMapOfText(size, extended[sparseParts] ?? '', fault);
	}
	if (major !== '1' || minor !== '0')
		throw fault(`a file in it has holes in format ${major}.${minor}, and not in 0.0, 0.1 or 1.0`);
	return 'in content';
}

/** The bytes of a member and what they change of it. */
async function contentOf(
	body: Body,
	member: Pick<TarMember, 'path' | 'length'>,
	map: SparseMap | 'in content' | undefined,
	extended: Extended,
	fault: (what: string) => Error,
): Promise<Pick<TarMember, 'content' | 'path' | 'length'>> {
	const {path, length} = member;
	if (map === undefined) return {path, length, content: body};
	const named = extended[sparseName] ?? path;
	if (map !== 'in content') return {path: named, length: map.length, content: withHoles(body, map, length, fault)};
	const whole = Number(extended[sparseLength]);
	const {parts, taken} = await sparseMapOf((bytes) => body.take(bytes), whole, fault);
	return {path: named, length: whole, content: withHoles(body, {length: whole, parts}, length - taken, fault)};
}

/** The bytes of a member and what fills its last block. */
class Body implements AsyncIterable<Uint8Array> {
	readonly #stream: ByteStream;
	readonly #length: number;
	readonly #fault: (what: string) => Error;
	#taken = 0;

	constructor(stream: ByteStream, length: number, fault: (what: string) => Error) {
		this.#stream = stream;
		this.#length = length;
		this.#fault = fault;
	}

	async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void> {
		while (this.#taken < this.#length) yield await this.#some(this.#length);
	}

	/** Takes `length` bytes: fewer at the end. */
	async take(length: number): Promise<Uint8Array> {
		const pieces: Uint8Array[] = [];
		for (let missing = Math.min(length, this.#length - this.#taken); missing > 0; ) {
			const piece = await this.#some(this.#taken + missing);
			pieces.push(piece);
			missing -= piece.length;
		}
		return Buffer.concat(pieces);
	}

	async whole(): Promise<Uint8Array> {
		if (this.#length > maxHeaderBytes) throw this.#fault(`a header of it has ${this.#length} bytes`);
		return gather(this);
	}

	async skip(): Promise<void> {
		const end = Math.ceil(this.#length / blockBytes) * blockBytes;
		while (this.#taken < end) await this.#some(end);
	}

	async #some(end: number): Promise<Uint8Array> {
		const piece = await this.#stream.some(end - this.#taken);
		if (piece.length === 0) throw this.#fault('a file in it is cut off');
		this.#taken += piece.length;
		return piece;
	}
}

/** Takes what follows the end, so that whoever decompresses gets to its checksum: zeros that fill a record of a tape. */
async function readEnd(stream: ByteStream, fault: (what: string) => Error, {looseEnd}: TarForms): Promise<void> {
	if (looseEnd) {
		while ((await stream.some(maxEndBytes)).length > 0);
		return;
	}
	const rest = await stream.all(maxEndBytes);
	if (rest.length === maxEndBytes || rest.some((byte) => byte !== 0))
		throw fault('something follows its list of files');
}

interface Header {
	readonly bytes: Uint8Array;
	text(field: readonly [number, number]): string;
	number(field: readonly [number, number]): number;
}

/** Takes the next header. Returns undefined at the end, which a block of zeros tells. */
async function readHeader(
	stream: ByteStream,
	fault: (what: string) => Error,
	{looseEnd}: TarForms,
): Promise<Header | undefined> {
	const bytes = await stream.all(blockBytes);
	if (bytes.length === 0 && looseEnd) return undefined;
	if (bytes.length < blockBytes) throw fault('its list of files is cut off');
	if (bytes.every((byte) => byte === 0)) return undefined;
	const text = ([from, to]: readonly [number, number]) => cString(bytes.subarray(from, to));
	const number = ([from, to]: readonly [number, number]) => numberOf(bytes.subarray(from, to), fault);
	// The checksum counts itself as spaces.
	const [from, to] = fields.checksum;
	let sum = (to - from) * 0x20;
	for (let at = 0; at < from; at++) sum += bytes[at] as number;
	for (let at = to; at < blockBytes; at++) sum += bytes[at] as number;
	if (number(fields.checksum) !== sum) throw fault('a header of its files does not match its checksum');
	return {bytes, text, number};
}

/** What a member is, by its header and its name: before there was a type of folders, their names ended with a slash. */
function kindOf(type: string, path: string, fault: (what: string) => Error): TarKind {
	const kind = kinds[type];
	if (kind === undefined) throw fault(`it has a file of type '${type}', which does not exist`);
	return kind === 'file' && path.endsWith('/') ? 'directory' : kind;
}

function lengthOf(value: number, fault: (what: string) => Error): number {
	if (!Number.isSafeInteger(value)) throw fault('the size of a file in it is no number');
	if (value < 0) throw fault('a file in it has a negative size');
	return value;
}

function memberOf(
	{text, number}: Header,
	extended: Extended,
	fault: (what: string) => Error,
): Omit<TarMember, 'content'> {
	const prefix = text(fields.magic) === 'ustar' ? text(fields.prefix) : '';
	const numeric = (name: string, field: readonly [number, number]) => {
		const said = extended[name];
		const value = said === undefined ? number(field) : /^-?\d+(\.\d*)?$/.test(said) ? Math.floor(Number(said)) : NaN;
		if (!Number.isSafeInteger(value)) throw fault(`the ${name} of a file in it is no number`);
		return value;
	};
	const path = extended['path'] ?? (prefix === '' ? text(fields.name) : `${prefix}/${text(fields.name)}`);
	const kind = kindOf(text(fields.type), path, fault);
	const xattrs = xattrsOf(extended);
	return {
		path,
		kind,
		target: extended['linkpath'] ?? text(fields.target),
		permissions: number(fields.mode) & 0o7777,
		user: numeric('uid', fields.user),
		group: numeric('gid', fields.group),
		modified: numeric('mtime', fields.modified),
		major: number(fields.major),
		minor: number(fields.minor),
		// Nothing follows the header of what is no file, whatever that says: others read it so, and find other files there otherwise.
		length: kind === 'file' ? lengthOf(numeric('size', fields.size), fault) : 0,
		...(xattrs.size > 0 && {xattrs}),
	};
}

function xattrsOf(extended: Extended): Map<string, Uint8Array> {
	const found = new Map<string, Uint8Array>();
	for (const [field, value] of Object.entries(extended)) {
		if (value === undefined || !field.startsWith(xattrField)) continue;
		// A name is written with these two in place of what ends it, and of themselves (GNU tar).
		const name = field.slice(xattrField.length).replaceAll('%3D', '=').replaceAll('%25', '%');
		if (keptXattr.test(name)) found.set(name, Buffer.from(value, 'latin1'));
	}
	return found;
}

/** A text up to its first zero. It is UTF-8 (Debian Policy 10.10); other bytes stay apart as U+FFFD. */
function cString(bytes: Uint8Array): string {
	const end = bytes.indexOf(0);
	return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

/** An octal number in text, or, where the highest bit is set, a binary one (GNU tar). */
function numberOf(bytes: Uint8Array, fault: (what: string) => Error): number {
	const [first = 0] = bytes;
	if (first >= 0x80) {
		// What is negative begins with 0xff.
		return bytes.subarray(1).reduce((value, byte) => value * 256 + byte, first === 0xff ? -1 : first & 0x7f);
	}
	const digits = cString(bytes).trim();
	if (!/^[0-7]*$/.test(digits)) throw fault('a number in a header of its files is not octal');
	return Number.parseInt(digits || '0', 8);
}

/** Fields as pax writes them: each a line `LENGTH NAME=VALUE`, whose length counts all of it. */
function paxFields(bytes: Uint8Array, {sparse}: TarForms, fault: (what: string) => Error): Extended {
	const found: Record<string, string | undefined> = {};
	for (let at = 0; at < bytes.length; ) {
		const line = /^(\d{1,6}) ([^=]+)=/.exec(Buffer.from(bytes.subarray(at, at + 300)).toString('utf8'));
		const end = at + Number(line?.[1] ?? 0);
		const start = at + Buffer.byteLength(line?.[0] ?? '');
		if (line === null || end <= start || end > bytes.length || bytes[end - 1] !== 0x0a)
			throw fault('a pax header of it is none');
		const name = line[2] as string;
		if (name.startsWith('GNU.sparse.') && sparse !== true) throw fault('a file in it has holes');
		const encoding = name.startsWith(xattrField) ? 'latin1' : 'utf8';
		const value = Buffer.from(bytes.subarray(start, end - 1)).toString(encoding);
		const parts = found[sparseParts];
		if (sparsePart.includes(name)) found[sparseParts] = parts === undefined ? value : `${parts},${value}`;
		else found[name] = value === '' ? undefined : value;
		at = end;
	}
	return found;
}

/** Files with holes in archives of GNU tar ("Storing Sparse Files" in its manual): the old format, and those of pax. */

/** Bytes of a file that are in the archive, and where they lie in the file. */
interface Part {
	readonly offset: number;
	readonly length: number;
}

/** A file whose parts alone are in the archive: all else of it is zeros. */
export interface SparseMap {
	/** Length of the file. */
	readonly length: number;
	readonly parts: readonly Part[];
}

type Fault = (what: string) => Error;

/** Far more than a file system makes of a file. */
const maxParts = 2 ** 16;
const blockBytes = 512;
const partBytes = 24;
/** Of a header: four parts, whether more follow, and the length of the file; of a block that follows: 21 parts, and the same mark. */
const header = {parts: 386, count: 4, more: 482, length: [483, 495]} as const;
const block = {count: 21, more: 504} as const;

/**
 * Takes the map of the old format, which goes on in blocks behind the header.
 * @param next - takes a block @param number - reads a number's field, which is not negative
 */
export async function oldSparseMap(
	first: Uint8Array,
	next: () => Promise<Uint8Array>,
	number: (field: Uint8Array) => number,
	fault: Fault,
): Promise<SparseMap> {
	const parts: Part[] = [];
	const add = (bytes: Uint8Array, from: number, count: number) => {
		for (let at = from; at < from + count * partBytes; at += partBytes) {
			const [offset, length] = [number(bytes.subarray(at, at + 12)), number(bytes.subarray(at + 12, at + partBytes))];
			if (offset !== 0 || length !== 0) parts.push({offset, length});
		}
		if (parts.length > maxParts) throw fault(`a file in it has more than ${maxParts} holes`);
	};
	add(first, header.parts, header.count);
	for (let more = first[header.more]; more !== 0; ) {
		const bytes = await next();
		if (bytes.length < blockBytes) throw fault('the map of a file with holes is cut off');
		add(bytes, 0, block.count);
		more = bytes[block.more];
	}
	return {length: number(first.subarray(...header.length)), parts};
}

/**
 * Takes the map that format 1.0 has before the bytes of a file: decimal numbers in lines, filled to a whole block.
 * @param take - takes bytes of the member
 * @returns the parts, and how many bytes the map had
 */
export async function sparseMapOf(
	take: (bytes: number) => Promise<Uint8Array>,
	length: number,
	fault: Fault,
): Promise<{readonly parts: readonly Part[]; readonly taken: number}> {
	let taken = 0;
	let text = '';
	let at = 0;
	const number = async () => {
		for (let end = text.indexOf('\n', at); ; end = text.indexOf('\n', at)) {
			if (end >= 0) {
				const digits = text.slice(at, end);
				at = end + 1;
				if (!/^\d{1,15}$/.test(digits)) throw fault('the map of a file with holes has something else than numbers');
				return Number(digits);
			}
			const bytes = await take(blockBytes);
			if (bytes.length < blockBytes) throw fault('the map of a file with holes is cut off');
			if (text.length - at > blockBytes) throw fault('the map of a file with holes has a line without end');
			taken += bytes.length;
			text = text.slice(at) + Buffer.from(bytes).toString('latin1');
			at = 0;
		}
	};
	if (!Number.isSafeInteger(length) || length < 0) throw fault('a file with holes does not tell its length');
	const count = await number();
	if (count > maxParts) throw fault(`a file in it has more than ${maxParts} holes`);
	const parts: Part[] = [];
	for (let index = 0; index < count; index++) parts.push({offset: await number(), length: await number()});
	return {parts, taken};
}

/** Reads the map of formats 0.0 and 0.1, which is in a header: offsets and lengths, with commas between them. */
export function sparseMapOfText(size: string, map: string, fault: Fault): SparseMap {
	const numbers = [size, ...(map === '' ? [] : map.split(','))].map((each) => {
		if (!/^\d{1,15}$/.test(each)) throw fault('the map of a file with holes has something else than numbers');
		return Number(each);
	});
	const [length = 0, ...rest] = numbers;
	if (rest.length % 2 !== 0) throw fault('the map of a file with holes is cut off');
	const parts = rest.flatMap((offset, index) => (index % 2 === 0 ? [{offset, length: rest[index + 1] as number}] : []));
	return {length, parts};
}

const zeros = Buffer.alloc(2 ** 16);

/**
 * Gives a file whole. @param stored - bytes of it that are in the archive
 * @throws what `fault` makes, at once, for a map that is not of this file
 */
export function withHoles(
	content: AsyncIterable<Uint8Array>,
	{length, parts}: SparseMap,
	stored: number,
	fault: Fault,
): AsyncIterable<Uint8Array> {
	let end = 0;
	let sum = 0;
	for (const part of parts) {
		if (part.offset < end) throw fault('parts of a file with holes overlap, or are in no order');
		end = part.offset + part.length;
		if (!Number.isSafeInteger(end)) throw fault('a part of a file with holes lies where no file is');
		sum += part.length;
	}
	if (end > length || sum !== stored) throw fault('the map of a file with holes does not match its length');
	return fill(content, {length, parts});
}

async function* fill(content: AsyncIterable<Uint8Array>, {length, parts}: SparseMap): AsyncGenerator<Uint8Array, void> {
	let at = 0;
	function* upTo(offset: number) {
		for (; at < offset; at = Math.min(offset, at + zeros.length)) yield zeros.subarray(0, offset - at);
	}
	const open = parts.filter((part) => part.length > 0).values();
	let part = open.next().value;
	for await (const piece of content) {
		for (let done = 0; done < piece.length && part !== undefined; ) {
			yield* upTo(part.offset);
			const some = piece.subarray(done, done + part.offset + part.length - at);
			yield some;
			done += some.length;
			at += some.length;
			if (at === part.offset + part.length) part = open.next().value;
		}
	}
	yield* upTo(length);
}

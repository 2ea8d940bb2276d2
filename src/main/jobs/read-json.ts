import {createHash} from 'node:crypto';
import {readSync} from 'node:fs';

/** The most that a JSON text may hold. What it takes when it is parsed grows with the number of values as with its length. */
export interface JsonLimits {
	readonly bytes: number;
	/** Values and keys. */
	readonly values: number;
}

/** JSON text to read from a file that may be anybody's. */
export interface ReadJsonJob {
	readonly fd: number;
	/** Length of the file. */
	readonly size: number;
	readonly limits: JsonLimits;
}

/** The value that the text stands for, with a checksum of its bytes; or a fault, in words to be put behind the file's name. */
export type ReadJsonResult =
	| {readonly value: unknown; readonly sha256: string}
	| {readonly wrong: string; readonly errno?: string};

/** Deeper than any data of ours, and shallow enough for whoever walks through it. */
const maxDepth = 32;

/**
 * Reads and parses. The text is measured before it is parsed: a heap that has run full while JSON is parsed ends the process,
 * whatever limits the thread has.
 */
export function readJson({fd, size, limits}: ReadJsonJob): ReadJsonResult {
	if (size > limits.bytes) return {wrong: `has ${size} bytes, and such a machine's has ${limits.bytes} at most`};
	const text = Buffer.alloc(size);
	try {
		for (let done = 0; done < size; ) {
			const read = readSync(fd, text, done, size - done, done);
			if (read === 0) return {wrong: `ends after ${done} bytes`};
			done += read;
		}
	} catch (error) {
		const {code = String(error)} = error as NodeJS.ErrnoException;
		return {wrong: `gave ${code}`, errno: code};
	}
	const wrong = measure(text, limits.values);
	if (wrong !== undefined) return {wrong};
	try {
		return {
			value: JSON.parse(text.toString('utf8')) as unknown,
			sha256: createHash('sha256').update(text).digest('hex'),
		};
	} catch {
		return {wrong: 'is no JSON'};
	}
}

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Names a limit that a JSON text exceeds. It leaves it to the parser to refuse what is no JSON. */
function measure(text: Buffer, maxValues: number): string | undefined {
	let [values, depth] = [1, 0];
	for (let at = 0; at < text.length; at++) {
		switch (text[at]) {
			case quote:
				at = endOfString(text, at);
				break;
			case openArray:
			case openObject:
				values++;
				if (++depth > maxDepth) return `is nested more than ${maxDepth} levels deep`;
				break;
			case closeArray:
			case closeObject:
				depth--;
				break;
			case comma:
			case colon:
				if (++values > maxValues) return `has more than ${maxValues} values`;
				break;
		}
	}
	return values > maxValues ? `has more than ${maxValues} values` : undefined;
}

/** Finds the closing quote of the string that begins at `start`, or else the end of the text. */
function endOfString(text: Buffer, start: number): number {
	for (let from = start + 1; ; ) {
		const end = text.indexOf(quote, from);
		if (end < 0) return text.length;
		let first = end;
		while (first > from && text[first - 1] === backslash) first--;
		if ((end - first) % 2 === 0) return end;
		from = end + 1;
	}
}

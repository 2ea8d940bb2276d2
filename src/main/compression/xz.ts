import {createRequire} from 'node:module';
import type {ArchiveFault} from './errors.ts';
import type {Output} from './output.ts';

/** Meanings of the library's result numbers (XZ Embedded, `enum xz_ret`). */
const results: Readonly<Record<string, string>> = {
	3: 'there is not enough memory',
	4: 'its dictionary is larger than 64 MB',
	6: 'it uses a filter or a checksum other than LZMA2, CRC-32 and CRC-64',
};
const ended = '8';
const stepBytes = 2 ** 16;

/** xz (The .xz File Format 1.2): one stream. */
export async function unxz(bytes: Uint8Array, output: Output, fault: ArchiveFault): Promise<void> {
	for await (const chunk of xzChunks(bytes, fault)) output.append(chunk);
}

/**
 * Ends when nobody decompresses. The library's streams share a memory, in which one that is left before its end lets two others
 * in, and loses input when it grows under it: here one comes after the other.
 */
let turn: Promise<void> = Promise.resolve();

/** What {@link unxz} makes, piece by piece. Another archive is waited for until whoever takes its pieces has them or stops. */
export async function* xzChunks(bytes: Uint8Array, fault: ArchiveFault): AsyncGenerator<Uint8Array, void> {
	if (lastStreamStart(bytes, fault) !== 0) throw fault.unsupported('it is more than one archive in a row');
	// It is CommonJS that Node and tsx import differently.
	const {XzReadableStream} = createRequire(import.meta.url)('xz-decompress') as typeof import('xz-decompress');
	const {promise, resolve: endTurn} = Promise.withResolvers<void>();
	const before = turn;
	turn = promise;
	await before;
	const reader = new XzReadableStream(inSteps(bytes)).getReader();
	try {
		for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
	} catch (error) {
		const result = / error code (\d+)$/.exec((error as Error).message)?.[1];
		if (result === undefined) throw error;
		if (result === ended) throw fault.truncated();
		throw result in results
			? fault.unsupported(results[result] as string)
			: fault.damaged('its data contradict themselves');
	} finally {
		// The library frees its memory here, and throws when it has done so at an end that nobody has read.
		await reader.cancel().catch(() => {});
		endTurn();
	}
}

function inSteps(bytes: Uint8Array): ReadableStream<Uint8Array> {
	let at = 0;
	return new ReadableStream({
		pull(controller) {
			controller.enqueue(bytes.subarray(at, at + stepBytes));
			at += stepBytes;
			if (at >= bytes.length) controller.close();
		},
	});
}

const headerSize = 12;
const footerSize = 12;

/**
 * Finds the beginning of the last stream by its footer and index. The decoder would go on with another one, and would not say
 * whether what it got was too short or too long.
 */
function lastStreamStart(bytes: Uint8Array, fault: ArchiveFault): number {
	const footer = bytes.length - footerSize;
	if (footer < headerSize || bytes[footer + 10] !== 0x59 || bytes[footer + 11] !== 0x5a) {
		throw fault.damaged('it does not end as one does, because it was cut off or because something follows');
	}
	const indexSize = (new DataView(bytes.buffer, bytes.byteOffset + footer).getUint32(4, true) + 1) * 4;
	let at = footer - indexSize;
	if (at < headerSize || bytes[at] !== 0) throw fault.damaged('it has no index where its end says');
	at++;
	/** Seven bits a byte, the lowest first. */
	const number = () => {
		let value = 0;
		for (let scale = 1; at < footer; scale *= 128) {
			const byte = bytes[at++] as number;
			value += (byte % 128) * scale;
			if (byte < 128) return value;
		}
		throw fault.damaged('its index does not end');
	};
	let blocks = 0;
	for (let records = number(); records > 0; records--) {
		blocks += Math.ceil(number() / 4) * 4;
		number();
	}
	return footer - indexSize - blocks - headerSize;
}

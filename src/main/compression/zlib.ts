import {crc32, createGunzip, createInflateRaw, createZstdDecompress} from 'node:zlib';
import type {ArchiveFault} from './errors.ts';
import type {Output} from './output.ts';

const chunkSize = 2 ** 18;

/** A decompressor of node:zlib: a stream that counts the bytes it took. */
type Decompressor = ReturnType<typeof createInflateRaw | typeof createGunzip> | ReturnType<typeof createZstdDecompress>;

/** Sends the bytes through a decompressor, which stops where its format ends. */
async function* pass(stream: Decompressor, bytes: Uint8Array, fault: ArchiveFault): AsyncGenerator<Uint8Array, void> {
	try {
		stream.end(bytes);
		for await (const chunk of stream) yield chunk as Uint8Array;
	} catch (error) {
		throw zlibFault(error, fault);
	}
}

/** What an error of a decompressor says of the archive; another error stays as it is. */
export function zlibFault(error: unknown, fault: Pick<ArchiveFault, 'truncated' | 'damaged' | 'unsupported'>): unknown {
	const {code, message} = error as NodeJS.ErrnoException;
	if (code === 'Z_BUF_ERROR') return fault.truncated();
	if (/^ZSTD_error_(frameParameter|dictionary|version|parameter)/.test(code ?? '')) return fault.unsupported(message);
	if (/^(ZSTD|Z)_/.test(code ?? '')) return fault.damaged(message);
	return error;
}

/** Appends what a decompressor makes of the bytes. Returns how many it took. */
async function pump(stream: Decompressor, bytes: Uint8Array, output: Output, fault: ArchiveFault): Promise<number> {
	for await (const chunk of pass(stream, bytes, fault)) output.append(chunk);
	return stream.bytesWritten;
}

/** What a gzip or zstd archive holds, piece by piece. Its sizes and checksums are those that node:zlib checks. */
export const zlibChunks = {
	gzip: (bytes: Uint8Array, fault: ArchiveFault) => pass(createGunzip({chunkSize}), bytes, fault),
	zstd: (bytes: Uint8Array, fault: ArchiveFault) => pass(createZstdDecompress({chunkSize}), bytes, fault),
} as const;

/** Zstandard (RFC 8878): one frame. */
export async function unzstd(bytes: Uint8Array, output: Output, fault: ArchiveFault): Promise<void> {
	const taken = await pump(createZstdDecompress({chunkSize}), bytes, output, fault);
	if (taken < bytes.length) throw fault.trailing(bytes.length - taken);
}

/** Bits of a gzip header's FLG (RFC 1952, 2.3.1). */
const flags = {headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0} as const;
const fixedHeader = 10;
const trailer = 8;

/** gzip (RFC 1952): one member, checked by its checksum and size. node:zlib alone would go on with what follows. */
export async function gunzip(bytes: Uint8Array, output: Output, fault: ArchiveFault): Promise<void> {
	const start = gzipHeaderEnd(bytes, fault);
	const end = start + (await pump(createInflateRaw({chunkSize}), bytes.subarray(start), output, fault)) + trailer;
	if (end > bytes.length) throw fault.truncated();
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	if (view.getUint32(end - trailer, true) !== crc32(output.bytes)) throw fault.damaged('its checksum does not match');
	if (view.getUint32(end - 4, true) !== output.length) throw fault.damaged('its size does not match');
	if (end < bytes.length) throw fault.trailing(bytes.length - end);
}

function gzipHeaderEnd(bytes: Uint8Array, fault: ArchiveFault): number {
	const [, , method = 0, flag = 0] = bytes;
	if (bytes.length < fixedHeader) throw fault.truncated();
	if (method !== 8 || (flag & flags.reserved) !== 0)
		throw fault.damaged('its header names a method that does not exist');
	let at = fixedHeader;
	if (flag & flags.extra) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
	for (const text of [flags.name, flags.comment]) {
		if ((flag & text) === 0) continue;
		const zero = bytes.indexOf(0, at);
		if (zero < 0) throw fault.truncated();
		at = zero + 1;
	}
	if (flag & flags.headerCrc) at += 2;
	if (at >= bytes.length) throw fault.truncated();
	return at;
}

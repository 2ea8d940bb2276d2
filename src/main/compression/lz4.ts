import type {ArchiveFault} from './errors.ts';
import {decodeLz4Block} from './lz4-block.ts';
import type {Output} from './output.ts';

const magicSize = 4;
/** Every block of a legacy archive but the last has as much. */
const legacyBlockBytes = 8 * 2 ** 20;
const hashStep = 2 ** 22;

/** FLG, first byte of a frame's descriptor (LZ4 Frame Format 1.6.4). */
const flags = {
	dictionary: 1,
	reserved: 2,
	contentChecksum: 4,
	contentSize: 8,
	blockChecksum: 16,
	independent: 32,
} as const;
const version = {mask: 0xc0, one: 0x40} as const;
/** This bit of a block's size says that the block is stored as it is. */
const stored = 0x8000_0000;

/** Reads an archive from its front. */
class Reader {
	readonly #bytes: Uint8Array;
	readonly #fault: ArchiveFault;
	at = magicSize;

	constructor(bytes: Uint8Array, fault: ArchiveFault) {
		this.#bytes = bytes;
		this.#fault = fault;
	}

	get left(): number {
		return this.#bytes.length - this.at;
	}

	take(length: number): Uint8Array {
		if (length > this.left) throw this.#fault.truncated();
		this.at += length;
		return this.#bytes.subarray(this.at - length, this.at);
	}

	u32(): number {
		return Buffer.from(this.take(4)).readUInt32LE();
	}
}

/** One block, of at most `most` bytes, to the output's end. */
function decode(block: Uint8Array, most: number, from: number, output: Output, fault: ArchiveFault): void {
	const start = output.length;
	const room = output.reserve(most);
	const end = Math.min(start + most, room.length);
	const done = decodeLz4Block(block, room, {start, end, from});
	// Near the limit a block that is larger than what is left looks like a damaged one.
	if (done === undefined) throw end < start + most ? output.overflow() : fault.damaged('a block contradicts itself');
	output.commit(done - start);
}

/** lz4's frame format: one frame. */
export async function unlz4(bytes: Uint8Array, output: Output, fault: ArchiveFault): Promise<void> {
	const {create32} = await (await import('xxhash-wasm')).default();
	const hash = (data: Uint8Array) => {
		const state = create32();
		for (let at = 0; at < data.length; at += hashStep) state.update(data.subarray(at, at + hashStep));
		return state.digest();
	};
	const reader = new Reader(bytes, fault);
	const [flag = 0, sizes = 0] = reader.take(2);
	if ((flag & version.mask) !== version.one || (flag & flags.reserved) !== 0 || (sizes & 0x8f) !== 0) {
		throw fault.unsupported('its version is not 1');
	}
	if (flag & flags.dictionary) throw fault.unsupported('it needs a dictionary');
	const code = sizes >>> 4;
	if (code < 4) throw fault.damaged('its block size does not exist');
	const blockBytes = 2 ** (8 + 2 * code);
	const promised = flag & flags.contentSize ? Number(Buffer.from(reader.take(8)).readBigUInt64LE()) : undefined;
	const descriptor = bytes.subarray(magicSize, reader.at);
	const [sum] = reader.take(1);
	if (sum !== ((hash(descriptor) >>> 8) & 0xff)) throw fault.damaged('the checksum of its header does not match');

	for (let size = reader.u32(); size !== 0; size = reader.u32()) {
		const block = reader.take(size % stored);
		if (block.length > blockBytes) throw fault.damaged('a block is larger than its header allows');
		if (flag & flags.blockChecksum && reader.u32() !== hash(block)) {
			throw fault.damaged('the checksum of a block does not match');
		}
		if (size >= stored) output.append(block);
		else decode(block, blockBytes, flag & flags.independent ? output.length : 0, output, fault);
	}
	if (flag & flags.contentChecksum && reader.u32() !== hash(output.bytes)) {
		throw fault.damaged('its checksum does not match');
	}
	if (promised !== undefined && promised !== output.length) throw fault.damaged('its size does not match');
	if (reader.left > 0) throw fault.trailing(reader.left);
}

/** lz4's first format, of which kernels are made: blocks without checksums, and no end. */
export function unlz4Legacy(bytes: Uint8Array, output: Output, fault: ArchiveFault): void {
	const reader = new Reader(bytes, fault);
	let isLast = false;
	while (reader.left > 0 && !isLast) {
		const start = output.length;
		decode(reader.take(reader.u32()), legacyBlockBytes, start, output, fault);
		isLast = output.length - start < legacyBlockBytes;
	}
	if (output.length === 0) throw fault.truncated();
	const {left} = reader;
	// Linux's build appends the size.
	const isSize = left === 4 && reader.u32() === output.length % 2 ** 32;
	if (left > 0 && !isSize) throw fault.trailing(left);
}

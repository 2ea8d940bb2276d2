import {crc32} from 'node:zlib';

/** A partition by its first and last block. */
export interface GptEntry {
	readonly first: number;
	readonly last: number;
	readonly label?: string;
	/** As it is written in the table, in hexadecimal. */
	readonly uuid?: string;
}

/** A disk with a GPT in both copies, as a test wants it. */
export function gptDisk(
	diskBytes: number,
	entries: readonly (GptEntry | undefined)[],
	{block = 512, count = 128, entryBytes = 128} = {},
): Buffer {
	const disk = Buffer.alloc(diskBytes);
	disk.writeUInt16LE(0xaa55, 510);
	disk.writeUInt8(0xee, 450);
	disk.writeUInt32LE(1, 454);
	disk.writeUInt32LE(diskBytes / block - 1, 458);
	const table = Buffer.alloc(count * entryBytes);
	for (const [index, entry] of entries.entries()) {
		if (entry === undefined) continue;
		const at = index * entryBytes;
		table.fill(7, at, at + 16);
		Buffer.from(entry.uuid ?? `${index}`.padStart(32, '0'), 'hex').copy(table, at + 16);
		table.writeBigUInt64LE(BigInt(entry.first), at + 32);
		table.writeBigUInt64LE(BigInt(entry.last), at + 40);
		table.write(entry.label ?? '', at + 56, 'utf16le');
	}
	const blocks = diskBytes / block;
	const tableBlocks = Math.ceil(table.length / block);
	for (const [own, other, start] of [
		[1, blocks - 1, 2],
		[blocks - 1, 1, blocks - 1 - tableBlocks],
	] as const) {
		table.copy(disk, start * block);
		const header = disk.subarray(own * block, own * block + 92);
		header.write('EFI PART', 0, 'latin1');
		header.writeUInt32LE(0x1_0000, 8);
		header.writeUInt32LE(92, 12);
		header.writeBigUInt64LE(BigInt(own), 24);
		header.writeBigUInt64LE(BigInt(other), 32);
		header.writeBigUInt64LE(BigInt(2 + tableBlocks), 40);
		header.writeBigUInt64LE(BigInt(blocks - 2 - tableBlocks), 48);
		header.writeBigUInt64LE(BigInt(start), 72);
		header.writeUInt32LE(count, 80);
		header.writeUInt32LE(entryBytes, 84);
		header.writeUInt32LE(crc32(table), 88);
		signGptHeader(disk, own * block);
	}
	return disk;
}

/** Puts its checksum into a header. */
export function signGptHeader(disk: Buffer, at: number): void {
	disk.writeUInt32LE(0, at + 16);
	disk.writeUInt32LE(crc32(disk.subarray(at, at + 92)), at + 16);
}

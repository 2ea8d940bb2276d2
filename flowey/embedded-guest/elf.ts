/** ELF-64 sizes and constants; System V ABI, chapters 4 and 5. */
const headerSize = 64;
const programHeaderSize = 56;
const [segmentLoad, segmentNote] = [1, 4];
const [readable, readWriteExecute] = [4, 7];
/** Name and type of the note that says where the 32-bit PVH entry is; Xen's `elfnote.h`. */
const noteName = 'Xen\0';
const notePhys32Entry = 18;
const noteSize = 12 + noteName.length + 8;
/** The segment's offset in the file, congruent to its address modulo a page. */
const imageOffset = 0x1000;

/** A flat program to be wrapped. */
export interface FlatImage {
	readonly bytes: Uint8Array;
	readonly loadAddress: number;
	/** Memory to reserve and clear, at least the length of the bytes. */
	readonly memorySize: number;
	/** The 32-bit entry point. */
	readonly entry: number;
}

/** Wraps a program as an ELF executable with a PVH entry note: one loadable segment. */
export function writePvhElf({bytes, loadAddress, memorySize, entry}: FlatImage): Uint8Array {
	const file = new Uint8Array(imageOffset + bytes.length);
	const view = new DataView(file.buffer);
	const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
	const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
	const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);

	file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64-bit, little-endian
	u16(16, 2); // executable
	u16(18, 62); // x86-64
	u32(20, 1);
	u64(24, entry);
	u64(32, headerSize); // program headers follow
	u16(52, headerSize);
	u16(54, programHeaderSize);
	u16(56, 2);

	const noteOffset = headerSize + 2 * programHeaderSize;
	const segments = [
		[segmentLoad, readWriteExecute, imageOffset, loadAddress, bytes.length, memorySize, 0x1000],
		[segmentNote, readable, noteOffset, 0, noteSize, noteSize, 4],
	] as const;
	segments.forEach(([type, flags, offset, address, fileSize, size, alignment], index) => {
		const at = headerSize + index * programHeaderSize;
		u32(at, type);
		u32(at + 4, flags);
		[offset, address, address, fileSize, size, alignment].forEach((value, field) => {
			u64(at + 8 + field * 8, value);
		});
	});

	u32(noteOffset, noteName.length);
	u32(noteOffset + 4, 8);
	u32(noteOffset + 8, notePhys32Entry);
	file.set(Buffer.from(noteName, 'latin1'), noteOffset + 12);
	u64(noteOffset + 12 + noteName.length, entry);

	file.set(bytes, imageOffset);
	return file;
}

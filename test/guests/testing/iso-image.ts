/** Logical sectors and blocks, in bytes. */
const sectorBytes = 2048;
/** Where what a volume is begins; its descriptors, path tables and root take a sector each, and the file is behind them. */
const firstSector = 16;
const [lowPaths, highPaths, root, file] = [firstSector + 2, firstSector + 3, firstSector + 4, firstSector + 5];
const directoryFlag = 2;
const standardId = 'CD001';

/** Numbers that are there in both orders of bytes. */
const both16 = (value: number) => [value & 0xff, value >>> 8, value >>> 8, value & 0xff];
const both32 = (value: number): readonly number[] => {
	const little = [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
	return [...little, ...little.toReversed()];
};

/** A directory record (ECMA-119, 9.1). */
function record(name: readonly number[], sector: number, bytes: number, flags: number): readonly number[] {
	const date = [100, 1, 1, 0, 0, 0, 0];
	const own = [0, ...both32(sector), ...both32(bytes), ...date, flags, 0, 0, ...both16(1), name.length, ...name];
	const padded = own.length % 2 === 0 ? [...own, 0] : own;
	return [padded.length + 1, ...padded];
}

/** The image of a disc (ISO 9660, which is ECMA-119) with one file in its root, which Linux shows as `content`. */
export function isoImage(content: Uint8Array): Buffer {
	const sectors = file + Math.ceil(content.length / sectorBytes);
	const image = Buffer.alloc(sectors * sectorBytes);
	const at = (sector: number, offset: number, bytes: readonly number[]) =>
		image.set(bytes, sector * sectorBytes + offset);
	const rootRecord = (name: number) => record([name], root, sectorBytes, directoryFlag);
	// The primary volume descriptor (8.4), whose texts are of spaces, and the end of descriptors (8.3).
	const [spaceFrom, spaceTo] = [190, 881];
	image.fill(' ', firstSector * sectorBytes + 8, firstSector * sectorBytes + 72);
	image.fill(' ', firstSector * sectorBytes + spaceFrom, firstSector * sectorBytes + spaceTo);
	const descriptor = (type: number) => [type, ...Buffer.from(standardId), 1];
	// One path: its length, its name's first, no attributes, its sector, itself for a parent.
	const [low, high] = [both32(root).slice(0, 4), both32(root).slice(4)];
	const paths = {low: [1, 0, ...low, 1, 0, 0, 0], high: [1, 0, ...high, 0, 1, 0, 0]};
	at(firstSector, 0, descriptor(1));
	at(firstSector, 80, both32(sectors));
	for (const [offset, value] of [
		[120, 1],
		[124, 1],
		[128, sectorBytes],
	] as const)
		at(firstSector, offset, both16(value));
	at(firstSector, 132, both32(paths.low.length));
	at(firstSector, 140, both32(lowPaths).slice(0, 4));
	at(firstSector, 148, both32(highPaths).slice(4));
	at(firstSector, 156, rootRecord(0));
	at(firstSector, 881, [1]);
	at(firstSector + 1, 0, descriptor(255));
	at(lowPaths, 0, paths.low);
	at(highPaths, 0, paths.high);
	at(root, 0, [...rootRecord(0), ...rootRecord(1), ...record([...Buffer.from('CONTENT.;1')], file, content.length, 0)]);
	image.set(content, file * sectorBytes);
	return image;
}

/** The smallest ELF-64 file with a section of that name and content. */
export function elfWith(sectionName: string, content: string): Uint8Array {
	const names = Buffer.from(`\0${sectionName}\0`);
	const data = Buffer.from(content, 'latin1');
	const table = 64 + names.length + data.length;
	const file = Buffer.alloc(table + 2 * 64);
	file.writeUInt32BE(0x7f454c46, 0);
	file.writeBigUInt64LE(BigInt(table), 0x28);
	file.writeUInt16LE(64, 0x3a);
	file.writeUInt16LE(2, 0x3c);
	file.writeUInt16LE(0, 0x3e);
	names.copy(file, 64);
	data.copy(file, 64 + names.length);
	const sections = [
		{name: 0, offset: 64, size: names.length},
		{name: 1, offset: 64 + names.length, size: data.length},
	];
	for (const [index, {name, offset, size}] of sections.entries()) {
		file.writeUInt32LE(name, table + index * 64);
		file.writeBigUInt64LE(BigInt(offset), table + index * 64 + 0x18);
		file.writeBigUInt64LE(BigInt(size), table + index * 64 + 0x20);
	}
	return file;
}

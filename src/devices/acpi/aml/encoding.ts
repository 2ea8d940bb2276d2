import {concatBytes, littleEndian} from '#support/wire';

/** Encoded AML: a term, an argument or a list of them (ACPI 6.5, chapter 20). */
export type Aml = Uint8Array;

/**
 * A name as AML writes it (ACPI 6.5, 20.2.2): `\` for the root, segments of up to four characters separated by dots.
 * Segments are padded with underscores.
 */
export function namePath(path: string): Aml {
	const match = /^(\\?)((?:[A-Z_][A-Z0-9_]{0,3})(?:\.[A-Z_][A-Z0-9_]{0,3})*)?$/.exec(path);
	if (match === null || path === '') throw new RangeError(`${JSON.stringify(path)} is not an ACPI name`);
	const [, root = '', rest = ''] = match;
	const segments = rest === '' ? [] : rest.split('.');
	const bytes = root === '' ? [] : [0x5c];
	if (segments.length === 0) bytes.push(0x00);
	if (segments.length === 2) bytes.push(0x2e);
	if (segments.length > 2) bytes.push(0x2f, segments.length);
	for (const segment of segments) for (const c of segment.padEnd(4, '_')) bytes.push(c.charCodeAt(0));
	return Uint8Array.from(bytes);
}

/** `content` behind its length, which counts its own one to four bytes (ACPI 6.5, 20.2.4, PkgLength). */
export function withPackageLength(content: Aml): Aml {
	const extraBytes = [0x3f, 0xfff, 0xf_ffff, 0xfff_ffff].findIndex((most, extra) => content.length + extra + 1 <= most);
	if (extraBytes < 0) throw new RangeError(`${content.length} bytes are too long for an AML package`);
	const total = content.length + extraBytes + 1;
	if (extraBytes === 0) return concatBytes(Uint8Array.of(total), content);
	const lead = Uint8Array.of((extraBytes << 6) | (total & 0xf));
	return concatBytes(lead, littleEndian(total >>> 4, extraBytes), content);
}

/** An integer constant in its shortest form (ACPI 6.5, 20.2.3). */
export function integer(value: number | bigint): Aml {
	const unsigned = BigInt(value);
	if (unsigned === 0n) return Uint8Array.of(0x00);
	if (unsigned === 1n) return Uint8Array.of(0x01);
	for (const [prefix, size] of [
		[0x0a, 1],
		[0x0b, 2],
		[0x0c, 4],
	] as const) {
		if (unsigned < 1n << BigInt(8 * size)) return concatBytes(Uint8Array.of(prefix), littleEndian(unsigned, size));
	}
	return concatBytes(Uint8Array.of(0x0e), littleEndian(unsigned, 8));
}

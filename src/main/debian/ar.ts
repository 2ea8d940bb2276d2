/** Archives of `ar`, which Debian packages are (deb(5), ar(5)). */

const magic = '!<arch>\n';
const header = {bytes: 60, name: [0, 16], size: [48, 58], end: [58, 60]} as const;

/** A member, whose bytes lie in the archive. */
export interface ArMember {
	readonly name: string;
	readonly bytes: Uint8Array;
}

/** Reads the members in their order. @param fault - makes what is thrown for an archive that contradicts itself */
export function* arMembers(archive: Uint8Array, fault: (what: string) => Error): Generator<ArMember, void> {
	const text = (from: number, to: number) => Buffer.from(archive.subarray(from, to)).toString('latin1');
	if (text(0, magic.length) !== magic) throw fault('it does not begin as an archive of ar');
	for (let at = magic.length; at < archive.length; ) {
		const field = ([from, to]: readonly [number, number]) => text(at + from, at + to).trimEnd();
		const size = field(header.size);
		if (field(header.end) !== '`' || !/^\d+$/.test(size)) throw fault(`it has no member at byte ${at}`);
		const start = at + header.bytes;
		const end = start + Number(size);
		// GNU's ar ends names with a slash.
		const name = field(header.name).replace(/\/$/, '');
		if (end > archive.length) throw fault(`its ${name} is cut off`);
		yield {name, bytes: archive.subarray(start, end)};
		at = end + (end % 2);
	}
}

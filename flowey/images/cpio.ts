/** Writes the "newc" archive that Linux unpacks as its initial file system (kernel: Documentation/driver-api/early-userspace/buffer-format.rst). */

const MAGIC = '070701';
const TRAILER = 'TRAILER!!!';
const ALIGNMENT = 4;

const TYPE = {directory: 0o040000, file: 0o100000, link: 0o120000, characterDevice: 0o020000} as const;

/** One member of an archive; `path` has no leading slash. */
export type CpioEntry =
	| {readonly kind: 'directory'; readonly path: string; readonly permissions?: number}
	| {readonly kind: 'file'; readonly path: string; readonly data: Uint8Array; readonly permissions?: number}
	| {readonly kind: 'link'; readonly path: string; readonly target: string}
	| {readonly kind: 'characterDevice'; readonly path: string; readonly major: number; readonly minor: number};

/** Packs `entries` in order, adding the folders that lead to them and the trailer. */
export function packCpio(entries: Iterable<CpioEntry>): Uint8Array {
	const blocks: Uint8Array[] = [];
	let inode = 0;
	for (const entry of withParentFolders(entries)) {
		inode += 1;
		blocks.push(...member(entry, inode));
	}
	blocks.push(...encode(TRAILER, 0, 0, 0, 0, new Uint8Array()));
	return Buffer.concat(blocks);
}

function* withParentFolders(entries: Iterable<CpioEntry>): Generator<CpioEntry> {
	const seen = new Set<string>();
	for (const entry of entries) {
		for (const folder of parents(entry.path)) {
			if (!seen.has(folder)) {
				seen.add(folder);
				yield {kind: 'directory', path: folder};
			}
		}
		if (!seen.has(entry.path)) {
			seen.add(entry.path);
			yield entry;
		}
	}
}

function parents(path: string): string[] {
	const names = path.split('/').slice(0, -1);
	return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function member(entry: CpioEntry, inode: number): Uint8Array[] {
	switch (entry.kind) {
		case 'directory':
			return encode(entry.path, inode, TYPE.directory | (entry.permissions ?? 0o755), 0, 0, new Uint8Array());
		case 'file':
			return encode(entry.path, inode, TYPE.file | (entry.permissions ?? 0o644), 0, 0, entry.data);
		case 'link':
			return encode(entry.path, inode, TYPE.link | 0o777, 0, 0, Buffer.from(entry.target));
		case 'characterDevice':
			return encode(entry.path, inode, TYPE.characterDevice | 0o600, entry.major, entry.minor, new Uint8Array());
	}
}

function encode(
	path: string,
	inode: number,
	mode: number,
	major: number,
	minor: number,
	data: Uint8Array,
): Uint8Array[] {
	const name = Buffer.from(`${path}\0`);
	// Owner, group and time stay zero: the same input gives the same bytes.
	const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, major, minor, name.length, 0];
	const header = Buffer.concat([
		Buffer.from(MAGIC + fields.map((field) => field.toString(16).padStart(8, '0')).join('')),
		name,
	]);
	return [padded(header), padded(data)];
}

function padded(bytes: Uint8Array): Uint8Array {
	const rest = bytes.length % ALIGNMENT;
	return rest === 0 ? bytes : Buffer.concat([bytes, new Uint8Array(ALIGNMENT - rest)]);
}

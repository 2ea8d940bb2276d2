/** What a differencing VHDX says of the image below ([MS-VHDX], 2.6.2.6). */
import {guidBytes, guids, guidText} from './structures.ts';

const mostEntries = 256;
/** Of several paths the first counts. What Windows alone can find is refused later, as no path. */
const pathKeys = ['relative_path', 'absolute_win32_path', 'volume_path'] as const;

/** The image below: where it is, and the identifiers of which it has one. */
export interface Parent {
	/** Path with slashes; undefined where none is said. */
	readonly path: string | undefined;
	readonly linkages: readonly string[];
}

/** @returns undefined for what is no locator */
export function parseParentLocator(bytes: Buffer): Parent | undefined {
	if (bytes.length < 20 || guidText(bytes, 0) !== guids.parentType) return undefined;
	const count = bytes.readUInt16LE(18);
	if (count > mostEntries || 20 + count * 12 > bytes.length) return undefined;
	const values = new Map<string, string>();
	for (let index = 0; index < count; index++) {
		const at = 20 + index * 12;
		const text = (offsetAt: number, lengthAt: number) => {
			const [offset, length] = [bytes.readUInt32LE(at + offsetAt), bytes.readUInt16LE(at + lengthAt)];
			return offset + length <= bytes.length ? bytes.toString('utf16le', offset, offset + length) : '';
		};
		values.set(text(0, 8), text(4, 10));
	}
	const path = pathKeys.map((key) => values.get(key)).find((value) => value !== undefined);
	const linkages = ['parent_linkage', 'parent_linkage2'].flatMap((key) => {
		const value = values.get(key);
		return value === undefined ? [] : [value.replace(/[{}]/g, '').toLowerCase()];
	});
	return {path: path?.replaceAll('\\', '/'), linkages};
}

/** The locator of an image that is below, by its path and what it is known by. */
export function encodeParentLocator(path: string, linkage: string): Buffer {
	const entries = Object.entries({parent_linkage: `{${linkage}}`, relative_path: path.replaceAll('/', '\\')});
	const head = Buffer.alloc(20 + entries.length * 12);
	guidBytes(guids.parentType).copy(head);
	head.writeUInt16LE(entries.length, 18);
	const texts: Buffer[] = [];
	let end = head.length;
	const append = (text: string) => {
		const bytes = Buffer.from(text, 'utf16le');
		const offset = end;
		texts.push(bytes);
		end += bytes.length;
		return {offset, length: bytes.length};
	};
	for (const [index, [key, value]] of entries.entries()) {
		const at = 20 + index * 12;
		const [name, text] = [append(key), append(value)];
		head.writeUInt32LE(name.offset, at);
		head.writeUInt32LE(text.offset, at + 4);
		head.writeUInt16LE(name.length, at + 8);
		head.writeUInt16LE(text.length, at + 10);
	}
	return Buffer.concat([head, ...texts]);
}

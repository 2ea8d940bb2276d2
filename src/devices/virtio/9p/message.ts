import {isRefused, type Name, nameOf, type Refused} from '#devices/folder';
import {Errno} from '#support/ffi';
import {type AnyField, u16, viewOf} from '#support/wire';

/** Bytes before the fields of every message: its length, its type and its tag. */
export const headerBytes = 7;

/** Text: 16 bits of length, then so many bytes, of which `most` are taken. It has one letter for each byte (latin1): nobody says in which encoding they are. */
export interface TextItem {
	readonly kind: 'text';
	readonly most: number;
}
/** A {@link Name} as text. */
export interface NameItem {
	readonly kind: 'name';
}
/** A list of names: 16 bits that say how many, of which `most` are taken. */
export interface NamesItem {
	readonly kind: 'names';
	readonly most: number;
}

/** What a message has behind its header: numbers and structs of a fixed size, and texts. */
export type Item = AnyField | TextItem | NameItem | NamesItem;
export type Items = Readonly<Record<string, Item>>;

type ValueOf<I extends Item> = I extends TextItem
	? string
	: I extends NameItem
		? Name
		: I extends NamesItem
			? readonly Name[]
			: I extends AnyField
				? I['forms']['plain']
				: never;
/** A message that has been read. */
export type ValuesOf<T extends Items> = {readonly [K in keyof T]: ValueOf<T[K]>};

type InputOf<I extends Item> = I extends AnyField ? I['forms']['input'] : ValueOf<I>;
/** What a message is made of. */
export type InputsOf<T extends Items> = {readonly [K in keyof T]: InputOf<T[K]>};

export const text = (most: number): TextItem => ({kind: 'text', most});
export const name: NameItem = {kind: 'name'};
export const names = (most: number): NamesItem => ({kind: 'names', most});

const lengthBytes = 2;
const noSiblings = new Map();

/** A type of message as data: its fields in their order, without the header. */
export class Message<T extends Items = Items> {
	readonly type: number;
	readonly name: string;
	readonly items: T;
	readonly #codecs: readonly (readonly [name: string, codec: Codec])[];

	constructor(type: number, name: string, items: T) {
		this.type = type;
		this.name = name;
		this.items = items;
		this.#codecs = Object.entries(items).map(([key, item]) => [key, codecOf(item, `${name}.${key}`)]);
	}

	/** Reads what lies behind the header, to the end of `bytes`. @returns -EINVAL where it has more or less; what {@link nameOf} says of names */
	read(bytes: Uint8Array): ValuesOf<T> | Refused {
		const source = {bytes, view: viewOf(bytes), at: headerBytes};
		const values: Record<string, unknown> = {};
		for (const [key, codec] of this.#codecs) {
			const value = codec.read(source);
			if (isRefused(value)) return value;
			values[key] = value;
		}
		return source.at === bytes.length ? (values as ValuesOf<T>) : malformed;
	}

	/** Writes it with its header, as long as it is. @returns its length; undefined where `target` has not the room */
	write(target: Uint8Array, tag: number, values: InputsOf<T>): number | undefined {
		const sink = {bytes: target, view: viewOf(target), at: headerBytes};
		for (const [key, codec] of this.#codecs) if (!codec.write(sink, values[key])) return undefined;
		writeHeader(target, sink.at, this.type, tag);
		return sink.at;
	}
}

/** Writes a header. @param length - of all of the message */
export function writeHeader(target: Uint8Array, length: number, type: number, tag: number): void {
	const view = viewOf(target);
	view.setUint32(0, length, true);
	view.setUint8(4, type);
	view.setUint16(5, tag, true);
}

/** Bytes, and how far they have been read or written. */
export interface Cursor {
	readonly bytes: Uint8Array;
	readonly view: DataView;
	at: number;
}

interface Codec {
	/** @returns a {@link Refused} for what is malformed */
	read(source: Cursor): unknown;
	write(sink: Cursor, value: unknown): boolean;
}

const malformed: Refused = -Errno.EINVAL;
const hasRoom = ({bytes, at}: Cursor, length: number): boolean => at + length <= bytes.length;

function codecOf(item: Item, path: string): Codec {
	switch (item.kind) {
		case 'text':
			return textCodec(item as TextItem);
		case 'name':
			return nameCodec;
		case 'names':
			return namesCodec(item as NamesItem);
		default:
			return fieldCodec(item as AnyField, path);
	}
}

function fieldCodec(field: AnyField, path: string): Codec {
	const [read, write] = [field.reader(0, noSiblings), field.writer(0, path, noSiblings)];
	return {
		read(source) {
			if (!hasRoom(source, field.size)) return malformed;
			source.at += field.size;
			return read(source.view, source.at - field.size);
		},
		write(sink, value) {
			if (!hasRoom(sink, field.size)) return false;
			write(sink.view, sink.at, value);
			sink.at += field.size;
			return true;
		},
	};
}

const readCount = u16.reader(0);

/** The bytes of a text; undefined where they do not fit. */
function readBytes(source: Cursor): Uint8Array | undefined {
	if (!hasRoom(source, lengthBytes)) return undefined;
	const length = readCount(source.view, source.at);
	source.at += lengthBytes;
	if (!hasRoom(source, length)) return undefined;
	source.at += length;
	return source.bytes.subarray(source.at - length, source.at);
}

/** Writes a text; false where there is not the room. */
export function writeText(sink: Cursor, value: string): boolean {
	if (value.length > 0xffff || !hasRoom(sink, lengthBytes + value.length)) return false;
	sink.view.setUint16(sink.at, value.length, true);
	sink.at += lengthBytes;
	for (let index = 0; index < value.length; index++) sink.bytes[sink.at++] = value.charCodeAt(index);
	return true;
}

const write = (sink: Cursor, value: unknown): boolean => writeText(sink, value as string);

const textCodec = ({most}: TextItem): Codec => ({
	read(source) {
		const bytes = readBytes(source);
		return bytes === undefined || bytes.length > most ? malformed : latin1(bytes);
	},
	write,
});

const nameCodec: Codec = {
	read(source) {
		const bytes = readBytes(source);
		return bytes === undefined ? malformed : nameOf(bytes);
	},
	write,
};

const namesCodec = ({most}: NamesItem): Codec => ({
	read(source) {
		if (!hasRoom(source, lengthBytes)) return malformed;
		const count = readCount(source.view, source.at);
		source.at += lengthBytes;
		if (count > most) return malformed;
		const found: unknown[] = [];
		while (found.length < count) {
			const value = nameCodec.read(source);
			if (isRefused(value)) return value;
			found.push(value);
		}
		return found;
	},
	write(sink, value) {
		const list = value as readonly string[];
		if (!hasRoom(sink, lengthBytes)) return false;
		sink.view.setUint16(sink.at, list.length, true);
		sink.at += lengthBytes;
		return list.every((entry) => writeText(sink, entry));
	},
});

const latin1 = (bytes: Uint8Array): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
